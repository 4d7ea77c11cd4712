"""Calibrate: plan the benches, run them in a guarded child, grade every figure.

`run_calibration` yields a whole, frozen Calibration after each figure, so that whoever saves them loses
nothing to a crash or a kill. The parent never imports torch.
"""

from __future__ import annotations

from advisor.calibrate.environment import Environment, check_environment
from advisor.calibrate.options import CalibrateOptions, Event
from advisor.calibrate.reuse import find_earlier
from advisor.calibrate.run import run_calibration
from advisor.calibrate.warn import WARNINGS

__all__ = [
    "WARNINGS",
    "CalibrateOptions",
    "Environment",
    "Event",
    "check_environment",
    "find_earlier",
    "run_calibration",
]
