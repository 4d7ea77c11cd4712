"""Reading from processes that flood, hang, hold their pipes open, or find no folder for temporary files."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import pytest
from vendor_fakes import tool

from advisor.errors import UserError
from advisor.probe import reading, software_ask
from advisor.probe.pipes import Pipes

FLOOD = "while :; do echo 0123456789012345678901234567890123456789012345678901234567890123456789; done\n"


def started(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def soon(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


def test_lines_come_whole_and_the_last_one_without_its_end_too() -> None:
    pipes = Pipes(started("import sys; sys.stdout.write('a' * 200000 + '\\nb\\n\\nc')"), 1 << 20)
    lines: list[bytes] = []
    assert pipes.listen(soon(), lambda line: bool(lines.append(line))) == "ended"
    assert lines == [b"a" * 200000, b"b", b"", b"c"]
    assert pipes.end(soon()) == 0


def test_the_end_of_stderr_is_kept_and_a_flood_of_it_harms_nobody() -> None:
    code = "import sys; print('x'); sys.stderr.write('n' * 3000000 + 'last words'); sys.exit(3)"
    pipes = Pipes(started(code), 1 << 20)
    assert pipes.listen(soon()) == "ended"
    assert pipes.end(soon()) == 3
    assert bytes(pipes.out).split() == [b"x"]
    assert pipes.err.endswith(b"last words")
    assert len(pipes.err) <= 65536


def test_a_flood_is_cut_off_and_takes_no_more_memory_than_allowed() -> None:
    process = started("import os\nwhile True: os.write(1, b'x' * 65536)")
    tracemalloc.start()
    try:
        assert Pipes(process, 1 << 20).listen(soon()) == "flood"
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert process.wait(10) != 0


def test_a_process_that_lingers_after_its_last_word() -> None:
    pipes = Pipes(started("import os, time; os.write(1, b'done'); os.close(1); time.sleep(60)"), 1000)
    assert pipes.listen(soon()) == "ended"
    assert pipes.end(time.monotonic() + 0.1) is None


def test_a_silent_process_is_killed_at_the_deadline() -> None:
    process = started("import time; time.sleep(60)")
    assert Pipes(process, 1000).listen(time.monotonic() + 0.2) == "timeout"
    assert process.wait(10) != 0


# --- what is built on it --------------------------------------------------------------------------------


def test_a_tool_that_floods_is_stopped_and_told(tmp_path: Path) -> None:
    flooding = tool(tmp_path, "npu-smi", FLOOD)
    answer = reading.ask_tool([str(flooding), "info"], 20.0)
    assert (answer["status"], answer["out"]) == ("failed", "")
    assert answer["reason"] == "npu-smi info said more than 2 MiB and was stopped"
    assert answer["seconds"] < 20


def test_a_tool_that_floods_stderr_is_not_believed_to_have_failed(tmp_path: Path) -> None:
    noisy = tool(tmp_path, "hl-smi", "head -c 3000000 /dev/zero | tr '\\0' x >&2\necho fine\n")
    answer = reading.ask_tool([str(noisy)], 20.0)
    assert (answer["status"], answer["out"]) == ("ok", "fine\n")


def test_a_tool_that_leaves_a_daemon_behind_still_answers(tmp_path: Path) -> None:
    leaving = tool(tmp_path, "amd-smi", "echo fine\nsleep 60 >/dev/null &\n")  # it holds stderr
    answer = reading.ask_tool([str(leaving)], 20.0)
    assert (answer["status"], answer["out"]) == ("ok", "fine\n")
    assert answer["seconds"] < 20


def test_a_framework_that_floods_is_stopped_and_told(tmp_path: Path) -> None:
    python = tool(tmp_path, "python", 'echo \'{"k": "begin", "v": "import torch"}\'\n' + FLOOD)
    said = software_ask.ask(str(python), "torch", 20.0)
    assert said["status"] == "failed"
    assert said["reason"] == "said more than 4 MiB and was stopped in import torch"


def test_a_framework_that_leaves_a_helper_behind_has_answered(tmp_path: Path) -> None:
    done = 'sleep 60 &\necho \'{"k": "version", "v": "2.9"}\'\necho \'{"k": "done", "v": true}\'\n'
    said = software_ask.ask(str(tool(tmp_path, "python", done)), "torch", 20.0)
    assert (said["status"], said["answers"]) == ("ok", {"version": "2.9", "done": True})
    assert said["seconds"] < 15


def test_a_python_that_floods_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a working Python interpreter"):
        software_ask.check_python(str(tool(tmp_path, "python", FLOOD)))


def test_frameworks_are_asked_where_no_temporary_file_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only /tmp, and no other folder to be had either."""

    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    for name in ("TemporaryFile", "mkstemp", "mkdtemp", "NamedTemporaryFile"):
        monkeypatch.setattr(tempfile, name, refuse)
    said = software_ask.ask(sys.executable, "versions", 20.0)
    assert (said["status"], said["reason"]) == ("ok", "")
    assert "packages" in said["answers"]
