"""The candidates of a catalogue: each workload on each accelerator, in every count and plain set-up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.estimate import Table, evaluate, evaluate_ranges
from advisor.estimate.inputs import Inputs, known_only, of_accelerator, table_of
from advisor.rulebook import RuleBook
from advisor.schema import Workload
from advisor.search.formats import in_format, landing, slow_in_16bit
from advisor.search.grid import BLOCKS, NOTHING_STATED
from advisor.search.inputs import of_set_up, of_workload, on_device
from advisor.search.lack import lack_of
from advisor.search.layouts import (
    DEVICE_COUNTS,
    LARGEST_IMAGES,
    LARGEST_TEXT,
    Index,
    Layout,
    Mask,
    first_true,
    flags,
    found_layouts,
    last_true,
    numbers,
)
from advisor.search.nearby import FACTOR
from advisor.search.plan_prices import price_inputs
from advisor.search.plan_product import Array
from advisor.units import DAY_S


class Candidate(NamedTuple):
    """A kept row of the table and the question it answers."""

    row: int
    workload: int
    accelerator: int
    purpose: str
    answered: bool  # whether it does what the purpose asks
    late_s: float = math.nan  # what a run keeps to (`kept_to`), where that was asked


LateOf = Callable[[Sequence[Candidate]], Array]
"""What each candidate keeps to, in seconds."""


class CatalogueSpace:
    """All candidates: workload x accelerator x count x set-up, as index columns and a table."""

    def __init__(self, book: RuleBook, jobs: Sequence[Workload], devices: Sequence[Accelerator]) -> None:
        self.book, self.jobs, self.devices = book, jobs, devices
        self.layouts: list[Layout] = []
        job_of_layout: list[int] = []
        for number, job in enumerate(jobs):
            own = found_layouts(job, LARGEST_TEXT if job.model.family in BLOCKS else LARGEST_IMAGES)
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
            if (lack := lack_of(book, job, of_accelerator(device), NOTHING_STATED.of_recipe(job.recipe)))
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

    def choose(self, table: Table, late_of: LateOf) -> list[Candidate]:
        """Per workload and accelerator the candidates that answer, or come nearest."""
        pairs = self.job * len(self.devices) + self.device
        count = len(self.jobs) * len(self.devices)
        allowed = table.columns["count_allowed"] == 1
        fits = (table.columns["fits"] == 1) & allowed
        one = self.count == 0
        preferred = self._preferred(table, fits)
        first_fit = first_true(pairs, preferred, count)
        largest = last_true(pairs, allowed | one, count)
        smallest = first_true(pairs, one, count)
        unknown = np.isnan(table.columns["fits"])[smallest]
        timed = ~np.isnan(table.columns["time_s"])
        kept: list[Candidate] = []
        due: list[int] = []
        for pair in range(count):
            job, device = divmod(pair, len(self.devices))
            lacks = (job, device) in self.lacks
            answered = bool(first_fit[pair] >= 0) and not lacks
            none = smallest if unknown[pair] or lacks else largest
            row = int(first_fit[pair] if answered else none[pair])
            kept.append(Candidate(row, job, device, "fit", answered))
            if answered and timed[row] and self.jobs[job].deadline_days is not None:
                due.append(pair)
        in_time = self._in_time(table, preferred, np.array(due, dtype=np.int64), late_of)
        return sorted([*kept, *in_time], key=lambda one: (one.workload, one.accelerator))

    def _preferred(self, table: Table, fits: Mask) -> Mask:
        """Of what fits on so many devices that which does at the upper end of its memory's range too, where
        anything does: as a plan has it, a run that ends out of memory costs more than a slower step."""
        rows = np.flatnonzero(fits)
        need = evaluate_ranges(self.book, table.take(rows), ("memory_bytes",))["memory_bytes"].high
        sure = np.zeros(len(fits), dtype=bool)
        sure[rows] = need <= table.columns["memory_usable"][rows]
        pairs = self.job * len(self.devices) + self.device
        sized = pairs * len(DEVICE_COUNTS) + self.count
        some = np.zeros(int(sized.max(initial=-1)) + 1, dtype=bool)
        some[sized[sure]] = True
        return np.asarray(np.where(some[sized], sure, fits))

    def _in_time(self, table: Table, fits: Mask, pairs: Index, late_of: LateOf) -> list[Candidate]:
        """Of each pair of workload and accelerator the fewest devices that keep to its deadline."""
        if not len(pairs):
            return []
        # the first set-up that fits of each pair and count; -1: none
        sizes = len(DEVICE_COUNTS)
        sized = (self.job * len(self.devices) + self.device) * sizes + self.count
        every = first_true(sized, fits, len(self.jobs) * len(self.devices) * sizes)
        steps = every.reshape(-1, sizes)[pairs]
        jobs, devices = np.divmod(pairs, len(self.devices))
        days = np.array([job.deadline_days or math.inf for job in self.jobs])
        limits = (days * DAY_S)[jobs]

        def candidate(at: int, row: int, late: float = math.nan) -> Candidate:
            met = bool(late <= limits[at])
            return Candidate(row, int(jobs[at]), int(devices[at]), "deadline", met, late)

        def ask(at: Index, rows: Index) -> Array:
            return late_of([candidate(*one) for one in zip(at.tolist(), rows.tolist(), strict=True)])

        guess = np.where(steps >= 0, table.columns["time_s"][steps], np.nan) <= limits[:, None]
        chosen, late = fewest_in_time(steps, guess, limits, ask)
        return [candidate(at, int(row), float(late[at])) for at, row in enumerate(chosen)]

    def inputs(self, candidate: Candidate) -> Inputs:
        """The columns of a candidate with their sources."""
        layout = self.layouts[int(self.layout[candidate.row])]
        devices = DEVICE_COUNTS[int(self.count[candidate.row])]
        job = known_only(self.book, of_workload(self.workload(candidate)))
        device = self.device_inputs[candidate.accelerator]
        prices = known_only(self.book, price_inputs(self.devices[candidate.accelerator], devices))
        return on_device(job, device).update(of_set_up(layout, devices)).update(prices)

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


def fewest_in_time(
    steps: Index, guess: Mask, limits: Array, late_of: Callable[[Index, Index], Array]
) -> tuple[Index, Array]:
    """Of each pair (a row of `steps`, its candidates with rising numbers of devices, -1 where there is none)
    the first that keeps to its limit, else the last, and how late that is.

    From the first that is guessed to keep it, up while it is late, down while the one before is not.
    """
    pairs, sizes = steps.shape
    before, after = _neighbours_of(steps >= 0)
    every = np.arange(pairs)
    last = sizes - 1 - np.argmax((steps >= 0)[:, ::-1], axis=1)
    at = np.where(guess.any(axis=1), guess.argmax(axis=1), last)
    late = np.full(steps.shape, np.nan)
    known = np.zeros(steps.shape, dtype=bool)
    rows = every
    while len(rows):
        late[rows, at[rows]] = late_of(rows, steps[rows, at[rows]])
        known[rows, at[rows]] = True
        kept = late[rows, at[rows]] <= limits[rows]
        move = np.where(kept, before[rows, at[rows]], after[rows, at[rows]])
        on = (move >= 0) & ~known[rows, move]
        at[rows[on]] = move[on]
        rows = rows[on]
    kept = late <= limits[:, None]
    at = np.where(kept.any(axis=1), kept.argmax(axis=1), last)
    return steps[every, at], late[every, at]


def _neighbours_of(there: Mask) -> tuple[Index, Index]:
    """For each place of each row the next place before and after it where something is; -1: none."""
    before, after = (np.full(there.shape, -1, dtype=np.int64) for _ in range(2))
    for at in range(1, there.shape[1]):
        before[:, at] = np.where(there[:, at - 1], at - 1, before[:, at - 1])
        back = -1 - at
        after[:, back] = np.where(there[:, back + 1], there.shape[1] + back + 1, after[:, back + 1])
    return before, after
