"""Predictions of published runs by constants and neighbours that have not seen them.

Ways of leaving out: by group (all rows of one network, device and count: somebody has published something
like it), by source (nobody has), by publisher. The same figure printed in several sources leaves with it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.evidence.fit import Fitter, Problem, predict
from advisor.evidence.inputs import Run
from advisor.neighbours import Features, Kernel, Neighbours, Told, covariance, doubts

Vector = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

WAYS = ("none", "group", "source", "publisher")
_REFIT_STEPS = 4  # with fresh derivatives, after the quick ones: large parts move the optimum
_GROUP_FOLDS = 20  # groups leave in twenty parts at a time: each is predicted from 95 % of the others
_SAME_FIGURE = 0.001  # of ln(seconds): nearer speeds of as many devices are two printings of one figure,
_SAME_RUN = 0.01  # and of the same network even when one of them is rounded


def _silent(_done: int, _all: int) -> None:
    """Nobody listens."""


def parts_of(runs: Sequence[Run], way: str) -> list[Index]:
    """The rows that leave together, every row in exactly one part."""
    if way == "none":
        return []
    keys = [_key(run, way) for run in runs]
    members: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        members[key].append(row)
    groups = [np.array(rows, dtype=np.int64) for _, rows in sorted(members.items())]
    if way != "group":
        return groups
    order = np.random.default_rng(2026).permutation(len(groups))
    folds = range(min(_GROUP_FOLDS, len(groups)))
    return [np.concatenate([groups[at] for at in order[k::_GROUP_FOLDS]]) for k in folds]


def _key(run: Run, way: str) -> str:
    if way == "source":
        return run.record.source
    if way == "publisher":
        return run.record.publisher
    return f"{run.name}|{run.entry.id}|{run.devices:g}"


def printed_again(runs: Sequence[Run], target: Vector, part: Index) -> Index:
    """Rows outside of the part that print a figure of it again: same vendor, device count and speed.

    Speeds are compared as ln(seconds of one sample on one accelerator), because one printing may tell the
    batch and the other not.
    """
    speed = target + np.array([_sample_share(run) for run in runs])
    near: dict[tuple[str, float, int], list[int]] = defaultdict(list)
    for row in part[np.isfinite(speed[part])].tolist():
        place = math.floor(speed[row] / _SAME_RUN)
        for beside in (place - 1, place, place + 1):
            near[runs[row].entry.vendor, runs[row].devices, beside].append(row)
    mine = set(part.tolist())
    found = []
    for row in np.flatnonzero(np.isfinite(speed)).tolist():
        run = runs[row]
        alike = near.get((run.entry.vendor, run.devices, math.floor(speed[row] / _SAME_RUN)), ())
        if row not in mine and any(
            abs(speed[row] - speed[at]) < (_SAME_RUN if run.name == runs[at].name else _SAME_FIGURE)
            for at in alike
        ):
            found.append(row)
    return np.array(found, dtype=np.int64)


def _sample_share(run: Run) -> float:
    """What turns ln(seconds of what the run measured) into those of one sample on one accelerator."""
    batch, count = run.record.number("global_batch"), run.record.number("num_accelerators")
    return math.log(count / batch) if batch and count else 0.0


@dataclass(frozen=True)
class LeftOut:
    """Each row predicted without its part: ln(seconds) by rules alone, then what neighbours add."""

    rules: Vector
    told: Vector  # correction
    deviation: Vector  # standard deviation of ln

    @property
    def predicted(self) -> Vector:
        """ln(seconds) with the correction."""
        return self.rules + self.told


@dataclass(frozen=True)
class Fold:
    """One part left out: what was fitted without it says of all rows."""

    part: Index
    kept: Index
    predicted: Vector  # ln(seconds) of all rows by these constants


def folds_of(
    problem: Problem,
    theta: Vector,
    way: str,
    asked: int | None = None,
    tell: Callable[[int, int], None] = _silent,
) -> list[Fold]:
    """The rules refitted without each part that holds one of the first `asked` rows (default: all).

    Rows without a measured or a predicted figure are predicted like the others and fitted on by none.
    `tell` hears how many of how many parts are done.
    """
    fitter, rows = Fitter(problem), np.arange(len(problem.runs))
    base = predict(problem, theta)
    every = np.flatnonzero(np.isfinite(problem.target) & np.isfinite(base))
    slope = np.zeros((len(rows), len(problem.names)))
    slope[every] = fitter.derivatives(theta, base[every], every)
    found: list[Fold] = []
    parts = [part for part in parts_of(problem.runs, way) if asked is None or part.min() < asked]
    for number, part in enumerate(parts):
        tell(number, len(parts))
        out = np.concatenate([part, printed_again(problem.runs, problem.target, part)])
        near = fitter.without(out, theta, slope, every)
        own = fitter.fit(np.setdiff1d(every, out), start=near, steps=_REFIT_STEPS)
        found.append(Fold(part, np.setdiff1d(every, out), predict(problem, own)))
    return found


def left_out(
    problem: Problem,
    folds: Sequence[Fold],
    features: Features,
    kernel: Kernel,
    tell: Callable[[int, int], None] = _silent,
) -> LeftOut:
    """Every row of the folds by constants and neighbours that have not seen its part; the others are NaN."""
    size = len(problem.runs)
    rules, told, deviation = (np.full(size, math.nan) for _ in range(3))
    every = covariance(kernel, features, features) if folds else np.zeros((0, 0))
    for number, fold in enumerate(folds):
        tell(number, len(folds))
        residuals = (problem.target - fold.predicted)[fold.kept]
        own = features.take(fold.kept)
        noise = doubts(kernel, own, residuals, own=every[np.ix_(fold.kept, fold.kept)])
        near = Neighbours(kernel, own, residuals, noise)
        said: Told = near.tell(features.take(fold.part))
        rules[fold.part], told[fold.part] = fold.predicted[fold.part], said.correction
        deviation[fold.part] = said.deviation
    return LeftOut(rules, told, deviation)
