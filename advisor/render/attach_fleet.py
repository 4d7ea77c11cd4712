"""The tables that go with a plan of several jobs: machines.csv and jobs.csv, figures in SI units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from advisor.render.attach import table, words
from advisor.schema import Advice, FleetPlan, Quantity

_OF_FLEET = ("busy_s", "used", "rent_usd", "own_usd", "purchase_usd", "energy_j", "power_w", "rent_usd_per_h")
_OF_JOB = (
    "calendar_s", "memory_bytes", "rent_usd", "energy_j", "year_busy_s", "year_rent_usd", "year_energy_j",
)  # fmt: skip


def fleet_files(advice: Advice) -> dict[str, tuple[str, str]]:
    """Name -> what it is, and its text; nothing where no jobs are planned together."""
    fleet = advice.fleet
    if fleet is None:
        return {}
    return {
        "machines.csv": ("All machines that do the jobs, and why others do not", _machines(fleet)),
        "jobs.csv": ("Every job, and how a run of it goes on the first machines", _jobs(advice, fleet)),
    }


def _machines(fleet: FleetPlan) -> str:
    columns = (
        "accelerator", "machine", "system", "machines", "packages", "devices", *_ended(_OF_FLEET),
        "rack_units", "price", "price_old", "unrated", "offloads", "why_not",
    )  # fmt: skip
    lines: list[Iterable[object]] = [
        [
            one.accelerator_id, one.label, one.system, one.machines, one.packages, one.devices,
            *_figures(one.quantities, _OF_FLEET), one.rack_units, one.price_note, one.price_old,
            one.unrated, one.offloads, "",
        ]
        for one in fleet.options
    ]  # fmt: skip
    blank = [""] * (len(columns) - 2)
    lines += [[left.accelerator_id, *blank, left.why] for left in fleet.left_out]
    return table(columns, lines)


def _jobs(advice: Advice, fleet: FleetPlan) -> str:
    workloads = {workload.id: workload for workload in advice.workloads}
    columns = (
        "job", "title", "workload", "per_year", "deadline_s", "on", "devices", "choices", "calendar_at_s",
        *_ended(_OF_JOB), "breaks",
    )  # fmt: skip
    lines = []
    for job in fleet.jobs:
        workload, run = workloads.get(job.workload), job.option
        days = fleet.limits.deadline_days
        if days is None and workload is not None:
            days = workload.deadline_days
        known: Mapping[str, Quantity] = run.quantities if run is not None else {}
        late = known.get("calendar_at_s")
        lines.append(
            [
                job.workload, job.title, workload.title if workload else "", job.per_year,
                None if days is None else days * 86400.0, run.label if run else "",
                run.devices if run else None, words(run.choices) if run else "",
                late.value if late else None, *_figures(known, _OF_JOB),
                ", ".join(run.breaks) if run else "",
            ]
        )  # fmt: skip
    return table(columns, lines)


def _ended(names: Iterable[str]) -> list[str]:
    return [f"{name}{end}" for name in names for end in ("", "_low", "_high")]


def _figures(known: Mapping[str, Quantity], names: Iterable[str]) -> list[object]:
    found: list[object] = []
    for name in names:
        quantity = known.get(name)
        found += [quantity.value, quantity.low, quantity.high] if quantity else [None] * 3
    return found
