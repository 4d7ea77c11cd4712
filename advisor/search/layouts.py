"""The set-ups tried for each workload, and picking the first that fits; all rows in one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from advisor.schema import Workload

Index = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

DEVICE_COUNTS = tuple(2**power for power in range(15))  # 1 … 16384


class Layout(NamedTuple):
    """Micro-batch and recomputation; tried in order of preference."""

    micro_batch: float
    recompute: str


def layouts_of(workload: Workload) -> tuple[Layout, ...]:
    """The stated micro-batch first, its halves down to one sample, then one with all recomputed."""
    size = workload.recipe.numbers.get("micro_batch", 1.0)
    found = []
    while size > 1:
        found.append(Layout(size, "none"))
        size = float(size // 2)
    return (*found, Layout(1.0, "none"), Layout(1.0, "full"))


LARGEST_TEXT, LARGEST_IMAGES = 64, 1024
"""Samples of one pass that are tried at most, of networks of blocks and of others."""

_RECOMPUTED = 4.0  # samples of one pass with all recomputed: more of them save nothing more


def found_layouts(workload: Workload, most: int) -> tuple[Layout, ...]:
    """The largest micro-batch that the batch allows first, its halves, then few samples with all recomputed:
    as a search would find them, the quickest first. One sample where no batch is told."""
    batch = workload.recipe.global_batch
    if batch is None:
        return layouts_of(workload)
    sizes = [float(2**power) for power in range(max(1, int(min(batch, most))).bit_length())]
    if batch <= most:
        sizes = sorted({*sizes, float(batch)})
    sizes.reverse()
    return (
        *(Layout(size, "none") for size in sizes),
        *(Layout(size, "full") for size in sizes if size <= _RECOMPUTED),
    )


def first_true(groups: Index, holds: Mask, count: int) -> Index:
    """For each of `count` groups the first row (in row order) where `holds`, or -1."""
    rows = np.flatnonzero(holds)
    out = np.full(count, -1, dtype=np.int64)
    # written backwards, so that the first row of each group is what stays
    out[groups[rows][::-1]] = rows[::-1]
    return out


def last_true(groups: Index, holds: Mask, count: int) -> Index:
    """For each group the last row where `holds`, or -1."""
    rows = np.flatnonzero(holds)
    out = np.full(count, -1, dtype=np.int64)
    out[groups[rows]] = rows
    return out


def numbers(values: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Floats with None as NaN."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def flags(column: str, values: Sequence[str], words: Sequence[str | None], pick: Index) -> dict[str, Any]:
    """The 0/1 flags of a category for the rows that `pick` takes from `words`."""
    known = np.array([np.nan if word is None else 0.0 for word in words])
    return {
        f"{column}_{value}": (known + np.array([word == value for word in words], dtype=np.float64))[pick]
        for value in values
    }
