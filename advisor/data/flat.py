"""Reads the plain part of TOML that catalogue files keep to, several times as fast as the full parser."""

from __future__ import annotations

import re
from typing import Any

_TEXT = r'"[^"\\\x00-\x1f\x7f]*"'
_ESCAPED = r'"(?:[^"\\\x00-\x1f\x7f]|\\["\\])*"'
_WORD = r"[A-Za-z0-9_-]+"
_LINE = re.compile(
    rf"(?:({_WORD}) *= *"  # a key and
    rf"(?:({_ESCAPED})"  # a text,
    r"|([+-]?(?:0|[1-9]\d*))"  # a whole number,
    r"|([+-]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)"  # another number,
    r"|(true|false)"  # a truth
    rf"|\[((?: *{_TEXT} *,)* *{_TEXT}|) *\])"  # or a list of texts in one line;
    rf"|\[({_WORD})\]|\[\[({_WORD})\]\]|)"  # a table, one of several tables, or nothing
    r" *(?:#[^\x00-\x08\x0a-\x1f\x7f]*)?"
)
_MAX_DIGITS = 4000  # Python refuses to read longer ones


def flat_toml(text: str) -> dict[str, Any] | None:
    """What `text` says, or None where it is more than plain: then the full parser must read it, or refuse it.

    Plain are lines with one key and a text (escaping quotes and backslashes alone), a number, true, false or
    a list of texts without escapes; [tables] and [[tables]] of one level; comments. Where this answers, the
    full parser says the same.
    """
    if len(text) > _MAX_DIGITS * 100:
        return None
    whole: dict[str, Any] = {}
    table = whole
    repeated: set[str] = set()
    for line in text.split("\n"):
        found = _LINE.fullmatch(line) if len(line) < _MAX_DIGITS else None
        if found is None:
            return None
        key, *values, header, several = found.groups()
        if key is not None:
            if key in table:
                return None
            table[key] = _value(*values)
        elif header is not None:
            if header in whole:
                return None
            table = whole[header] = {}
        elif several is not None:
            if several in whole and several not in repeated:
                return None
            repeated.add(several)
            table = {}
            whole.setdefault(several, []).append(table)
    return whole


def _value(
    quoted: str | None, integer: str | None, number: str | None, truth: str | None, listed: str
) -> Any:
    if quoted is not None:
        plain = quoted[1:-1]
        return re.sub(r"\\(.)", r"\1", plain) if "\\" in plain else plain
    if integer is not None:
        return int(integer)
    if number is not None:
        return float(number)
    return truth == "true" if truth is not None else re.findall(r'"([^"]*)"', listed)
