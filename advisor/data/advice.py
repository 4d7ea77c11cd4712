"""Load and save Advice: version checked, written atomically, errors in one line."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from advisor.data.files import check_regular, read_text, write_atomic
from advisor.data.packing import Packer
from advisor.data.page_files import GZIP, MOST_BYTES, unpacked
from advisor.data.whole import whole
from advisor.errors import DataError, UserError
from advisor.schema import SCHEMA_VERSION, Advice


def dump_advice(advice: Advice) -> str:
    """Advice as indented JSON text, nothing left out: for a reader of one answer."""
    return advice.model_dump_json(indent=1, exclude_defaults=False) + "\n"


def stored_text(advice: Advice) -> str:
    """Advice in its short form, as files and reports carry it; the same text for the same advice."""
    return Packer().text(advice)


def save_advice(advice: Advice, path: Path, packer: Packer | None = None) -> None:
    """Write advice.json whole or not at all, whatever signal comes meanwhile."""
    with whole():
        write_atomic(path, (packer or Packer()).text(advice))


class Keeper:
    """Saves an advice again and again while it grows.

    A disk that fills up meanwhile costs neither what was measured nor what is still to be: each save is
    whole or leaves the last one, the next one tries again, and the end is kept elsewhere if need be.
    """

    def __init__(
        self, path: Path, say: Callable[[str], None], change: Callable[[Advice], Advice] | None = None
    ) -> None:
        self.path = path
        self._say = say
        self._change = change or (lambda advice: advice)  # what is saved of an advice
        self._failed = False
        self._packer = Packer()

    def snapshot(self, advice: Advice) -> None:
        """Save if that can be done now; say so once if it cannot."""
        try:
            save_advice(self._change(advice), self.path, self._packer)
        except UserError as error:
            if not self._failed:
                self._say(f"{error.message}. It goes on all the same, and saving is tried again.")
            self._failed = True
        else:
            self._failed = False

    def finish(self, advice: Advice) -> None:
        """Save the end. Raises UserError when that fails, naming the place where a copy was left."""
        advice = self._change(advice)
        try:
            save_advice(advice, self.path)
        except UserError as error:
            where = _rescue(advice)
            if where is None:
                raise
            raise UserError(
                f"{error.message}; the results are in {where}",
                f"Free some space, then: hwadvisor report {where}",
            ) from error


def _rescue(advice: Advice) -> Path | None:
    """A copy in the folder for temporary files, or None where there is no room either."""
    path: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix="hwadvisor-advice-", suffix=".json")
        path = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(stored_text(advice).encode("utf-8"))
    except OSError:
        if path is not None:
            path.unlink(missing_ok=True)
        return None
    return path


def load_advice(path: Path) -> Advice:
    """Read advice.json (or the folder that holds it, or advice.json.gz as a page saves it).

    Raises DataError for a file that is missing, truncated, edited into nonsense or written by a
    newer version, in one line with a hint.
    """
    if path.is_dir():
        path = path / "advice.json"
    check_size(path)
    return read_advice(path, _text_of(path))


def check_size(path: Path) -> None:
    """Raise DataError for a file that is too large to be one of ours: reading it could take all memory."""
    try:
        size = path.stat().st_size
    except OSError:
        return  # told by whoever opens it
    if size > MOST_BYTES:
        told = f"is larger than {MOST_BYTES // 1_000_000} MB"
        raise DataError.at(path, "", None, told, "It is no report.")


def _text_of(path: Path) -> str:
    """The text of a file that may be packed."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            if file.read(len(GZIP)) != GZIP:
                return read_text(path)
        return unpacked(path.read_bytes()).decode("utf-8")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", "Check the path.") from error
    except ValueError as error:
        raise DataError.at(path, "", None, f"is no whole gzip file ({error})", _HINT_AGAIN) from error


def read_advice(path: Path, text: str) -> Advice:
    """The same of a text that came out of `path`, which errors name."""
    try:
        raw = json.loads(text.removeprefix("\ufeff"))  # which some editors put before a text
    except ValueError as error:
        raise DataError.at(path, "", None, f"is not whole JSON ({error})", _hint_of(text)) from error
    except RecursionError as error:
        raise DataError.at(path, "", None, "is nested too deeply", _HINT_AGAIN) from error
    if isinstance(raw, dict) and "fleets" in raw and "jobs" in raw:
        raise DataError.at(path, "", None, _SEVERAL, _HINT_ONE)
    if isinstance(raw, dict) and "quotes" in raw and "schema_version" not in raw:
        raise DataError.at(path, "", None, _QUOTES, _HINT_QUOTES)
    if not isinstance(raw, dict) or "schema_version" not in raw:
        raise DataError.at(path, "schema_version", None, "is missing: this is no advice.json", _HINT_AGAIN)
    _check_version(path, raw)
    try:
        return Advice.model_validate({**raw, "schema_version": SCHEMA_VERSION})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError.at(path, key, first.get("input"), first["msg"], _HINT_AGAIN) from error


_SEVERAL = "is a plan of several jobs as an earlier version wrote it, which says too little for a report"
_QUOTES = "is a comparison of quotes (plan --quote), which has no report"
_HINT_QUOTES = "Read it in the terminal: hwadvisor plan --quote FILE… tells it, in English or Chinese."
_HINT_ONE = "Write it again: hwadvisor plan --workloads JOBS.toml --json > plan.json"
_HINT_AGAIN = "Write it again with `hwadvisor scan`."
_BEGINNING = 2000  # characters in which a file says what wrote it
_COMMAND = re.compile(r'"command":\s*"(scan|probe|calibrate|estimate|plan)"')


class NewerFormat(DataError):
    """A file of a later hwadvisor, which this one cannot judge."""


def _hint_of(text: str) -> str:
    """What to do about a file that is not whole: its beginning may say which command wrote it."""
    found = _COMMAND.search(text[:_BEGINNING])
    return f"Write it again with `hwadvisor {found[1]}`." if found else _HINT_AGAIN


def _check_version(path: Path, raw: dict[str, Any]) -> None:
    version = raw["schema_version"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DataError.at(path, "schema_version", version, "is not a version number", _HINT_AGAIN)
    if version > SCHEMA_VERSION:
        tool = (raw.get("versions") or {}).get("tool", "") if isinstance(raw.get("versions"), dict) else ""
        by = f" by hwadvisor {tool}" if tool else ""
        raise NewerFormat.at(
            path,
            "schema_version",
            version,
            f"was written{by} in a newer format; this version reads up to {SCHEMA_VERSION}",
            "Update hwadvisor: pip install --upgrade hwadvisor",
        )
