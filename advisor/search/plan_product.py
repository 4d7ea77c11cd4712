"""Rules over devices x set-ups: what depends on one side alone is computed there, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from advisor.estimate import Table, evaluate
from advisor.estimate.evaluate import BLOCK_ROWS
from advisor.rulebook import RuleBook
from advisor.search.layouts import Index

Array = npt.NDArray[np.float64]
_DEVICE, _SET_UP = 1, 2  # bits: what a quantity depends on; 0: the workload alone


@dataclass(frozen=True)
class _Frontier:
    """What the quantities of both sides rest on, and which of it is computed on which side."""

    of_device: tuple[str, ...]
    of_set_up: tuple[str, ...]


class Product:
    """Candidates are pairs (row of `devices`, row of `set_ups`); both tables hold the workload's columns too.

    Of some 340 quantities behind a time, four fifths depend on the device alone, on the set-up alone or on
    neither. They are computed on those small tables, and the evaluator takes them as already computed.
    """

    def __init__(
        self,
        book: RuleBook,
        job: Mapping[str, Array],
        devices: Table,
        set_ups: Table,
        scenario: str = "middle",
    ) -> None:
        self.book, self.devices, self.set_ups = book, devices, set_ups
        self._job, self._scenario = job, scenario
        self._frontiers: dict[tuple[str, ...], _Frontier] = {}

    @cached_property
    def _sides(self) -> dict[str, int]:
        """On which sides each name depends, as far as asked for; kept for tables with the same columns."""
        given = [frozenset(table.columns) - table.computed for table in (self.devices, self.set_ups)]
        key = ("sides", frozenset(self._job), *given)
        sides: dict[str, int] | None = self.book.remembered.get(key)
        if sides is None:
            sides = dict.fromkeys((*self.book.constants, *self._job), 0)
            for names, bit in zip(given, (_DEVICE, _SET_UP), strict=True):
                sides |= {
                    name: bit for name in names if name not in self._job and name not in self.book.quantities
                }
            self.book.remembered[key] = sides
        return sides

    def _sides_behind(self, want: Iterable[str]) -> dict[str, int]:
        """The same, with those of the wanted quantities and of all they rest on."""
        sides, quantities = self._sides, self.book.quantities
        needed: set[str] = set()
        pending = [name for name in want if name in quantities and name not in sides]
        while pending:
            name = pending.pop()
            if name not in needed:
                needed.add(name)
                used = (other for rule in quantities[name].rules for other in rule.inputs)
                pending += [other for other in used if other in quantities and other not in sides]
        for name in self.book.order:
            if name in needed:
                sides[name] = 0
                for rule in quantities[name].rules:
                    for other in rule.inputs:
                        sides[name] |= sides.get(other, 0)
        return sides

    def on_device(self, name: str) -> Array:
        """A quantity that depends on no set-up, for each device."""
        if name not in self.devices.columns:
            self.devices = self._with(self.devices, (name,))
        return self.devices.columns[name]

    def evaluate(self, want: tuple[str, ...], device: Index, set_up: Index) -> dict[str, Array]:
        """The wanted quantities of each pair.

        Pairs of devices that do not differ in what the wanted ones rest on are computed once.
        """
        frontier = self._frontier(want)
        kind = kinds([self.devices.columns[name] for name in frontier.of_device], self.devices.rows)
        pairs = kind[device] * self.set_ups.rows + set_up
        first, back = _unique(pairs)
        device, set_up = device[first], set_up[first]
        out = {name: np.empty(len(first)) for name in want}
        for start in range(0, len(first), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            joined = self._joined(frontier, device[part], set_up[part])
            found = evaluate(self.book, joined, want, self._scenario, keep_all=False)
            for name in want:
                out[name][part] = found.columns[name]
        return {name: values[back] for name, values in out.items()}

    def _kept(self, table: Table) -> Iterable[str]:
        return (name for name in table.computed if name in self.book.quantities)

    def _frontier(self, want: tuple[str, ...]) -> _Frontier:
        if want in self._frontiers:
            return self._frontiers[want]
        sides, quantities = self._sides_behind(want), self.book.quantities
        both = _DEVICE | _SET_UP
        used: set[str] = set()
        pending, seen = list(want), set(want)
        while pending:
            name = pending.pop()
            if sides.get(name, 0) != both:
                used.add(name)
                continue
            new = {other for rule in quantities[name].rules for other in rule.inputs} - seen
            seen |= new
            pending += new
        known = [name for name in sorted(used) if name not in self.book.constants]
        # what depends on the workload alone is taken from the table of the devices
        left = [name for name in known if not sides.get(name, 0) & _SET_UP]
        right = [name for name in known if sides.get(name, 0) & _SET_UP]
        self.devices = self._with(self.devices, left)
        self.set_ups = self._with(self.set_ups, right)
        found = _Frontier(
            tuple(name for name in left if name in self.devices.columns),
            tuple(name for name in right if name in self.set_ups.columns),
        )
        self._frontiers[want] = found
        return found

    def _with(self, table: Table, names: Iterable[str]) -> Table:
        quantities = [name for name in names if name in self.book.quantities]
        return evaluate(self.book, table, (*self._kept(table), *quantities), self._scenario, keep_all=False)

    def _joined(self, frontier: _Frontier, device: Index, set_up: Index) -> Table:
        columns: dict[str, Array] = {}
        for table, names, rows in (
            (self.devices, frontier.of_device, device),
            (self.set_ups, frontier.of_set_up, set_up),
        ):
            columns |= {name: table.columns[name][rows] for name in names}
        computed = frozenset(name for name in columns if name in self.book.quantities)
        return Table(
            len(device), columns, computed=computed, scenario=self._scenario, digest=self.book.digest
        )


def _unique(pairs: Index) -> tuple[Index, Index]:
    """Positions of the first of equal pairs, in rising order of pairs, and where each pair's is."""
    _, first, back = np.unique(pairs, return_index=True, return_inverse=True)
    return first, back


def kinds(columns: Iterable[Array], rows: int = 0) -> Index:
    """A number for each row; rows with the same values in all columns have the same. Unknowns are alike."""
    kind = np.zeros(rows, dtype=np.int64)
    for values in columns:
        if len(kind) and (values == values[0]).all():  # tells nothing apart, as most do
            continue
        _, code = np.unique(np.nan_to_num(values, nan=-1.0), return_inverse=True)
        code = code.astype(np.int64)
        joint = code if not len(kind) else kind * (int(code.max(initial=0)) + 1) + code
        _, kind = np.unique(joint, return_inverse=True)
    return kind.astype(np.int64)
