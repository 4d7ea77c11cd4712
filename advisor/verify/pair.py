"""One answer of a file beside the same answer computed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from advisor import __version__
from advisor.schema import Advice, Quantity, TraceStep
from advisor.verify.steps import Way, close, other_step, texts_differ

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
    way: Way = field(default_factory=Way)  # how its steps are compared


def way_of(advice: Advice, digest: str, *, exact: bool = True) -> Way:
    """How an advice's steps are held to those of rules of this digest: to the word where they are its own."""
    own = advice.versions.rules_digest == digest and advice.versions.tool == __version__
    return Way(own, exact, any(notice.code == "redacted" for notice in advice.notices))


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
    for then, now in _traces(pair):
        found = other_step(then, now, pair.way)
        if found is not None and found.field:
            said = f"what is said at the step {found.step} ({found.field})"
            yield f"{pair.what}: {said} is not what its rules give"
            return
        if found is not None:
            yield f"{pair.what}: the step {found.step} is not what its rules give"
            return


def unread(pair: Pair) -> bool:
    """Whether the words of its steps are others than those of the rules here, which are other rules."""
    return not pair.way.texts and any(texts_differ(then, now, pair.way) for then, now in _traces(pair))


def _traces(pair: Pair) -> list[tuple[tuple[TraceStep, ...], tuple[TraceStep, ...]]]:
    """Each stored trace with the one here, once: one trace stands behind many figures."""
    keys = dict.fromkeys(
        (pair.then[name].trace, one.trace)
        for name, one in pair.now.items()
        if name in pair.then and pair.then[name].trace in pair.steps_then and one.trace in pair.steps_now
    )
    return [(pair.steps_then[then], pair.steps_now[now]) for then, now in keys]


def alike(old: Quantity, new: Quantity | None) -> bool:
    """Whether a figure and its range are the same, to the digits that files keep."""
    if new is None:
        return old.value is None
    pairs = ((old.value, new.value), (old.low, new.low), (old.high, new.high))
    return all(a is b is None or (a is not None and b is not None and close(a, b)) for a, b in pairs)
