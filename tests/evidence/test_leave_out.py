"""Rows predicted without their own part: nothing of what they measured may come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from advisor.estimate import evaluate
from advisor.estimate.features import QUANTITIES, sizes_of
from advisor.evidence.fit import Fitter, Problem, predict
from advisor.evidence.inputs import Run, run_of
from advisor.evidence.leave_out import Fold, LeftOut, folds_of, left_out, parts_of, printed_again
from advisor.evidence.record import Record
from advisor.evidence.validate import words_of_runs
from advisor.neighbours import Kernel, encode, vocabulary

Builder = Callable[[np.ndarray], Problem]


@pytest.fixture(scope="module")
def problem(problem_with: Builder, runs: Sequence[Run]) -> Problem:
    """Runs some per cent off what the rules say, each source in its own way."""
    start = problem_with(np.zeros(len(runs)))
    noise = np.random.default_rng(4).normal(scale=0.1, size=len(runs))
    found = problem_with(predict(start, start.prior) + noise)
    for part in (part for way in ("group", "source") for part in parts_of(runs, way)):
        assert not len(printed_again(runs, found.target, part)), "by chance a figure stands there twice"
    return found


def told(problem: Problem, way: str, leak: bool = False) -> LeftOut:
    """All of it as `validate --leave-out` does it: fit on all, then each part without itself.

    `leak`: a broken one, that leaves nothing out.
    """
    theta = Fitter(problem).fit(np.arange(len(problem.runs)))
    full = evaluate(problem.book, problem.table, QUANTITIES, keep_all=False)
    words = words_of_runs(full, problem.runs)
    features = encode(words, sizes_of(full), vocabulary(words))
    folds = folds_of(problem, theta, way)
    if leak:
        known = predict(problem, theta)
        folds = [Fold(fold.part, np.arange(len(known)), known) for fold in folds]
    return left_out(problem, folds, features, Kernel())


@pytest.mark.parametrize("way", ["group", "source", "publisher"])
def test_every_row_is_in_one_part(runs: Sequence[Run], way: str) -> None:
    parts = parts_of(runs, way)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(runs)))
    assert all(len(part) for part in parts)


def test_nothing_leaves_by_default(runs: Sequence[Run]) -> None:
    assert parts_of(runs, "none") == []


def test_a_source_leaves_whole(runs: Sequence[Run]) -> None:
    sources = [{runs[row].record.source for row in part} for part in parts_of(runs, "source")]
    assert all(len(names) == 1 for names in sources)
    assert len(sources) == 5


def test_one_network_on_as_many_devices_leaves_whole(runs: Sequence[Run]) -> None:
    where: dict[tuple[str, str, float], set[int]] = {}
    for number, part in enumerate(parts_of(runs, "group")):
        for row in part:
            where.setdefault((runs[row].name, runs[row].entry.id, runs[row].devices), set()).add(number)
    assert len(where) == 12
    assert all(len(parts) == 1 for parts in where.values())


def twins_of(problem: Problem, part: np.ndarray, change: float) -> np.ndarray:
    target = problem.target.copy()
    target[part] += change
    return printed_again(problem.runs, target, part)


@pytest.mark.parametrize("way", ["group", "source"])
def test_what_a_part_measured_does_not_come_back(problem: Problem, way: str) -> None:
    """The planted leak: one part is made twice as slow. What is said of it must stay as it was.

    The constants are fitted on all rows first, so they know: leaving the part out must make them forget.
    Where nothing is left out, the same change is seen at once.
    """
    part = parts_of(problem.runs, way)[1]
    # a factor at which no other row happens to be as fast: what looks like a twin leaves with the part
    alone = [k for k in np.linspace(1.5, 3.0, 60) if not len(twins_of(problem, part, np.log(k)))]
    assert not len(twins_of(problem, part, 0.0))
    change = np.log(min(alone, key=lambda k: abs(k - 2.0)))
    slower = problem.target.copy()
    slower[part] += change
    other = replace(problem, target=slower)
    before, after = told(problem, way), told(other, way)
    came_back = np.abs(after.predicted - before.predicted)[part] / change
    assert came_back.max() < 0.05  # not nothing: refitting takes the derivatives of the fit that knew
    assert after.deviation[part] == pytest.approx(before.deviation[part], abs=0.02)
    leaked = told(other, way, leak=True).predicted - told(problem, way, leak=True).predicted
    assert np.median(leaked[part]) > 0.2


def test_the_other_rows_do_come_back(problem: Problem) -> None:
    """A test of the test above: all rows but one part twice as slow say so of that part."""
    part = parts_of(problem.runs, "source")[1]
    slower = problem.target + np.log(2.0)
    slower[part] = problem.target[part]
    before, after = told(problem, "source"), told(replace(problem, target=slower), "source")
    assert np.median(after.predicted[part] - before.predicted[part]) > 0.5


def twins(record: Callable[..., Record], row: dict[str, Any], *changes: dict[str, Any]) -> list[Run]:
    found = [run_of(record(**{**row, "id": f"twin-{at}", **more})) for at, more in enumerate(changes)]
    assert all(isinstance(run, Run) for run in found)
    return [run for run in found if isinstance(run, Run)]


@pytest.mark.parametrize(
    ("again", "seconds", "leaves"),
    [
        ({"source_key": "b"}, 4.0, True),
        ({"source_key": "b", "global_batch": None}, 4.0 * 8 / 32, True),  # the same speed without the batch
        ({"source_key": "b", "model": "another name"}, 4.0, True),
        ({"source_key": "b"}, 4.02, True),  # rounded
        ({"source_key": "b", "model": "another name"}, 4.02, False),
        ({"source_key": "b"}, 4.4, False),
        ({"source_key": "b", "num_accelerators": 16, "global_batch": 64}, 4.0, False),
        ({"source_key": "b", "global_batch": 64}, 4.0, False),
    ],
)
def test_a_figure_printed_again_leaves_with_its_twin(
    record: Callable[..., Record], row: dict[str, Any], again: dict[str, Any], seconds: float, leaves: bool
) -> None:
    runs = twins(record, row, {"source_key": "a"}, again, {"source_key": "c"})
    target = np.log([4.0, seconds, 77.0])
    found = printed_again(runs, target, np.array([0]))
    assert found.tolist() == ([1] if leaves else [])


def test_rows_without_a_figure_are_nobodys_twin(record: Callable[..., Record], row: dict[str, Any]) -> None:
    runs = twins(record, row, {}, {"source_key": "b"})
    assert printed_again(runs, np.array([np.nan, np.nan]), np.array([0])).tolist() == []


def test_the_fold_of_a_part_knows_neither_it_nor_its_twins(problem: Problem) -> None:
    target = problem.target.copy()
    part = parts_of(problem.runs, "source")[0]
    inside, outside = part[0], next(
        row for row in range(len(target))
        if row not in part and problem.runs[row].devices == problem.runs[part[0]].devices
    )  # fmt: skip
    share = [np.log(run.devices / (run.record.number("global_batch") or 1)) for run in problem.runs]
    target[outside] = target[inside] + share[inside] - share[outside]
    planted = replace(problem, target=target)
    fold = folds_of(planted, planted.prior, "source")[0]
    assert not set(fold.kept) & set(part)
    assert outside not in fold.kept
    assert len(fold.kept) > len(target) / 2


def test_only_parts_with_asked_rows_are_worked_on(problem: Problem) -> None:
    heard: list[tuple[int, int]] = []
    folds = folds_of(problem, problem.prior, "source", asked=9, tell=lambda a, b: heard.append((a, b)))
    assert [fold.part.min() for fold in folds] == [0, 8]
    assert heard == [(0, 2), (1, 2)]
