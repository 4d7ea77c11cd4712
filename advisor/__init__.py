"""hwadvisor: what hardware a training job needs, measured here and traceable to its sources.

Public names are loaded on first use, so that `hwadvisor --help` and the probe's child processes
start without pydantic or numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "Advice": "advisor.schema",
    "AdvisorError": "advisor.errors",
    "Calibration": "advisor.schema",
    "Estimate": "advisor.schema",
    "EstimateOptions": "advisor.app_estimate",
    "Machine": "advisor.schema",
    "ScanOptions": "advisor.app",
    "Workload": "advisor.schema",
    "detect": "advisor.probe",
    "load_advice": "advisor.data.advice",
    "render_report": "advisor.render",
    "run_calibration": "advisor.calibrate",
    "run_estimate": "advisor.app_estimate",
    "scan": "advisor.app",
}

__all__ = [
    "Advice",
    "AdvisorError",
    "Calibration",
    "Estimate",
    "EstimateOptions",
    "Machine",
    "ScanOptions",
    "Workload",
    "__version__",
    "detect",
    "load_advice",
    "render_report",
    "run_calibration",
    "run_estimate",
    "scan",
]

if TYPE_CHECKING:
    from advisor.app import ScanOptions, scan
    from advisor.app_estimate import EstimateOptions, run_estimate
    from advisor.calibrate import run_calibration
    from advisor.data.advice import load_advice
    from advisor.errors import AdvisorError
    from advisor.probe import detect
    from advisor.render import render_report
    from advisor.schema import Advice, Calibration, Estimate, Machine, Workload


def __getattr__(name: str) -> Any:
    """Load a public name from its room (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'advisor' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
