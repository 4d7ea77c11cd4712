"""What every bench is given (`Context`) and what it gives back (`Figure`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from .devices import ASSUMED_BYTES, ASSUMED_SHARE, SHARE_OF_FREE, Device, Unable
from .noise import Watch
from .timing import Limits, Samples, WallClock, measure

MIB = 1 << 20


@dataclass
class Figure:
    """One measured figure. Rate = `work` / seconds per call; `work` None: the figure is the seconds."""

    unit: str
    samples: Samples
    work: float | None = None
    params: dict[str, Any] = field(default_factory=dict)
    suffix: str = ""  # tells figures of one test apart in their ids
    warnings: list[str] = field(default_factory=list)
    refused: str = ""  # why no value may be taken from it, whatever the blocks say
    points: list[list[Any]] = field(default_factory=list)  # of a figure made of many: operator, sizes, s


@dataclass
class Context:
    """The device, how long to measure, and how much memory may be taken.

    `torch` is None where it is missing: benches that can do without it still run.
    """

    torch: Any
    device: Device | None
    limits: Limits
    watch: Watch
    threads: int  # thread budget of the process
    host_free_bytes: int | None = None
    workdir: str = "."
    free_assumed: bool = False  # a size was chosen without knowing how much memory is free

    def place(self) -> Device:
        """The device, or Unable where torch is missing."""
        if self.torch is None or self.device is None:
            raise Unable("lib_missing", "torch is not installed here", "pip install torch")
        return self.device

    def room(self) -> int:
        """Bytes this bench may allocate: 20 % of what is free on the device, or on the host for the CPU.

        Where nothing tells what is free, a cautious guess stands for it, and every figure says so.
        """
        free, device = self.host_free_bytes, self.device
        if device is not None and not device.is_cpu:
            free = device.free_bytes()
        if free is None:
            self.free_assumed = True
            total = device.total_bytes() if device is not None and not device.is_cpu else None
            free = ASSUMED_BYTES if total is None else int(total * ASSUMED_SHARE)
        return int(free * SHARE_OF_FREE)

    def require(self, needed_bytes: float, what: str) -> None:
        """Raise Unable when `needed_bytes` is more than may be taken."""
        room = self.room()
        if needed_bytes <= room:
            return
        needs = f"{what} would need {needed_bytes / MIB:.0f} MiB"
        if self.free_assumed:
            raise Unable(
                "not_asked",
                f"{needs}; how much memory is free is not known, and {room / MIB:.0f} MiB are taken at most",
            )
        raise Unable(
            "not_asked",
            f"{needs}, and 20 % of the free memory is {room / MIB:.0f} MiB",
            "Free some memory and calibrate again.",
        )

    def time(
        self, call: Callable[[], object], *, threads: int | None = None, limits: Limits | None = None
    ) -> Samples:
        """Measure a call on the device; on a CPU with `threads` threads (default: the budget)."""
        device = self.device
        used = self.threads if threads is None else threads
        on_cpu = device is None or device.is_cpu
        if on_cpu and self.torch is not None:
            self.torch.set_num_threads(used)
        try:
            return measure(
                call,
                WallClock() if device is None else device.clock(),
                limits or self.limits,
                self.watch.delay,
                threads=used if on_cpu else 1,
                filtered=on_cpu,
            )
        finally:
            if on_cpu and self.torch is not None:
                self.torch.set_num_threads(self.threads)

    def threads_for(self, where: str) -> int:
        """Threads of "one_core" and "all_cores"; 1 elsewhere."""
        return self.threads if where == "all_cores" else 1
