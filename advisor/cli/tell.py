"""Calibration, verdict and what was written, as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from advisor.cli.language import form, show_range, show_ranged, told
from advisor.cli.tell_machine import hint_of
from advisor.errors import MissingLibrary
from advisor.schema import Advice, Calibration, Estimate, Grade, Measurement, Quantity

if TYPE_CHECKING:
    from advisor.render import RenderResult


def tell_calibration(calibration: Calibration, out: Console) -> None:
    """Every measurement with its range and grade, then what could not be measured and why."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, align in (
        ("Measured", "left"),
        ("Figure", "right"),
        ("10–90 % of blocks", "right"),
        ("Grade", "left"),
    ):
        table.add_column(heading, justify=align, no_wrap=heading != "Measured")  # type: ignore[arg-type]
    for m in calibration.measurements:
        figure = show_ranged(m.value, m.low, m.high, m.unit)[0]
        figure = told("no point value") if m.value is None else figure
        table.add_row(describe(m), figure, show_range(m.low, m.high, m.unit, like=m.value), _grade(m))
    if calibration.measurements:
        out.print(table)
    if any(m.grade is Grade.C for m in calibration.measurements):
        out.print("  Grade C: something disturbed the measuring, so there is a range and no figure.")
    _tell_warnings(calibration, out)
    alike: dict[tuple[str, str], list[str]] = {}
    for failure in calibration.failures:
        alike.setdefault((failure.reason, failure.hint), []).append(failure.id)
    for (reason, hint), ids in alike.items():
        named = ", ".join(ids[:3]) + _more(len(ids) - 3)
        text = form("not measured: {names}: {reason}", names=named, reason=told(reason))
        out.print(f"  {text}" + hint_of(hint))
    for notice in calibration.notices:
        out.print(f"  ! {told(notice.message)}" + hint_of(notice.hint))


def _more(rest: int) -> str:
    """The end of a list of which only the first are named."""
    return form(" and {count} more", count=rest) if rest > 0 else ""


_IN_THE_GRADE = {"contended", "few_blocks", "unsteady", "busy_before"}  # the grade and range say it already


def _tell_warnings(calibration: Calibration, out: Console) -> None:
    """What a reader must know of a figure besides its grade, each warning once."""
    from advisor.calibrate import WARNINGS

    warned: dict[str, list[str]] = {}
    for m in calibration.measurements:
        for code in m.warnings:
            if code not in _IN_THE_GRADE:
                warned.setdefault(code, []).append(describe(m))
    for code, names in warned.items():
        meaning, hint = WARNINGS.get(code, (code, ""))
        named = "; ".join(names[:2]) + _more(len(names) - 2)
        out.print(f"  ! {named}: {told(meaning)}" + hint_of(hint))


_SHOWN = {  # params worth a reader's time in a narrow table; advice.json has them all
    "family": "{}",
    "op": "{}",
    "kind": "{}",
    "where": "{}",
    "dtype": "{}",
    "direction": "{}",
    "point": "at {}",
    "n": "n={}",
    "layers": "{} layers",
    "threads": "{} threads",
}


def describe(m: Measurement) -> str:
    """'matmul bf16 n=2048, cpu' from a measurement's name and params."""
    shown = [
        told(f"{how.format(m.params[key])}".replace("_", " "))
        for key, how in _SHOWN.items()
        if key in m.params
    ]
    if m.phase != "burst":
        shown.append(told(m.phase))
    words = " ".join([told(m.bench.replace("_", " ")), *shown]).replace(" 1 threads", " 1 thread")
    return form("{what}, {device}", what=words, device=m.device)


def _grade(m: Measurement) -> str:
    """The letter; on C the first words of the reason ("contended"), the whole of it stands in the file."""
    if m.grade is not Grade.C or not m.reason:
        return m.grade.value
    return f"C ({told(m.reason.split(':')[0][:40])})"


def tell_verdict(advice: Advice, out: Console, *, measured: bool) -> None:
    """What this machine can train, one line a workload."""
    basis = (
        "with figures measured here" if measured else "from probe, catalogue and rules; nothing measured yet"
    )
    titles = {workload.id: workload.title for workload in advice.workloads}
    by_target: dict[str, list[Estimate]] = {}
    for estimate in advice.estimates:
        if estimate.target.here:
            by_target.setdefault(estimate.target.label, []).append(estimate)
    for label, estimates in by_target.items():
        what = told(label if len(by_target) > 1 else "this machine")
        out.print(form("What {what} can train ({basis})", what=what, basis=told(basis)))
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("Workload", "Fits", "Time here", "Why"):
            table.add_column(heading, overflow="fold")
        for e in estimates:
            fits = {True: "yes", False: "no", None: "unknown"}[e.fits]
            table.add_row(titles.get(e.workload, e.workload), fits, _time(e), e.why)
        out.print(table)


def tell_bottlenecks(advice: Advice, out: Console) -> None:
    """What holds this machine back, each with what to do about it."""
    held = [notice for notice in advice.notices if notice.code.startswith("advice_")]
    if held:
        out.print(told("What holds this machine back"))
    for notice in held:
        both = form("{text} {remedy}", text=told(notice.message), remedy=told(notice.hint))
        out.print(f"  ! {both}")


def times_here(advice: Advice) -> dict[str, str]:
    """Time of each workload on this machine, as the verdict prints it; of several devices each."""
    here = [e for e in advice.estimates if e.target.here]
    several = len({e.target.label for e in here}) > 1
    return {
        f"{e.workload} on {e.target.device or e.target.label}" if several else e.workload: (
            form("no ({why})", why=told(e.why)) if e.fits is False else _time(e)
        )
        for e in here
    }


def _time(estimate: Estimate) -> str:
    quantity = estimate.quantities.get("time_s", Quantity(reason="not estimated"))
    if quantity.value is None:
        return told("unknown")
    figure, spread = show_ranged(quantity.value, quantity.low, quantity.high, "s")
    return form("{figure} ({range})", figure=figure, range=spread) if spread else figure


def tell_rendered(
    result: RenderResult, out: Console, talk: Console, *, asked: tuple[str, ...], fatal: bool = True
) -> None:
    """The paths written; a format that was skipped in one line. Raises when nothing at all was written."""
    for path in result.written:
        out.print(str(path), soft_wrap=True)
    for name, reason, hint in result.skipped:
        if fatal and len(result.skipped) == len(asked):
            raise MissingLibrary(f"no {name.upper()} written: {reason}", hint)
        text = form("{name} skipped: {reason}", name=name.upper(), reason=told(reason))
        talk.print(text + hint_of(hint), soft_wrap=True)
    for notice in result.notices:
        talk.print(f"! {told(notice.message)}" + hint_of(notice.hint), soft_wrap=True)
