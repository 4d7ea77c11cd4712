"""A figure beside its range: one unit, and no digit that the range does not bear out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.units import DAY_S, GIB, HOUR_S, MINUTE_S, Words, show_end, show_range, show_ranged, show_rough

CHINESE = Words(
    dash="～", minutes="分钟", hours="小时", days="天", years="年", scales=((1e8, " 亿"), (1e4, " 万"))
)


@pytest.mark.parametrize(
    ("figures", "unit", "figure", "spread"),
    [
        ((557.0, 438.0, 720.0), "s", "9.3 min", "7.3–12 min"),
        ((16 * HOUR_S, 9 * HOUR_S, 84 * HOUR_S), "s", "16 h", "9–84 h"),
        ((65 * MINUTE_S, 54 * MINUTE_S, 84 * MINUTE_S), "s", "1.1 h", "0.9–1.4 h"),
        ((225 * DAY_S, 128 * DAY_S, 1168 * DAY_S), "s", "220 days", "130–1,200 days"),
        ((138e9, 115e9, 161e9), "FLOP/s", "140 GFLOP/s", "120–160 GFLOP/s"),
        ((35.62e9, 34.81e9, 36.33e9), "B/s", "35.6 GB/s", "34.8–36.3 GB/s"),
        ((12.34, 12.0, 12.7), "s", "12.3 s", "12.0–12.7 s"),
        ((23.1 * GIB, 21.9 * GIB, 24.2 * GIB), "B", "23.1 GiB", "21.9–24.2 GiB"),
        ((12_345.0, 10_100.0, 15_200.0), "USD", "USD 12k", "USD 10k–15k"),
        ((4.45, 3.07, 6.45), "USD", "USD 4.5", "USD 3.1–6.5"),
        ((38.4, 30.2, 45.5), "%", "38%", "30–46%"),
        ((9.9996e11, 9.9995e11, 9.9997e11), "FLOP/s", "1.00 TFLOP/s", ""),
        ((5.0, 5.0, 5.0), "s", "5 s", ""),
        ((5.0, None, None), "s", "5 s", ""),
        ((5.0, None, 7.0), "s", "5 s", "at most 7 s"),
        ((None, 5e9, None), "FLOP/s", "unknown", "at least 5 GFLOP/s"),
        ((100.0, 1.0, 1e5), "s", "1.7 min", "1 s to 28 h"),
        ((2.0 * GIB, 0.0, 5.0 * GIB), "B", "2.0 GiB", "0–5.0 GiB"),
    ],
)
def test_figure_and_range(figures, unit, figure, spread):
    told = show_ranged(*figures, unit)
    assert (told.figure, told.spread) == (figure, spread)


def test_the_same_in_another_language():
    told = show_ranged(557.0, 438.0, 720.0, "s", CHINESE)
    assert (told.figure, told.spread) == ("9.3 分钟", "7.3～12 分钟")
    told = show_ranged(12_345.0, 9_600.0, 15_200.0, "1", CHINESE)
    assert (told.figure, told.spread) == ("1.2 万", "0.96～1.5 万")


def test_what_is_known_roughly_has_two_digits_and_one_unit():
    rough = [(100.0, "s"), (12.3, "USD"), (1366.0, "USD"), (-3e9, "B/s"), (0.0, "s"), (None, "s")]
    assert [show_rough(*one) for one in rough] == [
        "1.7 min", "USD 12", "USD 1,400", "-3 GB/s", "0 s", "unknown",
    ]  # fmt: skip


def test_ends_stand_alone_too():
    told = show_ranged(557.0, 438.0, 720.0, "s")
    assert (told.lower, told.upper) == ("7.3 min", "12 min")


def test_another_figure_of_the_range_is_told_as_its_ends_are():
    assert show_end(3700.0, 50 * 60.0, 40 * 60.0, 3700.0, "s") == "62 min"
    assert show_end(3700.0, None, None, None, "s") == "1 h 2 min"


def test_a_figure_outside_its_range_is_told_by_itself():
    told = show_ranged(1.0, 10 * DAY_S, 12 * DAY_S, "s")
    assert (told.figure, told.spread) == ("1 s", "10.0–12.0 days")


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[-+]\d+)?")


@settings(deadline=None)
@given(
    st.floats(1e-2, 1e12),
    st.floats(1.02, 5.0),
    st.floats(1.02, 5.0),
    st.sampled_from(["s", "B", "1", "FLOP/s"]),
)
def test_both_have_one_unit_and_three_digits_at_most(value, below, above, unit):
    low, high = value / below, value * above
    told = show_ranged(value, low, high, unit)
    figure = NUMBER.findall(told.figure)
    assert len(figure) == 1, "one number: no '9 min 17 s'"
    assert told.figure.split()[1:] == told.spread.split()[1:], "the range's unit is the figure's"
    shown = figure[0].replace(",", "")
    digits = len(shown.replace(".", "").strip("0"))
    assert digits <= 3 or "." not in shown
    ends = [float(end.replace(",", "")) for end in NUMBER.findall(told.spread)]
    assert ends == sorted(ends) and ends[0] <= float(shown) <= ends[-1]
    assert show_range(low, high, unit, like=value) == told.spread
