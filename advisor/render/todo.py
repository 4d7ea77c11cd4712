"""What to do next, as the end of the first page tells it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from advisor.render import dated, describe, select
from advisor.render.marks import Marks
from advisor.render.summary import NOTHING, alone, refusals, states_here, target_label
from advisor.render.texts import Texts
from advisor.schema import Advice, Estimate, Grade, Notice, Workload


@dataclass(frozen=True)
class Step:
    """Something to do next, and why."""

    do: Markup
    why: Markup = NOTHING
    more: tuple[Markup, ...] = ()  # the same for what else there is, a line each


def next_steps(advice: Advice, marks: Marks) -> list[Step]:
    """What to do next, the most useful first; at most four."""
    t = marks.t
    steps = [
        *_measure_again(advice, t),
        *_unseen(advice, t),
        *_held_back(advice, t),
        *_get_instead(advice, marks),
        *_quiet(advice, t),
    ]
    return steps[:4]


_BOTTLENECK = "advice_"  # codes of advisor.advice
_TOLD_ELSEWHERE = {"advice_contended", "advice_driver_mismatch"}  # steps of their own tell these


def bottlenecks(advice: Advice) -> tuple[Notice, ...]:
    """What holds this machine back, by the rules of rules/advice."""
    return tuple(notice for notice in advice.notices if notice.code.startswith(_BOTTLENECK))


def other_notices(advice: Advice) -> tuple[Notice, ...]:
    """All other notices."""
    return tuple(notice for notice in advice.notices if not notice.code.startswith(_BOTTLENECK))


def rule_of(notice: Notice) -> str:
    """The id of the rule behind a bottleneck."""
    return notice.code.replace("_", "-")


def _held_back(advice: Advice, t: Texts) -> list[Step]:
    """The first thing to mend on this machine, before another one is paid for."""
    return [
        Step(describe.said(t, describe.first_sentence(notice.hint)), describe.said(t, notice.message))
        for notice in bottlenecks(advice)
        if notice.code not in _TOLD_ELSEWHERE
    ][:1]


def _measure_again(advice: Advice, t: Texts) -> list[Step]:
    if advice.calibration is None:
        return [
            Step(
                t("next.scan", "Run hwadvisor scan to measure this machine."),
                t("next.scan.why", "Estimates from probe and catalogue alone have far wider ranges."),
            )
        ]
    if not advice.calibration.complete:
        return [
            Step(
                t("next.finish", "Run hwadvisor scan again and let it finish."),
                t("next.finish.why", "The measuring was cut short; what was measured is in this report."),
            )
        ]
    return []


def _unseen(advice: Advice, t: Texts) -> list[Step]:
    seen = select.unseen_devices(advice)
    if not seen and refusals(advice).get("framework"):
        return [_install(advice, t)]
    return [
        Step(
            t(
                "next.framework",
                "Install a framework build that can use {device}.",
                device=describe.device_title(t, device),
            ),
            device_reason(device.framework_name.reason, t),
        )
        for device in seen[:1]
    ]


def _install(advice: Advice, t: Texts) -> Step:
    """What to install when an estimate says that no framework can use the device."""
    blocked = next(
        e
        for w in advice.workloads
        if (e := select.refusal(advice, w)) is not None and select.refused_by(e) == "framework"
    )
    names = [describe.device_title(t, d) for d in select.usable_devices(advice)[:1]]
    return Step(
        t(
            "next.install",
            "Install PyTorch in a build that can use {device}, then run hwadvisor scan again.",
            device=names[0] if names else describe.said(t, blocked.target.label, 80),
        ),
        describe.said(t, describe.first_sentence(blocked.why)),
    )


def device_reason(reason: str, t: Texts) -> Markup:
    """Why the framework does not see a device."""
    return (
        describe.said(t, reason)
        if reason
        else t("next.framework.why", "The driver lists it, but no framework here sees it.")
    )


def _get_instead(advice: Advice, marks: Marks) -> list[Step]:
    """The cheapest choice for the first workload that does not finish in time here, and for the others."""
    t = marks.t
    beyond = [w for w, s in states_here(advice) if s in ("slow", "no")]
    choices = [(w, e) for w in beyond if (e := select.cheapest(advice, w)) is not None]
    if not choices:
        return []
    workload, choice = choices[0]  # the user's own workload stands first
    age = dated.old_rent(advice, choice)
    why = t(
        "next.get.why",
        "This machine does not finish that job in time; of all listed choices this one costs least.",
    )
    if age is None:
        why = t(
            "next.get.young",
            "This machine does not finish that job in time; of all choices with a price of the last half year"
            " this one costs least.",
        )
        if "untried" not in select.behind(advice, choice):
            why = t(
                "next.get.known",
                "This machine does not finish that job in time; of what published runs have such a network "
                "on, at prices of the last half year, this one costs least.",
            )
    if select.state(choice, workload) == "perhaps":
        may = t("next.get.perhaps", "It is only perhaps in time: the limit lies within its range.")
        why = describe.sentences(why, may, t)
    if age is not None:
        why = describe.sentences(why, t("next.get.old", "The price is {days} days old.", days=age), t)
    do = t(
        "next.get",
        "For {workload}, rent {label}: about {time} for {rent}.",
        workload=describe.said(t, workload.title),
        label=target_label(advice, choice, t),
        time=marks.quantity(select.run_time(choice)),
        rent=marks.quantity(choice.rent),
    )
    more = tuple(_briefly(advice, other, found, t) for other, found in choices[1:])
    return [Step(do, describe.sentences(why, _behind(advice, choice, t), t), more)]


def _briefly(advice: Advice, workload: Workload, choice: Estimate, t: Texts) -> Markup:
    """What to rent for a further workload, in a line."""
    told = t(
        "next.get.briefly",
        "{workload}: {label}, {time}, {rent}",
        workload=describe.said(t, workload.title, 90),
        label=target_label(advice, choice, t),
        time=alone(select.run_time(choice), t),
        rent=alone(choice.rent, t),
    )
    if choice.purpose == "deadline" or workload.deadline_days is None:
        return told
    late = t("catalogue.fit_only", "fits, but not within the time allowed")
    return t("next.get.but", "{choice} ({but})", choice=told, but=late)


def _behind(advice: Advice, choice: Estimate, t: Texts) -> Markup:
    """What speaks against a choice that leads for want of a better one."""
    words = select.behind(advice, choice)
    told = []
    if "untried" in words:
        told.append(t("next.get.untried", "No published run of such a network is on its generation."))
    if "unsure" in words:
        told.append(t("next.get.unsure", "Its provider is not known to join as many."))
    if "unrated" in words:
        told.append(t("next.get.unrated", "Its rate in 16 bits is not known: that of 32 is computed with."))
    return Markup(" ").join(told) if len(told) < 2 else describe.sentences(told[0], told[1], t)


def _quiet(advice: Advice, t: Texts) -> list[Step]:
    if advice.calibration is None:
        return []
    noisy = sum(m.grade == Grade.C for m in advice.calibration.measurements)
    if not noisy:
        return []
    return [
        Step(
            t("next.quiet", "Measure again when nothing else runs here."),
            t("next.quiet.why", "Figures that could only be given as a range: {count}.", count=noisy),
        )
    ]
