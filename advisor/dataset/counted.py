"""What was counted of a data set, and the sums of text that lead there."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from advisor.dataset.rows import Rows


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
    lengths: Rows | None = None  # of its rows, where it is text

    @property
    def exact(self) -> bool:
        """Whether nothing was guessed."""
        return self.low == self.high


@dataclass
class Sums:
    """Text of a part of a data set: bytes of the file, of text in them, rows, and samples of both."""

    file_bytes: int = 0
    text_bytes: int = 0
    wide_bytes: int = 0  # of text, outside ASCII
    rows: int = 0
    tokenised: int = 0  # of rows: those that hold ids of tokens, whose bytes are then tokens
    texts: int = 0  # of rows: one each, two of a pair of answers
    lengths: list[int] = field(default_factory=list)  # bytes of some of them, drawn at random
    samples: list[str] = field(default_factory=list)
    kept: int = 0  # characters of the samples
    limit: int = 400_000
    most: int = 4_096  # lengths
    _drawn: random.Random = field(default_factory=lambda: random.Random(0), repr=False)  # noqa: S311

    def add_row(self, texts: Sequence[str]) -> None:
        """A record's text, or those of its pair of answers."""
        self.rows += 1
        for text in texts:
            if text:
                self._keep(self.add(text))

    def add_ids(self, sizes: Sequence[int]) -> None:
        """A record of ids of tokens: so many each that is trained on."""
        self.rows += 1
        self.tokenised += 1
        for size in filter(None, sizes):
            self.text_bytes += size
            self._keep(size)

    def _keep(self, size: int) -> None:
        """A length, so that each of all there were has the same chance to be kept."""
        self.texts += 1
        if len(self.lengths) < self.most:
            self.lengths.append(size)
        elif (at := self._drawn.randrange(self.texts)) < self.most:
            self.lengths[at] = size

    def add(self, text: str) -> int:
        """Text; its bytes."""
        raw = text.encode("utf-8", "replace")
        self.text_bytes += len(raw)
        if not text.isascii():
            self.wide_bytes += len(raw) - sum(1 for byte in raw if byte < 128)
        if self.kept < self.limit and text:
            part = text[: self.limit - self.kept]
            self.samples.append(part)
            self.kept += len(part)
        return len(raw)


def spread_of(parts: list[float]) -> float:
    """Standard error of the mean of parts, as a share of it; 0 for one part or none."""
    count = len(parts)
    mean = sum(parts) / count if count else 0.0
    if count < 2 or not mean:
        return 0.0
    variance = sum((part - mean) ** 2 for part in parts) / (count - 1)
    return math.sqrt(variance / count) / mean
