"""The child: reads settings and one trial as JSON lines on stdin, writes events as JSON lines on stdout.

in:  {"threads", "gate_wait_s", "host_free_bytes", "hide"}                        first line
in:  {"family", "numbers", "recipe", "device", "steps", "need_bytes"}             after the hello
out: hello, start, built, waiting, measuring, progress, trained, result (bandwidth), failure, bye
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import types
from pathlib import Path

NAME = "hwadvisor_child"  # a package that nobody else has: its parts are the folders of advisor, by path

if not __package__:
    _here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != _here]
    _parent = types.ModuleType(NAME)
    _parent.__path__ = [str(_here.parents[1])]
    sys.modules[NAME] = _parent
    __package__ = f"{NAME}.trial.child"
    importlib.import_module(__package__)


def main() -> int:
    """Claim stdout, say hello, train. The return value is the exit status."""
    from ...bench.__main__ import claim_stdout, listen

    pipe = claim_stdout()
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    lines = listen()
    settings = json.loads(lines.get())
    from .session import TrialSession

    def send(message: dict[str, object]) -> None:
        os.write(pipe, (json.dumps(message) + "\n").encode("utf-8"))

    session = TrialSession(settings, send)
    session.hello()
    return session.trial(json.loads(lines.get()))


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # a vendor library that hangs on unloading must not keep the parent waiting
