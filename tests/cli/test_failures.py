"""Every way to fail ends in one line, a hint and an exit code; never a traceback."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from advisor.cli.failures import run_guarded
from advisor.errors import DataError, NothingFits, UserError


def _command(error: BaseException) -> click.Command:
    @click.command()
    def boom() -> None:
        raise error

    return boom


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("the flag is wrong", "give another"), 2, "hwadvisor: the flag is wrong"),
        (
            DataError.at("a.toml", "key", 3, "is no text"),
            2,
            "hwadvisor: a.toml: key = 3: is no text",
        ),
        (NothingFits("nothing fits", "more memory"), 1, "hwadvisor: nothing fits"),
        (KeyboardInterrupt(), 130, "hwadvisor: interrupted"),
        (click.UsageError("bad usage"), 2, "hwadvisor: bad usage"),
    ],
)
def test_exit_code_and_single_line(
    error: BaseException,
    code: int,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["hwadvisor"])
    assert run_guarded(_command(error)) == code
    out, err = capsys.readouterr()
    assert out == ""
    lines = [row for row in err.splitlines() if row]  # click ends the terminal's ^C line first
    assert lines[0] == line
    assert all(row.startswith("  hint: ") for row in lines[1:])
    assert len(lines) <= 2


def test_message_of_many_lines_becomes_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["hwadvisor"])
    assert run_guarded(_command(UserError("one\ntwo", "three\nfour"))) == 2
    assert capsys.readouterr().err.splitlines() == ["hwadvisor: one two", "  hint: three four"]


def test_a_bug_writes_a_file_to_send(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["hwadvisor"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_guarded(_command(ZeroDivisionError("by nought"))) == 3
    err = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: by nought" in err
    assert "Traceback" not in err
    (written,) = tmp_path.iterdir()
    assert "Traceback" in written.read_text()
    assert str(written) in err
