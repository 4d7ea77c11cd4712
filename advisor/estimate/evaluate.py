"""The one evaluator: a RuleBook over a Table, in blocks, for one row and for a million."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from advisor.errors import DataError, UserError, did_you_mean
from advisor.estimate.table import Array, CurveData, Table
from advisor.rulebook import Quantity, Rule, RuleBook
from advisor.rulebook.compile import CurveFunction, Frame
from advisor.rulebook.parts import SCENARIOS

Mask: TypeAlias = npt.NDArray[np.bool_]
_NAN: Array = np.asarray(np.nan)

BLOCK_ROWS = 16_384  # fits the caches: measured 2-3 times as fast as whole columns, and bounds memory
_FREED_BYTES = 31 * 1024 * 1024
_REMEMBERED = 4096


def evaluate(
    book: RuleBook,
    table: Table,
    want: Iterable[str] | None = None,
    scenario: str = "middle",
    *,
    keep_all: bool = True,
) -> Table:
    """The table with the quantities in `want` (default: all) and all they need, in SI.

    With `keep_all` false only the wanted ones are kept. Quantities that an earlier call with the
    same book and scenario has computed are used as they stand. NaN is unknown (`why_unknown` tells
    the reason). Raises DataError when two rules hold for a row, or when one gives an infinite value
    or no number from known inputs; UserError for a name that no rule gives.
    """
    if scenario not in SCENARIOS:
        raise UserError(f"unknown scenario '{scenario}'", did_you_mean(scenario, SCENARIOS))
    for name in table.constants:
        if name not in book.constants:
            hint = did_you_mean(name, book.constants)
            raise UserError(f"the rules have no constant '{name}'", hint)
    wanted = tuple(book.order if want is None else dict.fromkeys(want))
    same = table.scenario == scenario and table.digest == book.digest
    done = table.computed if same else frozenset()
    inputs = {
        name: values for name, values in table.columns.items() if name in done or name not in book.quantities
    }
    plan, leaves = _remembered_plan(book, wanted, done)
    kept = [name for name in plan if keep_all or name in wanted]
    if table.rows >= BLOCK_ROWS // 4:
        _keep_freed_memory()
    out = {name: np.empty(table.rows) for name in kept}
    sources = {name: leaf(book, table, name, scenario) for name in leaves}
    with np.errstate(all="ignore"):
        for start in range(0, table.rows, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, table.rows)
            frame = _frame(table, sources, start, stop, book)
            for name in plan:
                found = _quantity(book.quantities[name], frame, start, stop - start)
                frame.values[name] = _narrowed(found)
            for name in kept:
                out[name][start:stop] = frame.values[name]
    return replace(
        table,
        columns={**inputs, **out},
        computed=frozenset({*done, *kept}),
        scenario=scenario,
        digest=book.digest,
    )


@cache
def _keep_freed_memory() -> None:
    """Have the C library keep what temporaries free, instead of giving it back to the system each time.

    glibc does so for blocks up to the size of the largest one that was freed so far (32 MiB at most). Getting
    every temporary of a block afresh took a third of the time. The pages here are never touched, so this
    costs microseconds and no memory, and does nothing with other libraries.
    """
    np.empty(_FREED_BYTES // 8)


class Range(NamedTuple):
    """A quantity over all rows: the middle value and its 80 % range. Shape (rows,), SI, NaN unknown."""

    value: Array
    low: Array
    high: Array


_LENGTHS = ("mean_length_share", "samples")
"""Columns that say how long samples are, of which both ends of a rate's range hang."""


def evaluate_ranges(book: RuleBook, table: Table, want: Iterable[str] | None = None) -> dict[str, Range]:
    """The wanted quantities with their ranges, from the three scenarios.

    Low and high are the least and greatest of them, so a quantity that gets better and worse
    with the same constant still has its value inside. Taking all constants at their bad end at once
    makes the range wider than 80 % when there are many of them. Where a scenario's end is unknown,
    the range ends at the scenarios that are known; where the value is unknown, all three are NaN.
    """
    wanted = tuple(book.order if want is None else dict.fromkeys(want))
    runs = [evaluate(book, table, wanted, scenario, keep_all=False) for scenario in SCENARIOS]
    if _LENGTHS[0] in table.ranges:
        # shorter samples are quicker each, and slower by the token: rates have their ends where one is at
        # its best and the other at its worst
        swapped = {name: table.ranges[name][::-1] for name in _LENGTHS if name in table.ranges}
        crossed = replace(table, ranges={**table.ranges, **swapped})
        runs += [evaluate(book, crossed, wanted, scenario, keep_all=False) for scenario in SCENARIOS[1:]]
    found = {}
    for name in wanted:
        if name not in book.quantities:
            continue
        middle, *ends = (run.columns[name] for run in runs)
        low, high = middle, middle
        for end in ends:
            low, high = np.fmin(low, end), np.fmax(high, end)
        unknown = np.isnan(middle)
        found[name] = Range(middle, np.where(unknown, np.nan, low), np.where(unknown, np.nan, high))
    return found


def _remembered_plan(
    book: RuleBook, wanted: tuple[str, ...], done: frozenset[str]
) -> tuple[list[str], list[str]]:
    """The same as `_plan`, whose answer is asked for again and again with other rows."""
    known = book.remembered
    found: tuple[list[str], list[str]] | None = known.get(("plan", wanted, done))
    if found is None:
        if len(known) > _REMEMBERED:
            known.clear()
        plan, leaves = _plan(book, wanted, done)
        found = known["plan", wanted, done] = plan, sorted(leaves)
    return found


def _plan(book: RuleBook, wanted: tuple[str, ...], done: frozenset[str]) -> tuple[list[str], set[str]]:
    """The quantities to compute, in order, and the leaves they need."""
    needed: set[str] = set()
    leaves: set[str] = set()
    pending = list(wanted)
    while pending:
        name = pending.pop()
        if name in needed or name in leaves:
            continue
        if name not in book.quantities or name in done:
            if (
                name not in done
                and name not in book.columns
                and name not in book.flags
                and name not in book.constants
            ):
                hint = did_you_mean(name, book.names()) or "`hwadvisor rules list` lists what rules give."
                raise UserError(f"no rule gives '{name}'", hint)
            leaves.add(name)
            continue
        needed.add(name)
        pending += [used for rule in book.quantities[name].rules for used in rule.inputs]
    return [name for name in book.order if name in needed], leaves


def leaf(book: RuleBook, table: Table, name: str, scenario: str) -> Array:
    """A leaf in this scenario: a whole column, or a scalar for a constant or a missing column."""
    if name in book.constants:
        own = table.constants.get(name)
        return _constant(book, name, scenario) if own is None else own
    if name in table.columns:
        return _column(book, table, name, scenario)
    return _NAN


def _constant(book: RuleBook, name: str, scenario: str) -> Array:
    found: Array | None = book.remembered.get((name, scenario))
    if found is None:
        found = book.remembered[name, scenario] = np.asarray(book.constants[name].at(scenario))
    return found


def _column(book: RuleBook, table: Table, name: str, scenario: str) -> Array:
    values = np.asarray(table.columns[name], dtype=np.float64)
    column = book.columns.get(name)
    if scenario != "middle" and column is not None and name in table.ranges and column.better != "none":
        low, high = table.ranges[name]
        end = high if (column.better == "high") == (scenario == "optimistic") else low
        values = np.where(np.isnan(end), values, end)
    if values.shape != (table.rows,):
        raise UserError(f"column '{name}' has the shape {values.shape}, not ({table.rows},)")
    return values


def _frame(table: Table, leaves: Mapping[str, Array], start: int, stop: int, book: RuleBook) -> Frame:
    values = {}
    for name, whole in leaves.items():
        block = whole if whole.ndim == 0 else whole[start:stop]
        if math.isinf(block.item()) if block.size == 1 else np.isinf(block).any():
            row = start + int(np.flatnonzero(np.isinf(np.atleast_1d(block)))[0])
            raise UserError(f"column '{name}' is infinite in row {row}", "Unknown is NaN, not infinity.")
        values[name] = _narrowed(block)
    return Frame(values, {name: curve_function(book, table, name, start, stop) for name in book.curves})


def _narrowed(block: Array) -> Array:
    """A scalar in place of a block whose rows are all the same: conditions on it are then decided once.

    Of a single row nothing is won: numpy is slower with scalars than with arrays of one.
    """
    if block.ndim == 0 or block.size == 1:
        return block
    first, last = block[0], block[-1]
    if np.isnan(first):
        same = np.isnan(last) and np.isnan(block).all()
    else:
        same = first == last and (block == first).all()
    return np.asarray(first) if same else block


def curve_function(book: RuleBook, table: Table, name: str, start: int, stop: int) -> CurveFunction:
    data = table.curves.get(name)
    if data is None:
        shipped = book.curves[name].points
        if not shipped:
            return lambda x: np.full(np.shape(x), np.nan)
        data = CurveData((shipped,))
    index = None if data.index is None else data.index[start:stop]
    return partial(interpolate, data.points, index)


def interpolate(
    points: tuple[tuple[tuple[float, float], ...], ...], index: npt.NDArray[np.int64] | None, x: Array
) -> Array:
    """y at x: linear over log(x) between points, flat beyond both ends, NaN for x <= 0 or unknown."""
    position = np.log(np.where(x > 0, x, np.nan))
    if index is None:
        return _one_curve(points[0], position)
    y = np.full(index.shape, np.nan)
    position = np.broadcast_to(position, index.shape)
    for number, own in enumerate(points):
        mine = index == number
        if mine.any():
            y[mine] = _one_curve(own, position[mine])
    return y


def _one_curve(points: tuple[tuple[float, float], ...], position: Array) -> Array:
    xs, ys = np.log([p[0] for p in points]), [p[1] for p in points]
    # np.interp passes NaN through.
    return np.asarray(np.interp(position, xs, ys), dtype=np.float64)


def _quantity(quantity: Quantity, frame: Frame, start: int, size: int) -> Array:
    """The values of a quantity for a block, a scalar where all rows have the same.

    Exactly one rule may hold per row; none leaves NaN.
    """
    result: Array = _NAN
    before: list[tuple[Rule, Mask | None]] = []
    for rule in quantity.rules:
        mask: Mask | None = None  # everywhere
        if rule.run_when is not None:
            holds = rule.run_when(frame)
            if holds.size == 1:  # found out in a tenth of the time, and mostly so
                held = holds.item()
                if held == 0 or held != held:  # noqa: PLR0124 - NaN is not itself
                    continue
            else:
                mask = (holds != 0) & (holds == holds)  # noqa: PLR0124
                if not mask.any():
                    continue
                if mask.all():
                    mask = None
        for other, theirs in before:
            clash = _both(mask, theirs, size)
            if clash.any():
                raise _two_hold(quantity, other, rule, start + int(np.flatnonzero(clash)[0]))
        values = _rule(rule, frame, start, mask)
        if values.ndim and values.shape != (size,):
            raise DataError(
                f"{rule.file}:{rule.line}: rule '{rule.id}' gives {values.shape} values for {size} rows"
            )
        result = values if mask is None else np.where(mask, values, result)
        before.append((rule, mask))
    return result


def _both(mask: Mask | None, other: Mask | None, size: int) -> Mask:
    """Rows where both hold; None holds everywhere."""
    if mask is None:
        return np.ones(size, dtype=bool) if other is None else other
    return mask if other is None else mask & other


def _two_hold(quantity: Quantity, first: Rule, second: Rule, row: int) -> DataError:
    return DataError(
        f"rules '{first.id}' ({first.file}:{first.line}) and '{second.id}' ({second.file}:{second.line}) "
        f"both give {quantity.name} for row {row}",
        f"Make their `when` exclude each other: {first.when} / {second.when}",
    )


def _rule(rule: Rule, frame: Frame, start: int, mask: Mask | None) -> Array:
    """The values of one rule, finite or unknown where it holds; None holds everywhere."""
    found = rule.run(frame)
    if math.isfinite(found.item()) if found.size == 1 else np.isfinite(found).all():
        return found
    infinite = np.isinf(found)
    for bad, said in ((infinite, "an infinite value"), (_invalid(rule, frame, found, mask), "no number")):
        bad_here = bad if mask is None else bad & mask
        if bad_here.any():
            raise _not_finite(rule, frame, said, start, int(np.flatnonzero(bad_here)[0]))
    return found


def _invalid(rule: Rule, frame: Frame, found: Array, mask: Mask | None) -> Mask:
    """Rows whose result is NaN although all inputs are known: 0/0, the root or log of a negative number."""
    invalid: Mask = np.isnan(found) if mask is None else np.isnan(found) & mask
    if rule.curves or rule.terms or rule.missing:  # these may be unknown by themselves
        return np.zeros_like(invalid)
    for name in rule.names:
        if not invalid.any():
            break
        invalid = invalid & ~np.isnan(frame.values[name])
    return invalid


def _not_finite(rule: Rule, frame: Frame, said: str, start: int, row: int) -> DataError:
    shown = []
    for name in rule.names:
        values = frame.values[name]
        shown.append(f"{name} = {values if values.ndim == 0 else values[row]:g}")
    return DataError(
        f"{rule.file}:{rule.line}: rule '{rule.id}' gives {said} for row {start + row} ({', '.join(shown)})",
        "Check these inputs, or guard the rule with where(…) or `when`.",
    )
