"""What a file says in words, and repeats of the catalogue, against what rules and catalogue say here.

Figures are compared one by one elsewhere; a sentence beside them persuades a reader as much as they do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from advisor.schema import Advice, Estimate, Model, Plan, Workload
from advisor.verify.workload import of_own

if TYPE_CHECKING:
    from advisor.app_knowledge import Knowledge
    from advisor.data.catalogue import Catalogue

_CLOSE = 2e-6  # relative: files keep seven digits
_APART = ("quantities", "limits", "sensitivity")  # compared by others
_WORDS = {
    "why": "sentence on memory",
    "limit": "limit",
    "choices": "set-up",
    "near": "list of published runs",
    "behind": "list of what keeps its cost from leading",
    "calibrated": "remark that it rests on measurements",
}
_OPEN_LAYOUT = re.compile(r"The best with .+ would be \d+% (slower|quicker)\.")
"""Said where the layout was open, which the file does not tell: nobody can make it again for certain."""


def differences(then: Any, now: Any, at: str = "") -> Iterator[str]:
    """Where two values differ, as "options 1 price_note"; figures to the digits that files keep."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in {**then, **now}:
            if key in _APART:
                continue
            where = f"{at} {key}".strip()
            if key in then and key in now:
                yield from differences(then[key], now[key], where)
            else:
                yield where
    elif isinstance(then, (list, tuple)) and isinstance(now, (list, tuple)):
        if len(then) != len(now):
            yield at
            return
        for number, (one, other) in enumerate(zip(then, now, strict=True), 1):
            yield from differences(one, other, f"{at} {number}".strip())
    elif isinstance(then, float) and isinstance(now, float):
        if not math.isclose(then, now, rel_tol=_CLOSE):
            yield at
    elif then != now:
        yield at


def of_estimate(what: str, then: Estimate, now: Estimate, *, exact: bool = True) -> Iterator[str]:
    """What an estimate says of itself and is not so here; `exact`: made with the same left open."""
    fields = set(_WORDS)
    found = next(differences(then.model_dump(include=fields), now.model_dump(include=fields)), "")
    if found:
        yield f"{what}: its {_WORDS[found.split()[0]]} is not what its rules give"

    def is_open(note: str) -> bool:
        return not exact and _OPEN_LAYOUT.fullmatch(note) is not None

    false = [note for note in then.notes if note not in now.notes and not is_open(note)]
    if false:
        yield f"{what}: its note '{false[0][:120]}' is not among those that its rules give"
    lacks = [note for note in now.notes if note not in then.notes and not is_open(note)]
    if lacks:
        yield f"{what}: the note '{lacks[0][:120]}' is missing"


def left_open(what: str, then: Estimate, now: Estimate) -> str:
    """A note that only a search of layouts gives, and which was not made again; "" where there is none."""
    rest = [note for note in then.notes if note not in now.notes and _OPEN_LAYOUT.fullmatch(note)]
    return f"{what}: its note '{rest[0][:120]}'" if rest else ""


def of_plan(then: Plan, now: Plan) -> Iterator[str]:
    """What a plan says beside its figures and is not so here."""
    found = next(differences(then.model_dump(), now.model_dump()), "")
    if found:
        yield f"plan: what it says at '{found}' is not what its rules give"


def of_file(knowledge: Knowledge, catalogue: Catalogue, advice: Advice) -> list[str]:
    """What a file repeats of the catalogue, and what it tells a machine's owner, and is not so here."""
    return [
        *_accelerators(catalogue, advice),
        *_workloads(catalogue, advice.workloads),
        *of_own(catalogue, advice.workloads),
        *_bottlenecks(knowledge, advice),
    ]


def _accelerators(catalogue: Catalogue, advice: Advice) -> Iterator[str]:
    from advisor.data.catalogue import figures_of, price_figure
    from advisor.request.money import ASKED

    for one in advice.accelerators:
        known = catalogue.accelerators.get(one.id)
        if known is None:
            continue  # what is estimated of it cannot be computed again either, and that is told
        held, asked = one.model_dump(), one.figures.get(ASKED)
        held["figures"].pop(ASKED, None)
        found = next(differences(held, figures_of(known).model_dump()), "")
        if found:
            yield f"{one.id}: its {found} is not that of the catalogue"
        if asked is not None and not any(next(differences(asked.model_dump(), p.model_dump()), "") == ""
                                         for p in map(price_figure, known.offers)):  # fmt: skip
            yield f"{one.id}: the price of an hour is none of the catalogue's offers"


def _workloads(catalogue: Catalogue, workloads: Iterable[Workload]) -> Iterator[str]:
    known = {workload.id: workload for workload in catalogue.workloads}
    for one in workloads:
        model = catalogue.models.get(one.model.id)
        if model is not None and _claims(one.model, model):
            found = next(differences(one.model.model_dump(), model.model_dump()), "")
            if found:
                yield f"{one.id}: its network's {found} is not that of {model.id} in the catalogue"
        reference = known.get(one.id)
        if reference is not None:
            found = next(differences(one.model_dump(), reference.model_dump()), "")
            if found:
                yield f"{one.id}: its {found} is not that of the reference workload"


def _claims(model: Model, known: Model) -> bool:
    """Whether a network is said to be that of the catalogue: one read from a file may share its id."""
    return model.source == known.source or model.title == known.title


def _bottlenecks(knowledge: Knowledge, advice: Advice) -> Iterator[str]:
    """What holds a machine back is told by rules from what was seen there."""
    from advisor.advice import CODE, bottlenecks

    told = [(n.code, n.message, n.hint) for n in advice.notices if n.code.startswith(CODE)]
    if advice.machine is None:
        return
    now = [(n.code, n.message, n.hint) for n in bottlenecks(knowledge.book, advice)]
    for code, message, hint in told:
        if (code, message, hint) not in now:
            yield f"its remark '{message[:120]}' is not among those that its rules give"
            break
    whole = advice.command == "scan" and advice.stage == "complete"
    for code, message, hint in now if whole else ():
        if (code, message, hint) not in told:
            yield f"the remark '{message[:120]}' is missing"
            break
