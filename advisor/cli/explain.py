"""`hwadvisor explain`: where a figure comes from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from advisor.cli.language import form, show_ranged, told
from advisor.cli.options import rules_option
from advisor.cli.text import say
from advisor.errors import UserError, did_you_mean
from advisor.schema import Advice, Estimate, TraceStep
from advisor.schema.leading import leading


@click.command()
@click.argument("advice", type=click.Path(path_type=Path))
@click.argument("quantity", default="time_s")
@click.option("--workload", metavar="ID", help="Only this workload; all of them by default.")
@click.option(
    "--target",
    metavar="TEXT",
    help="Only targets whose label contains TEXT; by default this machine, or the cheapest elsewhere.",
)
@click.option(
    "--depth",
    type=click.IntRange(0, 99),
    default=4,
    show_default=True,
    help="How many steps down the tree goes.",
)
@rules_option
def explain(
    advice: Path,
    quantity: str,
    workload: str | None,
    target: str | None,
    depth: int,
    rules: tuple[Path, ...],
) -> None:
    """Show how QUANTITY (time_s, memory_bytes, rent_usd, …) in ADVICE came about, down to its sources.

    A tree: each figure with its rule, the formula with the numbers in it, and below it what it rests on,
    with the kind of evidence (probed, measured, published, vendor, stated, assumed) and the source.
    """
    from advisor.data.advice import load_advice

    loaded = load_advice(advice)
    quantity = named(quantity, {name for one in loaded.estimates for name in one.quantities})
    chosen = _choose(loaded, quantity, workload, target)
    for estimate in chosen:
        show_tree(loaded, estimate, quantity, depth, rules)


_RECORD = {
    "step_time_s": "optimizer_step_s", "step_s": "optimizer_step_s", "mfu_percent": "mfu",
    "samples_per_s_total": "samples_per_s", "tokens_per_s_total": "tokens_per_s",
    "peak_mem_gib": "memory_bytes", "memory": "memory_bytes", "total_time_h": "time_s",
    "time": "time_s", "rent": "calendar_rent_usd", "spot": "calendar_spot_usd",
}  # fmt: skip
"""Names of records of evidence and short ones -> quantities."""


def named(name: str, known: Iterable[str]) -> str:
    """The quantity of that name, else the one that an estimate prints or a record writes so."""
    from advisor.cli.tell_estimate import titles

    known = set(known)
    word = " ".join(name.split()).casefold()
    found = titles().get(word) or _RECORD.get(word.replace(" ", "_"))
    return name if name in known or found is None or found not in known else found


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
    found = [e for e in advice.estimates if quantity in e.quantities and workload in (None, e.workload)]
    if target is not None:
        chosen = [e for e in found if target.lower() in e.target.label.lower()]
    else:
        chosen = [e for e in found if e.target.here] or _best_elsewhere(found) or found[:1]
    if not chosen:
        raise UserError(
            f"no estimate of {quantity} for that workload and target",
            "Leave --target away." if target else "Leave --workload away.",
        )
    return chosen


def _best_elsewhere(found: list[Estimate]) -> list[Estimate]:
    """Of each workload the catalogue's candidate that meets the time allowed at the least rent."""
    priced = [e for e in found if e.purpose == "deadline" and e.rent is not None and e.rent.value is not None]
    best = [
        leading(e for e in priced if e.workload == name) for name in dict.fromkeys(e.workload for e in priced)
    ]
    return [e for e in best if e is not None]


def show_tree(
    advice: Advice, estimate: Estimate, quantity: str, depth: int, rules: tuple[Path, ...] = ()
) -> None:
    """Print the tree of a quantity. Raises UserError for one that the estimate does not have."""
    from advisor.cli.tree import tree_of

    quantity = named(quantity, estimate.quantities)
    found = estimate.quantities.get(quantity)
    if found is None:
        known = estimate.quantities
        raise UserError(
            f"no quantity '{quantity}' here", did_you_mean(quantity, known) or ", ".join(sorted(known))
        )
    say()
    title = next((job.title for job in advice.workloads if job.id == estimate.workload), estimate.workload)
    say(form("{title} on {target}", title=told(title), target=told(estimate.target.label)))
    steps = advice.trace.get(found.trace) or _again(advice, estimate, quantity, rules)
    if steps:
        tree_of(steps, estimate, quantity, depth).tell(quantity)
    else:
        figure, spread = show_ranged(found.value, found.low, found.high, found.unit)
        shown = form("{figure} ({range})", figure=figure, range=spread) if spread else figure
        say(f"{quantity} = {shown} {told(found.reason)}".rstrip())


def _again(
    advice: Advice, estimate: Estimate, quantity: str, rules: tuple[Path, ...]
) -> tuple[TraceStep, ...]:
    """The trace of a catalogue estimate, of which the file keeps only the best few: computed again."""
    from advisor.app import load_knowledge
    from advisor.search import trace_of

    workload = next((w for w in advice.workloads if w.id == estimate.workload), None)
    if workload is None:
        return ()
    knowledge = load_knowledge(rules)
    steps = trace_of(knowledge.book, knowledge.catalogue, workload, estimate, quantity, knowledge.published)
    if steps and knowledge.book.digest != advice.versions.rules_digest:
        folders = ", ".join(advice.versions.rules_dirs)
        own = form(" It was made with --rules {folders}.", folders=folders) if folders else ""
        say(form("(These rules are not those the file was made with, so figures may differ.{own})", own=own))
    return steps
