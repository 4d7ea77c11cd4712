"""Rows that a written reason is about: why a figure is left out, or what a program does unsaid."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from advisor.evidence.record import Record

_FIELDS = ("notes", "framework", "model", "accelerator")


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows an entry of reading.toml is about: those of which all fields that it names agree."""

    where: Mapping[str, re.Pattern[str]]  # field of the record -> what it says
    seq_len: float | None
    reason: str

    def hold(self, record: Record) -> bool:
        """Whether the record is one of them."""
        length = self.seq_len is None or record.number("seq_len") == self.seq_len
        return length and all(pattern.search(record.text(name)) for name, pattern in self.where.items())

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Rows:
        """As an entry says it. Raises ValueError for one that is about all rows."""
        where = {name: re.compile(entry[name]) for name in _FIELDS if name in entry}
        if not where:
            raise ValueError(f"reading.toml: an entry names none of {', '.join(_FIELDS)}: {entry['reason']}")
        return cls(where, entry.get("seq_len"), entry["reason"])
