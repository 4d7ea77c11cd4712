"""`hwadvisor explain`: where a figure comes from."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.cli.tell import NAME_LIMIT
from advisor.errors import UserError, did_you_mean
from advisor.schema import Advice, Estimate, TraceStep
from advisor.units import show, show_range


@click.command()
@click.argument("advice", type=click.Path(path_type=Path))
@click.argument("quantity", default="time_s")
@click.option("--workload", metavar="ID", help="Only this workload; all of them by default.")
@click.option(
    "--target", metavar="TEXT", help="Only targets whose label contains TEXT; this machine by default."
)
def explain(advice: Path, quantity: str, workload: str | None, target: str | None) -> None:
    """Show how QUANTITY (time_s, memory_bytes, rent_usd, …) in ADVICE came about, down to its sources."""
    from advisor.data.advice import load_advice

    loaded = load_advice(advice)
    chosen = _choose(loaded, quantity, workload, target)
    for estimate in chosen:
        _print(loaded, estimate, quantity)


def _choose(advice: Advice, quantity: str, workload: str | None, target: str | None) -> list[Estimate]:
    """The estimates asked for. Raises UserError with the nearest name when there are none."""
    if not advice.estimates:
        raise UserError("this file holds no estimates", "Write one with `hwadvisor scan`.")
    known = {name for estimate in advice.estimates for name in estimate.quantities}
    if quantity not in known:
        raise UserError(
            f"no quantity '{quantity}' here", did_you_mean(quantity, known) or ", ".join(sorted(known))
        )
    workloads = {estimate.workload for estimate in advice.estimates}
    if workload is not None and workload not in workloads:
        hint = did_you_mean(workload, workloads) or ", ".join(sorted(workloads))
        raise UserError(f"no workload '{workload}' here", hint)
    chosen = [
        e
        for e in advice.estimates
        if quantity in e.quantities
        and (workload is None or e.workload == workload)
        and (target.lower() in e.target.label.lower() if target else e.target.here)
    ]
    if not chosen:
        raise UserError(f"no estimate of {quantity} for that workload and target", "Leave --target away.")
    return chosen


def _print(advice: Advice, estimate: Estimate, quantity: str) -> None:
    found = estimate.quantities[quantity]
    click.echo(f"{estimate.workload} on {estimate.target.label}")
    spread = f" ({show_range(found.low, found.high, found.unit)})" if found.value is not None else ""
    click.echo(f"{quantity} = {show(found.value, found.unit)}{spread} {found.reason}".rstrip())
    steps = {
        step.quantity: step for step in advice.trace.get(found.trace) or _again(advice, estimate, quantity)
    }
    _walk(steps, quantity, depth=1, seen=set())
    click.echo()


def _again(advice: Advice, estimate: Estimate, quantity: str) -> tuple[TraceStep, ...]:
    """The trace of a catalogue estimate, of which the file keeps only the best few: computed again."""
    from advisor.app import load_knowledge
    from advisor.search import trace_of

    workload = next((w for w in advice.workloads if w.id == estimate.workload), None)
    if workload is None:
        return ()
    knowledge = load_knowledge()
    steps = trace_of(knowledge.book, knowledge.catalogue, workload, estimate, quantity)
    if steps and knowledge.book.digest != advice.versions.rules_digest:
        click.echo("(The rules have changed since this file was written: these are today's.)")
    return steps


def _walk(steps: dict[str, TraceStep], name: str, depth: int, seen: set[str]) -> None:
    """Print a step and what it follows from, each once."""
    step = steps.get(name)
    if step is None or name in seen:
        return
    seen.add(name)
    pad = "  " * depth
    origin = f"{step.rule}: {step.expr}  [{step.file}]" if step.rule else f"{step.kind}: {step.source}"
    reason = f" ({step.reason})" if step.reason else ""
    click.echo(f"{pad}{name} = {show(step.value, step.unit)}{reason}  <- {origin[: 3 * NAME_LIMIT]}")
    for below in step.inputs:
        _walk(steps, below, depth + 1, seen)
