"""Calibration: what was measured here, each figure with its spread and a noise grade."""

from __future__ import annotations

from enum import StrEnum

from advisor.schema.base import Frozen, Notice, Status


class Grade(StrEnum):
    """How far a measurement can be trusted (notes in docs/calibration.md).

    A: p90/p10 below 1.1 and own run-queue delay below 2 %. B: p90/p10 below 1.3. C: a range only.
    """

    A = "A"
    B = "B"
    C = "C"


class Noise(Frozen):
    """What went on beside the measurement. None: this system does not tell."""

    run_delay_fraction: float | None = None  # own threads waiting for a core / wall time
    steal_fraction: float | None = None  # taken by the hypervisor
    pressure_some: float | None = None  # /proc/pressure/cpu some avg10, 0..1, of everybody
    throttled_fraction: float | None = None  # cgroup periods cut short by the quota
    throttled_time_fraction: float | None = None  # time that the quota kept our cores from us
    spread: float | None = None  # p90 / p10 of the blocks
    throttle_reasons: tuple[str, ...] | None = None  # of the device, while measuring; () is: none, it says
    device_untold: str = ""  # why nothing is known of an accelerator's throttling
    clock_hz: float | None = None  # of the device or core, while measuring
    temperature_c: float | None = None
    power_w: float | None = None
    device_busy_before: float | None = None  # utilisation by others before the calibration began, 0..1
    device_memory_before: float | None = None  # share of the device's memory that others held then
    pcie_gen: int | None = None  # the link's state under load: only of copies to and from a device
    pcie_width: int | None = None


Point = tuple[str, tuple[float, ...], float]
"""Of a figure made of many: an operator, its sizes (advisor/bench/shapes.py) and seconds of one call."""


class Measurement(Frozen):
    """One measured figure. `value` is the median of the kept blocks; None on grade C.

    `low`, `high` are p10 and p90 (on grade C the range to print); `best` is the best block seen, an
    upper bound and never the figure itself.
    """

    id: str  # "matmul.bf16.2048.cpu", unique in a calibration
    bench: str  # "matmul"
    device: str  # torch's device name: "cpu", "cuda:0"; "disk", "host" for the rest
    unit: str  # "FLOP/s", "B/s", "s", "1/s"
    params: dict[str, str | int | float | bool] = {}
    value: float | None = None
    low: float | None = None
    high: float | None = None
    best: float | None = None
    grade: Grade = Grade.C
    samples: int = 0
    kept: int = 0
    seconds: float = 0.0
    phase: str = "burst"  # or sustained
    noise: Noise = Noise()
    warnings: tuple[str, ...] = ()  # codes of calibrate.WARNINGS
    reason: str = ""  # why value is None
    measured_at: str = ""
    points: tuple[Point, ...] = ()


class BenchFailure(Frozen):
    """A bench that gave no figure: it hung, crashed, lacks something, or the device cannot do it."""

    id: str
    bench: str
    device: str
    status: Status
    reason: str
    hint: str = ""


class Calibration(Frozen):
    """All measurements of one run. `complete` is false while it runs and after a kill or Ctrl-C."""

    mode: str = "default"  # quick, default, thorough
    started_at: str = ""
    finished_at: str = ""
    complete: bool = False
    stopped: str = ""  # why it is not complete: "interrupted", "running", …
    python: str = ""  # executable the benches ran in
    torch_version: str = ""
    code: str = ""  # digest of the code that measured; figures of another are not used again
    thread_budget: int | None = None
    devices: dict[str, str] = {}  # "cuda:0" -> name; "cpu" -> model
    device_uuids: dict[str, str] = {}  # "cuda:0" -> UUID: the join with Machine.devices
    measurements: tuple[Measurement, ...] = ()
    failures: tuple[BenchFailure, ...] = ()
    notices: tuple[Notice, ...] = ()

    def find(self, bench: str, device: str | None = None, **params: object) -> tuple[Measurement, ...]:
        """The measurements of a bench whose params contain all those given."""
        return tuple(
            m
            for m in self.measurements
            if m.bench == bench
            and (device is None or m.device == device)
            and all(m.params.get(key) == value for key, value in params.items())
        )
