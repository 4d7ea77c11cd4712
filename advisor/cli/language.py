"""The language the terminal speaks: `--lang` anywhere on the command line, else the locale's.

Everything is written in English in the code. Another language has the patterns of these sentences in
`templates/lang/<code>.toml` (what advice.json says) and `templates/lang/terminal/<code>.toml` (what the
commands say, their help and their errors); what it lacks stands in English. JSON is never translated.

`told` finds a whole sentence by its pattern, wherever it was made; `form` fills a text whose places are known
here, which is surer where a pattern would be so general that it matched other sentences too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.render.sentences import Sentences
    from advisor.schema import Quantity
    from advisor.units import Words

ENGLISH = "en"
_OWN_NAMES = {"CNY": "元"}  # as Chinese, which has the currency behind the number, writes it
_MARKS = re.compile(r"(?:[\s!•·]|-(?=\s))*")  # a flag is no mark
_CHINESE = re.compile(r"[\u3400-\u9fff\u3001-\u303f\uff00-\uffef]")


class _State:
    """What was asked for last; one process speaks one language at a time."""

    code = ENGLISH
    currency: tuple[str, float] | None = None  # another than US dollars, and dollars for one of it


def of_locale(environment: Mapping[str, str] | None = None) -> str:
    """ "zh" where the locale is Chinese, else "en": what --lang is without the flag."""
    told = os.environ if environment is None else environment
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := told.get(name):
            return "zh" if value.lower().startswith("zh") else ENGLISH
    return ENGLISH


def asked(arguments: Iterable[str], environment: Mapping[str, str] | None = None) -> str:
    """The language of a command line: of its last --lang, else of the locale."""
    found, before = "", ""
    for argument in arguments:
        if argument == "--":
            break
        if argument.startswith("--lang="):
            found = argument.removeprefix("--lang=")
        elif before == "--lang":
            found = argument
        before = argument
    return found or of_locale(environment)


def speak(code: str) -> None:
    """Take up a language; an unknown one is English here, and an error where the flag is read."""
    _State.code = code


def pay_in(code: str, usd: float) -> None:
    """Tell amounts of money in a currency of which one is so many US dollars; USD: as they are stored."""
    _State.currency = None if code == "USD" else (code, usd)


def spoken() -> str:
    """The code of the language in use."""
    return _State.code


def told(text: str) -> str:
    """A sentence in the language in use, with its indent and mark; as it is where nothing is known of it."""
    if not text:
        return text
    sentences = None if _State.code == ENGLISH else _patterns(_State.code)
    if sentences is not None:
        text = "\n".join(_line(line, sentences) for line in text.split("\n"))
    if _State.currency is not None and "USD " in text:
        from advisor.render.figures_told import in_currency

        text = in_currency(text, _words())
    return text


def chosen(name: str, value: str) -> str:
    """A choice of the set-up: one phrase where the language has one ("recompute none"), or both words."""
    sentences = None if _State.code == ENGLISH else _patterns(_State.code)
    whole = sentences.patterns.get(f"{name} {value}".replace("_", " ")) if sentences is not None else None
    return whole or f"{told(name)} {told(value)}"


def quoted(source: str) -> str:
    """A source as it is quoted, with those of its parts that are sentences of ours in the language in use."""
    sentences = None if _State.code == ENGLISH else _patterns(_State.code)
    return source if sentences is None else sentences.quoted(source)


def glued(title: str) -> str:
    """A title with what stands between it and its text: nothing after a Chinese colon, which is wide."""
    return (own := told(title)) + ("" if own.endswith("：") else " ")


def told_once(text: str) -> str:
    """The same for what may have been told already: a text with Chinese in it stays as it is."""
    return text if _CHINESE.search(text) else told(text)


# "site.toml: node.gpus = '0': is no count": file, key and value as DataError.at writes them
_PLACE = re.compile(r"\S*[./]\S*: (?:[\w. \[\]-]{1,80}(?: = (?:'[^']*'|\"[^\"]*\"|[^:'\"]*))?: )?")


def told_error(text: str) -> str:
    """An error's line; where the whole is not known its problem, after file, key and value."""
    sentences = None if _State.code == ENGLISH else _patterns(_State.code)
    if sentences is None:
        return text
    # the problem first: a pattern of few words, such as "{a} is {b}", would take file and key along
    ends = [place.end(), text.find(": ") + 2] if (place := _PLACE.match(text)) else []
    # what an exception says of itself is no sentence of ours, and few words of a pattern may be in it: the
    # part of which most is known is told
    best = max([0, *ends], key=lambda end: sentences.literal(text[end:]))
    ends = [best, *(end for end in ends if end != best)] if best else [] if sentences.literal(text) else ends
    for end in ends:
        if (problem := sentences.find(text[end:])) is not None:
            return text[:end] + problem
    if (whole := sentences.find(text)) is not None:
        return whole
    for at in re.finditer(": ", text):
        if (tail := sentences.find(text[at.end() :])) is not None:
            return text[: at.end()] + tail
    return sentences.tell(text)


def form(english: str, **values: object) -> str:
    """A text with places, as the language in use has it in [forms]; values are put in as they are."""
    known = None if _State.code == ENGLISH else _known(_State.code, _State.currency)
    if known is None:
        return english.format(**values)
    from advisor.render.figures_told import own_number

    own = {name: own_number(of, known[1]) if isinstance(of, str) else of for name, of in values.items()}
    return _tidy(known[2].get(english, english).format(**own))


def show(value: float | None, unit: str, digits: int = 3) -> str:
    """A figure for people, in the words of the language in use."""
    from advisor import units

    return _tidy(units.show(value, unit, digits, _words()))


def show_range(low: float | None, high: float | None, unit: str, *, like: float | None = None) -> str:
    """A range for people, in the words of the language in use."""
    from advisor import units

    return _tidy(units.show_range(low, high, unit, _words(), like=like))


def show_ranged(value: float | None, low: float | None, high: float | None, unit: str) -> tuple[str, str]:
    """A figure and its range ("" where there is none to tell) in one unit, with the digits it warrants."""
    from advisor import units

    told = units.show_ranged(value, low, high, unit, words=_words())
    return _tidy(told.figure), _tidy(told.spread)


def show_end(end: float | None, of: Quantity, unit: str) -> str:
    """Another figure of a quantity's range, in the unit and digits of its ends."""
    from advisor import units

    return _tidy(units.show_end(end, of.value, of.low, of.high, unit, words=_words()))


def show_rough(value: float, unit: str) -> str:
    """A figure of which two digits are known at best."""
    from advisor import units

    return _tidy(units.show_rough(value, unit, _words()))


def show_percent(value: float | None, digits: int = 2) -> str:
    """A share for people."""
    from advisor import units

    return units.show_percent(value, digits, _words())


def _line(line: str, sentences: Sentences) -> str:
    mark = _MARKS.match(line)
    start = mark.end() if mark else 0
    body = line[start:].rstrip()
    return line[:start] + sentences.tell(body) if body else line


def _tidy(text: str) -> str:
    """No blank between two Chinese words or signs: "1.2 万美元", "在本机上"."""
    return re.sub(r"(?<=[\u4e00-\u9fff\uff00-\uffef]) (?=[\u4e00-\u9fff\uff00-\uffef])", "", text)


def _words() -> Words:
    from advisor.units import ENGLISH as PLAIN

    known = None if _State.code == ENGLISH else _known(_State.code, _State.currency)
    return known[1] if known else _in_money(PLAIN, _State.currency)


def _in_money(words: Words, currency: tuple[str, float] | None) -> Words:
    """The words with amounts in that currency: after the number where the language has it there."""
    if currency is None:
        return words
    code, usd = currency
    after = words.money.startswith("{}")
    return replace(words, money=f"{{}} {_OWN_NAMES.get(code, code)}" if after else f"{code} {{}}", usd=usd)


def _patterns(code: str) -> Sentences | None:
    known = _known(code, _State.currency)
    return known[0] if known else None


@lru_cache(maxsize=2)
def _known(
    code: str, currency: tuple[str, float] | None = None
) -> tuple[Sentences, Words, dict[str, str]] | None:
    """Patterns, words and forms of a language; None for one that there is not, or whose file is broken."""
    from advisor.errors import AdvisorError
    from advisor.render.texts import terminal_texts

    try:
        sentences, words, forms = terminal_texts(code)
        if currency is None:
            return sentences, words, forms
        words = _in_money(words, currency)
        return type(sentences)(sentences.patterns, words), words, forms
    except AdvisorError:  # the command says so where the language is read; this text must not fail
        return None
