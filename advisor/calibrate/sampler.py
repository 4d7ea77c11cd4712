"""Clock, temperature, power, PCIe link and throttle reasons of NVIDIA devices while a bench runs.

Read by a process of its own: a driver call that hangs must not hold up the measuring, let alone the parent.
Started isolated, so that no json.py of the working folder is run; prints one JSON line a round. Its first
rounds, before anything of ours is on the device, tell whether somebody else is using it.
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
from advisor.schema import Device, Machine

ROUND_S = 0.25
KEEP_ROUNDS = 2400  # ten minutes
BOOT = (
    "import sys, json;"
    "sys.path += [p for p in json.loads(sys.argv.pop(1)) if p not in sys.path];"
    "from advisor.calibrate.sampler import main; main()"
)
NOT_WATCHED = "hwadvisor reads clocks and throttle reasons of NVIDIA devices only"
Reading = dict[str, Any]


class Sampler:
    """Starts the process, keeps its last readings, answers for a stretch of time. Context manager."""

    def __init__(self, machine: Machine, command: list[str] | None = None) -> None:
        self._devices = {d.uuid.value: d for d in machine.devices if d.uuid.value}
        self._watched = [uuid for uuid, d in self._devices.items() if d.vendor == "nvidia"]
        self._rounds: deque[tuple[float, dict[str, Reading]]] = deque(maxlen=KEEP_ROUNDS)
        self._process: subprocess.Popen[bytes] | None = None
        self._trouble = ""
        self._before = {uuid: _probed_use(device) for uuid, device in self._devices.items()}
        if self._watched:
            self._start(command or [*isolated_command(), *self._watched])

    def _start(self, command: list[str]) -> None:
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:  # no process to be had: figures are taken all the same, and say so
            self._trouble = f"the process that reads NVML cannot be started: {error.strerror or error}"
            return
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

    def settle(self) -> None:
        """Take what was read until now as the state before we began: call it before the first test.

        Utilisation is the median of the rounds; of the memory the least, since a child that asks torch for
        its devices may hold some already.
        """
        for uuid in self._watched:
            found = self._of(uuid, 0.0)
            busy, held = (
                _median(r.get("utilization") for r in found),
                min(_all(found, "memory_used"), default=None),
            )
            probed_busy, probed_held = self._before[uuid]
            self._before[uuid] = (
                probed_busy if busy is None else busy,
                None if self._shares_memory(uuid) else probed_held if held is None else held,
            )

    def _shares_memory(self, uuid: str) -> bool:
        """Whether the device's memory is the host's, where what is used says nothing of the device."""
        return self._devices[uuid].unified_memory.value is True

    def _of(self, uuid: str, since: float) -> list[Reading]:
        rounds = list(self._rounds)
        return [devices[uuid] for at, devices in rounds if at >= since and devices.get(uuid)]

    def during(self, uuid: str, since: float) -> DeviceNoise:
        """Medians since a `time.monotonic()`, every throttle reason seen, and the best state of the link.

        Without readings all of it is unknown, and `untold` says why.
        """
        found = self._of(uuid, since)
        told = _all(found, "throttle_reasons")
        reasons = sorted({reason for each in told for reason in each} - {"gpu_idle"})
        busy, held = self._before.get(uuid, (None, None))
        device = self._devices.get(uuid)
        return DeviceNoise(
            clock_hz=_median(reading.get("clock_hz") for reading in found),
            temperature_c=_median(reading.get("temperature_c") for reading in found),
            power_w=_median(reading.get("power_w") for reading in found),
            throttle_reasons=tuple(reasons) if told else None,
            untold="" if told else self._why_untold(uuid, found),
            busy_before=busy,
            memory_before=held,
            # an idle link sleeps at Gen1 and wakes within the copy: the best that was seen is the load's
            pcie_gen=max(_all(found, "pcie_gen"), default=None),
            pcie_width=max(_all(found, "pcie_width"), default=None),
            pcie_gen_max=_least_fact(device, "pcie_gen_max", "pcie_slot_gen"),
            pcie_width_max=_least_fact(device, "pcie_width_max", "pcie_slot_width"),
        )

    def _why_untold(self, uuid: str, found: list[Reading]) -> str:
        if uuid not in self._watched:
            return NOT_WATCHED if uuid in self._devices else "the driver's name for this device is not known"
        if self._trouble:
            return self._trouble
        if found:
            return "the driver does not tell throttle reasons"
        status = self._process.poll() if self._process is not None else None
        if status is not None:
            return f"the process that reads NVML ended with status {status}"
        return "NVML gave no reading of this device while it was measured"

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


def _probed_use(device: Device) -> tuple[float | None, float | None]:
    """(utilisation, share of its memory in use) of a device as the probe saw it, before we came."""
    used, total = device.memory_used_bytes.value, device.memory_total_bytes.value
    shared = device.unified_memory.value is True
    held = used / total if used is not None and total and not shared else None
    return device.utilization.value, held


def _least_fact(device: Device | None, *names: str) -> int | None:
    known = [getattr(device, name).value for name in names] if device is not None else []
    return min((value for value in known if value), default=None)


def _all(found: list[Reading], key: str) -> list[Any]:
    return [reading[key] for reading in found if reading.get(key) is not None]


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
