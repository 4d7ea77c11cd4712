"""What `run_calibration` is told, and what it tells while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from advisor.calibrate.environment import check_device_name
from advisor.calibrate.plan import PACES, bench_names
from advisor.errors import UserError, did_you_mean


@dataclass(frozen=True)
class CalibrateOptions:
    """What to measure, where and how long. `only`: bench names; `device`: torch's name, all if None."""

    mode: str = "default"  # quick, default, thorough
    python: str | None = None
    device: str | None = None
    workdir: Path = field(default_factory=Path)
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """Progress: `text` says in plain English what is measured now, or what failed and why."""

    kind: str  # start, result, failure, end
    bench_id: str
    text: str
    done: int
    total: int
    seconds_left: float
    seconds_after: float = 0.0  # of these, what the tests after this one take


def check_options(options: CalibrateOptions) -> None:
    """Raises UserError for an unknown mode, bench or device name, with the nearest ones."""
    if options.mode not in PACES:
        raise UserError(f"unknown mode {options.mode}", did_you_mean(options.mode, PACES))
    if options.device is not None:
        check_device_name(options.device)
    known = bench_names()
    for name in options.only:
        if name not in known:
            hint = did_you_mean(name, known) or f"The benches are {', '.join(sorted(known))}."
            raise UserError(f"unknown bench {name}", hint)
