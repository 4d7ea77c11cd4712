"""The walk of `hwadvisor plan --workloads`: a file of jobs with counts per year, added up one at a time."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from advisor.app_knowledge import Knowledge, load_knowledge, now
from advisor.app_options import WorkloadFlags
from advisor.app_plan import of_region, systems_for, workload_of
from advisor.data.files import parse_toml, read_text
from advisor.errors import DataError, UserError, did_you_mean
from advisor.schema import PlanLimits, Workload
from advisor.search.grid import NOTHING_STATED, Stated
from advisor.search.own import pattern, with_program
from advisor.search.plan import assumed
from advisor.search.plan_space import MAX_DEVICES
from advisor.search.plan_systems import asked_with, to_be_had
from advisor.search.pretraining import size_of
from advisor.search.several import Adder, batches
from advisor.search.several_fleet import Several
from advisor.search.several_processes import ENOUGH, add_all, processes_for
from advisor.search.several_taken import Counted
from advisor.units import DAY_S, parse_as, parse_count

MOST_BYTES = 16 * 1024 * 1024
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
    jobs = read_jobs(options.path)
    knowledge = load_knowledge(options.rules)
    limits = options.limits
    day = limits.as_of or now()[:10]
    told = assumed(knowledge.book, options.assume)
    limits = limits.model_copy(update={"as_of": day, "assumed": told})
    catalogue = of_region(knowledge.catalogue, limits.region) if limits.region else knowledge.catalogue
    asked, boxes = asked_with(catalogue, limits, systems_for(limits, knowledge))
    asked, boxes, barred = to_be_had(asked, boxes, limits)
    adder = Adder(
        knowledge.book,
        asked,
        limits,
        datetime.date.fromisoformat(day),
        limits.max_devices or MAX_DEVICES,
        knowledge.published,
        with_program(options.stated, knowledge.catalogue),
        boxes,
    )
    try:
        every = batches(_workloads(options, jobs, knowledge))
        processes = processes_for(len(jobs), _free_bytes() if len(jobs) >= ENOUGH else None)
        for done in add_all(adder, every, processes):
            if options.tick is not None:
                options.tick(done, len(jobs))
    except KeyboardInterrupt:
        if not adder.jobs:
            raise
    found = adder.result(len(jobs))
    gone = tuple((one.accelerator_id, one.why.rstrip(".")) for one in barred)
    return replace(found, left_out=(*found.left_out, *gone))


def _free_bytes() -> float | None:
    """What other processes of ours may still take of this machine's memory; None: not known."""
    from advisor.probe import cgroup, memory
    from advisor.probe.linux import look
    from advisor.probe.reading import keyed

    info = look(Path(memory.MEMINFO))
    raw = {
        "meminfo": keyed(info, ":") if isinstance(info, str) else info,
        "cgroup": cgroup.gather(Path("/")),
    }
    told = {name: fact["value"] for name, fact in memory.parse(raw)["memory"].items()}
    limit, used = told.get("cgroup_limit_bytes"), told.get("cgroup_used_bytes")
    free = [told.get("available_bytes"), None if limit is None or used is None else limit - used]
    return min((float(one) for one in free if one is not None), default=None)


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
        held = joined.setdefault(alike, {**one, "per_year": 0.0, "where": where})
        held["per_year"] += times
    return list(joined.values())


def _workloads(options: SeveralOptions, jobs: list[dict[str, Any]], knowledge: Knowledge) -> list[Counted]:
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
        found.append((order, Counted(job, one["per_year"])))
    return [counted for _, counted in sorted(found, key=lambda pair: pair[0])]


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
