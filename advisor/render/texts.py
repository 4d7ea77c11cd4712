"""The texts of the report: English stands in the templates, another language is one TOML file.

In a template `{{ t("machine.cores", "{count} cores", count=8) }}` is the English text with its key;
`templates/lang/<code>.toml` may give another text for the key, with the same placeholders:

    [language]
    name = "Deutsch"

    [texts]
    "machine.cores" = "{count} Kerne"
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

from markupsafe import Markup, escape

from advisor.data.files import read_toml, shipped
from advisor.errors import DataError, UserError, did_you_mean


@dataclass(frozen=True)
class Texts:
    """The texts of one language; call it with key, English text and values."""

    code: str = "en"
    name: str = "English"
    texts: dict[str, str] = field(default_factory=dict)

    def __call__(self, key: str, english: str, **values: Any) -> Markup:
        """The text of `key` with its values put in, everything escaped that is not Markup already."""
        return escape(self.texts.get(key, english)).format(**values)

    def plain(self, key: str, english: str, **values: Any) -> str:
        """The same, unescaped, for charts (whose library does its own escaping)."""
        return self.texts.get(key, english).format(**values)


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
    raw = read_toml(path)
    texts = raw.get("texts", {})
    if not isinstance(texts, dict):
        raise DataError.at(path, "texts", texts, "is not a table of texts")
    for key, value in texts.items():
        if not isinstance(value, str):
            raise DataError.at(path, f"texts.{key}", value, "is not a text", 'Write "key" = "text".')
    return Texts(code=code, name=str(raw.get("language", {}).get("name", code)), texts=texts)


def _folder(folder: Path | None) -> Path:
    return folder if folder is not None else shipped("templates") / "lang"


def own_text(code: str, folder: Path | None = None) -> str:
    """All wording of a language file, to see whether its characters can be printed. Empty for English,
    whose wording stands in the templates and is covered by the shipped font (a test holds that)."""
    return "".join(load_texts(code, folder).texts.values())


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
