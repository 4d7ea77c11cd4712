"""Names beside points of a chart: the ones that matter most first, none over another."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

_LETTER, _WIDE_LETTER, _LINE = 6.8, 12.0, 15.0  # px of a label of 12 px: Latin, Chinese, its height
_GAP = 8.0
_APART = 6.0  # px of air between two names, one below the other: nearer, they read as one
_MOST_COVERED = 5  # points below a name that may as well be left away


class Frame(NamedTuple):
    """A drawing with logarithmic axes: its size in px, and what its axes run from and to."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies, in px from the left and from the top."""
        right = math.log(x / self.x[0]) / math.log(self.x[1] / self.x[0])
        up = math.log(y / self.y[0]) / math.log(self.y[1] / self.y[0])
        return right * self.width, (1 - up) * self.height


class Label(NamedTuple):
    """A name and how it stands beside its point, as Vega-Lite wants it."""

    text: str
    x: float
    y: float
    align: str
    dx: float
    dy: float


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def grown(self, by: float) -> _Box:
        """The same with air above and below."""
        return self._replace(top=self.top - by, bottom=self.bottom + by)

    def outside(self, frame: Frame) -> float:
        """By how many px it runs out of the drawing."""
        return max(
            -self.left, self.right - frame.width, -self.top - _LINE / 2, self.bottom - frame.height, 0.0
        )


def placed(
    wanted: Sequence[tuple[str, float, float]],
    must: int,
    frame: Frame,
    points: Iterable[tuple[float, float]],
    line: Sequence[tuple[float, float]] = (),
) -> list[Label]:
    """The names that find a place, in the order given; the first `must` stand whatever they cover.

    `points` and the `line` through some of them are what names should not cover.
    """
    marks = [frame.at(*point) for point in points] + _along([frame.at(*point) for point in line])
    dots = [_Box(x - 3, y - 3, x + 3, y + 3) for x, y in marks]
    taken: list[_Box] = []
    found = []
    for at, (text, x, y) in enumerate(wanted):
        choices = [(_box(frame.at(x, y), text, *place), place) for place in _PLACES]
        free = [
            one for one in choices if not one[0].outside(frame) and not any(one[0].meets(b) for b in taken)
        ]
        if not free and at >= must:
            continue
        box, (align, dx, dy) = min(free or choices, key=lambda one: _cost(one[0], frame, taken, dots))
        if at >= must and _cost(box, frame, taken, dots) > _MOST_COVERED:
            continue
        taken.append(box.grown(_APART))
        found.append(Label(text, x, y, align, dx, dy))
    return found


def _along(corners: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Places every few px of a line."""
    found = []
    for (x0, y0), (x1, y1) in pairwise(corners):
        steps = max(1, round(math.hypot(x1 - x0, y1 - y0) / 6))
        found += [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps) for i in range(1, steps)]
    return found


_PLACES = (
    ("left", _GAP, -10.0), ("right", -_GAP, -10.0), ("left", _GAP, 12.0), ("right", -_GAP, 12.0),
    ("left", _GAP + 4, 0.0), ("right", -_GAP - 4, 0.0), ("center", 0.0, -16.0), ("center", 0.0, 17.0),
)  # fmt: skip


def _cost(box: _Box, frame: Frame, taken: Iterable[_Box], dots: Iterable[_Box]) -> float:
    """How bad a place is: out of the drawing is worse than over a name, and that worse than over points."""
    over = sum(box.meets(other) for other in taken)
    return 1e6 * box.outside(frame) + 1e3 * over + sum(box.meets(dot) for dot in dots)


def _box(at: tuple[float, float], text: str, align: str, dx: float, dy: float) -> _Box:
    long = sum(_WIDE_LETTER if unicodedata.east_asian_width(c) in "WF" else _LETTER for c in text)
    left = at[0] + dx - {"right": long, "center": long / 2}.get(align, 0.0)
    return _Box(left, at[1] + dy - _LINE / 2, left + long, at[1] + dy + _LINE / 2)
