"""A rule's manual page and the list of all rules, as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from advisor.errors import UserError, did_you_mean
from advisor.rulebook.parts import Rule, RuleBook

_WIDTH = 96


def manual_page(book: RuleBook, rule_id: str) -> str:
    """All that is known of a rule: what it says, why, whence, its examples, its neighbours.

    Raises UserError for an unknown id, with the nearest ones.
    """
    rule = book.rules.get(rule_id)
    if rule is None:
        hint = did_you_mean(rule_id, book.rules) or "`hwadvisor rules list` lists them."
        raise UserError(f"there is no rule '{rule_id}'", hint)
    users = [other.id for other in book.rules.values() if rule.gives in other.inputs]
    rivals = [other.id for other in book.quantities[rule.gives].rules if other.id != rule_id]
    replaced = [o for o in book.overrides if o.kind == "rule" and o.id == rule_id]
    rows = [
        ("gives", f"{rule.gives} [{rule.unit}]"),
        ("when", rule.when or "always"),
        ("expr", rule.expr),
        ("why", rule.why),
        ("source", rule.source),
        ("file", f"{rule.file}:{rule.line}"),
        *((("overrides", f"{o.replaced_file} of {o.replaced_folder}")) for o in replaced),
        *((("text", rule.text),) if rule.text else ()),
    ]
    lines = [rule.id, "=" * len(rule.id), *(line for key, text in rows for line in _row(key, text))]
    lines += _block("uses", (_used(book, name) for name in (*rule.inputs, *rule.curves)))
    lines += _block("used by", users)
    lines += _block("other rules for the same quantity", rivals)
    lines += _block("cases", (f"{_given(case.given)} -> {case.expect}" for case in rule.cases))
    return "\n".join(lines) + "\n"


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
