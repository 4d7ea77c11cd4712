"""Asking the user's Python: started by path, read line by line, left alone when it does not answer.

Every answer is kept that came before a hang or a crash, and the call begun last is named in the reason.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from advisor.paths import there
from advisor.probe.pipes import Pipes
from advisor.probe.reading import clean, unstarted

CHILD = Path(__file__).with_name("software_child.py")
CHECK_TIMEOUT_S = 10.0
LINGER_S = 2.0  # for a child to end after its last answer
MAX_SAID_BYTES = 4 * 1024 * 1024  # an honest answer is some kB: every package and device
MAX_VERSION_BYTES = 64 * 1024  # a start-up file of the user's may print as well
# calls that do no more than ask the driver. Not the first kernel, which loads code for the device from disk,
# and not the other stacks, whose start reads libraries as an import does
DRIVER_CALLS = ("torch.cuda.", "torch._C._cuda", "mem_get_info(cuda")
OLDEST = (3, 8)  # what software_child.py is written for

# Order of devices as the drivers list them, and no framework that takes all memory for itself. What the
# user has set stays: hwadvisor describes the environment that a job would run in.
ENVIRONMENT = {
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "PYTHONIOENCODING": "utf-8",
}


def ask(
    python: str,
    question: str,
    timeout_s: float,
    heard: Callable[[str, Any], None] | None = None,
    driver_s: float | None = None,
) -> dict[str, Any]:
    """Run software_child.py: {"answers": {key: value}, "devices": […], "status", "reason", "seconds"}.

    `heard` is told every line at once. Never waits longer than `timeout_s`, nor longer than `driver_s` for
    a call of the driver that the child has named.
    """
    started = time.monotonic()
    state: dict[str, Any] = {"answers": {}, "devices": [], "status": "ok", "reason": "", "began": ""}
    try:
        process = subprocess.Popen(
            [python, str(CHILD), question],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
        )
        pipes = Pipes(process, MAX_SAID_BYTES)
    except OSError as error:
        return state | {"status": unstarted(error), "reason": f"{python}: {error.strerror}", "seconds": 0.0}
    wait = _Wait(state, timeout_s, driver_s)
    how = pipes.listen(lambda: wait.limit()[0], lambda line: wait.heard(_take(line, state, heard)))
    if how == "ended":
        _conclude(pipes, state)
    elif how == "flood":
        state["status"] = "failed"
        state["reason"] = f"said more than {MAX_SAID_BYTES // 2**20} MiB and was stopped{_last(state)}"
    else:
        state["status"] = "timeout"
        state["reason"] = f"no answer within {wait.limit()[1]:.3g} s{_last(state)}"
    state["seconds"] = round(time.monotonic() - started, 3)
    return state


class _Wait:
    """How long the child is waited for: `timeout_s` in all, or `driver_s` for a driver call it began."""

    def __init__(self, state: dict[str, Any], timeout_s: float, driver_s: float | None) -> None:
        self._state, self._timeout_s, self._driver_s = state, timeout_s, driver_s
        self._heard_at = time.monotonic()
        self._end = self._heard_at + timeout_s

    def heard(self, last: bool) -> bool:
        """Note that a line came."""
        self._heard_at = time.monotonic()
        return last

    def limit(self) -> tuple[float, float]:
        """When the time is up (monotonic), and the seconds that were given."""
        if self._driver_s is not None and self._state["began"].startswith(DRIVER_CALLS):
            return min((self._end, self._timeout_s), (self._heard_at + self._driver_s, self._driver_s))
        return self._end, self._timeout_s


def _environment() -> dict[str, str]:
    """The user's own variables, ours where they have set none, and nothing that names another Python."""
    inherited = {key: value for key, value in os.environ.items() if key != "__PYVENV_LAUNCHER__"}
    return {**ENVIRONMENT, **inherited}


def _take(line: bytes, state: dict[str, Any], heard: Callable[[str, Any], None] | None) -> bool:
    """Note one line; whether it says that there are no more."""
    try:
        said = json.loads(line.decode("utf-8", "replace"))
        key, value = str(said["k"]), said["v"]
    except (ValueError, KeyError, TypeError, RecursionError):
        state["noise"] = clean(line, 200)  # something else wrote to our pipe
        return False
    if key == "begin":
        state["began"] = clean(value)
    elif key == "device":
        if isinstance(value, dict):
            state["devices"].append(value)
    elif key in state["answers"] and key.startswith("error"):
        state["answers"][key] = f"{state['answers'][key]}; {value}"
    else:
        state["answers"][key] = value
    if heard:
        heard(key, value)
    return key == "done"


def _conclude(pipes: Pipes, state: dict[str, Any]) -> None:
    """Status and reason of a child that closed its pipe; one that lingers after that is killed.

    It may be a framework's atexit hook that hangs: the answers are here.
    """
    code = pipes.end(time.monotonic() + LINGER_S)
    if "done" not in state["answers"]:  # one that dies while it leaves has answered all the same
        state["status"] = "failed"
        state["reason"] = _how(code) + _last(state) + _tail(pipes.err)


def _last(state: dict[str, Any]) -> str:
    return f" in {state['began']}" if state["began"] else ""


def _how(code: int | None) -> str:
    if code is None:
        return "did not end after its last answer"
    if code == 0:
        return "ended without an answer: is it a Python interpreter?"
    if code < 0:
        try:
            return f"crashed with {signal.Signals(-code).name}"
        except ValueError:
            return f"crashed with signal {-code}"
    return f"ended with {code}"


def _tail(errors: bytes) -> str:
    lines = [line for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    return f": {clean(lines[-1], 300)}" if lines else ""


# --- --python -------------------------------------------------------------------------------------------


def check_python(path: str) -> str:
    """The interpreter at `path` (a file, or a name on PATH) as an absolute path, links kept.

    Raises UserError with a hint when it is missing, a folder, not executable, no Python, older than 3.8,
    or gives no answer.
    """
    from advisor.errors import UserError

    found = _located(path)
    try:
        ended = subprocess.Popen(
            [found, "-c", "import sys; print('hwadvisor %d %d' % sys.version_info[:2])"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        pipes = Pipes(ended, MAX_VERSION_BYTES)
    except OSError as error:
        raise UserError(
            f"--python {path}: cannot be started: {error.strerror}",
            "It must be a Python interpreter for this machine; try running it by hand.",
        ) from error
    until = time.monotonic() + CHECK_TIMEOUT_S
    how = pipes.listen(until)
    if how == "timeout" or (how == "ended" and pipes.end(until) is None):
        raise UserError(
            f"--python {path}: gave no answer within {CHECK_TIMEOUT_S:.0f} s",
            f"Try {path} --version by hand: it must be Python, on a file system that answers.",
        )
    match = re.search(r"^hwadvisor (\d+) (\d+)\s*$", pipes.out.decode("utf-8", "replace"), re.MULTILINE)
    if not match:
        raise UserError(
            f"--python {path}: is not a working Python interpreter",
            "Give the interpreter of the environment, for instance /path/to/env/bin/python.",
        )
    version = (int(match.group(1)), int(match.group(2)))
    if version < OLDEST:
        raise UserError(
            f"--python {path}: is Python {version[0]}.{version[1]}",
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed in the environment that is looked at.",
        )
    return found


def _located(path: str) -> str:
    """An existing, executable file; symbolic links are kept: they are how a virtual environment is told."""
    from advisor.errors import UserError

    given = Path(path).expanduser()
    seen = there(given)
    if os.sep not in path and not seen:
        found = shutil.which(path)
        if not found:
            raise UserError(f"--python {path}: no such command on PATH", "Give the interpreter's full path.")
        return found
    if seen is None:
        raise UserError(
            f"--python {path}: may not be looked at", "A folder on the way is closed to this user."
        )
    if not seen:
        hint = "Give the interpreter of the environment, for instance /path/to/env/bin/python."
        raise UserError(f"--python {path}: no such file", hint)
    if os.path.isdir(given):  # noqa: PTH112 - Path.is_dir raises
        inside = next((p for p in (given / "bin/python", given / "Scripts/python.exe") if there(p)), None)
        hint = f"Did you mean --python {inside}?" if inside else "Give the interpreter, not its folder."
        raise UserError(f"--python {path}: is a folder", hint)
    if not os.access(given, os.X_OK):
        raise UserError(f"--python {path}: is not executable", f"chmod +x {path}, if it is an interpreter.")
    return os.path.abspath(given)  # noqa: PTH100 - Path.absolute keeps "..", resolve() follows links
