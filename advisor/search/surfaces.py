"""How long an operator takes on this machine at any shape, from the points that a calibration timed.

A surface is a sum of what a call, a FLOP and a byte cost, fitted to the points of one operator in one
format, times a smooth correction that passes near them (a Gaussian process over the logarithms of the
sizes): beyond the points it becomes the sum again. Operators that only move numbers lie on a ladder of
sizes and are interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.schema import Calibration
from advisor.schema.calibration import Point

Sizes = Sequence[float]
Vector = npt.NDArray[np.float64]
LENGTH = 2.0  # doublings of a size over which a correction carries
NOISE = 0.05  # of the logarithm of a point
PER_DOUBLING = 0.02  # doubt of a ladder away from its rungs: 3 to 7 % were found five doublings away
FORMATS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
_WIDTH = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0}
_NOTHING = ("arange", "scalar_tensor", "randint")  # of no size that matters
PLAIN = "mul"  # stands for an operator that is not timed: two tensors read, one written


def work(operator: str, sizes: Sizes, width: float) -> tuple[float, float]:
    """(FLOPs, bytes) of an operator that computes, as bench/shapes.py tells its sizes."""
    back = operator.endswith(".back")
    if operator.startswith("product"):
        count, m, n, k = sizes
        return 2.0 * count * m * n * k, count * (m * n + m * k + n * k) * width
    if operator.startswith(("convolution", "depthwise")):
        _, wide, out, points, groups, after, before, asked = sizes
        once = 2.0 * after * out * points * wide / groups
        moved = after * out + before * wide + out * wide / groups * points
        return once * (asked if back else 1.0), moved * width * (1.5 if back else 1.0)
    if operator.startswith("attention"):
        heads, queries, keys, wide, causal = sizes
        once = 4.0 * heads * queries * keys * wide * (0.5 if causal else 1.0)
        return once * (2.5 if back else 1.0), heads * (queries + keys) * wide * 2 * width
    steps, sequences, wide, hidden = sizes
    once = 8.0 * steps * sequences * hidden * (wide + hidden)
    return once * (2.0 if back else 1.0), 4.0 * steps * hidden * (wide + hidden) * width


def features(operator: str, sizes: Sizes) -> Vector:
    """What an operator's speed hangs on beside its work, as doublings."""
    if operator.startswith(("convolution", "depthwise")):
        samples, wide, out, points, groups, after, before, asked = sizes
        patches = 1.0 if after * points <= before * 1.01 and points > 1 else 0.0
        found = [
            after,
            out,
            wide / groups * points,
            points,
            2.0**patches,
            before / after,
            samples,
            2.0**asked,
        ]
    elif operator.startswith("attention"):
        heads, queries, keys, wide, causal = sizes
        found = [heads, queries, keys, wide, 2.0 ** (2 * causal)]
    else:
        found = list(sizes)
    return np.log2(np.maximum(np.array(found, dtype=np.float64), 1e-3))


@dataclass(frozen=True)
class Surface:
    """One operator that computes, in one format."""

    operator: str
    width: float
    costs: Vector  # of a call, a FLOP, a byte, and what else an operator counts (`extra`)
    at: npt.NDArray[np.float64]
    weights: Vector
    inverse: npt.NDArray[np.float64]  # of the points' covariances, in units of `spread` squared
    spread: float  # of the logarithms of the points about the plain costs

    def seconds(self, sizes: Sizes) -> float:
        """Of one call."""
        plain = float(_terms(self.operator, sizes, self.width) @ self.costs)
        return plain * math.exp(float(self._near(sizes) @ self.weights))

    def doubt(self, sizes: Sizes) -> float:
        """How far it may be off, as a part: little beside a point, the whole scatter far from all."""
        near = self._near(sizes)
        return self.spread * math.sqrt(max(1.0 - float(near @ self.inverse @ near), 0.0))

    def _near(self, sizes: Sizes) -> Vector:
        found: Vector = _kernel(features(self.operator, sizes)[None, :], self.at)[0]
        return found


def extra(operator: str, sizes: Sizes) -> list[float]:
    """What else an operator takes time for: exponentials of attention, however narrow its heads are, and
    each head by itself, however short it is; the steps of a recurrent layer, one after the other."""
    if operator.startswith("attention"):
        heads, queries, keys, _, causal = sizes
        return [heads * queries * keys * (0.5 if causal else 1.0), heads]
    return [sizes[0]] if operator.startswith("recurrent") else []


def _terms(operator: str, sizes: Sizes, width: float) -> Vector:
    return np.array([1.0, *work(operator, sizes, width), *extra(operator, sizes)])


def _kernel(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    apart = ((a[:, None, :] - b[None, :, :]) / LENGTH) ** 2
    found: npt.NDArray[np.float64] = np.exp(-0.5 * apart.sum(axis=2))
    return found


def surface_of(operator: str, width: float, points: Sequence[tuple[Sizes, float]]) -> Surface:
    """Fit the costs, none of them negative, to the relative errors, then the correction to what is left."""
    rows = np.array([_terms(operator, sizes, width) for sizes, _ in points])
    seconds = np.array([taken for _, taken in points])
    costs = _not_negative(rows / seconds[:, None], np.ones(len(points)))
    left = np.log(seconds / np.maximum(rows @ costs, 1e-12))
    at = np.array([features(operator, sizes) for sizes, _ in points])
    amplitude = max(float(np.mean(left**2)), 1e-4)
    gram = _kernel(at, at) + np.eye(len(points)) * NOISE**2 / amplitude
    inverse: npt.NDArray[np.float64] = np.linalg.inv(gram).astype(np.float64)
    return Surface(operator, width, costs, at, inverse @ left, inverse, math.sqrt(amplitude))


def _not_negative(rows: npt.NDArray[np.float64], wanted: Vector) -> Vector:
    """Least squares without negative coefficients: of all subsets of them, the best that has none."""
    best, found = math.inf, np.zeros(rows.shape[1])
    for chosen in range(1, 2 ** rows.shape[1]):
        columns = [at for at in range(rows.shape[1]) if chosen >> at & 1]
        scale = np.abs(rows[:, columns]).max(axis=0)
        if not (scale > 0).all():
            continue
        part = np.linalg.lstsq(rows[:, columns] / scale, wanted, rcond=None)[0] / scale
        error = float(((rows[:, columns] @ part - wanted) ** 2).sum())
        if (part >= 0).all() and error < best:
            best, found = error, np.zeros(rows.shape[1])
            found[columns] = part
    return found


@dataclass(frozen=True)
class Ladder:
    """An operator that moves numbers: seconds over how many there are."""

    numbers: Vector
    taken: Vector

    def seconds(self, numbers: float) -> float:
        """Of one call; beyond the ladder in proportion, below it as its first step.

        Between two rungs along a line, as a call costs the same and each number the same; where a number
        costs more on the upper rung (it is beyond the caches), along a power of the numbers.
        """
        last = float(self.numbers[-1])
        inside = min(max(numbers, float(self.numbers[0])), last)
        at = max(int(np.searchsorted(self.numbers, inside)), 1)
        if len(self.numbers) == 1:
            return float(self.taken[0] * max(numbers / last, 1.0))
        low, high = float(self.numbers[at - 1]), float(self.numbers[at])
        below, above = float(self.taken[at - 1]), float(self.taken[at])
        if above / below > high / low:
            found = below * (inside / low) ** (math.log(above / below) / math.log(high / low))
        else:
            found = below + (above - below) * (inside - low) / (high - low)
        return float(found * max(numbers / last, 1.0))

    def doubt(self, numbers: float) -> float:
        """How far it may be off between two rungs, as a part."""
        inside = min(max(numbers, float(self.numbers[0])), float(self.numbers[-1]))
        return PER_DOUBLING * float(np.abs(np.log2(self.numbers / inside)).min())


class Surfaces:
    """All operators that a calibration timed on one device."""

    def __init__(self, sets: Sequence[tuple[str, Sequence[Point]]]) -> None:
        self.computing: dict[tuple[str, str], Surface] = {}
        self.moving: dict[tuple[str, str], Ladder] = {}
        for dtype, points in sets:
            grouped: dict[str, list[tuple[Sizes, float]]] = {}
            for operator, sizes, taken in points:
                grouped.setdefault(operator, []).append((sizes, taken))
            for operator, own in grouped.items():
                key = (operator, dtype)
                if len(own[0][0]) > 2:
                    self.computing[key] = surface_of(operator, _WIDTH.get(dtype, 4.0), own)
                else:
                    own.sort(key=lambda one: one[0][0])
                    numbers = np.array([sizes[0] for sizes, _ in own])
                    self.moving[key] = Ladder(numbers, np.array([taken for _, taken in own]))

    def seconds(self, operator: str, word: str, sizes: Sizes) -> float | None:
        """One call of an operator in torch's format `word`; None where nothing like it was timed."""
        dtype = FORMATS.get(word, "")
        if operator.startswith("grouped."):  # processors and older devices compute one group after the other
            each = self.seconds(operator.replace("grouped", "product"), word, (1.0, *sizes[1:]))
            return None if each is None else sizes[0] * each
        if len(sizes) > 2:
            surface = self.computing.get((operator, dtype))
            return None if surface is None else surface.seconds(sizes)
        ladder = self.moving.get((operator, dtype))
        if ladder is not None:
            return ladder.seconds(sizes[0])
        if operator in _NOTHING:
            return 0.0
        plain = self.moving.get((PLAIN, dtype)) or self.moving.get((PLAIN, "fp32"))
        if plain is None:
            return None
        return plain.seconds(sizes[1] / (3 * _WIDTH.get(dtype, 4.0)))

    def doubt(self, operator: str, word: str, sizes: Sizes) -> float:
        """How far the seconds of a call may be off for want of points near it, as a part."""
        dtype = FORMATS.get(word, "")
        if operator.startswith("grouped."):
            return self.doubt(operator.replace("grouped", "product"), word, (1.0, *sizes[1:]))
        surface, ladder = self.computing.get((operator, dtype)), self.moving.get((operator, dtype))
        if len(sizes) > 2:
            return 0.0 if surface is None else surface.doubt(sizes)
        return 0.0 if ladder is None else ladder.doubt(sizes[0])

    def call(self) -> tuple[float, float]:
        """(seconds of any call, operator or view, in a network; of an operator with next to no work)."""
        calls = self.moving.get(("calls", "fp32"))
        least = self.moving.get((PLAIN, "fp32"))
        if calls is None or least is None:
            return 0.0, 0.0
        return float(calls.taken[0] / calls.numbers[0]), float(least.taken[0])

    def fresh(self) -> float:
        """Seconds for a byte of memory that the system has to give first, beyond writing to it."""
        new, old = self.moving.get(("fresh", "fp32")), self.moving.get(("fill_", "fp32"))
        if new is None or old is None:
            return 0.0
        numbers = float(new.numbers[0])
        return max(float(new.taken[0]) - old.seconds(numbers), 0.0) / (numbers * _WIDTH["fp32"])


def surfaces_of(calibration: Calibration, device: str) -> Surfaces | None:
    """The surfaces of a calibration; None where it timed no operators there, or beside other programs."""
    sets = [
        (str(found.params.get("dtype")), found.points)
        for found in calibration.find("operators", device)
        if found.points and found.value is not None
    ]
    return Surfaces(sets) if sets else None
