"""What every kind of log is turned into, and how its steps become one figure."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

Fields = dict[str, Any]
SKIPPED = 0.1  # of the first steps: they compile, fill caches and wait for data
LEAST = 3  # steps that must be left, or none is skipped
ANSI = re.compile(r"\x1b\[[0-9;]*m")
COUNT = (1.0, 1e9)
LONGEST = 4000


LARGEST = 1e18  # of anything that a log counts: tokens a second, milliseconds of a step


@dataclass(frozen=True)
class Steps:
    """Figures of one kind, one a printed step, in the log's order."""

    values: tuple[float, ...] = ()

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Steps:
        """Those that are plausible: above zero and no larger than any figure of a log can be."""
        return cls(tuple(v for v in values if v is not None and 0 < v < LARGEST))

    def middle(self) -> float | None:
        """The median without the first steps; None where there is nothing."""
        if not self.values:
            return None
        first = max(1, int(len(self.values) * SKIPPED))
        kept = self.values[first:] if len(self.values) - first >= LEAST else self.values
        return float(statistics.median(kept))


@dataclass(frozen=True)
class Log:
    """A log's speed and what it tells of the run. `fields` are those of a record.

    Speed in the unit the log has it: seconds of a step, tokens or samples a second and device, or tokens a
    second of all devices; `tokens_per_step` is what turns them into one another.
    """

    framework: str
    fields: Fields = field(default_factory=dict)
    step_s: Steps = Steps()
    tokens_per_device: Steps = Steps()
    samples_per_device: Steps = Steps()
    tokens_per_step: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def tells_speed(self) -> bool:
        """Whether anything says how fast it was."""
        return any(steps.values for steps in (self.step_s, self.tokens_per_device, self.samples_per_device))

    @property
    def count(self) -> int:
        """Steps that stand behind the speed."""
        return max(len(s.values) for s in (self.step_s, self.tokens_per_device, self.samples_per_device))


def number(text: str | None) -> float | None:
    """'1,234.5' as 1234.5; None for anything that is no finite number."""
    try:
        value = float((text or "").replace(",", "").strip())
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole(text: str | None) -> int | None:
    """A whole number from 1 up, or None."""
    value = number(text)
    return int(value) if value is not None and value.is_integer() and COUNT[0] <= value <= COUNT[1] else None


def put(found: Fields, name: str, value: Any) -> None:
    """A field, if it is known."""
    if value is not None:
        found[name] = value


class Kind(Protocol):
    """A file of this folder."""

    TITLE: str
    WHERE: str

    def looks_like(self, text: str) -> bool:
        """Whether a text is a log of this kind."""

    def parse(self, text: str) -> Log:
        """What the log says."""


def lines(text: str) -> Iterator[str]:
    """The lines of a log without colours, none longer than patterns are searched in quickly."""
    for line in text.splitlines():
        short = line[:LONGEST]
        yield ANSI.sub("", short) if "\x1b" in short else short
