"""One answer of a file beside the same answer computed here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from advisor.schema import Kind, Quantity, TraceStep

_SAME = 2e-6  # files keep seven digits
_OF_A_MACHINE = (Kind.measured, Kind.probed)  # what nobody but the machine itself can say
Steps = Mapping[str, tuple[TraceStep, ...]]


@dataclass(frozen=True)
class Pair:
    """One answer of the file and what comes out here."""

    what: str
    then: dict[str, Quantity]
    now: dict[str, Quantity]
    fits: tuple[bool | None, bool | None] = (None, None)
    steps_then: Steps = field(default_factory=dict)
    steps_now: Steps = field(default_factory=dict)
    words: tuple[str, ...] = ()  # what is said beside the figures and is not so here
    open: tuple[str, ...] = ()  # what is said and cannot be made again for certain


def said_otherwise(pair: Pair) -> Iterator[str]:
    """What is said of the figures and is not so here: that it fits, how they came about, what is missing."""
    if pair.fits[0] != pair.fits[1]:
        yield f"{pair.what}: whether it fits is not what its rules give"
    missing = [name for name in pair.now if name not in pair.then]
    if missing:
        yield f"{pair.what}: {', '.join(missing)} not in the file"
    bare = [
        name for name, one in pair.now.items()
        if one.trace and name in pair.then and pair.then[name].trace not in pair.steps_then
    ]  # fmt: skip
    if bare:
        more = f" and {len(bare) - 3} more" if len(bare) > 3 else ""
        yield f"{pair.what}: no steps are stored behind {', '.join(bare[:3])}{more}"
    quoted = [n for n, one in pair.now.items() if n in pair.then and pair.then[n].source != one.source]
    if quoted:
        yield f"{pair.what}: the source of {', '.join(quoted)} is not what its rules give"
    for name, one in pair.now.items():
        old = pair.then.get(name)
        if old is not None and old.trace in pair.steps_then and one.trace in pair.steps_now:
            step = _other_step(pair.steps_then[old.trace], pair.steps_now[one.trace])
            if step:
                yield f"{pair.what}: the step {step} is not what its rules give"
                return  # one trace stands behind many figures


def _other_step(then: tuple[TraceStep, ...], now: tuple[TraceStep, ...]) -> str:
    """The first stored step with another figure, or another kind, than it has here; "" where none has.

    Leaves that were open come back as stated ones, so of theirs only what claims to be of a machine counts.
    """
    ours, theirs = _by_name(then), _by_name(now)
    for name, steps in ours.items():
        others = theirs.get(name, [])
        if not others:
            continue  # a leaf that is open in one and stated in the other has another name
        if len(steps) != len(others):
            return name
        for step, new in zip(steps, others, strict=True):
            if step.value is not None and new.value is not None and not _close(step.value, new.value):
                return name
            if step.kind != new.kind and (new.kind == Kind.rule or step.kind in _OF_A_MACHINE):
                return name
    return ""


def _by_name(steps: tuple[TraceStep, ...]) -> dict[str, list[TraceStep]]:
    """The steps by what they give; a curve is read more than once, at several places."""
    found: dict[str, list[TraceStep]] = {}
    for step in steps:
        found.setdefault(step.quantity, []).append(step)
    return found


def _close(a: float, b: float) -> bool:
    return a == b or math.isclose(a, b, rel_tol=_SAME)


def alike(old: Quantity, new: Quantity | None) -> bool:
    """Whether a figure and its range are the same, to the digits that files keep."""
    if new is None:
        return old.value is None
    pairs = ((old.value, new.value), (old.low, new.low), (old.high, new.high))
    return all(a is b is None or (a is not None and b is not None and _close(a, b)) for a, b in pairs)
