"""Machine, calibration and verdict as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from advisor.errors import MissingLibrary
from advisor.schema import (
    Advice,
    Calibration,
    Device,
    Estimate,
    Fact,
    Grade,
    Machine,
    Measurement,
    Quantity,
)
from advisor.units import show, show_range

if TYPE_CHECKING:
    from advisor.render import RenderResult

NAME_LIMIT = 80  # names come from drivers and hosts: a 10 kB name must not flood a terminal


def tell_machine(machine: Machine, out: Console) -> None:
    """The machine in about a dozen lines; what is not known says why."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for label, text in _machine_lines(machine):
        grid.add_row(label, text)
    out.print(grid)
    for skipped in machine.skipped:
        if skipped.status.value not in ("absent", "not_asked"):
            out.print(f"  {skipped.probe}: {skipped.reason}" + _hint(skipped.hint))
    for notice in machine.notices:
        out.print(f"  ! {notice.message}" + _hint(notice.hint))


def _machine_lines(machine: Machine) -> Iterable[tuple[str, str]]:
    host, cpu, memory, storage = machine.host, machine.cpu, machine.memory, machine.storage
    inside = [
        f"{word} {fact.value}"
        for word, fact in (("container", host.container), ("VM", host.vm), ("WSL", host.wsl))
        if fact.value not in (None, "none")
    ]
    yield "Host", " · ".join([clean(host.hostname), clean(host.os_name), *inside])
    clock = cpu.clock_measured_hz if cpu.clock_measured_hz.known else cpu.clock_reported_hz
    yield (
        "CPU",
        f"{clean(cpu.model)}, {clean(cpu.cores)} cores, {clean(cpu.threads)} threads, "
        f"{show(clock.value, 'Hz')}; this process may use {clean(cpu.budget_threads)} threads",
    )
    known = cpu.instruction_sets.value or {}
    yield "", "instruction sets: " + (", ".join(name for name, has in known.items() if has) or "unknown")
    yield (
        "Memory",
        f"{show(memory.total_bytes.value, 'B')}, usable here {show(memory.usable_bytes.value, 'B')}",
    )
    yield (
        "Storage",
        f"{clean(storage.filesystem)} on {clean(storage.kind)}, "
        f"{show(storage.free_bytes.value, 'B')} free of {show(storage.size_bytes.value, 'B')}",
    )
    for device in machine.devices:
        yield f"{device.vendor} {device.kind}", _device_line(device)
    if not machine.devices:
        yield "Accelerator", "none found"
    for framework in machine.software.frameworks:
        sees = framework.sees
        if sees.known:
            seen = "sees " + (", ".join(d.name for d in sees.value or ()) or "no accelerator")
        else:
            seen = f"what it sees is unknown: {sees.reason}"
        if framework.version.known:
            yield framework.name, f"{clean(framework.version)} (built for {clean(framework.build)}); {seen}"


def _device_line(device: Device) -> str:
    if device.status.value != "ok":
        return f"{clean(device.name)}: {device.status.value} {device.name.reason}"
    parts = [clean(device.name), show(device.memory_total_bytes.value, "B")]
    if device.compute_capability.known:
        parts.append(f"compute capability {device.compute_capability.value}")
    if device.pcie_gen_max.known:
        parts.append(f"PCIe gen {device.pcie_gen_max.value} x{clean(device.pcie_width_max)}")
    if device.power_limit_w.known:
        parts.append(f"power limit {show(device.power_limit_w.value, 'W')}")
    if device.framework_name.known:
        parts.append(f"= {device.framework_name.value}")
    return ", ".join(parts)


def tell_calibration(calibration: Calibration, out: Console) -> None:
    """Every measurement with its range and grade, then what could not be measured and why."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, align in (
        ("Measured", "left"),
        ("Figure", "right"),
        ("80 % range", "right"),
        ("Grade", "left"),
    ):
        table.add_column(heading, justify=align, no_wrap=heading != "Measured")  # type: ignore[arg-type]
    for m in calibration.measurements:
        figure = show(m.value, m.unit) if m.value is not None else "no point value"
        table.add_row(describe(m), figure, show_range(m.low, m.high, m.unit), _grade(m))
    out.print(table)
    if any(m.grade is Grade.C for m in calibration.measurements):
        out.print("  Grade C: something disturbed the measuring, so there is a range and no figure.")
    alike: dict[tuple[str, str], list[str]] = {}
    for failure in calibration.failures:
        alike.setdefault((failure.reason, failure.hint), []).append(failure.id)
    for (reason, hint), ids in alike.items():
        named = ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
        out.print(f"  not measured: {named}: {reason}" + _hint(hint))
    for notice in calibration.notices:
        out.print(f"  ! {notice.message}" + _hint(notice.hint))


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
    shown = [form.format(m.params[key]) for key, form in _SHOWN.items() if key in m.params]
    words = " ".join([m.bench, *shown]).replace("_", " ").replace(" 1 threads", " 1 thread")
    return f"{words}, {m.device}"


def _grade(m: Measurement) -> str:
    """The letter; on C the first words of the reason ("contended"), the whole of it stands in the file."""
    if m.grade is not Grade.C or not m.reason:
        return m.grade.value
    return f"C ({m.reason.split(':')[0][:40]})"


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
        what = label if len(by_target) > 1 else "this machine"
        out.print(f"What {what} can train ({basis})")
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("Workload", "Fits", "Time here", "Why"):
            table.add_column(heading, overflow="fold")
        for e in estimates:
            fits = {True: "yes", False: "no", None: "unknown"}[e.fits]
            table.add_row(titles.get(e.workload, e.workload), fits, _time(e), e.why)
        out.print(table)


def times_here(advice: Advice) -> dict[str, str]:
    """Time of each workload on this machine, as the verdict prints it; of several devices each."""
    here = [e for e in advice.estimates if e.target.here and e.fits is not False]
    several = len({e.target.label for e in here}) > 1
    return {
        f"{e.workload} on {e.target.device or e.target.label}" if several else e.workload: _time(e)
        for e in here
    }


def _time(estimate: Estimate) -> str:
    quantity = estimate.quantities.get("time_s", Quantity(reason="not estimated"))
    if quantity.value is None:
        return "unknown"
    return f"{show(quantity.value, 's')} ({show_range(quantity.low, quantity.high, 's')})"


def tell_rendered(
    result: RenderResult, out: Console, talk: Console, *, asked: tuple[str, ...], fatal: bool = True
) -> None:
    """The paths written; a format that was skipped in one line. Raises when nothing at all was written."""
    for path in result.written:
        out.print(str(path), soft_wrap=True)
    for name, reason, hint in result.skipped:
        if fatal and len(result.skipped) == len(asked):
            raise MissingLibrary(f"no {name.upper()} written: {reason}", hint)
        talk.print(f"{name.upper()} skipped: {reason}" + _hint(hint), soft_wrap=True)
    for notice in result.notices:
        talk.print(f"! {notice.message}" + _hint(notice.hint), soft_wrap=True)


def clean(fact: Fact[str] | Fact[int] | Fact[float]) -> str:
    """A fact as one short printable line; 'unknown' when there is no value."""
    if fact.value is None:
        return "unknown"
    text = "".join(c if c.isprintable() else "?" for c in str(fact.value))
    return text if len(text) <= NAME_LIMIT else text[: NAME_LIMIT - 1] + "…"


def _hint(hint: str) -> str:
    return f" ({hint})" if hint else ""
