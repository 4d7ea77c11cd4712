"""A figure beside its range: both in one unit, with as many digits as the range warrants."""

from __future__ import annotations

import math
from typing import NamedTuple

from advisor.units.show import (
    ENGLISH,
    Scale,
    Words,
    grouped,
    in_si,
    money_or_plain,
    money_tail,
    plain_digits,
    scale_of,
    show,
)

_MOST = 3  # digits of a figure, but for whole ones
_WIDEST = 100.0  # times from end to end: beyond it one unit would hide the low end
_BARE = 1e15  # from here on, and below 1e-4, a number is written with its power of ten


class Ranged(NamedTuple):
    """Texts of a figure, of its range ("" where there is none to tell) and of either end."""

    figure: str
    spread: str
    lower: str
    upper: str


def show_ranged(  # noqa: PLR0913 - all but the figure and its range have defaults
    value: float | None,
    low: float | None,
    high: float | None,
    unit: str,
    words: Words = ENGLISH,
    *,
    like: float | None = None,
) -> Ranged:
    """A figure and its range for people: ("9.3 min", "7.3–12 min"), ("USD 12k", "USD 10k–15k").

    The last digit of each number is the first one of a quarter of the range's width, but two digits stand at
    least and three at most; whole ones are rounded away where the range is wider than they say. A range that
    prints as its figure does is "". `like` is a figure beside it in whose unit both are told, else the
    figure itself. Raises UserError for a unit that is none.
    """
    middle, kind, label = in_si(value, unit, words)
    first, last = in_si(low, unit, words)[0], in_si(high, unit, words)[0]
    if first is not None and last is not None and first > last:
        low, high, first, last = high, low, last, first
    if first is None or last is None:
        return _open(value, (low, high), unit, words)
    if first == last:
        alone = show(low, unit, words=words)
        figure = alone if middle is None or middle == first else show(value, unit, words=words)
        return Ranged(figure, "" if figure == alone else alone, alone, alone)
    if first < 0 or not math.isfinite(last) or (first and last / first > _WIDEST):
        return _wide(value, (low, high), unit, words)
    beside = in_si(like, unit, words)[0]
    within = middle if middle is not None and first <= middle <= last else None
    guide = next((one for one in (beside, within) if one), 0.0) or math.sqrt(first * last) or last / 2
    form = _Form(kind, label, scale_of(kind, label, guide, words), words, (last - first) / 4)
    places = form.decimals(guide if within is None else within)
    ends = form.number(first, places), form.number(last, places)
    lower, upper = (form.whole(one) for one in ends)
    spread = form.joined(ends)
    if middle is None:
        return Ranged(words.unknown, spread, lower, upper)
    figure = show(value, unit, words=words) if within is None else form.whole(form.number(within, places))
    return Ranged(figure, "" if spread == figure else spread, lower, upper)


def show_range(
    low: float | None,
    high: float | None,
    unit: str,
    words: Words = ENGLISH,
    *,
    like: float | None = None,
) -> str:
    """A range for people: "3.1–4.2 days", "USD 12k–15k", "at least 3 h", "unknown".

    `like` is the figure that the range stands beside: both are then in the unit that suits it.
    """
    told = show_ranged(None, low, high, unit, words, like=_inside(like, low, high))
    return told.spread or told.lower


def show_end(  # noqa: PLR0913, PLR0917 - a figure, the range beside it, and how both are told
    end: float | None,
    value: float | None,
    low: float | None,
    high: float | None,
    unit: str,
    words: Words = ENGLISH,
) -> str:
    """Another figure of a range (what nine runs in ten keep to), in the unit and digits of its ends."""
    if end is None or value is None or low is None or high is None:
        return show(end, unit, words=words)
    return show_ranged(end, min(low, end), max(high, end), unit, words, like=value).figure


def _inside(like: float | None, low: float | None, high: float | None) -> float | None:
    """A figure outside its range says nothing about the unit."""
    if like is None or low is None or high is None or not min(low, high) <= like <= max(low, high):
        return None
    return like


class _Form(NamedTuple):
    """How the numbers of one figure and its range are written."""

    kind: str
    label: str
    scale: Scale
    words: Words
    step: float  # a quarter of the range's width, in SI units: rounding moves a number by half of it at most

    def place(self, si: float) -> int:
        """The power of ten of a number's last digit."""
        size = _power(si / self.scale.factor)
        place = min(_power(self.step / self.scale.factor), size - 1)
        return max(place, min(size - _MOST + 1, 0))

    def decimals(self, si: float) -> int:
        """Digits behind the point of a number."""
        return max(-self.place(si), 0)

    def number(self, si: float, usual: int) -> str:
        """A number without its unit; zeros beyond the `usual` decimals are left away."""
        size = si / self.scale.factor
        if size == 0:
            return "0"
        if not 1e-4 <= size < _BARE:
            return plain_digits(size, 2, self.words)
        place = self.place(si)
        text = f"{round(size, -place):,.{max(-place, 0)}f}"
        whole, point, behind = text.partition(".")
        while len(behind) > usual and behind.endswith("0"):
            behind = behind[:-1]
        return grouped(f"{whole}{point if behind else ''}{behind}", self.words)

    def whole(self, number: str) -> str:
        """A number with its unit."""
        return money_or_plain(self.kind, self.label, number, self.scale, self.words)

    def joined(self, ends: tuple[str, str]) -> str:
        """Both ends with the unit once."""
        if ends[0] == ends[1]:
            return self.whole(ends[0])
        tail = money_tail(self.scale) if self.kind == "money" else ""
        return self.whole(f"{ends[0]}{tail}{self.words.dash}{ends[1]}")


def _power(size: float) -> int:
    """The power of ten of a number's first digit, as three digits tell it: 9.996 is 10.0."""
    return int(f"{size:.2e}".partition("e")[2])


def _open(value: float | None, ends: tuple[float | None, float | None], unit: str, words: Words) -> Ranged:
    """A figure of which only one end is known, or none."""
    low, high = ends
    from_below = low is not None and not math.isnan(low)
    figure = show(value, unit, words=words)
    end = show(low if from_below else high, unit, words=words)
    if end == words.unknown:
        return Ranged(figure, "" if value is not None else end, end, end)
    if from_below:
        return Ranged(figure, words.at_least.format(end), end, words.unknown)
    return Ranged(figure, words.at_most.format(end), words.unknown, end)


def _wide(value: float | None, ends: tuple[float | None, float | None], unit: str, words: Words) -> Ranged:
    """Numbers too far apart for one unit: each in its own, with two digits."""
    figure, lower, upper = (show_rough(one, unit, words) for one in (value, *ends))
    return Ranged(figure, f"{lower}{words.to}{upper}", lower, upper)


def show_rough(value: float | None, unit: str, words: Words = ENGLISH) -> str:
    """A figure of which two digits are known at best, in one unit: "USD 12", "1.7 min"."""
    si, kind, label = in_si(value, unit, words)
    if si is None or not math.isfinite(si) or si == 0:
        return show(value, unit, 2, words)
    size = abs(si)
    form = _Form(kind, label, scale_of(kind, label, size, words), words, size)
    number = form.number(size, 0)
    return form.whole("-" + number if si < 0 else number)
