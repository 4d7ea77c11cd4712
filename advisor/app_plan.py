"""The walk of `hwadvisor plan`: a workload and limits, the search over the catalogue, the envelope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.app_knowledge import Knowledge, load_knowledge, network_of, now
from advisor.app_options import WorkloadFlags
from advisor.data.catalogue import Catalogue, figures_of, find_accelerator
from advisor.data.offers import in_region
from advisor.data.unread import unread_note
from advisor.errors import UserError, nearest
from advisor.schema import Advice, Notice, Plan, PlanLimits, PlanScenario, Workload
from advisor.search.own import workload_from_flags
from advisor.search.plan import Question, assumed, names_of, plan_traced
from advisor.search.plan_left import why_not
from advisor.search.rows import rows_told

if TYPE_CHECKING:
    from advisor.data.systems import System


BOTH = "both"
"""Of --acquire: ranked by rent, with what leads if it is bought."""


@dataclass(frozen=True)
class PlanOptions:
    """What shall be planned: a workload by flags, limits, and perhaps a machine that is there already."""

    workload: WorkloadFlags
    limits: PlanLimits
    owned: Path | None = None
    why_not: tuple[str, ...] = ()
    assume: Mapping[str, str] = field(default_factory=dict)  # constants of the cost rules, as written
    rules: tuple[Path, ...] = ()
    sensitivity: bool = False  # also what happens when prices, efficiency or work are otherwise
    notices: tuple[Notice, ...] = ()  # what was said before: of a recipe file, of counted data


@dataclass(frozen=True)
class PlanResult:
    """The envelope that every command reads, and answers to --why-not."""

    advice: Advice
    answers: tuple[str, ...]


def run_plan(options: PlanOptions) -> PlanResult:
    """What to get for a workload. Raises UserError for names and limits that cannot be.

    Where nothing keeps the limits, the plan says what comes nearest; that is no error.
    """
    knowledge = load_knowledge(options.rules)
    catalogue = knowledge.catalogue
    asked = [_known(name, knowledge) for name in options.why_not]  # an unknown id is an error before all else
    job = workload_of(options.workload, knowledge)
    limits = options.limits
    if not limits.as_of:
        limits = limits.model_copy(update={"as_of": now()[:10]})
    limits = limits.model_copy(update={"assumed": assumed(knowledge.book, options.assume)})
    both = limits.acquire == BOTH
    limits = limits.model_copy(update={"acquire": "rent"}) if both else limits
    systems = systems_for(limits, knowledge, buys=both)
    catalogue = in_region(catalogue, limits.region)
    unread = unread_note(job.model)
    of_network: tuple[Notice, ...] = (Notice(code="unread_fields", message=unread),) if unread else ()
    of_network += rows_told(job, options.workload.details.get("counted_rows"))
    question = Question(knowledge.book, catalogue, job, limits, knowledge.published, systems=systems)
    found, trace = plan_traced(question)
    if options.sensitivity or both:
        from advisor.search.sensitivity import bought, sensitivity

        told: tuple[PlanScenario, ...] = (bought(question, found),) if both else ()
        told += sensitivity(question, found) if options.sensitivity else ()
        found = found.model_copy(update={"sensitivity": told})
    horizon = job.model_copy(update={"deadline_days": found.limits.deadline_days})
    owned = _owned(options.owned, knowledge, horizon, found)
    advice = Advice(
        stage="complete",
        created_at=now(),
        command="plan",
        versions=knowledge.versions(),
        workloads=(horizon,),
        plan=found,
        trace=trace,
        accelerators=tuple(figures_of(catalogue.accelerators[name]) for name in names_of(found)),
        notices=(*knowledge.notices(), *options.notices, *of_network),
    )
    answers = tuple(told for one in asked for told in _why_not(found, catalogue, *one))
    if owned:
        owned["notices"] = (*advice.notices, *owned["notices"])
        owned["trace"] = {**trace, **owned["trace"]}
    return PlanResult(advice.model_copy(update=owned), answers)


def _known(name: str, knowledge: Knowledge) -> tuple[str, System | None]:
    """The accelerator that an id is about, and the system where it is one's. Raises UserError for others."""
    try:
        return find_accelerator(knowledge.catalogue, name).id, None
    except UserError as error:
        from advisor.data.systems import find_system, load_systems, names_of

        systems = load_systems(knowledge.folders, knowledge.catalogue)
        box = find_system(systems, name)
        if box is not None and box.accelerator:
            return box.accelerator, box
        near = nearest(name.strip(), names_of(systems))
        more = f" Systems like it: {', '.join(near[:3])}." if near and box is None else ""
        raise UserError(error.message, f"{error.hint}{more}") from None


def _why_not(plan: Plan, catalogue: Catalogue, accelerator: str, box: System | None) -> tuple[str, ...]:
    """Why an accelerator, or a system for what it has, is not the answer."""
    if box is None:
        return (why_not(plan, catalogue, accelerator),)
    boxes = {name for name in plan.limits.only if name not in catalogue.accelerators}
    if boxes and not boxes & {box.id, *box.aliases}:
        return (f"{box.id} was not asked for: --only names other systems.",)
    return f"{box.id} has {box.accelerators} x {accelerator}.", why_not(plan, catalogue, accelerator)


def workload_of(flags: WorkloadFlags, knowledge: Knowledge) -> Workload:
    """What the flags describe. Raises UserError where they name no network, or two."""
    if flags.model is not None and flags.params is not None:
        raise UserError("--model and --params exclude each other", "Give one of them.")
    if flags.model is None and flags.params is None:
        raise UserError(
            "no network is named", "Give --model NAME, or --params N if its size is all you know."
        )
    recipe = asdict(flags)
    for name in ("model", "params", "hub"):
        del recipe[name]
    return workload_from_flags(knowledge.catalogue, network_of(flags, knowledge.catalogue), **recipe)


def systems_for(limits: PlanLimits, knowledge: Knowledge, *, buys: bool = False) -> dict[str, System]:
    """Read where --only names one, space is a limit, or something is bought: modules come in systems."""
    buys |= limits.acquire == "buy"
    if (
        not buys
        and limits.max_rack_units is None
        and all(name in knowledge.catalogue.accelerators for name in limits.only)
    ):
        return {}
    from advisor.data.systems import load_systems

    return load_systems(knowledge.folders, knowledge.catalogue)


def _owned(path: Path | None, knowledge: Knowledge, job: Workload, plan: Plan) -> dict[str, Any]:
    """The machine of a file with what it would take there, as parts of the envelope."""
    if path is None:
        return {}
    from advisor.data.advice import load_advice

    earlier = load_advice(path)
    if earlier.machine is None:
        raise UserError(f"{path} holds no machine", "Write one with `hwadvisor scan` or `hwadvisor probe`.")
    from advisor.data.systems import load_systems
    from advisor.search.here import places_here
    from advisor.search.owned import owned, ranked
    from advisor.search.systems_upgrade import upgrades

    places = places_here(knowledge.catalogue, earlier.machine, earlier.calibration)
    there = owned(knowledge.book, job, places, earlier.machine, knowledge.published)
    places_told = ranked(knowledge.book, plan, there.estimates, earlier.machine)
    told = upgrades(
        knowledge.book, knowledge.catalogue, job, places,
        load_systems(knowledge.folders, knowledge.catalogue), knowledge.published, earlier.machine,
    )  # fmt: skip
    return {
        "notices": (
            *(Notice(code="owned", message=text) for text in (*places_told, *there.told)),
            *(Notice(code="upgrade", message=text) for text in told),
        ),
        "machine": earlier.machine,
        "calibration": earlier.calibration,
        "estimates": there.estimates,
        "trace": there.trace,
    }
