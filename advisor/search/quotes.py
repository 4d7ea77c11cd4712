"""Quotes side by side: work a year, what a unit of it costs over the years, what breaks, what is missing."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue
from advisor.data.quotes import Quote
from advisor.errors import UserError
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Kind, PlanLimits, Workload
from advisor.search.formats import PLAIN, unrated_16bit
from advisor.search.grid import Stated
from advisor.search.here import Place
from advisor.search.one import estimate_one, place_of
from advisor.search.plan_time import kept_with
from advisor.units import DAY_S, YEAR_S, parse_as, show

RACK_UNITS = 42
"""Units of the usual rack."""

_CONSTANTS = (
    "electricity_price", "hosting_price", "staff_share", "residual_share", "used_share", "pue", "power_share",
)  # fmt: skip


_COSTLY = ("the price of", "switches", "optics", "storage", "support")


@dataclass(frozen=True)
class Terms:
    """What the comparison assumes beside the quotes."""

    years: float
    rates: Mapping[str, float]  # US dollars for one unit of a currency
    limits: PlanLimits
    today: datetime.date
    max_rack_units: float | None = None
    acceptance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """One quote with what it gives. SI and US dollars; None: not known, and `missing` says what lacks."""

    title: str
    accelerator_id: str
    devices: int
    nodes: int
    currency: str
    net: float  # in its own currency
    net_usd: float
    gross_usd: float | None  # with VAT
    fits: bool | None
    calendar_s: float | None
    calendar_range_s: tuple[float, float] | None
    runs_per_year: float | None
    work_per_year: float | None  # tokens, or samples
    unit: str
    cost_usd: float | None  # over the years: price, power, hosting, staff, less what is left
    cost_per_run_usd: float | None
    cost_per_unit_usd: float | None  # a billion tokens, or a million samples
    cost_per_unit_range_usd: tuple[float, float] | None
    nameplate_w: float | None
    typical_w: float | None
    rack_units: float | None
    rack_w: float | None  # of one full rack, or of all in one
    cooling: str
    broken: tuple[str, ...]
    missing: tuple[str, ...]
    acceptance: tuple[str, ...]
    estimate: Estimate
    unrated: bool = False  # asked for in 16 bits and computed in 32, as nobody here knows its rate in 16

    @property
    def incomplete(self) -> bool:
        """Whether something that costs money is not in the sum."""
        return any(text.startswith(_COSTLY) for text in self.missing)

    def as_json(self) -> dict[str, Any]:
        """Plain data, the estimate by its verdict alone."""
        told = {key: value for key, value in asdict(self).items() if key != "estimate"}
        return told | {"why": self.estimate.why, "incomplete": self.incomplete}


def judge(  # noqa: PLR0913, PLR0917 - what is known, one by one
    book: RuleBook,
    catalogue: Catalogue,
    job: Workload,
    quote: Quote,
    terms: Terms,
    published: Published | None = None,
    stated: Stated | None = None,
) -> Judged:
    """What a quote gives for this job. Raises UserError for a currency without a rate."""
    rate = terms.rates.get(quote.currency)
    if rate is None:
        raise UserError(
            f"{quote.file.name} is in {quote.currency}, and nothing says what that is in US dollars",
            f"Give --rate {quote.currency}=1.08 (US dollars for one {quote.currency}).",
        )
    nodes = [item for item in quote.of("nodes") if item.accelerators]
    entry = catalogue.accelerators[nodes[0].accelerator]
    number, each = sum(item.count for item in nodes), nodes[0].accelerators
    if any(item.accelerators != each for item in nodes):
        raise UserError(
            f"{quote.file.name} has nodes of unequal size", "Compare them as quotes of their own."
        )
    place = _place(entry, quote, each, number)
    estimate = estimate_one(book, job, place, stated or Stated(), published).estimate
    value = _constants(book, terms.limits)
    calendar = estimate.quantities.get("calendar_s")
    time = calendar.value if calendar is not None and estimate.fits is not False else None
    runs = None if time is None else value["used_share"] * YEAR_S / time
    work, unit = _work(job)
    nameplate, units = _sum(quote, "power_w"), _sum(quote, "rack_units")
    net_usd = quote.net * rate
    typical = None if nameplate is None else _typical(quote, value["power_share"])
    cost = _cost(net_usd, nameplate, typical, terms.years, value)
    span = None
    if calendar is not None and calendar.low is not None and calendar.high is not None and time:
        span = (calendar.low, calendar.high)
    per_run = None if cost is None or not runs else cost / (runs * terms.years)
    per_unit = None if per_run is None or not work else per_run / work
    gross = None if quote.vat is None else net_usd * (1 + quote.vat)
    racks = None if units is None else max(1, math.ceil(units / RACK_UNITS))
    return Judged(
        title=quote.title, accelerator_id=entry.id, devices=place.target.devices, nodes=number,
        currency=quote.currency, net=quote.net, net_usd=net_usd, gross_usd=gross, fits=estimate.fits,
        calendar_s=time, calendar_range_s=span, runs_per_year=runs,
        work_per_year=None if runs is None or not work else runs * work, unit=unit, cost_usd=cost,
        cost_per_run_usd=per_run, cost_per_unit_usd=None if per_unit is None else per_unit * _scale(unit),
        cost_per_unit_range_usd=None if per_unit is None or span is None or time is None else (
            per_unit * _scale(unit) * span[0] / time, per_unit * _scale(unit) * span[1] / time
        ),
        nameplate_w=nameplate, typical_w=typical, rack_units=units,
        rack_w=None if nameplate is None or racks is None else nameplate / racks,
        cooling=", ".join(sorted({item.cooling for item in nodes if item.cooling})),
        broken=_broken(
            quote, terms, net_usd if gross is None else gross, nameplate, units, estimate, value
        ),
        missing=_missing(quote, terms), acceptance=(
            *_acceptance(entry, place, estimate, terms), *_between(quote, place, number, terms)
        ),
        estimate=estimate,
        unrated=job.recipe.precision not in PLAIN and unrated_16bit(place.inputs),
    )  # fmt: skip


def _scale(unit: str) -> float:
    return 1e9 if unit == "tokens" else 1e6


def _work(job: Workload) -> tuple[float | None, str]:
    """Tokens of a run, or samples where it has no sequences."""
    recipe = job.recipe
    if recipe.samples is None:
        return None, "samples"
    if recipe.seq_len:
        return recipe.samples * recipe.seq_len, "tokens"
    return recipe.samples, "samples"


def _place(entry: Accelerator, quote: Quote, each: int, number: int) -> Place:
    """The accelerators of the nodes, joined by what the quote says, else by what is usual."""
    place = place_of(entry, each, number)
    rates = [
        item.network.bytes_per_s * item.ports / (each * entry.devices_per_package)
        for item in quote.of("nodes")
        if item.network is not None
    ]
    if rates:
        source = f"{quote.file.name}: the slowest of its nodes"
        place.inputs.put("hw_network_bandwidth", min(rates), Kind.stated, source)
    return place


def _constants(book: RuleBook, limits: PlanLimits) -> dict[str, float]:
    found = {name: book.constants[name].value for name in _CONSTANTS}
    found |= {
        name: told.value for name, told in limits.assumed.items() if name in found and told.value is not None
    }
    return found


def _sum(quote: Quote, figure: str) -> float | None:
    """The sum over nodes, switches and storage; None where a line of nodes does not say."""
    whole = 0.0
    for item in quote.items:
        value = getattr(item, figure)
        if value is not None:
            whole += item.count * value
        elif item.kind == "nodes":
            return None
    return whole


def _typical(quote: Quote, share: float) -> float:
    """What all lines draw while training: as told, else a share of their nameplate."""
    each = ((item, item.typical_w or (item.power_w or 0.0) * share) for item in quote.items)
    return sum(item.count * watts for item, watts in each)


def _cost(
    price: float, nameplate: float | None, typical: float | None, years: float, value: Mapping[str, float]
) -> float | None:
    """Price less what is left of it, with staff, hosting and electricity over the years."""
    if nameplate is None or typical is None:
        return None
    seconds = years * YEAR_S
    standing = seconds * (price * value["staff_share"] + nameplate * value["hosting_price"])
    power = seconds * value["used_share"] * typical * value["pue"] * value["electricity_price"]
    return price * (1 - value["residual_share"]) + standing + power


def _broken(  # noqa: PLR0913, PLR0917 - limits and what they are held to
    quote: Quote,
    terms: Terms,
    price: float,
    nameplate: float | None,
    units: float | None,
    estimate: Estimate,
    value: Mapping[str, float],
) -> tuple[str, ...]:
    limits, found = terms.limits, []
    if estimate.fits is False:
        found.append(f"the job does not fit: {estimate.why}")
    if limits.budget_usd is not None and price > limits.budget_usd:
        found.append(f"budget: {show(price, 'USD')} of {show(limits.budget_usd, 'USD')}")
    building = None if nameplate is None else nameplate * value["pue"]
    if limits.max_power_w is not None and building is not None and building > limits.max_power_w:
        found.append(
            f"power: {show(building, 'W')} with the building's overhead of {show(limits.max_power_w, 'W')}"
        )
    if terms.max_rack_units is not None and units is not None and units > terms.max_rack_units:
        found.append(f"space: {units:g} rack units of {terms.max_rack_units:g}")
    late = estimate.quantities.get("calendar_s")
    if limits.deadline_days is not None and not limits.deadline_assumed and late is not None and late.value:
        worst = kept_with(late, limits.confidence)
        if worst > limits.deadline_days * DAY_S:
            day = show(limits.deadline_days * DAY_S, "s")
            sure = f"{limits.confidence:.0%}"
            found.append(f"deadline: kept to with {sure} probability are {show(worst, 's')} of {day}")
    if quote.valid_until is not None and quote.valid_until < terms.today:
        found.append(f"validity: it ended on {quote.valid_until}")
    return tuple(found)


def _missing(quote: Quote, terms: Terms) -> tuple[str, ...]:
    """What a buyer must ask for before two quotes can be compared."""
    nodes, found = quote.of("nodes"), []
    several = sum(item.count for item in nodes) > 1
    found += [f"the price of: {item.what}" for item in quote.unpriced]
    if several and not quote.of("switches"):
        found.append("switches between the nodes")
    if several and not quote.of("optics"):
        found.append("optics and cables")
    if not quote.of("storage"):
        found.append("storage")
    years = max((item.years or 0.0 for item in quote.of("support")), default=None)
    if years is None:
        found.append("support")
    elif years < terms.years:
        found.append(f"support for {terms.years - years:g} of {terms.years:g} years")
    if quote.vat is None:
        found.append("VAT")
    if quote.delivery_s is None:
        found.append("time of delivery")
    if quote.valid_until is None:
        found.append("until when it holds")
    found += _lacking(quote, several)
    return tuple(found)


def _lacking(quote: Quote, several: bool) -> list[str]:
    """Figures of lines that neither the quote nor the system's file gives."""
    found = []
    for item in quote.of("nodes"):
        figures = {"power": item.power_w, "rack units": item.rack_units, "host memory": item.ram_bytes}
        if several:
            figures["network"] = None if item.network is None else 1.0
        lacking = [name for name, value in figures.items() if value is None]
        if lacking:
            found.append(f"{', '.join(lacking)} of: {item.what}")
    for item in (*quote.of("switches"), *quote.of("storage")):
        if item.power_w is None:
            found.append(f"power of: {item.what} (not in the sums)")
    return found


def _acceptance(entry: Accelerator, place: Place, estimate: Estimate, terms: Terms) -> tuple[str, ...]:
    """What `hwadvisor probe`, `calibrate` and `trial` must show on delivery, of each device."""
    data, several = terms.acceptance, entry.devices_per_package
    tests = [f"hwadvisor probe: {place.target.devices} devices of {entry.title}"]
    if entry.device_memory_bytes is not None and "least_memory_share" in data:
        least = entry.device_memory_bytes * float(data["least_memory_share"])
        tests.append(f"hwadvisor probe: at least {show(least, 'B')} of memory on each")
    peak = entry.peaks.get("bf16", entry.peaks.get("fp16"))
    best = data.get("best_16bit", {}).get(entry.id)
    if best is not None:
        least = parse_as(str(best), "FLOP/s") * float(data["share_of_best"])
        tests.append(
            f"hwadvisor calibrate: matmul in 16 bit at least {show(least, 'FLOP/s')} (of {best} published)"
        )
    elif peak is not None and "least_matmul_share" in data:
        least = peak / several * float(data["least_matmul_share"])
        tests.append(
            f"hwadvisor calibrate: matmul in 16 bit at least {show(least, 'FLOP/s')} (of the vendor's peak)"
        )
    if entry.memory_bandwidth is not None and "least_bandwidth_share" in data:
        least = entry.memory_bandwidth / several * float(data["least_bandwidth_share"])
        tests.append(f"hwadvisor calibrate: memory_bandwidth at least {show(least, 'B/s')}")
    step = estimate.quantities.get("optimizer_step_s")
    if step is not None and step.high is not None and estimate.fits is not False:
        tests.append(f"the job itself: a step in at most {show(step.high, 's')} (upper end of the estimate)")
    tests.append("no figure of grade C, and no device below the median of its like by more than 5 %")
    return tuple(tests)


def _between(quote: Quote, place: Place, nodes: int, terms: Terms) -> tuple[str, ...]:
    """What links and network must show on delivery: ports, and all-reduces as nccl-tests counts them."""
    data, tests, value = terms.acceptance, [], place.inputs.values
    for item in quote.of("nodes"):
        if item.network is not None:
            rate = show(item.network.bytes_per_s, "B/s")
            name = item.network.title.removesuffix(", one port")
            tests.append(f"on each node: {item.ports} x {name} up, {rate} each")
    link, adapter, joined = (
        value.get(name) for name in ("hw_link_bandwidth", "hw_network_bandwidth", "hw_domain_devices")
    )
    inside = place.target.devices // nodes
    least = math.inf
    if link and inside > 1 and joined and joined > 1 and "least_link_share" in data:
        least = float(data["least_link_share"]) * link
        tests.append(f"all_reduce_perf of nccl-tests, 4 GiB on the {inside} of each node: busbw {_at(least)}")
    if adapter and nodes > 1 and "least_network_share" in data:
        # each device's adapter carries its part of what leaves the node: busbw x (nodes - 1) / (devices - 1)
        over = float(data["least_network_share"]) * adapter * (place.target.devices - 1) / (nodes - 1)
        every = place.target.devices
        tests.append(f"all_reduce_perf of nccl-tests, 4 GiB on all {every}: busbw {_at(min(over, least))}")
    return tuple(tests)


def _at(least: float) -> str:
    return f"at least {show(least, 'B/s')}"
