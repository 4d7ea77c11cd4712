"""Files that are none: pipes, devices, sockets and folders are refused before they are opened."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.data.embedded import load_any
from advisor.data.files import check_regular, read_text
from advisor.errors import UserError
from advisor.evidence.record import read_records
from advisor.trial.logs import read_log


def test_what_is_no_regular_file_is_told_by_its_kind(tmp_path: Path) -> None:
    pipe, ear = tmp_path / "pipe", tmp_path / "ear"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(ear))
        for path, kind in (
            (pipe, "a pipe"),
            (ear, "a socket"),
            (tmp_path, "a folder"),
            (Path("/dev/zero"), "a device"),
        ):
            with pytest.raises(UserError, match=f"it is {kind}"):
                check_regular(path)


def test_files_links_and_what_is_not_there_pass(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x", "utf-8")
    (tmp_path / "link").symlink_to(file)
    for name in ("file", "link", "nowhere", "file/below"):
        check_regular(tmp_path / name)
    assert read_text(tmp_path / "link") == "x"


def _records(path: Path) -> object:
    return list(read_records(path))


@pytest.mark.parametrize("read", [read_text, load_any, read_log, _records])
def test_a_pipe_is_not_waited_for(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="a pipe"):
        read(tmp_path / "pipe")
