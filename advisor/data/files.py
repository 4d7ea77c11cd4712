"""Where data files lie, how they are read, and how results are written so that a crash loses nothing."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from advisor.errors import DataError, UserError

_MAX_DOTS = 200
MAX_TOML_BYTES = 256 * 1024  # a rule or data file larger than this is a mistake or an attack

_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped(name: str) -> Path:
    """The shipped folder `rules` or `templates`: inside the wheel, or beside the package in a checkout.

    Raises DataError when neither is there (a broken installation).
    """
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise DataError(
        f"the folder '{name}' that belongs to hwadvisor is missing (looked beside {_PACKAGE})",
        "Install hwadvisor again: pip install --force-reinstall hwadvisor",
    )


def check_regular(path: Path) -> None:
    """Raise UserError for a folder, pipe, socket or device: some have no end, others wait for ever.

    What is not there, or may not be looked at, is told by whoever opens it.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    if stat.S_ISREG(mode):
        return
    kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "no file")
    raise UserError(
        f"cannot read {path}: it is {kind}", "Give a regular file; save into one what a pipe gives."
    )


def read_text(path: Path, *, limit_bytes: int | None = None) -> str:
    """UTF-8 text of a file. Raises UserError that names the file when it cannot be read."""
    check_regular(path)
    try:
        if limit_bytes is None:
            return path.read_text(encoding="utf-8")
        with path.open("rb") as file:  # not by its size: a device has none, and no end
            raw = file.read(limit_bytes + 1)
        if len(raw) > limit_bytes:
            raise DataError.at(path, "", None, f"larger than {limit_bytes // 1024} kB", "Split the file.")
        return raw.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise DataError.at(
            path, "", None, f"is not UTF-8 text ({error.reason})", "Save it as UTF-8."
        ) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", "Check the path.") from error


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dict. Raises DataError naming file and line when it is not TOML."""
    from advisor.data.flat import flat_toml

    text = read_text(path, limit_bytes=MAX_TOML_BYTES)
    plain = flat_toml(text)
    return plain if plain is not None else parse_toml(path, text)


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """TOML text as a dict. Raises DataError naming file and line when it is not TOML, or absurd."""
    import tomllib

    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MAX_DOTS:  # dotted keys cost the parser time by their square
            told = f"has more than {_MAX_DOTS} dots in one line"
            raise DataError.at(path, f"line {number}", None, told, "Split the line.")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError.at(path, "", None, f"is not valid TOML: {error}", "Mend that line.") from error
    except (RecursionError, ValueError) as error:  # ValueError: an integer of thousands of digits
        raise DataError.at(path, "", None, "is nested too deeply or holds an absurd number", "") from error


def make_folder(path: Path) -> Path:
    """Create a folder (and its parents). Raises UserError that says why when it cannot."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    if not os.access(path, os.W_OK):
        raise UserError(f"cannot write into {path}: permission denied", "Give another folder with --output.")
    return path


def write_atomic(path: Path, content: str | bytes, option: str = "--output") -> None:
    """Write a whole file or nothing: into a temporary neighbour, fsync, then rename over the target.

    Raises UserError (full disk, no permission, missing folder) and leaves no half-written file; its hint
    names the `option` that gave the place.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        raise unwritable(path, error, option) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def unwritable(path: Path, error: OSError, option: str = "--output") -> UserError:
    """The one-line error for a file or folder that cannot be written, and what to do."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return UserError(
            f"cannot write {path}: no space left on the disk",
            f"Free some space, or give another folder with {option}.",
        )
    return UserError(
        f"cannot write {path}: {error.strerror or error}",
        f"Give another folder with {option}.",
    )
