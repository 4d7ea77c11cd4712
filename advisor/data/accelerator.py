"""What the catalogue holds of one product: figures with sources, prices with dates."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

OLD_DAYS = 180
"""A price older than this is flagged wherever it is used."""


def is_old(as_of: datetime.date | None, today: datetime.date) -> bool:
    """Whether a price of this date is too old to decide on; an undated one is."""
    return as_of is None or (today - as_of).days > OLD_DAYS


@dataclass(frozen=True, slots=True)
class Price:
    """What a cloud asks for one package, US dollars a second; `as_of` None: the source gives no date."""

    provider: str
    instance: str
    kind: str  # on_demand, spot, reserved
    usd_per_s: float
    as_of: datetime.date | None
    source: str
    known_cloud: bool
    region: str = ""  # as the provider names it; "": not stated
    term: str = ""  # of a reservation
    packages: int = 1  # of the instance, which is rented whole
    if_asked: bool = False  # of a cloud that counts only where its region is asked for
    largest: int | None = None  # packages known to be had as one cluster

    @property
    def sure(self) -> int:
        """Packages that are sure to be had joined: of a known cluster, else of one instance or server."""
        return max(self.packages, _SERVER) if self.largest is None else max(self.packages, self.largest)

    def is_old(self, today: datetime.date) -> bool:
        """Whether it is too old to decide on; an undated one is."""
        return is_old(self.as_of, today)


_SERVER = 8
"""GPUs of the usual server: whoever lists a price for each joins as many."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """What one package costs when bought: `usd` amid `low` and `high`; `what` says whose price it is."""

    usd: float
    low: float
    high: float
    as_of: datetime.date | None
    what: str = "list price"

    def times(self, factor: float) -> Purchase:
        """The same, so many times as dear."""
        return replace(self, usd=self.usd * factor, low=self.low * factor, high=self.high * factor)

    @property
    def told(self) -> str:
        """'list price, 2022-09-01'; of several dealers the range."""
        span = f" of {self.low:,.0f} to {self.high:,.0f} USD" if self.high > self.low else ""
        return f"{self.what}{span}, {self.as_of or 'undated'}"


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One product as the catalogue knows it. Figures are SI and per package; None: not known.

    `devices_per_package` tells how many devices a framework sees of one package. `cites` says which of
    `sources` stand behind which figure.
    """

    id: str
    title: str
    vendor: str
    generation: str
    file: Path
    devices_per_package: int = 1
    architecture: str = ""
    form_factor: str = ""  # PCIe, SXM5, OAM, board, superchip, SoC, …
    status: str = ""
    compute_capability: str = ""
    aliases: tuple[str, ...] = ()
    pci_ids: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    compute_units: int | None = None
    memory_bytes: float | None = None
    memory_reported_bytes: float | None = None
    memory_type: str = ""
    memory_ecc: bool = False  # GDDR memory that gives up a sixteenth to error correction
    memory_bandwidth: float | None = None
    tdp_w: float | None = None
    peaks: Mapping[str, float] = field(default_factory=dict)
    interconnect: str = ""
    interconnect_bytes_per_s: float | None = None  # both directions together
    scale_up_domain: int | None = None  # packages joined by that link
    network: str = ""  # what the usual server gives one package beyond that link
    network_bytes_per_s: float | None = None  # one direction
    prices: tuple[Price, ...] = ()
    rent: Price | None = None  # the on-demand price that is used
    spot: Price | None = None
    offers: tuple[Price, ...] = ()  # those that may be used: young ones first, the cheapest first
    bought: Purchase | None = None  # list price, or what dealers asked where that is younger
    shown_factor: float | None = None  # memory of one device over its share of the vendor's figure
    shown_source: str = ""
    notes: str = ""
    export_note: str = ""
    cites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def offer(self, packages: float, kind: str = "on_demand") -> Price | None:
        """The price of so many packages as one cluster: of the first offer that is sure to have them, else of
        the first at all (`Price.sure` tells how many it has). A spot price above it is no offer."""
        found = [price for price in self.offers if price.kind == kind]
        held = next((price for price in found if price.sure >= packages), None)
        if kind == "on_demand":
            return held or (found[0] if found else None)
        dear = self.offer(packages)
        return None if held is None or (dear is not None and held.usd_per_s >= dear.usd_per_s) else held

    @property
    def unified(self) -> bool:
        """Whether it shares the host's memory."""
        return "unified" in self.memory_type

    @property
    def card(self) -> bool:
        """Whether it sits in a PCIe slot; without a stated form, whether no link to its like is known."""
        return self.form_factor == "PCIe" if self.form_factor else not self.interconnect

    @property
    def module(self) -> bool:
        """Whether it is sold in whole servers or boards alone: neither a card nor a computer of its own."""
        return bool(self.form_factor) and not self.form_factor.startswith(("PCIe", "SoC", "mobile"))

    @property
    def own_memory_bounds(self) -> bool:
        """Whether the printed memory bounds the model: a wafer streams its weights from outside, except the
        first one, on which the network stands (weight streaming came with the CS-2: Hot Chips 33, 2021)."""
        return "SRAM" not in self.memory_type or self.generation == "cerebras_wse"

    @property
    def device_memory_bytes(self) -> float | None:
        """What one device offers: what its driver reports, else the vendor's figure by a sourced factor."""
        if self.memory_reported_bytes is not None or self.memory_bytes is None:
            return self.memory_reported_bytes
        return self.memory_bytes / self.devices_per_package * (self.shown_factor or 1.0)

    @property
    def domain_devices(self) -> float | None:
        """Devices joined by a scale-up link; 1: a card, laptop or chip without one."""
        if self.scale_up_domain is not None:
            return float(self.scale_up_domain * self.devices_per_package)
        if not self.interconnect and self.form_factor in ("PCIe", "mobile", "SoC", "module"):
            return float(self.devices_per_package)
        return None

    @property
    def link_bandwidth(self) -> float | None:
        """What one device sends over its scale-up link, one direction; None: no such link, or not known."""
        if self.interconnect_bytes_per_s is None or self.domain_devices == 1:
            return None
        return self.interconnect_bytes_per_s / 2 / self.devices_per_package

    @property
    def network_bandwidth(self) -> float | None:
        """What one device sends beyond its scale-up domain, one direction, in the usual server."""
        return (
            None if self.network_bytes_per_s is None else self.network_bytes_per_s / self.devices_per_package
        )

    def source_of(self, figure: str) -> str:
        """The sources behind a figure ("peak", "memory", …), in one line."""
        keys = self.cites.get(figure, ()) or self.cites.get("general", ())
        cited = [self.sources[key] for key in keys if key in self.sources]
        return "; ".join(cited) or self.file.name
