"""Fitting the constants of the time rules on published runs: maximum a posteriori in logarithms.

The rules themselves are the model: their constants that say `fit = "time"` are moved from what was believed
(`prior`, `prior_spread`) towards what was measured, by robust Gauss-Newton steps with numerical derivatives.
Residuals are ln(predicted / measured), taken as Student-t with few degrees of freedom, so that single rows of
strange meaning do not bend the constants; rows weigh one over the square root of the rows of their source.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.estimate import Table, evaluate
from advisor.evidence.inputs import Run
from advisor.evidence.table import predicted_step, step_scale
from advisor.rulebook import RuleBook

Vector = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

_FREEDOM = 4.0  # degrees of freedom of the residuals: heavy tails
_LEAST_SCALE = 0.06  # repeated runs of one set-up differ by a few per cent
_WEIGHT = 0.12  # of a row on average: rows of one source are not independent; found by leaving sources out
_DELTA = 1e-4
_LONGEST_STEP = 0.7
_WANTED = ("step_s", "step_batch")


@dataclass(frozen=True)
class Problem:
    """The runs to fit on: table, measured ln(seconds), weights, and what is moved."""

    book: RuleBook
    table: Table
    runs: tuple[Run, ...]
    target: Vector  # ln of what `validate` calls step_time_s
    names: tuple[str, ...]  # constants
    prior: Vector
    spread: Vector

    @property
    def sources(self) -> list[str]:
        """The source of each row."""
        return [run.record.source for run in self.runs]


def problem_of(book: RuleBook, table: Table, runs: Sequence[Run], measured: Vector) -> Problem:
    """The problem of these runs; constants that no row uses stay as believed and are left out."""
    constants = [c for c in book.constants.values() if c.fit == "time" and c.prior_spread > 0 and c.prior > 0]
    used = {
        name
        for name, values in table.columns.items()
        if name in book.flags and np.nanmax(np.append(values, 0.0)) > 0
    }
    kept = []
    for constant in constants:
        quantity, _, word = constant.id.partition("__")
        rule = book.rules.get(quantity)
        if not word or rule is None or _flag_of(rule.tree.names(), constant.id) in used:
            kept.append(constant)
    return Problem(
        book, table, tuple(runs), np.log(measured), tuple(c.id for c in kept),
        np.log([c.prior for c in kept]), np.array([c.prior_spread for c in kept]),
    )  # fmt: skip


def _flag_of(names: Sequence[str], constant: str) -> str:
    """The flag before a constant in a rule that picks by category."""
    at = list(names).index(constant)
    return names[at - 1]


def weights_of(sources: Sequence[str]) -> Vector:
    """One over the square root of the rows of the source, `_WEIGHT` on average."""
    counts = Counter(sources)
    weights = np.array([counts[source] ** -0.5 for source in sources])
    return np.asarray(weights * (_WEIGHT * len(weights) / weights.sum()))


def predict(problem: Problem, theta: Vector, rows: Index | None = None) -> Vector:
    """ln of the predicted seconds of these rows (default all) with ln(constants) `theta`; NaN unknown."""
    table, runs = _rows(problem, rows)
    constants = dict(zip(problem.names, np.exp(theta), strict=True))
    found = evaluate(problem.book, table.with_constants(constants), _WANTED, keep_all=False)
    return np.asarray(np.log(predicted_step(found, runs, step_scale(runs))))


def _rows(problem: Problem, rows: Index | None) -> tuple[Table, Sequence[Run]]:
    if rows is None:
        return problem.table, problem.runs
    return problem.table.take(rows.tolist()), [problem.runs[row] for row in rows]


@dataclass
class Fitter:
    """Fits constants on part of a problem's rows, again and again with different parts left out."""

    problem: Problem

    def derivatives(self, theta: Vector, base: Vector, rows: Index) -> npt.NDArray[np.float64]:
        """d ln(predicted) / d ln(constant), shape (rows, constants).

        Rows and perturbed constants are stacked to one table; a constant of a category only moves the rows
        of that category, so the others are left out of its part.
        """
        p = self.problem
        affected = [rows[self._moves(name, rows)] for name in p.names]
        owner = np.repeat(np.arange(len(p.names)), [len(part) for part in affected])
        stacked = np.concatenate(affected)
        place = {int(row): at for at, row in enumerate(rows)}
        at = np.array([place[int(row)] for row in stacked])
        constants = {}
        for number, name in enumerate(p.names):
            values = np.full(len(stacked), math.exp(theta[number]))
            values[owner == number] = math.exp(theta[number] + _DELTA)
            constants[name] = values
        table, runs = _rows(p, stacked)
        found = evaluate(p.book, table.with_constants(constants), _WANTED, keep_all=False)
        predicted = np.log(predicted_step(found, runs, step_scale(runs)))
        out = np.zeros((len(rows), len(p.names)))
        out[at, owner] = (predicted - base[at]) / _DELTA
        return out

    def _moves(self, name: str, rows: Index) -> npt.NDArray[np.bool_]:
        p = self.problem
        quantity, _, word = name.partition("__")
        rule = p.book.rules.get(quantity)
        if not word or rule is None:
            return np.ones(len(rows), dtype=bool)
        return np.asarray(p.table.columns[_flag_of(rule.tree.names(), name)][rows] > 0)

    def fit(self, rows: Index, start: Vector | None = None, steps: int = 25) -> Vector:
        """ln(constants) fitted on these rows, from `start` (default: as believed)."""
        p = self.problem
        theta = p.prior.copy() if start is None else start.copy()
        weights = weights_of([p.runs[row].record.source for row in rows])
        target, damping = p.target[rows], 1e-2
        base = predict(p, theta, rows)
        for _ in range(steps):
            residual = target - base
            scale = max(_LEAST_SCALE, 1.4826 * float(np.median(np.abs(residual))))
            robust = weights * (_FREEDOM + 1) / (_FREEDOM + (residual / scale) ** 2) / scale**2
            slope = self.derivatives(theta, base, rows)
            curvature = slope.T @ (slope * robust[:, None]) + np.diag(1 / p.spread**2)
            gradient = slope.T @ (robust * residual) - (theta - p.prior) / p.spread**2
            before = self._cost(residual, weights, scale, theta)
            for _ in range(6):
                damped = curvature + damping * np.diag(np.diag(curvature))
                change = np.clip(np.linalg.solve(damped, gradient), -_LONGEST_STEP, _LONGEST_STEP)
                moved = predict(p, theta + change, rows)
                after = self._cost(target - moved, weights, scale, theta + change)
                if after < before:
                    break
                damping *= 6
            else:
                break
            theta, base, damping = theta + change, moved, max(damping / 5, 1e-4)
            if before - after < 1e-5 * len(rows):
                break
        return np.asarray(theta)

    def spreads(self, theta: Vector, rows: Index) -> tuple[Vector, npt.NDArray[np.bool_]]:
        """Standard deviations of ln(constants) at the optimum, and which rows move which constant.

        Shapes (constants,) and (rows, constants). A row is counted where a change of the constant by a tenth
        moves its time by a five-hundredth.
        """
        p = self.problem
        base = predict(p, theta, rows)
        slope = self.derivatives(theta, base, rows)
        residual = p.target[rows] - base
        scale = max(_LEAST_SCALE, 1.4826 * float(np.median(np.abs(residual))))
        weights = weights_of([p.runs[row].record.source for row in rows])
        robust = weights * (_FREEDOM + 1) / (_FREEDOM + (residual / scale) ** 2) / scale**2
        curvature = slope.T @ (slope * robust[:, None]) + np.diag(1 / p.spread**2)
        return np.sqrt(np.diag(np.linalg.inv(curvature))), np.abs(slope) > 0.02

    def without(self, out: Index, theta: Vector, slope: npt.NDArray[np.float64], rows: Index) -> Vector:
        """ln(constants) as fitted on `rows` without `out`, from the fit `theta` on all of `rows`.

        `slope` are the derivatives at `theta` of all of the problem's rows. Gauss-Newton steps with these
        derivatives and new residuals: the optimum moves little, so they need not be taken again.
        """
        p = self.problem
        kept = np.setdiff1d(rows, out)
        weights = weights_of([p.runs[row].record.source for row in kept])
        own = slope[kept]
        for _ in range(3):
            residual = p.target[kept] - predict(p, theta, kept)
            scale = max(_LEAST_SCALE, 1.4826 * float(np.median(np.abs(residual))))
            robust = weights * (_FREEDOM + 1) / (_FREEDOM + (residual / scale) ** 2) / scale**2
            curvature = own.T @ (own * robust[:, None]) + np.diag(1 / p.spread**2)
            gradient = own.T @ (robust * residual) - (theta - p.prior) / p.spread**2
            theta = theta + np.clip(np.linalg.solve(curvature, gradient), -_LONGEST_STEP, _LONGEST_STEP)
        return np.asarray(theta)

    def _cost(self, residual: Vector, weights: Vector, scale: float, theta: Vector) -> float:
        p = self.problem
        tails = (_FREEDOM + 1) / 2 * np.log1p((residual / scale) ** 2 / _FREEDOM)
        return float((weights * tails).sum() + 0.5 * (((theta - p.prior) / p.spread) ** 2).sum())


def constants_of(problem: Problem, theta: Vector) -> Mapping[str, float]:
    """The constants by id."""
    return dict(zip(problem.names, np.exp(theta).tolist(), strict=True))
