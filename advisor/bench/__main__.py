"""The child: reads settings and a plan as JSON lines on stdin, writes events as JSON lines on stdout.

in:  {"threads", "gate_wait_s", "workdir", "host_free_bytes", "imports"}     first line
in:  {"tests": [{"id", "bench", "device", "params", "limits"}]}              after the hello
out: hello, start, result, failure, threads, bye; one JSON object a line, key "event"

Nothing else can reach stdout: its file descriptor is moved away before anything is imported. When stdin
ends, the parent is gone and so is this process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path

if not __package__:  # started by path: become a package of a name that nobody else has
    _here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != _here]
    __package__ = "hwadvisor_bench"
    _spec = importlib.util.spec_from_file_location(
        __package__, _here / "__init__.py", submodule_search_locations=[str(_here)]
    )
    if _spec is None or _spec.loader is None:
        raise SystemExit("hwadvisor's bench folder is not complete")
    sys.modules[__package__] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules[__package__])


def claim_stdout() -> int:
    """Keep the pipe to the parent for ourselves and let every print go to stderr."""
    sys.stdout.flush()
    pipe = os.dup(1)
    os.dup2(2, 1)
    return pipe


def listen() -> queue.Queue[str]:
    """Lines of stdin through a queue, read by a thread that ends the process when the parent is gone."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(3)

    threading.Thread(target=read, daemon=True, name="parent-watch").start()
    return lines


def main() -> int:
    """Claim stdout, say hello, run the plan. The return value is the exit status."""
    pipe = claim_stdout()
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    lines = listen()
    settings = json.loads(lines.get())
    from .session import Session

    def send(message: dict[str, object]) -> None:
        os.write(pipe, (json.dumps(message) + "\n").encode("utf-8"))

    session = Session(settings, send)
    session.hello()
    tests = json.loads(lines.get())["tests"]
    return session.run(tests, ready=lines.get)  # one line a test


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # a vendor library that hangs on unloading must not keep the parent waiting
