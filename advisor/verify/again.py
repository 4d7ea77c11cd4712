"""The estimates of a file computed again with the rules and prices at hand, and what differs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from advisor import __version__
from advisor.again import estimate_again
from advisor.app_answers import with_estimates
from advisor.app_knowledge import Knowledge
from advisor.errors import AdvisorError
from advisor.schema import Advice, Estimate, Quantity
from advisor.search.plan import Question, plan_traced

NAMES = ("time_s", "calendar_s", "memory_bytes", "rent_usd", "energy_j")
_SAME = 2e-6  # files keep seven digits


@dataclass(frozen=True)
class Difference:
    """A figure that comes out otherwise."""

    what: str
    quantity: str
    then: float | None
    now: float | None
    unit: str

    @property
    def factor(self) -> float:
        """Now over then; infinite where one of them is not known."""
        if not self.then or not self.now or self.then < 0 or self.now < 0:
            return math.inf
        return self.now / self.then


@dataclass(frozen=True)
class Again:
    """How many figures were computed again, which came out otherwise, and which could not be."""

    figures: int
    estimates: int
    differences: tuple[Difference, ...]
    failed: tuple[str, ...]
    same_rules: bool
    same_prices: bool
    same_tool: bool
    edited: bool = False  # one of several sides has differences that nothing explains

    @property
    def unexplained(self) -> bool:
        """Other figures out of the same rules, prices and version: the file was edited."""
        same = self.same_rules and self.same_prices and self.same_tool
        return self.edited or (bool(self.differences) and same)


def joined(sides: Mapping[str, Again]) -> Again:
    """Both sides of a comparison as one, each figure with the name of its side; one alone stays as it is."""
    if len(sides) == 1:
        return next(iter(sides.values()))
    every = sides.values()
    return Again(
        figures=sum(one.figures for one in every),
        estimates=sum(one.estimates for one in every),
        differences=tuple(
            replace(d, what=f"{name}: {d.what}") for name, one in sides.items() for d in one.differences
        ),
        failed=tuple(f"{name}: {text}" for name, one in sides.items() for text in one.failed),
        same_rules=all(one.same_rules for one in every),
        same_prices=all(one.same_prices for one in every),
        same_tool=all(one.same_tool for one in every),
        edited=any(one.unexplained for one in every),
    )


def compute_again(knowledge: Knowledge, advice: Advice) -> Again:
    """Every estimate and plan of the advice, computed from what the file says was put in."""
    found: list[Difference] = []
    failed: list[str] = []
    count = estimates = 0
    for what, then, now in _pairs(knowledge, advice, failed):
        estimates += 1
        for name in NAMES:
            old, new = then.get(name), now.get(name)
            if old is None:
                continue
            count += 1
            if not _alike(old, new):
                value = None if new is None else new.value
                found.append(Difference(what, name, old.value, value, old.unit))
    found.sort(key=lambda d: -abs(math.log(d.factor)) if 0 < d.factor < math.inf else -math.inf)
    versions = advice.versions
    return Again(
        figures=count, estimates=estimates, differences=tuple(found), failed=tuple(failed),
        same_rules=versions.rules_digest == knowledge.book.digest,
        same_prices=versions.prices_as_of == knowledge.catalogue.prices_as_of,
        same_tool=versions.tool == __version__,
    )  # fmt: skip


def _alike(old: Quantity, new: Quantity | None) -> bool:
    if new is None:
        return old.value is None
    pairs = ((old.value, new.value), (old.low, new.low), (old.high, new.high))
    return all(
        a is b is None or (a is not None and b is not None and math.isclose(a, b, rel_tol=_SAME))
        for a, b in pairs
    )


Pair = tuple[str, dict[str, Quantity], dict[str, Quantity]]


def _pairs(knowledge: Knowledge, advice: Advice, failed: list[str]) -> Iterable[Pair]:
    """(what, figures then, figures now) of everything that can be computed again."""
    whole = [e for e in advice.estimates if "calendar_s" in e.quantities]
    for estimate in whole:
        try:
            one = estimate_again(knowledge.book, knowledge.catalogue, knowledge.published, advice, estimate)
        except AdvisorError as error:
            failed.append(f"{_name(estimate)}: {error.message}")
        else:
            yield _name(estimate), estimate.quantities, one.estimate.quantities
    rest = [e for e in advice.estimates if "calendar_s" not in e.quantities]
    if rest:
        yield from _scanned(knowledge, advice, rest, failed)
    if advice.plan is not None:
        yield from _planned(knowledge, advice, failed)


def _scanned(knowledge: Knowledge, advice: Advice, rest: list[Estimate], failed: list[str]) -> Iterable[Pair]:
    """The estimates of a scan or of a machine that a plan was given."""
    elsewhere = any(not e.target.here for e in rest)
    if advice.machine is None:
        failed += [f"{_name(e)}: the file holds no machine" for e in rest[:1]]
        return
    try:
        now = with_estimates(knowledge, advice.model_copy(update={"estimates": ()}), catalogue=elsewhere)
    except AdvisorError as error:
        failed.append(f"estimates of this machine: {error.message}")
        return
    by_key = {(e.workload, e.target.label, e.purpose): e for e in now.estimates}
    # Rules may take other counts of devices now: then the nearest answer to the same question is compared.
    by_question = {(e.workload, e.target.accelerator_id, e.purpose, e.target.here): e for e in now.estimates}
    for estimate in rest:
        target = estimate.target
        other = by_key.get((estimate.workload, target.label, estimate.purpose)) or by_question.get(
            (estimate.workload, target.accelerator_id, estimate.purpose, target.here)
        )
        if other is None:
            failed.append(f"{_name(estimate)}: not known here")
        else:
            yield _name(estimate), estimate.quantities, other.quantities


def _planned(knowledge: Knowledge, advice: Advice, failed: list[str]) -> Iterable[Pair]:
    plan = advice.plan
    assert plan is not None  # noqa: S101 - the caller looked
    job = next((w for w in advice.workloads if w.id == plan.workload), None)
    if job is None:
        failed.append("plan: its workload is not in the file")
        return
    try:
        now, _ = plan_traced(
            Question(knowledge.book, knowledge.catalogue, job, plan.limits, knowledge.published)
        )
    except AdvisorError as error:
        failed.append(f"plan: {error.message}")
        return
    options = {option.accelerator_id: option for option in now.options}
    for option in plan.options:
        other = options.get(option.accelerator_id)
        if other is None:
            yield option.label, option.quantities, {}
        else:
            yield option.label, option.quantities, other.quantities


def _name(estimate: Estimate) -> str:
    return f"{estimate.workload} on {estimate.target.label}"
