"""Stored steps against the steps that come out here: figures, kinds, and all that is said beside them."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable
from typing import NamedTuple

from advisor.schema import Kind, TraceStep

_SAME = 2e-6  # relative: files keep seven digits
_OF_A_MACHINE = (Kind.measured, Kind.probed)  # what nobody but the machine itself can say
_TEXTS = ("unit", "kind", "rule", "file", "expr", "why", "source", "reason", "inputs")
_TAKEN_OUT = re.compile(r"\\\[(?:(?:host|user|path|address|email|id)|(?:serial|uuid|pci)(?:\\ \d+))\\\]")
"""What `--redact` leaves in the place of a name, as re.escape writes it."""


class Way(NamedTuple):
    """How steps are compared."""

    texts: bool = True  # what is said is compared too: the rules are the same
    exact: bool = True  # the layout was left open as it was; else what was open comes back as stated
    redacted: bool = False


class Other(NamedTuple):
    """A step that is another here, and what of it: "" for its figure, its kind or its being there at all."""

    step: str
    field: str = ""


def other_step(then: tuple[TraceStep, ...], now: tuple[TraceStep, ...], way: Way) -> Other | None:
    """The first stored step that is not what comes out here; None where all are."""
    ours, theirs = _by_name(then), _by_name(now)
    strict = way.texts and way.exact
    for name in dict.fromkeys((*ours, *(theirs if strict else ()))):
        steps, others = ours.get(name, []), theirs.get(name, [])
        if not others and not strict:
            continue  # a leaf that is open in one and stated in the other has another name
        if len(steps) != len(others):
            return Other(name)
        for step, new in zip(steps, others, strict=True):
            if _other_figure(step, new):
                return Other(name)
            field = _other_text(step, new, way) if way.texts else ""
            if field:
                return Other(name, field)
    return None


def texts_differ(then: tuple[TraceStep, ...], now: tuple[TraceStep, ...], way: Way) -> bool:
    """Whether other rules say other words of the same steps: then nobody can tell whose words they are."""
    found = other_step(then, now, way._replace(texts=True))
    return found is not None


def _other_figure(step: TraceStep, new: TraceStep) -> bool:
    if step.value is not None and new.value is not None and not close(step.value, new.value):
        return True
    return step.kind != new.kind and (new.kind == Kind.rule or step.kind in _OF_A_MACHINE)


def _other_text(step: TraceStep, new: TraceStep, way: Way) -> str:
    """The first field that says something else; "" where none does."""
    if (step.value is None) != (new.value is None):
        return "value"
    loose = not way.exact and not new.rule and step.kind == Kind.assumed and new.kind == Kind.stated
    for name in _TEXTS:
        if loose and name in ("kind", "source"):
            continue
        then, now = getattr(step, name), getattr(new, name)
        if then != now and not (way.redacted and isinstance(then, str) and _taken_out(then, now)):
            return name
    return ""


@functools.lru_cache(maxsize=4096)
def _taken_out(then: str, now: str) -> bool:
    """Whether a text is the other one with names and paths taken out of it."""
    if "[" not in then:
        return False
    return re.fullmatch(_TAKEN_OUT.sub(".+", re.escape(then)), now, re.DOTALL) is not None


def _by_name(steps: Iterable[TraceStep]) -> dict[str, list[TraceStep]]:
    """The steps by what they give; a curve is read more than once, at several places."""
    found: dict[str, list[TraceStep]] = {}
    for step in steps:
        found.setdefault(step.quantity, []).append(step)
    return found


def close(a: float, b: float) -> bool:
    """Whether two figures are the same to the digits that files keep."""
    return a == b or math.isclose(a, b, rel_tol=_SAME)
