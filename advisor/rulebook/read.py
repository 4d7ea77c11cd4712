"""One rule file -> entries, with every problem named by file, line, key and value."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from advisor.data.files import MAX_TOML_BYTES, read_text
from advisor.errors import UserError, did_you_mean
from advisor.rulebook.parts import Problem

KINDS = {
    "column": "name",
    "curve": "name",
    "constant": "id",
    "constant_by": "id",
    "rule": "id",
    "op_column": "name",
    "operator": "id",
    "op_rule": "id",
    "op_total": "id",
    "advice": "id",
}
"""Top-level tables of a rule file -> the key that names an entry."""

MAX_NODES = 5000
MAX_DEPTH = 20
MAX_DOTS = 200  # in one line: dotted keys cost the TOML reader time and memory by their square
_ID = {
    "column": re.compile(r"[a-z][a-z0-9_]{0,63}"),
    "curve": re.compile(r"[a-z][a-z0-9_]{0,63}"),
    "constant": re.compile(r"[a-z][a-z0-9_]{0,63}"),
    "constant_by": re.compile(r"[a-z][a-z0-9_]{0,39}"),
    "rule": re.compile(r"[a-z][a-z0-9_.-]{0,79}"),
    "op_column": re.compile(r"op_[a-z0-9_]{1,60}"),
    "operator": re.compile(r"[a-z][a-z0-9_]{0,39}"),
    "op_rule": re.compile(r"[a-z][a-z0-9_.-]{0,79}"),
    "op_total": re.compile(r"[a-z][a-z0-9_.-]{0,79}"),
    "advice": re.compile(r"[a-z][a-z0-9-]{0,39}"),
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lines:
    """In which lines of its file the keys of an entry stand; looked up when asked, as few ever are."""

    keys: Mapping[str, Any]
    text: list[str]
    first: int
    last: int

    def get(self, key: str, default: int) -> int:
        """The line of a key, or of `key.inner` inside its table; the default for a key that is not there."""
        outer, _, inner = key.partition(".")
        if outer not in self.keys:
            return default
        line = _find(self.text, outer, start=self.first, stop=self.last) or self.first + 1
        return (inner and _find(self.text, inner, start=line - 1, stop=self.last)) or line


@dataclass
class Raw:
    """An entry as written, before it is checked."""

    kind: str
    id: str
    file: str
    folder: str
    line: int
    keys: Mapping[str, Any]
    lines: Lines

    def problem(self, key: str, value: Any, problem: str, hint: str = "") -> Problem:
        """A problem with one of its keys."""
        label = f"{self.kind} '{self.id}': {key}" if key else f"{self.kind} '{self.id}'"
        return Problem(self.file, self.lines.get(key, self.line), label, value, problem, hint)


@dataclass
class RawFile:
    """The entries of one file and what was wrong with it as a whole."""

    path: Path
    shown: str
    folder: str
    raw: bytes = b""
    entries: list[Raw] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_file(path: Path, shown: str, folder: str) -> RawFile:
    """Read and split a rule file. `shown` is how messages name it. Never raises for what is in it."""
    found = RawFile(path, shown, folder)

    def wrong(problem: str, hint: str = "", *, line: int = 0, key: str = "") -> RawFile:
        found.problems.append(Problem(shown, line, key, None, problem, hint))
        return found

    if not path.is_file():  # a pipe would wait for ever
        return wrong("is not a file")
    try:
        text = read_text(path, limit_bytes=MAX_TOML_BYTES)
    except UserError as error:
        return wrong(error.message.removeprefix(f"{path}: "), error.hint)
    found.raw = text.encode("utf-8")
    lines = text.split("\n")
    document = _document(text, lines)
    if isinstance(document, _Refused):
        return wrong(document.problem, document.hint, line=document.line)
    known = ", ".join(f"[[{kind}]]" for kind in KINDS)
    for key, value in document.items():
        if key not in KINDS:
            hint = did_you_mean(key, KINDS) or f"Rule files hold {known}."
            wrong("is not known in rule files", hint, line=_find(lines, key), key=key)
        elif not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            wrong(f"must be a list of tables, as [[{key}]]", line=_find(lines, key), key=key)
        else:
            found.entries += _entries(key, value, lines, found)
    return found


@dataclass(frozen=True, slots=True)
class _Refused:
    problem: str
    hint: str = ""
    line: int = 0


def _document(text: str, lines: list[str]) -> dict[str, Any] | _Refused:
    """The TOML document, or why it is none; bounded before and after the parser sees it."""
    for number, line in enumerate(lines, 1):
        if line.count(".") > MAX_DOTS:
            return _Refused(f"has more than {MAX_DOTS} dots in one line", "Split the line.", number)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        return _Refused(f"is not valid TOML: {error}", "Mend that line.", int(at[1]) if at else 0)
    except RecursionError:
        return _Refused("is nested too deeply")
    except ValueError as error:  # a whole number of thousands of digits
        return _Refused(f"is not valid TOML: {error}")
    too_much = _too_much(document)
    return _Refused(too_much) if too_much else document


def _too_much(document: dict[str, Any]) -> str:
    """Why a document is too large, too deep or no TOML by the book, or ''. Walks without recursion."""
    count, depth = 1, 0
    level: list[Any] = [document]
    while level:
        depth += 1
        below: list[Any] = []
        for node in level:
            children = node.values() if isinstance(node, dict) else node
            if children and depth > MAX_DEPTH:
                return f"is nested deeper than {MAX_DEPTH}"
            count += len(children)
            if count > MAX_NODES:
                return f"has more than {MAX_NODES} values"
            for child in children:
                if isinstance(child, (dict, list)):
                    below.append(child)
                elif isinstance(child, int) and abs(child) >= 2**63:
                    return "has a whole number beyond 64 bits"
        level = below
    return ""


def _entries(kind: str, tables: list[dict[str, Any]], lines: list[str], found: RawFile) -> Iterator[Raw]:
    naming = KINDS[kind]
    spans = _spans(kind, lines, len(tables))
    for number, table in enumerate(tables):
        first, last = spans[number] if spans else (0, len(lines))
        name = table.get(naming)
        if not spans and isinstance(name, str):
            first = max(0, _find(lines, naming, name) - 1)
        places = Lines(table, lines, first, last)
        if not isinstance(name, str) or not _ID[kind].fullmatch(name):
            what = "starts with op_" if kind == "op_column" else "lower case, digits, underscore"
            problem = "is missing" if name is None else f"is not a name ({what})"
            line = places.get(naming, first + 1)
            label = f"{kind} {number + 1}: {naming}"
            found.problems.append(Problem(found.shown, line, label, name, problem))
            continue
        yield Raw(kind, name, found.shown, found.folder, places.get(naming, first + 1), table, places)


def _spans(kind: str, lines: list[str], count: int) -> list[tuple[int, int]]:
    """First and last line (0-based, half open) of each [[kind]] table; [] when they cannot be told apart."""
    header = re.compile(r"\s*\[\[?\s*[\"']?([A-Za-z0-9_-]+)[\"']?\s*(\.?)[^\[\]]*\]\]?\s*(?:#.*)?$")
    starts = [
        (i, found[1])
        for i, line in enumerate(lines)
        if (found := header.match(line)) and not (found[1] == kind and found[2])  # [operator.gives]
    ]
    own = [
        (start, starts[i + 1][0] if i + 1 < len(starts) else len(lines))
        for i, (start, name) in enumerate(starts)
        if name == kind and lines[start].lstrip().startswith("[[")
    ]
    return own if len(own) == count else []


def _find(
    lines: list[str], key: str, value: str | None = None, start: int = 0, stop: int | None = None
) -> int:
    """The 1-based line in which `key` (with `value`) is set, or 0."""
    wanted = rf"(?:^|[\s{{,\[\"']){re.escape(key)}[\"']?\s*(?:=|\]|\.)"
    if value is not None:
        wanted = rf"(?:^|[\s{{,]){re.escape(key)}\s*=\s*[\"']{re.escape(value)}[\"']"
    pattern = re.compile(wanted)
    for number in range(start, len(lines) if stop is None else stop):
        if pattern.search(lines[number]):
            return number + 1
    return 0


class Keys:
    """Takes the keys of an entry one by one, notes what is missing, mistyped or unknown."""

    def __init__(self, raw: Raw, problems: list[Problem]) -> None:
        self.raw = raw
        self.problems = problems
        self.failed = False
        self._asked: set[str] = {KINDS[raw.kind]}

    def wrong(self, key: str, problem: str, hint: str = "") -> None:
        """Note a problem with a key."""
        self.failed = True
        self.problems.append(self.raw.problem(key, self.raw.keys.get(key), problem, hint))

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it must be there and not be empty."""
        self._asked.add(key)
        value = self.raw.keys.get(key, default)
        if value is None:
            self.wrong(key, "is missing", f'Add {key} = "…" to the entry.')
        elif not isinstance(value, str):
            self.wrong(key, "must be text in quotes", f'Write {key} = "…".')
        elif not value.strip() and default is None:
            self.wrong(key, "is empty", f'Write {key} = "…" with a text in it.')
        else:
            return value
        return ""

    def raw_value(self, key: str) -> Any:
        """Whatever stands there, or None."""
        self._asked.add(key)
        return self.raw.keys.get(key)

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self.raw.keys

    def convert(self, key: str, how: Callable[[Any], T], default: T) -> T:
        """`how(value)`, with what it raises turned into a problem of this key."""
        self._asked.add(key)
        try:
            return how(self.raw.keys.get(key))
        except UserError as error:
            self.wrong(key, error.message, error.hint)
            return default

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """One of a few words."""
        value = self.text(key, default)
        if value not in choices and value:
            self.wrong(key, f"must be one of {', '.join(choices)}", did_you_mean(value, choices))
            return default
        return value or default

    def rest(self) -> dict[str, Any]:
        """Keys nobody asked for, kept by entries that allow extra keys."""
        return {key: value for key, value in self.raw.keys.items() if key not in self._asked}

    def no_more(self) -> None:
        """Note every key nobody asked for as a problem."""
        for key in self.rest():
            self.wrong(key, "is not known here", did_you_mean(key, self._asked))
