# ruff: noqa: E501
"""Write rules/cpus/sockets.toml from a JSON-lines file of collected processor facts.

    python tools/make_processors.py cpus.jsonl [--out rules/cpus/sockets.toml]

Peaks are not written: advisor/data/processors.py works them out of cores, clock and the widest unit. A processor
whose cores differ, or whose clock is not sourced, is written with the reason why it has no peak.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

HEAD = """\
# Processors as evidence counts them: one socket each. Written by tools/make_processors.py from collected facts.
#
# Peak of a socket = cores x base clock x operations of one core and cycle (the base clock is what heavy vector
# work is sure to reach; boost is not). A multiply-add is two operations.

[operations_per_cycle.fp32]
avx2 = 32 # two 256-bit multiply-adds
avx512_half = 32 # Zen 4: 512-bit instructions in two passes of 256 bit
avx512_one = 32 # one 512-bit multiply-add
avx512 = 64 # two 512-bit multiply-adds
neon = 16 # two 128-bit multiply-adds

[operations_per_cycle.bf16]
avx512_bf16 = 128
amx = 1024

[sources]
cycle = "pytorch.org/tutorials/recipes/amx: 1,024 BF16 operations a cycle with AMX, 64 FP32 with AVX-512; Intel and AMD optimisation guides: units a core"
"""


def unit_of(record: dict[str, Any]) -> str:
    """The widest fp32 unit of a core; empty where the facts do not tell."""
    simd = " ".join(record.get("simd", []))
    if "AVX-512" in simd:
        if record["vendor"] == "amd":
            return "avx512" if record["architecture"] == "zen 5" else "avx512_half"
        return {2: "avx512", 1: "avx512_one"}.get(record.get("avx512_fma_units") or 0, "")
    return "avx2" if "AVX2" in simd else "neon" if record["vendor"] == "ampere" else ""


def reason_of(record: dict[str, Any]) -> str:
    """Why no peak can be worked out; empty where it can."""
    if record.get("p_cores") not in (None, record["cores"]):
        return "its cores are of two kinds"
    if not record.get("base_ghz"):
        return "its base clock is not sourced"
    return "" if unit_of(record) else "its vector units are not sourced"


def render(record: dict[str, Any]) -> str:
    """One [[processor]] table."""
    reason = reason_of(record)
    fields: dict[str, object] = {
        "id": f"cpu-{record['id']}",
        "title": record["name"],
        "maker": record["vendor"],
        "architecture": record.get("architecture") or "",
        "cores": record["cores"],
    }
    if reason:
        fields["no_peak"] = reason
    else:
        fields |= {"clock": f"{record['base_ghz']:g} GHz", "fp32_unit": unit_of(record)}
        if record.get("amx"):
            fields["bf16_unit"] = "amx"
    if record.get("memory_bandwidth_gbs"):
        fields["memory_bandwidth"] = f"{record['memory_bandwidth_gbs']:g} GB/s"
    if record.get("tdp_w"):
        fields["tdp"] = f"{record['tdp_w']:g} W"
    fields["source"] = "; ".join(record["sources"])
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(["[[processor]]", *lines])


def main() -> None:
    """Read the facts, write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("facts", type=Path)
    parser.add_argument("--out", type=Path, default=Path("rules/cpus/sockets.toml"))
    options = parser.parse_args()
    records = [json.loads(line) for line in options.facts.read_text("utf-8").splitlines()]
    options.out.write_text("\n\n".join([HEAD.rstrip(), *map(render, records)]) + "\n", encoding="utf-8")
    print(f"{len(records)} processors in {options.out}")


if __name__ == "__main__":
    main()
