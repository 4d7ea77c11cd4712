"""Advice: the one envelope for all files; `probe`, `calibrate`, `scan`, `plan` fill the parts they have."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from advisor.schema.base import SCHEMA_VERSION, Frozen, Notice
from advisor.schema.calibration import Calibration
from advisor.schema.estimate import Accelerator, Estimate, TraceStep, Versions, Workload
from advisor.schema.fleet import FleetPlan
from advisor.schema.largest import LargestFit
from advisor.schema.machine import Machine
from advisor.schema.packed import unpack
from advisor.schema.plan import Plan


class Advice(Frozen):
    """The answer with everything behind it; what `advice.json` holds, there in the short form of `packed`."""

    schema_version: int = SCHEMA_VERSION
    stage: str = "started"  # probed, calibrating, calibrated, complete
    created_at: str = ""
    command: str = ""  # scan, probe, calibrate, …
    versions: Versions = Versions()
    machine: Machine | None = None
    calibration: Calibration | None = None
    workloads: tuple[Workload, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    largest: tuple[LargestFit, ...] = ()  # of `estimate --largest`: what fits at most on one device
    plan: Plan | None = None
    fleet: FleetPlan | None = None  # of a plan of several jobs
    accelerators: tuple[Accelerator, ...] = ()  # catalogue entries the estimates and comparisons name
    trace: dict[str, tuple[TraceStep, ...]] = {}
    notices: tuple[Notice, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _unpacked(cls, raw: Any) -> Any:
        """Files hold the short form; both are read."""
        return unpack(raw) if isinstance(raw, dict) else raw
