"""Load and save Advice: version checked, written atomically, errors in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from advisor.data.files import read_text, write_atomic
from advisor.errors import DataError
from advisor.schema import SCHEMA_VERSION, Advice


def dump_advice(advice: Advice) -> str:
    """Advice as indented JSON text, the same text for the same advice."""
    return advice.model_dump_json(indent=1, exclude_defaults=False) + "\n"


def save_advice(advice: Advice, path: Path) -> None:
    """Write advice.json whole or not at all."""
    write_atomic(path, dump_advice(advice))


def load_advice(path: Path) -> Advice:
    """Read advice.json (or the folder that holds it).

    Raises DataError for a file that is missing, truncated, edited into nonsense or written by a
    newer version, in one line with a hint.
    """
    if path.is_dir():
        path = path / "advice.json"
    text = read_text(path)
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise DataError.at(path, "", None, f"is not whole JSON ({error})", _HINT_AGAIN) from error
    except RecursionError as error:
        raise DataError.at(path, "", None, "is nested too deeply", _HINT_AGAIN) from error
    if not isinstance(raw, dict) or "schema_version" not in raw:
        raise DataError.at(path, "schema_version", None, "is missing: this is no advice.json", _HINT_AGAIN)
    _check_version(path, raw)
    try:
        return Advice.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError.at(path, key, first.get("input"), first["msg"], _HINT_AGAIN) from error


_HINT_AGAIN = "Write it again with `hwadvisor scan`."


def _check_version(path: Path, raw: dict[str, Any]) -> None:
    version = raw["schema_version"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DataError.at(path, "schema_version", version, "is not a version number", _HINT_AGAIN)
    if version > SCHEMA_VERSION:
        tool = (raw.get("versions") or {}).get("tool", "") if isinstance(raw.get("versions"), dict) else ""
        by = f" by hwadvisor {tool}" if tool else ""
        raise DataError.at(
            path,
            "schema_version",
            version,
            f"was written{by} in a newer format; this version reads up to {SCHEMA_VERSION}",
            "Update hwadvisor: pip install --upgrade hwadvisor",
        )
