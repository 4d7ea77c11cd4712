"""What an estimate leans on beside the published runs: a site's own records, and a pilot run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.data.programs import PILOT
from advisor.schema import Notice
from advisor.search.one import Own
from advisor.units import show

if TYPE_CHECKING:
    from advisor.app_knowledge import Knowledge
    from advisor.evidence.own import Joined, OwnRun
    from advisor.schema import NearRun, Target, Workload
    from advisor.search.grid import Stated

_DEGREES = ("tp", "pp", "vpp", "cp", "ep")
_LAYOUT = ("micro_batch", "recompute", "sharding", *_DEGREES)
_TOLD = 3  # records that a notice names


@dataclass(frozen=True)
class Leaning:
    """One's own runs, None where there are none, and what is said of them."""

    own: Own | None = None
    notices: tuple[Notice, ...] = ()
    pilots: frozenset[str] = frozenset()  # ids of a pilot's runs
    pilot: OwnRun | None = None  # where it is a single one

    def unlike(self, near: Iterable[NearRun]) -> tuple[Notice, ...]:
        """That a pilot has no say, where none of its runs is among those nearest to an estimate."""
        if not self.pilots or any(run.id in self.pilots for run in near):
            return ()
        told = "The pilot is not among the runs nearest to this one: it corrects it little, if at all."
        hint = "Same network or family, format, method and device make runs alike."
        return (Notice(code="pilot_unlike", message=told, hint=hint),)

    def set_up(self, job: Workload, target: Target, stated: Stated) -> tuple[Stated, tuple[Notice, ...]]:
        """What is left open of the layout as the pilot had it, where it is the same job on the same devices.

        A search would find another one: by the rules it is quicker, or fits more surely, than what ran.
        """
        pilot = self.pilot
        if pilot is None or not _same_job(pilot, job, target):
            return stated, ()
        had: dict[str, Any] = {
            name: pilot.columns[name] for name in _LAYOUT if pilot.columns.get(name) is not None
        }
        if any(getattr(stated, name) not in (None, value) for name, value in had.items()):
            return stated, ()
        open_ = {name: value for name, value in had.items() if getattr(stated, name) is None}
        degrees = {name: int(value) for name, value in open_.items() if name in _DEGREES}
        if not open_:
            return stated, ()
        words = ", ".join(f"{name.replace('_', '-')} {_plain(value)}" for name, value in open_.items())
        told = f"As in the pilot, since nothing else is said: {words}."
        return replace(stated, **{**open_, **degrees}), (Notice(code="pilot", message=told),)


def _plain(value: float | str | None) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _same_job(pilot: OwnRun, job: Workload, target: Target) -> bool:
    """Whether an estimate is of the pilot's network, batch, length and method on as many such devices."""
    recipe, had = job.recipe, pilot.columns
    method = "full" if recipe.method == "pretrain" else recipe.method
    return (
        pilot.network == job.model.id
        and (pilot.device, had.get("devices")) == (target.accelerator_id, target.devices)
        and had.get("method") == method
        and had.get("global_batch") in (None, recipe.global_batch)
        and had.get("seq_len") in (None, recipe.seq_len)
    )


def lean_on(knowledge: Knowledge, evidence: Path | None, like: Path | None) -> Leaning:
    """Own records and a pilot's among the published runs. Raises UserError for files that say nothing."""
    if evidence is None and like is None:
        return Leaning()
    from advisor.evidence.own import join_own

    own, notices, pilots = Own(knowledge.published), [], frozenset[str]()
    pilot = None
    if evidence is not None:
        joined = join_own(knowledge.book, own.published, evidence, knowledge.catalogue)
        own = Own(joined.published)
        told = f"Own runs beside the published ones: {len(joined.runs)}."
        notices.append(_told("own_evidence", told, joined))
    if like is not None:
        joined = join_own(knowledge.book, own.published, like, knowledge.catalogue, pilot=True)
        texts = [_pilot(run) for run in joined.runs[:_TOLD]]
        if len(joined.runs) > _TOLD:
            texts.append(f"And {len(joined.runs) - _TOLD} more runs.")
        notices.append(_told("pilot", " ".join(texts), joined))
        pilots = frozenset(run.id for run in joined.runs)
        pilot = joined.runs[0] if len(joined.runs) == 1 else None
        stack = joined.runs[-1].stack
        known = knowledge.catalogue.words.get("stack", ())
        own = Own(joined.published, PILOT, stack if stack in known else None)
    return Leaning(own, tuple(notices), pilots, pilot)


def _told(code: str, message: str, joined: Joined) -> Notice:
    if joined.refused:
        first = joined.refused[0]
        message += f" Not used: {len(joined.refused)}, first {first.id} ({first.reason})."
    return Notice(code=code, message=message)


def _pilot(run: OwnRun) -> str:
    """'Pilot trial-…: a step took 1.2 s, 0.9 s by the rules (x 1.33).' with its memory, where known."""
    text = (
        f"Pilot {run.id}: measured {show(run.measured_s, 's')}, {show(run.rules_s, 's')} by the rules "
        f"(x {run.measured_s / run.rules_s:.2f}); this corrects the times below as far as they are alike."
    )
    if run.memory_bytes and run.memory_rules_bytes:
        measured, told = show(run.memory_bytes, "B"), show(run.memory_rules_bytes, "B")
        text += (
            f" Its memory: measured {measured}, {told} by the rules "
            f"(x {run.memory_bytes / run.memory_rules_bytes:.2f}); memory below is by the rules alone."
        )
    return text
