"""How a figure came about, and why one is unknown: one row walked down to its leaves."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from advisor.estimate.evaluate import curve_function, evaluate, leaf
from advisor.estimate.table import Array, Table
from advisor.rulebook import Rule, RuleBook
from advisor.rulebook.compile import PICK, TOTALS, Frame, compile_expr
from advisor.rulebook.expr import Expr
from advisor.rulebook.parts import HOLDS, SEPARATOR
from advisor.schema import TraceStep
from advisor.units import show, show_range

_OPERATOR = re.compile(r"^(?:operator \w+: )+")
_UNCOVERED = re.compile(r"^no rule for (\w+) covers this row: .*", re.DOTALL)
_UNFITTED = re.compile(r"^unfitted_\w+ is not known \((.*)\)$", re.DOTALL)


def said_plainly(reason: str) -> str:
    """A reason of `why_unknown` for readers who do not know the rules: no conditions, no placeholders."""
    reason = _OPERATOR.sub("", reason)
    if found := _UNCOVERED.match(reason):
        return f"the rules give no {found[1].replace('_', ' ')} for such a network and set-up"
    found = _UNFITTED.match(reason)
    return found[1] if found else reason


def explain(
    book: RuleBook, table: Table, row: int, quantity: str, scenario: str = "middle"
) -> tuple[TraceStep, ...]:
    """The trace of a quantity in a row: itself first, then all it rests on, each once.

    Rules come with their expression, reason and source; constants and inputs with where they came
    from. Values and units are SI. A value of None has its reason.
    """
    return tuple(Walk(book, table, row, [quantity], scenario).steps(quantity))


def explain_all(book: RuleBook, table: Table, row: int, quantities: Sequence[str]) -> tuple[TraceStep, ...]:
    """One trace of several quantities in a row: each of them, and all that any of them rests on, once."""
    return tuple(Walk(book, table, row, quantities).steps(*quantities))


def why_unknown(book: RuleBook, table: Table, row: int, quantity: str, scenario: str = "middle") -> str:
    """Why a column or quantity is unknown in a row; '' when it is known.

    The reason is that of the first unknown input the value really depended on, followed down the
    rules, or that no rule covers the row.
    """
    return Walk(book, table, row, [quantity], scenario).reason(quantity)


class _Lazy(dict[str, Any]):
    """A dict that asks for what it lacks."""

    def __init__(self, ask: Callable[[str], Any]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, name: str) -> Any:
        self[name] = value = self._ask(name)
        return value


class Walk:
    """One row of a table, to be walked from a quantity down to its leaves.

    Quick on a table on which all quantities have been evaluated in this scenario; of any other table
    the row is computed again from its inputs, as far as `want` needs it.
    """

    def __init__(
        self, book: RuleBook, table: Table, row: int, want: Iterable[str], scenario: str = "middle"
    ) -> None:
        self.book = book
        whole = (
            table.digest == book.digest
            and table.scenario == scenario
            and len(table.computed) == len(book.order)
        )
        if not whole:
            one = table.take([row])
            inputs = {name: values for name, values in one.columns.items() if name not in one.computed}
            table, row = replace(one, columns=inputs, computed=frozenset()), 0
            table = evaluate(book, table, want, scenario)
        self.table, self.row = table, row

        def value(name: str) -> Array:
            found = leaf(book, table, name, scenario)
            return found if found.ndim == 0 else found[row : row + 1]

        self.frame = Frame(_Lazy(value), _Lazy(lambda name: curve_function(book, table, name, row, row + 1)))

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
        if rule is not None and rule.tree.op == PICK and self.picked(rule.tree) is None:
            return self.reason(rule.tree.args[0].name) or rule.missing
        if rule is not None:
            return rule.missing or self.blame(rule.tree) or f"rule '{rule.id}' gives no value"
        rules = self.book.quantities[name].rules
        for rule in rules:
            if rule.when_tree is not None and math.isnan(self.compute(rule.when_tree)):
                return self.blame(rule.when_tree)
        conditions = "; ".join(rule.when for rule in rules)
        return f"no rule for {name} covers this row: {conditions}"

    def input_reason(self, name: str) -> str:
        """Why a column, flag or curve has no value here."""
        column_id = self.book.flags[name][0] if name in self.book.flags else name
        told = self.table.told_reason(name, self.row) or self.table.told_reason(column_id, self.row)
        column = self.book.columns.get(column_id)
        return told or f"{column_id} is not known" + (f" ({column.text})" if column else "")

    def blame(self, tree: Expr) -> str:
        """The reason of the first unknown part that an unknown expression really depends on."""
        if tree.op == "name":
            return self.reason(tree.name)
        if tree.op in TOTALS:
            return self.blame_total(tree)
        parts = tree.args
        if tree.op == "where":
            test = self.compute(parts[0])
            parts = (parts[0],) if math.isnan(test) else (parts[1] if test else parts[2],)
        for part in parts:
            if math.isnan(self.compute(part)):
                return self.blame(part)
        if tree.op == "curve":
            told = self.table.told_reason(tree.name, self.row)
            return told or f"curve {tree.name} is not known ({self.book.curves[tree.name].text})"
        return ""

    def blame_total(self, tree: Expr) -> str:
        """The first operator that is there with no value, or of which it is unknown whether it is."""
        for holds, value in zip(tree.args[::2], tree.args[1::2], strict=True):
            test = self.compute(holds)
            if math.isnan(test) or (test and math.isnan(self.compute(value))):
                operator = value.name.partition(SEPARATOR)[0]
                return f"operator {operator}: {self.blame(holds if math.isnan(test) else value)}"
        return "no operator that it adds up is there"

    def steps(self, *quantities: str) -> Iterator[TraceStep]:
        """The quantities and all below them, depth first, each once."""
        seen = set(quantities)
        pending = list(reversed(quantities))
        while pending:
            name = pending.pop()
            rule = self.chosen(name) if name in self.book.quantities else None
            if name in self.book.quantities:
                yield self.rule_step(name, rule)
            else:
                yield self.leaf_step(name)
            if rule is not None:
                yield from (self.curve_step(tree) for tree in rule.tree.walk() if tree.op == "curve")
                fresh = [used for used in self.inputs(rule) if used not in seen]
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
            expr=rule.expr + self.operators(rule) + (f"  when {rule.when}" if rule.when else ""),
            why=rule.why,
            source=rule.source,
            reason=self.reason(name),
            inputs=(*self.inputs(rule), *rule.curves),
        )

    def operators(self, rule: Rule) -> str:
        """Of a total what each operator adds to it, the greatest first."""
        if not rule.terms:
            return ""
        there = [(self.value(t.value), t.operator) for t in rule.terms if t.value in self.inputs(rule)]
        there.sort(key=lambda pair: -math.inf if pair[0] is None else -pair[0])  # unknown ones lead
        unit = self.book.unit_of(rule.gives)
        parts = [
            f"{operator} {'unknown' if value is None else show(value, unit)}" for value, operator in there
        ]
        return f": {', '.join(parts) or 'none is there'}"

    def inputs(self, rule: Rule) -> tuple[str, ...]:
        """The names a rule rests on in this row: of a total the operators that are there alone."""
        if rule.tree.op == PICK:
            picked = self.picked(rule.tree)
            return () if picked is None else tuple(part.name for part in picked if part.op == "name")
        if not rule.terms:
            # That an operator holds is not worth a line each time: its own `when` is in the text.
            return tuple(name for name in rule.inputs if not name.endswith(f"{SEPARATOR}{HOLDS}"))
        there = [term for term in rule.terms if not term.holds or self.value(term.holds) != 0]
        mine = {name for term in rule.terms for name in (term.value, term.holds)}
        return (*(term.value for term in there), *(name for name in rule.inputs if name not in mine))

    def picked(self, tree: Expr) -> tuple[Expr, Expr] | None:
        """Flag and value of the category's word in this row."""
        pairs = zip(tree.args[::2], tree.args[1::2], strict=True)
        return next((pair for pair in pairs if self.value(pair[0].name) == 1), None)

    def leaf_step(self, name: str) -> TraceStep:
        """A constant, a flag or an input column with its source."""
        value, unit = self.value(name), self.book.unit_of(name)
        if name in self.book.constants:
            constant = self.book.constants[name]
            if name in self.table.constants:
                return TraceStep(
                    quantity=name, value=value, unit=unit, kind="assumed", why=constant.text,
                    source=f"given in place of {constant.file}:{constant.line}",
                )  # fmt: skip
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
        kind, source = self.table.source(name if name in self.table.sources else column_id, self.row)
        return TraceStep(
            quantity=name,
            value=value,
            unit=unit,
            kind=kind,
            expr=f"{column_id} is {word}" if word else self.spread(name, unit),
            why=self.book.columns[column_id].text,
            source=source,
            reason=self.reason(name),
        )

    def spread(self, name: str, unit: str) -> str:
        """The 80 % range of an input that has one, as words."""
        if name not in self.table.ranges:
            return ""
        low, high = (float(end[self.row]) for end in self.table.ranges[name])
        return "" if math.isnan(low) or math.isnan(high) else f"80 % range {show_range(low, high, unit)}"

    def curve_step(self, tree: Expr) -> TraceStep:
        """What a curve gave at the x that was asked of it."""
        curve = self.book.curves[tree.name]
        x, y = self.compute(tree.args[0]), self.compute(tree)
        shipped = tree.name not in self.table.curves
        kind, source = ("published", curve.source) if shipped else self.table.source(tree.name, self.row)
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
