"""Trainers' own logs: each kind has a file with `looks_like` and `parse`, which take any text."""

from __future__ import annotations

import json
from pathlib import Path

from advisor.data.files import check_regular
from advisor.dataset.files import PACKED
from advisor.errors import DataError, UserError
from advisor.trial.logs import csv_table, llmc, megatron, nanogpt, titan, trainer_state
from advisor.trial.logs.log import Kind, Log, Steps

KINDS: tuple[Kind, ...] = (trainer_state, csv_table, megatron, titan, llmc, nanogpt)
MAX_BYTES = 256 << 20
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

__all__ = ["KINDS", "Log", "Steps", "read_log"]


def read_log(path: Path) -> Log:
    """What a log says. Raises DataError for a file that is none of the known kinds or tells no speed."""
    text = _read(path)
    for kind in KINDS:
        if not kind.looks_like(text):
            continue
        found = kind.parse(text)
        if not found.tells_speed:
            raise DataError.at(path, "", None, f"is a {found.framework} log that tells no speed", kind.WHERE)
        return found
    if not text.strip():
        raise DataError.at(path, "", None, "is empty", "Give the log of a run that has trained.")
    if text.lstrip().startswith("{"):
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError.at(path, "", None, f"is not valid JSON: {error}", "Is it cut off?") from error
    known = ", ".join(kind.TITLE for kind in KINDS)
    raise DataError.at(path, "", None, "is no log that is known here", f"Known are: {known}.")


def _read(path: Path) -> str:
    """The text of a log; what is no UTF-8 in it (progress bars, cut lines) does no harm."""
    check_regular(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError.at(path, "", None, f"is larger than {MAX_BYTES >> 20} MiB", "Give its last part.")
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", "Check the path.") from error
    tool = next((tool for magic, tool in PACKED.items() if raw.startswith(magic)), None)
    if tool is not None:
        raise DataError.at(path, "", None, "is packed", f"Unpack it first, with {tool}.")
    # PowerShell writes what is redirected in UTF-16
    return raw.decode("utf-16" if raw.startswith(_UTF16) else "utf-8", "replace")
