"""What a process says on its two pipes, read with a bound on time and on memory.

`subprocess` has neither without the other: `communicate` keeps all of it, and a file for the output needs
a writable temporary folder. A process that says more than it may is killed; one that cannot be killed (a
driver call in D state) is left alone, and its threads with it.
"""

from __future__ import annotations

import errno
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from typing import IO, Any

CHUNK_BYTES = 65536
STACK_BYTES = 512 * 1024
MAX_WAITING = 16  # chunks that wait to be looked at: the process blocks while they do
MAX_ERR_BYTES = 65536  # the last of what was said on stderr
ERR_GRACE_S = 0.2  # for the end of stderr once stdout has ended; what the process started may hold it open


def start_reader(target: Callable[..., None], *arguments: Any) -> None:
    """A daemon thread that reads a pipe. Its stack is small: `ulimit -v` counts 8 MB for each otherwise.

    Raises OSError where this user may start no more threads (`ulimit -u` counts them as processes).
    """
    before = threading.stack_size(STACK_BYTES)
    try:
        threading.Thread(target=target, args=arguments, daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from error
    finally:
        threading.stack_size(before)


class Pipes:
    """The pipes of a process started with stdout and stderr as `subprocess.PIPE`."""

    def __init__(self, process: subprocess.Popen[bytes], limit_bytes: int) -> None:
        """`limit_bytes`: how much it may say on stdout before it is killed.

        Raises OSError, and kills it, where no thread can be started to read it.
        """
        self.out = bytearray()
        self.err = b""
        self._process = process
        self._limit = limit_bytes
        self._chunks: queue.Queue[tuple[str, bytes]] = queue.Queue(MAX_WAITING)
        self._over = threading.Event()
        self._open = set()
        for name, stream in (("out", process.stdout), ("err", process.stderr)):
            if stream is not None:
                self._open.add(name)
                self._read(name, stream)

    def _read(self, name: str, stream: IO[bytes]) -> None:
        try:
            start_reader(self._pump, name, stream)
        except OSError:
            self._stop("failed")
            raise

    def listen(self, until: float | Callable[[], float], take: Callable[[bytes], bool] | None = None) -> str:
        """ "ended" when stdout has, "timeout" at `until` (monotonic), "flood"; killed in the last two cases.

        `until` may be asked again after each line, where the time left depends on what was said.
        `take` is told each line of stdout, and says whether it was the last: what a process leaves behind may
        hold its stdout open. Without it all of stdout is kept in `out`.
        """
        said, rest = 0, b""
        while "out" in self._open:
            name, data = self._next(until() if callable(until) else until)
            if not name:
                return self._stop("timeout")
            if name == "err" or not data:
                continue
            said += len(data)
            if said > self._limit:
                return self._stop("flood")
            if take is None:
                self.out += data
                continue
            *lines, rest = (rest + data).split(b"\n")
            if any(take(line) for line in lines):
                return "ended"
        if take is not None and rest:
            take(rest)
        return "ended"

    def end(self, until: float) -> int | None:
        """Exit code of a process whose stdout has ended, its last words in `err`; None: killed at `until`."""
        try:
            code = self._process.wait(timeout=max(until - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            self._stop("timeout")
            return None
        grace = time.monotonic() + ERR_GRACE_S
        while "err" in self._open and self._next(grace)[0]:
            pass
        self._over.set()
        return code

    def _next(self, until: float) -> tuple[str, bytes]:
        """The next chunk, b"" for the end of a pipe; ("", b"") when none came by `until`."""
        try:
            name, data = self._chunks.get(timeout=max(until - time.monotonic(), 0.001))
        except queue.Empty:
            return "", b""
        if not data:
            self._open.discard(name)
        elif name == "err":
            self.err = (self.err + data)[-MAX_ERR_BYTES:]
        return name, data

    def _stop(self, how: str) -> str:
        self._over.set()
        self._process.kill()
        return how

    def _pump(self, name: str, stream: IO[bytes]) -> None:
        """Hand a pipe over chunk by chunk. The thread owns the stream, so that its number is never reused."""
        with stream:
            data = b"."
            while data and not self._over.is_set():
                try:
                    data = os.read(stream.fileno(), CHUNK_BYTES)
                except OSError:
                    data = b""
                self._hand_over(name, data)

    def _hand_over(self, name: str, data: bytes) -> None:
        while not self._over.is_set():
            try:
                self._chunks.put((name, data), timeout=0.5)
            except queue.Full:
                continue
            return
