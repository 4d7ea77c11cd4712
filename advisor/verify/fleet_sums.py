"""Does a plan of several jobs contradict itself: jobs without a workload, sums of other jobs."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.schema import Advice, FleetPlan

_CLOSE = 1e-5  # relative: figures of a file have seven digits, and a sum has many parts
_SUMS = (("busy_s", "year_busy_s"), ("rent_usd", "year_rent_usd"), ("energy_j", "year_energy_j"))


def of_fleet(advice: Advice) -> Iterator[str]:
    """What in it does not go with the rest: jobs without a workload, sums that are not those of its jobs."""
    fleet = advice.fleet
    if fleet is None:
        return
    known = {workload.id for workload in advice.workloads}
    for job in fleet.jobs:
        if job.workload not in known:
            yield f"{job.workload}: there is no such workload in the file"
    if len({job.workload for job in fleet.jobs}) < len(fleet.jobs):
        yield "two jobs have one id"
    runs = sum(job.per_year for job in fleet.jobs)
    if fleet.counted == len(fleet.jobs) and abs(runs - fleet.runs) > _CLOSE * max(1.0, runs):
        yield f"the jobs have {runs:g} runs a year, not {fleet.runs:g}"
    yield from _sums(fleet)


def _sums(fleet: FleetPlan) -> Iterator[str]:
    """The first machines' figures against those of the jobs on them."""
    told = [job.option for job in fleet.jobs]
    if not fleet.options or not told or any(one is None for one in told):
        return
    for name, of_job in _SUMS:
        whole = fleet.options[0].quantities.get(name)
        parts = [one.quantities[of_job].value for one in told if one and of_job in one.quantities]
        if whole is None or whole.value is None or len(parts) < len(told) or any(p is None for p in parts):
            continue
        total = sum(part for part in parts if part is not None)
        if abs(total - whole.value) > _CLOSE * abs(total):
            figures = f"{whole.value:.6g}, {total:.6g}"
            yield f"{fleet.options[0].label}: {name} is not the sum of its jobs ({figures})"
