"""How long the rows of a data set are, and how much of sequences of one length they fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PACKED, OWN, PADDED = "packed", "own", "padded"
WAYS = (PACKED, OWN, PADDED)
"""Rows end to end; each in its own length, padded to the longest of its pass; all padded to one length."""

_PARTS = 200  # equal shares of the rows, of which each has its mean length


class Rows(NamedTuple):
    """Lengths of a data set's rows in tokens, shortest first, each of an equal share of the rows.

    A pair of answers is two rows. `low` and `high` are factors on all lengths, an 80 % range: what sampling
    and bytes a token leave open. A named tuple, because flags are copied part by part.
    """

    texts: float  # rows of one pass
    lengths: tuple[float, ...]  # none: text without rows
    longest: float
    low: float
    high: float
    way: str = ""  # one of WAYS; '' leaves it to the method
    together: int = 1  # rows of one pass through the network
    passes: float = 1.0

    def filled(self, length: float, together: int = 1) -> tuple[float, float, float]:
        """Share of sequences of this length that rows fill, with its range; longer ones are cut.

        With several rows to a pass each counts as long as the longest of them: that is what is computed.
        """
        value, low, high = (self._filled(length, together, by) for by in (1.0, self.low, self.high))
        return value, low, high

    def longer(self, length: float) -> float:
        """Share of the rows that are longer."""
        return sum(one > length for one in self.lengths) / max(len(self.lengths), 1)

    def _filled(self, length: float, together: int, factor: float) -> float:
        cut = np.minimum(np.asarray(self.lengths) * factor, length)
        edges = np.linspace(0.0, 1.0, len(cut) + 1) ** together  # of the longest of so many, drawn at random
        return float(np.sum(cut * np.diff(edges)) / length)


def parted(groups: Sequence[tuple[float, Sequence[int]]]) -> tuple[float, ...]:
    """Mean lengths of equal shares of the rows, shortest first. A group: what each of its rows counts."""
    groups = [group for group in groups if group[1]]
    if not groups:
        return ()
    values = np.concatenate([np.asarray(lengths, dtype=np.float64) for _, lengths in groups])
    weights = np.concatenate([np.full(len(lengths), weight) for weight, lengths in groups])
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    reached = np.concatenate([[0.0], np.cumsum(weights)])
    summed = np.concatenate([[0.0], np.cumsum(values * weights)])
    parts = min(_PARTS, len(values))
    at = np.linspace(0.0, reached[-1], parts + 1)
    means = np.diff(np.interp(at, reached, summed)) * parts / reached[-1]
    return tuple(float(one) for one in means)
