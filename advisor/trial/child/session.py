"""One trial: build, warm up, time step by step, tell after each what there is so far."""

from __future__ import annotations

import os
import time
from typing import Any

from ...bench import matrix
from ...bench.context import Context
from ...bench.devices import Device, Unable
from ...bench.session import Session
from ...bench.timing import KEEP_STEPS, Limits, Samples, add_block, warm_up
from . import memory

OUT_OF_MEMORY = 72  # exit status: the host was about to have no memory left
TELL_EVERY_S = 0.5
ARRAY = 64 << 20
BRIEF = Limits(min_s=0.2, cap_s=0.6, warm_cap_s=0.2)
WARM = Limits(warm_block_s=0.0, warm_cap_s=5.0)  # a block is one step


class TrialSession(Session):
    """A bench session that trains one network instead of a list of tests."""

    def trial(self, spec: dict[str, Any]) -> int:
        """All of it; the return value is the exit status."""
        device: Device | None = None
        try:
            if self.torch is None:
                raise Unable("lib_missing", f"torch cannot be used here: {self.trouble}", "pip install torch")
            device = self._device(str(spec["device"]))
            assert device is not None  # noqa: S101 - torch is there
            memory.watch_host(self._no_memory)
            training, step_s = self._train(spec, device)
        except Unable as error:
            self._fail(error.status, error.reason, error.hint)
        except MemoryError:
            self._fail("memory", "out of memory")
        except Exception as error:  # whatever torch raises is told in one line
            told = self._explain(error)
            out = str(told["reason"]).startswith("out of memory")
            self._fail("memory" if out else told["status"], told["reason"], told["hint"])
        else:
            self._groups(training, step_s, device)
            if device.is_cpu:
                self._bandwidth(device)
            self.send({"event": "bye"})
        return 0

    def _groups(self, training: Any, step_s: float, device: Device) -> None:
        """Where the time goes: one more step under the profiler, where that takes little."""
        from .groups import LONGEST_S, groups

        if step_s > LONGEST_S:
            return
        try:
            self.send(groups(training, device))
        except Exception:  # profilers fail in many ways, and the trial is done
            return

    def _bandwidth(self, device: Device) -> None:
        """How fast the processors' memory is: no catalogue knows it, and a record needs it."""
        context = Context(self.torch, device, BRIEF, self.watch, self.threads, self._host_free())
        self.watch.start()
        try:
            for figure in matrix.memory_bandwidth(context, {"bytes": ARRAY, "ops": ("triad",)}):
                test = {"id": "bandwidth", "bench": "memory_bandwidth", "params": {}}
                self._report(test, figure, {"busy_before": False, "crowded": False})
        except (Unable, MemoryError, RuntimeError):  # then the record does without
            return

    def _fail(self, status: str, reason: str, hint: str = "") -> None:
        self.send({"event": "failure", "status": status, "reason": reason, "hint": hint})

    def _no_memory(self, left: int) -> None:
        self._fail("memory", f"stopped with {left >> 20} MiB of the host's memory left")
        os._exit(OUT_OF_MEMORY)

    def _free(self, device: Device) -> int | None:
        return self._host_free() if device.is_cpu else device.free_bytes()

    def _train(self, spec: dict[str, Any], device: Device) -> tuple[Any, float]:
        """The network as trained, and about how long its last step took."""
        from .training import Training

        free, need = self._free(device), spec.get("need_bytes")
        if free is not None and need is not None and need > free:
            raise Unable("memory", f"may need {int(need) >> 20} MiB, and {free >> 20} MiB are free")
        self.send({"event": "start"})
        training = Training(spec, device)
        self.send({"event": "built", **training.counted()})
        memory.forget_peaks(device)
        training()
        first = training.loss()
        self.send({"event": "step", "loss": first})
        clock = device.clock()
        warm_up(training, clock, WARM)
        self.gate.begin()
        quiet = self._wait_for_quiet("trial")
        crowded = device.is_cpu and not quiet and self.gate.crowded(self.threads)
        self.watch.start()
        samples = Samples(filtered=device.is_cpu, delay_method=self.watch.delay.method, keep_below=KEEP_STEPS)
        told = time.perf_counter()
        steps = int(spec["steps"])
        begun = time.perf_counter()
        for step in range(1, steps + 1):
            add_block(samples, training, clock, self.watch.delay, self.threads if device.is_cpu else 1)
            last = step == steps
            if last or time.perf_counter() - told >= TELL_EVERY_S or step == 1:
                told = time.perf_counter()
                self.send(
                    {
                        "event": "trained" if last else "progress",
                        "unit": "s",
                        "work": None,
                        "warnings": [],
                        "refused": "",
                        "busy_before": not quiet,
                        "crowded": crowded,
                        "steps": step,
                        "memory": memory.peaks(device),
                        "loss": [first, training.loss()],
                        "sparse": training.sparse,
                        **samples.summary(),
                        **self.watch.stop(self.threads if device.is_cpu else 1),
                    }
                )
        return training, (time.perf_counter() - begun) / max(steps, 1)
