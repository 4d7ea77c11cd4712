"""Sentences that the advice holds in English (why it fits, why something is unknown), in another language.

advice.json keeps them in English, so that it reads the same everywhere. A language file lists their patterns:

    [sentences]
    "Needs {need} of the {there} {where} has." = "需要 {need}，{where}有 {there}。"

A placeholder named path, word, count, kept or share stands for one word, need, there and total for a figure
with its unit, one that begins with typed for what one types, which stays as it is, any other for words. What
stands there is told the same way: a figure in the language's own units, a sentence within the sentence by its
own pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from string import Formatter
from typing import NamedTuple

from advisor.render.figures_told import told_figure
from advisor.units import Words

_SENTENCE_END = re.compile(r"(?<=\.)\s+")
_SEPARATORS = (("; ", "；"), (", ", "，"))  # and what parts the same in Chinese
_DEEPEST = 6  # sentences within sentences

_WORDS = {"path", "word", "count", "kept", "share"}  # placeholders of one word, without a blank
_TYPED = "typed"  # begins placeholders of what one types, which is the same in every language
_FIGURES = {"need", "there", "total"}  # placeholders of a figure with its unit
_BETWEEN = re.compile(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")  # "24 小时 的上限": no blank there
_WORDING = re.compile(r"\b[a-z]{2,} [a-z]{2,}")  # two plain words: a name or a figure has none
_BEGINS = re.compile(r"[A-Z][a-z]+ [a-z]{2,}")


def is_wording(text: str) -> bool:
    """Whether a text says something, so that it wants a translation; names and figures do not."""
    return bool(_WORDING.search(text) or _BEGINS.match(text))


class Sentences:
    """The patterns of one language."""

    def __init__(self, patterns: Mapping[str, str] | None = None, words: Words | None = None) -> None:
        self.patterns = dict(patterns or {})
        self._words = words or Words()
        self._exact: dict[str, str] = {}
        self._patterns: list[_Known] = []
        for english, told in self.patterns.items():
            if "{" in english:
                self._patterns.append(_known(english, told))
            else:
                self._exact[english] = told
        # The most literal text first: "no {a} of {b}" must not take what a longer pattern says better.
        self._patterns.sort(key=lambda known: -sum(map(len, known.literals)))

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._exact or self._patterns)

    def tell(self, text: str, left: dict[str, None] | None = None, depth: int = 0) -> str:
        """`text` in this language; what has no pattern stays as it is and is put into `left`."""
        found = self._whole(text, left, depth)
        if found is not None:
            return found
        splits = [(_SENTENCE_END.split(text), "；"), *((text.split(mark), own) for mark, own in _SEPARATORS)]
        for parts, between in splits:
            if len(parts) < 2:
                continue
            within: dict[str, None] = {}  # what of these has no pattern itself
            told = [self._whole(part, within, depth) or self._list(part) for part in parts]
            if between == "，" and any(
                one is None and _WORDING.search(part) for one, part in zip(told, parts, strict=True)
            ):
                continue  # a list is told whole or not at all: half a sentence would read as neither
            if any(part is not None for part in told):
                if left is not None:
                    left.update(within)
                again = zip(told, parts, strict=True)
                told_ones = [self._joined(one, other, between, left) for one, other in again]
                return "".join(told_ones).removesuffix(between)
        if left is not None and is_wording(text):
            left[text] = None
        return text

    def _list(self, text: str) -> str | None:
        """A list of words, each of which is known; None where one is not, or where it is no list."""
        parts = text.split(", ")
        told = [self._exact.get(part) for part in parts]
        return "、".join(word for word in told if word) if len(parts) > 1 and all(told) else None

    def find(self, text: str, left: dict[str, None] | None = None) -> str | None:
        """The whole of `text` in this language; None when there is no pattern of it."""
        return self._whole(text, left, 0)

    def literal(self, text: str) -> int:
        """How many letters of a text the pattern that tells it has itself; 0: no pattern of it."""
        if text in self._exact:
            return len(text)
        return next(
            (
                sum(map(len, one.literals))
                for one in self._patterns
                if text.startswith(one.begins) and pattern_of(one.english).fullmatch(text)
            ),
            0,
        )

    def quoted(self, source: str) -> str:
        """A source: it stands as it is quoted, but for those of its parts that are sentences of ours."""
        if not self:
            return source
        if (whole := self._whole(source, None, 0)) is not None:
            return whole
        return "; ".join(self._whole(part, None, 0) or part for part in source.split("; "))

    def _joined(self, told: str | None, english: str, between: str, left: dict[str, None] | None) -> str:
        if told is None and left is not None and is_wording(english):
            left[english] = None
        text = told or english
        return text if text.endswith(("。", "；", ".", ";")) else f"{text}{between}"

    def _whole(self, text: str, left: dict[str, None] | None, depth: int) -> str | None:
        if text in self._exact:
            return self._exact[text]
        if depth > _DEEPEST:
            return None
        for begins, ends, literals, english, told in self._patterns:
            # Most sentences are none of a pattern's, and few patterns are ever compiled.
            if not (text.startswith(begins) and text.endswith(ends)) or any(x not in text for x in literals):
                continue
            match = pattern_of(english).fullmatch(text)
            if match:
                values = {
                    name: value if name.startswith(_TYPED) else self.tell(value, left, depth + 1)
                    for name, value in match.groupdict().items()
                }
                return _BETWEEN.sub("", told.format(**values))
        return self.figure(text)

    def figure(self, text: str) -> str | None:
        """A printed figure in this language: "12 days", "7.3–12 min", "1.2 billion"; None when it is none."""
        return told_figure(text, self._words)


class _Known(NamedTuple):
    """A pattern, with what every sentence of it begins and ends with and holds between its places."""

    begins: str
    ends: str
    literals: tuple[str, ...]
    english: str
    told: str


def _known(english: str, told: str) -> _Known:
    parts = list(Formatter().parse(english))
    literals = tuple(literal for literal, _, _, _ in parts if literal)
    return _Known(parts[0][0], "" if parts[-1][1] else parts[-1][0], literals, english, told)


@lru_cache(maxsize=4096)
def pattern_of(english: str) -> re.Pattern[str]:
    """The pattern of an English sentence with names in braces."""
    parts = []
    for literal, name, _, _ in Formatter().parse(english):
        parts.append(re.escape(literal))
        if name:
            form = r"\S+?" if name in _WORDS else r"[\d.,]+ \S+?" if name in _FIGURES else ".+?"
            parts.append(f"(?P<{name}>{form})")
    return re.compile("".join(parts), re.DOTALL)
