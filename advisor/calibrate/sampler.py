"""Clock, temperature, power and throttle reasons of NVIDIA devices while a bench runs.

Read by a process of its own: a driver call that hangs must not hold up the measuring, let alone the parent.
Started isolated, so that no json.py of the working folder is run; prints one JSON line a round.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from advisor.calibrate.grade import DeviceNoise
from advisor.schema import Machine

ROUND_S = 0.25
KEEP_ROUNDS = 2400  # ten minutes
BOOT = (
    "import sys, json;"
    "sys.path += [p for p in json.loads(sys.argv.pop(1)) if p not in sys.path];"
    "from advisor.calibrate.sampler import main; main()"
)
Reading = dict[str, Any]


class Sampler:
    """Starts the process, keeps its last readings, answers for a stretch of time. Context manager."""

    def __init__(self, machine: Machine, command: list[str] | None = None) -> None:
        uuids = [d.uuid.value for d in machine.devices if d.vendor == "nvidia" and d.uuid.value]
        self._rounds: deque[tuple[float, dict[str, Reading]]] = deque(maxlen=KEEP_ROUNDS)
        self._process: subprocess.Popen[bytes] | None = None
        self._idle: dict[str, float] = {
            d.uuid.value: d.utilization.value
            for d in machine.devices
            if d.uuid.value and d.utilization.value is not None
        }
        if uuids:
            start = command or [*isolated_command(), *uuids]
            self._process = subprocess.Popen(
                start, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            threading.Thread(target=self._read, daemon=True, name="device-sampler").start()

    def _read(self) -> None:
        stream = self._process.stdout if self._process is not None else None
        for line in stream or ():
            try:
                devices = json.loads(line)
            except ValueError:
                continue
            if isinstance(devices, dict):
                self._rounds.append((time.monotonic(), devices))

    def during(self, uuid: str, since: float) -> DeviceNoise:
        """Medians since a `time.monotonic()`, and every throttle reason seen. Empty without readings."""
        found = [devices[uuid] for at, devices in list(self._rounds) if at >= since and uuid in devices]
        reasons = sorted({reason for reading in found for reason in reading.get("throttle_reasons") or ()})
        return DeviceNoise(
            clock_hz=_median(reading.get("clock_hz") for reading in found),
            temperature_c=_median(reading.get("temperature_c") for reading in found),
            power_w=_median(reading.get("power_w") for reading in found),
            throttle_reasons=tuple(reason for reason in reasons if reason != "gpu_idle"),
            busy_before=self._idle.get(uuid),
        )

    def close(self) -> None:
        """End the process; one that cannot be killed is left behind."""
        if self._process is not None:
            self._process.kill()
            try:
                self._process.wait(1.0)
            except subprocess.TimeoutExpired:
                return

    def __enter__(self) -> Sampler:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _median(values: Iterable[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return known[len(known) // 2] if known else None


def run(uuids: list[str], read: Callable[[str], Reading], rounds: int | None = None) -> None:
    """Print a line a round until killed or the reader is gone."""
    while rounds is None or rounds > 0:
        try:
            print(json.dumps({uuid: read(uuid) for uuid in uuids}), flush=True)
        except BrokenPipeError:
            return
        time.sleep(ROUND_S)
        rounds = None if rounds is None else rounds - 1


def isolated_command() -> list[str]:
    """Our interpreter without the working folder; our own paths come after the standard library's."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *(entry for entry in sys.path if Path(entry).is_absolute())]
    return [sys.executable, "-I", "-c", BOOT, json.dumps(paths)]


def main() -> None:
    """Read the devices named on the command line."""
    from advisor.nvml.live import live_reader

    run(sys.argv[1:], live_reader())
