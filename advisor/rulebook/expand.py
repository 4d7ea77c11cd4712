"""Operators x op_rules -> ordinary rules, so that one evaluator and one explanation serve both.

What is said of operator `qkv` under the name `op_s` becomes the quantity `qkv__op_s`, with a rule
`qkv/<op_rule>` for it. A total becomes one rule over those quantities.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from advisor.rulebook.compile import later
from advisor.rulebook.expr import Expr
from advisor.rulebook.parts import HOLDS, SEPARATOR, OpColumn, Operator, OpTotal, Problem, Rule, Term
from advisor.units import ONE


@dataclass(frozen=True)
class OpBook:
    """All that is said of operators, checked, by id."""

    columns: Mapping[str, OpColumn] = field(default_factory=dict)
    operators: Mapping[str, Operator] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    totals: Mapping[str, OpTotal] = field(default_factory=dict)


def expand(ops: OpBook, problems: list[Problem]) -> list[Rule]:
    """The rules of every operator and those of the totals. Names are checked already."""
    own = {*ops.columns, *(rule.gives for rule in ops.rules.values())}
    used = _used(ops, own)
    made: list[Rule] = []
    for operator in ops.operators.values():
        made += _of_operator(ops, operator, own, used, problems)
    for total in ops.totals.values():
        made += _of_total(ops, total, own)
    return made


def quantity_name(operator: str, name: str) -> str:
    """The candidate quantity that holds what is said of an operator under a name."""
    return f"{operator}{SEPARATOR}{name}"


def _used(ops: OpBook, own: set[str]) -> set[str]:
    """The names of operators that some expression asks for."""
    rules = [
        *ops.rules.values(),
        *(r for operator in ops.operators.values() for r in operator.rules.values()),
    ]
    found = {name for rule in rules for name in rule.inputs}
    return own & found.union(*(total.tree.names() for total in ops.totals.values()))


def _of_operator(
    ops: OpBook, operator: Operator, own: set[str], used: set[str], problems: list[Problem]
) -> Iterator[Rule]:
    """Whether it is there, what it says of itself, what op_rules give for it, and what is unknown."""
    rename = _renamer(operator.id, own)
    if operator.when_tree is not None:
        yield _holds(operator, operator.when_tree)
    templates = [*operator.rules.values(), *_rules_for(ops, operator, problems)]
    for template in templates:
        # What an operator says of itself has the operator's `when` already.
        condition = None if template.gives in operator.rules else template.when_tree
        yield _for_operator(template, operator, condition, rename)
    for name in sorted(used - {template.gives for template in templates}):
        yield _unsaid(ops, operator, name)


def _rules_for(ops: OpBook, operator: Operator, problems: list[Problem]) -> list[Rule]:
    """The op_rules for an operator. What it says of itself goes before a rule for all operators."""
    chosen: dict[str, list[Rule]] = {}
    for rule in ops.rules.values():
        if rule.operators and operator.id not in rule.operators:
            continue
        if rule.gives in operator.rules:
            if rule.operators:
                said = f"operator '{operator.id}' says {rule.gives} itself"
                where = f"{said} ({operator.file}:{operator.line})"
                problems.append(_problem(rule, where, "Leave it out of `operators`, or of what it gives."))
            continue
        chosen.setdefault(rule.gives, []).append(rule)
    for name, rivals in chosen.items():
        always = [rule for rule in rivals if rule.when_tree is None]
        if always and len(rivals) > 1:
            other = next(rule for rule in rivals if rule is not always[0])
            said = f"gives '{name}' of operator '{operator.id}' without `when`, but op_rule '{other.id}'"
            hint = "Give each a `when`, so that exactly one holds, or different `operators`."
            problem = _problem(always[0], f"{said} ({other.file}:{other.line}) gives it too", hint)
            if not any(p.file == problem.file and p.line == problem.line for p in problems):
                problems.append(problem)  # once, and not for each operator
    return [rule for rivals in chosen.values() for rule in rivals]


def _problem(rule: Rule, problem: str, hint: str) -> Problem:
    return Problem(rule.file, rule.line, f"op_rule '{rule.id}'", None, problem, hint)


def _renamer(operator: str, own: set[str]) -> Callable[[str], str]:
    return lambda name: quantity_name(operator, name) if name in own else name


def renamed(tree: Expr, rename: Callable[[str], str]) -> Expr:
    """The tree with other names; parts that keep theirs stay the same objects."""
    if tree.op == "name":
        name = rename(tree.name)
        return tree if name == tree.name else Expr("name", name=name)
    args = tuple(renamed(arg, rename) for arg in tree.args)
    if all(new is old for new, old in zip(args, tree.args, strict=True)):
        return tree
    return Expr(tree.op, args, tree.number, tree.name)


def _holds(operator: Operator, when_tree: Expr) -> Rule:
    names = when_tree.names()
    return Rule(
        id=f"{operator.id}/{HOLDS}", file=operator.file, line=operator.line, folder=operator.folder,
        gives=quantity_name(operator.id, HOLDS), unit="1", dimension=ONE, expr=operator.when, when="",
        why=f"whether there is any {operator.text}", source=operator.source, cases=(), tree=when_tree,
        when_tree=None, names=names, inputs=names, curves=when_tree.curves(), run=later(when_tree),
        run_when=None, operator=operator.id,
    )  # fmt: skip


def _for_operator(
    template: Rule, operator: Operator, condition: Expr | None, rename: Callable[[str], str]
) -> Rule:
    """A rule over names of operators, for one operator."""
    tree = renamed(template.tree, rename)
    parts: list[Expr] = []
    when = operator.when
    if operator.when_tree is not None:
        parts.append(Expr("name", name=quantity_name(operator.id, HOLDS)))
    if condition is not None:
        parts.append(renamed(condition, rename))
        when = f"({when}) and ({template.when})" if when else template.when
    when_tree = Expr("and", tuple(parts)) if len(parts) > 1 else parts[0] if parts else None
    names = tuple(rename(name) for name in template.names)
    more = when_tree.names() if when_tree is not None else ()
    return replace(
        template, id=f"{operator.id}/{template.id}", gives=rename(template.gives), when=when, cases=(),
        tree=tree, when_tree=when_tree, names=names, inputs=tuple(dict.fromkeys((*names, *more))),
        run=later(tree), run_when=None if when_tree is None else later(when_tree), operators=(),
        operator=operator.id,
    )  # fmt: skip


def _unsaid(ops: OpBook, operator: Operator, name: str) -> Rule:
    """The default of an op_column, or an unknown with its reason."""
    column = ops.columns.get(name)
    default = math.nan if column is None or column.default is None else column.default
    if column is None:
        model = next(rule for rule in ops.rules.values() if rule.gives == name)
        unit, dimension = model.unit, model.dimension
    else:
        unit, dimension = column.unit, column.dimension
    known = not math.isnan(default)
    tree = Expr("num", number=default)
    return Rule(
        id=f"{operator.id}/{name}", file=operator.file, line=operator.line, folder=operator.folder,
        gives=quantity_name(operator.id, name), unit=unit, dimension=dimension,
        expr=f"{default:g}" if known else "unknown", when="",
        why=f"not said of {operator.id}: the default of {name}" if known else "",
        source=f"{column.file}:{column.line}" if column else "", cases=(), tree=tree, when_tree=None,
        names=(), inputs=(), curves=(), run=later(tree), run_when=None, operator=operator.id,
        missing="" if known else f"nothing says {name} of operator {operator.id}",
    )  # fmt: skip


def _of_total(ops: OpBook, total: OpTotal, own: set[str]) -> Iterator[Rule]:
    """A total, and what each operator adds to it where that is more than a name."""
    plain = total.tree.op == "name" and total.tree.name in own
    terms = []
    for operator in ops.operators.values():
        if total.operators and operator.id not in total.operators:
            continue
        rename = _renamer(operator.id, own)
        holds = "" if operator.when_tree is None else quantity_name(operator.id, HOLDS)
        name = rename(total.tree.name) if plain else quantity_name(operator.id, total.gives)
        terms.append(Term(operator.id, name, holds))
        if not plain:
            part = _total_rule(total, total.tree, total.gives)
            yield replace(_for_operator(part, operator, total.when_tree, rename), gives=name)
    args = tuple(
        part
        for term in terms
        for part in (
            Expr("name", name=term.holds) if term.holds else Expr("num", number=1.0),
            Expr("name", name=term.value),
        )
    )
    tree = Expr(f"total_{total.by}", args, number=total.none)
    yield replace(_total_rule(total, tree, total.gives), terms=tuple(terms), run=later(tree))


def _total_rule(total: OpTotal, tree: Expr, gives: str) -> Rule:
    names = tree.names()
    more = total.when_tree.names() if total.when_tree is not None else ()
    is_total = tree is not total.tree
    return Rule(
        id=total.id, file=total.file, line=total.line, folder=total.folder, text=total.text, gives=gives,
        unit=total.unit, dimension=total.dimension,
        expr=f"{total.by} over operators of {total.of}" if is_total else total.of, when=total.when,
        why=total.why, source=total.source, cases=(), tree=tree, when_tree=total.when_tree, names=names,
        inputs=tuple(dict.fromkeys((*names, *more))), curves=tree.curves(), run=later(tree),
        run_when=None if total.when_tree is None else later(total.when_tree),
    )  # fmt: skip
