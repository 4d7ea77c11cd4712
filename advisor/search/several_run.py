"""Several jobs searched and added up, on one processor or several, till the end or till Ctrl-C."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.data.catalogue import Catalogue
from advisor.data.systems import System
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import LeftOut, PlanLimits
from advisor.search.grid import Stated
from advisor.search.own import with_program
from advisor.search.plan_space import MAX_DEVICES
from advisor.search.plan_systems import asked_with, to_be_had
from advisor.search.several import Adder, batches
from advisor.search.several_fleet import Several
from advisor.search.several_processes import ENOUGH, add_all, processes_for
from advisor.search.several_told import Named


@dataclass(frozen=True)
class Prepared:
    """What is searched: the sums to be made, and the jobs in the order in which they are added."""

    adder: Adder
    jobs: Sequence[Named]
    limits: PlanLimits
    barred: Sequence[LeftOut] = ()


def prepare(  # noqa: PLR0913, PLR0917 - all that is known, and what is asked
    book: RuleBook,
    catalogue: Catalogue,
    published: Published | None,
    systems: Mapping[str, System],
    limits: PlanLimits,
    stated: Stated,
    jobs: Sequence[Named],
) -> Prepared:
    """The search of these jobs, in this order, under limits that have their day."""
    asked, boxes = asked_with(catalogue, limits, systems)
    asked, boxes, barred = to_be_had(asked, boxes, limits)
    adder = Adder(
        book,
        asked,
        limits,
        datetime.date.fromisoformat(limits.as_of),
        limits.max_devices or MAX_DEVICES,
        published,
        with_program(stated, catalogue),
        boxes,
    )
    return Prepared(adder, jobs, limits, barred)


def added(prepared: Prepared, tick: Callable[[int, int], None] | None = None) -> Several:
    """The jobs added up; those that were counted where Ctrl-C ends it."""
    adder, jobs = prepared.adder, prepared.jobs
    try:
        every = batches([one.counted for one in jobs])
        processes = processes_for(len(jobs), _free_bytes() if len(jobs) >= ENOUGH else None)
        for done in add_all(adder, every, processes):
            if tick is not None:
                tick(done, len(jobs))
    except KeyboardInterrupt:
        if not adder.jobs:
            raise
    found = adder.result(len(jobs))
    gone = tuple((one.accelerator_id, one.why.rstrip(".")) for one in prepared.barred)
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
