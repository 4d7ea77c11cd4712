"""Write rules/accelerators/<id>.toml from a JSON-lines file of collected facts.

    python tools/make_accelerators.py facts.jsonl [--out rules/accelerators] [--only ID …]

Run once per refresh of the facts; the files it writes are then read by people and kept in the repository.
A file that stands already is left alone unless --force is given, so that corrections made by hand survive.
What clouds ask stands in rules/offers and is not written here.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from accelerator_tables import (
    CORRECTION_SOURCES,
    CORRECTIONS,
    DTYPES,
    ECC,
    GENERATIONS,
    LEFT_OUT,
    NAMES,
    NETWORKS,
    PCI_IDS,
    PCI_SOURCE,
    UNITS,
    USED_FOR,
)

# Products that evidence needs and the collected facts lack, in the same format.
MORE = Path(__file__).with_name("more_accelerators.jsonl")


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
        for figure in sorted(uses) or ["general"]:
            out.setdefault(figure, []).append(source)
    return out


def corrected(record: dict[str, Any]) -> dict[str, Any]:
    """The record with its known mistakes mended, and its notes saying so."""
    fixes = CORRECTIONS.get(record["id"], {})
    notes = [note for _, note in fixes.values()] + [record.get("notes") or ""]
    fixed = {key: value for key, (value, _) in fixes.items()}
    sources = [
        text for prefix, text in CORRECTION_SOURCES.items() if fixes and record["id"].startswith(prefix)
    ]
    return (
        record
        | fixed
        | {
            "notes": "; ".join(note for note in notes if note),
            "sources": list(dict.fromkeys([*record["sources"], *sources])),
        }
    )


def render(record: dict[str, Any]) -> str:
    """The TOML text of one product."""
    lines = [
        f"id = {quote(record['id'])}",
        f"vendor = {quote(record['vendor'].replace(' ', '_'))}",
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
    variant = re.sub(r"\s*\(.*\)| laptop", "", record["variant"]) if record["vendor"] != "apple" else ""
    return " ".join(f"{NAMES[record['vendor']]} {record['name']} {variant}".split())


def tables(record: dict[str, Any], units: tuple[int, str] | None) -> list[str]:
    """The [peak], [interconnect], [sources], [msrp] … tables."""
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
    network = next((n for prefix, n in NETWORKS.items() if record["id"].startswith(prefix)), None)
    if network:
        one_way = quote(f"{number(network[0])} GB/s")
        lines += [
            "",
            "[network] # beyond the scale-up link",
            f"name = {quote(network[1])}",
            f"one_way = {one_way}",
        ]
    sources = figure_sources(record)
    if network:
        sources["network"] = [network[2]]
    if record.get("memory_reported_mib") is None:
        sources.pop("memory_reported", None)
    if not record.get("release"):
        sources.pop("release", None)
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
    return lines


def main() -> None:
    """Read the facts, write the chosen products."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("facts", type=Path)
    parser.add_argument("--out", type=Path, default=Path("rules/accelerators"))
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--force", action="store_true")
    options = parser.parse_args()
    lines = [*options.facts.read_text("utf-8").splitlines(), *MORE.read_text("utf-8").splitlines()]
    records = {row["id"]: row for row in map(json.loads, lines)}
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = options.only or [key for key in records if key not in LEFT_OUT]
    for product in chosen:
        path = options.out / f"{product}.toml"
        if path.exists() and not options.force:
            print(f"kept {path}")
            continue
        path.write_text(render(corrected(records[product])), encoding="utf-8")
    print(f"{len(chosen)} products in {options.out}")


if __name__ == "__main__":
    main()
