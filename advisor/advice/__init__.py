"""What holds this machine back: the entries of rules/advice, evaluated over what was seen and measured here.

`bottlenecks(book, advice)` gives a notice for each that holds, with its remedy. What is not known advises
nothing: a probe that was refused must not read as a fault.
"""

from __future__ import annotations

import re
from string import Formatter

from advisor.advice.facts import Row, rows_of
from advisor.estimate import Table, evaluate
from advisor.rulebook import RuleBook
from advisor.rulebook.parts import Hint
from advisor.schema import Advice, Notice
from advisor.units import show

__all__ = ["CODE", "bottlenecks"]

CODE = "advice_"
"""What the codes of these notices begin with; the rest is the id of the entry."""


def bottlenecks(book: RuleBook, advice: Advice) -> tuple[Notice, ...]:
    """A notice for each entry that holds, the devices it holds for together, in the order of the ids."""
    if advice.machine is None or not book.hints:
        return ()
    rows = rows_of(advice)
    columns = {name: [row.values.get(name) for row in rows] for name in _columns(book)}
    table = Table.from_columns(book, columns, rows=len(rows))
    names = {name for hint in book.hints.values() for name in _places(hint) if name in book.quantities}
    asked = (*(hint.gives for hint in book.hints.values()), *sorted(names))
    found = evaluate(book, table, asked)
    told: list[Notice] = []
    for hint in book.hints.values():
        told += _told(hint, rows, found, book)
    return tuple(told)


def _columns(book: RuleBook) -> list[str]:
    return [name for name in book.columns if name.startswith("here_")]


def _told(hint: Hint, rows: list[Row], found: Table, book: RuleBook) -> list[Notice]:
    """The notices of one entry: alike texts of several devices once, naming them all."""
    alike: dict[tuple[str, str], list[str]] = {}
    for at, row in enumerate(rows):
        if found.value(hint.gives, at) != 1.0:
            continue
        shown = {name: _shown(name, found, at, book) for name in _places(hint)}
        text, remedy = (_filled(part, shown) for part in (hint.text, hint.remedy))
        alike.setdefault((text, remedy), []).append(row.device)
    return [
        Notice(code=f"{CODE}{hint.id.replace('-', '_')}", message=_named(text, devices), hint=remedy)
        for (text, remedy), devices in alike.items()
    ]


def _places(hint: Hint) -> list[str]:
    both = [*Formatter().parse(hint.text), *Formatter().parse(hint.remedy)]
    return [name for _, name, _, _ in both if name and name != "device"]


def _shown(name: str, found: Table, at: int, book: RuleBook) -> str:
    unit = book.columns[name].unit if name in book.columns else book.unit_of(name)
    value = found.value(name, at)
    if unit == "%":
        return show(None if value is None else value * 100, "%", 2)
    return show(value, "1" if unit in ("1", "1/s") else book.unit_of(name))


_DEVICE = "{device}"


def _filled(text: str, shown: dict[str, str]) -> str:
    """The text with its figures; the place of the device stays until it is known which ones there are."""
    return re.sub(r"\{(\w+)\}", lambda at: shown.get(at[1], at[0]), text)


def _named(text: str, devices: list[str]) -> str:
    several = f"{len(devices)} x {devices[0]}" if len(set(devices)) == 1 else ", ".join(devices)
    return text.replace(_DEVICE, devices[0] if len(devices) == 1 else several)
