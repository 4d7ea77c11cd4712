"""A rule's manual page and the list of all rules, as plain text."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable

from advisor.errors import UserError, did_you_mean
from advisor.rulebook.compile import PICK
from advisor.rulebook.parts import Case, Entry, OpColumn, Operator, OpTotal, Rule, RuleBook

_WIDTH = 96


def manual_page(book: RuleBook, id_: str) -> str:
    """All that is known of a rule, op_rule, operator, op_total or op_column, and of its neighbours.

    Raises UserError for an unknown id, with the nearest ones.
    """
    if id_ in book.rules:
        return _page(id_, _rule_page(book, book.rules[id_], "rule"))
    if id_ in book.op_rules:
        return _page(id_, _rule_page(book, book.op_rules[id_], "op_rule"))
    if id_ in book.operators:
        return _page(id_, _operator_page(book, book.operators[id_]))
    if id_ in book.op_totals:
        return _page(id_, _total_page(book, book.op_totals[id_]))
    if id_ in book.op_columns:
        return _page(id_, _column_page(book, book.op_columns[id_]))
    hint = did_you_mean(id_, page_ids(book)) or "`hwadvisor rules list` lists them."
    raise UserError(f"there is no rule '{id_}'", hint)


def whole_manual(book: RuleBook) -> str:
    """The manual pages of everything, file by file, as Markdown."""
    pages: dict[str, list[tuple[int, str]]] = {}
    kinds = (book.rules, book.operators, book.op_rules, book.op_totals, book.op_columns)
    for entry in (entry for entries in kinds for entry in entries.values()):
        pages.setdefault(entry.file, []).append((entry.line, entry.id))
    parts = ["# The rules", "", "Written by tools/make_rules_manual.py from the rule files; do not edit."]
    for file in sorted(pages):
        parts += ["", f"## {file}"]
        for _, id_ in sorted(pages[file]):
            title, _, *lines = manual_page(book, id_).rstrip("\n").split("\n")
            parts += ["", f"### {title}", "", "```text", *lines, "```"]
    return "\n".join(parts) + "\n"


def page_ids(book: RuleBook) -> tuple[str, ...]:
    """Every id that has a manual page."""
    return (*book.rules, *book.operators, *book.op_rules, *book.op_totals, *book.op_columns)


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join([title, "=" * len(title), *lines]) + "\n"


def _place(book: RuleBook, entry: Entry, kind: str) -> list[tuple[str, str]]:
    replaced = [o for o in book.overrides if o.kind == kind and o.id == entry.id]
    return [
        ("file", f"{entry.file}:{entry.line}"),
        *((("overrides", f"{o.replaced_file} of {o.replaced_folder}")) for o in replaced),
    ]


def _rule_page(book: RuleBook, rule: Rule, kind: str) -> list[str]:
    """A rule, or an op_rule."""
    everyone = [*book.rules.values(), *book.op_rules.values()]
    users = [f"{_kind(book, other)}{other.id}" for other in everyone if rule.gives in other.inputs]
    users += [f"operator {o.id}" for o in book.operators.values() if _uses(o, rule.gives)]
    users += [f"total {t.id}" for t in book.op_totals.values() if rule.gives in t.tree.names()]
    rivals = [other.id for other in everyone if other.gives == rule.gives and other.id != rule.id]
    rivals += [t.id for t in book.op_totals.values() if t.gives == rule.gives]
    own = ("of", ", ".join(rule.operators) or "all operators")
    rows = [
        ("gives", f"{rule.gives} [{rule.unit}]"),
        *((own,) if kind == "op_rule" else ()),
        ("when", rule.when or "always"),
        ("expr", rule.expr),
        ("why", rule.why),
        ("source", rule.source),
        *_place(book, rule, kind),
        *((("text", rule.text),) if rule.text else ()),
    ]
    lines = _rows(rows)
    # Of a constant by category the flags are said by its constants' names.
    picks = rule.tree.op == PICK
    inputs = [name for name in rule.inputs if not picks or name not in book.flags]
    lines += _block("uses", (_used(book, name) for name in (*inputs, *rule.curves)))
    lines += _block("used by", users)
    lines += _block("other rules for the same quantity", rivals)
    return lines + _cases(rule.cases)


def _kind(book: RuleBook, rule: Rule) -> str:
    """What to call a rule before its id: nothing, or that it is for operators."""
    return "op_rule " if book.op_rules.get(rule.id) is rule else ""


def _uses(operator: Operator, name: str) -> bool:
    when = operator.when_tree
    return any(name in rule.inputs for rule in operator.rules.values()) or (
        when is not None and name in when.names()
    )


def _operator_page(book: RuleBook, operator: Operator) -> list[str]:
    said = [f"{name} [{rule.unit}] = {rule.expr}" for name, rule in operator.rules.items()]
    rules = [
        f"{rule.id} gives {rule.gives}"
        for rule in book.op_rules.values()
        if (operator.id in rule.operators) or (not rule.operators and rule.gives not in operator.rules)
    ]
    totals = [
        f"{total.id} gives {total.gives}"
        for total in book.op_totals.values()
        if not total.operators or operator.id in total.operators
    ]
    names = dict.fromkeys(name for rule in operator.rules.values() for name in (*rule.inputs, *rule.curves))
    rows = [
        ("operator", operator.text),
        ("when", operator.when or "always"),
        ("source", operator.source),
        *_place(book, operator, "operator"),
    ]
    lines = _rows(rows) + _block("gives", said)
    lines += _block("uses", (_used(book, name) for name in names))
    lines += _block("op_rules for it", rules)
    return lines + _block("added up by", totals) + _cases(operator.cases)


def _total_page(book: RuleBook, total: OpTotal) -> list[str]:
    rows = [
        ("gives", f"{total.gives} [{total.unit}]"),
        ("is", f"the {total.by} over operators of {total.of}"),
        ("when", total.when or "always"),
        ("operators", ", ".join(total.operators or book.operators)),
        ("if none", "unknown" if math.isnan(total.none) else f"{total.none:g}"),
        ("why", total.why),
        ("source", total.source),
        *_place(book, total, "op_total"),
        *((("text", total.text),) if total.text else ()),
    ]
    users = [
        rule.id for rule in (*book.rules.values(), *book.op_rules.values()) if total.gives in rule.inputs
    ]
    lines = _rows(rows) + _block("uses", (_used(book, name) for name in total.tree.names()))
    return lines + _block("used by", users)


def _column_page(book: RuleBook, column: OpColumn) -> list[str]:
    rows = [
        ("text", column.text),
        ("unit", column.unit),
        ("default", "unknown" if column.default is None else f"{column.default:g}"),
        *_place(book, column, "op_column"),
    ]
    said = [
        f"{operator.id}: {operator.rules[column.id].expr}"
        for operator in book.operators.values()
        if column.id in operator.rules
    ]
    return _rows(rows) + _block("said by", said)


def _rows(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [line for key, text in rows for line in _row(key, text)]


def _cases(cases: Iterable[Case]) -> list[str]:
    return _block("cases", (f"{_given(case.given)} -> {_expected(case.expect)}" for case in cases))


def _expected(expect: object) -> str:
    return _given(expect) if isinstance(expect, dict) else str(expect)


def listing(book: RuleBook) -> list[Rule]:
    """All rules in the order in which they are computed, for `rules list`."""
    return [rule for name in book.order for rule in book.quantities[name].rules]


def _row(key: str, text: str) -> list[str]:
    return textwrap.wrap(
        f"{key + ':':<11}{text}",
        _WIDTH,
        subsequent_indent=" " * 11,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _block(title: str, items: Iterable[str]) -> list[str]:
    listed = list(items)
    if not listed:
        return []
    wrapped = (
        textwrap.wrap(item, _WIDTH - 2, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        for item in listed
    )
    return ["", f"{title}:", *(line for lines in wrapped for line in lines)]


def _used(book: RuleBook, name: str) -> str:
    if name in book.op_columns:
        op_column = book.op_columns[name]
        return f"{name} [{op_column.unit}] (op_column: {op_column.text})"
    if givers := [rule for rule in book.op_rules.values() if rule.gives == name]:
        return f"{name} [{givers[0].unit}] (given by {', '.join(rule.id for rule in givers)})"
    if name in book.constants:
        constant = book.constants[name]
        spread = "" if constant.low == constant.high else f", {constant.low:g} to {constant.high:g}"
        return f"{name} = {constant.value:g} {book.unit_of(name)}{spread} (constant; {constant.source})"
    if name in book.quantities:
        rules = ", ".join(rule.id for rule in book.quantities[name].rules)
        return f"{name} [{book.quantities[name].unit}] (given by {rules})"
    if name in book.flags:
        column, value = book.flags[name]
        return f"{name} (1 where {column} is {value})"
    if name in book.curves:
        curve = book.curves[name]
        return f"{name} [{curve.y_unit} over {curve.x_unit}] (curve: {curve.text})"
    column_ = book.columns[name]
    return f"{name} [{column_.unit}] (column: {column_.text})"


def _given(given: object) -> str:
    return ", ".join(f"{name} = {value}" for name, value in given.items()) if isinstance(given, dict) else ""
