"""Types that cross a file or stage boundary: frozen, versioned, every field with its unit in its name.

Only what every answer needs is loaded at once: making the types of a whole machine takes a tenth of the time
of an estimate, which may have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.schema.base import SCHEMA_VERSION, Fact, Kind, Notice, Other, Quantity, Status

if TYPE_CHECKING:
    from advisor.schema.advice import Advice
    from advisor.schema.calibration import BenchFailure, Calibration, Grade, Measurement, Noise
    from advisor.schema.estimate import (
        Accelerator,
        CountedFigure,
        Estimate,
        Model,
        NearRun,
        Recipe,
        Target,
        TraceStep,
        Versions,
        Workload,
    )
    from advisor.schema.fleet import FleetJob, FleetOption, FleetPlan
    from advisor.schema.machine import (
        Cache,
        Cpu,
        Device,
        DeviceLink,
        Driver,
        Framework,
        FrameworkDevice,
        GpuProcess,
        Host,
        Machine,
        Memory,
        MigInstance,
        Network,
        NetworkInterface,
        NvLink,
        PcieDevice,
        RdmaPort,
        Skipped,
        Slurm,
        Software,
        Storage,
    )
    from advisor.schema.plan import LeftOut, Plan, PlanLimits, PlanOption, PlanScenario, PlanStep

__all__ = [
    "SCHEMA_VERSION",
    "Accelerator",
    "Advice",
    "BenchFailure",
    "Cache",
    "Calibration",
    "CountedFigure",
    "Cpu",
    "Device",
    "DeviceLink",
    "Driver",
    "Estimate",
    "Fact",
    "FleetJob",
    "FleetOption",
    "FleetPlan",
    "Framework",
    "FrameworkDevice",
    "GpuProcess",
    "Grade",
    "Host",
    "Kind",
    "LeftOut",
    "Machine",
    "Measurement",
    "Memory",
    "MigInstance",
    "Model",
    "NearRun",
    "Network",
    "NetworkInterface",
    "Noise",
    "Notice",
    "NvLink",
    "Other",
    "PcieDevice",
    "Plan",
    "PlanLimits",
    "PlanOption",
    "PlanScenario",
    "PlanStep",
    "Quantity",
    "RdmaPort",
    "Recipe",
    "Skipped",
    "Slurm",
    "Software",
    "Status",
    "Storage",
    "Target",
    "TraceStep",
    "Versions",
    "Workload",
]

_PARTS = {
    "advice": ("Advice",),
    "estimate": (
        "Accelerator",
        "CountedFigure",
        "Estimate",
        "Model",
        "NearRun",
        "Recipe",
        "Target",
        "TraceStep",
        "Versions",
        "Workload",
    ),
    "calibration": (
        "BenchFailure",
        "Calibration",
        "Grade",
        "Measurement",
        "Noise",
    ),
    "fleet": ("FleetJob", "FleetOption", "FleetPlan"),
    "machine": (
        "Cache",
        "Cpu",
        "Device",
        "DeviceLink",
        "Driver",
        "Framework",
        "FrameworkDevice",
        "GpuProcess",
        "Host",
        "Machine",
        "Memory",
        "MigInstance",
        "Network",
        "NetworkInterface",
        "NvLink",
        "PcieDevice",
        "RdmaPort",
        "Skipped",
        "Slurm",
        "Software",
        "Storage",
    ),
    "plan": (
        "LeftOut",
        "Plan",
        "PlanLimits",
        "PlanOption",
        "PlanScenario",
        "PlanStep",
    ),
}
_WHERE = {name: part for part, names in _PARTS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a type from its file (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'advisor.schema' has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f"advisor.schema.{_WHERE[name]}"), name)
    return found
