"""Checked trees to closures over numpy columns. Unknown is NaN, and truth has three values.

A comparison with an unknown is unknown; `and`, `or` and `not` follow Kleene (0 and unknown is 0);
where(unknown, a, b) is unknown; known(x) is always 0 or 1. Truth is 1.0, falsehood 0.0.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from advisor.rulebook.expr import Expr

Array: TypeAlias = npt.NDArray[np.float64]
CurveFunction: TypeAlias = Callable[[Array], Array]


Rows: TypeAlias = int | list[tuple[int, npt.NDArray[np.intp]]]
"""Which of a category's flags hold: one for all rows (-1: none is known to), or each with its rows."""


class Frame:
    """What an expression sees of a block of rows: names as float64 arrays or scalars, curves as functions."""

    __slots__ = ("curves", "rows_of", "values")

    def __init__(self, values: dict[str, Array], curves: Mapping[str, CurveFunction]) -> None:
        self.values = values
        self.curves = curves
        self.rows_of: dict[tuple[str, ...], Rows] = {}  # of flags of a category, as far as asked for


Closure: TypeAlias = Callable[[Frame], Array]


def later(expr: Expr) -> Closure:
    """The same as `compile_expr`, compiled when it is first called: a run needs some of the rules only."""
    compiled: list[Closure] = []

    def run(frame: Frame) -> Array:
        if not compiled:
            compiled.append(compile_expr(expr))
        return compiled[0](frame)

    return run


def compile_expr(expr: Expr) -> Closure:
    """A function of a Frame that computes `expr` for all its rows at once."""
    if expr.op == "num":
        number = np.asarray(expr.number, dtype=np.float64)
        return lambda _: number
    if expr.op == "name":
        name = expr.name
        return lambda frame: frame.values[name]
    parts = tuple(compile_expr(arg) for arg in expr.args)
    if expr.op in TOTALS:
        return _total(TOTALS[expr.op], parts, expr.number)
    if expr.op == PICK:
        flags = tuple(arg.name for arg in expr.args[::2])
        return _pick(flags, parts[1::2], expr.number)
    if expr.op == "curve":
        return _curve(expr.name, parts[0])
    if expr.op in _MANY:
        return _many(_MANY[expr.op], parts)
    if len(parts) == 1:
        return _one(_ONE[expr.op], parts[0])
    if len(parts) == 2:
        return _two(_TWO[expr.op], parts[0], parts[1])
    return _choose(*parts)


def _one(function: Callable[[Array], Array], a: Closure) -> Closure:
    return lambda frame: function(a(frame))


def _two(function: Callable[[Array, Array], Array], a: Closure, b: Closure) -> Closure:
    return lambda frame: function(a(frame), b(frame))


def _many(function: Callable[[Array, Array], Array], parts: tuple[Closure, ...]) -> Closure:
    first, rest = parts[0], parts[1:]
    # What decides it all by itself, where it is one value for all rows.
    decides = 0.0 if function is _and else 1.0 if function is _or else np.nan

    def run(frame: Frame) -> Array:
        value = first(frame)
        for part in rest:
            if value.size == 1 and value == decides:
                return value
            value = function(value, part(frame))
        return value

    return run


def _curve(name: str, x: Closure) -> Closure:
    return lambda frame: frame.curves[name](x(frame))


def _choose(condition: Closure, a: Closure, b: Closure) -> Closure:
    def run(frame: Frame) -> Array:
        test = condition(frame)
        if test.size == 1:  # one answer for all rows: the other branch need not be computed
            return np.asarray(np.nan) if np.isnan(test) else a(frame) if test else b(frame)
        chosen = np.where(test != 0, a(frame), b(frame))
        return _unknown_where(np.isnan(test), chosen)

    return run


def _total(function: np.ufunc, parts: tuple[Closure, ...], none: float) -> Closure:
    """Over (holds, value) pairs: all values whose condition holds; `none` where not one does.

    Operators whose condition holds in no row are left out; an unknown condition makes the total unknown.
    """
    pairs = tuple(zip(parts[::2], parts[1::2], strict=True))
    everywhere, nowhere = np.asarray(True), np.asarray(False)

    def run(frame: Frame) -> Array:
        total: Array = np.asarray(none)
        there, unknown = nowhere, nowhere  # rows with an operator so far, rows that cannot be told
        for condition, part in pairs:
            test = condition(frame)
            holds: npt.NDArray[np.bool_] | None = None  # everywhere
            if test.size == 1:
                said = test.item()
                if said != said:  # noqa: PLR0124 - NaN is not itself
                    unknown = unknown | everywhere
                    continue
                if said == 0:
                    continue
            else:
                unsaid = np.isnan(test)
                if unsaid.any():
                    unknown = unknown | unsaid
                holds = (test != 0) & ~unsaid
                if not holds.any():
                    continue
                if holds.all():
                    holds = None
            value = part(frame)
            if there is everywhere:
                value = function(total, value)
            elif there is not nowhere:
                value = np.where(there, function(total, value), value)
            if holds is None:
                total, there = value, everywhere
            else:
                total = np.where(holds, value, total)
                there = there if there is everywhere else there | holds
        return _unknown_where(unknown, total)

    return run


def _pick(flags: tuple[str, ...], values: tuple[Closure, ...], other: float) -> Closure:
    """The value beside the flag of a category that holds; `other`, or unknown, where none is known to."""

    def run(frame: Frame) -> Array:
        rows_of = frame.rows_of.get(flags)
        if rows_of is None:
            rows_of = frame.rows_of[flags] = _rows_of([frame.values[flag] for flag in flags])
        if isinstance(rows_of, int):
            return values[rows_of](frame) if rows_of >= 0 else np.asarray(other)
        size = max(frame.values[flag].size for flag in flags)
        result = np.full(size, other)
        for number, rows in rows_of:
            value = values[number](frame)
            result[rows] = value if value.size == 1 else value[rows]
        return result

    return run


def _rows_of(flags: list[Array]) -> Rows:
    """The rows of each flag. Many rules ask it of the same category, so it is found once for a block."""
    found = []
    for number, flag in enumerate(flags):
        if flag.size == 1:
            if flag == 1:
                return number
            continue
        rows = np.flatnonzero(flag == 1)
        if rows.size:
            found.append((number, rows))
    return found or -1


TRUE, FALSE, UNKNOWN = (np.asarray(value) for value in (1.0, 0.0, np.nan))
for _shared in (TRUE, FALSE, UNKNOWN):
    _shared.flags.writeable = False


def _unknown_where(unknown: npt.NDArray[np.bool_], values: npt.NDArray[np.generic]) -> Array:
    if unknown.any():
        return np.where(unknown, np.nan, values)
    return np.asarray(values, dtype=np.float64)


def _comparison(ufunc: np.ufunc, plain: Callable[[float, float], bool]) -> Callable[[Array, Array], Array]:
    def compare(a: Array, b: Array) -> Array:
        if a.size == 1 and b.size == 1:  # a fifth of the time
            x, y = a.item(), b.item()
            if x != x or y != y:  # noqa: PLR0124 - NaN is not itself
                return UNKNOWN
            return TRUE if plain(x, y) else FALSE
        return _unknown_where(np.isnan(a) | np.isnan(b), ufunc(a, b))

    return compare


def _and(a: Array, b: Array) -> Array:
    if a.size == 1 and b.size == 1:
        x, y = a.item(), b.item()
        if x == 0 or y == 0:
            return FALSE
        return UNKNOWN if x != x or y != y else TRUE  # noqa: PLR0124
    if not np.isnan(a + b).any():  # mostly all is known, and that is found out in half the time
        return np.asarray((a != 0) & (b != 0), dtype=np.float64)
    false = (a == 0) | (b == 0)
    return _unknown_where(~false & (np.isnan(a) | np.isnan(b)), ~false)


def _or(a: Array, b: Array) -> Array:
    if a.size == 1 and b.size == 1:
        x, y = a.item(), b.item()
        if (x and x == x) or (y and y == y):  # noqa: PLR0124
            return TRUE
        return UNKNOWN if x != x or y != y else FALSE  # noqa: PLR0124
    if not np.isnan(a + b).any():
        return np.asarray((a != 0) | (b != 0), dtype=np.float64)
    unknown_a, unknown_b = np.isnan(a), np.isnan(b)
    true = ((a != 0) & ~unknown_a) | ((b != 0) & ~unknown_b)
    return _unknown_where(~true & (unknown_a | unknown_b), true)


def _not(a: Array) -> Array:
    if a.size == 1:
        x = a.item()
        return UNKNOWN if x != x else TRUE if x == 0 else FALSE  # noqa: PLR0124
    return _unknown_where(np.isnan(a), a == 0)


def _known(a: Array) -> Array:
    if a.size == 1:
        return FALSE if math.isnan(a.item()) else TRUE
    return np.asarray(~np.isnan(a), dtype=np.float64)


def _power(a: Array, b: Array) -> Array:
    # In IEEE 754 nan**0 and 1**nan are 1; here an unknown stays unknown.
    if a.size == 1 and b.size == 1:
        known = not (math.isnan(a.item()) or math.isnan(b.item()))
        return np.asarray(np.power(a, b)) if known else UNKNOWN
    return _unknown_where(np.isnan(a) | np.isnan(b), np.power(a, b))


TOTALS: dict[str, np.ufunc] = {"total_sum": np.add, "total_max": np.maximum}
"""What only totals over operators are made of: nobody can write these."""

PICK = "pick"
"""What a constant by category is made of; likewise."""

_MANY: dict[str, Callable[[Array, Array], Array]] = {
    "min": np.minimum,
    "max": np.maximum,
    "and": _and,
    "or": _or,
}
_ONE: dict[str, Callable[[Array], Array]] = {
    "neg": np.negative,
    "not": _not,
    "ceil": np.ceil,
    "floor": np.floor,
    "log2": np.log2,
    "log": np.log,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "abs": np.abs,
    "known": _known,
}
_TWO: dict[str, Callable[[Array, Array], Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "//": np.floor_divide,
    "**": _power,
    "<": _comparison(np.less, operator.lt),
    "<=": _comparison(np.less_equal, operator.le),
    ">": _comparison(np.greater, operator.gt),
    ">=": _comparison(np.greater_equal, operator.ge),
    "==": _comparison(np.equal, operator.eq),
    "!=": _comparison(np.not_equal, operator.ne),
}
