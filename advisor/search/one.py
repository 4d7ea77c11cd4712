"""One workload on one set-up: the layout as stated, what is open found: memory first, then the fastest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.data.unread import unread_note
from advisor.estimate import Range, Table, evaluate, evaluate_ranges, explain_all, quantities_of
from advisor.estimate.inputs import Inputs, known_only, of_accelerator
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Kind, Quantity, Target, TraceStep, Workload
from advisor.search.formats import lacks, why_other
from advisor.search.grid import TEXT_FAMILIES, SetUp, Stated, check_stated, joined, no_layout
from advisor.search.here import Place, contended, input_notes, words_of_choice
from advisor.search.inputs import of_workload
from advisor.search.nearby import Nearby, with_neighbours
from advisor.search.plan_search import TASTE, Found, Taste, best_of
from advisor.search.plan_set_ups import ANY, CUT_STACK, UNEVEN, USUAL
from advisor.search.plan_site import Site
from advisor.search.plan_space import Space
from advisor.search.plan_time import calendar_of, priced
from advisor.search.support import check_support
from advisor.search.words import (
    devices_of_server,
    host_sentence,
    host_words,
    memory_sentence,
    positions_note,
    unrated_note,
)

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

_PRICES = {
    "rent_usd": "hw_price", "calendar_rent_usd": "hw_price", "spot_usd": "hw_spot_price",
    "calendar_spot_usd": "hw_spot_price",
}  # fmt: skip

NEAR_ENOUGH = 0.05
"""Differences between layouts up to this are not worth a sentence."""
_MOST_TRIED = 1024  # devices, when nothing fits and more are tried


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
    devices = packages * nodes * entry.devices_per_package
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
    asked = stated.of_recipe(workload.recipe)
    stated = asked if own is None or asked.stack else replace(asked, stack=own.stack)
    check_stated(workload, place.target.devices, stated)
    check_support(workload, place.inputs, stated, place.target.label)
    # who names a pilot goes on with its program, and need not be one who tunes
    taste = TASTE if own and asked.stack is None else None
    chosen, beside = _choose(book, workload, place, stated, published, taste)
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
    estimate = _estimate(book, table, ranges, workload, place, chosen, near)
    estimate = estimate.model_copy(
        update={
            "notes": (*beside, *estimate.notes), "choices": {**estimate.choices, **chosen.words(stated)}
        }
    )  # fmt: skip
    estimate, other = _of_format(estimate, workload, place)
    helps = _helps(book, workload, inputs, stated, chosen, place) if estimate.limit == "memory" else ()
    traces: dict[str, tuple[TraceStep, ...]] = {}
    if traced:
        estimate, traces = _traced(book, table, estimate)
    assumed = tuple(other if other and one.name == other.name else one for one in _assumed(row, workload))
    return One(estimate, traces, assumed, helps)


def _of_format(estimate: Estimate, workload: Workload, place: Place) -> tuple[Estimate, Assumption | None]:
    """The estimate with a note where another format than the stated is computed in; else what is assumed."""
    asked, taken = workload.recipe.precision, estimate.choices["precision"]
    if asked == taken:
        return estimate, None
    target = place.target
    why = why_other(asked, taken, place.inputs, target.accelerator_id or target.label)
    if "precision" not in workload.recipe.stated:
        return estimate, Assumption("precision", taken, why)
    keeps = taken == "fp16_mixed" and not lacks(place.inputs, asked)  # only the rate is another format's
    choices = {**estimate.choices, "precision": asked if keeps else taken}
    notes = (*estimate.notes, f"{why[:1].upper()}{why[1:]}.")
    return estimate.model_copy(update={"choices": choices, "notes": notes}), None


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


# ---- the choice ---------------------------------------------------------------------------------------


def _choose(  # noqa: PLR0913, PLR0917 - the question
    book: RuleBook,
    workload: Workload,
    place: Place,
    stated: Stated,
    published: Published | None,
    taste: Taste | None = None,
) -> tuple[SetUp, tuple[str, ...]]:
    """The set-up taken, as a plan takes it, and what is said of the other kind of layout.

    Where no usual layout fits, the unusual are tried too; where none of them does, the one that needs the
    least memory is taken.
    """
    site = Site(place.target.accelerator_id, place.inputs)
    nearest: SetUp | None = None
    for wide in (USUAL, UNEVEN, ANY):
        space = Space(
            book, workload, (site,), counts=(place.target.devices,), stated=stated, wide=wide
        )  # fmt: skip
        if not len(space.set_up):
            continue
        found = best_of(space, published, taste)
        if len(found.set_up):
            return space.set_ups.row(int(found.set_up[0])), _beside(found)
        if found.fitting or np.isnan(found.least_need[0]):
            return _plainest(space), ()  # time or memory is not known
        nearest = space.set_ups.row(int(found.least_at[0]))
    if nearest is None:
        raise no_layout(workload, place.target.devices, stated)
    return nearest, ()


def _plainest(space: Space) -> SetUp:
    """The plainest that fits, or of all where nobody knows what fits."""
    memory = space.product.evaluate(("memory_bytes",), space.device, space.set_up)["memory_bytes"]
    over = memory > space.product.on_device("memory_usable")[0]
    rows = space.set_up[~over]
    found = space.set_ups
    names = ("micro_batch", "offload", "sharding", "recompute", "vpp")
    order = np.lexsort([*(found[name][rows] for name in names), found.parts[rows]])
    return found.row(int(rows[order[0]]))


def _beside(found: Found) -> tuple[str, ...]:
    """How the best layout of the other kind compares, where it is near and differs."""
    row, ratio = int(found.other[0]), float(found.other_time[0])
    if row < 0 or abs(ratio - 1) < NEAR_ENOUGH:
        return ()
    other = found.space.set_ups.row(row)
    stock = bool(found.space.set_ups.stock[row])
    words = ", ".join(f"{name.replace('_', '-')} {word}" for name, word in other.words().items())
    slower = f"{ratio - 1:.0%} slower" if ratio > 1 else f"{1 - ratio:.0%} quicker"
    kind = "a stock trainer" if stock else "Megatron" if other.stack == CUT_STACK else "model parallelism"
    return (
        f"The best with {kind} alone ({words}) would be {slower}."
        if stock
        else f"The best with {kind} ({words}) would be {slower}.",
    )


# ---- the estimate -------------------------------------------------------------------------------------


def _estimate(  # noqa: PLR0913, PLR0917 - a row and what belongs to it
    book: RuleBook,
    table: Table,
    ranges: dict[str, Range],
    workload: Workload,
    place: Place,
    chosen: SetUp,
    near: Nearby,
) -> Estimate:
    quantities = {
        name: _with_source(name, quantity, place.inputs)
        for name, quantity in quantities_of(book, table, ranges, 0).items()
    }
    need, usable, time = (quantities[name] for name in ("memory_bytes", "memory_usable", "time_s"))
    fits_value = table.value("fits", 0)
    fits = None if fits_value is None else fits_value == 1.0
    count = place.target.devices
    where = "the device" if count == 1 else f"each of {count} devices"
    why = [memory_sentence(need, usable, "this machine" if place.target.device == "cpu" else where)]
    limit = "" if fits else "memory" if fits is False else "unknown"
    host = quantities["host_bytes"].value or 0.0 if "host_bytes" in quantities else 0.0
    server = devices_of_server(count, table.value("hw_domain_devices", 0))
    if fits:
        why.insert(0, host_sentence(host, server))
    if place.problem:
        why.insert(0, place.problem)
        fits, limit = (False, "framework") if fits else (fits, limit)
    if time.value is None:
        why.append(f"Time is not known: {time.reason}.")
        limit = limit or "unknown"
    from_here = table.value("rate_here", 0) is not None
    return Estimate(
        workload=workload.id,
        target=place.target,
        purpose="here" if place.target.here else "fit",
        fits=fits,
        why=" ".join(filter(None, why)),
        limit=limit,
        choices={
            **words_of_choice(table, 0, workload),
            **chosen.words(),
            **({"host_memory": host_words(host, server)} if host > 0 else {}),
        },
        quantities=quantities,
        calibrated=any(table.value(name, 0) is not None for name in ("measured_rate", "timed_pass_1")),
        near=() if from_here or time.value is None else near.runs(0),
        notes=(
            *_notes(table, workload, place, chosen),
            *_unrated(time.reason, workload, place, near),
            *(() if from_here or time.value is None else near.notes(0)),
        ),
    )


def _unrated(reason: str, workload: Workload, place: Place, near: Nearby) -> tuple[str, ...]:
    generation, target = str(place.inputs.values.get("generation") or ""), place.target
    ran = near.published is None or near.published.ran(generation, workload.model.family)
    note = unrated_note(reason, target.accelerator_id or target.label, ran)
    return (note,) if note else ()


def _with_source(name: str, quantity: Quantity, inputs: Inputs) -> Quantity:
    """Rents name the provider and date of the price."""
    price = _PRICES.get(name)
    if price is None or quantity.value is None:
        return quantity
    return quantity.model_copy(update={"source": inputs.sources[price][1]})


def _notes(table: Table, workload: Workload, place: Place, chosen: SetUp) -> tuple[str, ...]:
    notes = list(place.notes)
    limit, count = table.value("scale_limit", 0), place.target.devices
    if limit is not None and count > limit:
        notes.append(
            f"No published run here has more than {limit:g} such devices: beyond them it is a guess."
        )
    batch, replicas = workload.recipe.global_batch, table.value("data_parallel", 0)
    if batch and replicas and (batch / replicas) % chosen.micro_batch:
        notes.append(
            f"A batch of {batch:g} does not part evenly into micro-batches of {chosen.micro_batch:g} on "
            f"{replicas:g} replicas; the estimate takes the mean."
        )
    notes += positions_note(workload)
    if unread := unread_note(workload.model):
        notes.append(unread)
    if table.value("measured_rate", 0) is None:
        notes += contended(place.inputs, workload)
    where = "this machine" if place.target.here else "a host of these devices"
    return (*notes, *input_notes(table, 0, workload, where))


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
    skip = set(workload.model.numbers) | {"deadline_s"}
    return tuple(
        Assumption(name, value if isinstance(value, str) else f"{value:g}", source)
        for name, (kind, source) in row.sources.items()
        for value in [row.values[name]]
        if kind == Kind.assumed and value is not None and name not in skip and not name.startswith("hw_")
    )


# ---- what would help ----------------------------------------------------------------------------------


def _helps(  # noqa: PLR0913, PLR0917 - the question and its answer
    book: RuleBook, workload: Workload, inputs: Inputs, stated: Stated, chosen: SetUp, place: Place
) -> tuple[str, ...]:
    """Changes of the set-up that was nearest, each alone, with which the memory suffices."""
    count = place.target.devices
    tries: list[tuple[str, Inputs]] = []

    def attempt(text: str, set_up: SetUp = chosen, **words: str) -> None:
        row = joined(inputs, place.inputs, set_up, stated)
        for name, word in words.items():
            row.put(name, word, Kind.assumed, "tried")
        if words.get("method") in ("lora", "qlora") and row.values.get("lora_rank") is None:
            row.put("lora_rank", 16.0, Kind.assumed, "tried")
        tries.append((text, known_only(book, row)))

    if chosen.micro_batch > 1:
        attempt("one sample at a time (--micro-batch 1)", replace(chosen, micro_batch=1.0))
    if chosen.recompute != "full":
        attempt("recomputation (--recompute full)", replace(chosen, recompute="full"))
    if count > 1 and chosen.sharding != "fsdp":
        attempt("cutting weights and states over the devices (--sharding fsdp)",
                replace(chosen, sharding="fsdp"))  # fmt: skip
    if chosen.offload == "none":
        attempt("optimizer states in the host's memory (--offload optimizer)",
                replace(chosen, offload="optimizer"))  # fmt: skip
    if workload.recipe.optimizer == "adamw":
        attempt("8-bit optimizer states (--optimizer adamw_8bit)", optimizer="adamw_8bit")
    if workload.recipe.method in ("pretrain", "full", "lora") and workload.model.family in TEXT_FAMILIES:
        for method in ("lora", "qlora") if workload.recipe.method != "lora" else ("qlora",):
            attempt(f"adapters instead of all weights (--method {method})", method=method)
    least = replace(chosen, micro_batch=1.0, recompute="full", sharding="fsdp")
    more = [] if place.target.here else [2**n for n in range(11) if count < 2**n <= _MOST_TRIED]
    for devices in more:
        attempt(f"{devices} devices instead of {count}, cut over all of them and recomputed",
                replace(least, devices=devices))  # fmt: skip
    if not tries:
        return ()
    fits = _fits(book, [row for _, row in tries])
    found = [text for (text, _), fit in zip(tries, fits, strict=True) if fit]
    single: list[str] = []
    several: list[str] = []
    for text in found:
        (several if text[0].isdigit() else single).append(text)
    return (*single, *several[:1])


def _fits(book: RuleBook, rows: Sequence[Inputs]) -> list[bool]:
    table = Table.from_rows(book, [row.values for row in rows])
    values = evaluate(book, table, ["fits"], keep_all=False).columns["fits"]
    return [bool(value == 1) for value in values]
