"""Estimates on the catalogue: each workload on each accelerator, fewest devices that fit, fewest in time."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from advisor.data.catalogue import Catalogue
from advisor.estimate import Range, Table, evaluate, evaluate_ranges, explain
from advisor.estimate.inputs import known_only, of_accelerator, table_of
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, TraceStep, Workload
from advisor.schema.leading import leading
from advisor.search.elsewhere_space import Candidate, CatalogueSpace
from advisor.search.elsewhere_told import WANTED, Reasons, behind_of, estimate_of
from advisor.search.formats import with_format
from advisor.search.inputs import of_set_up, of_workload
from advisor.search.layouts import DEVICE_COUNTS, Layout
from advisor.search.nearby import Nearby, with_neighbours
from advisor.search.plan_prices import price_columns, price_inputs
from advisor.search.plan_time import CONFIDENCE, calendar_of, kept_to, priced

TRACED = ("time_s", "memory_bytes", "rent_usd", "calendar_s", "calendar_rent_usd")
TRACED_PER_WORKLOAD = 1
"""Traces of the cheapest candidate of each workload are kept; all of them would be most of the file."""

Trace = dict[str, tuple[TraceStep, ...]]


def estimates_catalogue(
    book: RuleBook,
    catalogue: Catalogue,
    workloads: Iterable[Workload],
    published: Published | None = None,
    today: datetime.date | None = None,
) -> tuple[list[Estimate], Trace]:
    """For each workload and accelerator the fewest devices whose memory suffices, and the fewest in time.

    Prices are judged old or not as of `today`, by default the day of the newest.

    All candidates are columns of one table through the one evaluator; ranges and traces are computed for
    what is kept. Where no count will do, the estimate says so with the count that comes nearest.
    """
    jobs, devices = tuple(workloads), tuple(catalogue.accelerators.values())
    if not jobs or not devices:
        return [], {}
    space = CatalogueSpace(book, jobs, devices)
    deciding = ("fits", "count_allowed", "time_s", "memory_bytes", "memory_usable")
    table = evaluate(book, space.table, deciding, keep_all=False)

    corrected = _Corrected(book, space, table, published)
    kept = space.choose(table, lambda some: kept_to(book, corrected.of(some).table))
    near = corrected.of(kept)
    small = _with_prices(space, kept, near.table)
    ranges = evaluate_ranges(book, small, WANTED)
    kept, whole = _on_the_calendar(book, small, ranges, kept)
    extra = [name for name in ("input_s", "scale_limit") if name in book.quantities]
    small = evaluate(book, small, ("fits", "computes_16bit", "packages", *extra))
    reasons = Reasons(book, space)
    reasons.learn(
        (candidate, name)
        for name in WANTED
        for at, candidate in enumerate(kept)
        if math.isnan(ranges[name].value[at])
    )
    found: list[Estimate] = []
    for at, candidate in enumerate(kept):
        estimate = estimate_of(small, {**ranges, **whole}, at, candidate, reasons)
        known = estimate.quantities["time_s"].value is not None
        found.append(estimate.model_copy(update={"near": near.runs(at)}) if known else estimate)
    behind = behind_of(space, kept, published, today or catalogue.newest_price)
    found = [
        one.model_copy(update={"behind": why}) if why and one.fits else one
        for one, why in zip(found, behind, strict=True)
    ]
    return _with_traces(book, space, kept, found, small)


def _with_prices(space: CatalogueSpace, kept: Sequence[Candidate], table: Table) -> Table:
    """The table with what so many devices are rented at, as a plan has it."""
    devices = np.array([one.accelerator for one in kept], dtype=np.int64)
    counts = np.array([DEVICE_COUNTS[int(space.count[one.row])] for one in kept], dtype=np.int64)
    return replace(table, columns={**table.columns, **price_columns(space.devices, devices, counts)})


WHOLE = ("calendar_s", "calendar_rent_usd")
"""What is told of a run from its start to its last step."""


def _on_the_calendar(
    book: RuleBook, table: Table, ranges: dict[str, Range], kept: Sequence[Candidate]
) -> tuple[list[Candidate], dict[str, Range]]:
    """Time and rent from start to last step with their ranges, and the candidates with what each keeps to."""
    if any(name not in book.quantities for name in WHOLE):
        return list(kept), {}
    calendar = calendar_of(book, table, ranges["time_s"])
    whole = {"calendar_s": Range(calendar.median, calendar.low, calendar.high)}
    late = calendar.at(CONFIDENCE).tolist()
    told = [one._replace(late_s=late[at]) if math.isnan(one.late_s) else one for at, one in enumerate(kept)]
    return told, whole | priced(book, table, calendar, WHOLE[1:])


class _Corrected:
    """Rows of the table with what their neighbours say of them, each asked once."""

    def __init__(
        self, book: RuleBook, space: CatalogueSpace, table: Table, published: Published | None
    ) -> None:
        self.book, self.space, self.table, self.published = book, space, table, published
        self.parts: list[Nearby] = []
        self.place: dict[int, int] = {}  # of each row of the table that was asked

    def of(self, some: Sequence[Candidate]) -> Nearby:
        """These candidates, in their order."""
        new = {one.row: one for one in some if one.row not in self.place}
        if new:
            jobs, devices = self.space.jobs, self.space.devices
            near = with_neighbours(
                self.book,
                self.published,
                self.table.take(list(new)),
                [jobs[one.workload].model.id for one in new.values()],
                [devices[one.accelerator].id for one in new.values()],
                [jobs[one.workload].recipe.program for one in new.values()],
            )
            known = len(self.place)
            self.place |= {row: known + at for at, row in enumerate(new)}
            self.parts = [Nearby.joined([*self.parts, near])]
        return self.parts[0].take(np.array([self.place[one.row] for one in some], dtype=np.int64))


def _with_traces(
    book: RuleBook, space: CatalogueSpace, kept: Sequence[Candidate], found: list[Estimate], corrected: Table
) -> tuple[list[Estimate], Trace]:
    """Traces for the cheapest answers of each workload."""
    chosen: list[int] = []
    for number in range(len(space.jobs)):
        mine = [
            at for at, candidate in enumerate(kept) if candidate.workload == number and candidate.answered
        ]
        in_time = [at for at in mine if found[at].purpose == "deadline"]
        best = leading(found[at] for at in in_time) or leading(found[at] for at in mine)
        chosen += [at for at in mine if found[at] is best][:TRACED_PER_WORKLOAD]
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
    inputs = inputs.update(price_inputs(entry, estimate.target.devices))
    table = table_of(book, [known_only(book, inputs)])
    near = with_neighbours(book, published, table, [workload.model.id], [entry.id])
    return explain(book, near.table, 0, quantity)
