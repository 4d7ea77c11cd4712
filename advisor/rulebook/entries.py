"""Raw entries -> checked columns, curves, constants; rules come last, as they need all names."""

from __future__ import annotations

import keyword
import math
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

from advisor.errors import DataError, UserError
from advisor.rulebook.compile import later
from advisor.rulebook.dimensions import dimension_of
from advisor.rulebook.expr import Expr
from advisor.rulebook.grammar import FUNCTIONS, NAME, parse_expr
from advisor.rulebook.parts import (
    SEPARATOR,
    TWO_UNDERSCORES,
    Case,
    Column,
    Constant,
    Curve,
    Problem,
    Rule,
)
from advisor.rulebook.read import Keys, Raw
from advisor.schema import Kind
from advisor.units import ONE, Dimension, parse_as, parse_unit

_BETTER = ("high", "low", "none")
FIT_GROUPS = ("time", "memory")


def unit_dimension(keys: Keys, key: str = "unit") -> tuple[str, Dimension]:
    """The unit text of an entry and its dimension."""
    text = keys.text(key)
    if not text:
        return "1", ONE
    return text, keys.convert(key, lambda value: parse_unit(value).dimension, ONE)


def named_well(keys: Keys) -> None:
    """A problem where the id is a word of the rule language."""
    name = keys.raw.id
    if name in FUNCTIONS or keyword.iskeyword(name):
        keys.wrong(name, "is a word of the rule language", "Choose another name.")
    if SEPARATOR in name:
        keys.wrong(name, TWO_UNDERSCORES, "Choose another name.")


def read_column(raw: Raw, problems: list[Problem]) -> Column | None:
    """[[column]] name, text, and either unit or values."""
    keys = Keys(raw, problems)
    named_well(keys)
    text = keys.text("text")
    if keys.has("values"):
        values = keys.raw_value("values")
        if not isinstance(values, list) or not values:
            keys.wrong("values", "must be a list of words")
        elif not all(isinstance(v, str) and NAME.fullmatch(f"{raw.id}_{v}") for v in values):
            keys.wrong("values", "must be lower-case words of letters, digits and underscore")
        elif len(set(values)) != len(values):
            keys.wrong("values", "has a word twice")
        elif any(SEPARATOR in f"{raw.id}_{v}" for v in values):
            keys.wrong("values", TWO_UNDERSCORES)
        if keys.has("unit"):
            keys.wrong("unit", "does not go with values: a category has no unit")
        unit, dimension, chosen = "1", ONE, tuple(values) if isinstance(values, list) else ()
    else:
        unit, dimension = unit_dimension(keys)
        chosen = ()
    better = keys.choice("better", _BETTER, "none")
    extra = keys.rest()
    if keys.failed:
        return None
    return Column(
        id=raw.id, file=raw.file, line=raw.line, folder=raw.folder, text=text,
        unit=unit, dimension=dimension, values=chosen, better=better, extra=extra,
    )  # fmt: skip


def read_curve(raw: Raw, problems: list[Problem]) -> Curve | None:
    """[[curve]] name, x_unit, y_unit, text; points = [[x, y], …] with source where the rules ship one."""
    keys = Keys(raw, problems)
    text = keys.text("text")
    x_unit, x_dimension = unit_dimension(keys, "x_unit")
    y_unit, y_dimension = unit_dimension(keys, "y_unit")
    points: tuple[tuple[float, float], ...] = ()
    source = ""
    if keys.has("points") and not keys.failed:
        points = keys.convert("points", lambda value: curve_points(value, x_unit, y_unit), ())
        source = keys.text("source")
    keys.no_more()
    if keys.failed:
        return None
    return Curve(
        id=raw.id, file=raw.file, line=raw.line, folder=raw.folder, text=text, x_unit=x_unit, y_unit=y_unit,
        x_dimension=x_dimension, y_dimension=y_dimension, points=points, source=source,
    )  # fmt: skip


def curve_points(value: Any, x_unit: str, y_unit: str) -> tuple[tuple[float, float], ...]:
    """[[x, y], …] in the curve's units -> SI points. Raises UserError unless x > 0 and rises."""
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(p, list) and len(p) == 2 for p in value)
    ):
        raise UserError("must be a list of [x, y] pairs")
    points = tuple((parse_as(x, x_unit), parse_as(y, y_unit)) for x, y in value)
    if any(right[0] <= left[0] for left, right in pairwise(points)) or points[0][0] <= 0:
        raise UserError("must have x above 0 and rising")
    return points


def read_constant(raw: Raw, problems: list[Problem]) -> Constant | None:
    """[[constant]] id, value, unit, source; low, high and better where it is not exact."""
    keys = Keys(raw, problems)
    named_well(keys)
    unit, dimension = unit_dimension(keys)
    if not keys.has("value"):
        keys.wrong("value", "is missing", "Add value = NUMBER to the entry.")
    if keys.failed:  # without a unit no value can be read
        return None
    nan = math.nan
    value = keys.convert("value", lambda given: parse_as(given, unit), nan)
    low = keys.convert("low", lambda given: parse_as(given, unit), nan) if keys.has("low") else value
    high = keys.convert("high", lambda given: parse_as(given, unit), nan) if keys.has("high") else value
    if keys.has("low") != keys.has("high"):
        keys.wrong("low" if keys.has("low") else "high", "stands alone", "Give both low and high, or none.")
    elif not keys.failed and not low <= value <= high:
        keys.wrong("value", f"lies outside its range {low:g} to {high:g}")
    better = keys.choice("better", _BETTER, "none")
    source, fitted = keys.text("source"), keys.text("fitted_from", "")
    kind = keys.choice("kind", tuple(Kind), "published")
    text = keys.text("text", "")
    fit = keys.choice("fit", ("", *FIT_GROUPS), "")
    prior = keys.convert("prior", lambda given: parse_as(given, unit), nan) if keys.has("prior") else nan
    prior_spread, spread = (read_spread(keys, key) for key in ("prior_spread", "spread"))
    keys.no_more()
    if keys.failed:
        return None
    return Constant(
        id=raw.id, file=raw.file, line=raw.line, folder=raw.folder, text=text, value=value, low=low,
        high=high, better=better, unit=unit, dimension=dimension, source=source, fitted_from=fitted,
        kind=kind, fit=fit, prior=prior, prior_spread=prior_spread, spread=spread,
    )  # fmt: skip


def read_spread(keys: Keys, key: str) -> float:
    """A standard deviation of a natural logarithm; NaN when it is not there."""
    value = keys.raw_value(key)
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        keys.wrong(key, "must be a number from 0: the standard deviation of the natural logarithm")
        return math.nan
    return float(value)


_CASE_KEYS = {"given", "expect", "rel"}


def read_cases(keys: Keys) -> tuple[Case, ...]:
    """The examples of an entry, of which there must be one."""
    listed = keys.raw_value("cases")
    if not isinstance(listed, list) or not listed:
        keys.wrong("cases", "is missing", "Give at least one: cases = [{ given = { … }, expect = … }].")
        return ()
    cases = []
    for case in listed:
        if not isinstance(case, dict) or not {"given", "expect"} <= set(case) <= _CASE_KEYS:
            keys.wrong("cases", "must be tables of given, expect and perhaps rel")
            return ()
        rel = case.get("rel", 1e-6)
        if not isinstance(case["given"], dict):
            keys.wrong("cases", "given must be a table of names and values")
        elif isinstance(rel, bool) or not isinstance(rel, (int, float)) or not 0 <= rel < 1:
            keys.wrong("cases", "rel must be a number from 0 to 1")
        else:
            cases.append(Case(case["given"], case["expect"], float(rel)))
    return tuple(cases)


class RuleReader:
    """Reads [[rule]] entries once all names and their dimensions are known."""

    def __init__(
        self,
        names: Mapping[str, Dimension],
        curves: Mapping[str, Curve],
        op_names: Collection[str] = (),
    ) -> None:
        """`op_names` are those that only operators have, for the hint to who uses one of them here."""
        self.names = names
        self.curves = curves
        self.op_names = op_names
        self._curve_dimensions = {c.id: (c.x_dimension, c.y_dimension) for c in curves.values()}

    def read(self, raw: Raw, problems: list[Problem]) -> Rule | None:
        """A checked, compiled rule; None when anything was wrong with it."""
        return self.rule(Keys(raw, problems))

    def rule(self, keys: Keys, operators: tuple[str, ...] = ()) -> Rule | None:
        """The same from keys of which some were taken already."""
        raw = keys.raw
        gives, (unit, dimension) = keys.text("gives"), unit_dimension(keys)
        expr, when = keys.text("expr"), keys.text("when", "")
        why, source = keys.text("why"), keys.text("source")
        text, cases = keys.text("text", ""), read_cases(keys)
        keys.no_more()
        tree = self.tree(keys, "expr", expr, dimension) if expr else None
        when_tree = self.tree(keys, "when", when, ONE) if when.strip() else None
        if keys.failed or tree is None:
            return None
        trees = [tree] if when_tree is None else [tree, when_tree]
        return Rule(
            id=raw.id, file=raw.file, line=raw.line, folder=raw.folder, text=text, gives=gives, unit=unit,
            dimension=dimension, expr=" ".join(expr.split()), when=" ".join(when.split()), why=why,
            source=source, cases=cases, tree=tree, when_tree=when_tree, names=tree.names(),
            inputs=tuple(dict.fromkeys(name for part in trees for name in part.names())),
            curves=tuple(dict.fromkeys(name for part in trees for name in part.curves())),
            run=later(tree), run_when=later(when_tree) if when_tree else None,
            operators=operators,
        )  # fmt: skip

    def tree(self, keys: Keys, key: str, text: Any, dimension: Dimension) -> Expr | None:
        """The checked tree of an expression; None, and a problem of that key, when it is wrong."""
        try:
            tree = parse_expr(text, self.names, self.curves)
            found = dimension_of(tree, self.names, self._curve_dimensions)
        except DataError as error:
            hint = error.hint
            if any(f"uses '{name}'" in error.message for name in self.op_names):
                hint = "Operators have it, each its own: add it up with [[op_total]]."
            keys.wrong(key, error.message, hint)
            return None
        if found is not None and found != dimension:
            wanted = "a condition is a plain number" if key == "when" else f"the unit says {dimension}"
            keys.wrong(key, f"gives {found}, but {wanted}")
        return tree
