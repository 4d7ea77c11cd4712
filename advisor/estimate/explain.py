"""How a figure came about, and why one is unknown: one row walked down to its leaves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from advisor.estimate.evaluate import evaluate, frame_of, leaves_of
from advisor.estimate.table import Table
from advisor.rulebook import Rule, RuleBook
from advisor.rulebook.compile import Frame, compile_expr
from advisor.rulebook.grammar import Expr
from advisor.schema import TraceStep


def explain(
    book: RuleBook, table: Table, row: int, quantity: str, scenario: str = "middle"
) -> tuple[TraceStep, ...]:
    """The trace of a quantity in a row: itself first, then all it rests on, each once.

    Rules come with their expression, reason and source; constants and inputs with where they came
    from. Values and units are SI. A value of None has its reason.
    """
    return tuple(_Walk(book, table, row, quantity, scenario).steps(quantity))


def why_unknown(book: RuleBook, table: Table, row: int, quantity: str, scenario: str = "middle") -> str:
    """Why a column or quantity is unknown in a row; '' when it is known.

    The reason is that of the first unknown input the value really depended on, followed down the
    rules, or that no rule covers the row.
    """
    return _Walk(book, table, row, quantity, scenario).reason(quantity)


class _Walk:
    """One row of a table with everything under `quantity` evaluated."""

    def __init__(self, book: RuleBook, table: Table, row: int, quantity: str, scenario: str) -> None:
        self.book = book
        one = table.take([row])
        # From the inputs up: the table may hold the quantity without what it was computed from.
        inputs = {name: values for name, values in one.columns.items() if name not in one.computed}
        one = replace(one, columns=inputs, computed=frozenset())
        self.table = evaluate(book, one, [quantity], scenario)
        names = {name for rule in book.rules.values() for name in rule.inputs} | {quantity}
        leaves = leaves_of(book, self.table, names, scenario)
        self.frame: Frame = frame_of(self.table, leaves, 0, 1, book)

    def value(self, name: str) -> float | None:
        """The value of a name in this row, None when unknown."""
        number = float(np.ravel(self.frame.values[name])[0])
        return None if math.isnan(number) else number

    def compute(self, tree: Expr) -> float:
        """The value of a part of an expression in this row; NaN when unknown."""
        with np.errstate(all="ignore"):
            return float(np.ravel(compile_expr(tree)(self.frame))[0])

    def chosen(self, name: str) -> Rule | None:
        """The rule that holds for a quantity in this row."""
        for rule in self.book.quantities[name].rules:
            holds = 1.0 if rule.when_tree is None else self.compute(rule.when_tree)
            if holds and not math.isnan(holds):
                return rule
        return None

    def reason(self, name: str) -> str:
        """Why a name is unknown in this row."""
        if self.value(name) is not None:
            return ""
        if name not in self.book.quantities:
            return self.input_reason(name)
        rule = self.chosen(name)
        if rule is not None:
            return self.blame(rule.tree) or f"rule '{rule.id}' gives no value"
        rules = self.book.quantities[name].rules
        for rule in rules:
            if rule.when_tree is not None and math.isnan(self.compute(rule.when_tree)):
                return self.blame(rule.when_tree)
        conditions = "; ".join(rule.when for rule in rules)
        return f"no rule for {name} covers this row: {conditions}"

    def input_reason(self, name: str) -> str:
        """Why a column, flag or curve has no value here."""
        column_id = self.book.flags[name][0] if name in self.book.flags else name
        told = self.table.told_reason(name) or self.table.told_reason(column_id)
        column = self.book.columns.get(column_id)
        return told or f"{column_id} is not known" + (f" ({column.text})" if column else "")

    def blame(self, tree: Expr) -> str:
        """The reason of the first unknown part that an unknown expression really depends on."""
        if tree.op == "name":
            return self.reason(tree.name)
        parts = tree.args
        if tree.op == "where":
            test = self.compute(parts[0])
            parts = (parts[0],) if math.isnan(test) else (parts[1] if test else parts[2],)
        for part in parts:
            if math.isnan(self.compute(part)):
                return self.blame(part)
        if tree.op == "curve":
            told = self.table.told_reason(tree.name)
            return told or f"curve {tree.name} is not known ({self.book.curves[tree.name].text})"
        return ""

    def steps(self, quantity: str) -> Iterator[TraceStep]:
        """The quantity and all below it, depth first, each once."""
        seen = {quantity}
        pending = [quantity]
        while pending:
            name = pending.pop()
            rule = self.chosen(name) if name in self.book.quantities else None
            if name in self.book.quantities:
                yield self.rule_step(name, rule)
            else:
                yield self.leaf_step(name)
            if rule is not None:
                yield from (self.curve_step(tree) for tree in rule.tree.walk() if tree.op == "curve")
                fresh = [used for used in rule.inputs if used not in seen]
                seen.update(fresh)
                pending += reversed(fresh)

    def rule_step(self, name: str, rule: Rule | None) -> TraceStep:
        """A quantity by the rule that gave it, or with the reason why none did."""
        value, unit = self.value(name), self.book.unit_of(name)
        if rule is None:
            return TraceStep(quantity=name, value=value, unit=unit, kind="rule", reason=self.reason(name))
        return TraceStep(
            quantity=name,
            value=value,
            unit=unit,
            kind="rule",
            rule=rule.id,
            file=f"{rule.file}:{rule.line}",
            expr=rule.expr + (f"  when {rule.when}" if rule.when else ""),
            why=rule.why,
            source=rule.source,
            reason=self.reason(name),
            inputs=(*rule.inputs, *rule.tree.curves()),
        )

    def leaf_step(self, name: str) -> TraceStep:
        """A constant, a flag or an input column with its source."""
        value, unit = self.value(name), self.book.unit_of(name)
        if name in self.book.constants:
            constant = self.book.constants[name]
            return TraceStep(
                quantity=name,
                value=value,
                unit=unit,
                kind=constant.kind,
                file=f"{constant.file}:{constant.line}",
                why=constant.text,
                source="; ".join(text for text in (constant.source, constant.fitted_from) if text),
            )
        column_id, word = self.book.flags.get(name, (name, ""))
        kind, source = self.table.source(name if name in self.table.sources else column_id)
        return TraceStep(
            quantity=name,
            value=value,
            unit=unit,
            kind=kind,
            expr=f"{column_id} is {word}" if word else "",
            why=self.book.columns[column_id].text,
            source=source,
            reason=self.reason(name),
        )

    def curve_step(self, tree: Expr) -> TraceStep:
        """What a curve gave at the x that was asked of it."""
        curve = self.book.curves[tree.name]
        x, y = self.compute(tree.args[0]), self.compute(tree)
        shipped = tree.name not in self.table.curves
        kind, source = ("published", curve.source) if shipped else self.table.source(tree.name)
        return TraceStep(
            quantity=tree.name,
            value=None if math.isnan(y) else y,
            unit=curve.y_unit,
            kind=kind,
            expr=f"curve at x = {x:g} {curve.x_unit}",
            why=curve.text,
            source=source,
            reason=self.blame(tree) if math.isnan(y) else "",
        )
