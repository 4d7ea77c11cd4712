"""Which traces a report prints, and which of their steps: those that tell something."""

from __future__ import annotations

from advisor.render.select import best_here, cheapest
from advisor.schema import Advice, Kind, TraceStep

TRACES_PAGED = 1  # printed traces show how it is done; all of them are attached
STEPS_PAGED, STEPS_SCREEN = 1, 4  # how far below a figure its steps are shown; all would be most of the page


def traces(advice: Advice, *, paged: bool) -> frozenset[str]:
    """The traces a report prints: this machine's, and on screen those of the recommended choices."""
    keys: dict[str, None] = {}
    for workload in advice.workloads:
        if paged and len(keys) >= TRACES_PAGED:
            break
        best = best_here(advice, workload)
        choice = None if paged else cheapest(advice, workload)
        if paged and best is not None and best.fits is False:
            continue  # the time of a run that cannot start is not worth a page
        for estimate, names in (
            (best, ("time_s",) if paged else ("time_s", "memory_bytes")),
            (choice, ("time_s", "rent_usd")),
        ):
            found = estimate.quantities if estimate else {}
            keys.update({found[name].trace: None for name in names if name in found})
    return frozenset(key for key in keys if key in advice.trace)


def steps(advice: Advice, key: str, *, paged: bool) -> tuple[TraceStep, ...]:
    """The steps of a trace that tell something: no flags, no branches not taken; on paper one level."""
    found = advice.trace[key]
    depth = _depths(found)
    return tuple(
        step
        for step in found
        if depth.get(step.quantity, 0) <= (STEPS_PAGED if paged else STEPS_SCREEN)
        and not (" is " in step.expr and not step.rule)
        and (step.value is not None or depth.get(step.quantity, 0) <= 1 or step.kind == Kind.assumed)
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
