"""The time left: by the plan at first, by the pace so far then, and without leaps."""

from __future__ import annotations

from itertools import pairwise

import pytest

from advisor.calibrate.plan import Test
from advisor.calibrate.progress import Progress


def planned(count: int) -> list[Test]:
    return [Test("matmul", "cpu", {}, "", str(n), expected_s=1.0) for n in range(count)]


def test_at_first_the_plan_alone_tells():
    assert Progress().left_s(planned(30)) == pytest.approx(30.0)


def test_a_machine_twice_as_slow_as_planned_is_learnt_by_and_by():
    progress, pending = Progress(), planned(40)
    told = [progress.left_s(pending)]
    while len(pending) > 10:
        progress.finished(pending.pop(0), 2.0)
        told.append(progress.left_s(pending))
    assert told[-1] == pytest.approx(20.0, rel=0.1)
    assert max(b - a for a, b in pairwise(told)) < 5.0  # no leap upwards


def test_one_bench_that_hung_does_not_treble_what_is_left():
    progress, pending = Progress(), planned(30)
    for seconds in (1.0, 1.0, 60.0):
        progress.finished(pending.pop(0), seconds)
    assert progress.left_s(pending) < 1.5 * 27
    assert progress.done == 3


def test_nothing_left_is_no_time():
    progress = Progress()
    progress.dropped()
    assert (progress.left_s([]), progress.done) == (0.0, 1)
