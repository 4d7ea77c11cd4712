"""Entries that replace others and are something else: blamed themselves, not those that use them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from advisor.errors import UserError
from advisor.rulebook.parts import Problem
from advisor.rulebook.read import Raw
from advisor.units import Dimension, parse_unit


def blamed(
    problems: list[Problem], replaced: Sequence[tuple[Raw, Raw]], entries: Iterable[Raw]
) -> list[Problem]:
    """The problems, with each such entry told first and without what follows from it in the folders below.

    `replaced` holds what was replaced and what replaces it. Asked only where something is wrong: who replaces
    a quantity with all its users may give it another unit.
    """
    raws = list(entries)
    given = {name for raw in raws if isinstance(name := raw.keys.get("gives"), str)}
    told: list[Problem] = []
    below: set[str] = set()
    for before, now in replaced:
        if (found := _other(before, now, given)) is not None:
            told.append(found)
            below.add(before.folder)
    following = {raw.file for raw in raws if raw.folder in below}
    return [*told, *(problem for problem in problems if problem.file not in following)]


def _other(before: Raw, now: Raw, given: set[str]) -> Problem | None:
    """What an entry must give and does not, or None."""
    place = f"{before.file}:{before.line}, which it replaces"
    was, gives = before.keys.get("gives"), now.keys.get("gives")
    if isinstance(was, str) and was != gives and was not in given:
        text = f"is not what {place}, gives: nothing gives '{was}' any more"
        return now.problem("gives", gives, text, f"Give '{was}', or choose another id to add a rule.")
    asked, told = _dimension(before), _dimension(now)
    if was == gives and asked is not None and told is not None and asked != told:
        text = f"is in {told}; {place}, is in {asked}"
        return now.problem("unit", now.keys.get("unit"), text, f"Give it in {before.keys.get('unit')}.")
    return None


def _dimension(raw: Raw) -> Dimension | None:
    unit = raw.keys.get("unit")
    try:
        return parse_unit(unit).dimension if isinstance(unit, str) else None
    except UserError:
        return None  # told by the entry's own check
