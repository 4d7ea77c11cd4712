"""The examples that rules carry, run: each rule alone, with what its case gives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from graphlib import TopologicalSorter
from typing import Any

import numpy as np

from advisor.errors import DataError, UserError, did_you_mean
from advisor.estimate.evaluate import interpolate
from advisor.rulebook import Case, Operator, Rule, RuleBook
from advisor.rulebook.compile import CurveFunction, Frame
from advisor.rulebook.entries import curve_points
from advisor.units import parse_as

UNKNOWN = "unknown"
"""What `expect` and a given value say for a value that is not known."""


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """How a case of a rule went; `message` says what is wrong when it is not ok."""

    rule: str
    number: int  # 1 is the first
    where: str  # file:line
    ok: bool
    message: str = ""

    kind: str = "rule"  # rule, op_rule, operator

    def __str__(self) -> str:
        return f"{self.where}: {self.kind} '{self.rule}', case {self.number}: {self.message or 'ok'}"


def run_cases(book: RuleBook) -> list[CaseOutcome]:
    """Every case of every rule, op_rule and operator. Names that a case does not give are unknown."""
    rules = [("rule", rule) for rule in book.rules.values()]
    rules += [("op_rule", rule) for rule in book.op_rules.values()]
    outcomes = [
        CaseOutcome(rule.id, number, f"{rule.file}:{rule.line}", not message, message, kind)
        for kind, rule in rules
        for number, case in enumerate(rule.cases, 1)
        for message in [_wrong_with(book, rule, case)]
    ]
    return outcomes + [
        CaseOutcome(entry.id, number, f"{entry.file}:{entry.line}", not message, message, "operator")
        for entry in book.operators.values()
        for number, case in enumerate(entry.cases, 1)
        for message in [_wrong_with_operator(book, entry, case)]
    ]


def _wrong_with(book: RuleBook, rule: Rule, case: Case) -> str:
    try:
        frame = _case_frame(book, rule, case.given)
        return _compared(rule, case, frame)
    except UserError as error:
        return f"{error.message}. {error.hint}".strip()


def _compared(rule: Rule, case: Case, frame: Frame) -> str:
    """What is wrong with what a rule gives of a frame, or ''."""
    wanted = math.nan if case.expect == UNKNOWN else parse_as(_plain(case.expect), rule.unit)
    with np.errstate(all="ignore"):
        holds = 1.0 if rule.run_when is None else float(np.ravel(rule.run_when(frame))[0])
        found = float(np.ravel(rule.run(frame))[0])
    if not holds or math.isnan(holds):
        return f"its `when` does not hold: {rule.when}" + _missing(rule, case, frame)
    if math.isnan(wanted) or math.isnan(found):
        if math.isnan(wanted) and math.isnan(found):
            return ""
        return f"expected {case.expect}, got {_said(found)}" + _missing(rule, case, frame)
    if abs(found - wanted) <= case.rel * abs(wanted):
        return ""
    factor = parse_as(1, rule.unit)
    return f"expected {wanted / factor:.9g} {rule.unit}, got {found / factor:.9g} (rel = {case.rel:g})"


def _wrong_with_operator(book: RuleBook, operator: Operator, case: Case) -> str:
    """What an operator says of itself, some of which may rest on the rest of it."""
    whole = _as_one_rule(operator)
    try:
        frame = _case_frame(book, whole, case.given)
        for name in _in_order(operator):
            if name not in case.given:
                with np.errstate(all="ignore"):
                    frame.values[name] = operator.rules[name].run(frame)
        wrong = [
            f"{name}: {message}"
            for name, expect in case.expect.items()
            for rule in [replace(operator.rules[name], when=operator.when, run_when=operator.run_when)]
            for message in [_compared(rule, replace(case, expect=expect), frame)]
            if message
        ]
    except UserError as error:
        return f"{error.message}. {error.hint}".strip()
    return "; ".join(wrong)


def _as_one_rule(operator: Operator) -> Rule:
    """All that an operator's expressions use, so that a case may give any of it."""
    rules = list(operator.rules.values())
    when = () if operator.when_tree is None else operator.when_tree.names()
    return replace(
        rules[0],
        inputs=tuple(dict.fromkeys([*(name for rule in rules for name in rule.inputs), *when])),
        curves=tuple(dict.fromkeys(name for rule in rules for name in rule.curves)),
    )


def _in_order(operator: Operator) -> list[str]:
    """What an operator says, each after what it rests on; the book has no circles."""
    needs = {
        name: [used for used in rule.inputs if used in operator.rules]
        for name, rule in operator.rules.items()
    }
    return list(TopologicalSorter(needs).static_order())


def _said(value: float) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:.9g}"


def _missing(rule: Rule, case: Case, frame: Frame) -> str:
    missing = [name for name in rule.inputs if np.isnan(frame.values[name]).any() and name not in case.given]
    return f" (not given: {', '.join(missing)})" if missing else ""


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, bool) else value


def _case_frame(book: RuleBook, rule: Rule, given: Mapping[str, Any]) -> Frame:
    values = dict.fromkeys(rule.inputs, math.nan)
    values.update((name, book.constants[name].value) for name in rule.inputs if name in book.constants)
    for column in (book.op_columns[name] for name in rule.inputs if name in book.op_columns):
        if column.default is not None:
            values[column.id] = column.default
    curves = {name: (lambda x: np.full(np.shape(x), np.nan)) for name in book.curves}
    curves.update(
        (curve.id, partial(interpolate, (curve.points,), None))
        for curve in book.curves.values()
        if curve.points
    )
    for name, value in given.items():
        if name in rule.curves:
            curves[name] = _case_curve(book, name, value)
        else:
            values.update(_case_values(book, rule, name, value))
    return Frame({name: np.array([number]) for name, number in values.items()}, curves)


def _case_values(book: RuleBook, rule: Rule, name: str, value: Any) -> Iterator[tuple[str, float]]:
    """What one given name says: a category sets its flags, a flag of 1 clears the others of its category."""
    column = book.columns.get(name)
    if column is not None and column.values:
        if not set(column.flags) & set(rule.inputs):
            raise DataError(f"it gives {name}, which the rule does not use")
        if value not in column.values:
            raise DataError(f"{name} has no value {value!r}", did_you_mean(str(value), column.values))
        yield from ((flag, float(flag == f"{name}_{value}")) for flag in column.flags)
        return
    if name not in rule.inputs:
        categories = {book.flags[flag][0] for flag in rule.inputs if flag in book.flags}
        choices = (*rule.inputs, *rule.curves, *categories)
        raise DataError(f"it gives {name}, which the rule does not use", did_you_mean(name, choices))
    number = math.nan if value == UNKNOWN else parse_as(_plain(value), _unit(book, name))
    if name in book.flags and number == 1:
        yield from ((flag, 0.0) for flag in book.columns[book.flags[name][0]].flags)
    yield name, number


def _unit(book: RuleBook, name: str) -> str:
    if name in book.flags:
        return "1"
    for entries in (book.quantities, book.columns, book.constants, book.op_columns):
        if name in entries:
            return str(entries[name].unit)
    return next(rule.unit for rule in book.op_rules.values() if rule.gives == name)


def _case_curve(book: RuleBook, name: str, value: Any) -> CurveFunction:
    """A curve given as one number (flat) or as [[x, y], …], in the curve's units."""
    curve = book.curves[name]
    if isinstance(value, list):
        return partial(interpolate, (curve_points(value, curve.x_unit, curve.y_unit),), None)
    flat = parse_as(_plain(value), curve.y_unit)
    return lambda x: np.where(np.isnan(x), np.nan, flat)
