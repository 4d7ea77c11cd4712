# ruff: noqa: E501
"""Write the tables of docs/systems.md: what the catalogue knows of each system, and whose prices it holds.

python tools/make_systems.py [--out docs/systems.md]

The text above the mark is kept as it is; what stands below is written from rules/systems and rules/offers.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.data.systems import FIGURES, KINDS, System, load_systems

MARK = "<!-- below: written by tools/make_systems.py -->"


def main() -> None:
    """Read the catalogue, write the tables below the mark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/systems.md"))
    out = parser.parse_args().out
    head = out.read_text(encoding="utf-8").partition(MARK)[0] if out.exists() else "# Systems\n\n"
    out.write_text(head + MARK + "\n\n" + tables(), encoding="utf-8")
    print(out)


def tables() -> str:
    """Both tables."""
    catalogue = load_catalogue()
    systems = load_systems([shipped("rules")], catalogue)
    return "\n".join([*_systems(systems), "", *_offers(catalogue), ""])


def _systems(systems: dict[str, System]) -> Iterable[str]:
    yield "## Systems\n"
    yield "| id | holds | CPU | RAM | network | power | units | price | not known |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for one in sorted(systems.values(), key=lambda one: (KINDS.index(one.kind), one.id)):
        holds = f"{one.accelerators} x {one.accelerator}" if one.accelerator else "processors alone"
        ram = "-" if one.ram_bytes is None else f"{one.ram_bytes / 1e9:,.0f} GB"
        network = "-" if one.network is None else f"{one.ports} x {one.network.title}"
        power = "-" if one.power_w is None else f"{one.power_w / 1000:g} kW"
        units = "-" if one.rack_units is None else f"{one.rack_units:g}"
        missing = ", ".join(name.replace("_", " ") for name in FIGURES if name in one.unknown) or "-"
        yield f"| {one.id} | {holds} | {one.cpu or '-'} | {ram} | {network} | {power} | {units} | {_price(one)} | {missing} |"


def _price(one: System) -> str:
    if one.price is None:
        return "-"
    low, high = one.price.low, one.price.high
    span = f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
    return f"{span} {one.price.currency} ({one.price.as_of or 'undated'})"


def _offers(catalogue: Catalogue) -> Iterable[str]:
    found: Counter[tuple[str, str]] = Counter()
    newest: dict[str, str] = {}
    for entry in catalogue.accelerators.values():
        for price in entry.prices:
            found[price.provider, price.kind] += 1
            newest[price.provider] = max(newest.get(price.provider, ""), str(price.as_of or ""))
    yield "## Offers\n"
    yield "| provider | on demand | spot | reserved | newest |"
    yield "| --- | --- | --- | --- | --- |"
    for provider in sorted(newest):
        counts = " | ".join(str(found[provider, kind]) for kind in ("on_demand", "spot", "reserved"))
        yield f"| {provider} | {counts} | {newest[provider] or 'undated'} |"


if __name__ == "__main__":
    main()
