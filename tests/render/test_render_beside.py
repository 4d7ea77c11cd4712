"""Work in a process of its own: the same result, whatever becomes of that process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from advisor.render import beside

ALONE = """
import os, sys, threading
from advisor.render import beside
assert beside._alone(), "this process has threads or one core"
here = os.getpid()
"""

needs_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux") or len(os.sched_getaffinity(0)) < 2,
    reason="processes are split off on Linux alone, with a core to spare",
)


def told(script: str) -> str:
    """What a script prints in a process without threads."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE + script], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


@needs_linux
def test_work_is_done_elsewhere_and_its_result_comes_back():
    script = """
begun = beside.beside(lambda: (os.getpid(), "x" * 300_000))
child, text = begun()
print(child != here, len(text))
"""
    assert told(script).split() == ["True", "300000"]


@needs_linux
@pytest.mark.parametrize("end", ["os._exit(1)", "os.kill(os.getpid(), 9)", "1 / 0", "sys.exit(3)"])
def test_work_of_a_process_that_ends_early_is_done_here(end):
    script = f"""
def work():
    if os.getpid() != here:
        {end}
    return "done here"
print("before", end=" ")
print(beside.beside(work)())
"""
    assert told(script) == "before done here\n"


@needs_linux
def test_work_that_does_not_come_is_done_here():
    script = """
import time
beside._LONGEST_S = 0.1
def work():
    if os.getpid() != here:
        time.sleep(30)
    return "done here"
print(beside.beside(work)())
"""
    assert told(script) == "done here\n"


@needs_linux
def test_a_process_with_threads_is_not_copied():
    script = """
wait = threading.Event()
threading.Thread(target=wait.wait, daemon=True).start()
print(beside._alone(), beside.beside(os.getpid)() == here)
"""
    assert told(script).split() == ["False", "True"]


def test_what_fails_elsewhere_fails_here_too(monkeypatch):
    monkeypatch.setattr(beside, "_alone", lambda: False)
    with pytest.raises(ZeroDivisionError):
        beside.beside(lambda: 1 // 0)()
