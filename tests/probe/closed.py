"""Being an ordinary user for a moment: root sees through every closed folder, so tests must not be root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """This process as a user without rights: root steps down and comes back, others are one already."""
    if not hasattr(os, "geteuid"):
        pytest.skip("closed folders are a matter of POSIX users")
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    try:
        os.setgroups([])
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    except OSError as error:
        _back(groups)
        pytest.skip(f"root here may not become another user: {error}")
    try:
        yield
    finally:
        _back(groups)


def _back(groups: list[int]) -> None:
    os.seteuid(0)
    os.setegid(0)
    os.setgroups(groups)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that another user may enter: pytest's own may not be."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for path in folder.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(folder)
