"""The estimates of a file computed again with the rules and prices at hand, and what differs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from advisor import __version__
from advisor.again import estimate_again, rests_on_trace, trace_of
from advisor.app_answers import with_estimates
from advisor.app_knowledge import Knowledge
from advisor.errors import AdvisorError, UserError
from advisor.schema import Advice, Estimate, Quantity
from advisor.search.one import One
from advisor.verify.fleets import fleet_again
from advisor.verify.pair import Pair, Steps, alike, said_otherwise, unread, way_of
from advisor.verify.plans import catalogue_of, planned
from advisor.verify.said import left_open, of_estimate, of_file
from advisor.verify.workload import titles_left


@dataclass(frozen=True)
class Difference:
    """A figure that comes out otherwise."""

    what: str
    quantity: str
    then: float | None
    now: float | None
    unit: str
    ranges: tuple[Quantity | None, Quantity | None] = (None, None)  # both whole

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
    words: tuple[str, ...] = ()  # what is said otherwise, or by other steps, than the rules here say
    edited: bool = False  # one of several sides has differences that nothing explains
    unread: bool = False  # what other rules say of its steps cannot be held to the rules here

    @property
    def alike(self) -> bool:
        """Whether everything that could be computed again came out as it stands in the file."""
        return not (self.differences or self.words)

    @property
    def unexplained(self) -> bool:
        """Other figures out of the same rules (prices are among them) and version: the file was edited."""
        return self.edited or (not self.alike and self.same_rules and self.same_tool)

    @property
    def others(self) -> tuple[str, ...]:
        """What is another here than where the file was written: rules, prices, version."""
        same = (("rules", self.same_rules), ("prices", self.same_prices), ("version", self.same_tool))
        return tuple(name for name, is_same in same if not is_same)


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
        words=tuple(f"{name}: {text}" for name, one in sides.items() for text in one.words),
        edited=any(one.unexplained for one in every),
        unread=any(one.unread for one in every),
    )


def compute_again(knowledge: Knowledge, advice: Advice) -> Again:
    """Every estimate and plan of the advice, computed from what the file says was put in."""
    found: list[Difference] = []
    failed: list[str] = []
    words: list[str] = []
    count = estimates = 0
    not_read = False
    for pair in _pairs(knowledge, advice, failed):
        estimates += bool(pair.then)
        for name, old in pair.then.items():
            new = pair.now.get(name)
            count += 1
            if not alike(old, new):
                value = None if new is None else new.value
                found.append(Difference(pair.what, name, old.value, value, old.unit, (old, new)))
        words += said_otherwise(pair)
        words += pair.words
        failed += pair.open
        not_read = not_read or unread(pair)
    failed += titles_left(advice.workloads)
    words += of_file(knowledge, catalogue_of(knowledge, advice), advice)
    words += _prices(knowledge, advice)
    found.sort(key=lambda d: -abs(math.log(d.factor)) if 0 < d.factor < math.inf else -math.inf)
    versions = advice.versions
    return Again(
        figures=count, estimates=estimates, differences=tuple(found), failed=tuple(failed),
        same_rules=versions.rules_digest == knowledge.book.digest,
        same_prices=versions.prices_as_of == knowledge.catalogue.prices_as_of,
        same_tool=versions.tool == __version__, words=tuple(words), unread=not_read,
    )  # fmt: skip


def _prices(knowledge: Knowledge, advice: Advice) -> Iterable[str]:
    """The day of the newest price, which goes with the rules: prices are among them."""
    there, here = advice.versions, knowledge.catalogue.prices_as_of
    if there.rules_digest == knowledge.book.digest and there.prices_as_of != here:
        yield f"its newest price is said to be of {there.prices_as_of[:20]}; that of its rules is of {here}"


def _pairs(knowledge: Knowledge, advice: Advice, failed: list[str]) -> Iterable[Pair]:
    """(what, figures then, figures now) of everything that can be computed again."""
    for estimate in (e for e in advice.estimates if _is_whole(advice, e)):
        try:
            _check_runs(knowledge, estimate)
            one, exact = _again(knowledge, advice, estimate)
        except AdvisorError as error:
            failed.append(f"{_name(estimate)}: {error.message}")
        else:
            yield _pair(knowledge, advice, estimate, one.estimate, one.trace, exact=exact)
    rest = [e for e in advice.estimates if not _is_whole(advice, e)]
    if rest:
        yield from _scanned(knowledge, advice, rest, failed)
    if advice.plan is not None:
        yield from planned(knowledge, advice, advice.plan, failed)
    if advice.fleet is not None:
        yield from fleet_again(knowledge, advice, advice.fleet, failed)


def _is_whole(advice: Advice, estimate: Estimate) -> bool:
    """Whether it is an answer of `estimate`, made by itself; the others are a scan's, made all at once."""
    return estimate.whole or advice.machine is None


def _again(knowledge: Knowledge, advice: Advice, then: Estimate) -> tuple[One, bool]:
    """The estimate with as much of its layout left open as was, and True; where that finds another layout
    (other rules do), in the layout that the file states, and False."""
    known = (knowledge.book, knowledge.catalogue, knowledge.published)
    if rests_on_trace(trace_of(advice, then)):
        raise UserError("it rests on the network's traced operators, which the file does not hold")
    try:
        asked = estimate_again(*known, advice, then, traced=True, as_asked=True)
    except AdvisorError:
        pass
    else:
        if asked.estimate.choices == then.choices:
            return asked, True
    return estimate_again(*known, advice, then, traced=True), False


def _pair(  # noqa: PLR0913 - both answers, and how they were made
    knowledge: Knowledge, advice: Advice, then: Estimate, now: Estimate, steps: Steps, *, exact: bool = True
) -> Pair:
    name, way = _name(then), way_of(advice, knowledge.book.digest, exact=exact)
    open_ = [] if exact else [text for text in (left_open(name, then, now),) if text]
    if not exact and way.texts:
        open_.append(f"{name}: its layout is another than these rules find")
    return Pair(
        name, then.quantities, now.quantities, (then.fits, now.fits), advice.trace, steps,
        tuple(of_estimate(name, then, now, exact=exact)), tuple(open_), way,
    )  # fmt: skip


def _check_runs(knowledge: Knowledge, estimate: Estimate) -> None:
    """Raises UserError for an estimate that leans on runs which are not among the published ones here."""
    known = set(knowledge.published.ids)
    own = [run.id for run in estimate.near if run.id not in known]
    if own:
        raise UserError(f"it leans on runs that are not known here ({', '.join(own[:3])[:120]})")


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
            yield _pair(knowledge, advice, estimate, other, now.trace)


def _name(estimate: Estimate) -> str:
    return f"{estimate.workload} on {estimate.target.label}"
