"""The plan of a file made again from its workload and limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from advisor.app_knowledge import Knowledge
from advisor.data.offers import in_region
from advisor.errors import AdvisorError
from advisor.schema import Advice, Plan, PlanLimits, PlanOption, Workload
from advisor.search.plan import Question, plan_traced, with_horizon
from advisor.verify.pair import Pair, alike, way_of
from advisor.verify.said import differences, of_plan

if TYPE_CHECKING:
    from advisor.data.catalogue import Catalogue
    from advisor.data.systems import System


def planned(knowledge: Knowledge, advice: Advice, plan: Plan, failed: list[str]) -> Iterable[Pair]:
    """Every option, of the front and the scaling table too; where no plan can be made `failed` says why."""
    job = next((w for w in advice.workloads if w.id == plan.workload), None)
    if job is None:
        failed.append("plan: its workload is not in the file")
        return
    try:
        question = Question(
            knowledge.book, in_region(knowledge.catalogue, plan.limits.region), job, plan.limits,
            knowledge.published, systems=_systems(knowledge, plan),
        )  # fmt: skip
        now, steps = plan_traced(question)
    except (AdvisorError, ValueError) as error:
        failed.append(f"plan: {error.message if isinstance(error, AdvisorError) else error}")
        return
    own = _unknown(knowledge, plan)
    if own and not _same(plan, now):
        failed.append(f"plan: it leans on runs that are not known here ({', '.join(own[:3])[:120]})")
        return
    for label, then, other in _both(plan, now):
        figures = {} if other is None else other.quantities
        way = way_of(advice, knowledge.book.digest)
        yield Pair(label, then.quantities, figures, (None, None), advice.trace, steps, way=way)
    if _same(plan, now):
        words = (*of_plan(plan, now), *_of_limits(plan, job), *_of_scenarios(question, plan, now))
        yield Pair("plan", {}, {}, words=words)


def _of_limits(plan: Plan, job: Workload) -> Iterator[str]:
    """A deadline that nobody stated is that of the workload."""
    limits = plan.limits
    if not limits.deadline_assumed:
        return
    bare = limits.model_copy(update={"deadline_days": None, "deadline_assumed": ""})
    again = with_horizon(bare, job)
    if (again.deadline_days, again.deadline_assumed) != (limits.deadline_days, limits.deadline_assumed):
        yield "plan: its deadline is not the one that its workload has"


def _of_scenarios(question: Question, plan: Plan, now: Plan) -> Iterator[str]:
    """What is said of what would be otherwise, where that was asked for."""
    if not plan.sensitivity:
        return
    from advisor.search.sensitivity import bought, sensitivity

    names = {scenario.name for scenario in plan.sensitivity}
    again = {scenario.name: scenario for scenario in sensitivity(question, now)}
    if not names <= set(again):
        first = bought(question, now)
        again[first.name] = first
    for scenario in plan.sensitivity:
        there = again.get(scenario.name)
        if there is None or next(differences(scenario.model_dump(), there.model_dump()), ""):
            yield f"plan: what it says of '{scenario.name[:80]}' is not what its rules give"
            return


def _both(plan: Plan, now: Plan) -> Iterator[tuple[str, PlanOption, PlanOption | None]]:
    """Each option of the file with what it is here, None where it is not there."""
    by_name = {option.accelerator_id: option for option in now.options}
    for option in plan.options:
        yield option.label, option, by_name.get(option.accelerator_id)
    tables: tuple[tuple[str, Iterable[PlanOption], Iterable[PlanOption]], ...] = (
        ("front", plan.front, now.front),
        ("scaling", (s.option for s in plan.scaling), (s.option for s in now.scaling)),
    )
    for table, then, there in tables:
        known: Mapping[str, PlanOption] = {option.label: option for option in there}
        for option in then:
            yield f"{table}, {option.label}", option, known.get(option.label)


def _same(plan: Plan, now: Plan) -> bool:
    return all(
        other is not None
        and all(alike(one, other.quantities.get(name)) for name, one in then.quantities.items())
        for _, then, other in _both(plan, now)
    )


def _unknown(knowledge: Knowledge, plan: Plan) -> list[str]:
    """Runs that its times lean on and that are not among the published ones here."""
    known = set(knowledge.published.labels)
    return sorted({run for option in plan.options for run in option.near if run not in known})


def catalogue_of(knowledge: Knowledge, advice: Advice) -> Catalogue:
    """The catalogue, with the prices of a region alone where a plan kept to one."""
    told = advice.plan or advice.fleet
    return knowledge.catalogue if told is None else in_region(knowledge.catalogue, told.limits.region)


def systems_for(knowledge: Knowledge, limits: PlanLimits, *, buys: bool = False) -> Mapping[str, System]:
    """The systems, where limits ask for them or something is bought."""
    buys |= limits.acquire == "buy"
    known = knowledge.catalogue.accelerators
    if not buys and limits.max_rack_units is None and all(name in known for name in limits.only):
        return {}
    from advisor.data.systems import load_systems

    return load_systems(knowledge.folders, knowledge.catalogue)


def _systems(knowledge: Knowledge, plan: Plan) -> Mapping[str, System]:
    from advisor.search.sensitivity import BOUGHT

    return systems_for(knowledge, plan.limits, buys=any(one.name == BOUGHT for one in plan.sensitivity))
