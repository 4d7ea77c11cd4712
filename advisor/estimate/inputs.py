"""Columns of the rules' table: values with sources, ranges and reasons, and those of a catalogue entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import price_source
from advisor.estimate.table import Table
from advisor.rulebook import RuleBook
from advisor.schema import Fact, Kind

if TYPE_CHECKING:
    from advisor.schema import Measurement

PEAKS = ("fp32", "tf32", "fp16", "bf16", "fp8", "fp4")
RANGE_ONLY = "only a range could be measured here"
VENDORS = frozenset(
    (
        "nvidia", "amd", "intel", "huawei", "google", "aws", "apple", "cerebras", "graphcore", "cambricon",
        "hygon", "moore_threads", "metax", "biren", "iluvatar", "cpu",
    )
)  # fmt: skip


@dataclass
class Inputs:
    """Values of columns by name, and for each its source, range or reason for being unknown."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, tuple[str, str]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    def put(self, name: str, value: float | str | None, kind: Kind, source: str, reason: str = "") -> None:
        """A column; None is unknown, for `reason`."""
        self.values[name] = value
        self.sources[name] = (kind.value, source)
        self.reasons.pop(name, None)
        if value is None:
            self.reasons[name] = reason or "not known"

    def put_fact(self, name: str, fact: Fact[Any], factor: float = 1.0) -> None:
        """A probed fact."""
        value = None if fact.value is None else float(fact.value) * factor
        reason = fact.reason or fact.status.value.replace("_", " ")
        self.put(name, value, Kind.probed, fact.source, reason)

    def put_measured(self, name: str, found: Measurement) -> None:
        """A measurement with its spread. Of grade C: unknown, for a contended range is no figure."""
        value, low, high = found.value, found.low, found.high
        reason = f"{RANGE_ONLY}: {found.reason or 'contended'}" if value is None else ""
        self.put(name, value, Kind.measured, found.id, reason)
        if value is not None and low is not None and high is not None and low > 0:
            self.ranges[name] = (min(low, value), max(high, value))

    def update(self, other: Inputs) -> Inputs:
        """These inputs with another's on top."""
        return Inputs(
            {**self.values, **other.values},
            {**self.sources, **other.sources},
            {**{k: v for k, v in self.reasons.items() if k not in other.values}, **other.reasons},
            {**self.ranges, **other.ranges},
        )


def of_accelerator(entry: Accelerator) -> Inputs:
    """A catalogue entry; peaks and bandwidth per device, memory, power and prices per package."""
    found = Inputs()
    share = 1.0 / entry.devices_per_package
    found.put("vendor", entry.vendor if entry.vendor in VENDORS else "other", Kind.vendor, entry.file.name)
    found.put("generation", entry.generation, Kind.vendor, entry.file.name)
    found.put("hw_devices_per_package", entry.devices_per_package, Kind.vendor, entry.file.name)
    for dtype in PEAKS:
        peak = entry.peaks.get(dtype)
        reason = f"no dense {dtype} peak of the {entry.title} is known here"
        found.put(
            f"hw_peak_{dtype}",
            None if peak is None else peak * share,
            Kind.vendor,
            entry.source_of("peak"),
            reason,
        )
    bounds = entry.own_memory_bounds
    streams = "its weights stream from outside, so its own memory does not bound the model"
    if entry.vendor == "graphcore":
        streams = "states and inputs wait in its server's memory, so its own does not bound the model"
    unknown = f"memory of the {entry.title} is not known" if bounds else f"{entry.title}: {streams}"
    found.put(
        "hw_memory_vendor",
        entry.memory_bytes if bounds else None,
        Kind.vendor,
        entry.source_of("memory"),
        unknown,
    )
    found.put(
        "hw_memory_reported", entry.memory_reported_bytes, Kind.published, entry.source_of("memory_reported"),
        "no driver output seen"
    )  # fmt: skip
    found.put("hw_memory_ecc", float(entry.memory_ecc), Kind.vendor, entry.file.name)
    found.put("hw_memory_unified", float(entry.unified), Kind.vendor, entry.file.name)
    found.put("hw_card", float(entry.card), Kind.vendor, entry.file.name)
    bandwidth = None if entry.memory_bandwidth is None else entry.memory_bandwidth * share
    found.put(
        "hw_bandwidth", bandwidth, Kind.vendor, entry.source_of("memory_bandwidth"),
        f"no memory bandwidth of the {entry.title} is known here"
    )  # fmt: skip
    found.put(
        "hw_link_bandwidth", entry.link_bandwidth, Kind.vendor, entry.source_of("interconnect"),
        f"no link of the {entry.title} to its like is known"
    )  # fmt: skip
    found.put(
        "hw_domain_devices", entry.domain_devices, Kind.vendor, entry.file.name,
        f"how many {entry.title} one scale-up link joins is not known"
    )  # fmt: skip
    found.put(
        "hw_network_bandwidth", entry.network_bandwidth, Kind.vendor, entry.source_of("network"),
        f"no usual network of the {entry.title} is known"
    )  # fmt: skip
    found.put(
        "hw_tdp",
        entry.tdp_w,
        Kind.vendor,
        entry.source_of("tdp"),
        f"no TDP of the {entry.title} is known here",
    )
    for name, price in (("hw_price", entry.rent), ("hw_spot_price", entry.spot)):
        source = price_source(price) if price else entry.file.name
        found.put(
            name, price.usd_per_s if price else None, Kind.published, source, "no public price with a date"
        )
        if price is not None and price.packages > 1:
            unit = "hw_price_packages" if name == "hw_price" else "hw_spot_packages"
            found.put(unit, float(price.packages), Kind.published, source)
    return found


def known_only(book: RuleBook, inputs: Inputs) -> Inputs:
    """Without columns that a user's rules do not declare any more (fp64 rates, new benches)."""
    keep = [name for name in inputs.values if name in book.columns]
    return Inputs(
        {name: inputs.values[name] for name in keep},
        {name: inputs.sources[name] for name in keep},
        {name: reason for name, reason in inputs.reasons.items() if name in book.columns},
        {name: span for name, span in inputs.ranges.items() if name in book.columns},
    )


def table_of(book: RuleBook, rows: Sequence[Inputs]) -> Table:
    """The table of these rows with sources, reasons and measured ranges per row."""
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    unknown = ("assumed", "not given")
    table = Table.from_rows(
        book,
        [row.values for row in rows],
        sources={name: [row.sources.get(name, unknown) for row in rows] for name in names},
        reasons={
            name: [row.reasons.get(name, "") for row in rows]
            for name in names
            if any(name in row.reasons for row in rows)
        },
    )
    ranged = {name for row in rows for name in row.ranges}
    nan = float("nan")
    spans = {
        name: (
            [row.ranges.get(name, (nan, nan))[0] for row in rows],
            [row.ranges.get(name, (nan, nan))[1] for row in rows],
        )
        for name in ranged
    }
    if not spans:
        return table
    return Table.from_rows(
        book, [row.values for row in rows], sources=table.sources, reasons=table.reasons, ranges=spans
    )
