"""Frozen types of rules and catalogue to lines of JSON and back, an entry at a time and only when asked for.

A list begins with a number that says what it is: a tuple, a list, a date, a path, an array, or one of the
types below with its fields in order. Nothing else is ever made of what a file says, and no code is run.
"""

from __future__ import annotations

import datetime
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel

from advisor.data.accelerator import Accelerator, Price, Purchase
from advisor.neighbours import Features, Kernel, Neighbours
from advisor.rulebook.compile import later
from advisor.rulebook.expr import Expr
from advisor.rulebook.parts import (
    Case,
    Column,
    Constant,
    Curve,
    Hint,
    OpColumn,
    Operator,
    OpTotal,
    Override,
    Quantity,
    Rule,
    Term,
)
from advisor.schema import Model, Recipe, Workload
from advisor.units.table import Dimension

T = TypeVar("T")
_TUPLE, _LIST, _DATE, _PATH, _TREE, _DIMENSION, _ARRAY, _WORDS, _CASES, _SET, _FIRST = range(11)
_TYPES: tuple[type[Any], ...] = (
    Accelerator, Case, Column, Constant, Curve, Features, Hint, Kernel, Model, Neighbours, OpColumn, OpTotal,
    Operator, Override, Price, Purchase, Quantity, Recipe, Rule, Term, Workload,
)  # fmt: skip
_NUMBER = {kind: number for number, kind in enumerate(_TYPES, _FIRST)}
_MADE_AGAIN = ("run", "run_when")  # functions, made of the trees


def _names(kind: type[Any]) -> tuple[str, ...]:
    if issubclass(kind, BaseModel):
        return tuple(kind.model_fields)
    return tuple(field.name for field in fields(kind) if field.name not in _MADE_AGAIN)


_FIELDS = {kind: _names(kind) for kind in _TYPES}


def line_of(value: object) -> str:
    """One line of JSON that `value_of` reads. Raises TypeError for a type that is not foreseen."""
    return json.dumps(_out(value), ensure_ascii=False, separators=(",", ":"))


def value_of(line: str) -> Any:
    """What `line_of` was given."""
    return _in(json.loads(line))


def is_entry(value: object) -> bool:
    """Whether it is worth a line of its own."""
    return type(value) in _NUMBER


def _out(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str, int, float)):
        if type(value) not in (bool, str, int, float, type(None)):
            raise TypeError(f"a {type(value).__name__} would be read as something else")
        return value
    if isinstance(value, tuple):
        told = list(map(_out, value))
        if value and all(type(one) is Case for one in value):
            return [_CASES, *told]
        return [_TUPLE if any(type(one) in (list, dict) for one in told) else _WORDS, *told]
    if isinstance(value, (list, frozenset)):
        return [_LIST, *map(_out, value)] if isinstance(value, list) else [_SET, *map(_out, sorted(value))]
    if isinstance(value, Mapping):
        return {_key(key): _out(one) for key, one in value.items()}
    if isinstance(value, Expr):
        return [_TREE, _tree_out(value)]
    if isinstance(value, Dimension):
        return [_DIMENSION, *value.exponents]
    if isinstance(value, Path):
        return [_PATH, str(value)]
    if type(value) is datetime.date:
        return [_DATE, value.isoformat()]
    if isinstance(value, np.ndarray):
        return [_ARRAY, value.dtype.str, list(value.shape), b64encode(value.tobytes()).decode()]
    if type(value) in _NUMBER:
        own = [_NUMBER[type(value)], *(_out(getattr(value, name)) for name in _FIELDS[type(value)])]
        # What an operator says of itself has a condition to show, and none to compute.
        return [*own, value.run_when is not None] if isinstance(value, (Rule, Operator)) else own
    raise TypeError(f"nothing keeps a {type(value).__name__}")


def _key(key: object) -> str:
    if type(key) is not str:
        raise TypeError("a key that is no text would be read as one")
    return key


def _in(value: Any) -> Any:
    if type(value) is list:
        tag = value[0]
        if tag >= _FIRST:
            return _made(_TYPES[tag - _FIRST], value)
        return _PLAIN[tag](value)
    if type(value) is dict:
        return {key: _in(one) for key, one in value.items()}
    return value


def _made(kind: type[Any], raw: list[Any]) -> Any:
    given = {
        name: _in(one) if type(one) in (list, dict) else one
        for name, one in zip(_FIELDS[kind], raw[1:], strict=False)
    }
    if kind is Rule:
        given["run"] = later(given["tree"])
    if kind is Rule or kind is Operator:
        given["run_when"] = later(given["when_tree"]) if raw[-1] else None
    return kind(**given)


def _tree_out(tree: Expr) -> Any:
    """A number, a name, or [operator, its own number or name, parts …]."""
    if tree.op == "num":
        return tree.number
    if tree.op == "name":
        return tree.name
    own = tree.name or (None if tree.number != tree.number else tree.number)
    return [tree.op, own, *map(_tree_out, tree.args)]


def _tree_in(raw: Any) -> Expr:
    if type(raw) is str:
        return Expr("name", name=raw)
    if type(raw) is not list:
        return Expr("num", number=raw)
    op, own, *parts = raw
    args = tuple(map(_tree_in, parts))
    if own is None:
        return Expr(op, args)
    return Expr(op, args, name=own) if type(own) is str else Expr(op, args, own)


_dimensions: dict[tuple[float, ...], Dimension] = {}


def _dimension(raw: list[Any]) -> Dimension:
    exponents = tuple(raw[1:])
    found = _dimensions.get(exponents)
    if found is None:
        found = _dimensions[exponents] = Dimension(exponents)
    return found


def _array(raw: list[Any]) -> Any:
    _, kind, shape, text = raw
    return np.frombuffer(b64decode(text), dtype=kind).reshape(shape)


class _Cases(Sequence[Case]):
    """A rule's examples, which only its tests and its manual page read."""

    __slots__ = ("_raw",)

    def __init__(self, raw: list[Any]) -> None:
        self._raw = raw

    def __getitem__(self, at: Any) -> Any:
        return tuple(map(_in, self._raw[1:]))[at]

    def __iter__(self) -> Iterator[Case]:
        return map(_in, self._raw[1:])

    def __len__(self) -> int:
        return len(self._raw) - 1


_PLAIN: tuple[Callable[[list[Any]], Any], ...] = (
    lambda raw: tuple(map(_in, raw[1:])),
    lambda raw: [_in(one) for one in raw[1:]],
    lambda raw: datetime.date.fromisoformat(raw[1]),
    lambda raw: Path(raw[1]),
    lambda raw: _tree_in(raw[1]),
    _dimension,
    _array,
    lambda raw: tuple(raw[1:]),
    _Cases,
    lambda raw: frozenset(map(_in, raw[1:])),
)
"""By number: tuple, list, date, path, tree, dimension, array, tuple of words or numbers, cases, set."""


class Entries(Mapping[str, T]):
    """Entries by id, each read from its line when it is first asked for."""

    __slots__ = ("_lines", "_read", "_ready")

    def __init__(self, lines: dict[str, str], read: Callable[[str], T]) -> None:
        self._lines, self._read = lines, read
        self._ready: dict[str, T] = {}

    def __getitem__(self, key: str) -> T:
        try:
            return self._ready[key]
        except KeyError:
            found = self._ready[key] = self._read(self._lines[key])
            return found

    def __contains__(self, key: object) -> bool:
        return key in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)
