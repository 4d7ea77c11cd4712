"""The child process that measures, kept on a leash: every wait has a limit, and a kill that holds.

The child runs in a session of its own, so that Ctrl-C reaches the parent alone; when the parent dies, the
child sees its stdin end and dies too.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

BENCH_FOLDER = Path(__file__).resolve().parent.parent / "bench"
KILL_WAIT_S = 5.0  # a process stuck in a driver call may never die: it is left behind after this
LONGEST_LINE = 1 << 20
Message = dict[str, Any]


def child_environment(threads: int | None) -> dict[str, str]:
    """Our environment with the thread budget told to every library that might start threads of its own."""
    told = dict(os.environ)
    if threads:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
            told[name] = str(threads)
    told.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # cuda:N is then the same card as in the probe
    told["TOKENIZERS_PARALLELISM"] = "false"
    told["PYTORCH_ENABLE_MPS_FALLBACK"] = "0"  # never a silent run on the CPU
    told["PYTHONDONTWRITEBYTECODE"] = "1"  # our folder may belong to somebody else
    return told


class Child:
    """One child process: `send` lines to it, take lines from it with a deadline."""

    def __init__(
        self, command: list[str], threads: int | None = None, environment: dict[str, str] | None = None
    ) -> None:
        self._errors: IO[bytes] | None = _scratch()
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if self._errors is None else self._errors,
            env={**child_environment(threads), **(environment or {})},
            start_new_session=os.name == "posix",
            creationflags=0 if os.name == "posix" else 0x200,  # CREATE_NEW_PROCESS_GROUP
        )
        self._lines: queue.Queue[Message | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True, name="bench-reader").start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - asked for with PIPE
        whole = True
        while line := stream.readline(LONGEST_LINE):  # a flood without line ends must not fill our memory
            begun, whole = whole, line.endswith(b"\n")
            message = _parse(line) if begun and whole else None
            if message is not None:
                self._lines.put(message)
        self._lines.put(None)

    def send(self, message: Message) -> None:
        """One JSON line. A child that is gone already is noticed by `receive`."""
        stream = self._process.stdin
        assert stream is not None  # noqa: S101 - asked for with PIPE
        try:
            stream.write((json.dumps(message) + "\n").encode("utf-8"))
            stream.flush()
        except OSError:  # broken pipe: the end of its output tells the same, with the exit status
            return

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None when the child has ended. Raises TimeoutError."""
        try:
            return self._lines.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            raise TimeoutError from None

    def how_it_ended(self) -> str:
        """Why the child is gone: its exit status or signal, and the last line it said on stderr."""
        try:
            status = self._process.wait(KILL_WAIT_S)
        except subprocess.TimeoutExpired:
            return "closed its output and does not end"
        said = self.last_words()
        if status < 0:
            name = _signal_name(-status)
            text = f"was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
        else:
            text = f"ended with status {status}"
        return f"{text}: {said}" if said else text

    def last_words(self) -> str:
        """The last non-empty line of the child's stderr, shortened."""
        if self._errors is None:
            return ""
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(self._errors.tell() - 4000, 0))
        lines = [line.strip() for line in self._errors.read().decode("utf-8", "replace").splitlines()]
        return next((line[:300] for line in reversed(lines) if line), "")

    def kill(self) -> bool:
        """End the child and all it started. False when it cannot be killed and is left behind."""
        if self._process.poll() is None:
            try:
                if os.name == "posix":
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
            except (ProcessLookupError, PermissionError):
                self._process.kill()
        try:
            self._process.wait(KILL_WAIT_S)
        except subprocess.TimeoutExpired:
            return False
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # what was still in the buffer has no reader any more
                self._process.stdin.close()
        if self._errors is not None:
            self._errors.close()
        return True


def _scratch() -> IO[bytes] | None:
    """A file for the child's stderr, or None where nothing can be written (a read-only container)."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return None


def _parse(line: bytes) -> Message | None:
    """A message, or None for a line that is none (a library that writes to the pipe all the same)."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and "event" in message else None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def bench_command(python: str) -> list[str]:
    """How the child is started under a Python: by path, since hwadvisor need not be installed there."""
    return [python, str(BENCH_FOLDER)]


class Deadline:
    """A point in time to wait until."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left_s(self) -> float:
        """Seconds left, never negative."""
        return max(self._at - time.monotonic(), 0.0)
