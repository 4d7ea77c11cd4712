"""One run of the child: import torch, tell what it sees, then one test after the other."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any, Callable

from . import cgroup, feeding, matrix, operators, tasks, training
from .context import Context, Figure
from .devices import Device, Unable, accelerators
from .noise import Gate, Watch
from .timing import Limits

BENCHES: dict[str, Callable[..., Any]] = {
    "matmul": matrix.matmul,
    "memory_bandwidth": matrix.memory_bandwidth,
    "host_device_copy": matrix.host_device_copy,
    "launch_latency": matrix.launch_latency,
    "attention": matrix.attention,
    "disk_read": feeding.disk_read,
    "image_decode": feeding.image_decode,
    "tokenize": feeding.tokenize,
    "optimizer_step": training.optimizer_step,
    "train_step": training.train_step,
    "operators": operators.operators,
    "serial_task": tasks.serial_task,
    "parallel_task": tasks.parallel_task,
}
NO_TORCH_NEEDED = ("disk_read", "image_decode", "tokenize")
ONE_THREAD = (*NO_TORCH_NEEDED, "launch_latency", "host_device_copy")
DEVICE_LOST = 70  # exit status: the device's context is broken, only a new process can go on
UNSUPPORTED = (
    "not implemented",
    "not supported",
    "unsupported",
    "not compiled",
    "no kernel image",
    "only supported",
)


class Session:
    """Settings, torch and the noise watch of one child process."""

    def __init__(self, settings: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> None:
        self.settings = settings
        self.send = send
        self.threads = max(int(settings.get("threads") or 0), 0)
        self.torch: Any = None
        self.trouble = ""
        self._devices: dict[str, Device] = {}
        self.watch = Watch()
        self.gate = Gate(max(self.threads, 1), float(settings.get("gate_wait_s") or 0.0))

    def hello(self) -> None:
        """Import torch and tell the parent what there is."""
        begun = time.perf_counter()
        seen: list[dict[str, Any]] = []
        hide = str(self.settings.get("hide") or "")
        lost: dict[str, str] = {}
        try:
            if hide == "torch":
                raise ImportError(str(self.settings.get("hide_reason") or "it crashed on import"))
            _spare_nvml()
            self.torch = importlib.import_module("torch")
            if self.threads:
                self.torch.set_num_threads(self.threads)
            self.threads = self.threads or int(self.torch.get_num_threads())
            names = [] if hide else accelerators(self.torch, lost, self._asking)
            seen = [Device(self.torch, name).describe() for name in names]
        except ModuleNotFoundError as error:
            self.trouble = f"No module named {error.name}"
        except Exception as error:
            # a torch that is there but cannot load its libraries, or whose own code raises on import
            self.trouble = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        self.send(
            {
                "event": "hello",
                "python": sys.executable,
                "python_version": platform.python_version(),
                "torch": "" if self.torch is None else str(self.torch.__version__),
                "trouble": self.trouble,
                "devices": seen,
                "accelerator_trouble": "; ".join(f"{kind}: {reason}" for kind, reason in lost.items()),
                "threads": self.threads or 1,
                "seconds": time.perf_counter() - begun,
            }
        )

    def _asking(self, kind: str) -> None:
        """Name the driver about to be called, to a parent that wants to know."""
        if self.settings.get("name_calls"):
            self.send({"event": "asking", "kind": kind})

    def run(self, tests: list[dict[str, Any]], ready: Callable[[], object] = bool) -> int:
        """All tests in order; a test that fails costs itself alone.

        `ready` waits until the parent has stored the last figure: its work must not disturb the next one.
        """
        for test in tests:
            ready()
            self.gate.begin()
            self.send({"event": "start", "id": test["id"]})
            if not self._one(test):
                return DEVICE_LOST
        self.send({"event": "bye"})
        return 0

    def _one(self, test: dict[str, Any]) -> bool:
        """Run one test. False when its device does not answer any more."""
        device: Device | None = None
        failure: dict[str, Any] | None = None
        try:
            device = self._device(str(test["device"]))
            self._measure(test, device)
        except Unable as error:
            failure = {"status": error.status, "reason": error.reason, "hint": error.hint}
        except MemoryError:
            failure = {"status": "failed", "reason": "out of memory", "hint": "Free some memory."}
        except Exception as error:  # whatever torch raises is reported, and costs this bench alone
            failure = self._explain(error)
        if failure is None:
            self.send({"event": "done", "id": test["id"]})
        with contextlib.suppress(RuntimeError):  # a broken device cannot give back memory either
            if device is not None:
                device.release()
        if failure is None:
            return True
        alive = device is None or device.alive()
        self.send({"event": "failure", "id": test["id"], "device_lost": not alive, **failure})
        return alive

    def _device(self, name: str) -> Device | None:
        if self.torch is None:
            return None
        place = name if name.partition(":")[0] not in ("disk", "host") else "cpu"
        if place not in self._devices:
            self._devices[place] = Device(self.torch, place)
        device = self._devices[place]
        if not device.is_cpu:
            device.select()
        return device

    def _measure(self, test: dict[str, Any], device: Device | None) -> None:
        if self.torch is None and test["bench"] not in NO_TORCH_NEEDED:
            raise Unable("lib_missing", f"torch cannot be used here: {self.trouble}", "pip install torch")
        quiet = self._wait_for_quiet(str(test["id"]))
        crowded = not quiet and self.gate.crowded(self._threads_of(test))
        context = Context(
            torch=self.torch,
            device=device,
            limits=Limits(**test.get("limits", {})),
            watch=self.watch,
            threads=self.threads or 1,
            host_free_bytes=self._host_free(),
            workdir=str(self.settings.get("workdir") or "."),
        )
        if test["bench"] == "pick_threads":
            answer = matrix.pick_threads(context, test["params"])
            self.threads = int(answer["threads"])
            self.send({"event": "threads", "id": test["id"], **answer})
            return
        bench = BENCHES[test["bench"]]
        self.watch.start()
        for figure in bench(context, dict(test["params"])):
            if context.free_assumed:
                figure.warnings = [*figure.warnings, "free_memory_unknown"]
            self._report(test, figure, {"busy_before": not quiet, "crowded": crowded})
            self.watch.start()

    def _wait_for_quiet(self, test_id: str) -> bool:
        """Wait at the gate, telling the parent what we wait for; whether the machine is quiet."""
        begun = time.perf_counter()
        waited: list[float] = []

        def told(left_s: float) -> None:
            waited.append(left_s)
            self.send({"event": "waiting", "id": test_id, "left_s": left_s})

        quiet = self.gate.wait(told)
        if waited:
            spent = time.perf_counter() - begun
            self.send({"event": "measuring", "id": test_id, "waited_s": spent, "quiet": quiet})
        return quiet

    def _threads_of(self, test: dict[str, Any]) -> int:
        """How many cores a test wants for itself."""
        params = test["params"]
        if test["bench"] in ONE_THREAD or params.get("where") in ("one_core", "device"):
            return 1
        return int(params.get("threads") or self.threads or 1)

    def _report(self, test: dict[str, Any], figure: Figure, before: dict[str, bool]) -> None:
        self.send(
            {
                "event": "result",
                "id": test["id"],
                "suffix": figure.suffix,
                "unit": figure.unit,
                "work": figure.work,
                "params": figure.params,
                "warnings": figure.warnings,
                "refused": figure.refused,
                **({"points": figure.points} if figure.points else {}),
                **before,
                **figure.samples.summary(),
                **self.watch.stop(self._threads_of(test)),
            }
        )

    def _host_free(self) -> int | None:
        """Free host memory: the least of what the parent saw, what is left now, what a container leaves."""
        told = self.settings.get("host_free_bytes")
        known = [
            int(value) for value in (told, _available_bytes(), cgroup.memory_left()) if value is not None
        ]
        return min(known) if known else None

    def _explain(self, error: Exception) -> dict[str, Any]:
        text = str(error).strip().partition("\n")[0][:300]
        name = type(error).__name__
        if "OutOfMemory" in name or "out of memory" in text.lower():
            return {"status": "failed", "reason": f"out of memory: {text}", "hint": "Free some memory."}
        unsupported = isinstance(error, NotImplementedError) or any(
            word in str(error).lower() for word in UNSUPPORTED
        )
        return {
            "status": "not_supported" if unsupported else "failed",
            "reason": f"{name}: {text}",
            "hint": "",
        }


def _spare_nvml() -> None:
    """Keep pynvml from a torch for ROCm, which would ask NVML instead of HIP (pytorch#133259)."""
    spec = importlib.util.find_spec("torch")
    told = Path(spec.origin).with_name("version.py") if spec is not None and spec.origin else None
    if told is None or not told.is_file():
        return
    text = told.read_text(encoding="utf-8", errors="replace")
    if re.search(r"^hip\b[^=\n]*=\s*['\"]", text, re.MULTILINE):
        sys.modules["pynvml"] = None  # type: ignore[assignment] # the documented way to forbid an import


def _available_bytes() -> int | None:
    """MemAvailable of this host, or None."""
    path = Path("/proc/meminfo")
    if not path.exists():
        return None
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
