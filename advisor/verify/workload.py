"""A workload of the user's own made again from what it says was stated: its title, note and remarks.

What flags leave open comes of a reference workload, and the file says which: whoever words it otherwise says
something that no rule gives.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from advisor.data.catalogue import Catalogue
from advisor.errors import AdvisorError
from advisor.schema import Workload
from advisor.search.own import PREFERENCE, is_own, workload_from_flags
from advisor.units import show

_CLOSE = 2e-6  # relative: files keep seven digits
_HORIZON = ("method", "precision", "optimizer", "seq_len", "samples", "global_batch")
"""What flags state of a recipe and what is assumed where they do not."""


def of_own(catalogue: Catalogue, workloads: Iterable[Workload]) -> Iterator[str]:
    """What workloads of the user's own say of themselves and is not so here."""
    for one in workloads:
        if is_own(one.id):
            yield from _title(one)
            yield from _assumed(catalogue, one)


def titles_left(workloads: Iterable[Workload]) -> list[str]:
    """Titles of users' own workloads that say another amount of work than there is: they head every page.

    Data that was counted is packed or padded, and its title tells what was counted.
    """
    return [
        f"{one.id}: its title '{one.title[:120]}' tells another amount of work than its recipe"
        for one in workloads
        if is_own(one.id)
        and "samples" not in one.recipe.counted
        and not list(_title(one))
        and not _work_fits(one, (_parts(one) or ("", None))[1])
    ]


def _parts(one: Workload) -> tuple[str, str | None] | None:
    """The method and the amount of work that a title tells after its network; None for any other title."""
    network = one.model.title
    if not one.title.startswith(network):
        return None
    found = re.fullmatch(r", ([\w-]{1,20})(, .+)?", one.title.removeprefix(network))
    return (found[1], found[2]) if found else None


def _title(one: Workload) -> Iterator[str]:
    told, parts = one.title[:120], _parts(one)
    if not one.title.startswith(one.model.title):
        yield f"{one.id}: its title '{told}' does not begin with its network, {one.model.title[:80]}"
    elif parts is None or PREFERENCE.get(_plain(parts[0]), (parts[0], {}))[0] != one.recipe.method:
        yield f"{one.id}: its title '{told}' tells more than its network, its method and its work"


def _plain(method: str) -> str:
    return method.lower().replace("-", "_")


def _work_fits(one: Workload, told: str | None) -> bool:
    """Whether a title ends in its method, or in the tokens, images or steps of its recipe."""
    recipe, samples = one.recipe, one.recipe.samples
    if told is None or samples is None:
        return told is None
    if recipe.global_batch:
        steps = f", {samples / recipe.global_batch:,.0f} steps"
        if told.endswith(steps):  # which took the place of what was said before
            return told.count(", ") <= 2
    amounts = ((samples * (recipe.seq_len or 1), "tokens"), (samples, "images"), (samples, "tokens"))
    return told in {f", {show(count, unit)}" for count, unit in amounts}


def _assumed(catalogue: Catalogue, one: Workload) -> Iterator[str]:
    """What is said of its recipe, and what nobody stated of it: both are its reference workload's."""
    made = list(_again(catalogue, one))
    if not made or any(again.note == one.note and again.recipe.source == one.recipe.source for again in made):
        again = next((w for w in made if w.recipe.source == one.recipe.source), None)
        other = [
            name for name in _HORIZON
            if again is not None and name not in one.recipe.stated and not _same(one, again, name)
        ]  # fmt: skip
        if other and not one.recipe.counted:
            yield f"{one.id}: what nobody stated of it ({', '.join(other)}) is not what its rules give"
        return
    if all(again.note != one.note for again in made):
        yield f"{one.id}: its note '{one.note[:120]}' is not what its rules give"
    if all(again.recipe.source != one.recipe.source for again in made):
        told = one.recipe.source[:120]
        yield f"{one.id}: its remark on what is assumed, '{told}', is not what its rules give"


def _same(one: Workload, again: Workload, name: str) -> bool:
    then, now = getattr(one.recipe, name), getattr(again.recipe, name)
    if isinstance(then, float) and isinstance(now, float):
        return abs(then - now) <= _CLOSE * abs(now)
    return bool(then == now)


def _again(catalogue: Catalogue, one: Workload) -> Iterator[Workload]:
    """The workloads that its stated parts give: a batch may follow from an accumulation, an optimizer be told
    apart, and samples be those of so many steps, and then the remark names them among what was open."""
    recipe = one.recipe
    stated = set(recipe.stated)
    also = ["global_batch", "optimizer", *(["samples"] if one.title.endswith(" steps") else [])]
    also = [name for name in also if name in stated]
    for count in range(len(also) + 1):
        for some in itertools.combinations(also, count):
            try:
                yield workload_from_flags(catalogue, one.model, **_flags(one, stated - set(some)))
            except AdvisorError:
                continue  # told where it is computed again, if it matters there


def _flags(one: Workload, stated: set[str]) -> dict[str, Any]:
    recipe = one.recipe
    tokens = recipe.samples if "samples" in stated else None
    if tokens is not None and recipe.seq_len and not _sees(one):
        tokens *= recipe.seq_len
    return {
        "tokens": tokens,
        "method": _method(one) if "method" in stated else None,
        "precision": recipe.precision if "precision" in stated else None,
        "seq_len": recipe.seq_len if "seq_len" in stated else None,
        "batch": recipe.global_batch if "global_batch" in stated else None,
        "details": {"optimizer": recipe.optimizer} if "optimizer" in stated else None,
    }


def _method(one: Workload) -> str:
    """The word of --method: preference tuning is stored as what it trains like."""
    told = one.title.removeprefix(one.model.title).removeprefix(", ").split(", ", 1)[0]
    return told if _plain(told) in PREFERENCE else one.recipe.method


def _sees(one: Workload) -> bool:
    return "images" in one.title.rsplit(", ", 1)[-1] or one.model.family in ("cnn", "vit", "diffusion")
