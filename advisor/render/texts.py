"""The texts of the report: English stands in the templates, another language is one TOML file.

In a template `{{ t("machine.cores", "{count} cores", count=8) }}` is the English text with its key;
`templates/lang/<code>.toml` may give another text for the key, with the same placeholders:

    [language]
    name = "Deutsch"

    [texts]
    "machine.cores" = "{count} Kerne"

    [numbers]
    days = "Tage"

    [sentences]
    "not installed" = "nicht installiert"

`[numbers]` names what `advisor.units.Words` names, `[sentences]` is told in `sentences.py`. What a language
lacks stands in English and is listed in `Texts.left`.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, TypeVar

from markupsafe import Markup, escape

from advisor.data.files import read_toml, shipped
from advisor.errors import DataError, UserError, did_you_mean
from advisor.render.sentences import Sentences, is_wording
from advisor.units import Ranged, Words, show, show_end, show_ranged

if TYPE_CHECKING:
    from advisor.schema import Measurement, Quantity

T = TypeVar("T", str, Markup)

_COUNTED = {"image_decode": "images/s", "serial_task": "steps/s"}
"""What a bench counts whose figure is stored as a bare rate."""

_UNKNOWN_UNIT = re.compile(r"[^A-Za-z0-9/*%µ ^.()-]")


@dataclass(frozen=True)
class Texts:
    """The texts of one language; call it with key, English text and values."""

    code: str = "en"
    name: str = "English"
    texts: dict[str, str] = field(default_factory=dict)
    tag: str = ""  # for the lang attribute, "zh-CN"; the code where none is given
    words: Words = field(default_factory=Words)
    sentences: Sentences = field(default_factory=Sentences)
    left: dict[str, None] = field(default_factory=dict)  # what stood in English for want of a translation

    def __call__(self, key: str, english: str, **values: Any) -> Markup:
        """The text of `key` with its values put in, everything escaped that is not Markup already."""
        return self._filled(escape, key, english, values)

    def plain(self, key: str, english: str, **values: Any) -> str:
        """The same, unescaped, for charts (whose library does its own escaping)."""
        return self._filled(str, key, english, values)

    def _filled(self, form: Callable[[str], T], key: str, english: str, values: dict[str, Any]) -> T:
        try:
            filled = form(self._text(key, english)).format(**values)
            return filled if self.code == "en" else type(filled)(tidy(filled))
        except (KeyError, IndexError, ValueError):  # a translation with other places than the English text
            self.left[english] = None
            return form(english).format(**values)

    def _text(self, key: str, english: str) -> str:
        if key in self.texts:
            return self.texts[key]
        if self.code != "en":
            self.left[english] = None
        return english

    def said(self, english: str) -> str:
        """A sentence that the advice holds in English, in this language."""
        if not self.sentences or not english:
            return english
        return self.sentences.tell(english, self.left)

    def said_whole(self, english: str) -> str:
        """The same of a text that is known whole or not at all: half of it would read as neither."""
        if not self.sentences or not english:
            return english
        own = self.sentences.find(english, self.left)
        if own is None and is_wording(english):
            self.left[english] = None
        return own or english

    def number(self, value: float, unit: str) -> str:
        """A figure for people; a unit that `units` does not know is printed as it stands."""
        return number(value, unit, self.words)

    def ranged(self, value: float | None, low: float | None, high: float | None, unit: str) -> Ranged:
        """A figure and its range for people, both in one unit."""
        try:
            told = show_ranged(value, low, high, unit or "1", words=self.words)
        except UserError:
            none, words = self.words.unknown, self.words
            figure, first, last = (
                none if one is None else number(one, unit, words) for one in (value, low, high)
            )
            told = Ranged(figure, "" if low is None and high is None else f"{first}–{last}", first, last)
        return Ranged(*(tidy(text) for text in told))

    def end(self, end: Quantity, of: Quantity | None) -> str:
        """Another figure of the same range, in the unit and digits of that range's ends."""
        if of is None or end.value is None:
            return self.told(end).figure
        return tidy(show_end(end.value, of.value, of.low, of.high, end.unit, words=self.words))

    def told(self, figure: Quantity | Measurement) -> Ranged:
        """The same of a figure of the advice."""
        counted = _COUNTED.get(getattr(figure, "bench", "")) if figure.unit == "1/s" else None
        return self.ranged(figure.value, figure.low, figure.high, counted or figure.unit)


def number(value: float, unit: str, words: Words = Words()) -> str:  # noqa: B008 - frozen, has no state
    """A figure for people; a unit that `units` does not know is printed as it stands."""
    try:
        return tidy(show(value, unit or "1", words=words))
    except UserError:
        plain = f"{value:.3g}" if math.isfinite(value) else str(value)
        return f"{plain} {_UNKNOWN_UNIT.sub('', unit)[:24]}".strip()


def tidy(text: str) -> str:
    """No blank between two Chinese words of a figure: "1.2 万美元", not "1.2 万 美元"."""
    return re.sub(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", text)


def languages(folder: Path | None = None) -> tuple[str, ...]:
    """The codes that `--lang` takes."""
    return tuple(sorted(path.stem for path in _folder(folder).glob("*.toml")))


def load_texts(code: str, folder: Path | None = None) -> Texts:
    """The texts of a language. Raises UserError for an unknown code, DataError for a broken file."""
    known = languages(folder)
    if code not in known:
        hint = did_you_mean(code, known) or f"There is: {', '.join(known)}."
        raise UserError(f"there is no report in the language {code!r}", hint)
    path = _folder(folder) / f"{code}.toml"
    raw = _read(path, folder)
    words, head = _words(path, raw.get("numbers", {})), raw.get("language", {})
    told = {**_rule_texts(code, folder), **_table(path, "sentences", raw)}
    return Texts(
        code=code,
        name=str(head.get("name", code)),
        texts=_table(path, "texts", raw),
        tag=str(head.get("tag", "")),
        words=words,
        sentences=Sentences(told, words),
    )


NAME = "name: "
"""Begins patterns that are names of quantities."""


def _rule_texts(code: str, folder: Path | None) -> dict[str, str]:
    """What the shipped rules say of themselves, as far as the language has it.

    Names of quantities are kept apart from sentences, in which the same word may mean something else.
    """
    path = _folder(folder) / "rules" / f"{code}.toml"
    if not path.is_file():
        return {}
    raw = _read(path, folder)
    names = {f"{NAME}{name}": told for name, told in _table(path, "names", raw).items()}
    return {**names, **_table(path, "sources", raw), **_table(path, "why", raw)}


def full_texts(code: str, folder: Path | None = None) -> Texts:
    """The same with the sentences of plans and estimates, which the terminal tells too."""
    texts = load_texts(code, folder)
    return texts if code == "en" else replace(texts, sentences=_in_terminal(texts, folder)[0])


def terminal_texts(code: str, folder: Path | None = None) -> tuple[Sentences, Words, dict[str, str]]:
    """What the commands say in a language: sentences, words and forms.

    Raises UserError for an unknown code, DataError for a broken file.
    """
    texts = load_texts(code, folder)
    sentences, forms = _in_terminal(texts, folder)
    return sentences, texts.words, forms


def _in_terminal(texts: Texts, folder: Path | None) -> tuple[Sentences, dict[str, str]]:
    """The sentences of a language with those of the commands, and the commands' forms."""
    path = _folder(folder) / "terminal" / f"{texts.code}.toml"
    raw = _read(path, folder) if path.is_file() else {}
    patterns = {**texts.sentences.patterns, **_table(path, "sentences", raw), **_table(path, "help", raw)}
    return Sentences(patterns, texts.words), _table(path, "forms", raw)


def _read(path: Path, folder: Path | None) -> dict[str, Any]:
    """A language file: of the shipped ones each once a process."""
    return _shipped(path) if folder is None else read_toml(path)


_shipped = lru_cache(maxsize=8)(read_toml)


def _table(path: Path, name: str, raw: dict[str, Any]) -> dict[str, str]:
    texts = raw.get(name, {})
    if not isinstance(texts, dict):
        raise DataError.at(path, name, texts, "is not a table of texts")
    for key, value in texts.items():
        if not isinstance(value, str):
            raise DataError.at(path, f"{name}.{key}", value, "is not a text", 'Write "key" = "text".')
    return dict(texts)


def _words(path: Path, raw: object) -> Words:
    """The table [numbers]: what Words names, and scales = [[1e4, " 万"]], the largest first."""
    if not isinstance(raw, dict):
        raise DataError.at(path, "numbers", raw, "is not a table")
    known = {part.name for part in fields(Words)} - {"usd"}
    for name, value in raw.items():
        if name not in known or isinstance(value, str) == (name in ("scales", "rates")):
            raise DataError.at(path, f"numbers.{name}", value, "is no word for numbers")
    told = dict(raw)
    if "scales" in told:
        told["scales"] = tuple((float(size), str(name)) for size, name in told["scales"])
    if "rates" in told:
        told["rates"] = tuple((str(unit), str(name)) for unit, name in told["rates"])
    return Words(**told)


def _folder(folder: Path | None) -> Path:
    return folder if folder is not None else shipped("templates") / "lang"


def own_text(code: str, folder: Path | None = None) -> str:
    """All wording of a language file, to see whether its characters can be printed. Empty for English,
    whose wording stands in the templates and is covered by the shipped font (a test holds that)."""
    path = _folder(folder) / f"{code}.toml"
    return "".join(_table(path, "texts", _read(path, folder)).values())


def placeholders(text: str) -> frozenset[str]:
    """The names in braces of a text."""
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)


def collect(sources: dict[str, str]) -> dict[str, str]:
    """Every key with its English text, of templates and Python files given as {name: content}.

    Raises DataError when one key stands for two different texts, or when a text is not a literal
    (then no other language could give it).
    """
    found: dict[str, str] = {}
    for name, content in sources.items():
        pairs = _in_python(name, content) if name.endswith(".py") else _in_template(name, content)
        for key, english in pairs:
            if found.setdefault(key, english) != english:
                raise DataError.at(name, key, english, f"is {found[key]!r} elsewhere")
    return dict(sorted(found.items()))


def _in_python(name: str, content: str) -> list[tuple[str, str]]:
    calls = [node for node in ast.walk(ast.parse(content)) if isinstance(node, ast.Call)]
    return [_pair(name, call) for call in calls if _is_text(call.func)]


def _is_text(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute) and function.attr == "plain":
        function = function.value
    return (isinstance(function, ast.Name) and function.id == "t") or (
        isinstance(function, ast.Attribute) and function.attr == "t"
    )


def _pair(name: str, call: ast.Call) -> tuple[str, str]:
    values = [node.value for node in call.args if isinstance(node, ast.Constant)]
    if len(values) != 2 or not all(isinstance(value, str) for value in values):
        raise DataError.at(
            name, f"line {call.lineno}", None, 't() needs two literal texts: t("key", "English")'
        )
    return str(values[0]), str(values[1])


def _in_template(name: str, content: str) -> list[tuple[str, str]]:
    from jinja2 import Environment, nodes

    tree = Environment(autoescape=True).parse(content)
    pairs = []
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "t":
            values = [arg.value for arg in call.args if isinstance(arg, nodes.Const)]
            if len(values) != 2:
                raise DataError.at(name, f"line {call.lineno}", None, 't() needs t("key", "English")')
            pairs.append((re.sub(r"\s+", " ", values[0]), values[1]))
    return pairs
