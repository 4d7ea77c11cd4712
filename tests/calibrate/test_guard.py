"""The leash: children that hang, crash, babble or will not die."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from advisor.calibrate.guard import Child, child_environment


def child(script: str, **more) -> Child:
    return Child([sys.executable, "-c", textwrap.dedent(script)], **more)


def test_lines_go_both_ways_and_noise_between_them_is_ignored():
    it = child(
        """
        import sys, json
        asked = json.loads(sys.stdin.readline())
        print("a library talks"); print("[1, 2]")
        print(json.dumps({"event": "echo", "got": asked}), flush=True)
        """
    )
    try:
        it.send({"x": 1})
        assert it.receive(20) == {"event": "echo", "got": {"x": 1}}
        assert it.receive(20) is None
    finally:
        assert it.kill()


def test_a_child_that_hangs_is_noticed_and_killed():
    it = child("import time; time.sleep(60)")
    with pytest.raises(TimeoutError):
        it.receive(0.1)
    begun = time.monotonic()
    assert it.kill()
    assert time.monotonic() - begun < 4
    with pytest.raises(ProcessLookupError):
        os.kill(it.pid, 0)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL (out of memory?)"),
        ("raise SystemExit('no driver')", "ended with status 1: no driver"),
    ],
)
def test_how_it_ended_names_signal_or_last_words(script, expected):
    it = child(script)
    assert it.receive(20) is None
    assert expected in it.how_it_ended()
    it.kill()


def test_children_of_the_child_go_with_it(tmp_path):
    mark = tmp_path / "pid"
    it = child(
        f"""
        import subprocess, sys, time
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        open({str(mark)!r}, "w").write(str(other.pid))
        print('{{"event": "up"}}', flush=True)
        time.sleep(60)
        """
    )
    assert it.receive(20) == {"event": "up"}
    assert it.kill()
    pid = int(mark.read_text())
    for _ in range(50):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the child's own child lives on")


def test_sending_to_a_dead_child_is_no_error():
    it = child("pass")
    assert it.receive(20) is None
    it.send({"x": "y" * 100_000})
    it.kill()


def test_the_thread_budget_reaches_every_library():
    told = child_environment(3)
    assert {told["OMP_NUM_THREADS"], told["MKL_NUM_THREADS"]} == {"3"}
    assert told["PYTORCH_ENABLE_MPS_FALLBACK"] == "0"


BENCH = Path(__file__).resolve().parents[2] / "advisor" / "bench"


def test_the_bench_child_dies_with_its_parent(tmp_path):
    """Stdin ends when the parent is killed; the child must not measure on."""
    fake = tmp_path / "torch"
    fake.mkdir()
    (fake / "__init__.py").write_text("import time; time.sleep(60)\n")
    it = subprocess.Popen(
        [sys.executable, str(BENCH)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert it.stdin is not None
    it.stdin.write(b"{}\n")
    it.stdin.close()
    assert it.wait(20) == 3
    if it.stdout is not None:
        it.stdout.close()


def test_what_a_library_prints_cannot_reach_the_protocol(tmp_path):
    """Even a torch that writes to descriptor 1 while it is imported."""
    fake = tmp_path / "torch"
    fake.mkdir()
    (fake / "__init__.py").write_text(
        "import os\nprint('hi')\nos.write(1, b'{\"event\": \"result\"}')\nraise ImportError('libfoo.so')\n"
    )
    it = Child([sys.executable, str(BENCH)])
    it.kill()
    os.environ["PYTHONPATH"], before = str(tmp_path), os.environ.get("PYTHONPATH")
    try:
        it = Child([sys.executable, str(BENCH)])
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    try:
        it.send({"threads": 1})
        hello = it.receive(30)
        assert hello is not None
        assert hello["event"] == "hello"
        assert "libfoo.so" in hello["trouble"]
    finally:
        it.kill()
