"""Made-up advice to ask clusters with: nothing in here was measured anywhere."""

from __future__ import annotations

from typing import Any

from advisor.schema import (
    Accelerator,
    Advice,
    Calibration,
    Estimate,
    Grade,
    Measurement,
    Model,
    Plan,
    PlanLimits,
    PlanOption,
    Quantity,
    Recipe,
    Target,
    Versions,
    Workload,
)

H100 = "nvidia-h100-sxm5-80gb"
DAY = 86400.0


def quantity(
    value: float | None, low: float | None = None, high: float | None = None, unit: str = "s"
) -> Quantity:
    return Quantity(value=value, low=low, high=high, unit=unit, reason="" if value is not None else "made up")


def workload(**changes: Any) -> Workload:
    model = Model(
        id=changes.pop("model", "tiny-1b"), title="Tiny 1B", family=changes.pop("family", "decoder")
    )
    recipe = {"method": "pretrain", "precision": "bf16_mixed", **changes}
    return Workload(
        id="own", title="Tiny 1B, pretrain, 20 billion tokens", model=model, recipe=Recipe(**recipe)
    )


def estimate(devices: int = 16, days: float = 2.0, accelerator: str = H100, **changes: Any) -> Estimate:
    quantities = {
        "calendar_s": quantity(days * DAY, days * 0.7 * DAY, days * 1.5 * DAY),
        "memory_bytes": quantity(40e9, 35e9, 60e9, "B"),
        "memory_usable": quantity(80e9, 80e9, 80e9, "B"),
        "params": quantity(1e9, unit="1"),
        "samples_per_s_per_device": quantity(900.0, 800.0, 1000.0, "1/s"),
        "rent_usd": Quantity(value=2000.0, unit="USD", source="made up, 2026-09-01"),
    }
    found = {
        "workload": "own",
        "target": Target(
            label=f"{devices} x {accelerator}",
            accelerator_id=accelerator,
            devices=devices,
            packages=devices / changes.pop("each", 1),
        ),
        "purpose": "fit",
        "fits": True,
        "choices": {"dp": str(devices), "micro_batch": "4", "sharding": "fsdp", "recompute": "none"},
        "quantities": quantities,
    }
    return Estimate(**{**found, **changes})


def advice(work: Workload | None = None, **changes: Any) -> Advice:
    one = changes.pop("estimate", None) or estimate()
    name = one.target.accelerator_id
    found = {
        "stage": "complete",
        "created_at": "2026-11-20T09:30:00+00:00",
        "command": "estimate",
        "versions": Versions(tool="0.1.0", rules_digest="ab" * 32, prices_as_of="2026-09-01"),
        "workloads": (work or workload(),),
        "estimates": (one,),
        "accelerators": (
            Accelerator(
                id=name,
                title="Made-up " + name,
                devices_per_package=one.target.devices / one.target.packages,
            ),
        ),
    }
    return Advice(**{**found, **changes})


def plan() -> Advice:
    options = tuple(
        PlanOption(
            accelerator_id=name, label=f"{count} x {name}", devices=count, packages=float(count),
            choices={"dp": str(count), "tp": "1"},
            quantities={"calendar_s": quantity(days * DAY, days * 0.7 * DAY, days * 1.5 * DAY),
                        "calendar_at_s": quantity(days * 1.6 * DAY)},
        )
        for name, count, days in ((H100, 8, 4.0), ("amd-mi300x-192gb", 4, 5.0))
    )  # fmt: skip
    return advice(
        estimates=(), command="plan", plan=Plan(workload="own", limits=PlanLimits(), options=options)
    )


def decoding(rate: float) -> Calibration:
    m = Measurement(
        id="image_decode.cpu", bench="image_decode", device="cpu", unit="1/s", value=rate, grade=Grade.A
    )
    return Calibration(measurements=(m,), complete=True)
