"""A traced network on this machine: its operators, each at its own shape, by what a calibration timed.

The columns it gives are seconds of one pass (forward and backward) at a ladder of micro-batches, and of the
update; rules/time/timed.toml makes a step of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor.estimate.inputs import Inputs
from advisor.rulebook import RuleBook
from advisor.schema import Calibration, Kind, Target
from advisor.search.surfaces import FORMATS, Surfaces, surfaces_of

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
GROUPS = ("products", "traffic", "calls", "memory")
COLUMNS = (*(f"timed_pass_{n}" for n in BATCHES), "timed_update", "timed_forward_part")
PROCESS_COLUMNS = ("timed_process", "update_result", "block_fixed", "block_each")
_LARGE = 32 << 20  # bytes from which an allocator of the host gives memory back at once (mallopt(3), glibc)
_STATES = 4  # numbers of 4 bytes for each weight that an update reads: weight, gradient, two moments
_PASSES = 2  # the weights are read forward and back, each time from memory: the update has swept the caches
_ALIVE = 2  # results of an update that live at a time: where they find no hole they are new memory
_MOST_DOUBT = 0.9
_TOLD = 0.05  # doubt from which on it is said where it comes from
_MOST_UNKNOWN = 0.1  # of a pass, in operators that were not timed: beyond it nothing is told
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Pass:
    """Seconds of one micro-batch there and back by group, of the update, and what of it is a guess."""

    groups: Mapping[str, float]
    update: float
    forward: float
    guessed: float  # seconds of operators for which another stands
    guesses: tuple[str, ...] = ()
    doubts: Mapping[str, float] = field(default_factory=dict)  # seconds by operator, far from points timed

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return sum(self.groups.values())

    @property
    def doubt(self) -> float:
        """How far the pass may be off for want of points, as a part: of one operator all shapes at once."""
        return min(math.hypot(*self.doubts.values()) / self.seconds, _MOST_DOUBT) if self.doubts else 0.0


class Untimed(Exception):
    """A format or an operator of which the calibration timed nothing."""


def pass_of(timed: Timed, document: Document, samples: float) -> Pass:
    """One pass of so many samples. On processors calls and work do not overlap.

    New memory that the update takes is told with the pass, since how much finds room hangs on the batch.
    Raises Untimed where the calibration has nothing for an operator that computes, or at all.
    """
    if timed.surfaces is None:
        raise Untimed(timed.reason)
    surfaces, bandwidth = timed.surfaces, timed.bandwidth
    own = document["own"]
    groups = dict.fromkeys(GROUPS, 0.0)
    update = forward = guessed = renewed = 0.0
    weights = 4.0 * float(document["trainable"])  # bytes; as many of gradients
    hole = _highest(document, samples) - weights  # what the pass leaves free below what stays
    calls = {"optimizer": 0, "pass": 0}
    guesses: set[str] = set()
    doubts: dict[str, float] = {}
    for phase, operator, word, count, lines, made in own["rows"]:
        sizes = [max(fixed + more * samples, 0.0) for fixed, more in lines]
        taken = surfaces.seconds(operator, word, sizes)
        if taken is None:
            raise Untimed(f"{operator} in {word or 'no format'} was not timed here")
        computes = len(sizes) > 2
        known = computes or (operator, FORMATS.get(word, "")) in surfaces.moving
        seconds = float(taken) * count
        if not known and phase != "optimizer":  # which only moves numbers, whatever its operators are called
            guessed += seconds
            guesses.add(operator)
        calls["optimizer" if phase == "optimizer" else "pass"] += count
        anew = _made(made, samples)
        if phase == "optimizer":
            update += seconds
            renewed += anew * count if _ALIVE * anew > hole or anew > _LARGE else 0.0
            continue
        groups["products" if computes else "traffic"] += seconds
        doubts[operator] = doubts.get(operator, 0.0) + seconds * surfaces.doubt(operator, word, sizes)
        forward += seconds if phase == "forward" else 0.0
    call, least = surfaces.call()
    beside = call * timed.calls_beside
    views = own["views"]
    passed = calls["pass"] + views["forward"] + views["backward"]
    groups["calls"] = max(passed * beside - calls["pass"] * least, 0.0)
    update += max((calls["optimizer"] + views["optimizer"]) * call - calls["optimizer"] * least, 0.0)
    if timed.host:
        cold = _line(document["memory"]["kept"], samples) + _PASSES * weights
        new = timed.fresh_share * new_bytes(document, samples) + renewed
        groups["memory"] = new * surfaces.fresh() + cold / bandwidth
    else:  # launches run ahead of the device: the slower of the two sets the pace
        work = groups["products"] + groups["traffic"]
        groups["calls"] = (work**4 + (passed * beside) ** 4) ** 0.25 - work
    update += _STATES * weights / bandwidth
    return Pass(groups, update, forward, guessed, tuple(sorted(guesses)), doubts)


def _line(line: Sequence[float], samples: float) -> float:
    return max(line[0] + line[1] * samples, 0.0)


def new_bytes(document: Document, samples: float) -> float:
    """Bytes of a pass that may be new memory: what lives at most, and each result too large for a heap."""
    large = 0.0
    for phase, _, _, count, _, made in document["own"]["rows"]:
        anew = _made(made, samples)
        large += anew * count if phase != "optimizer" and anew > _LARGE else 0.0
    return _highest(document, samples) + large


def _made(made: Sequence[float], samples: float) -> float:
    """Bytes of an operator's results that were not there before; the last go over all pairs of samples."""
    return float(made[0] + made[1] * samples + sum(made[2:]) * samples**2)


def _highest(document: Document, samples: float) -> float:
    """Bytes beside the weights that live at most, gradients with them: memory that each step takes anew."""
    copies = _line(document["memory"]["casts"], samples)
    peaks = {name: max(_line(piece, samples) for piece in pieces)
             for name, pieces in document["phases"].items()}  # fmt: skip
    return max(peaks.get("forward", 0.0) + copies, peaks.get("backward", 0.0))


@dataclass(frozen=True)
class Timed:
    """What a device was measured at, ready to look operators up; `reason` says why it is not."""

    surfaces: Surfaces | None
    bandwidth: float
    host: bool
    source: str
    fresh_share: float
    calls_beside: float
    reason: str = ""
    coarse: bool = False  # a grid of fewer shapes, as a default calibration has

    def one(self, document: Document, samples: float) -> Pass:
        """One pass of so many samples. Raises Untimed."""
        return pass_of(self, document, samples)


def device_of(target: Target) -> str:
    """torch's name of the device that stands for a place: of several alike the first."""
    return "cuda:0" if target.device == "all" else target.device


def timed_of(calibration: Calibration | None, device: str, book: RuleBook) -> Timed:
    """The surfaces and the bandwidth of a device (torch's name of it)."""
    share, beside = (book.constants[name].value for name in ("fresh_share", "calls_beside"))

    def without(reason: str) -> Timed:
        return Timed(None, 0.0, device == "cpu", "", share, beside, reason)

    if calibration is None:
        return without("this machine is not calibrated")
    surfaces = surfaces_of(calibration, device)
    if surfaces is None:
        return without("no operators were timed here, or only beside other programs: calibrate again")
    bandwidth = max((m.value for m in calibration.find("memory_bandwidth", device) if m.value), default=None)
    if bandwidth is None:
        return without("no memory bandwidth was measured here")
    coarse = any(m.params.get("grid") == "coarse" for m in calibration.find("operators", device))
    grid = "a coarse grid of shapes" if coarse else "the full grid of shapes"
    source = (
        f"operators of the trace, as timed by the calibration of {calibration.started_at[:10]} over {grid}"
    )
    return Timed(surfaces, bandwidth, device == "cpu", source, share, beside, coarse=coarse)


def grid_of(
    calibration: Calibration | None, device: str, document: Document | None, samples: float, book: RuleBook
) -> str:
    """What is to be said of the shapes behind a step timed by operators; "" where it is not timed so."""
    if document is None or "own" not in document:
        return ""
    try:
        timed = timed_of(calibration, device, book)
        one = timed.one(document, samples)
    except Untimed:
        return ""
    which = "a coarse grid of shapes" if timed.coarse else "the full grid of shapes"
    most = sorted(one.doubts, key=lambda name: -one.doubts[name])[:2]
    names = f", most of it {' and '.join(most)}" if one.doubt >= _TOLD else ""
    more = " `hwadvisor calibrate --thorough` times all shapes, each for longer." if timed.coarse else ""
    return (
        f"Put together from operators timed over {which}: what lies between them is known "
        f"within {one.doubt:.0%} of a pass{names}.{more}"
    )


def timed_inputs(
    calibration: Calibration | None, device: str, document: Document | None, book: RuleBook
) -> Inputs:
    """The columns of a network on a device that was calibrated; each with its reason where it is unknown."""
    found = process_inputs(device, document)
    try:
        if document is None or "own" not in document:
            raise Untimed("no operators of the network were traced for this machine")
        timed = timed_of(calibration, device, book)
        passes = [timed.one(document, n) for n in BATCHES]
        first = passes[0]
        if first.guessed > _MOST_UNKNOWN * first.seconds:
            raise Untimed(f"a part of its operators was not timed here: {', '.join(first.guesses[:5])}")
    except Untimed as error:
        for name in COLUMNS:
            found.put(name, None, Kind.measured, "", str(error))
        return found
    for n, one in zip(BATCHES, passes, strict=True):
        found.put(f"timed_pass_{n}", one.seconds, Kind.measured, timed.source)
        found.ranges[f"timed_pass_{n}"] = (one.seconds * (1 - one.doubt), one.seconds * (1 + one.doubt))
    found.put("timed_update", first.update, Kind.measured, timed.source)
    found.put("timed_forward_part", first.forward / first.seconds, Kind.measured, timed.source)
    return found


def process_inputs(device: str, document: Document | None) -> Inputs:
    """What the memory of a training process on this host hangs on beside tensors; no calibration is needed.

    The process that traced, and the largest results of single operators: of the update, and of a pass as
    the larger of a fixed one and one that grows with the samples.
    """
    found = Inputs()
    own = (document or {}).get("own")
    reason = "no operators of the network were traced for this machine" if own is None else ""
    if device != "cpu":
        own, reason = None, "a device's memory is not that of a process"
    process = None if own is None else own.get("process")
    found.put(
        "timed_process", process, Kind.measured, "the process that traced", reason or "not told by the system"
    )
    rows = [] if own is None else own["rows"]
    results = {
        "update_result": [made[0] for phase, *_, made in rows if phase == "optimizer"],
        "block_fixed": [made[0] for phase, *_, made in rows if phase != "optimizer"],
        "block_each": [made[1] for phase, *_, made in rows if phase != "optimizer"],
    }
    for name, sizes in results.items():
        largest = None if own is None else max([0.0, *sizes])
        found.put(name, largest, Kind.measured, "the trace", reason)
    return found


def timed_parts(timed: Timed, document: Document | None, samples: float, passes: int) -> dict[str, float]:
    """Seconds of a step by the groups that a trial measures; empty where it is not timed by operators."""
    if document is None or "own" not in document:
        return {}
    try:
        one = timed.one(document, samples)
    except Untimed:
        return {}
    groups = {name: seconds * passes for name, seconds in one.groups.items()}
    return {
        "products": groups["products"], "traffic": groups["traffic"], "update": one.update,
        "launches": groups["calls"] + groups["memory"],
    }  # fmt: skip
