"""Work done in a process of its own while this one goes on: drawing charts never lets go of Python's lock."""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
from collections.abc import Callable
from io import RawIOBase
from pathlib import Path
from typing import NoReturn, TypeVar

T = TypeVar("T")

_LONGEST_S = 60.0  # without a word; a second is usual
_TASKS = Path("/proc/self/task")


def beside(work: Callable[[], T]) -> Callable[[], T]:
    """Begin `work`; what comes back gives its result when called.

    Where no process can be split off, or the one that was fails in any way, `work` is done here when its
    result is asked for: so nothing depends on it but the time it takes.
    """
    if not _alone():
        return work
    reader, writer = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        return work
    if child == 0:
        os.close(reader)
        _do(work, writer)
    os.close(writer)

    def result() -> T:
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            data = _all_of(pipe)
        if data is None:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if data is None:
            return work()
        try:  # written by this program a moment ago, through a pipe that nobody else holds
            done: T = pickle.loads(data)  # noqa: S301
        except (pickle.UnpicklingError, EOFError):  # it ended before it was done
            return work()
        return done

    return result


def _all_of(pipe: RawIOBase) -> bytes | None:
    """All that is written into a pipe; None when nothing more comes for too long."""
    parts: list[bytes] = []
    while select.select([pipe], [], [], _LONGEST_S)[0]:
        part = pipe.read(1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)
    return None


def _alone() -> bool:
    """Whether this process may be copied: on Linux, with a core to spare and no thread that holds a lock."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return len(os.sched_getaffinity(0)) > 1 and sum(1 for _ in _TASKS.iterdir()) == 1
    except OSError:
        return False


def _do(work: Callable[[], T], writer: int) -> NoReturn:
    """The result of `work` into the pipe, whole or not at all; ends the process."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a break ends it without a word
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        data = pickle.dumps(work())
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(data)
    finally:
        os._exit(0)  # whatever happened: the other process finds an empty pipe and does it itself
