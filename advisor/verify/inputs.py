"""What went into an advice, by kind: stated, measured, overridden, assumed."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.schema import Advice, Kind, Status
from advisor.search.own import is_own
from advisor.units import show

KINDS = ("stated", "measured", "overridden", "assumed")


def inputs_by_kind(advice: Advice) -> dict[str, list[str]]:
    """Kind -> what of it went in, each once, in the order of the file."""
    found = {
        "stated": [*_stated(advice), *_leaves(advice, Kind.stated)],
        "measured": list(_measured(advice)),
        "overridden": list(_overridden(advice)),
        "assumed": [*_assumed(advice), *_leaves(advice, Kind.assumed)],
    }
    return {kind: list(dict.fromkeys(texts)) for kind, texts in found.items()}


def _stated(advice: Advice) -> Iterator[str]:
    for workload in advice.workloads:
        if is_own(workload.id):
            yield f"network = {workload.model.title} ({workload.model.source or 'no source'})"
        for name in workload.recipe.stated:
            value = getattr(workload.recipe, name, workload.recipe.numbers.get(name))
            if value is not None:
                yield f"{name} = {value:,.12g}" if isinstance(value, float) else f"{name} = {value}"
    for job in advice.fleet.jobs if advice.fleet is not None else ():
        yield f"{job.workload}: {job.per_year:g} runs a year"
    told = advice.plan or advice.fleet
    if told is None:
        return
    limits = told.limits
    if limits.deadline_days is not None and not limits.deadline_assumed:
        yield f"deadline = {limits.deadline_days:g} days"
    for name in ("budget_usd", "max_power_w", "max_devices"):
        value = getattr(limits, name)
        if value is not None:
            yield f"{name} = {value:g}"
    for name in ("vendors", "only"):
        if getattr(limits, name):
            yield f"{name} = {', '.join(getattr(limits, name))}"


def _leaves(advice: Advice, kind: Kind) -> Iterator[str]:
    """Leaves of the stored traces of that kind that have a value: what rules were given."""
    for steps in advice.trace.values():
        for step in steps:
            if (
                step.kind == kind
                and not step.inputs
                and step.value is not None
                and not _flag_off(step.expr, step.value)
            ):
                what = step.expr if " is " in step.expr else f"{step.quantity} = {step.value:,.12g}"
                yield f"{what} ({step.source})" if step.source and kind == Kind.assumed else what


def _flag_off(expr: str, value: float) -> bool:
    return " is " in expr and value == 0


def _measured(advice: Advice) -> Iterator[str]:
    calibration = advice.calibration
    for m in calibration.measurements if calibration else ():
        shown = show(m.value, m.unit) if m.value is not None else "a range only"
        yield f"{m.id} = {shown} (grade {m.grade.value}, {m.measured_at or 'no date'})"


def _overridden(advice: Advice) -> Iterator[str]:
    for notice in advice.notices:
        if notice.code == "rules_overridden":
            yield notice.message
    for name in advice.versions.rules_dirs:
        yield f"rules of a folder of the user's own: {name}"
    if (told := advice.plan or advice.fleet) is not None:
        for name, quantity in told.limits.assumed.items():
            yield f"{name} = {quantity.source}"


def _assumed(advice: Advice) -> Iterator[str]:
    if advice.plan is not None and advice.plan.limits.deadline_assumed:
        yield f"deadline: {advice.plan.limits.deadline_assumed}"
    for workload in advice.workloads:
        if workload.recipe.source:
            yield f"{workload.id}: {workload.recipe.source}"
    if advice.machine is None:
        return
    for room in ("host", "cpu", "memory", "storage", "network"):
        part = getattr(advice.machine, room)
        for name in type(part).model_fields:
            fact = getattr(part, name)
            if getattr(fact, "status", None) == Status.assumed:
                yield f"{room} {name}: {fact.reason or fact.source}"
