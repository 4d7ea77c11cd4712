"""How sure an estimate is that names no program: python tools/blind.py [--ways group,source]

Published runs name theirs, users mostly do not. Each run is predicted without its group or source (constants
and neighbours fitted without it) as it is; as of a kind of program (`--stack nemo`); with its program
hidden, its family of programs known; and without its date, as users are, who are always of
today. Prints median error, 90th percentile, share within the 80 % range, and half its width.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from fit import features_of_problem, the_problem

from advisor.data.files import shipped
from advisor.evidence.fit import Problem, predict
from advisor.evidence.leave_out import Fold, folds_of
from advisor.evidence.validate import Z80
from advisor.neighbours import (
    Features,
    Kernel,
    Neighbours,
    Vector,
    covariance,
    doubts,
    encode,
    vocabulary,
    widened,
)
from advisor.published import FILE, load_published, with_kin

Words = dict[str, Sequence[str]]
Rows = npt.NDArray[np.bool_] | slice
_ALL = slice(None)
_RECENT = 2025.0  # what is published since is of the software that users have


def predicted(
    problem: Problem, folds: Sequence[Fold], runs: Features, asked: tuple[Features, Vector], kernel: Kernel
) -> tuple[Vector, Vector]:
    """ln(seconds) of each run and its standard deviation, asked as `asked` of the others as they are.

    With `asked` goes what the rules say more of it then.
    """
    features, moved = asked
    told, deviation = (np.full(len(problem.runs), np.nan) for _ in range(2))
    every = covariance(kernel, runs, runs)
    for fold in folds:
        residuals = (problem.target - fold.predicted)[fold.kept]
        own = runs.take(fold.kept)
        noise = doubts(kernel, own, residuals, own=every[np.ix_(fold.kept, fold.kept)])
        said = Neighbours(kernel, own, residuals, noise).tell(features.take(fold.part))
        told[fold.part] = fold.predicted[fold.part] + moved[fold.part] + said.correction
        deviation[fold.part] = said.deviation
    return told, deviation


def undated(problem: Problem, theta: Vector) -> tuple[Vector, Vector]:
    """By how much the rules' ln(seconds) moves where no date is told, and what neighbours then see."""
    nothing = problem.table.with_columns(problem.book, {"era": [None] * len(problem.runs)})
    blind = replace(problem, table=nothing)
    _, _, sizes = features_of_problem(blind, theta)
    return predict(blind, theta) - predict(problem, theta), sizes


def tell(title: str, problem: Problem, told: Vector, deviation: Vector, rows: Rows = _ALL) -> None:
    """One line of errors, of all rows or some."""
    off, deviation = (told - problem.target)[rows], deviation[rows]
    error, inside = np.abs(np.expm1(off)), np.abs(off) < Z80 * deviation
    print(
        f"| {title} | {np.median(error):.1%} | {np.quantile(error, 0.9):.0%} | {inside.mean():.0%} | "
        f"±{np.median(np.expm1(Z80 * deviation)):.0%} |",
        flush=True,
    )


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ways", default="group,source")
    options = parser.parse_args()
    problem, _ = the_problem()
    theta = np.log([problem.book.constants[name].value for name in problem.names])
    plain, words, _ = features_of_problem(problem, theta)
    runs = with_kin(plain, words["program"])
    nobody: npt.NDArray[np.int64] = np.full(len(runs), -1, dtype=np.int64)
    published = load_published(shipped("rules") / FILE)
    kernel, still = published.neighbours.kernel, np.zeros(len(runs))
    moved, sizes = undated(problem, theta)
    today = with_kin(encode(words, sizes, vocabulary(words)), words["program"])
    unnamed = Features({**runs.codes, "program": nobody, "kin": nobody}, today.sizes)
    recent = problem.table.columns["era"] >= _RECENT
    asked = {
        "program known": (runs, still),
        "kind of program named": (Features({**runs.codes, "program": nobody}, runs.sizes), still),
        "program not named": (Features({**runs.codes, "program": nobody, "kin": nobody}, runs.sizes), still),
        "program known, no date, neighbours of today": (today, moved),
        "program known, no date": (published.dated(today), moved),
        "neither program nor date": (published.dated(unnamed), moved),
    }
    print("| rows | median error | 90 % below | in the 80 % range | range |\n|---|---:|---:|---:|---:|")
    for way in options.ways.split(","):
        folds = folds_of(problem, theta, way)
        for title, one in asked.items():
            told, deviation = predicted(problem, folds, runs, one, kernel)
            width = widened(kernel, deviation, words)
            tell(f"by {way}, {title}", problem, told, width)
            tell(f"by {way}, {title}; runs since {_RECENT:g}", problem, told, width, recent)


if __name__ == "__main__":
    main()
