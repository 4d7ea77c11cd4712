"""SI to text for people: 9.89e14 FLOP/s -> "989 TFLOP/s", 1e6 s -> "12 days"."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from advisor.units.parse import parse_unit
from advisor.units.table import (
    BASES,
    BINARY,
    COUNTS,
    DAY_S,
    GIB,
    HOUR_S,
    KIB,
    KWH_J,
    LARGE,
    MIB,
    MINUTE_S,
    ONE,
    SECOND,
    TIB,
    YEAR_S,
    Unit,
)


@dataclass(frozen=True, slots=True)
class Words:
    """What is particular to a language: number signs and the names of times. Units stay SI."""

    unknown: str = "unknown"
    infinite: str = "infinite"
    decimal: str = "."
    group: str = ","
    dash: str = "–"
    to: str = " to "
    at_least: str = "at least {}"
    at_most: str = "at most {}"
    seconds: str = "s"
    minutes: str = "min"
    hours: str = "h"
    day: str = "day"
    days: str = "days"
    year: str = "year"
    years: str = "years"
    money: str = "USD {}"
    per_hour: str = "/h"  # of prices
    rates: tuple[tuple[str, str], ...] = ()  # counts by the second, as (("images/s", " 张/秒"),)
    usd: float = 1.0  # US dollars, in which all is stored, for one unit of the money shown
    scales: tuple[tuple[float, str], ...] = ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"))


ENGLISH = Words()


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit as it is printed."""

    factor: float  # SI units per shown unit
    suffix: str  # with its leading blank
    one: str = ""  # the suffix where the number reads "1"


def show(value: float | None, unit: str, digits: int = 3, words: Words = ENGLISH) -> str:
    """A figure for people. `value` counts in `unit`, which is an SI unit for every stored figure.

    Memory ("B") in KiB…TiB, data rates and decimal byte units in GB/s and GB, times as "3 h 20 min",
    "12 days", "4.1 years", money as "USD 1,234" or "USD 12.3k", counts as "300 billion tokens".
    None and NaN give "unknown". Times are rounded to what is of use (5 % at worst), the rest to
    `digits` figures. Raises UserError for a unit that is none.
    """
    si, kind, label = in_si(value, unit, words)
    if si is None:
        return words.unknown
    if math.isinf(si):
        return "-" + words.infinite if si < 0 else words.infinite
    if kind == "time":
        return _sign(si) + _duration(abs(si), digits, words)
    scale = _scale(kind, label, abs(si), digits, words)
    return money_or_plain(kind, label, _sign(si) + _figure(kind, abs(si), scale, digits, words), scale, words)


def show_percent(value: float | None, digits: int = 2, words: Words = ENGLISH) -> str:
    """A share from 0 to 1 for people: 0.38 -> "38%"; None -> "unknown"."""
    return show(None if value is None else value * 100, "%", digits, words)


def in_si(value: float | None, unit: str, words: Words = ENGLISH) -> tuple[float | None, str, str]:
    """SI value (None when unknown; money as it is shown), kind of figure, and the label to print after the
    number."""
    parsed = parse_unit(unit)
    dimension = parsed.dimension
    kind, label = "other", unit
    if unit == "%":
        kind, parsed = "percent", Unit(1.0, ONE)
    elif unit.startswith("USD") and dimension.exponents[BASES.index("USD")] == 1 and unit[3:4] in ("", "/"):
        # Prices per second or per joule are stored as such and read by nobody.
        label, factor = {"USD/s": ("/h", HOUR_S), "USD/J": ("/kWh", KWH_J)}.get(unit, (unit[3:], 1.0))
        label = words.per_hour if label == "/h" else label
        kind, parsed = "money", Unit(factor / words.usd, dimension)
    elif dimension == SECOND:
        kind = "time"
    elif dimension.is_one:
        kind, label = "count", "" if unit == "1" else " " + unit
    elif unit.partition("/")[0] in _COUNT_NAMES and dimension == ONE / SECOND and unit.endswith("/s"):
        kind, label = "count", dict(words.rates).get(unit, " " + unit if unit != "1/s" else "/s")
    else:
        kind, label = _prefixed(unit)
        if kind == "other":
            parsed = Unit(1.0, dimension)
    if value is None or math.isnan(value):
        return None, kind, label
    return float(value) * parsed.factor, kind, label


_COUNT_NAMES = frozenset({"1", *COUNTS, *(name + "s" for name in COUNTS)})
_SCALED = {"B": "memory", "FLOP": "large", "OP": "large", "bit": "large", "W": "large", "Wh": "watt_hours",
           "J": "joule", "Hz": "large", "g": "gram"}  # fmt: skip


def _prefixed(unit: str) -> tuple[str, str]:
    """Which prefixes suit a unit of one prefixed name and an optional plain denominator."""
    name, slash, below = unit.partition("/")
    for base, kind in _SCALED.items():
        prefix = name.removesuffix(base)
        if prefix == name or (prefix not in LARGE and prefix not in BINARY):
            continue
        if below and (below != "s" or base not in ("B", "FLOP", "OP", "bit")):
            return "other", " " + unit
        if base == "B":
            binary = not below and (prefix == "" or prefix in BINARY)
            return ("memory" if binary else "large"), f"B{slash}{below}"
        return kind, base + slash + below
    return "other", " " + unit


def _scale(kind: str, label: str, size: float, digits: int, words: Words) -> Scale:
    """The scale in which `size` (SI) reads best."""
    if kind == "memory":
        # GiB up to 10 TiB, so that it can be held against a device's memory at a glance.
        steps = [(1.0, " B"), (KIB, " KiB"), (MIB, " MiB"), (GIB, " GiB"), (10 * TIB, " TiB")]
        chosen = _largest(steps, size, digits)
        return Scale(TIB if chosen[1] == " TiB" else chosen[0], chosen[1])
    if kind in ("large", "watt_hours", "joule", "gram"):
        base = {"watt_hours": HOUR_S, "gram": 1e-3}.get(kind, 1.0)
        if label.startswith("bit"):
            base = 1 / 8
        if kind == "joule" and size >= 0.1 * KWH_J:
            kind, label, base = "watt_hours", "Wh", HOUR_S
        steps = [(factor * base, f" {prefix}{label}") for prefix, factor in LARGE.items()]
        return Scale(*_largest(steps, size, digits))
    if kind in ("count", "money"):
        steps = [(1.0, "")]
        if kind == "money":
            steps.append((1e3, "k"))
        steps += sorted(words.scales)
        chosen = _largest(steps, size, digits)
        if chosen[1] == "k" and size < 9_999.5:  # USD 1,234 reads better than USD 1.23k
            chosen = steps[0]
        return Scale(*chosen) if size < 1e16 else Scale(1.0, "")
    return Scale(1.0, "")


def scale_of(kind: str, label: str, size: float, words: Words) -> Scale:
    """The scale in which a figure that has a range reads best: times in one unit alone."""
    if kind != "time":
        return _scale(kind, label, size, 3, words)
    scale = _time_scale(size, words)
    if scale.factor == YEAR_S:
        for many, name in words.scales:
            if size / YEAR_S >= many:
                return Scale(many * YEAR_S, f"{name} {words.years}")
    return scale


def _largest(steps: list[tuple[float, str]], size: float, digits: int) -> tuple[float, str]:
    """The last step not above `size`, with 999.96 counted as 1000 when it would be printed so."""
    chosen = steps[0]
    for before, step in pairwise(steps):
        lift = 1 + 0.5 * 10.0 ** (1 - digits) / 10 if step[0] / before[0] >= 1000 else 1.0
        if size * lift >= step[0]:
            chosen = step
    return chosen


def _figure(kind: str, size: float, scale: Scale, digits: int, words: Words) -> str:
    number = size / scale.factor
    if kind == "money" and scale.factor == 1.0 and 0.00995 <= number < 99.995:  # prices
        return grouped(f"{number:,.2f}", words)
    return plain_digits(number, digits, words)


def plain_digits(number: float, digits: int, words: Words) -> str:
    """`digits` figures, never rounding whole digits away below 100,000, without trailing zeros."""
    if number == 0:
        return "0"
    digits = max(1, min(digits, 15))
    whole = math.floor(math.log10(abs(number))) + 1
    if not -4 < whole <= 15:
        return grouped(f"{number:.{digits - 1}e}", words)
    places = digits - whole
    rounded = round(number, max(places, 0) if whole <= 5 else places)
    text = f"{rounded:,.{max(places, 0)}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return grouped(text, words)


def grouped(text: str, words: Words) -> str:
    """A number with the language's own signs."""
    if (words.group, words.decimal) == (",", "."):
        return text
    return text.replace(",", "\0").replace(".", words.decimal).replace("\0", words.group)


def money_tail(scale: Scale) -> str:
    """What stands behind each number of a range of money: "12k–15k"."""
    return scale.suffix if scale.suffix == "k" else ""


def money_or_plain(kind: str, label: str, figure: str, scale: Scale, words: Words) -> str:
    """A number with its unit."""
    if kind == "money":
        sign = "-" if figure.startswith("-") else ""
        return sign + words.money.format(figure.removeprefix("-") + scale.suffix) + label
    if kind == "percent":
        return figure + "%"
    if kind == "time":
        return figure + " " + (scale.one if figure == "1" and scale.one else scale.suffix).strip()
    if kind == "count":
        return figure + scale.suffix + label
    return figure + (scale.suffix or label)


def _sign(value: float) -> str:
    return "-" if value < 0 else ""


def _time_scale(seconds: float, words: Words) -> Scale:
    steps = [
        (1e-9, Scale(1e-9, "ns")),
        (0.9995e-6, Scale(1e-6, "µs")),
        (0.9995e-3, Scale(1e-3, "ms")),
        (0.9995, Scale(1.0, words.seconds)),
        (59.95, Scale(MINUTE_S, words.minutes)),
        (59.5 * MINUTE_S, Scale(HOUR_S, words.hours)),
        (47.5 * HOUR_S, Scale(DAY_S, words.days, words.day)),
        (364.5 * DAY_S, Scale(YEAR_S, words.years, words.year)),
    ]
    chosen = steps[0][1]
    for least, scale in steps:
        if seconds >= least:
            chosen = scale
    return chosen


def _duration(seconds: float, digits: int, words: Words) -> str:
    if seconds == 0:
        return f"0 {words.seconds}"
    scale = _time_scale(seconds, words)
    if scale.suffix in (words.minutes, words.hours):
        big, small = (MINUTE_S, 1.0) if scale.suffix == words.minutes else (HOUR_S, MINUTE_S)
        name = words.seconds if small == 1.0 else words.minutes
        if seconds < 9.95 * big:
            whole, rest = divmod(round(seconds / small), round(big / small))
            return f"{whole} {scale.suffix} {rest} {name}" if rest else f"{whole} {scale.suffix}"
        return f"{round(seconds / big)} {scale.suffix}"
    if scale.factor >= DAY_S:
        number = seconds / scale.factor
        figure = plain_digits(number, 2 if number < 99.5 else 3, words)
        for size, name in words.scales:
            if number >= size:
                figure = plain_digits(number / size, 2, words) + name
                break
        return f"{figure} {scale.one if figure == '1' else scale.suffix}"
    return f"{plain_digits(seconds / scale.factor, digits, words)} {scale.suffix}"
