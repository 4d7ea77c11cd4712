"""How alike the residuals of runs are, searched on left-out rows: one number after the other, up and down."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from advisor.evidence.fit import Problem
from advisor.evidence.leave_out import Fold, LeftOut
from advisor.evidence.validate import Z80
from advisor.neighbours import SLICES, Codes, Features, Kernel, Vector, covariance, doubts, widened

_FACTORS = ((0.6, 1.6), (0.75, 1.33))
_NUMBERS = ("fine", "program", "cross", "device", "network", "noise", "fine_scale", "cross_scale")


def search_kernel(
    problem: Problem, folds: Mapping[str, Sequence[Fold]], features: Features, kernel: Kernel
) -> Kernel:
    """The kernel with the smallest loss: minus log likelihood plus twice the mean error, both ways summed."""
    best = _loss(problem, folds, features, kernel)
    for factors in _FACTORS:
        for name in (*_NUMBERS, *(f"apart.{word}" for word in kernel.apart)):
            for factor in factors:
                for candidate in _onwards(kernel, name, factor):
                    loss = _loss(problem, folds, features, candidate)
                    if loss > best - 1e-4:
                        break
                    kernel, best = candidate, loss
                    print(f"  {name} x {factor:g}: {best:.4f}", flush=True)
    return kernel


def _onwards(kernel: Kernel, name: str, factor: float) -> Iterator[Kernel]:
    for _ in range(6):
        if name.startswith("apart."):
            word = name.removeprefix("apart.")
            kernel = replace(kernel, apart={**kernel.apart, word: kernel.apart[word] * factor})
        else:
            kernel = replace(kernel, **{name: getattr(kernel, name) * factor})
        yield kernel


def _loss(problem: Problem, folds: Mapping[str, Sequence[Fold]], features: Features, kernel: Kernel) -> float:
    """Every part's rows from all others at once: blocks of the inverse covariance give left-out residuals."""
    first = next(iter(folds.values()))[0]
    noise = doubts(kernel, features, problem.target - first.predicted, rounds=2)
    inverse = np.linalg.inv(covariance(kernel, features, features) + np.diag(noise))
    counts = Counter(problem.sources)
    total = 0.0
    for way, parts in folds.items():
        error, variance = np.zeros(len(noise)), np.zeros(len(noise))
        for fold in parts:
            block = np.linalg.inv(inverse[np.ix_(fold.part, fold.part)])
            residual = problem.target - fold.predicted
            left = block @ (inverse[fold.part] @ residual)
            own = np.diag(block) - noise[fold.part]
            explained = np.clip(1.0 - own / kernel.variance, 0.0, 1.0)  # as Neighbours.tell takes it
            error[fold.part] = residual[fold.part] - (residual[fold.part] - left) * explained
            variance[fold.part] = own + kernel.noise**2
        deviation = np.sqrt(np.maximum(variance, kernel.noise**2))
        unlikely = np.log(deviation) + 2.5 * np.log1p((error / deviation) ** 2 / 4)
        weights = np.ones(len(noise))
        if way == "source":
            weights = np.array([counts[source] ** -0.5 for source in problem.sources])
            weights /= weights.mean()
        total += float(np.mean(weights * (unlikely + 2 * np.minimum(np.abs(error), 0.7))))
    return total


_LEAST_ROWS = 20
_SHRINK = 10.0  # rows at which a slice's own width counts as much as that of all
_ROUNDS = 4  # a run is in a slice of each kind
_WIDER, _HIGHER = np.geomspace(0.6, 2.2, 14), np.geomspace(0.3, 4.0, 20)
_SHARP, _TAME = 0.08, 0.02  # of equally true widths the narrower, and the one nearer to that of all


def widen_to_truth(
    kernel: Kernel, problem: Problem, left_out: Sequence[LeftOut], words: Mapping[str, Sequence[str]]
) -> Kernel:
    """Floors and factors by which standard deviations hold 80 % of left-out rows, of all and of each slice.

    Two numbers a slice: rows near published runs (by group) and far from them (by source) ask for others.
    """
    errors = [np.abs(one.predicted - problem.target) for one in left_out]
    floors, factors = np.arange(0.01, 0.16, 0.01), np.arange(0.6, 2.0, 0.05)
    wide = [(one.deviation, np.ones_like(one.deviation)) for one in left_out]
    widen, floor = _truest(list(zip(errors, wide, strict=True)), factors, floors, tame=0.0)
    kernel = replace(kernel, floor=round(floor, 3), widen=round(widen, 3), widen_by={}, floor_by={})
    more, higher = dict[str, float](), dict[str, float]()
    for _ in range(_ROUNDS):
        for name in SLICES:
            now = replace(kernel, widen_by=more, floor_by=higher)
            named = np.array(words[name])
            found = {}
            for word in sorted(set(words[name])):
                own = np.flatnonzero(named == word)
                if len(own) >= _LEAST_ROWS:
                    parts = [
                        _part(now, error, one, own, words)
                        for error, one in zip(errors, left_out, strict=True)
                    ]
                    found[f"{name} {word}"] = (*_truest(parts, _WIDER, _HIGHER, _TAME), len(own))
            for key, (factor, lift, rows) in found.items():
                weight = rows / (rows + _SHRINK)
                more[key] = round(more.get(key, 1.0) * factor**weight, 3)
                higher[key] = round(higher.get(key, 1.0) * lift**weight, 3)
    return replace(kernel, widen_by=more, floor_by=higher)


_Part = tuple[Vector, tuple[Vector, Vector]]
"""Of some rows: errors, and what is told by deviation and by floor."""


def _part(
    kernel: Kernel, error: Vector, one: LeftOut, rows: Codes, words: Mapping[str, Sequence[str]]
) -> _Part:
    own = {name: [words[name][row] for row in rows] for name in SLICES}
    deviation = one.deviation[rows]
    return error[rows], (
        widened(replace(kernel, floor=0.0), deviation, own),
        widened(replace(kernel, widen=0.0), deviation, own),
    )


def _truest(parts: Sequence[_Part], factors: Vector, lifts: Vector, tame: float) -> tuple[float, float]:
    """Factor of the deviation and of the floor with which each part's ranges hold 80 %, and are not wide."""

    def loss(factor: float, lift: float) -> float:
        total = tame * (math.log(factor) ** 2 + math.log(lift) ** 2)
        for error, (deviation, floor) in parts:
            half = Z80 * np.hypot(factor * deviation, lift * floor)
            total += abs(float(np.mean(error < half)) - 0.8)
            total += _SHARP * float(np.mean(half + 5 * np.maximum(0.0, error - half)))
        return total

    pairs = [(float(factor), float(lift)) for factor in factors for lift in lifts]
    return min(pairs, key=lambda pair: loss(*pair))
