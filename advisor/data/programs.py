"""Programs that train: what published runs call them, and what --stack may name."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from advisor.data.files import read_toml, shipped
from advisor.errors import UserError, did_you_mean

FILE = Path("evidence") / "programs.toml"
_NOISE = re.compile(r"[^a-z0-9]+")
KIND = "any "
"""Before a program's name: any published run of it, whatever its version."""

PILOT = "own pilot"
"""The program of a pilot run of the user's own: that of no published run."""

_SAME = {"pytorch": "torch", "huggingface": "transformers", "hf": "transformers", "fsdp": "torch"}
"""Other words for program families."""


class Program(NamedTuple):
    """A program and the family of programs that the rules know it as."""

    name: str
    stack: str
    pattern: str
    text: str


@functools.cache
def programs() -> tuple[Program, ...]:
    """The shipped list, in the order in which names are read."""
    raw = read_toml(shipped("rules") / FILE)
    return tuple(Program(one["name"], one["stack"], one["pattern"], one["text"]) for one in raw["program"])


def program_names() -> tuple[str, ...]:
    """Their names, in the order of the list."""
    return tuple(one.name for one in programs())


@functools.cache
def program_of(word: str) -> str:
    """The program that a published run's word means; the word itself where none does."""
    if word.startswith(KIND):
        return word.removeprefix(KIND)
    if word == PILOT:
        return word
    plain = _NOISE.sub("", word.lower())
    if not plain:
        return word
    return next((one.name for one in programs() if re.search(one.pattern, plain)), word)


def find_stack(text: str, stacks: Iterable[str]) -> tuple[str, str]:
    """Program family and program that --stack names; "" where it names a family alone.

    Raises UserError with the nearest names for a word that is neither.
    """
    known = tuple(stacks)
    word = text.strip().lower().replace("_", "-")
    family = _SAME.get(word, word.replace("-", "_"))
    if family in known:
        return family, ""
    plain = _NOISE.sub("", word)
    for one in programs():
        if plain == _NOISE.sub("", one.name):
            return one.stack, one.name
    names = [*known, *(one.name for one in programs())]
    hint = did_you_mean(word, names) or _nearest_and_all(word, names)
    raise UserError(f"unknown stack {text[:60]!r}", hint)


def _nearest_and_all(word: str, names: Iterable[str]) -> str:
    """What is least unlike a word that is like none, and all names."""
    import difflib

    known = tuple(names)
    near = difflib.get_close_matches(word[:60], known, n=1, cutoff=0.0)
    return f"Nearest in spelling is {near[0]}. It is one of {', '.join(known)}."
