# ruff: noqa: E501
"""Write docs/accelerators.md: what the catalogue holds of each product, what is not known, and what is left out.

python tools/list_accelerators.py [--out docs/accelerators.md]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from accelerator_tables import LEFT_OUT

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import load_catalogue

HEAD = """\
# Accelerators in the catalogue

Written by `tools/list_accelerators.py` from `rules/accelerators/`. Figures are per package, as vendors print them and dense;
each file names the sources of each figure. A framework sees `devices` of one package. Link: what one device sends over its
scale-up link, one direction, and how many devices that link joins. A figure that is not known is left unknown: rules that
need it then say so, and nothing is estimated with another product's figure.
"""


def amount(value: float | None, scale: float) -> str:
    """Four digits, or a dash."""
    return "-" if value is None else f"{value / scale:.4g}"


def unknown(entry: Accelerator) -> str:
    """Figures without a value, in the order of the table."""
    known = {
        "16-bit peak": entry.peaks.get("bf16") or entry.peaks.get("fp16"),
        "memory": entry.memory_bytes,
        "bandwidth": entry.memory_bandwidth,
        "power": entry.tdp_w,
        "domain": entry.domain_devices,
        "link": entry.link_bandwidth if entry.domain_devices != 1 else 1,
    }
    return ", ".join(name for name, value in known.items() if value is None)


def row(entry: Accelerator) -> str:
    """One line of the table."""
    peak = entry.peaks.get("bf16") or entry.peaks.get("fp16")
    link = "-" if entry.link_bandwidth is None else amount(entry.link_bandwidth, 1e9)
    joined = "?" if entry.domain_devices is None else f"{entry.domain_devices:g}"
    cells = [
        f"{entry.title} (`{entry.id}`)", entry.generation, str(entry.devices_per_package),
        amount(peak, 1e12), amount(entry.memory_bytes, 1e9), amount(entry.memory_bandwidth, 1e9),
        amount(entry.tdp_w, 1), f"{link} x {joined}", unknown(entry),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def page() -> str:
    """The whole document."""
    entries = load_catalogue().accelerators.values()
    unsure = [entry for entry in entries if not (entry.peaks.get("bf16") or entry.peaks.get("fp16"))]
    return "\n".join(
        [
            HEAD,
            f"## {len(entries)} products",
            "",
            "| product | generation | devices | bf16 or fp16 TFLOP/s | memory GB | GB/s | W | link GB/s x devices | not known |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
            *map(row, entries),
            "",
            "## Without a dense 16-bit peak, and why",
            "",
            *(f"- {entry.title}: {entry.notes}" for entry in unsure),
            "",
            "## Left out",
            "",
            *(f"- `{key}`: {reason}" for key, reason in LEFT_OUT.items()),
            "",
        ]
    )


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/accelerators.md"))
    parser.parse_args().out.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
