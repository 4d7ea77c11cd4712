"""A trace as a tree: each figure with its rule, the formula with the numbers in it, and what it rests on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from advisor.cli.language import form, quoted, show, show_ranged, told, told_once
from advisor.cli.text import label, left, paragraph, right, say
from advisor.errors import UserError
from advisor.rulebook.compile import Frame, compile_expr
from advisor.rulebook.expr import Expr
from advisor.rulebook.grammar import parse_expr
from advisor.schema import Estimate, NearRun, Quantity, TraceStep

_SEPARATOR = "__"  # between an operator and what is said of it, as in qkv__op_flops
_TOTAL = re.compile(r"(sum|max) over operators of (\w+)")
_FACTOR = "neighbour_factor"
_RANKS = {"or": 1, "and": 2, "not": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4,
          "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "neg": 7, "**": 8}  # fmt: skip
_SIGNS = {"*": "×", "**": "^", "-": "−", "<=": "≤", ">=": "≥", "==": "=", "!=": "≠", "//": "div"}


@dataclass(frozen=True)
class Tree:
    """The steps of one trace, walked from a figure down. `near`: runs behind the neighbours' correction."""

    steps: Mapping[str, TraceStep]
    near: Sequence[NearRun] = ()
    depth: int = 4
    spread: Quantity | None = None  # range of the figure at the top
    told: set[str] = field(default_factory=set)

    def tell(self, name: str) -> None:
        """Print the tree of a figure."""
        self._node(name, "", "", 0)

    def _node(self, name: str, first: str, rest: str, level: int) -> None:
        """One step: `first` stands before its line, `rest` before those that belong to it."""
        step = self.steps.get(name)
        if step is None:
            return
        shown, spread = show(step.value, step.unit), ""
        if level == 0 and self.spread is not None and self.spread.value is not None:
            shown, spread = show_ranged(step.value, self.spread.low, self.spread.high, step.unit)
        head = f"{_shown_name(name)} = {shown}"
        if spread:
            head += form("  (80 % range {spread})", spread=spread)
        if step.reason:
            head += f": {told(step.reason)}"
        if name in self.told:
            seen = form("  (see above)") if step.rule else f"  {_leaf(step)}"
            paragraph(head + seen, first, f"{rest}   ")
            return
        self.told.add(name)
        if not step.rule:
            paragraph(f"{head}  {_leaf(step)}", first, f"{rest}   ")
            if name == _FACTOR:
                self._runs(rest)
            return
        rule = form("  [rule {rule}, {file}]", rule=step.rule, file=step.file)
        paragraph(head + rule, first, f"{rest}   ")
        self._rule(step, rest, level)

    def _rule(self, step: TraceStep, rest: str, level: int) -> None:
        """The formula of a step, and what it rests on as far as the depth goes."""
        below, formula = self._below(step)
        deeper = level < self.depth
        inner = rest + ("│  " if below and deeper else "   ")
        if formula:
            paragraph(formula, inner, f"{inner}  ")
        if level <= 1 and step.why:
            why = told_once(step.why)
            paragraph(f"{why} ({step.source})" if step.source else why, inner, inner)
        self._operators(step, inner)
        if not deeper:
            for child in below:
                self._operators(self.steps[child], inner, f"{child} = {self._number(child)}")
            if below:
                more = form("… {count} below: --depth {depth}", count=len(below), depth=self.depth + 1)
                say(f"{rest}   {more}")
            return
        for at, child in enumerate(below):
            last = at == len(below) - 1
            self._node(child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "), level + 1)

    def _below(self, step: TraceStep) -> tuple[list[str], str]:
        """What the value rests on in this row, and its formula with the numbers in it."""
        known = [name for name in step.inputs if name in self.steps]
        if _TOTAL.match(step.expr):
            slowest = sorted(known, key=lambda name: -(self.steps[name].value or 0.0))
            return slowest[:2], ""
        tree = _parsed(step.expr)
        if tree is None:  # the value of a category: its flag says which
            return [name for name in known if " is " not in self.steps[name].expr] or known, ""
        names = {name: self._named(step, name) for name in tree.names()}
        values = {used: self._value(name) for used, name in names.items()}
        tree = _decided(tree, values)
        used = dict.fromkeys(names[name] for name in tree.names())
        curves = [name for name in tree.curves() if name in self.steps]
        formula = f"= {_text(tree, {k: self._number(v) for k, v in names.items()}, self._curves(tree))}"
        trivial = tree.op in ("num", "name")
        return [*(name for name in used if name in self.steps), *curves], "" if trivial else formula

    def _named(self, step: TraceStep, name: str) -> str:
        """The step that a name of an operator's rule means: qkv__op_flops for op_flops."""
        own = f"{step.quantity.partition(_SEPARATOR)[0]}{_SEPARATOR}{name}"
        return own if own in step.inputs else name

    def _value(self, name: str) -> float:
        step = self.steps.get(name)
        return math.nan if step is None or step.value is None else step.value

    def _number(self, name: str) -> str:
        step = self.steps.get(name)
        return name if step is None else show(step.value, step.unit)

    def _curves(self, tree: Expr) -> dict[str, str]:
        return {name: self._number(name) for name in tree.curves()}

    def _operators(self, step: TraceStep, before: str, title: str = "") -> None:
        """What each operator adds to a total, the greatest first; nothing for other steps."""
        total = _TOTAL.match(step.expr)
        names = [name for name in step.inputs if total and name.endswith(total[2]) and name in self.steps]
        if not names:
            return
        parts = [self.steps[name] for name in names]
        whole = math.fsum(part.value or 0.0 for part in parts)
        if title:
            say(f"{before}{title}")
        heads = right(told("each"), 12) + right(told("share"), 8)
        say(f"{before}{label('operator', 28)}{heads}")
        for part in sorted(parts, key=lambda part: -(part.value or 0.0)):
            share = f"{part.value / whole:.1%}" if whole and part.value is not None else ""
            operator = part.quantity.partition(_SEPARATOR)[0].replace("_", " ")
            name = left(told(f"op {operator}").removeprefix("op "), 28)
            say(f"{before}{name}{right(show(part.value, part.unit), 12)}{share:>8}")

    def _runs(self, rest: str) -> None:
        """The published runs that weigh most in a correction."""
        for run in self.near:
            ratio = run.measured_s / run.rules_s
            paragraph(
                form(
                    "{run}: measured {measured}, by the rules {rules} (x {ratio}, weight {weight}); {id}",
                    run=run.title,
                    measured=show(run.measured_s, "s"),
                    rules=show(run.rules_s, "s"),
                    ratio=f"{ratio:.2f}",
                    weight=f"{run.weight:.2f}",
                    id=run.id,
                ),
                f"{rest}   · ",
                f"{rest}     ",
            )


def tree_of(steps: Sequence[TraceStep], estimate: Estimate, quantity: str, depth: int) -> Tree:
    """The tree of a quantity of an estimate. Raises UserError when the trace does not hold it."""
    found = {step.quantity: step for step in steps}
    if quantity not in found:
        raise UserError(f"no trace of '{quantity}'", "Write the file again with this version.")
    return Tree(found, estimate.near, depth, estimate.quantities.get(quantity))


def _shown_name(name: str) -> str:
    operator, separator, what = name.partition(_SEPARATOR)
    return f"{what} of {operator}" if separator else name


def _leaf(step: TraceStep) -> str:
    """Kind of evidence and source of what no rule gives."""
    about = f", {told(step.expr)}" if step.expr else ""
    place = f" {step.file}:" if step.file else ""
    # What somebody or nobody said is a sentence of ours; a source is quoted as it stands.
    source = told(step.source) if step.kind in ("assumed", "stated") else quoted(step.source)
    return f"[{told(str(step.kind))}{about}]{place} {source}".rstrip(": ").rstrip()


def _parsed(text: str) -> Expr | None:
    """The tree of a stored expression; None for what is described in words (or a stranger's file)."""
    body = text.partition("  when ")[0]
    try:
        return parse_expr(body)
    except UserError:
        return None


def _decided(tree: Expr, values: Mapping[str, float]) -> Expr:
    """The expression without its conditions: of each the branch that these values take."""
    if tree.op == "where":
        test = _computed(tree.args[0], values)
        if not math.isnan(test):
            return _decided(tree.args[1] if test else tree.args[2], values)
    if not tree.args:
        return tree
    parts = tuple(_decided(part, values) for part in tree.args)
    if tree.op == "*" and parts[0].op == "num" and parts[0].number == 0:
        return parts[0]  # rules write `0 * x` for a zero with the unit of x
    return Expr(tree.op, parts, tree.number, tree.name)


def _computed(tree: Expr, values: Mapping[str, float]) -> float:
    if any(part.op == "curve" for part in tree.walk()):
        return math.nan
    frame = Frame({name: np.array([values.get(name, math.nan)]) for name in tree.names()}, {})
    with np.errstate(all="ignore"):
        return float(np.ravel(compile_expr(tree)(frame))[0])


def _text(tree: Expr, numbers: Mapping[str, str], curves: Mapping[str, str], outer: int = 0) -> str:
    """The expression as a person writes it, with numbers in place of names."""
    if tree.op == "num":
        return f"{tree.number:,.6g}"
    if tree.op == "name":
        return numbers[tree.name]
    parts = tree.args
    rank = _RANKS.get(tree.op)
    if tree.op == "where":
        test, then, other = (_text(part, numbers, curves) for part in parts)
        return f"({then} if {test}, else {other})"
    if rank is None:  # a function
        inner = ", ".join(_text(part, numbers, curves) for part in parts)
        return curves[tree.name] if tree.op == "curve" else f"{tree.op}({inner})"
    if tree.op in ("neg", "not"):
        sign = "−" if tree.op == "neg" else "not "
        text = sign + _text(parts[0], numbers, curves, rank)
    else:
        sign = _SIGNS.get(tree.op, tree.op)
        first, *more = (
            _text(part, numbers, curves, rank + (at > 0 and tree.op in ("-", "/", "**", "//")))
            for at, part in enumerate(parts)
        )
        text = f" {sign} ".join([first, *more])
    return f"({text})" if rank < outer else text
