"""Figures that stand in an English sentence, in another language's units, with the digits that they have."""

from __future__ import annotations

import re

from advisor.units import Words, show

_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_COUNT = re.compile(rf"({_NUMBER})(?:–({_NUMBER}))? (million|billion|trillion)( [a-z]+)?")
_SCALES = {"million": 1e6, "billion": 1e9, "trillion": 1e12}
_TIME = re.compile(rf"({_NUMBER})(?:–({_NUMBER}))? (years?|days?|h|min|s)(?: (\d+) (min|s))?")
_MONEY = re.compile(rf"USD ({_NUMBER})(k| million| billion| trillion)?(/h|/kWh|)")
_THOUSANDS = {"": 1.0, "k": 1e3, " million": 1e6, " billion": 1e9, " trillion": 1e12}
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")


def told_figure(text: str, words: Words) -> str | None:
    """ "12 days", "3 h 20 min", "7.3–12 min", "1.2 billion", "USD 12k" in a language; None: it is none."""
    if match := _TIME.fullmatch(text):
        return _time(match, words)
    if match := _COUNT.fullmatch(text):
        ends = [_number(end) * _SCALES[match[3]] for end in match.group(1, 2) if end]
        return words.dash.join(show(end, "1", words=words) for end in ends)
    if match := _MONEY.fullmatch(text):
        return show(_number(match[1]) * _THOUSANDS[match[2] or ""], f"USD{match[3]}", words=words)
    return own_number(text, words) if _GROUPED.fullmatch(text) else None


def in_currency(text: str, words: Words) -> str:
    """A text with the amounts of US dollars in it as amounts of the money of `words`, with as many digits."""

    def again(match: re.Match[str]) -> str:
        digits = len(match[1].replace(",", "").replace(".", "").lstrip("0"))
        value = _number(match[1]) * _THOUSANDS[match[2] or ""]
        return show(value, f"USD{match[3]}", min(max(digits, 2), 4), words)

    return _MONEY.sub(again, text)


def own_number(text: str, words: Words) -> str:
    """ "12,000" as the language writes such numbers ("1.2 万"), where that keeps all its digits."""
    if not _GROUPED.fullmatch(text):
        return text
    value = _number(text)
    return text if value != float(f"{value:.3g}") else show(value, "1", words=words)


def _time(match: re.Match[str], words: Words) -> str:
    names = {
        "year": words.years,
        "day": words.days,
        "h": words.hours,
        "min": words.minutes,
        "s": words.seconds,
    }
    once = {"year": words.year, "day": words.day}
    unit = match[3].removesuffix("s") or "s"
    ends = words.dash.join(_own(end, words) for end in match.group(1, 2) if end)
    first = f"{ends} {once.get(unit, names[unit]) if ends == '1' else names[unit]}"
    return f"{first} {match[4]} {names[match[5]]}" if match[4] else first


def _own(number: str, words: Words) -> str:
    """A number with the language's own signs."""
    return number.replace(",", "\0").replace(".", words.decimal).replace("\0", words.group)


def _number(text: str) -> float:
    return float(text.replace(",", ""))
