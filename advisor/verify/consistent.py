"""Does an advice contradict itself: ranges, references, traces, what follows from what."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator

from advisor.schema import (
    Advice,
    Estimate,
    FleetOption,
    Grade,
    Kind,
    Measurement,
    Plan,
    PlanOption,
    Quantity,
    TraceStep,
)
from advisor.verify.fleet_sums import of_fleet
from advisor.verify.written import by_command, idle

_CLOSE = 2e-6  # relative: files keep seven digits
_LABEL = re.compile(r"(?P<packages>\d+) x (?P<name>\S+)(?: \((?P<devices>\d+) devices\))?")
_CHECKED_IN_TRACE = ("time_s", "memory_bytes", "calendar_s", "rent_usd", "energy_j", "params", "total_flops")


def contradictions(advice: Advice) -> list[str]:
    """What in the advice does not go with the rest of it, in sentences; empty for a whole one."""
    return [
        *_estimates(advice),
        *(_plan(advice, advice.plan) if advice.plan is not None else ()),
        *_fleet(advice),
        *_measurements(advice),
        *_traces(advice),
        *by_command(advice),
        *idle(advice),
    ]


def gaps(advice: Advice) -> list[str]:
    """What the advice says itself that it lacks: no contradiction, but worth knowing."""
    found = []
    if advice.stage not in ("complete", "probed", "calibrated"):
        found.append(f"it was written in the middle of the work (stage {advice.stage})")
    if advice.calibration is not None and not advice.calibration.complete:
        found.append(f"its measuring was cut short ({advice.calibration.stopped or 'no reason given'})")
    return [*found, *_remarks(advice)]


def _remarks(advice: Advice) -> list[str]:
    """What the run itself said of files, prices and programs at hand, which nobody can make again."""
    from advisor.advice import CODE

    elsewhere = ("redacted", "rules_overridden")  # told as what they are
    return [
        f"told by the run itself, and made by no rule: {notice.message[:200]}"
        for notice in advice.notices
        if not notice.code.startswith(CODE) and notice.code not in elsewhere
    ]


def untraced(advice: Advice) -> list[str]:
    """Estimates behind whose figures no steps are stored, though they are where such are written."""
    found = []
    for estimate in advice.estimates:
        if not (estimate.target.here or estimate.whole):
            continue  # of a catalogue's many answers the best alone have steps
        bare = [name for name, one in estimate.quantities.items() if one.value is not None]
        if bare and not any(one.trace in advice.trace for one in estimate.quantities.values()):
            where = f"{estimate.workload} on {estimate.target.label}"
            found.append(f"{where}: no steps are stored behind its figures")
    plan = advice.plan
    if plan is not None and plan.options:
        best = plan.options[0].quantities.values()
        if not any(one.trace in advice.trace for one in best):
            found.append(f"{plan.options[0].label}: no steps are stored behind its figures")
    return found


def _estimates(advice: Advice) -> Iterator[str]:
    workloads = {workload.id for workload in advice.workloads}
    accelerators = {accelerator.id for accelerator in advice.accelerators}
    for estimate in advice.estimates:
        where = f"{estimate.workload} on {estimate.target.label}"
        if estimate.workload not in workloads:
            yield f"{where}: there is no such workload in the file"
        name = estimate.target.accelerator_id
        if name and accelerators and not estimate.target.here and name not in accelerators:
            yield f"{where}: there is no such accelerator in the file"
        for key, quantity in estimate.quantities.items():
            yield from _quantity(f"{where}: {key}", quantity)
            if quantity.trace and quantity.trace not in advice.trace:
                yield f"{where}: the steps behind {key} are missing"
            yield from _kind(where, key, quantity)
        target = estimate.target
        if target.device != "cpu":  # whose sockets are one device
            yield from _counted(where, target.label, target.accelerator_id, target.packages, target.devices)
        yield from _follows(where, estimate)
        yield from _values(advice, estimate, where)


def _quantity(where: str, quantity: Quantity) -> Iterator[str]:
    ends = [end for end in (quantity.low, quantity.value, quantity.high) if end is not None]
    if any(not math.isfinite(end) for end in ends):
        yield f"{where} is not finite"
    elif any(b < a and not math.isclose(a, b, rel_tol=_CLOSE) for a, b in itertools.pairwise(ends)):
        yield f"{where} lies outside its own range"


def _kind(where: str, key: str, quantity: Quantity) -> Iterator[str]:
    """What rules compute is of the kind rule, however much of it rests on what was measured or published."""
    if quantity.kind is not Kind.rule:
        yield f"{where}: {key} is said to be {quantity.kind.value}, though rules compute it"


def _counted(where: str, label: str, name: str, packages: float, devices: int) -> Iterator[str]:
    """The numbers of packages and devices against those in the label."""
    said = _LABEL.fullmatch(label)
    if said is None or said["name"] != name:
        return
    count = int(said["packages"])
    if count != packages or int(said["devices"] or count) != devices:
        yield f"{where}: the numbers of devices are others ({packages:g} packages, {devices} devices)"


def _follows(where: str, estimate: Estimate) -> Iterator[str]:
    """What fits and what does not, against the memory needed and there."""
    need, there = (estimate.quantities.get(name) for name in ("memory_bytes", "memory_usable"))
    if need is None or there is None or need.value is None or there.value is None:
        return
    if estimate.fits and need.value > there.value * (1 + _CLOSE):
        yield f"{where}: said to fit, with more memory needed than there is"
    if estimate.fits is False and estimate.limit == "memory" and need.value < there.value * (1 - _CLOSE):
        yield f"{where}: said not to fit, with less memory needed than there is"


def _values(advice: Advice, estimate: Estimate, where: str) -> Iterator[str]:
    """Each figure against the step of its trace that gave it."""
    for name in _CHECKED_IN_TRACE:
        quantity = estimate.quantities.get(name)
        steps = advice.trace.get(quantity.trace, ()) if quantity is not None else ()
        step = next((step for step in steps if step.quantity == name), None)
        if step is None or step.value is None or quantity is None or quantity.value is None:
            continue
        # The calendar adds independent errors, so its middle is not that of the trace's plain sum.
        if name != "calendar_s" and not math.isclose(step.value, quantity.value, rel_tol=_CLOSE):
            yield f"{where}: {name} is not what its own steps give ({quantity.value:.6g}, {step.value:.6g})"


def _traces(advice: Advice) -> Iterator[str]:
    for key, steps in advice.trace.items():
        known = {step.quantity for step in steps}
        false = next((s.quantity for s in steps if s.rule and s.kind != Kind.rule), "")
        if false:
            yield f"{key}: the step {false} has a rule and is not of the kind rule"
        missing = _missing(steps, known)
        if missing:
            yield f"{key}: the step {missing} is missing from the trace"


def _missing(steps: tuple[TraceStep, ...], known: set[str]) -> str:
    return next((name for step in steps for name in step.inputs if name not in known), "")


def _measurements(advice: Advice) -> Iterator[str]:
    if advice.calibration is None:
        return
    seen: set[str] = set()
    for m in advice.calibration.measurements:
        if m.id in seen:
            yield f"{m.id}: measured twice under one name"
        seen.add(m.id)
        yield from _measurement(m)


def _measurement(m: Measurement) -> Iterator[str]:
    yield from _quantity(m.id, Quantity(value=m.value, low=m.low, high=m.high, unit=m.unit))
    if m.grade is Grade.C and m.value is not None:
        yield f"{m.id}: of grade C, which gives a range and no figure"
    if m.kept > m.samples:
        yield f"{m.id}: more blocks kept than measured"


def _fleet(advice: Advice) -> Iterator[str]:
    fleet = advice.fleet
    if fleet is None:
        return
    told: list[tuple[str, FleetOption | PlanOption]] = [(one.label, one) for one in fleet.options]
    told += [(job.workload, job.option) for job in fleet.jobs if job.option is not None]
    for label, option in told:
        yield from _counted(label, option.label, option.accelerator_id, option.packages, option.devices)
        for key, quantity in option.quantities.items():
            yield from _quantity(f"{label}: {key}", quantity)
            if key != "rent_usd_per_h":  # which is listed
                yield from _kind(label, key, quantity)
    yield from of_fleet(advice)


def _plan(advice: Advice, plan: Plan) -> Iterator[str]:
    if plan.workload not in {workload.id for workload in advice.workloads}:
        yield f"plan: there is no workload {plan.workload} in the file"
    limit = plan.limits.deadline_days
    for option in plan.options:
        yield from _counted(
            option.label, option.label, option.accelerator_id, option.packages, option.devices
        )
        for key, quantity in option.quantities.items():
            yield from _quantity(f"{option.label}: {key}", quantity)
            yield from _kind(option.label, key, quantity)
        late = option.quantities.get("calendar_at_s")
        if (
            limit is not None
            and late is not None
            and late.value is not None
            and late.value > limit * 86400 * 1.000001
        ):
            yield f"{option.label}: an option that misses the deadline"
        if option.breaks:
            yield f"{option.label}: an option that breaks a limit ({', '.join(option.breaks)})"
