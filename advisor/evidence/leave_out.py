"""Predictions of published runs by constants and neighbours that have not seen them.

Ways of leaving out: by group (all rows of one network, device and count: somebody has published something
like it), by source (nobody has), by publisher. The same figure printed in several sources leaves with it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.evidence.fit import Fitter, Problem, predict
from advisor.evidence.inputs import Run
from advisor.neighbours import Features, Kernel, Neighbours, Told, doubts

Vector = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

WAYS = ("none", "group", "source", "publisher")
_GROUP_FOLDS = 20  # groups leave in twenty parts at a time: each is predicted from 95 % of the others
_SAME_FIGURE = 3  # decimals of ln(seconds) that tell two printings of one figure


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
    return [np.concatenate([groups[at] for at in order[k::_GROUP_FOLDS]]) for k in range(_GROUP_FOLDS)]


def _key(run: Run, way: str) -> str:
    if way == "source":
        return run.record.source
    if way == "publisher":
        return run.record.publisher
    return f"{run.name}|{run.entry.id}|{run.devices:g}"


def printed_again(runs: Sequence[Run], target: Vector, part: Index) -> Index:
    """Rows outside of the part that print a figure of it again: same device, count and seconds."""
    keys = [
        (run.entry.vendor, run.devices, round(float(y), _SAME_FIGURE))
        for run, y in zip(runs, target, strict=True)
    ]
    inside = {keys[row] for row in part}
    mine = set(part.tolist())
    return np.array(
        [row for row, key in enumerate(keys) if key in inside and row not in mine], dtype=np.int64
    )


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


def folds_of(problem: Problem, theta: Vector, way: str, asked: int | None = None) -> list[Fold]:
    """The rules refitted without each part that holds one of the first `asked` rows (default: all).

    Rows without a measured or a predicted figure are predicted like the others and fitted on by none.
    """
    fitter, rows = Fitter(problem), np.arange(len(problem.runs))
    base = predict(problem, theta)
    every = np.flatnonzero(np.isfinite(problem.target) & np.isfinite(base))
    slope = np.zeros((len(rows), len(problem.names)))
    slope[every] = fitter.derivatives(theta, base[every], every)
    found = []
    for part in parts_of(problem.runs, way):
        if asked is not None and part.min() >= asked:
            continue
        out = np.concatenate([part, printed_again(problem.runs, problem.target, part)])
        own = fitter.without(out, theta, slope, every)
        found.append(Fold(part, np.setdiff1d(every, out), predict(problem, own)))
    return found


def left_out(problem: Problem, folds: Sequence[Fold], features: Features, kernel: Kernel) -> LeftOut:
    """Every row by constants and neighbours that have not seen its part."""
    size = len(problem.runs)
    rules, told, deviation = np.empty(size), np.zeros(size), np.full(size, math.nan)
    for fold in folds:
        residuals = (problem.target - fold.predicted)[fold.kept]
        own = features.take(fold.kept)
        near = Neighbours(kernel, own, residuals, doubts(kernel, own, residuals))
        said: Told = near.tell(features.take(fold.part))
        rules[fold.part], told[fold.part] = fold.predicted[fold.part], said.correction
        deviation[fold.part] = said.deviation
    return LeftOut(rules, told, deviation)
