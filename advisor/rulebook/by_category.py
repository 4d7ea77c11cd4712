"""[[constant_by]]: one constant for each value of a category, read as constants and the rule that picks one.

The constant of the category's value `nvidia_volta` is named `<id>__nvidia_volta`; rules use `<id>`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from advisor.errors import did_you_mean
from advisor.rulebook.compile import PICK, later
from advisor.rulebook.entries import FIT_GROUPS, named_well, read_spread, unit_dimension
from advisor.rulebook.expr import Expr
from advisor.rulebook.parts import SEPARATOR, TWO_UNDERSCORES, Column, Constant, Problem, Rule
from advisor.rulebook.read import Keys, Raw
from advisor.units import Dimension, parse_as


@dataclass(frozen=True)
class ByCategory:
    """The constants of one entry by id, and the rule that gives the row's own."""

    constants: Mapping[str, Constant]
    rule: Rule


def read_by_category(raw: Raw, columns: Mapping[str, Column], problems: list[Problem]) -> ByCategory | None:
    """[[constant_by]] id, by, unit, value (of words not listed), values, text, source; what fits keep."""
    keys = Keys(raw, problems)
    named_well(keys)
    if SEPARATOR in raw.id:
        keys.wrong("id", TWO_UNDERSCORES)
    by = keys.text("by")
    column = columns.get(by)
    if by and (column is None or not column.values):
        categories = [name for name, found in columns.items() if found.values]
        keys.wrong("by", "is no category", did_you_mean(by, categories) or "Declare it with [[column]].")
    unit, dimension = unit_dimension(keys)
    values = keys.raw_value("values") if keys.has("values") else {}
    if not isinstance(values, dict):
        keys.wrong("values", "must be a table of the category's values and numbers")
        values = {}
    for word in values if column is not None else ():
        if word not in column.values:  # type: ignore[union-attr]
            keys.wrong(f"values.{word}", f"is no value of {by}", did_you_mean(word, column.values))  # type: ignore[union-attr]
    other = math.nan
    if keys.has("value"):
        other = keys.convert("value", lambda given: parse_as(given, unit), math.nan)
    text, source, fitted = keys.text("text"), keys.text("source"), keys.text("fitted_from", "")
    fit = keys.choice("fit", ("", *FIT_GROUPS), "")
    prior_spread = read_spread(keys, "prior_spread")
    found: dict[str, float] = {}
    if values and not keys.failed:
        found = keys.convert(
            "values", lambda given: {word: parse_as(one, unit) for word, one in given.items()}, found
        )
    believed = _numbers(keys, "priors", unit, column)
    spreads = _numbers(keys, "spreads", "1", column)
    keys.no_more()
    if keys.failed or column is None:
        return None
    constants = {}
    for word in column.values:
        id_, value = f"{raw.id}{SEPARATOR}{word}", found.get(word, believed.get(word, other))
        if math.isnan(value):
            continue
        constants[id_] = Constant(
            id=id_, file=raw.file, line=raw.line, folder=raw.folder, text=f"{text} ({by} {word})",
            value=value, low=value, high=value, better="none", unit=unit, dimension=dimension,
            source=source, fitted_from=fitted, fit=fit, prior=believed.get(word, other),
            prior_spread=prior_spread, spread=spreads.get(word, math.nan),
        )  # fmt: skip
    return ByCategory(constants, _rule(raw, column, constants, (unit, text, source), dimension))


def _numbers(keys: Keys, key: str, unit: str, column: Column | None) -> dict[str, float]:
    """A table of the category's values and numbers in SI; empty where it is not there or wrong."""
    given = keys.raw_value(key) if keys.has(key) else {}
    found: dict[str, float] = {}
    if not isinstance(given, dict) or not set(given) <= set(column.values if column else ()):
        keys.wrong(key, "must be a table of the category's values and numbers")
    elif given and not keys.failed:
        found = keys.convert(
            key, lambda table: {word: parse_as(one, unit) for word, one in table.items()}, found
        )
    return found


def _rule(
    raw: Raw,
    column: Column,
    constants: Mapping[str, Constant],
    told: tuple[str, str, str],
    dimension: Dimension,
) -> Rule:
    unit, text, source = told
    args: list[Expr] = []
    for word, flag in zip(column.values, column.flags, strict=True):
        id_ = f"{raw.id}{SEPARATOR}{word}"
        value = Expr("name", name=id_) if id_ in constants else Expr("num", number=math.nan)
        args += (Expr("name", name=flag), value)
    tree = Expr(PICK, tuple(args), number=math.nan)
    names = tree.names()
    return Rule(
        id=raw.id, file=raw.file, line=raw.line, folder=raw.folder, text=text, gives=raw.id, unit=unit,
        dimension=dimension, expr=f"its value for the row's {column.id}", when="", why=text, source=source,
        cases=(), tree=tree, when_tree=None, names=names, inputs=names, curves=(), run=later(tree),
        run_when=None, missing=f"no {raw.id} is known for its {column.id}",
    )  # fmt: skip
