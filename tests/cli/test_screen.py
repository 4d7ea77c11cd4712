"""What is shown while measuring: the time left, and one line a test where there is no terminal."""

from __future__ import annotations

import subprocess
import sys

import pytest

from advisor.calibrate import Event
from advisor.cli import screen


@pytest.fixture
def clock(monkeypatch):
    """A clock of our own: clock(5) lets five seconds pass."""
    now = [100.0]
    monkeypatch.setattr(screen.time, "monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_the_time_left_is_counted_down_between_events(clock):
    left = screen.TimeLeft()
    assert str(left) == ""
    left.told(40.0)
    assert str(left) == "about 40 s left"
    clock(15)
    assert str(left) == "about 25 s left"
    clock(60)
    assert str(left) == "about 0 s left"
    left.told(40.0, 30.0)
    clock(60)  # one test takes longer than planned: those after it still take their time
    assert str(left) == "about 30 s left"
    left.told(290.0)
    assert str(left) == "about 5 min left"


def test_it_stands_still_while_we_wait_for_others(clock):
    left = screen.TimeLeft()
    left.told(40.0, waiting=True)
    clock(15)
    assert str(left) == "about 40 s left"


def test_lines_without_a_terminal_tell_each_test_once_and_that_we_wait(capsys):
    progress = screen.CalibrationProgress(quiet=False)
    with progress:
        for kind, text in (("start", "Doing"), ("waiting", "Waiting (at most 4 s)"), ("start", "Doing")):
            progress.event(Event(kind, "matmul.cpu", text, 0, 2, 9.0))
        progress.event(Event("failure", "matmul.cpu", "Doing: no such type", 1, 2, 9.0))
    assert capsys.readouterr().err.splitlines() == [
        "  [1/2] Doing",
        "  Waiting (at most 4 s)",
        "  not measured: Doing: no such type",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="no descriptors to close in a shell")
def test_closed_output_is_no_error(tmp_path):
    command = f'exec "{sys.executable}" -m advisor models >&- 2>{tmp_path}/said'
    done = subprocess.run(["sh", "-c", command], check=False, timeout=60)
    assert (done.returncode, (tmp_path / "said").read_text()) == (0, "")
