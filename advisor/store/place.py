"""Where the kept file lies, and whether it may be believed: nobody but this user can have written it."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from advisor import __version__

STATED = "HWADVISOR_STORE"
"""Another folder than the usual one; 0: everything is read afresh and nothing kept."""

NAME = "knowledge-"
_MOST = 4  # files kept: checkouts and versions that one user goes to and fro between
_LARGEST = 64 << 20


def folder() -> Path | None:
    """The user's folder for what can be made again; None where there is none, or nothing is to be kept."""
    stated = os.environ.get(STATED, "")
    if os.name != "posix" or stated == "0":
        return None
    if Path(stated).is_absolute():
        return Path(stated)
    usual = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(usual) if Path(usual).is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # no home
        return None
    return base / "hwadvisor" / __version__


def read(name: str) -> bytes | None:
    """The file's bytes; None where it is not there, or others could have written it or its folder."""
    where = folder()
    if where is None:
        return None
    try:
        if not _own(os.lstat(where), stat.S_ISDIR):
            return None
        handle = os.open(where / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    try:
        told = os.fstat(handle)
        if not _own(told, stat.S_ISREG) or told.st_size > _LARGEST:
            return None
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read()
    except OSError:
        return None
    finally:
        os.close(handle)


def write(name: str, content: bytes) -> bool:
    """Keep the file, whole or not at all; False where that cannot be, which costs time and nothing else."""
    where = folder()
    if where is None:
        return False
    temporary: str | None = None
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _own(os.lstat(where), stat.S_ISDIR):
            return False
        handle, temporary = tempfile.mkstemp(prefix=".", dir=where)  # for this user alone
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(where / name)
        temporary = None
        _forget(where, name)
    except (OSError, ValueError):
        return False
    finally:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink()
    return True


def _own(told: os.stat_result, is_kind: object) -> bool:
    """Whether it is what it should be, this user's, and for nobody else to write."""
    assert callable(is_kind)  # noqa: S101 - one of stat's own
    return bool(is_kind(told.st_mode)) and told.st_uid == os.geteuid() and not told.st_mode & 0o022


def _forget(where: Path, newest: str) -> None:
    """Drop the oldest files beyond the number kept."""
    found = [path for path in where.iterdir() if path.name.startswith(NAME) and path.name != newest]
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[_MOST - 1 :]:
        path.unlink(missing_ok=True)
