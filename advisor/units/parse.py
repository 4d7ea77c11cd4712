"""Text to SI: "989 TFLOP/s" -> 9.89e14 FLOP/s."""

from __future__ import annotations

import math
import re
from functools import lru_cache

from advisor.errors import UserError, did_you_mean
from advisor.units.table import ONE, SECOND, UNITS, WORDS_OF_NUMBER, Amount, Dimension, Unit

MAX_TEXT = 200  # longer than any amount somebody would write
_MAX_DEPTH = 8
_MAX_POWER = 4

_COMMON_MISTAKES = {
    "TFLOPS": "TFLOP/s", "TFLOPs": "TFLOP/s", "GFLOPS": "GFLOP/s", "PFLOPS": "PFLOP/s", "TOPS": "TOP/s",
    "KB": "kB or KiB", "Gb": "Gbit or GB", "Mb": "Mbit or MB", "Gbps": "Gbit/s", "GBps": "GB/s",
    "sec": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min", "hr": "h", "hrs": "h",
    "m": "min or month", "y": "yr", "w": "W", "watt": "W", "dollar": "USD", "mo": "month",
}  # fmt: skip

_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?"
_AMOUNT = re.compile(rf"\s*({_NUMBER})\s*(k\b|thousand\b|million\b|billion\b|trillion\b)?\s*", re.ASCII)
_UNIT_TOKEN = re.compile(r"\s*(\*\*|[A-Za-zµμ]+|\d+|[%*/()·^-])")


def parse(text: str) -> Amount:
    """An amount with its unit: "989 TFLOP/s", "80GiB", "3 h 20 min", "USD 1,234", "USD 2.49/h", "38%", "0.5".

    Raises UserError that names the text, the unit not understood and the nearest known one.
    """
    if not isinstance(text, str):
        raise UserError(f"{text!r} is not an amount with a unit", "Write it as text, such as '80 GiB'.")
    if len(text) > MAX_TEXT:
        raise UserError(f"an amount of {len(text)} characters is too long: {text[:40]!r}…")
    plain = text.strip().replace("\u2212", "-").replace("\u00a0", " ")
    sign = -1.0 if plain.startswith("-") and plain[1:].lstrip().startswith(("USD", "$")) else 1.0
    money = re.match(r"-?\s*(?:USD|\$)\s*", plain)
    if money:
        return _money(text, plain[money.end() :], sign)
    total, dimension, rest, parts = 0.0, ONE, plain, 0
    while rest or not parts:
        found = _AMOUNT.match(rest)
        if not found:
            raise UserError(
                f"{text!r} is not an amount with a unit", "Write a number and a unit, as '80 GiB'."
            )
        rest = rest[found.end() :]
        ahead = re.search(rf"(?<=[a-zA-Zµ%])\s+(?={_NUMBER}\s*[a-zA-Zµ])", rest)
        own, rest = (rest[: ahead.start()], rest[ahead.end() :]) if ahead else (rest, "")
        unit = parse_unit(own) if own.strip() else Unit(1.0, ONE)
        if parts and (unit.dimension != dimension or dimension != SECOND):
            raise UserError(
                f"{text!r} adds {dimension} and {unit.dimension}", "Only times may be given in parts."
            )
        total += _number(found) * unit.factor
        dimension = unit.dimension
        parts += 1
    return _finite(text, total, dimension)


def _money(text: str, plain: str, sign: float) -> Amount:
    found = _AMOUNT.match(plain)
    if not found:
        raise UserError(f"{text!r} is not an amount of money", "Write it as 'USD 1,234' or 'USD 2.49/h'.")
    rest = plain[found.end() :].strip()
    if rest and not rest.startswith("/"):
        raise UserError(f"{text!r} is not an amount of money", "Write it as 'USD 1,234' or 'USD 2.49/h'.")
    unit = parse_unit("USD" + rest)
    return _finite(text, sign * _number(found) * unit.factor, unit.dimension)


def _number(found: re.Match[str]) -> float:
    return float(found[1].replace(",", "")) * WORDS_OF_NUMBER.get(found[2] or "", 1.0)


def _finite(text: str, value: float, dimension: Dimension) -> Amount:
    if math.isnan(value):
        raise UserError(f"{text!r} is no number", "Give a finite number.")
    if not math.isfinite(value):
        raise UserError(f"{text!r} is too large a number")
    return Amount(value, dimension)


def parse_as(text: str | float | int, unit: str) -> float:
    """The SI value of `text`, which must have the dimension of `unit`; a bare number counts in `unit`.

    parse_as("80 GB", "B") -> 8e10; parse_as(80, "GB") -> 8e10; parse_as("7d", "s") -> 604800.
    Raises UserError when it is something else ("80 W" where bytes are wanted).
    """
    wanted = parse_unit(unit)
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise UserError(f"{str(text)[:40]!r} is not an amount in {unit}")
    if isinstance(text, str):
        amount = parse(text)
        bare = amount.dimension.is_one and re.fullmatch(rf"\s*{_NUMBER}\s*", text, re.ASCII)
        if not bare:
            if amount.dimension != wanted.dimension:
                raise UserError(
                    f"{text!r} is in {amount.dimension}, not in {wanted.dimension}", f"Give it in {unit}."
                )
            return amount.value
        text = amount.value
    return _finite(f"that number of {unit}", _as_float(text) * wanted.factor, wanted.dimension).value


def _as_float(number: float | int) -> float:
    try:
        return float(number)
    except OverflowError:  # an int of hundreds of digits
        return math.inf


_COUNT = re.compile(
    rf"\s*({_NUMBER})\s*(k|m|b|bn|g|t|thousand|million|billion|trillion)?(?:\s*[a-z]+)?\s*", re.I
)
_COUNT_SCALE = {"k": 1e3, "m": 1e6, "b": 1e9, "bn": 1e9, "g": 1e9, "t": 1e12, **WORDS_OF_NUMBER}


def parse_count(text: str | float | int) -> float:
    """A count as people write it: "7B" -> 7e9, "300 billion tokens" -> 3e11, "124M", "1e12".

    Raises UserError for anything else, for negative and for infinite numbers.
    """
    hint = "Write it as 7e9, 7B, 124M or '300 billion'."
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise UserError(f"{text!r} is not a count", hint)
    if not isinstance(text, str):
        text = repr(_as_float(text))
    if len(text) > MAX_TEXT:
        raise UserError("that count is too long", hint)
    found = _COUNT.fullmatch(text)
    if not found:
        raise UserError(f"{text!r} is not a count", hint)
    value = float(found[1].replace(",", "")) * _COUNT_SCALE.get((found[2] or "").lower(), 1.0)
    if value < 0 or not math.isfinite(value):
        raise UserError(f"{text!r} is not a count", hint)
    return value


@lru_cache(maxsize=1024)
def parse_unit(text: str) -> Unit:
    """A unit expression: "TFLOP/s", "USD/(GB*month)", "B/s/W", "1/s". Raises UserError."""
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise UserError(f"{str(text)[:40]!r} is not a unit")
    tokens = _tokens(text)
    if tokens and tokens[0] == "/":
        tokens.insert(0, "1")
    try:
        unit, rest = _product(text, tokens, 0)
    except (OverflowError, ZeroDivisionError) as error:
        raise UserError(f"{text!r} is too large or too small a unit") from error
    if rest:
        raise UserError(f"{text!r} is not a unit: {rest[0]!r} is not expected there")
    if not 0 < unit.factor < math.inf:
        raise UserError(f"{text!r} is too large or too small a unit")
    return unit


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        found = _UNIT_TOKEN.match(stripped, at)
        if not found:
            raise UserError(f"{text!r} is not a unit: {stripped[at]!r} is not expected there")
        tokens.append(found[1])
        at = found.end()
    return tokens


def _product(text: str, tokens: list[str], depth: int) -> tuple[Unit, list[str]]:
    unit, rest = _factor(text, tokens, depth)
    while rest and rest[0] in ("*", "/", "·"):
        right, after = _factor(text, rest[1:], depth)
        if rest[0] == "/":
            unit = Unit(unit.factor / right.factor, unit.dimension / right.dimension)
        else:
            unit = Unit(unit.factor * right.factor, unit.dimension * right.dimension)
        rest = after
    return unit, rest


def _factor(text: str, tokens: list[str], depth: int) -> tuple[Unit, list[str]]:
    if not tokens or depth > _MAX_DEPTH:
        raise UserError(f"{text!r} is not a unit", "Write it as 'GB/s' or 'USD/h'.")
    first, rest = tokens[0], tokens[1:]
    if first == "(":
        unit, rest = _product(text, rest, depth + 1)
        if not rest or rest[0] != ")":
            raise UserError(f"{text!r} is not a unit: a closing bracket is missing")
        rest = rest[1:]
    elif first in UNITS:
        unit = UNITS[first]
    else:
        known = _COMMON_MISTAKES.get(first)
        hint = f"Write {known}." if known else did_you_mean(first, UNITS)
        raise UserError(f"unknown unit {first!r} in {text!r}", hint)
    if rest and rest[0] in ("^", "**"):
        power, rest = _exponent(text, rest[1:])
        unit = Unit(unit.factor**power, unit.dimension**power)
    return unit, rest


def _exponent(text: str, tokens: list[str]) -> tuple[int, list[str]]:
    sign = 1
    if tokens and tokens[0] == "-":
        sign, tokens = -1, tokens[1:]
    if not tokens or not tokens[0].isdigit() or len(tokens[0]) > 1 or int(tokens[0]) > _MAX_POWER:
        raise UserError(f"{text!r} is not a unit: an exponent is a whole number up to {_MAX_POWER}")
    return sign * int(tokens[0]), tokens[1:]
