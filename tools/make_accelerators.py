# ruff: noqa: E501, SIM905
"""Write rules/accelerators/<id>.toml from a JSON-lines file of collected facts.

    python tools/make_accelerators.py facts.jsonl [--out rules/accelerators] [--only ID …]

Run once per refresh of the facts; the files it writes are then read by people and kept in the repository.
A file that stands already is left alone unless --force is given, so that corrections made by hand survive.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

# Which of the collected products go into the first catalogue: those that can train and that people meet.
CHOSEN = """
nvidia-p100-pcie-16gb nvidia-p100-sxm2-16gb nvidia-v100-pcie-16gb nvidia-v100-sxm2-16gb nvidia-v100-pcie-32gb
nvidia-v100-sxm2-32gb nvidia-t4-16gb nvidia-a10-24gb nvidia-a10g-24gb nvidia-a30-24gb nvidia-a40-48gb
nvidia-a100-pcie-40gb nvidia-a100-sxm4-40gb nvidia-a100-pcie-80gb nvidia-a100-sxm4-80gb nvidia-a800-sxm4-80gb
nvidia-l4-24gb nvidia-l40-48gb nvidia-l40s-48gb nvidia-h100-sxm5-80gb nvidia-h100-pcie-80gb nvidia-h100-nvl-94gb
nvidia-h800-sxm5-80gb nvidia-h20-sxm5-96gb nvidia-h200-sxm-141gb nvidia-h200-nvl-141gb nvidia-gh200-96gb
nvidia-b200-sxm-180gb nvidia-b300-sxm-288gb nvidia-gb200-186gb nvidia-gb300-288gb nvidia-gb10-128gb
nvidia-rtx-pro-6000-blackwell-ws-96gb nvidia-rtx-pro-6000-blackwell-server-96gb nvidia-quadro-rtx-8000-48gb
nvidia-rtx-a4000-16gb nvidia-rtx-a5000-24gb nvidia-rtx-a6000-48gb nvidia-rtx-6000-ada-48gb
nvidia-gtx-1080-ti-11gb nvidia-rtx-2080-ti-11gb nvidia-rtx-3060-12gb nvidia-rtx-3070-8gb nvidia-rtx-3080-10gb
nvidia-rtx-3090-24gb nvidia-rtx-4060-ti-16gb nvidia-rtx-4070-12gb nvidia-rtx-4070-ti-super-16gb
nvidia-rtx-4080-16gb nvidia-rtx-4090-24gb nvidia-rtx-5080-16gb nvidia-rtx-5090-32gb
amd-mi100-32gb amd-mi210-64gb amd-mi250x-128gb amd-mi300x-192gb amd-mi325x-256gb amd-mi355x-288gb
amd-rx-7900-xtx-24gb amd-rx-9070-xt-16gb amd-strix-halo-128gb
intel-gaudi1-32gb intel-gaudi2-96gb intel-gaudi3-128gb intel-max-1550-128gb intel-arc-pro-b60-24gb
huawei-ascend-910a-32gb huawei-ascend-910b2-64gb huawei-ascend-910b3-64gb huawei-ascend-910b4-32gb
huawei-ascend-910c-128gb
google-tpu-v3 google-tpu-v4 google-tpu-v5e google-tpu-v5p google-tpu-v6e google-tpu-v7x
aws-trainium1 aws-trainium2 aws-trainium3
apple-m1-max-64gb apple-m2-max-96gb apple-m2-ultra-192gb apple-m3-max-128gb apple-m3-ultra-512gb
apple-m4-max-128gb
cerebras-wse2 cerebras-wse3
""".split()

# Generation: the name under which rules keep achieved rates. (vendor, architecture or id prefix) -> name.
GENERATIONS = [
    ("nvidia-gtx-1080", "nvidia_pascal"),
    ("nvidia-p100", "nvidia_pascal"),
    ("nvidia-v100", "nvidia_volta"),
    ("nvidia-t4", "nvidia_turing"),
    ("nvidia-quadro-rtx", "nvidia_turing"),
    ("nvidia-rtx-20", "nvidia_turing"),
    ("nvidia-a100", "nvidia_ampere"),
    ("nvidia-a800", "nvidia_ampere"),
    ("nvidia-a30", "nvidia_ampere"),
    ("nvidia-a", "nvidia_ampere_gddr"),
    ("nvidia-rtx-a", "nvidia_ampere_gddr"),
    ("nvidia-rtx-30", "nvidia_ampere_gddr"),
    ("nvidia-l", "nvidia_ada"),
    ("nvidia-rtx-40", "nvidia_ada"),
    ("nvidia-rtx-6000-ada", "nvidia_ada"),
    ("nvidia-h", "nvidia_hopper"),
    ("nvidia-gh", "nvidia_hopper"),
    ("nvidia-b", "nvidia_blackwell"),
    ("nvidia-gb2", "nvidia_blackwell"),
    ("nvidia-gb3", "nvidia_blackwell"),
    ("nvidia-gb10", "nvidia_blackwell_gddr"),
    ("nvidia-rtx-50", "nvidia_blackwell_gddr"),
    ("nvidia-rtx-pro", "nvidia_blackwell_gddr"),
    ("amd-mi1", "amd_cdna"),
    ("amd-mi2", "amd_cdna"),
    ("amd-mi30", "amd_cdna3"),
    ("amd-mi325", "amd_cdna3"),
    ("amd-mi35", "amd_cdna4"),
    ("amd-", "amd_rdna"),
    ("intel-gaudi", "intel_gaudi"),
    ("intel-", "intel_xe"),
    ("huawei-ascend-910a", "huawei_910"),
    ("huawei-", "huawei_910b"),
    ("google-", "google_tpu"),
    ("aws-", "aws_trainium"),
    ("apple-", "apple_gpu"),
    ("cerebras-", "cerebras_wse"),
]

# PCI ids of the product names: NVIDIA/open-gpu-kernel-modules README.md at commit 015742d3 (device id alone;
# ids that several catalogue products share, or that differ by subsystem only, are left out or listed for both).
PCI_SOURCE = "github:NVIDIA/open-gpu-kernel-modules@015742d3 README.md, table of product names and PCI ids"
PCI_IDS = {
    "nvidia-a100-sxm4-40gb": ["20b0"],
    "nvidia-a100-sxm4-80gb": ["20b2"],
    "nvidia-a100-pcie-80gb": ["20b5"],
    "nvidia-a30-24gb": ["20b7"],
    "nvidia-a100-pcie-40gb": ["20f1"],
    "nvidia-a800-sxm4-80gb": ["20f3"],
    "nvidia-rtx-3090-24gb": ["2204"],
    "nvidia-rtx-3080-10gb": ["2206", "2216"],
    "nvidia-rtx-a6000-48gb": ["2230"],
    "nvidia-rtx-a5000-24gb": ["2231"],
    "nvidia-a40-48gb": ["2235"],
    "nvidia-a10-24gb": ["2236"],
    "nvidia-a10g-24gb": ["2237"],
    "nvidia-h100-nvl-94gb": ["2321"],
    "nvidia-h800-sxm5-80gb": ["2324"],
    "nvidia-h20-sxm5-96gb": ["2329"],
    "nvidia-h100-sxm5-80gb": ["2330"],
    "nvidia-h100-pcie-80gb": ["2331"],
    "nvidia-h200-sxm-141gb": ["2335"],
    "nvidia-rtx-3070-8gb": ["2484", "2488"],
    "nvidia-rtx-a4000-16gb": ["24b0"],
    "nvidia-rtx-3060-12gb": ["2487", "2503", "2504", "2544"],
    "nvidia-rtx-4090-24gb": ["2684"],
    "nvidia-rtx-6000-ada-48gb": ["26b1"],
    "nvidia-l40-48gb": ["26b5"],
    "nvidia-l40s-48gb": ["26b9"],
    "nvidia-rtx-4080-16gb": ["2704"],
    "nvidia-rtx-4070-ti-super-16gb": ["2705"],
    "nvidia-rtx-4070-12gb": ["2709", "2786"],
    "nvidia-rtx-4060-ti-16gb": ["2805"],
    "nvidia-l4-24gb": ["27b8"],
}

# Streaming multiprocessors, compute units or GPU cores, where a public specification of the chip prints them.
UNITS = {
    "nvidia-p100": (56, "NVIDIA Tesla P100 whitepaper"),
    "nvidia-v100": (80, "NVIDIA Tesla V100 whitepaper"),
    "nvidia-t4": (40, "NVIDIA Turing whitepaper, Tesla T4"),
    "nvidia-a100": (108, "NVIDIA A100 whitepaper"),
    "nvidia-a800": (108, "NVIDIA A100 whitepaper (A800: same chip)"),
    "nvidia-h100-sxm5": (132, "NVIDIA H100 whitepaper"),
    "nvidia-h100-pcie": (114, "NVIDIA H100 whitepaper"),
    "nvidia-h200-sxm": (132, "NVIDIA H100 whitepaper (H200: same chip)"),
    "nvidia-rtx-2080-ti": (68, "NVIDIA Turing whitepaper"),
    "nvidia-rtx-3090-24": (82, "NVIDIA GA102 whitepaper"),
    "nvidia-rtx-4090-24": (128, "NVIDIA Ada whitepaper"),
    "nvidia-rtx-5090-32": (170, "NVIDIA RTX Blackwell whitepaper"),
    "amd-mi300x": (304, "AMD Instinct MI300X data sheet"),
    "amd-mi325x": (304, "AMD Instinct MI325X data sheet"),
    "amd-mi210": (104, "AMD Instinct MI210 data sheet"),
}

# Server cards with GDDR6 whose error correction is on by default and takes a sixteenth (a T4 shows 15 GiB of 16).
ECC = ("nvidia-t4", "nvidia-a10", "nvidia-a40", "nvidia-l4")

# What a collected source was used for (the facts list sources per product, their headings say of what).
USED_FOR = [
    ("compute/accelerator/README", {"peak", "memory", "memory_bandwidth", "tdp"}),
    ("network/README", {"interconnect"}),
    ("throughput.py", {"peak"}),
    ("speed_monitor.py", {"peak"}),
    ("get_peak_flops", {"peak"}),
    ("systems/*.yaml", {"peak", "memory_bandwidth", "interconnect"}),
    ("hand-kept GPU catalogue", {"peak", "memory", "memory_bandwidth", "tdp"}),
    ("open-gpu-kernel-modules", {"aliases"}),
    ("amdgpu.ids", {"aliases"}),
    ("vllm-ascend", {"aliases"}),
    ("tpu_info.py", {"aliases", "peak", "memory_bandwidth"}),
    ("ml_hardware.csv", {"peak", "memory", "memory_bandwidth", "tdp", "release"}),
    ("mlcommons/training_results", {"memory_reported", "interconnect"}),
    ("gpuhunt", {"memory"}),
    ("gpu-pricing", {"price"}),
    ("hardware.ts", {"memory", "msrp"}),
    ("gpu-arch-specs", {"memory", "compute_units"}),
    ("scaling-book", {"peak", "memory_bandwidth", "interconnect"}),
    ("Google Cloud TPU docs", {"peak", "memory", "interconnect"}),
    ("aws-neuron-sdk", {"peak", "memory", "memory_bandwidth", "interconnect"}),
    ("metal-benchmarks", {"peak"}),
    ("Apple newsroom", {"memory_bandwidth"}),
    ("MindStudio", {"peak", "memory", "memory_bandwidth", "interconnect"}),
    ("CSET", {"peak", "memory"}),
    ("whitepaper", {"peak", "memory", "memory_bandwidth", "tdp"}),
    ("datasheet", {"peak", "memory", "memory_bandwidth", "tdp"}),
    ("data sheet", {"peak", "memory", "memory_bandwidth", "tdp"}),
    ("gpu_configs", {"peak", "memory_bandwidth"}),
    ("gpu-price-tracker", {"street"}),
    ("TechPowerUp", set()),
]
DTYPES = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8", "fp16_tensor_fp16acc")
NAMES = {
    "nvidia": "NVIDIA",
    "amd": "AMD",
    "intel": "Intel",
    "huawei": "Huawei",
    "google": "Google",
    "aws": "AWS",
    "apple": "Apple",
    "cerebras": "Cerebras",
}


def quote(value: object) -> str:
    """A TOML basic string."""
    return json.dumps(str(value), ensure_ascii=False)


def number(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return f"{value:.10g}"


def generation(product: str) -> str:
    """The longest matching prefix wins."""
    matches = [(len(prefix), name) for prefix, name in GENERATIONS if product.startswith(prefix)]
    return max(matches)[1]


def figure_sources(record: dict[str, Any]) -> dict[str, list[str]]:
    """Which of the record's sources stand behind which figure."""
    out: dict[str, list[str]] = {}
    for source in record["sources"]:
        uses: set[str] = set()
        for mark, figures in USED_FOR:
            if mark in source:
                uses |= figures
        named = re.search(r"TechPowerUp c\d+\): (.*)$", source)
        if named:
            uses |= {
                "tdp"
                if part == "tdp_w"
                else "memory_bandwidth"
                if "bandwidth" in part
                else "peak"
                if part.startswith("fp")
                else part
                for part in named.group(1).split(", ")
            }
        for figure in uses or {"general"}:
            out.setdefault(figure, []).append(source)
    return out


def render(record: dict[str, Any]) -> str:
    """The TOML text of one product."""
    lines = [
        f"id = {quote(record['id'])}",
        f"vendor = {quote(record['vendor'])}",
        f"title = {quote(title(record))}",
        f"generation = {quote(generation(record['id']))}",
    ]
    for key in (
        "architecture",
        "form_factor",
        "release",
        "status",
        "compute_capability",
        "gfx",
        "device_kind",
    ):
        if record.get(key):
            lines.append(f"{key} = {quote(record[key])}")
    aliases = [*record["aliases"], *record.get("aliases_unverified", [])]
    lines.append(f"aliases = [{', '.join(quote(a) for a in aliases)}]")
    pci = [f"{'10de'}:{item}" for item in PCI_IDS.get(record["id"], [])]
    lines.append(f"pci_ids = [{', '.join(quote(item) for item in pci)}]")
    units = next(
        ((count, source) for prefix, (count, source) in UNITS.items() if record["id"].startswith(prefix)),
        None,
    )
    if units:
        lines.append(f"compute_units = {units[0]}")
    lines.append(f"frameworks = [{', '.join(quote(item) for item in record['frameworks'])}]")
    lines.append(f"devices_per_package = {record['devices_per_package']}")
    texts = (
        ("memory", "memory_gb", "GB"),
        ("memory_reported", "memory_reported_mib", "MiB"),
        ("memory_bandwidth", "memory_bandwidth_gbs", "GB/s"),
        ("tdp", "tdp_w", "W"),
    )
    lines += [
        f"{key} = {quote(number(record[field]) + ' ' + unit)}"
        for key, field, unit in texts
        if record.get(field) is not None
    ]
    for key in ("memory_type", "scale_up_domain", "pcie_gen", "pcie_lanes"):
        if record.get(key) is not None:
            value = record[key]
            lines.append(f"{key} = {quote(value) if isinstance(value, str) else number(value)}")
    if record["id"].startswith(ECC) and record.get("memory_type") == "GDDR6":
        lines.append("memory_ecc = true")
    for key in ("notes", "export_note"):
        if record.get(key):
            lines.append(f"{key} = {quote(record[key])}")
    if record.get("derived"):
        lines.append(f"derived = [{', '.join(quote(item) for item in record['derived'])}]")
    lines += tables(record, units)
    return "\n".join(lines) + "\n"


def title(record: dict[str, Any]) -> str:
    """'NVIDIA A100 SXM4 80GB'."""
    variant = re.sub(r"\s*\(.*\)", "", record["variant"]) if record["vendor"] != "apple" else ""
    return " ".join(f"{NAMES[record['vendor']]} {record['name']} {variant}".split())


def tables(record: dict[str, Any], units: tuple[int, str] | None) -> list[str]:
    """The [peak], [interconnect], [sources], [[price]] … tables."""
    lines: list[str] = []
    peaks = record.get("peak_tflops_dense") or {}
    lines += ["", "[peak] # dense, per package"]
    lines += [
        f"{key} = {quote(number(peaks[key]) + (' TOP/s' if key == 'int8' else ' TFLOP/s'))}"
        for key in DTYPES
        if key in peaks
    ]
    link = record.get("interconnect")
    if link:
        lines += ["", "[interconnect]", f"name = {quote(link['name'])}"]
        if link.get("total_bidir_gbs"):
            lines.append(f"bidirectional = {quote(number(link['total_bidir_gbs']) + ' GB/s')}")
    sources = figure_sources(record)
    if record["id"] in PCI_IDS:
        sources["pci_ids"] = [PCI_SOURCE]
    if units:
        sources["compute_units"] = [units[1]]
    keys = {
        source: f"s{at}"
        for at, source in enumerate(dict.fromkeys(item for items in sources.values() for item in items), 1)
    }
    lines += ["", "[cites] # which source stands behind which figure"]
    lines += [
        f"{key} = [{', '.join(quote(keys[item]) for item in sources[key])}]"
        for key in sorted(sources)
        if key != "price"
    ]
    lines += ["", "[sources]"]
    lines += [f"{key} = {quote(source)}" for source, key in keys.items()]
    if record.get("msrp_usd"):
        msrp = record["msrp_usd"]
        lines += [
            "",
            "[msrp]",
            f"usd = {number(msrp['usd'])}",
            f"as_of = {quote(msrp.get('launch', ''))}",
            f"source = {quote(msrp['source'])}",
        ]
    if record.get("street_price_usd"):
        street = record["street_price_usd"]
        lines += [
            "",
            "[street]",
            f"low_usd = {number(street['low'])}",
            f"high_usd = {number(street['high'])}",
            f"as_of = {quote(street.get('as_of', ''))}",
            f"source = {quote(street['source'])}",
        ]
    for price in record.get("cloud_price_usd_per_hour") or []:
        lines += [
            "",
            "[[price]]",
            f"provider = {quote(price['provider'])}",
            f"instance = {quote(price['instance'])}",
            f"kind = {quote(price['kind'])}",
            f"usd_per_hour = {number(price['price'])}",
            f"as_of = {quote(price.get('as_of') or '')}",
            f"source = {quote(price['source'])}",
        ]
    return lines


def main() -> None:
    """Read the facts, write the chosen products."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("facts", type=Path)
    parser.add_argument("--out", type=Path, default=Path("rules/accelerators"))
    parser.add_argument("--only", nargs="*", default=CHOSEN)
    parser.add_argument("--force", action="store_true")
    options = parser.parse_args()
    records = {
        row["id"]: row for row in map(json.loads, options.facts.read_text(encoding="utf-8").splitlines())
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for product in options.only:
        path = options.out / f"{product}.toml"
        if path.exists() and not options.force:
            print(f"kept {path}")
            continue
        path.write_text(render(records[product]), encoding="utf-8")
    print(f"{len(options.only)} products in {options.out}")


if __name__ == "__main__":
    main()
