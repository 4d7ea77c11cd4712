"""The child: reads what to trace as one JSON line on stdin, writes events as JSON lines on stdout.

in:  {"kind", "name", "folder", "inputs", "precision", "method", "lora_rank", "optimizer", "seq_len",
      "image_size"}
out: stage (what is being done), hello, traced (the document), failure
"""

from __future__ import annotations

import gc
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
    _trial = types.ModuleType(f"{NAME}.trial")  # its own __init__ would want more than torch
    _trial.__path__ = [str(_here.parent)]
    sys.modules[f"{NAME}.trial"] = _trial
    __package__ = f"{NAME}.trial.tracing"
    importlib.import_module(__package__)


def main() -> int:
    """Claim stdout, trace, tell. The return value is the exit status."""
    from ...bench.__main__ import claim_stdout, listen

    pipe = claim_stdout()
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    spec = json.loads(listen().get())

    def send(message: dict[str, object]) -> None:
        data = (json.dumps(message) + "\n").encode("utf-8")
        while data:
            data = data[os.write(pipe, data) :]

    gc.disable()  # until all is imported (session.py)
    send({"event": "stage", "stage": "import torch"})
    try:
        import torch
    except Exception as error:  # one that is not there, and one that is broken
        send({"event": "hello", "torch": "", "trouble": f"{type(error).__name__}: {error}"[:300]})
        return 0
    send({"event": "hello", "torch": str(torch.__version__), "trouble": ""})
    from ..child import memory
    from .session import trace

    def full(left: int) -> None:
        hint = "Let the factory build its weights without looking at them, or take fewer layers."
        reason = f"building the network took the host's memory: ended with {left >> 20} MiB left"
        if left >= memory.KEEP_FREE:
            reason = f"building the network took more than {(budget or 0) >> 20} MiB, half of what was free"
        send({"event": "failure", "status": "memory", "reason": reason, "hint": hint})
        os._exit(0)

    free = memory.host_left()
    budget = None if free is None else (free + (memory.resident() or 0)) // 2
    memory.watch_host(full, budget=budget)
    trace(spec, send)
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # threads of the user's own must not keep the parent waiting
