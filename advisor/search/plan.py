"""`plan`: which accelerators, how many, in which layout, for a workload under limits; why not the rest."""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from advisor.data.catalogue import Catalogue
from advisor.data.systems import System
from advisor.errors import UserError, did_you_mean
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Kind, LeftOut, Plan, PlanLimits, PlanOption, PlanStep, Quantity, Workload
from advisor.search.grid import NOTHING_STATED, Stated
from advisor.search.layouts import Index
from advisor.search.one_choice import beside_words
from advisor.search.plan_far import is_late, promising
from advisor.search.plan_groups import numbers_of
from advisor.search.plan_kinds import fewest_as_good, of_one_kind, other_kind
from advisor.search.plan_left import flag_of, left_out, nearest_miss
from advisor.search.plan_option import option_of
from advisor.search.plan_options import LARGEST_USD, Options
from advisor.search.plan_product import Array
from advisor.search.plan_search import beside, best_of, search
from advisor.search.plan_space import MAX_DEVICES, Space
from advisor.search.plan_systems import asked_with, to_be_had
from advisor.search.plan_taste import AS_GOOD
from advisor.search.plan_time import constants_behind
from advisor.search.plan_trace import Trace, traced
from advisor.units import DAY_S, parse_as

OBJECTIVES = ("cost", "time", "energy")
ACQUIRE = ("rent", "buy")


@dataclass(frozen=True)
class Question:
    """What is planned, with what is known: a job under limits among the accelerators of a catalogue."""

    book: RuleBook
    catalogue: Catalogue
    job: Workload
    limits: PlanLimits
    published: Published | None = None
    stated: Stated = NOTHING_STATED  # of the layout
    systems: Mapping[str, System] = field(default_factory=dict)


def plan(
    book: RuleBook,
    catalogue: Catalogue,
    job: Workload,
    limits: PlanLimits,
    published: Published | None = None,
) -> Plan:
    """`plan_traced` of a job of which no layout is stated, without the trace."""
    return plan_traced(Question(book, catalogue, job, limits, published))[0]


def plan_traced(question: Question) -> tuple[Plan, Trace]:
    """The options that keep all limits, best first, with front, scaling table, and why not the rest.

    Raises UserError for unknown ids and vendors, for limits that no plan can keep (not above zero), and for
    two that contradict each other. Where nothing keeps the limits, `options` is empty and `miss` says what
    comes nearest.
    """
    catalogue, job, stated = question.catalogue, question.job, question.stated
    limits = with_horizon(question.limits, job)
    devices, boxes = asked_with(catalogue, limits, question.systems)
    devices, boxes, barred = to_be_had(devices, boxes, limits)
    today = datetime.date.fromisoformat(limits.as_of) if limits.as_of else catalogue.newest_price
    most = limits.max_devices or MAX_DEVICES
    found = search(question.book, job, devices, question.published, most, stated, every=1)
    boxes = tuple(boxes[at] for at in found.space.asked) if boxes else ()
    every = Options(question.book, found, limits, today, boxes)
    options = of_one_kind(every)
    if is_late(options) and (again := promising(options)):  # any layout, on any number of devices
        barred += left_out(options, set(again))
        sites, boxes = [found.space.sites[at] for at in again], tuple(boxes[at] for at in again if boxes)
        found = search(question.book, job, sites, question.published, most, stated, every=2, far=True)
        every = Options(question.book, found, limits, today, boxes)
        options = of_one_kind(every)
    rows = ranked(options, limits.objective)
    miss, relax = ("", "") if len(rows) else _missed(question, options, limits)
    shown = int(rows[0]) if len(rows) else _nearest_row(options)
    told = [option_of(options, int(row)) for row in rows]
    trace: Trace = {}
    if told:
        told[0], trace = traced(options, int(rows[0]))
        told[0] = told[0].model_copy(update={"beside": _beside(every, options, int(rows[0]))})
    found_plan = Plan(
        workload=job.id,
        limits=limits,
        options=tuple(told),
        lead=_lead(options, rows),
        best=_best(options),
        front=tuple(option_of(options, int(row)) for row in front_of(options)),
        scaling=() if shown is None else scaling(options, shown),
        left_out=_in_order(catalogue, left_out(options, {int(options.device[row]) for row in rows}), barred),
        miss=miss,
        relax=relax,
        tried=found.tried,
        fitting=found.fitting,
    )
    return found_plan, trace


def _in_order(catalogue: Catalogue, *parts: Sequence[LeftOut]) -> tuple[LeftOut, ...]:
    """What comes near to being an option first: what can be rented, and of that what another limit would make
    one before what is short of memory. Each with its name."""

    def rank(one: LeftOut) -> tuple[bool, bool, bool, float, str]:
        far = one.times is None or one.times > NEAR_MISS
        entry = catalogue.accelerators.get(one.accelerator_id)
        priced = entry is not None and entry.rent is not None
        short = one.code == "memory"
        return one.times is None, far or not priced, short, one.times or math.inf, one.accelerator_id

    known = catalogue.accelerators
    every = (
        one.model_copy(
            update={"title": known[one.accelerator_id].title if one.accelerator_id in known else ""}
        )
        for part in parts
        for one in part
    )
    return tuple(sorted(every, key=rank))


NEAR_MISS = 10.0
"""Up to so many times over its limits something is worth asking about before what nobody rents."""


_FILTERS: Mapping[str, tuple[str, object]] = {
    "--max-devices": ("max_devices", None), "--vendor": ("vendors", ()), "--destination": ("destination", ""),
}  # fmt: skip
"""What narrows the search: flag, its limit, and its value where it is not given."""


def _missed(question: Question, options: Options, limits: PlanLimits) -> tuple[str, str]:
    """What comes nearest and what to relax; which of the flags that narrow the search would do by itself."""
    miss, relax = nearest_miss(options)
    broken = options.breaks(options.nearest) if len(options) else ()
    for flag, (name, nothing) in _FILTERS.items():
        if not broken or getattr(limits, name) == nothing:
            continue
        free = plan_traced(replace(question, limits=limits.model_copy(update={name: nothing})))[0]
        if not free.options:
            continue
        first = free.options[0]
        more = f"without {flag}: {first.label}"
        if name == "max_devices":
            kept = [step.option.devices for step in free.scaling if not step.option.breaks]
            more = f"with --max-devices {min(kept)}, on {first.accelerator_id}"
        told = f"{flag_of(broken[0])} and {flag} contradict each other: either alone can be kept."
        return f"{told} {miss}", f"{relax} Or {more}."
    return miss, relax


def _beside(every: Options, options: Options, row: int) -> str:
    """What the best layout of the other kind, stock or not, would gain or lose there."""
    if len(every.found.kinds) > 1:
        told = other_kind(every, options, row)
        return " ".join(beside_words(*told)) if told else ""
    space, count = options.found.space, int(options.counts[row])
    site = space.sites[int(options.device[row])]
    alone = best_of(
        Space(options.book, space.job, (site,), counts=(count,), stated=space.stated, spill=space.spill),
        options.found.near.published,
    )
    other = beside(alone, options.found.near.published)
    return " ".join(beside_words(alone.space.set_ups.row(int(alone.set_up[0])), *other)) if other else ""


def with_horizon(limits: PlanLimits, job: Workload) -> PlanLimits:
    """The limits, checked; without a stated deadline the workload's horizon is one, and says so."""
    for name, value in (
        ("deadline", limits.deadline_days), ("budget", limits.budget_usd), ("power", limits.max_power_w),
        ("number of devices", limits.max_devices), ("number of rack units", limits.max_rack_units),
    ):  # fmt: skip
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise UserError(f"a {name} of {value:g} is not above zero", "Give a number above zero.")
    if limits.max_devices is not None and limits.max_devices > MAX_DEVICES:
        raise UserError(
            f"{limits.max_devices:,} devices are more than are searched", f"Give at most {MAX_DEVICES:,}."
        )
    if not 0.5 <= limits.confidence < 1:
        raise UserError(
            f"a confidence of {limits.confidence:g} is not between 0.5 and 1", "0.9: nine runs of ten."
        )
    if limits.objective not in OBJECTIVES:
        hint = did_you_mean(limits.objective, OBJECTIVES) or f"It is one of {', '.join(OBJECTIVES)}."
        raise UserError(f"unknown objective '{limits.objective}'", hint)
    if limits.acquire not in ACQUIRE:
        raise UserError(
            f"unknown way to acquire '{limits.acquire}'", f"It is one of {', '.join(ACQUIRE)}, both."
        )
    if limits.deadline_days is not None or job.deadline_days is None:
        return limits
    told = f"horizon of '{job.title}'" if job.id != "own" else "horizon of the reference workload like it"
    return limits.model_copy(update={"deadline_days": job.deadline_days, "deadline_assumed": told})


def assumed(book: RuleBook, told: Mapping[str, str]) -> dict[str, Quantity]:
    """Constants of the cost and calendar rules with the user's values.

    Raises UserError for a name that is none of them, with the nearest, and for a value in another unit or
    below zero.
    """
    if not told:
        return {}
    named = ("own_usd", "break_even_s", "calendar_energy_j", "power_w")
    known = set().union(*(constants_behind(book, name) for name in named if name in book.quantities))
    known -= constants_behind(book, "time_s")
    found = {}
    for name, text in told.items():
        if name not in known:
            near = did_you_mean(name, known) or f"Known: {', '.join(sorted(known))}."
            raise UserError(f"no assumption '{name}'", near)
        unit = book.constants[name].unit
        try:
            value = parse_as(f"{text} {unit}" if _is_number(text) and unit != "1" else text, unit)
        except UserError as error:
            raise UserError(f"{name}={text}: {error.message}", f"It is in {unit}.") from error
        if not value >= 0:
            raise UserError(f"{name}={text} is below zero", "Give zero or more.")
        found[name] = Quantity(
            value=value, unit=book.unit_of(name), kind=Kind.stated, source=f"{text} ({unit})"
        )
    return found


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def ranked(options: Options, objective: str) -> Index:
    """For each accelerator its best row that keeps all limits, best first."""
    value = options.objective(objective)
    rows = np.flatnonzero(options.kept)
    # of equal value the earlier, then the fewer devices
    order = rows[np.lexsort((options.counts[rows], options.late[rows], value[rows]))]
    if objective != "cost" or not len(rows):
        _, first = np.unique(options.device[order], return_index=True)
        return np.asarray(order[np.sort(first)])
    alike = [order[options.device[order] == one] for one in numbers_of(options.device[rows])[0]]
    rows = np.array([fewest_as_good(options, some, objective) for some in alike])
    rows = rows[np.lexsort((options.counts[rows], options.late[rows], value[rows]))]
    return _fewest_first(options, rows, value[rows])


def _fewest_first(options: Options, rows: Index, value: Array) -> Index:
    """Of accelerators that cost as good as the cheapest that of which fewest are needed goes first: no
    estimate is so sure that a few percent are worth many times the devices."""
    cost, alike = value % LARGEST_USD, value // LARGEST_USD == value[0] // LARGEST_USD
    good = np.flatnonzero(alike & (cost <= AS_GOOD * cost[0]))
    at = int(good[np.argmin(options.told["packages"][rows[good]])])
    return np.concatenate([rows[at : at + 1], np.delete(rows, at)])


def front_of(options: Options) -> Index:
    """Rows that no other beats in time, cost and energy at once, quickest first.

    A row without a price is beaten by nothing that has one (its cost is not known), and beats none of them;
    rows whose energy is not known are left out, and those computed at another format's rate beside others.
    """
    rated = ~options.unrated | options.unrated[options.kept].all()
    rows = np.flatnonzero(options.kept & rated & ~np.isnan(options.energy))
    figures = np.stack([options.late[rows], options.cost[rows], options.energy[rows]])
    keep = [not _beaten(figures, at) for at in range(len(rows))]
    rows = rows[np.array(keep, dtype=bool)]
    return np.asarray(rows[np.argsort(options.late[rows])])


def _beaten(figures: Array, at: int) -> bool:
    mine = figures[:, at][:, None]
    unpriced = np.isnan(figures[1])
    comparable = unpriced == unpriced[at]
    better_or_equal = ((figures <= mine) | np.isnan(mine)).all(axis=0)
    better = (figures < mine).any(axis=0)
    return bool((comparable & better_or_equal & better).any())


def knee_of(time: Array, cost: Array) -> int | None:
    """Where the front bends most: farthest below the straight line between its ends, both as logarithms."""
    order = np.argsort(time)
    x, y = np.log(time[order]), np.log(cost[order])
    if len(order) < 3 or x[0] == x[-1] or y[0] <= y[-1]:
        return None
    below = 1 - (x - x[0]) / (x[-1] - x[0]) - (y - y[-1]) / (y[0] - y[-1])
    return int(order[np.argmax(below)])


def _lead(options: Options, rows: Index) -> float | None:
    """How much dearer the first may get and stay the cheapest; None where cost does not rank or is old, and
    where another option costs less, which is behind it for another reason."""
    if options.limits.objective != "cost" or len(rows) < 2 or options.old[rows[:2]].any():
        return None
    first, second = options.cost[rows[:2]]
    if math.isnan(second) or np.nanmin(options.cost[rows]) < first:
        return None
    return float(second / first - 1)


def _best(options: Options) -> dict[str, PlanOption]:
    if not options.kept.any():
        return {}
    found = {}
    cheap = int(ranked(options, "cost")[0])
    # a limit that cannot be checked is no recommendation, nor is an old price alone
    if not (options.unchecked[cheap] or options.old[cheap] or np.isnan(options.cost[cheap])):
        found["cost"] = option_of(options, cheap)
    for name in ("time", "energy"):
        value = np.where(options.kept & ~options.unchecked, options.objective(name), np.inf)
        if np.isfinite(value).any():
            found[name] = option_of(options, int(np.argmin(value)))
    front = front_of(options)
    front = front[~np.isnan(options.cost[front]) & ~options.old[front]]
    knee = knee_of(options.late[front], options.cost[front])
    if knee is not None:
        found["knee"] = option_of(options, int(front[knee]))
    return found


def _nearest_row(options: Options) -> int | None:
    return options.nearest if len(options) else None


def scaling(options: Options, row: int) -> tuple[PlanStep, ...]:
    """The counts of a row's accelerator, fewest first: what more devices cost and save.

    Where fewer devices are as quick (`AS_GOOD`), more are left away: nobody would take them.
    """
    rows = np.flatnonzero(options.device == options.device[row])
    rows = rows[np.argsort(options.counts[rows])]
    late = options.calendar.median[rows]
    quicker = AS_GOOD * late < np.minimum.accumulate(np.concatenate([[np.inf], late[:-1]]))
    rows = rows[quicker | (rows == row)]
    steps = [PlanStep(option=option_of(options, int(rows[0])))]
    for before, after in itertools.pairwise(rows):
        days = (options.calendar.median[before] - options.calendar.median[after]) / DAY_S
        more = options.cost[after] - options.cost[before]
        known = days > 0 and not math.isnan(more)
        each = float(more / days) if known else None
        steps.append(PlanStep(option=option_of(options, int(after)), usd_per_day_saved=each))
    return tuple(steps)


def names_of(plan: Plan) -> Sequence[str]:
    """Accelerators that a plan speaks of."""
    told = (*plan.options, *plan.front, *(step.option for step in plan.scaling))
    return list(dict.fromkeys(option.accelerator_id for option in told))
