# ruff: noqa: SIM905 - lists of keys read better as words
"""What is really bought: workstations, servers, racks and cloud machines around the accelerators.

Systems are read only when somebody asks for them; nothing that a plan or an estimate of bare accelerators
needs rests on them.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from advisor.data.catalogue import Catalogue
from advisor.data.files import read_toml
from advisor.data.read_catalogue import _amount, _check_keys, _date, _number, entry_id, text, texts
from advisor.errors import DataError, UserError, did_you_mean

FIGURES = ("cpu", "ram", "network", "power", "rack_units", "price")
"""Of each system either known, with a source, or unknown, with a reason."""

KINDS = ("workstation", "desktop", "server", "rack", "cloud", "cpu server")
_KEYS = frozenset(
    "id title kind aliases accelerator accelerators processor processors cpu cpu_cores ram power "
    "typical_power rack_units cooling power_supply notes network slots price unknown cites sources "
    "review".split()
)


@dataclass(frozen=True, slots=True)
class Link:
    """A kind of port: what it sends in one direction."""

    id: str
    title: str
    bytes_per_s: float
    source: str


@dataclass(frozen=True, slots=True)
class SystemPrice:
    """What the whole system costs, from `low` to `high`."""

    low: float
    high: float
    currency: str
    as_of: datetime.date | None

    def times(self, factor: float) -> SystemPrice:
        """The same, so many times as dear."""
        return replace(self, low=self.low * factor, high=self.high * factor)


@dataclass(frozen=True, slots=True)
class System:
    """One product as it is bought or rented. Figures are SI and of the whole system; None: see `unknown`."""

    id: str
    title: str
    kind: str
    file: Path
    aliases: tuple[str, ...] = ()
    accelerator: str = ""  # of the catalogue; "": none
    accelerators: int = 0
    processor: str = ""  # of rules/cpus
    processors: int = 0
    cpu: str = ""
    cpu_cores: int | None = None
    ram_bytes: float | None = None
    power_w: float | None = None  # the most it draws
    typical_w: float | None = None  # while training, where somebody measured or told it
    rack_units: float | None = None
    cooling: str = ""
    power_supply: str = ""
    slots: Mapping[str, float] = field(default_factory=dict)  # count, lanes, generation
    network: Link | None = None
    ports: int = 0
    price: SystemPrice | None = None
    notes: str = ""
    unknown: Mapping[str, str] = field(default_factory=dict)
    cites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()  # sources that were named, and not read again for this entry

    @property
    def on_desk(self) -> bool:
        """Whether it stands on or under a desk, where nobody hosts it."""
        return self.kind in ("workstation", "desktop")

    @property
    def network_bytes_per_s(self) -> float | None:
        """What the whole system sends beyond its scale-up link, one direction."""
        return None if self.network is None else self.network.bytes_per_s * self.ports

    def source_of(self, figure: str) -> str:
        """The sources behind a figure in one line; says which were not read again."""
        keys = self.cites.get(figure, ())
        told = [
            self.sources[key] + (" (not read again)" if key in self.unread else "")
            for key in keys
            if key in self.sources
        ]
        return "; ".join(told) or self.file.name


def load_links(folders: Sequence[Path]) -> dict[str, Link]:
    """rules/links of each folder, a later one on top. Raises DataError naming file and key."""
    found: dict[str, Link] = {}
    for folder in folders:
        for path in sorted((folder / "links").glob("*.toml")):
            found |= {link.id: link for link in read_links(path, read_toml(path))}
    return found


def read_links(path: Path, raw: dict[str, Any]) -> list[Link]:
    """The links of one file. Raises DataError naming file and key."""
    _check_keys(path, raw, frozenset(("link",)))
    found = []
    for one in raw.get("link", []):
        _check_keys(path, one, frozenset(("id", "title", "one_way", "source")), "link.")
        rate = _amount(path, one, "one_way", "B/s", "link.")
        if rate is None:
            raise DataError.at(path, "link.one_way", None, "is missing", 'Write one_way = "50 GB/s".')
        found.append(Link(text(path, one, "id"), text(path, one, "title"), rate, text(path, one, "source")))
    return found


def load_systems(folders: Sequence[Path], catalogue: Catalogue) -> dict[str, System]:
    """rules/systems of each folder; a later folder overrides by id. Raises DataError naming file and key."""
    links = load_links(folders)
    found: dict[str, System] = {}
    for folder in folders:
        seen: dict[str, Path] = {}
        for path in sorted((folder / "systems").glob("*.toml")):
            raw = read_toml(path)
            key = entry_id(path, raw)
            if key in seen:
                raise DataError.at(path, "id", key, f"is used by {seen[key].name} too", "Give it its own id.")
            seen[key] = path
            found[key] = read_system(path, raw, links, catalogue)
    return found


def read_system(path: Path, raw: dict[str, Any], links: Mapping[str, Link], catalogue: Catalogue) -> System:
    """One file. Raises DataError for unknown keys and names, and for a figure without source or reason."""
    _check_keys(path, raw, _KEYS)
    kind = text(path, raw, "kind")
    if kind not in KINDS:
        raise DataError.at(path, "kind", kind, "is no kind of system", f"One of {', '.join(KINDS)}.")
    accelerator, count = text(path, raw, "accelerator", ""), _number(path, raw, "accelerators") or 0
    if accelerator and accelerator not in catalogue.accelerators:
        near = did_you_mean(accelerator, catalogue.accelerators)
        raise DataError.at(path, "accelerator", accelerator, "is not in the catalogue", near)
    if bool(accelerator) != bool(count) or count != int(count):
        raise DataError.at(path, "accelerators", count, "does not go with accelerator", "Give both, or none.")
    network = raw.get("network", {})
    link = text(path, network, "link") if network else ""
    if link and link not in links:
        raise DataError.at(path, "network.link", link, "is no known link", did_you_mean(link, links))
    sources = {key: str(value) for key, value in raw.get("sources", {}).items()}
    cites = {key: tuple(value) for key, value in raw.get("cites", {}).items()}
    _check_figures(path, raw, cites, sources)
    return System(
        id=text(path, raw, "id"),
        title=text(path, raw, "title"),
        kind=kind,
        file=path,
        aliases=texts(path, raw, "aliases"),
        accelerator=accelerator,
        accelerators=int(count),
        processor=text(path, raw, "processor", ""),
        processors=int(_number(path, raw, "processors") or 0),
        cpu=text(path, raw, "cpu", ""),
        cpu_cores=None if "cpu_cores" not in raw else int(_number(path, raw, "cpu_cores") or 0),
        ram_bytes=_amount(path, raw, "ram", "B"),
        power_w=_amount(path, raw, "power", "W"),
        typical_w=_amount(path, raw, "typical_power", "W"),
        rack_units=_number(path, raw, "rack_units"),
        cooling=text(path, raw, "cooling", ""),
        power_supply=text(path, raw, "power_supply", ""),
        slots={key: _number(path, raw["slots"], key, "slots.") or 0 for key in raw.get("slots", {})},
        network=links.get(link),
        ports=int(_number(path, network, "ports", "network.") or 1) if network else 0,
        price=_price(path, raw.get("price")),
        notes=text(path, raw, "notes", ""),
        unknown={key: str(value) for key, value in raw.get("unknown", {}).items()},
        cites=cites,
        sources=sources,
        unread=texts(path, raw.get("review", {}), "unread"),
    )


def _check_figures(
    path: Path, raw: Mapping[str, Any], cites: Mapping[str, Sequence[str]], sources: Mapping[str, str]
) -> None:
    unknown = raw.get("unknown", {})
    for figure, keys in cites.items():
        for key in keys:
            if key not in sources:
                hint = did_you_mean(key, sources)
                raise DataError.at(path, f"cites.{figure}", key, "names no entry of [sources]", hint)
    for figure in (*FIGURES, "typical_power"):
        if figure in raw and figure not in cites:
            raise DataError.at(path, figure, None, "has no source", f"Name one under [cites] {figure}.")
    for figure in FIGURES:
        if figure not in raw and figure not in unknown:
            hint = f'Give it, or say why not: [unknown] {figure} = "…".'
            raise DataError.at(path, figure, None, "is neither known nor said to be unknown", hint)
        if figure in raw and figure in unknown:
            raise DataError.at(path, figure, None, "is known and said to be unknown", "Take one of them out.")


def _price(path: Path, raw: dict[str, Any] | None) -> SystemPrice | None:
    if raw is None:
        return None
    _check_keys(path, raw, frozenset(("low", "high", "currency", "as_of")), "price.")
    low, high = _number(path, raw, "low", "price."), _number(path, raw, "high", "price.")
    if not low or not high or high < low:
        raise DataError.at(path, "price", None, "is no range above zero", "Give low and high, low first.")
    return SystemPrice(low, high, text(path, raw, "currency"), _date(path, raw, "as_of", "price."))


def find_system(systems: Mapping[str, System], name: str) -> System | None:
    """The system of that id or alias (any case), or None."""
    key = name.strip().casefold().replace(" ", "-")
    if key in systems:
        return systems[key]
    for one in systems.values():
        if key in {alias.casefold() for alias in one.aliases}:
            return one
    return None


def wanted_system(systems: Mapping[str, System], name: str) -> System:
    """The system of that id or alias. Raises UserError that offers the nearest."""
    found = find_system(systems, name)
    if found is None:
        near = did_you_mean(name.strip(), names_of(systems))
        raise UserError(
            f"unknown system {name[:80]!r}", near or "`hwadvisor hardware list --systems` has them."
        )
    return found


def names_of(systems: Mapping[str, System]) -> list[str]:
    """Every id and alias."""
    return [*systems, *(alias for one in systems.values() for alias in one.aliases)]
