"""Which traces a report prints, under which title, and which of their steps: those that tell something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from markupsafe import Markup

from advisor.render import choice, describe, summary
from advisor.render.clean import slug
from advisor.render.marks import Marks, foreign
from advisor.render.select import best_here, cheapest
from advisor.render.texts import Texts
from advisor.schema import Advice, Estimate, Kind, PlanOption, Quantity, TraceStep

TRACES_PAGED = 1  # printed traces show how it is done; all of them are attached
STEPS_LOOSE = 50
STEPS_PAGED, STEPS_SCREEN = 1, 4  # how far below a figure its steps are shown; all would be most of the page


def traces(advice: Advice, *, paged: bool) -> frozenset[str]:
    """The traces a report prints: this machine's, and on screen those of the recommended choices."""
    keys: dict[str, None] = {}
    for known in _asked_for(advice):
        keys.update({known[name].trace: None for name in ("calendar_s", "memory_bytes") if name in known})
    for workload in advice.workloads:
        if paged and len(keys) >= TRACES_PAGED:
            break
        best = best_here(advice, workload)
        other = None if paged else cheapest(advice, workload)
        if paged and best is not None and best.fits is False:
            continue  # the time of a run that cannot start is not worth a page
        for estimate, names in (
            (best, ("time_s",) if paged else ("time_s", "memory_bytes")),
            (other, ("time_s", "rent_usd", "calendar_s", "calendar_rent_usd")),
        ):
            found = estimate.quantities if estimate else {}
            keys.update({found[name].trace: None for name in names if name in found})
    return frozenset(key for key in keys if key in advice.trace)


def _asked_for(advice: Advice) -> list[Mapping[str, Quantity]]:
    """What a plan or an estimate was made for."""
    asked: list[Mapping[str, Quantity]] = [estimate.quantities for estimate in choice.whole(advice)]
    if advice.plan is not None and advice.plan.options:
        asked.append(advice.plan.options[0].quantities)
    return asked


def steps(advice: Advice, key: str, *, paged: bool) -> tuple[TraceStep, ...]:
    """The steps of a trace that tell something: no flags, no branches not taken; on paper one level."""
    found = advice.trace[key]
    depth = _depths(found)
    # One trace may serve all figures of an estimate: those that the first does not rest on are many.
    loose = 0 if len(found) < STEPS_LOOSE else STEPS_SCREEN
    return tuple(
        step
        for step in found
        if depth.get(step.quantity, loose) <= (STEPS_PAGED if paged else STEPS_SCREEN)
        and not (" is " in step.expr and not step.rule)
        and not step.reason.startswith("no rule for")  # a branch not taken
        and (step.value is not None or depth.get(step.quantity, loose) <= 1 or step.kind == Kind.assumed)
    )


def _depths(found: tuple[TraceStep, ...]) -> dict[str, int]:
    """How many steps each quantity is away from the first one."""
    inputs = {step.quantity: step.inputs for step in reversed(found)}
    depth = {found[0].quantity: 0} if found else {}
    waiting = list(depth)
    for name in waiting:  # grows while it is walked: breadth first
        for below in inputs.get(name, ()):
            if below not in depth:
                depth[below] = depth[name] + 1
                waiting.append(below)
    return depth


def step_mark(step: TraceStep, advice: Advice, marks: Marks) -> Markup:
    """The mark of a step of a trace: to the measurement it names, if it names one."""
    kind = step.kind if step.kind in set(Kind) else Kind.rule
    measured = {m.id for m in advice.calibration.measurements} if advice.calibration else set()
    return marks.mark(kind, slug("m", step.source) if step.source in measured else "", step.source)


def shown(advice: Advice, key: str, step: TraceStep, marks: Marks) -> Markup | str:
    """What a step gave; the figure that the trace is of is told as elsewhere, in its range's digits."""
    for quantities in (one.quantities for one in _all_answers(advice)):
        figure = quantities.get(step.quantity)
        if figure is not None and figure.trace == key and figure.value == step.value:
            return marks.figure(figure)
    return marks.value(step.value, step.unit)


def _all_answers(advice: Advice) -> Iterable[Estimate | PlanOption]:
    return (*advice.estimates, *(advice.plan.options if advice.plan is not None else ()))


_CITED = re.compile(r"arXiv:|github|https?://")


def step_origin(step: TraceStep, t: Texts) -> Markup:
    """Rule, file and source of a step; what somebody or nobody said is a sentence of ours."""
    ours = step.kind in (Kind.assumed, Kind.stated) and not _CITED.search(step.source)
    source = t.said(step.source) if ours else t.sentences.quoted(step.source)
    parts = [part for part in (step.rule, step.file, source) if part]
    return foreign(" · ".join(parts), 240) if parts else Markup()


def trace_title(advice: Advice, key: str, t: Texts) -> Markup:
    """Whose trace it is: the workload and the target of the first estimate that rests on it."""
    titles = {workload.id: workload.title for workload in advice.workloads}
    for estimate in advice.estimates:
        for name, quantity in estimate.quantities.items():
            if quantity.trace == key:
                several = len({q.trace for q in estimate.quantities.values()}) > 1
                what = describe.said(t, titles.get(estimate.workload, estimate.workload), 90)
                where = summary.target_label(advice, estimate, t)
                title = t("trace.title", "{workload} on {target}", workload=what, target=where)
                figure = describe.quantity_name(t, name)
                return t("trace.of", "{what}: {figure}", what=title, figure=figure) if several else title
    for option in advice.plan.options if advice.plan is not None else ():
        for name, quantity in option.quantities.items():
            if quantity.trace == key:
                label = choice.option_label(advice, option, t)
                return t("trace.of", "{what}: {figure}", what=label, figure=describe.quantity_name(t, name))
    return foreign(key, 120)
