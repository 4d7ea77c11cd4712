"""Groups of candidates counted through are those that sorting finds."""

import numpy as np
import pytest

from advisor.search.plan_groups import numbers_of


@pytest.mark.parametrize("values", [[3, 0, 3, 7, 0], [], [5], [10**9, 2, 10**9]], ids=str)
def test_numbers_are_those_of_a_sort(values: list[int]) -> None:
    some = np.array(values, dtype=np.int64)
    used, at = numbers_of(some)
    told, back = np.unique(some, return_inverse=True)
    assert used.tolist() == told.tolist()
    assert at.tolist() == back.tolist()


def test_whole_numbers_may_be_floats() -> None:
    used, at = numbers_of(np.array([8.0, 1.0, 8.0]))
    assert used.tolist() == [1, 8]
    assert at.tolist() == [1, 0, 1]
