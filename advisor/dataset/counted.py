"""What was counted of a data set, and the sums of text that lead there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Counted:
    """Tokens or images of one pass over a data set, with an 80 % range, and how they were counted."""

    unit: str  # tokens or images
    amount: float
    low: float
    high: float
    rows: float | None  # samples: lines, records; None where text has none
    how: str
    notes: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether nothing was guessed."""
        return self.low == self.high


@dataclass
class Sums:
    """Text of a part of a data set: bytes of the file, of text in them, rows, and samples of it."""

    file_bytes: int = 0
    text_bytes: int = 0
    wide_bytes: int = 0  # of text, outside ASCII
    rows: int = 0
    samples: list[str] = field(default_factory=list)
    kept: int = 0  # characters of the samples
    limit: int = 400_000

    def add(self, text: str) -> None:
        """A row's text."""
        raw = text.encode("utf-8", "replace")
        self.text_bytes += len(raw)
        if not text.isascii():
            self.wide_bytes += len(raw) - sum(1 for byte in raw if byte < 128)
        if self.kept < self.limit and text:
            part = text[: self.limit - self.kept]
            self.samples.append(part)
            self.kept += len(part)


def spread_of(parts: list[float]) -> float:
    """Standard error of the mean of parts, as a share of it; 0 for one part or none."""
    count = len(parts)
    mean = sum(parts) / count if count else 0.0
    if count < 2 or not mean:
        return 0.0
    variance = sum((part - mean) ** 2 for part in parts) / (count - 1)
    return math.sqrt(variance / count) / mean
