"""Units: text to SI and back, and nothing but UserError for anything else."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from advisor.errors import UserError
from advisor.units import (
    DAY_S,
    GIB,
    ONE,
    SECOND,
    UNITS,
    Words,
    parse,
    parse_as,
    parse_count,
    parse_unit,
    show,
    show_percent,
    show_range,
)

SHOWN_UNITS = ["B", "B/s", "FLOP/s", "FLOP", "s", "USD", "USD/h", "USD/kWh", "W", "J",
               "Hz", "1", "%", "tokens", "tokens/s", "1/s", "bit/s", "GB", "kg", "B/FLOP"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("989 TFLOP/s", 989e12, "FLOP/s"),
        ("1979 TOP/s", 1979e12, "FLOP/s"),
        ("80 GB", 80e9, "B"),
        ("80GiB", 80 * 2**30, "B"),
        ("400 Gbit/s", 50e9, "B/s"),
        ("3 h 20 min", 12000, "s"),
        ("7d", 7 * 86400, "s"),
        ("2 us", 2e-6, "s"),
        ("2 µs", 2e-6, "s"),
        ("1 yr", 8766 * 3600, "s"),
        ("700 W", 700, "W"),
        ("1.5 kWh", 5.4e6, "J"),
        ("USD 1,234", 1234, "USD"),
        ("1234 USD", 1234, "USD"),
        ("USD 12.3k", 12300, "USD"),
        ("USD 3.6/h", 1e-3, "USD/s"),
        ("$3.6/h", 1e-3, "USD/s"),
        ("-USD 5", -5, "USD"),
        ("1,593 MHz", 1.593e9, "1/s"),
        ("38%", 0.38, "1"),
        ("0.5", 0.5, "1"),
        ("300 billion tokens", 3e11, "1"),
        ("12 tokens/s", 12, "1/s"),
        ("5 1/s", 5, "1/s"),
        ("3 B/(s*W)", 3, "B/J"),
        ("3 B/s/W", 3, "B/J"),
        ("400 g/kWh", 0.4 / 3.6e6, "kg/J"),
        ("2 s^2", 2, "s^2"),
    ],
)
def test_parse(text: str, value: float, dimension: str) -> None:
    amount = parse(text)
    assert amount.value == pytest.approx(value, rel=1e-12)
    assert str(amount.dimension) == dimension


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("100 TFLOPS", "TFLOP/s"),
        ("4 KB", "kB or KiB"),
        ("10 Gbps", "Gbit/s"),
        ("9 GFLOPP", "GFLOP"),
        ("", "number"),
        ("GB", "number"),
        ("3 h 2 W", "parts"),
        ("1e999", "too large"),
        ("1e300 EB", "too large"),
        ("5 B/s^9", "exponent"),
        ("5 B/(s", "bracket"),
        ("1,23", "expected"),
        ("5 B s", "expected"),
        ("nan", "number"),
        ("inf", "number"),
        ("5 " + "(" * 50, "not a unit"),
        ("9" * 500, "too long"),
        ("1 (((((EB^4)^4)^4)^4)^4)", "too large"),
        ("1 ((((((1/EB)^4)^4)^4)^4)^4)^-1", "too large"),
    ],
)
def test_parse_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    assert says in caught.value.message + caught.value.hint


def test_dimension_algebra_tells_units_apart() -> None:
    rate, size = parse_unit("FLOP/s").dimension, parse_unit("B").dimension
    assert rate * SECOND == parse_unit("FLOP").dimension
    assert (size * size) ** 0.5 == size
    assert size / size == ONE
    assert rate != size
    assert parse_unit("kWh").dimension == parse_unit("W*h").dimension


def test_parse_as_wants_the_dimension() -> None:
    assert parse_as("80 GB", "B") == 80e9
    assert parse_as(80, "GB") == 80e9
    assert parse_as("80", "GB") == 80e9
    assert parse_as("7d", "s") == 7 * DAY_S
    for wrong in ("80 W", "38%", True, None, [1], 10**400, math.nan):
        with pytest.raises(UserError):
            parse_as(wrong, "B")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7B", 7e9),
        ("124M", 124e6),
        ("1e12", 1e12),
        ("300 billion tokens", 3e11),
        ("20k", 2e4),
        (5, 5.0),
        ("1T", 1e12),
    ],
)
def test_parse_count(text: str | int, value: float) -> None:
    assert parse_count(text) == value


@pytest.mark.parametrize("text", ["-3", "7 B/s", "many", "", True, "1e999", "9" * 999])
def test_parse_count_refuses(text: object) -> None:
    with pytest.raises(UserError):
        parse_count(text)  # type: ignore[arg-type]


def test_integers_of_thousands_of_digits_are_refused() -> None:
    for read in (parse_count, lambda n: parse_as(n, "B"), lambda n: parse(str(n)[:10] + "e9999")):
        with pytest.raises(UserError):
            read(10**4000)
    with pytest.raises(UserError):
        parse_count(10**5000)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (9.89e14, "FLOP/s", "989 TFLOP/s"),
        (80 * GIB, "B", "80 GiB"),
        (1.5e12, "B", "1,397 GiB"),
        (3e13, "B", "27.3 TiB"),
        (1023.9 * 2**20, "B", "1 GiB"),
        (3.35e12, "B/s", "3.35 TB/s"),
        (80, "GB", "80 GB"),
        (12000, "s", "3 h 20 min"),
        (1e6, "s", "12 days"),
        (DAY_S * 2, "s", "2 days"),
        (129386159.0, "s", "4.1 years"),
        (0.00123, "s", "1.23 ms"),
        (59.99, "s", "1 min"),
        (1234.4, "USD", "USD 1,234"),
        (12345, "USD", "USD 12.3k"),
        (1.2e6, "USD", "USD 1.2 million"),
        (2.49, "USD/h", "USD 2.49/h"),
        (2.49 / 3600, "USD/s", "USD 2.49/h"),
        (0.1 / 3.6e6, "USD/J", "USD 0.10/kWh"),
        (999.96e9, "FLOP/s", "1 TFLOP/s"),
        (3.6e9, "J", "1 MWh"),
        (38, "%", "38%"),
        (3e11, "tokens", "300 billion tokens"),
        (None, "B", "unknown"),
        (math.nan, "s", "unknown"),
        (0, "s", "0 s"),
    ],
)
def test_show(value: float | None, unit: str, text: str) -> None:
    assert show(value, unit) == text


@pytest.mark.parametrize(
    ("low", "high", "unit", "text"),
    [
        (3.1 * DAY_S, 4.2 * DAY_S, "s", "3.1–4.2 days"),
        (12300, 15100, "USD", "USD 12.3k–15.1k"),
        (1.1e6, 1.5e6, "USD", "USD 1.1–1.5 million"),
        (2.1, 3.5, "USD/h", "USD 2.1–3.5/h"),
        (30 * GIB, 41 * GIB, "B", "30–41 GiB"),
        (None, 5, "s", "at most 5 s"),
        (5 * GIB, None, "B", "at least 5 GiB"),
        (None, math.nan, "B", "unknown"),
        (3, 3, "s", "3 s"),
        (1, 1e5, "s", "1 s to 28 h"),
        (4.2 * DAY_S, 3.1 * DAY_S, "s", "3.1–4.2 days"),
    ],
)
def test_show_range(low: float | None, high: float | None, unit: str, text: str) -> None:
    assert show_range(low, high, unit) == text


def test_show_percent() -> None:
    assert show_percent(0.384) == "38%"
    assert show_percent(None) == "unknown"


def test_show_refuses_what_is_no_unit() -> None:
    with pytest.raises(UserError):
        show(3, "<script>")


def test_another_language_has_its_own_signs_and_words() -> None:
    german = Words(unknown="unbekannt", decimal=",", group=".", days="Tage", day="Tag", money="{} USD")
    assert show(None, "B", words=german) == "unbekannt"
    assert show(1234.0, "USD", words=german) == "1.234 USD"
    assert show(4.5 * DAY_S, "s", words=german) == "4,5 Tage"


@settings(deadline=None)
@example(0.375, "USD")
@given(st.floats(min_value=1e-8, max_value=1e19), st.sampled_from(SHOWN_UNITS))
def test_what_is_shown_parses_back_within_rounding(value: float, unit: str) -> None:
    shown = parse(show(value, unit))
    given_ = parse_unit(unit)
    assert shown.dimension == given_.dimension
    tolerance = 0.06 if given_.dimension == SECOND else 0.006
    cents = 0.006 if given_.dimension == parse_unit("USD").dimension else 0.0  # money has no finer ones
    assert shown.value == pytest.approx(value * given_.factor, rel=tolerance, abs=cents)


@settings(deadline=None)
@given(st.floats(min_value=1e-8, max_value=1e19), st.floats(1, 1e4), st.sampled_from(SHOWN_UNITS))
def test_ranges_always_print(low: float, ratio: float, unit: str) -> None:
    assert show_range(low, low * ratio, unit)


@settings(deadline=None)
@given(st.floats(min_value=1e-3, max_value=1e6), st.sampled_from(sorted(UNITS)))
def test_every_unit_parses_after_a_number(value: float, unit: str) -> None:
    assert parse(f"{value!r} {unit}").value == pytest.approx(value * UNITS[unit].factor, rel=1e-9)


@settings(deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="0123456789.,+-eE kMGBsh/()*^%$USDµ²٣", max_size=60)))
def test_hostile_text_gives_an_amount_or_a_user_error(text: str) -> None:
    for read in (parse, parse_count, parse_unit, lambda t: parse_as(t, "B")):
        try:
            read(text)
        except UserError as error:
            assert error.message  # nothing else may be raised


@settings(deadline=None)
@given(st.floats(), st.text(max_size=12))
def test_hostile_unit_never_crashes_show(value: float, unit: str) -> None:
    try:
        assert show(value, unit)
        assert show_range(value, value, unit)
    except UserError as error:
        assert error.message


def test_prices_below_a_hundred_have_two_decimals() -> None:
    assert [show(price, "USD/h") for price in (0.8, 1.0, 0.0123, 99.5)] == [
        "USD 0.80/h",
        "USD 1.00/h",
        "USD 0.01/h",
        "USD 99.50/h",
    ]
    assert show(0, "USD") == "USD 0" and show(120, "USD") == "USD 120"


def test_a_range_takes_the_unit_of_the_figure_it_stands_beside() -> None:
    day = 86400.0
    assert "years" in show_range(128 * day, 1168 * day, "s")
    assert show_range(128 * day, 1168 * day, "s", like=225 * day) == "130–1,200 days"
    assert show_range(20 * 60.0, 3 * 3600.0, "s", like=45 * 60.0) == "20–180 min"
    # A figure outside its range says nothing about the unit.
    assert show_range(128 * day, 1168 * day, "s", like=1.0) == show_range(128 * day, 1168 * day, "s")
