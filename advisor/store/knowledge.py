"""Shipped rules, catalogue and published runs in one kept file: made, found again, read piece by piece."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from advisor import __version__
from advisor.data.catalogue import Catalogue
from advisor.published import FILE, Published
from advisor.rulebook.parts import SCENARIOS, Quantity, Rule, RuleBook
from advisor.store import place
from advisor.store.codec import Entries, is_entry, line_of, value_of

_CODE = ("rulebook", "data", "units", "schema", "store", "published.py", "neighbours.py")
_PARTS: tuple[tuple[str, type[Any]], ...] = (
    ("book", RuleBook),
    ("catalogue", Catalogue),
    ("published", Published),
)
_NUMBERS = "numbers"
"""Of the book besides its fields: the constants in each scenario, all that most answers ask of them."""
_HEX = 64  # digits of a SHA-256


@dataclass(frozen=True)
class Known:
    """What `load` gives and `save` takes."""

    book: RuleBook
    catalogue: Catalogue
    published: Published


def key_of(rules: Path) -> str:
    """SHA-256 over every byte that decides what is kept: rules, data, the code that reads them, Python."""
    digest = hashlib.sha256(f"{__version__} {sys.version} {rules}".encode())
    package = Path(__file__).resolve().parent.parent
    for top, ending in ((rules, ".toml"), *((package / part, ".py") for part in _CODE)):
        for path in _files(str(top), ending):
            content = _content(path)
            digest.update(f"\n{path} {len(content)}\n".encode())
            digest.update(content)
    digest.update(_content(str(rules / FILE)))
    return digest.hexdigest()


def _files(top: str, ending: str) -> Iterator[str]:
    """All files below, in a fixed order; the file itself where it is one."""
    if top.endswith(ending):
        yield top
        return
    for entry in sorted(os.scandir(top), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry.path, ending)
        elif entry.name.endswith(ending):
            yield entry.path


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - half the time of pathlib, five hundred times
        return file.read()


def load(key: str) -> Known | None:
    """What was kept under this key; None where there is nothing, or nothing whole that can be believed."""
    raw = place.read(_name(key))
    if raw is None or len(raw) <= 2 * _HEX:
        return None
    body = memoryview(raw)[2 * _HEX :]
    if raw[:_HEX] != key.encode() or raw[_HEX : 2 * _HEX] != hashlib.sha256(body).hexdigest().encode():
        return None
    index, *rest = str(body, "utf-8").split("\n")
    lines = iter(rest)
    found: dict[str, dict[str, Any]] = {}
    for part, names in json.loads(index).items():
        own = found[part] = {}
        for name, keys in names.items():
            if keys is None:
                own[name] = value_of(next(lines))
            else:
                own[name] = Entries({key: next(lines) for key in keys}, value_of)
    found["book"]["rules"] = _rules(found["book"])
    numbers = found["book"].pop(_NUMBERS)
    known = Known(**{part: kind(**found[part]) for part, kind in _PARTS})
    for name, values in numbers.items():
        for scenario, value in zip(SCENARIOS, values, strict=True):
            known.book.remembered[name, scenario] = np.asarray(value)
    return known


def save(key: str, known: Known) -> bool:
    """Keep it for later processes; False where that cannot be."""
    try:
        body = _body(known)
    except TypeError:  # a type that nothing here keeps: then everything is read afresh
        return False
    return place.write(_name(key), (key + hashlib.sha256(body).hexdigest()).encode() + body)


def _body(known: Known) -> bytes:
    """A line with the names of all entries, then a line for each."""
    index: dict[str, dict[str, list[str] | None]] = {}
    lines: list[str] = []
    for part, kind in _PARTS:
        whole = getattr(known, part)
        names = index[part] = {}
        for field in fields(kind):
            value = getattr(whole, field.name)
            if field.name == "rules" and isinstance(whole, RuleBook):
                value = _places(whole)
            if isinstance(value, Mapping) and value and all(map(is_entry, value.values())):
                names[field.name] = list(value)
                lines += map(line_of, value.values())
            else:
                names[field.name] = None
                lines.append(line_of(value))
        if isinstance(whole, RuleBook):
            names[_NUMBERS] = None
            lines.append(
                line_of({key: tuple(map(one.at, SCENARIOS)) for key, one in whole.constants.items()})
            )
    return "\n".join((json.dumps(index, ensure_ascii=False), *lines)).encode()


def _name(key: str) -> str:
    return f"{place.NAME}{key[:32]}"


def _places(book: RuleBook) -> dict[str, tuple[str, int]]:
    """Where each rule as written stands among those of its quantity: it is kept there, and once."""
    place_of = {id(rule): (q.name, at) for q in book.quantities.values() for at, rule in enumerate(q.rules)}
    return {name: place_of[id(rule)] for name, rule in book.rules.items()}


def _rules(book: Mapping[str, Any]) -> Entries[Rule]:
    places: dict[str, tuple[str, int]] = book["rules"]
    quantities: Mapping[str, Quantity] = book["quantities"]

    def rule(name: str) -> Rule:
        quantity, at = places[name]
        return quantities[quantity].rules[at]

    return Entries({name: name for name in places}, rule)
