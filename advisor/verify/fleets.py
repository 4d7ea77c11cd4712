"""A plan of several jobs made again from its jobs and limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from advisor.app_knowledge import Knowledge
from advisor.data.offers import in_region
from advisor.errors import AdvisorError
from advisor.schema import Advice, FleetOption, FleetPlan, PlanLimits, Quantity
from advisor.search.grid import Stated
from advisor.search.own import OWN
from advisor.search.several_run import added, prepare
from advisor.search.several_taken import Counted
from advisor.search.several_told import Named, fleet_plan
from advisor.verify.pair import Pair
from advisor.verify.plans import systems_for
from advisor.verify.said import differences


def fleet_again(knowledge: Knowledge, advice: Advice, fleet: FleetPlan, failed: list[str]) -> Iterable[Pair]:
    """Every machine and every job of the file, and what is said of them; `failed` says what cannot be."""
    if fleet.counted < len(fleet.jobs):
        failed.append("plan of several jobs: it was stopped, and which jobs are counted is not told")
        return
    known = {workload.id: workload for workload in advice.workloads}
    if any(job.workload not in known for job in fleet.jobs):
        return  # told as a contradiction
    jobs = [
        Named(
            Counted(known[job.workload].model_copy(update={"id": OWN}), job.per_year), job.title, due=job.due
        )
        for job in fleet.jobs
    ]
    try:
        now = _planned(knowledge, fleet, jobs)
    except (AdvisorError, ValueError) as error:
        told = error.message if isinstance(error, AdvisorError) else str(error)
        failed.append(f"plan of several jobs: {told}")
        return
    there: Mapping[str, FleetOption] = {option.label: option for option in now.options}
    for option in fleet.options:
        other = there.get(option.label)
        yield _pair(option.label, option.quantities, other.quantities if other else {})
    for job, again in zip(fleet.jobs, now.jobs, strict=True):
        then = job.option.quantities if job.option is not None else {}
        yield _pair(job.workload, then, again.option.quantities if again.option is not None else {})
    yield Pair("plan of several jobs", {}, {}, words=tuple(_said(fleet, now)))


def _planned(knowledge: Knowledge, fleet: FleetPlan, jobs: list[Named]) -> FleetPlan:
    limits: PlanLimits = fleet.limits
    prepared = prepare(
        knowledge.book, in_region(knowledge.catalogue, limits.region), knowledge.published,
        systems_for(knowledge, limits), limits, Stated(stack=fleet.stack or None), jobs,
    )  # fmt: skip
    return fleet_plan(prepared.adder, added(prepared), jobs, limits, fleet.stack)


def _pair(what: str, then: dict[str, Quantity], now: dict[str, Quantity]) -> Pair:
    return Pair(what, then, now)


def _said(fleet: FleetPlan, now: FleetPlan) -> Iterator[str]:
    found = next(differences(fleet.model_dump(), now.model_dump()), "")
    if found:
        yield f"plan of several jobs: what it says at '{found}' is not what its rules give"
