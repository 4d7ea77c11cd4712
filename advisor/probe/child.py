"""The probe's child process: `python -I -S child.py '{"modules": …}'`, one JSON line a step on stdout.

Runs with the standard library alone, plus the folders named in "paths" (where the vendor bindings lie).
What drivers and libraries print goes to stderr: stdout belongs to the lines below.

    {"p": probe}                          a probe begins
    {"b": call, "n": needed}              a call that may hang or crash begins
    {"k": key, "v": value}                a raw answer
    {"e": probe, "s": status, "r": reason, "t": seconds}     a probe has ended
    {"x": true}                           all done
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the probes named in the first argument."""
    order = json.loads(sys.argv[1])
    _guard(float(order["limit_s"]))
    pipe = _own_stdout()
    _stand_in_for_packages(order["probes"])
    sys.path += [path for path in order["paths"] if path not in sys.path]
    root = Path(order["root"])
    for name in order["modules"]:
        _run(pipe, name, root, order["skip"].get(name, {}))
    _line(pipe, {"x": True})
    return 0


def _run(pipe: int, name: str, root: Path, skip: dict[str, list[str]]) -> None:
    """One probe from begin to end: whatever it raises becomes its status and reason."""
    started = time.monotonic()
    status, reason = "ok", ""
    _line(pipe, {"p": name})
    try:
        from advisor.probe.facts import CallSkipped

        try:
            if "" in skip:  # it hung or crashed without naming a call
                raise CallSkipped(*skip[""])
            import_module(f"advisor.probe.{name}").read(root, _Say(pipe, skip))
        except CallSkipped as left_out:
            status, reason = left_out.status, left_out.reason
    except (Exception, SystemExit) as error:  # noqa: BLE001, RUF100 - a probe's bug must not hide the others
        status, reason = _verdict(error)
    _line(pipe, {"e": name, "s": status, "r": reason, "t": round(time.monotonic() - started, 4)})


class _Say:
    """The `Say` of facts.py over a pipe."""

    def __init__(self, pipe: int, skip: dict[str, list[str]]) -> None:
        self._pipe = pipe
        self._skip = skip

    def __call__(self, key: str, value: Any) -> None:
        _line(self._pipe, {"k": key, "v": value})

    def begin(self, call: str, *, needed: bool = False) -> None:
        from advisor.probe.facts import CallSkipped

        for entry, (status, reason) in self._skip.items():
            if call == entry or (entry.endswith(": ") and call.startswith(entry)):
                raise CallSkipped(status, reason)
        _line(self._pipe, {"b": call, "n": needed})


def _line(pipe: int, message: dict[str, Any]) -> None:
    """Write one line whole; a value that JSON cannot hold is told as text rather than lost."""
    data = json.dumps(message, default=repr).encode("ascii") + b"\n"
    while data:
        data = data[os.write(pipe, data) :]


def _verdict(error: BaseException) -> tuple[str, str]:
    import traceback

    status = "no_permission" if isinstance(error, PermissionError) else "failed"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())[:300]
    return status, f"{type(error).__name__}: {text}{where}"


def _own_stdout() -> int:
    """A private copy of stdout, not inherited by tools; descriptor 1 then is stderr."""
    pipe = os.dup(1)
    os.set_inheritable(pipe, False)
    os.dup2(2, 1)
    return pipe


def _stand_in_for_packages(probes: list[str]) -> None:
    """Make `advisor` and `advisor.probe` importable without running their __init__ (start-up counts)."""
    for name, folders in (("advisor", [str(HERE.parent)]), ("advisor.probe", probes)):
        package = ModuleType(name)
        package.__path__ = folders
        sys.modules[name] = package
    vars(sys.modules["advisor"])["probe"] = sys.modules["advisor.probe"]


def _guard(limit_s: float) -> None:
    """End by ourselves when the parent was killed and cannot end us."""
    import faulthandler

    faulthandler.dump_traceback_later(limit_s, exit=True)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # no atexit hooks: a driver library's may hang
