"""Estimates on the catalogue: each workload on each accelerator, fewest devices that fit, fewest in time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue
from advisor.estimate import Range, Table, evaluate, evaluate_ranges, explain, said_plainly, why_unknown
from advisor.estimate.inputs import Inputs, known_only, of_accelerator, table_of
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Quantity, Target, TraceStep, Workload
from advisor.search.formats import in_format, landing, slow_in_16bit, with_format
from advisor.search.grid import NOTHING_STATED
from advisor.search.here import choices, input_notes
from advisor.search.inputs import of_set_up, of_workload, on_device
from advisor.search.layouts import (
    DEVICE_COUNTS,
    Index,
    Layout,
    first_true,
    flags,
    last_true,
    layouts_of,
    numbers,
)
from advisor.search.nearby import FACTOR, with_neighbours
from advisor.search.on_chip import too_large
from advisor.search.support import unsupported
from advisor.search.words import late_sentence, memory_sentence

WANTED = ("time_s", "memory_bytes", "memory_usable", "rent_usd", "spot_usd", "energy_j")
TRACED = ("time_s", "memory_bytes", "rent_usd")
TRACED_PER_WORKLOAD = 1
"""Traces of the cheapest candidate of each workload are kept; all of them would be most of the file."""

SEVERAL = (
    "Several devices: weights and states cut over all of them (FSDP), no tensor or pipeline parallelism "
    "tried. Counts tried are powers of two, so one between may do."
)

Trace = dict[str, tuple[TraceStep, ...]]


class Candidate(NamedTuple):
    """A kept row of the table and the question it answers."""

    row: int
    workload: int
    accelerator: int
    purpose: str
    answered: bool  # whether it does what the purpose asks


def estimates_catalogue(
    book: RuleBook,
    catalogue: Catalogue,
    workloads: Iterable[Workload],
    published: Published | None = None,
) -> tuple[list[Estimate], Trace]:
    """For each workload and accelerator the fewest devices whose memory suffices, and the fewest in time.

    All candidates are columns of one table through the one evaluator; ranges and traces are computed for
    what is kept. Where no count will do, the estimate says so with the count that comes nearest.
    """
    jobs, devices = tuple(workloads), tuple(catalogue.accelerators.values())
    if not jobs or not devices:
        return [], {}
    space = _Space(book, jobs, devices)
    deciding = ("fits", "count_allowed", "meets_deadline", "time_s", "memory_bytes", "memory_usable")
    table = evaluate(book, space.table, deciding, keep_all=False)
    kept = space.choose(table)
    near = with_neighbours(
        book,
        published,
        table.take([candidate.row for candidate in kept]),
        [jobs[candidate.workload].model.id for candidate in kept],
        [devices[candidate.accelerator].id for candidate in kept],
        [jobs[candidate.workload].recipe.program for candidate in kept],
    )
    small = near.table
    ranges = evaluate_ranges(book, small, WANTED)
    extra = [name for name in ("input_s", "scale_limit") if name in book.quantities]
    small = evaluate(book, small, ("fits", "computes_16bit", "packages", *extra))
    reasons = _Reasons(book, space)
    reasons.learn(
        (candidate, name)
        for name in WANTED
        for at, candidate in enumerate(kept)
        if math.isnan(ranges[name].value[at])
    )
    found: list[Estimate] = []
    for at, candidate in enumerate(kept):
        estimate = _estimate(small, ranges, at, candidate, reasons)
        known = estimate.quantities["time_s"].value is not None
        found.append(estimate.model_copy(update={"near": near.runs(at)}) if known else estimate)
    return _with_traces(book, space, kept, found, small)


class _Space:
    """All candidates: workload x accelerator x count x set-up, as index columns and a table."""

    def __init__(self, book: RuleBook, jobs: Sequence[Workload], devices: Sequence[Accelerator]) -> None:
        self.book, self.jobs, self.devices = book, jobs, devices
        self.layouts: list[Layout] = []
        job_of_layout: list[int] = []
        for number, job in enumerate(jobs):
            own = layouts_of(job)
            self.layouts += own
            job_of_layout += [number] * len(own)
        # order of rows: workload, accelerator, count, layout; layouts of a job stay in their order
        grid: list[Index] = []
        for number in range(len(jobs)):
            own_layouts = np.flatnonzero(np.array(job_of_layout) == number)
            grids = np.meshgrid(
                [number], np.arange(len(devices)), np.arange(len(DEVICE_COUNTS)), own_layouts, indexing="ij"
            )
            grid.append(np.stack([part.ravel() for part in grids]))
        self.job, self.device, self.count, self.layout = np.concatenate(grid, axis=1)
        self.job_inputs = [known_only(book, of_workload(job)) for job in jobs]
        self.device_inputs = [known_only(book, of_accelerator(device)) for device in devices]
        self.lacks = {
            (at, number): lack
            for at, job in enumerate(jobs)
            for number, device in enumerate(devices)
            if (
                lack := unsupported(job, of_accelerator(device), NOTHING_STATED.of_recipe(job.recipe))
                or too_large(book, job, of_accelerator(device))
            )
        }
        self.table = self._in_formats(self._table())

    def _table(self) -> Table:
        columns: dict[str, Any] = {}
        for inputs, pick in ((self.job_inputs, self.job), (self.device_inputs, self.device)):
            for name in dict.fromkeys(name for one in inputs for name in one.values):
                listed = [one.values.get(name) for one in inputs]
                values = self.book.columns[name].values
                if values:
                    self._check_words(name, values, listed)
                    columns |= flags(name, values, listed, pick)
                else:
                    columns[name] = numbers(listed)[pick]
        pairs = [on_device(job, device) for job in self.job_inputs for device in self.device_inputs]
        words = [str(pair.values.get("stack")) for pair in pairs]
        pick = self.job * len(self.devices) + self.device
        columns |= flags("stack", self.book.columns["stack"].values, words, pick)
        counts = np.array(DEVICE_COUNTS, dtype=np.float64)[self.count]
        columns["devices"] = counts
        columns["micro_batch"] = numbers([layout.micro_batch for layout in self.layouts])[self.layout]
        several = (counts > 1).astype(np.float64)
        words = ["none", "fsdp"]
        columns |= flags("sharding", self.book.columns["sharding"].values, words, several.astype(np.int64))
        words = [layout.recompute for layout in self.layouts]
        columns |= flags("recompute", self.book.columns["recompute"].values, words, self.layout)
        return Table.from_columns(self.book, columns, rows=len(self.job))

    def _in_formats(self, table: Table) -> Table:
        """The table with what an open precision lands on; `landed` has the job of each pair so."""
        pair = self.job * len(self.devices) + self.device
        _, first = np.unique(pair, return_index=True)
        slow = slow_in_16bit(self.book, table.take(first))
        pairs = [(job, device) for job in self.jobs for device in self.device_inputs]
        words = [landing(*both, slow=bool(one)) for both, one in zip(pairs, slow, strict=True)]
        self.landed = [in_format(job, word) for (job, _), word in zip(pairs, words, strict=True)]
        own = flags("precision", self.book.columns["precision"].values, words, pair)
        return replace(table, columns={**table.columns, **own})

    def workload(self, candidate: Candidate) -> Workload:
        """Its workload, in the precision that an open one lands on there."""
        return self.landed[candidate.workload * len(self.devices) + candidate.accelerator]

    def _check_words(self, name: str, values: Sequence[str], listed: Sequence[Any]) -> None:
        """A word that the rules do not know is an error as for any table."""
        for word in dict.fromkeys(listed):
            if word is not None and word not in values:
                Table.from_columns(self.book, {name: [word]})

    def choose(self, table: Table) -> list[Candidate]:
        """Per workload and accelerator the candidates that answer, or come nearest."""
        pairs = self.job * len(self.devices) + self.device
        count = len(self.jobs) * len(self.devices)
        allowed = table.columns["count_allowed"] == 1
        fits = (table.columns["fits"] == 1) & allowed
        in_time = fits & (table.columns["meets_deadline"] == 1)
        one = self.count == 0
        first_fit, first_time = first_true(pairs, fits, count), first_true(pairs, in_time, count)
        largest = last_true(pairs, allowed | one, count)
        # the most devices, in the first set-up that fits with so many
        sized = pairs * len(DEVICE_COUNTS) + self.count
        first_of_size = first_true(sized, fits, count * len(DEVICE_COUNTS))
        most = first_of_size[sized[last_true(pairs, fits, count)]]
        smallest = first_true(pairs, one, count)
        unknown = np.isnan(table.columns["fits"])[smallest]
        timed = ~np.isnan(table.columns["time_s"])
        kept: list[Candidate] = []
        for pair in range(count):
            job, device = divmod(pair, len(self.devices))
            lacks = (job, device) in self.lacks
            answered = bool(first_fit[pair] >= 0) and not lacks
            none = smallest if unknown[pair] or lacks else largest
            row = int(first_fit[pair] if answered else none[pair])
            kept.append(Candidate(row, job, device, "fit", answered))
            if answered and timed[row] and self.jobs[job].deadline_days is not None:
                met = bool(first_time[pair] >= 0)
                row = int(first_time[pair] if met else most[pair])
                kept.append(Candidate(row, job, device, "deadline", met))
        return kept

    def inputs(self, candidate: Candidate) -> Inputs:
        """The columns of a candidate with their sources."""
        layout = self.layouts[int(self.layout[candidate.row])]
        devices = DEVICE_COUNTS[int(self.count[candidate.row])]
        job = known_only(self.book, of_workload(self.workload(candidate)))
        device = self.device_inputs[candidate.accelerator]
        return on_device(job, device).update(of_set_up(layout, devices))

    def told(self, candidates: Sequence[Candidate], corrected: Table | None = None) -> Table:
        """A fully evaluated table of candidates that knows where its columns come from.

        `corrected` holds the same candidates with what their neighbours say of them.
        """
        table = table_of(self.book, [self.inputs(candidate) for candidate in candidates])
        if corrected is not None and FACTOR in corrected.columns:
            table = replace(
                table,
                columns={**table.columns, FACTOR: corrected.columns[FACTOR]},
                ranges={**table.ranges, FACTOR: corrected.ranges[FACTOR]},
                sources={**table.sources, FACTOR: corrected.sources[FACTOR]},
            )
        return evaluate(self.book, table)


class _Reasons:
    """Why a quantity is unknown, asked once for each accelerator, family and quantity."""

    inputs: ClassVar = {
        "rent_usd": "hw_price",
        "spot_usd": "hw_spot_price",
        "energy_j": "hw_tdp",
    }  # beside the time

    def __init__(self, book: RuleBook, space: _Space) -> None:
        self.book, self.space = book, space
        self.known: dict[tuple[int, str, str], str] = {}

    def of(self, candidate: Candidate, name: str) -> str:
        """One sentence without its full stop."""
        own = self.inputs.get(name)
        told = self.space.device_inputs[candidate.accelerator].reasons.get(own, "") if own else ""
        if told:
            return told
        key = self._key(candidate, name)
        if key not in self.known:
            self.learn([(candidate, name)])
        return self.known[key]

    def _key(self, candidate: Candidate, name: str) -> tuple[int, str, str]:
        asked = "time_s" if name in self.inputs else name
        return candidate.accelerator, self.space.jobs[candidate.workload].model.family, asked

    def learn(self, unknown: Iterable[tuple[Candidate, str]]) -> None:
        """The reasons of many unknown quantities at once: one table of one candidate each."""
        asked = {self._key(candidate, name): candidate for candidate, name in unknown}
        asked = {key: candidate for key, candidate in asked.items() if key not in self.known}
        if not asked:
            return
        table = self.space.told(list(asked.values()))
        for row, key in enumerate(asked):
            self.known[key] = said_plainly(why_unknown(self.book, table, row, key[2]))


def _estimate(
    table: Table, ranges: dict[str, Range], at: int, candidate: Candidate, reasons: _Reasons
) -> Estimate:
    space = reasons.space
    workload, device = space.workload(candidate), space.devices[candidate.accelerator]
    layout = space.layouts[int(space.layout[candidate.row])]
    count = DEVICE_COUNTS[int(space.count[candidate.row])]
    quantities = {name: _quantity(ranges[name], at, candidate, name, reasons) for name in WANTED}
    fits = table.value("fits", at)
    why, limit, answered = _verdict(workload, candidate, quantities, fits, count)
    unproved = _beyond_cards(device, count, table.value("scale_limit", at))
    if answered is False and unproved:
        why, limit, answered = f"{unproved} {why}", "unknown", None
    if lack := space.lacks.get((candidate.workload, candidate.accelerator)):
        why = f"{lack.name} does not run on it: that needs {lack.needs}."
        limit, answered = "framework", False
    packages = table.value("packages", at) or count
    notes = [SEVERAL] if count > 1 else []
    return Estimate(
        workload=workload.id,
        target=Target(
            label=_label(device, count, packages),
            accelerator_id=device.id,
            devices=count,
            packages=packages,
        ),
        purpose=candidate.purpose,
        fits=answered,
        why=why,
        limit=limit,
        choices=choices(table, at, workload, layout, count),
        quantities={name: quantity for name, quantity in quantities.items() if name != "memory_usable"},
        notes=(*notes, *input_notes(table, at, workload, "a host of these devices")),
    )


def _label(device: Accelerator, count: int, packages: float) -> str:
    """'8 x nvidia-h100-sxm5-80gb', '8 x aws-trainium2 (64 devices)': what one rents, then what one sees."""
    if device.devices_per_package == 1:
        return f"{count} x {device.id}"
    return f"{packages:g} x {device.id} ({count} device{'s' if count > 1 else ''})"


def _beyond_cards(device: Accelerator, count: int, limit: float | None) -> str:
    """Why no more cards are estimated, where that is what ends the search; else ''."""
    if not device.card or device.unified or limit is None or 2 * count <= limit:
        return ""
    return f"More than {limit:g} PCIe cards are not estimated: too few published runs."


def _verdict(
    workload: Workload, candidate: Candidate, quantities: dict[str, Quantity], fits: float | None, count: int
) -> tuple[str, str, bool | None]:
    """Sentence, limit, and whether it answers (None: not known)."""
    where = "the device" if count == 1 else f"each of {count} devices"
    sentence = memory_sentence(quantities["memory_bytes"], quantities["memory_usable"], where)
    time = quantities["time_s"]
    if fits is None:
        return sentence, "unknown", None
    if candidate.purpose == "fit" and not candidate.answered:
        return f"{sentence} No count within published scale and batch is enough.", "memory", False
    if time.value is None:
        answered = True if candidate.purpose == "fit" else None
        return f"{sentence} Time is not known: {time.reason}.", "unknown", answered
    if candidate.purpose == "deadline" and not candidate.answered:
        late = late_sentence(time, workload)
        return f"Even {count} devices, the most within published scale and batch: {late}", "time", False
    return sentence, "", True


def _quantity(span: Range, at: int, candidate: Candidate, name: str, reasons: _Reasons) -> Quantity:
    space = reasons.space
    value, low, high = (float(values[at]) for values in span)
    unit = space.book.unit_of(name)
    if math.isnan(value):
        return Quantity(unit=unit, reason=reasons.of(candidate, name))
    price = {"rent_usd": "hw_price", "spot_usd": "hw_spot_price"}.get(name)
    source = space.device_inputs[candidate.accelerator].sources[price][1] if price else ""
    return Quantity(value=value, low=low, high=high, unit=unit, source=source)


def _with_traces(
    book: RuleBook, space: _Space, kept: Sequence[Candidate], found: list[Estimate], corrected: Table
) -> tuple[list[Estimate], Trace]:
    """Traces for the cheapest answers of each workload."""
    chosen: list[int] = []
    for number in range(len(space.jobs)):
        mine = [
            at for at, candidate in enumerate(kept) if candidate.workload == number and candidate.answered
        ]
        mine.sort(key=lambda at: (found[at].purpose != "deadline", _rent(found[at])))
        chosen += mine[:TRACED_PER_WORKLOAD]
    traces: Trace = {}
    if not chosen:
        return found, traces
    table = space.told([kept[at] for at in chosen], corrected.take(chosen))
    for row, at in enumerate(chosen):
        estimate = found[at]
        named = {}
        for name, quantity in estimate.quantities.items():
            if name in TRACED and quantity.value is not None:
                key = f"{estimate.workload}/{estimate.target.label}/{estimate.purpose}/{name}"
                traces[key] = explain(book, table, row, name)
                named[name] = quantity.model_copy(update={"trace": key})
        found[at] = estimate.model_copy(update={"quantities": {**estimate.quantities, **named}})
    return found, traces


def trace_of(  # noqa: PLR0913, PLR0917 - what is known, one by one
    book: RuleBook,
    catalogue: Catalogue,
    workload: Workload,
    estimate: Estimate,
    quantity: str,
    published: Published | None = None,
) -> tuple[TraceStep, ...]:
    """The trace of a catalogue estimate whose trace was not kept, computed again from its set-up.

    Empty for an accelerator that this catalogue does not know. With other rules than the estimate was
    made with, the figures are those of the rules given here.
    """
    entry = catalogue.accelerators.get(estimate.target.accelerator_id)
    if entry is None or estimate.target.here:
        return ()
    layout = Layout(
        float(estimate.choices.get("micro_batch", "1")), estimate.choices.get("recompute", "none")
    )
    workload = with_format(book, workload, of_accelerator(entry))
    inputs = of_workload(workload).update(of_accelerator(entry))
    inputs = inputs.update(of_set_up(layout, estimate.target.devices))
    table = table_of(book, [known_only(book, inputs)])
    near = with_neighbours(book, published, table, [workload.model.id], [entry.id])
    return explain(book, near.table, 0, quantity)


def _rent(estimate: Estimate) -> float:
    value = estimate.quantities["rent_usd"].value
    return float("inf") if value is None else value
