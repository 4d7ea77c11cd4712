"""Least and first rows of groups of candidates, without sorting them all."""

from __future__ import annotations

import numpy as np

from advisor.search.layouts import Index, Mask
from advisor.search.plan_product import Array

_DENSE = 8  # numbers up to so many times the rows are counted through; larger ones are numbered first


def least_of(groups: Index, values: Array) -> Array:
    """For each row the least value of its group, NaN where none of it is known. Groups are numbers from 0."""
    numbers, count = _numbered(groups)
    return _least(numbers, count, values)[numbers]


def fastest(groups: Index, time: Array) -> Index:
    """The first row with the least time of each group, groups in rising order; those without a known time are
    left out."""
    numbers, count = _numbered(groups)
    return first_of(numbers, np.flatnonzero(time == _least(numbers, count, time)[numbers]))


def prefer(rank: Array, groups: Index) -> Mask:
    """Of each group the rows of the lowest rank."""
    return np.asarray(rank == least_of(groups, rank))


def first_of(groups: Index, rows: Index) -> Index:
    """Of each group the first of these rows, groups in rising order."""
    mine = groups[rows]
    first = np.full(int(mine.max(initial=-1)) + 1, -1, dtype=np.int64)
    first[mine[::-1]] = rows[::-1]
    return first[first >= 0]


def _least(numbers: Index, count: int, values: Array) -> Array:
    known = ~np.isnan(values)
    if not known.all():
        numbers, values = numbers[known], values[known]
    least = np.full(count, np.inf)
    np.minimum.at(least, numbers, values)
    if len(numbers) < count or not np.isfinite(least).all():  # infinite ones are values, the rest unknown
        seen = np.zeros(count, dtype=bool)
        seen[numbers] = True
        least[~seen] = np.nan
    return least


def numbers_of(values: Array | Index) -> tuple[Index, Index]:
    """Which whole numbers from 0 there are, rising, and of each value which of them it is: what np.unique
    says, counted where they are dense, and not sorted."""
    whole = np.asarray(values, dtype=np.int64)
    count = int(whole.max(initial=-1)) + 1
    if count > _DENSE * len(whole) + 4096:
        used, back = np.unique(whole, return_inverse=True)
        return used, np.asarray(back, dtype=np.int64)
    seen = np.zeros(count, dtype=bool)
    seen[whole] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[whole]


def _numbered(groups: Index) -> tuple[Index, int]:
    """The groups as numbers below a count that is not much above that of the rows, in the same order."""
    count = int(groups.max(initial=-1)) + 1
    if count <= _DENSE * len(groups) + 4096:
        return groups, count
    used, numbers = numbers_of(groups)
    return numbers, len(used)
