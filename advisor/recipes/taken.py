"""Keys of a recipe file taken one by one: what became a flag, what says nothing here, what nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.errors import DataError

DEFAULT = "the trainer's default"
"""What is behind a flag of which the file says nothing."""

_LONGEST = 60
_TRUE, _FALSE = ("true", "yes", "on", "1", "auto"), ("false", "no", "off", "0", "", "none", "null")


@dataclass(frozen=True)
class Recipe:
    """A recipe file as flags of `estimate` and `plan`, and what of it is not in them.

    `flags` has Python names of flags with their values as text or bool, `said` the key behind each. Keys of
    no effect on time or memory are in `aside`, those that would have one and are not modelled in
    `unmodelled`, keys of no trainer in `unknown`.
    """

    trainer: str
    path: Path
    flags: Mapping[str, str | bool]
    said: Mapping[str, str]
    aside: tuple[str, ...] = ()
    unmodelled: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    devices: int | None = None  # that its launcher starts, where it says


@dataclass
class Taking:
    """The keys of one file, and what was made of them."""

    path: Path
    values: Mapping[str, Any]
    flags: dict[str, str | bool] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    aside: list[str] = field(default_factory=list)
    unmodelled: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    devices: int | None = None
    left_open: set[str] = field(default_factory=set)  # flags that a file tells which is not here

    def get(self, *names: str) -> Any:
        """The value of the first of these keys that has one; all of them count as read."""
        self.taken.update(name for name in names if name in self.values)
        return next((self.values[name] for name in names if self.values.get(name) is not None), None)

    def key(self, *names: str) -> str:
        """The one of these keys that stands in the file."""
        return next((name for name in names if self.values.get(name) is not None), names[0])

    def text(self, *names: str) -> str | None:
        """A word; None where there is none. Raises DataError for a list or table."""
        value = self.get(*names)
        if value is None or isinstance(value, str):
            return value or None
        if isinstance(value, (int, float)):
            return str(value)
        raise self.wrong(self.key(*names), value, "is no text")

    def number(self, *names: str) -> float | None:
        """A number, also one written as text. Raises DataError for anything else."""
        value = self.get(*names)
        if value is None or (isinstance(value, str) and value.strip().lower() in ("", "auto", "none")):
            return None
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                return float(value)
            except (ValueError, OverflowError):
                pass
        raise self.wrong(self.key(*names), value, "is no number")

    def whole(self, *names: str) -> int | None:
        """A whole number above zero; below (-1: not set) is None. Raises DataError for others."""
        number = self.number(*names)
        if number is None or number <= 0:
            return None
        if not number.is_integer() or number > 1e15:
            raise self.wrong(self.key(*names), number, "is no whole number")
        return int(number)

    def flag(self, *names: str) -> bool | None:
        """True or False; None where nothing is said. Raises DataError for anything else."""
        value = self.get(*names)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise self.wrong(self.key(*names), value, "is neither true nor false")

    def words(self, *names: str) -> list[str]:
        """A list, or words parted by commas or spaces."""
        value = self.get(*names)
        if isinstance(value, str):
            return [part for part in value.replace(",", " ").split() if part]
        return [str(part) for part in value] if isinstance(value, list) else []

    def wrong(self, key: str, value: Any, problem: str) -> DataError:
        """The error that names file, key and value."""
        return DataError.at(self.path, key, value, problem, "Mend it, or give the flag on the command line.")

    def put(self, name: str, value: str | bool | float | None, *keys: str) -> None:
        """A flag, if there is a value; `keys` are those it came from."""
        if value is None:
            return
        self.flags[name] = value if isinstance(value, (str, bool)) else f"{value:g}"
        if isinstance(value, int) and not isinstance(value, bool):
            self.flags[name] = str(value)
        key = self.key(*keys) if keys else ""
        shown = self.values.get(key)
        self.said[name] = f"{key}: {short(shown)}" if shown is not None else DEFAULT

    def leave(self, names: Iterable[str]) -> None:
        """Keys that say nothing of time or memory."""
        wanted = set(names)
        for name, value in self.values.items():
            if name in wanted and name not in self.taken:
                self.taken.add(name)
                if value is not None:
                    self.aside.append(name)

    def miss(self, name: str, why: str = "") -> None:
        """A key that would change time or memory, and is not modelled."""
        self.taken.add(name)
        shown = f"{name}: {short(self.values.get(name))}"
        self.unmodelled.append(f"{shown} ({why})" if why else shown)

    def done(self, trainer: str) -> Recipe:
        """What was made of the file. Keys without a value say nothing and are not told."""
        left = [name for name, value in self.values.items() if name not in self.taken and value is not None]
        return Recipe(
            trainer,
            self.path,
            dict(self.flags),
            dict(self.said),
            tuple(self.aside),
            tuple(self.unmodelled),
            tuple(str(name)[:_LONGEST] for name in left),
            tuple(self.notes),
            self.devices,
        )


def short(value: Any) -> str:
    """A value on one line, cut."""
    if isinstance(value, (list, dict)):
        return f"{len(value)} entries" if isinstance(value, dict) or len(value) > 3 else str(value)[:_LONGEST]
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
