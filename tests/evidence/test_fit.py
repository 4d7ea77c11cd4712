"""Constants fitted on made-up runs: planted ones are found, strange rows hardly count, beliefs stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from advisor.evidence.fit import Fitter, Problem, constants_of, predict, weights_of
from advisor.evidence.inputs import Run

Builder = Callable[[np.ndarray], Problem]

PLANTED = {"generation_share__nvidia_hopper": 0.35, "launch_seconds": 0.6}
"""Moves of ln(constant) from what is believed."""


@pytest.fixture(scope="module")
def believed(problem_with: Builder, runs: Sequence[Run]) -> Problem:
    """The runs as fast as the priors say."""
    start = problem_with(np.zeros(len(runs)))
    return problem_with(predict(start, start.prior))


def planted(problem: Problem, moves: dict[str, float]) -> np.ndarray:
    theta = problem.prior.copy()
    for name, move in moves.items():
        theta[problem.names.index(name)] += move
    return theta


def every(problem: Problem) -> np.ndarray:
    return np.arange(len(problem.runs))


def test_only_constants_that_a_row_uses_are_fitted(believed: Problem) -> None:
    assert "generation_share__nvidia_ampere" in believed.names
    assert "generation_share__google_tpu" not in believed.names
    assert "stack_share__mindspore" not in believed.names


def test_what_was_believed_stays_when_it_is_right(believed: Problem) -> None:
    theta = Fitter(believed).fit(every(believed))
    assert theta == pytest.approx(believed.prior, abs=1e-6)


def test_planted_constants_are_found(believed: Problem, problem_with: Builder) -> None:
    truth = planted(believed, PLANTED)
    problem = problem_with(predict(believed, truth))
    theta = Fitter(problem).fit(every(problem))
    missed = predict(problem, theta) - problem.target
    assert np.abs(missed).max() < 0.1 * np.abs(problem.target - believed.target).max()
    # one generation against the other is told by the rows; what both share is not
    found = dict(zip(problem.names, theta - problem.prior, strict=True))
    hopper, ampere = (found[f"generation_share__nvidia_{name}"] for name in ("hopper", "ampere"))
    assert hopper - ampere > 0.6 * PLANTED["generation_share__nvidia_hopper"]
    assert abs(found["bubble_factor"]) < 1e-6  # no row has a pipeline


def test_single_strange_rows_hardly_count(believed: Problem, problem_with: Builder) -> None:
    target = believed.target.copy()
    target[[3, 20]] += [3.0, -3.0]  # twenty times slower and faster
    problem = problem_with(target)
    moved = predict(problem, Fitter(problem).fit(every(problem))) - believed.target
    moved[[3, 20]] = 0.0
    assert np.abs(moved).max() < 0.06


def test_derivatives_are_those_of_differences(believed: Problem) -> None:
    rows = every(believed)
    base = predict(believed, believed.prior)
    slope = Fitter(believed).derivatives(believed.prior, base, rows)
    for name in (
        "matrix_share",
        "launch_seconds",
        "generation_memory__nvidia_hopper",
        "gradient_bytes_mixed",
    ):
        step = np.zeros(len(believed.names))
        step[believed.names.index(name)] = 1e-3
        both = predict(believed, believed.prior + step) - predict(believed, believed.prior - step)
        assert slope[:, believed.names.index(name)] == pytest.approx(both / 2e-3, abs=2e-3), name


def test_a_fit_on_part_of_the_rows_sees_that_part_alone(believed: Problem, problem_with: Builder) -> None:
    part = every(believed)[::2]
    other = believed.target.copy()
    other[1::2] += 1.0
    assert Fitter(problem_with(other)).fit(part) == pytest.approx(Fitter(believed).fit(part), abs=1e-12)


def test_sources_weigh_less_than_their_rows() -> None:
    weights = weights_of(["a"] * 16 + ["b"])
    assert weights.mean() == pytest.approx(weights_of(["c"])[0])
    assert weights[16] == pytest.approx(4 * weights[0])  # 16 ** 0.5


def test_constants_by_name(believed: Problem) -> None:
    found = constants_of(believed, believed.prior)
    assert set(found) == set(believed.names)
    assert found["matrix_share"] == pytest.approx(believed.book.constants["matrix_share"].prior)
