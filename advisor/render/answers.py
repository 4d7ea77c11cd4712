"""The first page of a plan or an estimate: the answer in a sentence, its figures, and what to do next."""

from __future__ import annotations

from markupsafe import Markup

from advisor.render import choice, dated, describe, fleet, summary, todo
from advisor.render.first import NOTE
from advisor.render.marks import Marks
from advisor.render.plots_nearest import nearest
from advisor.render.summary import KeyFigure
from advisor.render.texts import Texts
from advisor.render.todo import Step
from advisor.schema import Advice, Estimate, Plan, PlanOption, Quantity


def title(advice: Advice, t: Texts) -> Markup:
    """What the document is about: the machine, or the job of a plan or an estimate."""
    if not choice.without_machine(advice):
        return summary.title(advice, t)
    if advice.fleet is not None:
        return fleet.title(advice.fleet, t)
    name = advice.plan.workload if advice.plan is not None else choice.whole(advice)[0].workload
    job = choice.workload(advice, name)
    work = describe.said(t, job.title if job else name, 90)
    if advice.plan is not None:
        return t("title.plan", "Plan: {work}", work=work)
    return t("title.estimate", "Estimate: {work}", work=work)


def answer(advice: Advice, t: Texts) -> Markup:
    """The answer to what was asked, in one or two sentences."""
    if advice.plan is not None:
        return _planned(advice, advice.plan, t)
    if advice.fleet is not None:
        return fleet.answer(advice, advice.fleet, t)
    asked = choice.whole(advice)
    return _estimated(advice, asked[0], t) if asked and advice.machine is None else summary.answer(advice, t)


def _planned(advice: Advice, plan: Plan, t: Texts) -> Markup:
    if not plan.options:
        # what to relax is the first step below
        return t(
            "answer.plan.none", "Nothing keeps the limits. {miss}", miss=describe.said(t, plan.miss, 400)
        )
    first = plan.options[0]
    money = choice.cost(first, plan)
    return t(
        "answer.plan",
        "Of the accelerators that keep the limits ({count}), {label} is the best by {objective}: "
        "about {time} for {cost}.",
        count=len(plan.options),
        label=choice.option_label(advice, first, t),
        objective=choice.objective(plan.limits.objective, t),
        time=_told(first.quantities.get("calendar_s"), t, ranged=True),
        cost=_told(money, t),
    )


def _estimated(advice: Advice, estimate: Estimate, t: Texts) -> Markup:
    label = summary.target_label(advice, estimate, t)
    if not estimate.fits:
        return t(
            "answer.estimate.no",
            "This does not run on {label}: {why}",
            label=label,
            why=describe.said(t, estimate.why, 300),
        )
    return t(
        "answer.estimate",
        "On {label} it takes about {time}, and {need} of the {room} that each device has.",
        label=label,
        time=_told(estimate.quantities.get("calendar_s"), t, ranged=True),
        need=_told(estimate.quantities.get("memory_bytes"), t),
        room=_told(estimate.quantities.get("memory_usable"), t),
    )


def _told(quantity: Quantity | None, t: Texts, *, ranged: bool = False) -> Markup:
    return summary.with_range(quantity, t) if ranged else summary.alone(quantity, t)


def key_figures(advice: Advice, marks: Marks) -> list[KeyFigure]:
    """The figures of the first page."""
    if advice.plan is not None and advice.plan.options:
        return _of_option(advice.plan, advice.plan.options[0], marks)
    if advice.plan is not None and (near := nearest(advice.plan)) is not None:
        return _of_nearest(advice, advice.plan, near, marks)
    if advice.fleet is not None:
        return fleet.key_figures(advice.fleet, marks)
    asked = choice.whole(advice)
    if asked and advice.machine is None:
        return _of_estimate(asked[0], marks)
    return [] if choice.without_machine(advice) else summary.key_figures(advice, marks)


def _of_nearest(advice: Advice, plan: Plan, near: PlanOption, marks: Marks) -> list[KeyFigure]:
    """The same of what comes nearest where no option keeps the limits."""
    t = marks.t
    label = t("key.nearest", "Nearest: {label}", label=choice.option_label(advice, near, t))
    first, *rest = _of_option(plan, near, marks)
    return [KeyFigure(label, first.figure, first.note), *rest]


def _of_option(plan: Plan, option: PlanOption, marks: Marks) -> list[KeyFigure]:
    t, known = marks.t, option.quantities
    late = known.get("calendar_at_s")
    kept = Markup()
    if late is not None and late.value is not None:
        share, time = f"{plan.limits.confidence:.0%}", t.end(late, known.get("calendar_s"))
        kept = t("key.time.kept", "with {share} probability at most {time}", share=share, time=time)
    money = t("key.rent", "Rent")
    if plan.limits.acquire == "buy":
        money = t("key.own", "This job’s share of owning it")
    return [
        KeyFigure(t("key.time", "Time"), marks.quantity(known.get("calendar_s")), kept),
        KeyFigure(
            money, marks.quantity(choice.cost(option, plan)), describe.noted(t, option.price_note, NOTE)
        ),
        KeyFigure(
            t("key.device_memory", "Memory of each device"),
            marks.quantity(known.get("memory_bytes")),
            _tight(option, t),
        ),
        KeyFigure(t("key.energy", "Energy"), marks.quantity(known.get("energy_j"))),
    ]


def _tight(option: PlanOption, t: Texts) -> Markup:
    return t("key.tight", "tight: the upper end does not fit") if option.tight else Markup()


def _of_estimate(estimate: Estimate, marks: Marks) -> list[KeyFigure]:
    t, known = marks.t, estimate.quantities
    there, rent = _told(known.get("memory_usable"), t), known.get("calendar_rent_usd")
    return [
        KeyFigure(t("key.time", "Time"), marks.quantity(known.get("calendar_s"))),
        KeyFigure(t("key.rent", "Rent"), marks.quantity(rent), dated.asked(rent, t)),
        KeyFigure(
            t("key.device_memory", "Memory of each device"),
            marks.quantity(known.get("memory_bytes")),
            t("key.memory.there", "of {size} there", size=there),
        ),
        KeyFigure(t("key.energy", "Energy"), marks.quantity(known.get("calendar_energy_j"))),
    ]


def state_line(advice: Advice, t: Texts) -> Markup:
    """How far the answer rests on measurements."""
    if choice.without_machine(advice):
        return Markup()
    return summary.state_line(advice, t)


def next_steps(advice: Advice, marks: Marks) -> list[Step]:
    """What to do next."""
    if not choice.without_machine(advice):
        return todo.next_steps(advice, marks)
    t = marks.t
    if advice.fleet is not None:
        return fleet.next_steps(advice, advice.fleet, marks)
    if advice.plan is not None and not advice.plan.options:
        return [Step(describe.said(t, advice.plan.relax or advice.plan.miss, 300))]
    asked = choice.whole(advice)
    if asked and not asked[0].fits:
        return [
            Step(
                t(
                    "next.plan",
                    "See what fits: {command}.",
                    command=describe.command("hwadvisor plan --model …"),
                )
            )
        ]
    return [
        Step(
            t(
                "next.request",
                "Ask for it: {command} writes the job and a page that says why.",
                command=describe.command(f"hwadvisor request {marks.page} --slurm"),
            ),
            t("next.request.why", "Also for Kubernetes (--k8s) and for clouds (--skypilot)."),
        ),
        Step(
            t(
                "next.trial",
                "Before paying for all of it, train a few steps there: {command}.",
                command=describe.command("hwadvisor trial"),
            ),
            t("next.trial.why", "A measured step narrows the range far more than any rule."),
        ),
    ]
