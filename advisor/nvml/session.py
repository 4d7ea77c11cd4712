"""Opening and closing NVML, and asking it one question after the other."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from advisor.nvml.calls import CALLS, MORE, Answer, Call, attempt, old_call
from advisor.nvml.find import LIBRARY, WSL_LIBRARY
from advisor.paths import there

HINTS = {
    "version_mismatch": "The NVIDIA driver was updated under the running kernel module: reboot, or stop all "
    "GPU users and reload the nvidia module (sudo rmmod nvidia_uvm nvidia; sudo modprobe nvidia).",
    "lib_missing": "Install the NVIDIA driver (or, in a container, start it with the NVIDIA container "
    "toolkit, e.g. docker run --gpus all).",
    "no_permission": "This user or container may not open /dev/nvidiactl; check its groups and cgroup.",
    "timeout": "The driver hangs: look for Xid lines in `dmesg`; it may need a reboot. If it is only slow, "
    "persistence mode keeps the GPUs started (sudo nvidia-smi -pm 1, or the service nvidia-persistenced).",
    "failed": "See `dmesg` for NVRM and Xid lines.",
}


BINDING = ("nvmlInit", "nvmlShutdown", "NVMLError")  # what every release of NVIDIA's binding has


class Unavailable(Exception):
    """NVML as a whole cannot be used: `answer` says how and why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason)
        self.answer = answer


Begin = Callable[[str, bool], None]
"""Told the name of each call before it is made, and whether all others need it."""


class Library:
    """An NVML that has been initialised; made by `opened`."""

    def __init__(self, binding: ModuleType, begin: Begin) -> None:
        self._binding = binding
        self._begin = begin

    def ask(self, question: str, *arguments: Any, where: str = "") -> Answer:
        """One question of CALLS or MORE, with `arguments` (the handle, a link number, …) before its own.

        `where` ("device 0: ") goes before the call's name in what `begin` is told. Never raises because of
        what the driver answers; what `begin` raises passes through.
        """
        answer = Answer(None, "not_supported", question, f"{question}: the binding has no such call")
        for call in CALLS.get(question) or MORE[question]:
            own = [self._constant(argument) for argument in call.arguments]
            function = self._function(call.function)
            if function is None or None in own:
                continue  # the binding is older than this spelling
            self._begin(where + call.label, False)
            answer, older = attempt(call, function, [*arguments, *own], self._binding)
            if not older:
                return answer
        return answer

    def architecture(self, number: int) -> str:
        """The binding's own name of an architecture number ("hopper"), or ""."""
        prefix = "NVML_DEVICE_ARCH_"
        known = [name for name in dir(self._binding) if name.startswith(prefix)]
        names = [name for name in known if getattr(self._binding, name) == number]
        return names[0].removeprefix(prefix).lower() if names else ""

    def _constant(self, argument: Any) -> Any:
        """A constant of the binding for "=NAME" (None: it is too old to have it); else the value as it is."""
        if isinstance(argument, str) and argument.startswith("="):
            return getattr(self._binding, argument[1:], None)
        return argument

    def _function(self, name: str) -> Callable[..., Any] | None:
        if name.startswith("old:"):
            return lambda *arguments: old_call(self._binding, name[4:], *arguments)
        found: Callable[..., Any] | None = getattr(self._binding, name, None)
        return found


# --- opening --------------------------------------------------------------------------------------------


@contextmanager
def opened(begin: Begin = lambda _call, _needed: None) -> Iterator[Library]:
    """An initialised library, shut down in the end. Raises Unavailable with the reason."""
    begin("import pynvml", True)
    try:
        binding = import_module("pynvml")
    except Exception as error:
        reason = f"module pynvml: {type(error).__name__}: {error}"
        raise Unavailable(Answer(None, "lib_missing", "import pynvml", reason)) from error
    lacking = [name for name in BINDING if not hasattr(binding, name)]
    if lacking:
        where = getattr(binding, "__file__", None) or "no file"
        reason = f"the module pynvml here ({where}) is another package's, not NVIDIA's: no {lacking[0]} in it"
        raise Unavailable(Answer(None, "lib_missing", "import pynvml", reason))
    _initialise(binding, begin)
    try:
        yield Library(binding, begin)
    finally:
        begin("nvmlShutdown", False)
        attempt(Call("nvmlShutdown"), binding.nvmlShutdown, [], binding)


def _initialise(binding: ModuleType, begin: Begin) -> None:
    """Load and initialise, default loader first, then WSL's folder. Raises Unavailable."""
    answer = Answer(None, "lib_missing", "nvmlInit", "no NVML library")
    for path in candidates():
        begin(f"loading {path}", True)
        loaded = _load(binding, path)
        if loaded is not None:
            answer = loaded if answer.call == "nvmlInit" else answer
            continue
        begin("nvmlInitWithFlags", True)
        answer, older = attempt(Call("nvmlInitWithFlags"), binding.nvmlInit, [], binding)
        if older:
            answer, _ = attempt(Call("nvmlInit"), lambda: _old_init(binding), [], binding)
        if answer.status == "ok":
            return
    raise Unavailable(answer)


def candidates() -> list[str]:
    """What to load, in order."""
    if sys.platform == "win32":
        return ["nvml.dll"]
    return [LIBRARY, *([WSL_LIBRARY] if there(Path(WSL_LIBRARY)) else [])]


def _load(binding: ModuleType, path: str) -> Answer | None:
    """Give the binding its library. It would load the first by itself, but not say why it cannot."""
    if sys.platform == "win32":
        return None  # the binding knows the two places
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        return Answer(None, "lib_missing", f"loading {path}", " ".join(str(error).split())[:300])
    vars(binding)["nvmlLib"] = library
    cache = getattr(binding, "_nvmlGetFunctionPointer_cache", None)
    if isinstance(cache, dict):
        cache.clear()  # pointers into the library tried before
    return None


def _old_init(binding: ModuleType) -> None:
    """Before flags (driver 387) there was nvmlInit_v2, and before that nvmlInit."""
    library = binding.nvmlLib
    code = (getattr(library, "nvmlInit_v2", None) or library.nvmlInit)()
    if code != 0:
        raise binding.NVMLError(code)
