"""[[advice]] entries -> the hint that is told, and the ordinary rule that says where it holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from string import Formatter

from advisor.errors import did_you_mean
from advisor.rulebook.parts import Hint, Problem
from advisor.rulebook.read import Keys, Raw

_RULE_KEYS = ("source", "cases")
OWN_WORDS = frozenset({"device"})
"""Places of a text that no column fills: the name of the device it is about."""


def read_hints(raws: Mapping[str, Raw], problems: list[Problem]) -> tuple[dict[str, Hint], dict[str, Raw]]:
    """[[advice]] id, when, text, remedy, source, cases: the hints, and a rule for each, as if written so."""
    hints, rules = {}, {}
    for id_, raw in raws.items():
        keys = Keys(raw, problems)
        when, text, remedy, source = (keys.text(key) for key in ("when", "text", "remedy", "source"))
        keys.raw_value("cases")  # checked as the rule's
        keys.no_more()
        if keys.failed:
            continue
        gives = "advice_" + id_.replace("-", "_")
        hints[id_] = Hint(
            id=id_, file=raw.file, line=raw.line, folder=raw.folder,
            text=text, remedy=remedy, source=source, gives=gives,
        )  # fmt: skip
        own = {key: raw.keys[key] for key in _RULE_KEYS if key in raw.keys}
        made = {"id": f"advice-{id_}", "gives": gives, "unit": "1", "expr": when, "why": text, **own}
        rules[f"advice-{id_}"] = replace(raw, kind="rule", id=f"advice-{id_}", keys=made)
    return hints, rules


def unknown_places(hints: Mapping[str, Hint], names: Collection[str], problems: list[Problem]) -> None:
    """A problem for each place of a text that nothing fills."""
    for hint in hints.values():
        for key, text in (("text", hint.text), ("remedy", hint.remedy)):
            for name in _places(text):
                if name not in names and name not in OWN_WORDS:
                    problem = f"has the place {{{name}}}, which is no column, constant or quantity"
                    near = did_you_mean(name, names)
                    label = f"advice '{hint.id}': {key}"
                    problems.append(Problem(hint.file, hint.line, label, text, problem, near))


def _places(text: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(text) if name]
