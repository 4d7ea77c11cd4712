"""How alike the residuals of runs are, searched on left-out rows: one number after the other, up and down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from advisor.evidence.fit import Problem
from advisor.evidence.leave_out import Fold, LeftOut
from advisor.evidence.validate import Z80
from advisor.neighbours import SLICES, Features, Kernel, covariance, doubts, widened

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
_SHRINK = 40.0  # rows at which a slice's own spread counts as much as that of all


def widen_to_truth(
    kernel: Kernel, problem: Problem, left_out: Sequence[LeftOut], words: Mapping[str, Sequence[str]]
) -> Kernel:
    """Floor and factors by which standard deviations hold 80 % of left-out rows, both ways of leaving out."""
    errors = [one.predicted - problem.target for one in left_out]

    def off(floor: float, widen: float) -> float:
        inside = [
            np.mean(np.abs(error) < Z80 * np.hypot(widen * one.deviation, floor))
            for error, one in zip(errors, left_out, strict=True)
        ]
        return float(sum(abs(share - 0.8) for share in inside))

    grid = [(floor, widen) for floor in np.arange(0.0, 0.16, 0.01) for widen in np.arange(0.6, 2.0, 0.05)]
    floor, widen = min(grid, key=lambda pair: off(*pair))
    kernel = replace(kernel, floor=round(float(floor), 3), widen=round(float(widen), 3), widen_by={})
    more: dict[str, float] = {}
    for name in SLICES * 2:  # twice: a run is in a slice of each kind
        now = replace(kernel, widen_by=more)
        ratio = np.concatenate([
            np.abs(error) / (Z80 * widened(now, one.deviation, words))
            for error, one in zip(errors, left_out, strict=True)
        ])  # fmt: skip
        named = np.array([*words[name]] * len(errors))
        for word in sorted(set(words[name])):
            own = ratio[named == word]
            if len(own) >= _LEAST_ROWS * len(errors):
                weight = len(own) / (len(own) + _SHRINK * len(errors))
                key = f"{name} {word}"
                more[key] = round(more.get(key, 1.0) * float(np.quantile(own, 0.8)) ** weight, 3)
    return replace(kernel, widen_by=more)
