"""An earlier calibration of this very machine, taken from the reports that are there.

An advice.json holds the machine and its figures, so the reports are the cache. Figures are taken over only
while everything they depend on is what it was: devices, driver, power limits, torch, thread budget, memory
limits, and the code that measured. They expire after 30 days.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from advisor.calibrate.environment import wanted
from advisor.calibrate.guard import BENCH_FOLDER
from advisor.calibrate.options import CalibrateOptions
from advisor.data.advice import load_advice
from advisor.errors import AdvisorError
from advisor.schema import Advice, BenchFailure, Calibration, Machine, Measurement

EXPIRES = timedelta(days=30)
MODES = ("quick", "default", "thorough")  # each has the figures of those before it
NEWEST = 20  # reports looked into
CODE_FILES = (
    "kinds.py",
    "sets.py",
    "plan.py",
    "grade.py",
)  # beside the benches: what is measured, and how it is judged


@dataclass(frozen=True)
class Earlier:
    """Where a calibration that may be used again lies, or why there is none."""

    calibration: Calibration | None = None
    path: Path | None = None
    reason: str = ""

    @property
    def when(self) -> str:
        """Its date and time, as people write them."""
        return self.calibration.finished_at[:16].replace("T", " ") + " UTC" if self.calibration else ""


@cache
def code_digest() -> str:
    """Names the code that measures: figures of another are not compared with ours."""
    digest = hashlib.sha256()
    files = [*sorted(BENCH_FOLDER.glob("*.py")), *(Path(__file__).with_name(name) for name in CODE_FILES)]
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def find_earlier(
    reports: Path, machine: Machine, options: CalibrateOptions, now: datetime | None = None
) -> Earlier:
    """The newest calibration under `reports` that is one of this machine as it is now."""
    first_reason = ""
    for path in _newest(reports):
        try:
            advice = load_advice(path)
        except AdvisorError:  # a broken or foreign file is no reason not to look into the next
            continue
        if advice.calibration is None:  # not measured at all, or only just begun
            continue
        reason = why_not(advice, machine, options, now or datetime.now(UTC))
        if not reason:
            return Earlier(advice.calibration, path)
        first_reason = first_reason or f"{path}: {reason}"
    return Earlier(reason=first_reason or f"there is no earlier calibration in {reports}")


def _newest(reports: Path) -> list[Path]:
    found: list[tuple[float, Path]] = []
    try:
        for path in reports.glob("*/advice.json"):
            found.append((path.stat().st_mtime, path))
    except OSError:  # a folder that vanishes or must not be read
        pass
    return [path for _, path in sorted(found, reverse=True)[:NEWEST]]


def why_not(advice: Advice, machine: Machine, options: CalibrateOptions, now: datetime) -> str:
    """Why the figures of an earlier advice cannot stand for this machine now; "" when they can."""
    then, figures = advice.machine, advice.calibration
    if then is None or figures is None or not figures.measurements:
        return "nothing is measured in it"
    if not figures.complete:
        return "it was not measured to the end"
    if MODES.index(options.mode) > (MODES.index(figures.mode) if figures.mode in MODES else -1):
        return f"it was measured in mode {figures.mode}, and {options.mode} is asked for"
    measured = {m.device for m in figures.measurements}
    kinds = {name.partition(":")[0] for name in measured} | measured
    missing = set(figures.devices) - measured - {"cpu"}
    if (options.device is not None and options.device not in kinds) or (missing and options.device is None):
        return f"{options.device or ', '.join(sorted(missing))} is not measured in it"
    disturbed = _disturbed(figures, options.device)
    if disturbed:
        return disturbed
    try:
        age = now - datetime.fromisoformat(figures.finished_at)
    except (ValueError, TypeError):
        return "it has no date"
    if not timedelta(0) <= age <= EXPIRES:
        return f"it is {age.days} days old"
    before, today = _depends_on(then), _depends_on(machine)
    for what in today:
        if before.get(what) != today[what]:
            return f"{what} is another than then"
    if figures.code != code_digest():
        return "it was measured by another version of hwadvisor"
    return ""


def _disturbed(figures: Calibration, device: str | None) -> str:
    """What of the figures of `device` ("cuda": of all its kind; None: of all) is missing for noise alone.

    Without a rate an estimate falls back on what is published, which is worth another try. A step that
    the device cannot do at all would fail again, so only rates count whose steps were measured.
    """
    if all(m.value is None for m in figures.measurements):
        return "every figure in it was disturbed (grade C), so none has a value"
    every: list[Measurement | BenchFailure] = [*figures.measurements, *figures.failures]
    rates = [
        (one.id.removeprefix("train_rate.").partition(".")[0], one.device, getattr(one, "value", None))
        for one in every
        if one.bench == "train_rate" and (device is None or wanted(device, one.device))
    ]
    good = {(family, where) for family, where, value in rates if value is not None}
    lost = sorted({f"{family} on {where}" for family, where, _ in rates if (family, where) not in good})
    return f"its training rate was disturbed and has no value: {', '.join(lost)}" if lost else ""


def _depends_on(machine: Machine) -> dict[str, object]:
    """What figures depend on, by the words used when it has changed."""
    torch = next((f for f in machine.software.frameworks if f.name == "torch"), None)
    return {
        "the host": machine.host.hostname.value,
        "the processor": machine.cpu.model.value,
        "the thread budget": machine.cpu.budget_threads.value,
        "the memory limit": machine.memory.cgroup_limit_bytes.value,
        "the set of devices": sorted((d.vendor, d.uuid.value or d.name.value or "") for d in machine.devices),
        "a power limit": sorted((d.uuid.value or "", d.power_limit_w.value or 0.0) for d in machine.devices),
        "a driver": sorted((d.vendor, d.driver_version.value or "") for d in machine.drivers),
        "the Python": machine.software.python.value,
        "torch": torch.version.value if torch is not None else None,
    }
