"""What a plan or an estimate answers: the choice, what else there is, and why the rest is not.

Picks and words only, as everything here: the figures are those of the advice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from advisor.render import describe, figures, select, summary
from advisor.render.marks import LETTERS, Marks, foreign
from advisor.render.texts import Texts, tidy
from advisor.schema import Advice, Estimate, LeftOut, Plan, PlanLimits, PlanOption, Quantity, Workload
from advisor.units import show_rough

OPTIONS_PAGED, LEFT_PAGED, FRONT_NAMED = 12, 24, 3
PARTS = (
    "weights_bytes", "gradients_bytes", "optimizer_bytes", "copies_bytes", "gather_bytes",
    "activation_bytes", "loss_bytes",
)  # fmt: skip
"""What stands in a device's memory, in the order in which it is drawn."""


def whole(advice: Advice) -> tuple[Estimate, ...]:
    """Estimates that were asked for by name, on a set-up of the catalogue: those with a calendar time."""
    return tuple(e for e in advice.estimates if not e.target.here and e.whole)


def without_machine(advice: Advice) -> bool:
    """Whether the file is an answer about other machines alone: then chapters on this one say nothing."""
    told = advice.plan is not None or advice.fleet is not None or bool(whole(advice))
    return advice.machine is None and told


_OF_A_MACHINE = ("measured", "probed")


def kinds(advice: Advice) -> tuple[str, ...]:
    """Kinds of figures that a document may have: none is measured where no machine was looked at."""
    alone = without_machine(advice) and advice.calibration is None
    return tuple(kind for kind in LETTERS if not (alone and kind in _OF_A_MACHINE))


def workload(advice: Advice, name: str) -> Workload | None:
    """The workload of that id."""
    return next((w for w in advice.workloads if w.id == name), None)


def stated_deadline(advice: Advice, job: Workload) -> float | None:
    """The deadline of a plan for this workload in seconds, where somebody stated it."""
    fleet = advice.fleet
    if fleet is not None and any(one.due for one in fleet.jobs if one.workload == job.id):
        return None if job.deadline_days is None else job.deadline_days * select.DAY_S
    plan = advice.plan
    if plan is None or plan.workload != job.id or plan.limits.deadline_assumed:
        return None
    return None if plan.limits.deadline_days is None else plan.limits.deadline_days * select.DAY_S


def cost(option: PlanOption, plan: Plan) -> Quantity | None:
    """What the plan ranks by: renting, or this job's share of owning."""
    return option.quantities.get("own_usd" if plan.limits.acquire == "buy" else "rent_usd")


def option_label(advice: Advice, option: PlanOption, t: Texts) -> Markup:
    """ "64 × NVIDIA H100": packages, with the devices in them where they differ."""
    titles = {a.id: a.title for a in advice.accelerators}
    name = titles.get(option.accelerator_id)
    if name is None:
        return foreign(option.label, 80)
    label = Markup("{} × {}").format(t.number(option.packages, "1"), foreign(name, 80))
    if option.devices == option.packages:
        return label
    within = t("target.devices", "devices in them: {count}", count=t.number(option.devices, "1"))
    return t("target.within", "{label} ({within})", label=label, within=within)


def title_of(advice: Advice, accelerator_id: str) -> Markup:
    """A device's name."""
    return foreign(next((a.title for a in advice.accelerators if a.id == accelerator_id), accelerator_id), 80)


def options(plan: Plan, *, paged: bool) -> tuple[PlanOption, ...]:
    """The options that are listed: all on screen."""
    return plan.options[:OPTIONS_PAGED] if paged else plan.options


FLAGS = {"beyond": "+", "far": "!", "untried": "~", "unrated": "?", "unsure": "^", "old": "*"}
"""Signs of what keeps a cost from leading, as the terminal has them."""


def held(advice: Advice, of: Estimate | PlanOption) -> tuple[str, ...]:
    """What keeps its cost from leading, in the order of the signs."""
    if isinstance(of, PlanOption):
        holds = {
            "old": of.price_old, "unsure": of.price_unsure, "untried": of.untried, "unrated": of.unrated,
            "beyond": of.beyond, "far": of.far,
        }  # fmt: skip
        return tuple(word for word in FLAGS if holds[word])
    return tuple(word for word in FLAGS if word in select.behind(advice, of))


def flags(advice: Advice, of: Estimate | PlanOption) -> Markup:
    """The same as signs, whose meaning stands below the table (`flag_legend`)."""
    told = signs(advice, of)
    return Markup(' <span class="warn nw">{}</span>').format(told) if told else Markup()


def signs(advice: Advice, of: Estimate | PlanOption) -> str:
    """The signs alone: "^ *"."""
    return " ".join(FLAGS[word] for word in held(advice, of))


def behind(advice: Advice, of: Estimate | PlanOption, t: Texts, *, dated: bool = True) -> Markup:
    """The same in words, a line each below a cost; without `dated` not that its price is old."""
    words = _words(t)
    below = Markup('<span class="below warn">{}</span>')
    return Markup().join(below.format(words[one]) for one in held(advice, of) if dated or one != "old")


def flag_legend(t: Texts) -> Markup:
    """What the signs in a table mean."""
    behind = t("flags.behind", "What bears a sign comes behind what bears none:")
    every = [FLAGS[word] for word in ("untried", "unrated", "unsure", "old")]
    return describe.sentences(behind, signs_told(every, t) + t("list.stop", "."), t)


def signs_told(used: Iterable[str], t: Texts) -> Markup:
    """What each of these signs means."""
    words, by_sign = _words(t), {sign: word for word, sign in FLAGS.items()}
    told = [
        t("trace.of", "{what}: {figure}", what=sign, figure=words[by_sign[sign]])
        for sign in dict.fromkeys(used)
    ]
    return t("list.semicolon", "; ").join(told)


def _words(t: Texts) -> dict[str, Markup]:
    return {
        "beyond": t("plan.beyond", "a layout that a stock trainer has not"),
        "far": t("plan.far", "more than any published run of its generation has"),
        "untried": t("plan.untried", "no published run of such a network on its generation"),
        "unrated": t("plan.unrated", "computed in 32 bits: its 16-bit rate is not known"),
        "unsure": t("plan.unsure", "not known to be had as one cluster"),
        "old": t("plan.old", "old price"),
    }


def left_out(plan: Plan, *, paged: bool) -> tuple[LeftOut, ...]:
    """What is no option: on paper what comes nearest to being one, as the plan has it in order."""
    return plan.left_out[:LEFT_PAGED] if paged else plan.left_out


def name_left(advice: Advice, one: LeftOut) -> Markup:
    """The name of what is no option."""
    return foreign(one.title, 80) if one.title else title_of(advice, one.accelerator_id)


def why_left(one: LeftOut, t: Texts) -> Markup:
    """Why it is no option: with its name in place of its id."""
    told = t.said(one.why)
    for sign in (" x ", " × "):
        told = told.replace(f"{sign}{one.accelerator_id}", f" × {one.title or one.accelerator_id}")
    return foreign(told, 400)


def _of_limits(t: Texts) -> dict[str, Markup]:
    """What it is to break each limit."""
    return {
        "deadline": t("left.deadline", "too late"),
        "budget": t("left.budget", "too expensive"),
        "power": t("left.power", "too much power"),
        "space": t("left.space", "too much space"),
        "host memory": t("left.host", "short of host memory"),
    }


def left_counts(plan: Plan, t: Texts) -> Markup:
    """How many are left out for what."""
    names = {
        "memory": t("left.memory", "short of memory"),
        **_of_limits(t),
        "rented": t("left.rented", "not for sale"),
        "unsupported": t("left.unsupported", "without the method, format or program"),
        "unchecked": t("left.unchecked", "a limit that cannot be checked"),
        "unknown": t("left.unknown", "memory or time not known"),
        "export": t("left.export", "kept out by export rules"),
        "not_asked": t("left.not_asked", "not asked for"),
    }
    found = Counter(one.code for one in plan.left_out)
    counted = [
        t("left.counted", "{count} {what}", count=number, what=names.get(code) or foreign(code, 40))
        for code, number in found.most_common()
    ]
    return t("list.comma", ", ").join(counted)


def objective(name: str, t: Texts) -> Markup:
    """What options are ranked by."""
    names = {
        "cost": t("objective.cost", "cost"),
        "time": t("objective.time", "time"),
        "energy": t("objective.energy", "energy"),
        "knee": t("objective.knee", "bend of the front"),
    }
    return names.get(name) or foreign(name, 20)


def at_most(of: PlanLimits, t: Texts) -> list[Markup]:
    """What may be spent at most, as parts of a sentence."""
    parts = []
    if of.budget_usd is not None:
        parts.append(t("limits.budget", "for at most {money}", money=t.number(of.budget_usd, "USD")))
    if of.max_power_w is not None:
        parts.append(t("limits.power", "on at most {power}", power=t.number(of.max_power_w, "W")))
    if of.max_devices is not None:
        parts.append(t("limits.devices", "with at most {count} devices", count=of.max_devices))
    return parts


def limits(plan: Plan, t: Texts) -> Markup:
    """What the plan keeps to."""
    of, parts = plan.limits, []
    if of.deadline_days is not None:
        parts.append(
            t("limits.deadline", "within {time}", time=t.number(of.deadline_days * select.DAY_S, "s"))
        )
    parts += at_most(of, t)
    if not parts:
        return t("limits.none", "Nothing limits time or money.")
    return t(
        "limits.all",
        "Asked for: {parts}, with {share} probability.",
        parts=t("list.comma", ", ").join(parts),
        share=f"{of.confidence:.0%}",
    )


def best_by(plan: Plan) -> list[tuple[str, PlanOption]]:
    """The best by other measures, where that is another option than the first."""
    first = plan.options[0].label if plan.options else ""
    return [
        (name, option)
        for name in ("cost", "time", "energy", "knee")
        if (option := plan.best.get(name)) is not None and option.label != first
    ]


@dataclass(frozen=True)
class Point:
    """An option as a point of time and cost."""

    label: str
    time_s: float
    cost_usd: float
    signs: str = ""  # of what keeps its cost from leading (`FLAGS`)


def points(advice: Advice) -> tuple[Workload | None, list[Point]]:
    """Of a plan its options; else the catalogue's for the first workload too slow here."""
    if advice.plan is not None:
        plan = advice.plan
        found = [
            Point(one.label, time, money, signs(advice, one))
            for one in (*plan.options, *plan.front)
            if (time := figures.point(one.quantities.get("calendar_s")))
            and (money := figures.point(cost(one, plan)))
        ]
        return workload(advice, plan.workload), list(dict.fromkeys(found))
    for job in select.tabled(advice, paged=True):
        found = [
            Point(e.target.label, time, money, signs(advice, e))
            for row in select.catalogue(advice, job)
            for e in (row.fit, row.deadline)
            if e is not None and e.fits
            and (time := figures.point(select.run_time(e)))
            and (money := figures.point(e.rent))
        ]  # fmt: skip
        if len(found) > 1:
            return job, list(dict.fromkeys(found))
    return None, []


def recommended(advice: Advice, job: Workload) -> str:
    """The label of what the report advises for that workload; "" where it advises nothing."""
    if advice.plan is not None:
        return advice.plan.options[0].label if advice.plan.options else ""
    cheapest = select.cheapest(advice, job)
    return "" if cheapest is None else cheapest.target.label


def front(found: Iterable[Point]) -> list[Point]:
    """Those that no other beats in both time and cost, the fastest first."""
    kept: list[Point] = []
    for one in sorted(found, key=lambda p: (p.time_s, p.cost_usd)):
        if not kept or one.cost_usd < kept[-1].cost_usd:
            kept.append(one)
    return kept


def memory_parts(advice: Advice, estimate: Estimate) -> Mapping[str, float]:
    """Part -> bytes on one device, from the estimate or from the steps behind its memory."""
    memory = estimate.quantities.get("memory_bytes")
    steps = {s.quantity: s.value for s in advice.trace.get(memory.trace, ())} if memory else {}
    found = {name: figures.point(estimate.quantities.get(name)) or steps.get(name) for name in PARTS}
    return {name: value for name, value in found.items() if value}


def part_name(name: str, t: Texts) -> str:
    """A part of the memory in words."""
    return {
        "weights_bytes": t.plain("part.weights", "weights"),
        "gradients_bytes": t.plain("part.gradients", "gradients"),
        "optimizer_bytes": t.plain("part.optimizer", "optimizer states"),
        "copies_bytes": t.plain("part.copies", "16-bit copies"),
        "gather_bytes": t.plain("part.gather", "gathered weights"),
        "activation_bytes": t.plain("part.activations", "activations"),
        "loss_bytes": t.plain("part.loss", "loss"),
    }[name]


def rows_of(estimate: Estimate, marks: Marks) -> list[tuple[Markup, Markup]]:
    """What an estimate found, in the order in which one asks."""
    t = marks.t
    names = (
        ("calendar_s", t("estimate.calendar", "Time with start-up, checkpoints and interruptions")),
        ("time_s", t("estimate.time", "Time of training alone")),
        ("optimizer_step_s", t("estimate.step", "One training step")),
        ("tokens_per_s", t("estimate.tokens", "Tokens per second")),
        ("samples_per_s", t("estimate.samples", "Samples per second")),
        ("mfu", t("estimate.mfu", "Share of the peak arithmetic in use (MFU)")),
        ("memory_bytes", t("estimate.memory", "Memory of each device")),
        ("memory_usable", t("estimate.usable", "Memory each has")),
        ("calendar_rent_usd", t("estimate.rent", "Rent")),
        ("calendar_spot_usd", t("estimate.spot", "Rent at spot prices")),
        ("calendar_energy_j", t("estimate.energy", "Energy")),
        ("total_flops", t("estimate.flops", "Arithmetic in all")),
    )
    known = dict(estimate.quantities)
    if (share := known.get("mfu")) is not None and share.value is not None:
        ends = {
            end: None if one is None else one * 100 for end, one in (("low", share.low), ("high", share.high))
        }
        known["mfu"] = share.model_copy(update={"value": share.value * 100, "unit": "%", **ends})
    if (rate := known.get("samples_per_s")) is not None and rate.unit == "1/s":
        known["samples_per_s"] = rate.model_copy(update={"unit": "samples/s"})
    return [(label, marks.quantity(known[name])) for name, label in names if name in known]


def asked_for(advice: Advice, marks: Marks) -> list[tuple[Markup, Markup]]:
    """What a request would be for: devices, time, memory; empty where nothing can be asked for."""
    t, plan = marks.t, advice.plan
    if plan is not None and plan.options:
        label, known, job = (
            option_label(advice, plan.options[0], t),
            plan.options[0].quantities,
            plan.workload,
        )
    else:
        cheap = (select.cheapest(advice, job) for job in advice.workloads)
        one = next((e for e in (*whole(advice), *cheap) if e is not None and e.fits), None)
        if one is None or plan is not None:
            return []
        label, known, job = summary.target_label(advice, one, t), one.quantities, one.workload
    title = next((w.title for w in advice.workloads if w.id == job), job)
    time = known.get("calendar_s") or known.get("time_s")
    return [
        (t("ask.work", "Work"), describe.said(t, title, 120)),
        (t("ask.devices", "Accelerators"), label),
        (t("ask.time", "Expected time"), marks.quantity(time)),
        (t("ask.memory", "Memory of each device"), marks.quantity(known.get("memory_bytes"))),
    ]


def late(option: PlanOption, marks: Marks) -> Markup:
    """The time that is kept to with the plan's probability, in the unit and digits of the expected one."""
    at = option.quantities.get("calendar_at_s")
    if at is None or at.value is None:
        return marks.quantity(at)
    told, mark = marks.t.end(at, option.quantities.get("calendar_s")), marks.quantity_mark(at)
    return Markup('<span class="fig" data-v="{:.7g}">{}</span>{}').format(at.value, told, mark)


def chance(option: PlanOption, t: Texts) -> Markup:
    """The probability that it ends before the deadline."""
    share = option.chance
    if share is None:
        return t("unknown", "unknown")
    text = ">99%" if share > _SURE else "<1%" if share < 1 - _SURE else f"{share:.0%}"
    return Markup('<span class="fig">{}</span>').format(text)


_SURE = 0.99


def breaks(option: PlanOption, t: Texts) -> Markup:
    """Which limits it does not keep, below its count."""
    names = _of_limits(t)
    told = t("list.comma", ", ").join(names.get(one) or foreign(one, 40) for one in option.breaks)
    return Markup('<span class="below warn">{}</span>').format(told) if told else Markup()


def saved(usd: float, t: Texts) -> str:
    """What a day saved costs: a ratio of differences, of which two digits are known at best."""
    return tidy(show_rough(usd, "USD", t.words))


def layout(option: PlanOption, t: Texts) -> Markup:
    """How an option splits its job."""
    return describe.choices_of(option.choices, t)
