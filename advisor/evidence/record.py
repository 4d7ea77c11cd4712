"""One published measurement as a record: read from JSON lines, every field checked, nothing repaired.

A record that cannot be used is refused with its reason; reading never raises for what a line holds, and a
line is never longer or deeper than what a row of evidence can be.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from advisor.data.files import check_regular
from advisor.errors import UserError, nearest
from advisor.evidence.impossible import LONGEST_STEP_S, impossible
from advisor.evidence.layout import layout_problem

STANDARD_INPUT = Path("-")
MAX_LINE_BYTES = 65_536
MAX_RECORDS = 200_000
"""Lines of one file: some minutes of work."""

MAX_TEXT = 4_000
_LINE = re.compile(r"line \d+")  # what stands for an id that is missing: every file has a line 1
_MAX_SHOWN = 80
_MAX_UNKNOWN = 20  # fields of one record that are told as unknown
_LONGEST_SKIPPED = 1_000 * MAX_LINE_BYTES  # a line that has no end by then is a device or a disk image
_BLOCK_BYTES = 1 << 20
_PEEKED = 4096
_PACKED = {b"\x1f\x8b": "gunzip", b"PK\x03\x04": "unzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz",
           b"\x28\xb5\x2f\xfd": "unzstd"}  # fmt: skip
"""First bytes of packed files, and what unpacks them."""

QUANTITIES = ("step_time_s", "total_time_h", "peak_mem_gib", "fits")
"""What a record can be asked about, as `validate` names it."""

_COUNT = (1.0, 1e7)
_LIMITS: Mapping[str, tuple[float, float]] = {
    "num_accelerators": _COUNT, "params": (1e3, 1e14), "active_params": (1e3, 1e14),
    "layers": (1, 1e4), "hidden": (1, 1e6), "heads": (1, 1e4), "kv_heads": (1, 1e4), "ffn_hidden": (1, 1e7),
    "vocab": (1, 1e8), "head_dim": (1, 1e5), "num_experts": (1, 1e5), "top_k": (1, 1e5),
    "image_size": (1, 1e5), "seq_len": (1, 1e8), "global_batch": (1e-3, 1e9), "micro_batch": (1e-3, 1e7),
    "lora_rank": (1, 1e5), "dp": _COUNT, "tp": _COUNT, "pp": _COUNT, "vpp": (1, 1e4), "cp": _COUNT,
    "ep": _COUNT, "step_time_s": (1e-6, LONGEST_STEP_S), "tokens_per_s_per_device": (1e-6, 1e12),
    "samples_per_s_per_device": (1e-9, 1e9), "tflops_per_device": (1e-6, 1e7), "mfu": (0, 1),
    "total_tokens": (1, 1e18), "total_time_h": (1e-5, 1e7), "device_hours": (1e-5, 1e12),
    "peak_mem_gib": (1e-4, 1e6), "host_cores": (0.01, 1e5), "host_clock_hz": (1e7, 1e11),
    "host_memory_gib": (1e-3, 1e6), "host_bandwidth_gbs": (0.01, 1e5),
}  # fmt: skip
"""Bounds outside of which a figure is a mistake or an attack, not a training run."""

_WHOLE = (
    "num_accelerators", "layers", "hidden", "heads", "kv_heads", "vocab", "num_experts", "top_k",
    "image_size", "lora_rank", "dp", "tp", "pp", "vpp", "cp", "ep",
)  # fmt: skip
_AT_MOST = (
    ("kv_heads", "heads"), ("active_params", "params"), ("top_k", "num_experts"),
    ("micro_batch", "global_batch"), ("pp", "layers"),
)  # fmt: skip
"""Pairs of which the first cannot be more than the second."""

_AGREE = 1.5
"""Factor by which two printed figures of one speed may differ (warm-up, rounding) and still be of one run."""

_FLAGS = ("sequence_parallel", "flash_attention", "compile", "fits")
TRACED = "traced"  # the field for the numbers of a network that was traced
_TRACED = re.compile(r"(traced|stated|native)_\w{1,60}")
_MOST_TRACED, _LARGEST_TRACED = 200, 1e21
_TEXTS = (
    "id", "source", "source_key", "publisher", "source_date", "vendor", "accelerator", "interconnect",
    "framework", "family", "model", "precision", "optimizer", "method", "sharding", "recompute", "offload",
    "flops_kind", "memory_kind", "notes", "host_simd",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """A checked record. `values` holds the known fields only, numbers as float; absent is unknown.

    `unread` names the fields that stand in it and that nobody reads.
    """

    id: str
    values: Mapping[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

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
    unread: tuple[str, ...] = ()  # as in a record


def read_records(path: Path) -> Iterator[Record | Refusal]:
    """The records of a JSON-lines file, one at a time; `STANDARD_INPUT` is what is piped in.

    Raises UserError when the file cannot be read.
    """
    if path == STANDARD_INPUT:
        file = io.BufferedReader(cast("io.RawIOBase", sys.stdin.buffer))
        try:
            yield from _records(file, Path("standard input"))
        finally:
            file.detach()
        return
    check_regular(path)
    try:
        with path.open("rb") as opened:
            yield from _records(opened, path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", "Check the path.") from error


def _records(file: io.BufferedReader[Any], path: Path) -> Iterator[Record | Refusal]:
    _check_text(file.peek(_PEEKED)[:_PEEKED], path)
    if file.seekable():
        _check_size(file, path)
    for number in range(1, MAX_RECORDS + 2):
        line = file.readline(MAX_LINE_BYTES + 1)
        if not line:
            return
        if number > MAX_RECORDS:
            raise _too_many(path)
        if len(line) > MAX_LINE_BYTES:
            yield Refusal(f"line {number}", f"the line is longer than {MAX_LINE_BYTES:,} bytes")
            _skip_line(file, path)
        elif line.strip():
            yield record_of(line, f"line {number}")


def read_files(paths: Iterable[Path]) -> Iterator[Record | Refusal]:
    """The records of several files; one whose id stood before is refused. Raises UserError for a file."""
    seen: dict[str, Path] = {}
    for path in paths:
        for found in read_records(path):
            if isinstance(found, Record) and not _LINE.fullmatch(found.id):
                if before := seen.get(found.id):
                    told = f"a record of this id stands before, in {before.name}"
                    yield Refusal(found.id, told, _asked(found.values), found.unread)
                    continue
                seen[found.id] = path
            yield found


def _check_size(file: BinaryIO, path: Path) -> None:
    """Lines counted before any is worked on: what cannot be done is said at once."""
    lines = 0
    for _ in range(MAX_RECORDS * MAX_LINE_BYTES // _BLOCK_BYTES + 1):
        block = file.read(_BLOCK_BYTES)
        lines += block.count(b"\n")
        if not block or lines > MAX_RECORDS:
            break
    if lines > MAX_RECORDS:
        raise _too_many(path)
    file.seek(0)


def _check_text(start: bytes, path: Path) -> None:
    tool = next((tool for magic, tool in _PACKED.items() if start.startswith(magic)), None)
    if tool:
        raise UserError(f"{path} is packed", f"Unpack it first, with {tool}.")
    if b"\0" in start:
        raise UserError(f"{path} is not a text file", "Give JSON lines in UTF-8, one record a line.")


def _too_many(path: Path) -> UserError:
    return UserError(f"{path} has more than {MAX_RECORDS:,} lines", "Split the file.")


def _skip_line(file: BinaryIO, path: Path) -> None:
    for _ in range(_LONGEST_SKIPPED // MAX_LINE_BYTES):
        part = file.readline(MAX_LINE_BYTES)
        if not part or part.endswith(b"\n"):
            return
    raise UserError(
        f"{path} has a line of more than {_LONGEST_SKIPPED // 10**6} MB",
        "Give JSON lines, one record a line.",
    )


def record_of(line: bytes | str, where: str) -> Record | Refusal:
    """One line as a record, or why it is none. `where` names the line when it has no id."""
    try:
        raw = json.loads(line, object_pairs_hook=_unique)
    except _Twice as error:
        return Refusal(where, f"the field {_shown(error.args[0])} stands twice")
    except RecursionError:
        return Refusal(where, "not a record: nested too deeply")
    except ValueError as error:
        return Refusal(where, f"not valid JSON ({str(error)[:_MAX_SHOWN]})")
    if not isinstance(raw, dict):
        return Refusal(where, "not a JSON object")
    given = raw.get("id")
    id_ = given if isinstance(given, str) and 0 < len(given) <= 200 and given.isprintable() else where
    asked, unread = _asked(raw), _unread(raw)
    values: dict[str, Any] = {}
    for name, read in _READERS.items():
        if raw.get(name) is None:
            continue
        found = read(name, raw[name])
        if isinstance(found, _Wrong):
            return Refusal(id_, found.text, asked, unread)
        if found is not None:
            values[name] = found
    contradiction = _unknown_word(raw) or _contradiction(values)
    return Refusal(id_, contradiction, asked, unread) if contradiction else Record(id_, values, unread)


_MEMORY_WORDS = ("allocated", "reserved", "nvml", "process", "unknown", "")
_QUANT_BITS = (4, 8, 16)


def _unknown_word(raw: Mapping[str, Any]) -> str:
    """Why a value is none of those that a field may have, or ''."""
    kind, bits = raw.get("memory_kind"), raw.get("quant_bits")
    if kind is not None and kind not in _MEMORY_WORDS:
        return f"memory_kind = {_shown(kind)} is none of {', '.join(filter(None, _MEMORY_WORDS))}"
    if bits is not None and bits not in _QUANT_BITS:
        return f"quant_bits = {_shown(bits)} is no width that a frozen base is kept in (4 or 8)"
    return ""


def _unread(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Fields of other names than those that are read: misspelt ones would be dropped in silence."""
    unknown = (name[:_MAX_SHOWN] for name, value in raw.items() if name not in _READERS and value is not None)
    return tuple(itertools.islice(unknown, _MAX_UNKNOWN))


_MEANT: Mapping[str, str] = {
    "batch": "global_batch", "batch_size": "global_batch", "devices": "num_accelerators",
    "dtype": "precision", "gpu": "accelerator", "gpus": "num_accelerators", "hidden_size": "hidden",
    "n_gpus": "num_accelerators", "num_devices": "num_accelerators", "num_gpus": "num_accelerators",
    "num_layers": "layers", "sequence_length": "seq_len", "step_s": "step_time_s",
    "step_time_ms": "step_time_s",
}  # fmt: skip
"""Fields by other common names; the rest is found by its spelling."""


def nearest_field(name: str) -> str:
    """The known field that an unknown one may mean, or ''."""
    return _MEANT.get(name.lower()) or next(iter(nearest(name, _READERS, 1)), "")


def _asked(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """What a record measured, by the names of its fields; a record that measured nothing is about a step."""
    asked = tuple(name for name in QUANTITIES if raw.get(name) is not None and name != "step_time_s")
    rates = ("step_time_s", "tokens_per_s_per_device", "samples_per_s_per_device")
    if any(raw.get(name) is not None for name in rates) or not asked:
        asked = ("step_time_s", *asked)
    return asked


class _Twice(Exception):
    """A field that stands twice in an object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return found


def _contradiction(values: Mapping[str, Any]) -> str:
    """Which of the record's figures cannot both be true, or ''."""
    for less, more in _AT_MOST:
        if less in values and more in values and values[less] > values[more]:
            return f"{less} = {values[less]:g} is more than {more} = {values[more]:g}"
    if problem := layout_problem(values) or impossible(values):
        return problem
    seconds = _sample_seconds(values)
    for name, own in seconds.items():
        for other, others in seconds.items():
            if own > others * _AGREE:
                return f"{name} and {other} tell speeds that differ by a factor of {own / others:.3g}"
    return ""


def _sample_seconds(values: Mapping[str, Any]) -> dict[str, float]:
    """Seconds that a device takes for a sample, by each figure that tells it."""
    found = {}
    if {"step_time_s", "global_batch", "num_accelerators"} <= values.keys():
        found["step_time_s"] = values["step_time_s"] * values["num_accelerators"] / values["global_batch"]
    if "samples_per_s_per_device" in values:
        found["samples_per_s_per_device"] = 1.0 / values["samples_per_s_per_device"]
    if {"tokens_per_s_per_device", "seq_len"} <= values.keys():
        found["tokens_per_s_per_device"] = values["seq_len"] / values["tokens_per_s_per_device"]
    return found


@dataclass(frozen=True, slots=True)
class _Wrong:
    text: str


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except RecursionError:
        text = "a nested value"
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
    if name in _WHOLE and not number.is_integer():
        return _Wrong(f"{name} = {_shown(value)} is not a whole number")
    return number


def _read_flag(name: str, value: Any) -> bool | _Wrong:
    if not isinstance(value, bool):
        return _Wrong(f"{name} = {_shown(value)} is neither true nor false")
    return value


def _read_text(name: str, value: Any) -> str | _Wrong | None:
    if not isinstance(value, str):
        return _Wrong(f"{name} = {_shown(value)} is not a text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # half of a pair of \\uD8.. escapes: could not be written anywhere
        return _Wrong(f"{name} = {_shown(value)} is not valid Unicode")
    return value[:MAX_TEXT].strip() or None


def _read_trace(name: str, value: Any) -> dict[str, float] | _Wrong:
    """What a trace told of a network: columns of the rules and their numbers."""
    if not isinstance(value, dict) or len(value) > _MOST_TRACED:
        return _Wrong(f"{name} is no table of at most {_MOST_TRACED} numbers")
    found: dict[str, float] = {}
    for key, one in value.items():
        if not _TRACED.fullmatch(key):
            return _Wrong(f"{name}: {_shown(key)} is no number of a trace")
        if isinstance(one, bool) or not isinstance(one, (int, float)) or not abs(one) <= _LARGEST_TRACED:
            return _Wrong(f"{name}: {key} = {_shown(one)} is no number that a trace can have")
        found[key] = float(one)
    return found


_READERS: Mapping[str, Any] = {
    TRACED: _read_trace,
    **dict.fromkeys(_TEXTS, _read_text),
    **dict.fromkeys(_LIMITS, _read_number),
    **dict.fromkeys(_FLAGS, _read_flag),
}
