"""The walk of `hwadvisor plan --workloads`: a file of jobs with counts per year, added up one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.app_knowledge import Knowledge, load_knowledge, now
from advisor.app_options import WorkloadFlags
from advisor.app_plan import systems_for, workload_of
from advisor.data.catalogue import figures_of
from advisor.data.files import parse_toml, read_text
from advisor.data.offers import in_region
from advisor.errors import DataError, UserError, did_you_mean
from advisor.schema import Advice, PlanLimits, Workload
from advisor.search.grid import NOTHING_STATED, Stated
from advisor.search.own import pattern
from advisor.search.plan import assumed
from advisor.search.pretraining import size_of
from advisor.search.several_fleet import Several
from advisor.search.several_run import Prepared, added, prepare
from advisor.search.several_taken import Counted
from advisor.search.several_told import Named, fleet_plan
from advisor.units import DAY_S, parse_as, parse_count

MOST_BYTES = 16 * 1024 * 1024
_MOST_LETTERS = 80  # of what a file calls a job
_KEYS = (
    "model",
    "params",
    "tokens",
    "method",
    "precision",
    "seq_len",
    "batch",
    "per_year",
    "deadline",
    "title",
)
_OF_A_RUN = ("tokens", "per_year", "deadline", "title")
"""What is of one run: the others make jobs that are searched for anew."""


@dataclass(frozen=True)
class SeveralOptions:
    """Which jobs, under which limits; `tick` is told of each that is done, and of how many."""

    path: Path
    limits: PlanLimits
    hub: Path | None = None
    assume: Mapping[str, str] = field(default_factory=dict)
    stated: Stated = NOTHING_STATED
    rules: tuple[Path, ...] = ()
    tick: Callable[[int, int], None] | None = None


def run_several(options: SeveralOptions) -> Several:
    """Machines for all jobs of a file. Raises DataError naming job, key and value of what cannot be."""
    return added(_prepared(options)[0], options.tick)


def plan_several(options: SeveralOptions) -> tuple[Several, Advice]:
    """The same, and as the envelope that every command reads."""
    prepared, knowledge = _prepared(options)
    found = added(prepared, options.tick)
    fleet = fleet_plan(prepared.adder, found, prepared.jobs, prepared.limits, options.stated.stack or "")
    known = in_region(knowledge.catalogue, prepared.limits.region).accelerators
    named = [option.accelerator_id for option in fleet.options]
    named += [left.accelerator_id for left in fleet.left_out if left.accelerator_id in known]
    advice = Advice(
        stage="complete" if found.jobs == found.whole else "planning",
        created_at=now(),
        command="plan",
        versions=knowledge.versions(),
        workloads=tuple(
            one.counted.job.model_copy(update={"id": job.workload})
            for one, job in zip(prepared.jobs, fleet.jobs, strict=True)
        ),
        fleet=fleet,
        accelerators=tuple(figures_of(known[name]) for name in dict.fromkeys(named)),
        notices=knowledge.notices(),
    )
    return found, advice


def _prepared(options: SeveralOptions) -> tuple[Prepared, Knowledge]:
    jobs = read_jobs(options.path)
    knowledge = load_knowledge(options.rules)
    told = assumed(knowledge.book, options.assume)
    limits = options.limits.model_copy(update={"as_of": options.limits.as_of or now()[:10], "assumed": told})
    prepared = prepare(
        knowledge.book, in_region(knowledge.catalogue, limits.region), knowledge.published,
        systems_for(limits, knowledge), limits, options.stated, _workloads(options, jobs, knowledge),
    )  # fmt: skip
    return prepared, knowledge


def read_jobs(path: Path) -> list[dict[str, Any]]:
    """The tables under [[job]], alike ones joined. Raises DataError for unknown keys and wrong counts."""
    raw = parse_toml(path, read_text(path, limit_bytes=MOST_BYTES))
    unknown = [key for key in raw if key != "job"]
    if unknown:
        raise DataError.at(path, unknown[0], None, "is no known key", "Write each job under [[job]].")
    listed = raw.get("job")
    if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) for one in listed):
        raise DataError.at(path, "job", None, "has no jobs", "Write each under [[job]]; see docs/plan.md.")
    joined: dict[tuple[tuple[str, Any], ...], dict[str, Any]] = {}
    for at, one in enumerate(listed):
        where = f"job[{at}]."
        for key, value in one.items():
            if key not in _KEYS:
                raise DataError.at(path, where + key, None, "is no known key", did_you_mean(key, _KEYS))
            if isinstance(value, (dict, list)):
                raise DataError.at(path, where + key, value, "is no text or number", "")
        times = one.get("per_year", 1)
        if isinstance(times, bool) or not isinstance(times, (int, float)) or not 0 < times < math.inf:
            raise DataError.at(path, where + "per_year", times, "is no number above zero", "")
        alike = tuple(
            sorted((key, str(value)) for key, value in one.items() if key not in ("per_year", "title"))
        )
        held = joined.setdefault(alike, {**one, "per_year": 0.0, "where": where, "title": ""})
        held["per_year"] += times
        held["title"] = _titles(held["title"], str(one.get("title", "")))
    return list(joined.values())


def _titles(held: str, more: str) -> str:
    """What jobs that are joined are called, each name once."""
    names = [*(held.split(" / ") if held else ()), " ".join(more.split())[:_MOST_LETTERS]]
    return " / ".join(list(dict.fromkeys(name for name in names if name))[:3])


def _workloads(options: SeveralOptions, jobs: list[dict[str, Any]], knowledge: Knowledge) -> list[Named]:
    """The jobs, those alike but for their work together, and first what needs most memory: what cannot do
    these need not be asked about the rest."""
    found = []
    for one in jobs:
        try:
            job = _workload(one, options.hub, knowledge)
        except UserError as error:
            raise DataError(
                f"{options.path}: {one['where'].rstrip('.')}: {error.message}", error.hint
            ) from error
        shape = tuple(str(one.get(key, "")) for key in _KEYS if key not in _OF_A_RUN)
        order = (-_need(job), job.recipe.method, shape, -(job.recipe.samples or 0.0))
        found.append((order, Named(Counted(job, one["per_year"]), one["title"], "deadline" in one)))
    return [named for _, named in sorted(found, key=lambda pair: pair[0])]


def _horizon(job: Workload, knowledge: Knowledge) -> float | None:
    """Where none is stated: that of the reference workload, longer by as many times as the work is more."""
    like = pattern(knowledge.catalogue, job.model, job.recipe.method)
    work, usual = job.recipe.samples, like.recipe.samples
    if not job.deadline_days or not work or not usual:
        return job.deadline_days
    length = (job.recipe.seq_len or 1.0) / (like.recipe.seq_len or job.recipe.seq_len or 1.0)
    return job.deadline_days * max(1.0, work * length / usual)


def _need(job: Workload) -> float:
    """Roughly the bytes of a network's weights and states: only the order counts."""
    trained = {"lora": 2.0, "qlora": 0.6}.get(job.recipe.method, 16.0)
    return trained * (size_of(job.model) or 0.0)


def _workload(one: Mapping[str, Any], hub: Path | None, knowledge: Knowledge) -> Workload:
    flags: dict[str, Any] = {"hub": hub}
    for key in ("model", "method", "precision"):
        if key in one:
            flags[key] = str(one[key])
    for key in ("params", "tokens"):
        if key in one:
            flags[key] = parse_count(one[key])
    for key in ("seq_len", "batch"):
        if key in one:
            if isinstance(one[key], bool) or not isinstance(one[key], int) or one[key] < 1:
                raise UserError(f"{key} = {one[key]!r} is no whole number from 1 up")
            flags[key] = one[key]
    job = workload_of(WorkloadFlags(**flags), knowledge)
    job = job.model_copy(update={"deadline_days": _horizon(job, knowledge)})
    if "deadline" in one:
        days = parse_as(str(one["deadline"]), "s") / DAY_S
        if not days > 0:
            raise UserError(f"deadline = {one['deadline']!r} is not above zero")
        job = job.model_copy(update={"deadline_days": days})
    return job
