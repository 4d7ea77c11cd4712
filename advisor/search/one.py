"""One workload on one set-up: the layout as stated, what is open found: memory first, then the fastest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from advisor.data.accelerator import Accelerator
from advisor.estimate import Range, Table, evaluate, evaluate_ranges, explain_all
from advisor.estimate.inputs import Inputs, known_only, of_accelerator
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Kind, Target, TraceStep, Workload
from advisor.search.formats import lacks, unrated_note, why_other, with_format
from advisor.search.grid import TEXT_FAMILIES, Stated, check_stated, joined
from advisor.search.here import Place
from advisor.search.inputs import of_workload
from advisor.search.nearby import with_neighbours
from advisor.search.on_chip import check_on_chip
from advisor.search.one_choice import choose
from advisor.search.one_helps import helps_of
from advisor.search.one_told import estimate_of
from advisor.search.plan_taste import TASTE
from advisor.search.plan_time import calendar_of, priced
from advisor.search.support import check_support

TIMES = ("time_s", "optimizer_step_s", "samples_per_s", "samples_per_s_per_device", "mfu", "calendar_s")
TOKENS = ("tokens_per_s", "tokens_per_s_per_device")
PARTS = (
    "weights_bytes", "gradients_bytes", "optimizer_bytes", "copies_bytes", "gather_bytes", "activation_bytes",
    "loss_bytes", "peak_bytes", "reserved_bytes", "host_bytes",
)  # fmt: skip
"""Parts of the memory, not all of which stand at the same moment; then what stands at the highest one."""
COSTS = ("rent_usd", "spot_usd", "energy_j")
FOLLOWING = ("calendar_rent_usd", "calendar_spot_usd", "calendar_energy_j")
"""What the whole run costs, not its steps alone."""

SIZES = ("params", "total_flops", "memory_bytes", "memory_usable")


class Own(NamedTuple):
    """Published runs with the user's own among them; of a pilot its program and, where known, its family."""

    published: Published
    program: str = ""
    stack: str | None = None


class Assumption(NamedTuple):
    """Something taken for granted, with why or whence."""

    name: str
    value: str
    source: str


@dataclass(frozen=True)
class One:
    """The estimate with its trace (empty unless asked for) and what was taken for granted."""

    estimate: Estimate
    trace: dict[str, tuple[TraceStep, ...]]
    assumed: tuple[Assumption, ...]
    helps: tuple[str, ...] = ()  # where nothing fits: what would


def place_of(entry: Accelerator, packages: int, nodes: int = 1) -> Place:
    """So many packages of a catalogue entry in each of `nodes` servers.

    A server with fewer than the usual one holds has the smaller scale-up domain; of whole racks, whose
    domain spans servers, the catalogue's figure stays.
    """
    devices, many = packages * nodes * entry.devices_per_package, packages * nodes
    entry = replace(entry, rent=entry.offer(many), spot=entry.offer(many, "spot"))
    inputs = of_accelerator(entry)
    own = packages * entry.devices_per_package
    domain = inputs.values.get("hw_domain_devices")
    if nodes > 1 and domain is not None and own < domain <= 16:
        inputs.put("hw_domain_devices", float(own), Kind.stated, "flags: devices of one server")
    label = f"{packages * nodes} x {entry.id}"
    if entry.devices_per_package > 1:
        label += f" ({devices} device{'s' if devices > 1 else ''})"
    target = Target(
        label=label, accelerator_id=entry.id, devices=devices, packages=float(packages * nodes)
    )  # fmt: skip
    return Place(target, inputs)


def estimate_one(  # noqa: PLR0913 - what is known, one by one
    book: RuleBook,
    workload: Workload,
    place: Place,
    stated: Stated,
    published: Published | None = None,
    *,
    own: Own | None = None,
    traced: bool = False,
) -> One:
    """The workload there, in the layout stated or the fastest that fits, else in that which needs least.

    `own` runs correct the figures, and those of a pilot tell the program; the layout is found without them,
    or the one least like a slow run would look best.

    Raises UserError for a layout that cannot be. What does not fit is an estimate with `fits` false, and
    `helps` says what would.
    """
    precision = workload.recipe.precision
    workload = with_format(book, workload, place.inputs)
    asked = stated.of_recipe(workload.recipe)
    stated = asked if own is None or asked.stack else replace(asked, stack=own.stack)
    check_stated(workload, place.target.devices, stated)
    check_support(workload, place.inputs, stated, place.target.label)
    check_on_chip(book, workload, place, stated)
    # who names a pilot goes on with its program, and need not be one who tunes
    taste = TASTE if own and asked.stack is None else None
    chosen, beside = choose(book, workload, place, stated, published, taste)
    inputs = of_workload(workload)
    row = known_only(book, joined(inputs, place.inputs, chosen, stated))
    near = with_neighbours(
        book,
        own.published if own else published,
        _table(book, row),
        [workload.model.id],
        [place.target.accelerator_id],
        [own.program if own and not stated.program and stated.stack == own.stack else stated.program],
    )
    table = evaluate(book, near.table)
    wanted = _wanted(book, workload)
    ranges = evaluate_ranges(book, table, wanted)
    ranges |= _on_the_calendar(book, table, ranges["time_s"])
    estimate = estimate_of(book, table, ranges, workload, place, chosen, near)
    estimate = estimate.model_copy(
        update={
            "notes": (*beside, *estimate.notes), "choices": {**estimate.choices, **chosen.words(stated)}
        }
    )  # fmt: skip
    estimate, other = _of_format(estimate, workload, place, precision)
    helps = helps_of(book, workload, inputs, stated, chosen, place) if estimate.limit == "memory" else ()
    traces: dict[str, tuple[TraceStep, ...]] = {}
    if traced:
        estimate, traces = _traced(book, table, estimate)
    assumed = tuple(other if other and one.name == other.name else one for one in _assumed(row, workload))
    return One(estimate, traces, assumed, helps)


def _of_format(
    estimate: Estimate, workload: Workload, place: Place, asked: str
) -> tuple[Estimate, Assumption | None]:
    """The estimate with a note where another format than the one asked for is computed in, or where 16 bit
    might be faster; of an open format what is assumed."""
    taken, target = estimate.choices["precision"], place.target
    if asked == taken:
        return estimate, None
    why = why_other(asked, taken, place.inputs, target.accelerator_id or target.label)
    noted = estimate.model_copy(update={"notes": (*estimate.notes, f"{why[:1].upper()}{why[1:]}.")})
    if "precision" not in workload.recipe.stated:
        told = unrated_note(taken, place.inputs, target.accelerator_id or target.label)
        noted = estimate.model_copy(update={"notes": (*estimate.notes, *told)})
        return noted, Assumption("precision", taken, why)
    keeps = taken == "fp16_mixed" and not lacks(place.inputs, asked)  # only the rate is another format's
    choices = {**estimate.choices, "precision": asked if keeps else taken}
    return noted.model_copy(update={"choices": choices}), None


def _on_the_calendar(book: RuleBook, table: Table, time: Range) -> dict[str, Range]:
    """Calendar time and what follows from it, with errors added as a plan adds them."""
    if "calendar_s" not in book.quantities:
        return {}
    calendar = calendar_of(book, table, time)
    following = priced(book, table, calendar, tuple(name for name in FOLLOWING if name in book.quantities))
    return {"calendar_s": Range(calendar.median, calendar.low, calendar.high), **following}


def _wanted(book: RuleBook, workload: Workload) -> list[str]:
    text = workload.model.family in TEXT_FAMILIES
    names = (*TIMES, *(TOKENS if text else ()), *SIZES, *PARTS, *COSTS, *FOLLOWING)
    return [name for name in names if name in book.quantities]


def _table(book: RuleBook, row: Inputs) -> Table:
    """The table of one row, or of as many as there are values in its columns."""
    return Table.from_columns(
        book, row.values, rows=1, reasons=row.reasons, sources=row.sources, ranges=row.ranges
    )


def _traced(
    book: RuleBook, table: Table, estimate: Estimate
) -> tuple[Estimate, dict[str, tuple[TraceStep, ...]]]:
    """One trace for all quantities of the estimate: most of their steps are the same."""
    key = f"{estimate.workload}/{estimate.target.label}"
    names = [name for name, quantity in estimate.quantities.items() if quantity.value is not None]
    found = {
        name: quantity.model_copy(update={"trace": key}) if name in names else quantity
        for name, quantity in estimate.quantities.items()
    }
    steps = explain_all(book, table, 0, names)
    return estimate.model_copy(update={"quantities": found}), {key: steps}


def _assumed(row: Inputs, workload: Workload) -> tuple[Assumption, ...]:
    """Every column of recipe and set-up that nobody stated, with its source."""
    skip = workload.model.numbers
    return tuple(
        Assumption(name, value if isinstance(value, str) else f"{value:g}", source)
        for name, (kind, source) in row.sources.items()
        for value in [row.values[name]]
        if kind == Kind.assumed and value is not None and name not in skip and not name.startswith("hw_")
    )
