"""One published measurement as a record: read from JSON lines, every field checked, nothing repaired.

A record that cannot be used is refused with its reason; reading never raises for what a line holds, and a
line is never longer or deeper than what a row of evidence can be.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.errors import UserError

MAX_LINE_BYTES = 65_536
MAX_RECORDS = 1_000_000
MAX_TEXT = 4_000
_MAX_SHOWN = 80

QUANTITIES = ("step_time_s", "total_time_h", "peak_mem_gib", "fits")
"""What a record can be asked about, as `validate` names it."""

_COUNT = (1.0, 1e7)
_LIMITS: Mapping[str, tuple[float, float]] = {
    "num_accelerators": _COUNT, "params": (1e3, 1e14), "active_params": (1e3, 1e14),
    "layers": (1, 1e4), "hidden": (1, 1e6), "heads": (1, 1e4), "kv_heads": (1, 1e4), "ffn_hidden": (1, 1e7),
    "vocab": (1, 1e8), "head_dim": (1, 1e5), "num_experts": (1, 1e5), "top_k": (1, 1e5),
    "image_size": (1, 1e5), "seq_len": (1, 1e8), "global_batch": (1e-3, 1e9), "micro_batch": (1e-3, 1e7),
    "lora_rank": (1, 1e5), "dp": _COUNT, "tp": _COUNT, "pp": _COUNT, "vpp": (1, 1e4), "cp": _COUNT,
    "ep": _COUNT, "step_time_s": (1e-6, 1e7), "tokens_per_s_per_device": (1e-6, 1e12),
    "samples_per_s_per_device": (1e-9, 1e9), "tflops_per_device": (1e-6, 1e7), "mfu": (0, 2),
    "total_tokens": (1, 1e18), "total_time_h": (1e-5, 1e7), "device_hours": (1e-5, 1e12),
    "peak_mem_gib": (1e-4, 1e6),
}  # fmt: skip
"""Bounds outside of which a figure is a mistake or an attack, not a training run."""

_FLAGS = ("sequence_parallel", "flash_attention", "compile", "fits")
_TEXTS = (
    "id", "source", "source_key", "publisher", "source_date", "vendor", "accelerator", "interconnect",
    "framework", "family", "model", "precision", "optimizer", "method", "sharding", "recompute", "offload",
    "flops_kind", "memory_kind", "notes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """A checked record. `values` holds the known fields only, numbers as float; absent is unknown."""

    id: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def number(self, name: str) -> float | None:
        """A number, or None where the source does not say."""
        value = self.values.get(name)
        return None if value is None else float(value)

    def text(self, name: str) -> str:
        """A text; "" where the source does not say."""
        return str(self.values.get(name) or "")

    def flag(self, name: str) -> bool | None:
        """True, False, or None where the source does not say."""
        value = self.values.get(name)
        return None if value is None else bool(value)

    @property
    def source(self) -> str:
        """The unit of "leaving out a source"."""
        return self.text("source_key") or self.text("source") or self.id

    @property
    def publisher(self) -> str:
        """Who stands behind the source."""
        return self.text("publisher") or self.source


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record, or one quantity of it, about which nothing can be said, and why."""

    id: str
    reason: str
    quantities: tuple[str, ...] = ("step_time_s",)


def read_records(path: Path) -> Iterator[Record | Refusal]:
    """The records of a JSON-lines file, one at a time. Raises UserError when the file cannot be read."""
    try:
        with path.open("rb") as file:
            for number in range(1, MAX_RECORDS + 2):
                line = file.readline(MAX_LINE_BYTES + 1)
                if not line:
                    return
                if number > MAX_RECORDS:
                    raise UserError(f"{path} has more than {MAX_RECORDS:,} lines", "Split the file.")
                if len(line) > MAX_LINE_BYTES:
                    yield Refusal(f"line {number}", f"the line is longer than {MAX_LINE_BYTES:,} bytes")
                    _skip_line(file)
                elif line.strip():
                    yield record_of(line, f"line {number}")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", "Check the path.") from error


def _skip_line(file: Any) -> None:
    while True:
        part = file.readline(MAX_LINE_BYTES)
        if not part or part.endswith(b"\n"):
            return


def record_of(line: bytes | str, where: str) -> Record | Refusal:
    """One line as a record, or why it is none. `where` names the line when it has no id."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Refusal(where, f"not valid JSON ({str(error)[:_MAX_SHOWN]})")
    if not isinstance(raw, dict):
        return Refusal(where, "not a JSON object")
    given = raw.get("id")
    id_ = given if isinstance(given, str) and 0 < len(given) <= 200 and given.isprintable() else where
    asked = tuple(name for name in QUANTITIES if raw.get(name) is not None and name != "step_time_s")
    rates = ("step_time_s", "tokens_per_s_per_device", "samples_per_s_per_device")
    if any(raw.get(name) is not None for name in rates) or not asked:
        asked = ("step_time_s", *asked)
    values: dict[str, Any] = {}
    for name, read in _READERS.items():
        if raw.get(name) is None:
            continue
        found = read(name, raw[name])
        if isinstance(found, _Wrong):
            return Refusal(id_, found.text, asked)
        if found is not None:
            values[name] = found
    return Record(id_, values)


@dataclass(frozen=True, slots=True)
class _Wrong:
    text: str


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _read_number(name: str, value: Any) -> float | _Wrong:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _Wrong(f"{name} = {_shown(value)} is not a number")
    low, high = _LIMITS[name]
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not low <= number <= high:  # NaN is outside too
        return _Wrong(f"{name} = {_shown(value)} is outside what a run can have ({low:g} to {high:g})")
    return number


def _read_flag(name: str, value: Any) -> bool | _Wrong:
    if not isinstance(value, bool):
        return _Wrong(f"{name} = {_shown(value)} is neither true nor false")
    return value


def _read_text(name: str, value: Any) -> str | _Wrong | None:
    if not isinstance(value, str):
        return _Wrong(f"{name} = {_shown(value)} is not a text")
    return value[:MAX_TEXT].strip() or None


_READERS: Mapping[str, Any] = {
    **dict.fromkeys(_TEXTS, _read_text),
    **dict.fromkeys(_LIMITS, _read_number),
    **dict.fromkeys(_FLAGS, _read_flag),
}
