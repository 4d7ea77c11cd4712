"""Two advices side by side: what is different of the machines, the measurements, the estimates.

Ratios are of figures that both have; two figures whose ranges overlap are not told apart: that the second is
larger is then no difference that the ranges show. Measurements stand beside each other where the same work
was measured, estimates and plans where they are of one workload, whatever their ids: "own" is any job of a
user's, and a benchmark's id does not tell its size. What has no like stands in a line of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from advisor.schema import Advice, Estimate, Fact, Kind, Measurement, PlanOption, Quantity, Workload

GROUPS = ("machine", "measured", "estimates", "plan")
_FACTS: tuple[tuple[str, str, str, str], ...] = (
    ("processor", "cpu", "model", ""),
    ("processor cores", "cpu", "cores", "1"),
    ("threads usable", "cpu", "budget_threads", "1"),
    ("clock, measured", "cpu", "clock_measured_hz", "Hz"),
    ("main memory usable", "memory", "usable_bytes", "B"),
    ("disk", "storage", "kind", ""),
    ("free on disk", "storage", "free_bytes", "B"),
    ("operating system", "host", "os_name", ""),
    ("kernel", "host", "kernel", ""),
)
_STEPS = {"calendar_rent_usd": "rent_usd", "calendar_energy_j": "energy_j"}
"""What the whole run takes, which reports print, and the same of its steps alone."""
_WHOLE = {steps: whole for whole, steps in _STEPS.items()}  # plans tell the whole run by these names
_ANSWER = ("calendar_s", "memory_bytes", *_STEPS)
_NOT_THE_WORK = frozenset(("threads", "intercept_s", "file_bytes"))
"""Parameters of a measurement that the machine gives: threads, a result, the size of a compressed picture."""
_SAME = 0.01  # nothing here is known to a hundredth
_LESS_IS_BETTER = frozenset(("s", "USD", "J", "W"))


@dataclass(frozen=True)
class Row:
    """One line: a figure or text of each side (None: that side has none) and how b stands to a."""

    group: str
    label: str
    a: Quantity | str | None
    b: Quantity | str | None
    ratio: float | None = None  # b / a
    judged: str = ""  # alike, within (ranges overlap), better, worse, other; "": nothing can be said
    of: Measurement | None = None  # what was measured, its label being an id


@dataclass(frozen=True)
class Comparison:
    """The whole: names of the sides, and rows in the order of GROUPS."""

    names: tuple[str, str]
    dates: tuple[str, str]
    rows: tuple[Row, ...]

    def of(self, group: str) -> tuple[Row, ...]:
        """The rows of a group."""
        return tuple(row for row in self.rows if row.group == group)

    @property
    def apart(self) -> tuple[Row, ...]:
        """Rows whose sides differ."""
        return tuple(row for row in self.rows if row.judged in ("better", "worse", "other"))

    @property
    def shared(self) -> bool:
        """Whether any line has both sides: else nothing was compared."""
        return any(row.a is not None and row.b is not None for row in self.rows)


def compare(a: Advice, b: Advice, names: tuple[str, str] = ("a", "b")) -> Comparison:
    """What of `b` differs from `a`."""
    rows = [
        *_machines(a, b), *_measurements(a, b), *_estimates(a, b), *_answers(a, b), *_plans(a, b),
        *_fleets(a, b),
    ]  # fmt: skip
    return Comparison(names, (a.created_at, b.created_at), tuple(rows))


def _machines(a: Advice, b: Advice) -> Iterator[Row]:
    if a.machine is None and b.machine is None:
        return
    for label, room, name, unit in _FACTS:
        kind = Kind.measured if name == "clock_measured_hz" else Kind.probed
        yield _row("machine", label, *(_fact(_of(x.machine, room, name), unit, kind) for x in (a, b)))
    for label, say in (("accelerators", _devices), ("drivers", _drivers), ("frameworks", _frameworks)):
        yield _row("machine", label, say(a), say(b))


def _of(machine: Any, room: str, name: str) -> Fact[Any] | None:
    return getattr(getattr(machine, room), name) if machine is not None else None


def _fact(fact: Fact[Any] | None, unit: str, kind: Kind) -> Quantity | str | None:
    if fact is None:
        return None
    if not unit:
        return str(fact.value) if fact.value is not None else None
    value = None if fact.value is None else float(fact.value)
    return Quantity(value=value, unit=unit, kind=kind, source=fact.source, reason=fact.reason)


def _devices(advice: Advice) -> str | None:
    if advice.machine is None:
        return None
    names = [device.name.value or device.vendor for device in advice.machine.devices]
    counts = {name: names.count(name) for name in names}
    return ", ".join(f"{count} x {name}" for name, count in counts.items()) or "none"


def _drivers(advice: Advice) -> str | None:
    if advice.machine is None:
        return None
    found = [f"{d.vendor} {d.driver_version.value}" for d in advice.machine.drivers if d.driver_version.value]
    return ", ".join(found) or "none"


def _frameworks(advice: Advice) -> str | None:
    if advice.machine is None:
        return None
    found = [f"{f.name} {f.version.value}" for f in advice.machine.software.frameworks if f.version.value]
    return ", ".join(found) or "none"


def _measurements(a: Advice, b: Advice) -> Iterator[Row]:
    ours, theirs = ({m.id: m for m in x.calibration.measurements} if x.calibration else {} for x in (a, b))
    for name in dict.fromkeys((*ours, *theirs)):
        pair = ours.get(name), theirs.get(name)
        alike = pair[0] is None or pair[1] is None or _work(pair[0]) == _work(pair[1])
        for one, other in (pair,) if alike else ((pair[0], None), (None, pair[1])):
            yield replace(_row("measured", name, _measured(one), _measured(other)), of=one or other)


def _work(m: Measurement) -> tuple[object, ...]:
    """What was done: two figures of one id compare where this is the same."""
    # main memory is measured with arrays that the machine's own caches cannot hold
    left = _NOT_THE_WORK | ({"bytes"} if m.bench == "memory_bandwidth" else set())
    return m.bench, m.phase, sorted((key, value) for key, value in m.params.items() if key not in left)


def _measured(m: Measurement | None) -> Quantity | None:
    if m is None:
        return None
    return Quantity(
        value=m.value, low=m.low, high=m.high, unit=m.unit, kind=Kind.measured, source=m.id, reason=m.reason
    )


def _estimates(a: Advice, b: Advice) -> Iterator[Row]:
    for title, one, other in _workloads(a, b):
        pair = [_best(a, one), _best(b, other)]
        if pair == [None, None] or _crossed(a, b, one, other):
            continue
        for name, cells in _figures([e.quantities if e is not None else {} for e in pair]):
            yield _row("estimates", f"{title}: {_word(name)}", *cells)
        places = [e.target.label if e is not None else None for e in pair]
        if places[0] != places[1]:
            yield _row("estimates", f"{title}: on", *places)


def _figures(pair: list[dict[str, Quantity]]) -> Iterator[tuple[str, list[Quantity | None]]]:
    """The figures of two estimates that either has: of the whole run, as reports print them; of its steps
    alone where one of the two knows no more."""

    def cells(name: str) -> list[Quantity | None]:
        return [side.get(name) for side in pair]

    def known(name: str) -> int:
        return sum(cell is not None and cell.value is not None for cell in cells(name))

    for name in ("time_s", "calendar_s", "memory_bytes", *_STEPS):
        steps = _STEPS.get(name, name)
        taken = steps if known(steps) > known(name) else name
        if known(taken):
            yield taken, cells(taken)


def _answers(a: Advice, b: Advice) -> Iterator[Row]:
    """An estimate of a job beside what a plan of the same job takes first."""
    for title, one, other in _workloads(a, b):
        if not _crossed(a, b, one, other):
            continue
        pair = [_answer(a, one), _answer(b, other)]
        yield _row("estimates", f"{title}: on", *(label for label, _ in pair))
        for name in _ANSWER:
            cells = [quantities.get(name) for _, quantities in pair]
            if any(cell is not None and cell.value is not None for cell in cells):
                yield _row("estimates", f"{title}: {_word(name)}", *cells)


def _crossed(a: Advice, b: Advice, one: str | None, other: str | None) -> bool:
    """Whether one side has a plan of the job and no estimate, the other an estimate and no plan."""
    if one is None or other is None:
        return False
    planned = [_first(a, one) is not None, _first(b, other) is not None]
    estimated = [_best(a, one) is not None, _best(b, other) is not None]
    return planned[0] != planned[1] and estimated == [not there for there in planned]


def _answer(advice: Advice, workload: str | None) -> tuple[str, dict[str, Quantity]]:
    """Where a job runs, and what the whole run takes there."""
    option = _first(advice, workload)
    if option is not None:
        whole = {
            name: option.quantities[steps] for name, steps in _STEPS.items() if steps in option.quantities
        }
        return option.label, {**option.quantities, **whole}
    estimate = _best(advice, workload)
    return (estimate.target.label, dict(estimate.quantities)) if estimate is not None else ("", {})


def _workloads(a: Advice, b: Advice) -> Iterator[tuple[str, str | None, str | None]]:
    """Title and id on each side (None: only the other has it); first a's, then what b alone has."""
    left = list(b.workloads)
    for ours in a.workloads:
        theirs = next((w for w in left if _content(w) == _content(ours)), None)
        if theirs is not None:
            left.remove(theirs)
        yield ours.title, ours.id, theirs.id if theirs is not None else None
    for theirs in left:
        yield theirs.title, None, theirs.id


def _content(of: Workload) -> tuple[object, ...]:
    """The network and how it is trained: not what it is called, who said so, or when it has to be done."""
    model, recipe = of.model, of.recipe
    told = recipe.model_dump(mode="python", exclude={"source", "stated", "counted"})
    told["numbers"] = {k: v for k, v in told["numbers"].items() if k != "micro_batch"}  # which is layout
    return model.family, sorted(model.numbers.items()), sorted(told.items())


_WORDS = {
    "time_s": "time", "calendar_s": "time with start and interruptions", "memory_bytes": "memory",
    "calendar_rent_usd": "rent", "calendar_energy_j": "energy", "rent_usd": "rent of the steps alone",
    "energy_j": "energy of the steps alone",
}  # fmt: skip


def _word(name: str) -> str:
    return _WORDS[name]


def _best(advice: Advice, workload: str | None) -> Estimate | None:
    """This machine's best estimate of a workload; where the file is of no machine, its only or first one."""
    found = [e for e in advice.estimates if e.workload == workload]
    here = [e for e in found if e.target.here]
    return min(here or found[:1], key=lambda e: (e.fits is not True, _time(e)), default=None)


def _time(estimate: Estimate) -> float:
    time = estimate.quantities.get("time_s")
    return math.inf if time is None or time.value is None else time.value


def _plans(a: Advice, b: Advice) -> Iterator[Row]:
    for title, one, other in _workloads(a, b):
        first = [_first(x, name) for x, name in ((a, one), (b, other))]
        if first == [None, None] or _crossed(a, b, one, other):
            continue
        yield _row("plan", f"{title}: first choice", *(option.label if option else None for option in first))
        for name in ("calendar_s", "rent_usd", "energy_j"):
            cells = [option.quantities.get(name) if option else None for option in first]
            if cells != [None, None]:
                yield _row("plan", f"{title}: {_word(_WHOLE.get(name, name))}", *cells)


_OF_A_YEAR = {
    "rent_usd": "rent a year", "own_usd": "owning it, a year", "energy_j": "energy a year",
    "busy_s": "time in use of one machine, a year",
}  # fmt: skip


def _fleets(a: Advice, b: Advice) -> Iterator[Row]:
    """Plans of several jobs: the first machines, and a run of each job on them."""
    if a.fleet is None and b.fleet is None:
        return
    first = [x.fleet.options[0] if x.fleet is not None and x.fleet.options else None for x in (a, b)]
    told = (f"{one.machines} x ({one.label})" if one is not None else None for one in first)
    yield _row("plan", "several jobs: machines", *told)
    for name, word in _OF_A_YEAR.items():
        cells = [one.quantities.get(name) if one is not None else None for one in first]
        if any(cell is not None and cell.value is not None for cell in cells):
            yield _row("plan", f"several jobs: {word}", *cells)
    for title, one, other in _workloads(a, b):
        runs = [_run(x, name) for x, name in ((a, one), (b, other))]
        if runs == [None, None]:
            continue
        yield _row("plan", f"{title}: one run on", *(run.label if run else None for run in runs))
        for name in ("calendar_s", "rent_usd"):
            cells = [run.quantities.get(name) if run else None for run in runs]
            yield _row("plan", f"{title}: {_word(_WHOLE.get(name, name))}", *cells)


def _run(advice: Advice, workload: str | None) -> PlanOption | None:
    """How one of several jobs runs on the first machines."""
    jobs = advice.fleet.jobs if advice.fleet is not None else ()
    return next((job.option for job in jobs if job.workload == workload), None)


def _first(advice: Advice, workload: str | None) -> PlanOption | None:
    """The best option of a plan that is of this workload."""
    plan = advice.plan
    return plan.options[0] if plan is not None and plan.options and plan.workload == workload else None


def _row(group: str, label: str, a: Quantity | str | None, b: Quantity | str | None) -> Row:
    if isinstance(a, str) and isinstance(b, str):
        return Row(group, label, a, b, judged="alike" if a == b else "other")
    if not isinstance(a, Quantity) or not isinstance(b, Quantity) or a.unit != b.unit:
        return Row(group, label, a, b)
    ours, theirs = _ends(a), _ends(b)
    if ours is None or theirs is None:
        return Row(group, label, a, b)
    ratio = None
    if (a.value, *ours) == (b.value, *theirs):
        return Row(group, label, a, b, None if a.value is None else 1.0, "alike")
    if a.value is not None and b.value is not None:
        ratio = b.value / a.value if a.value > 0 and b.value >= 0 else None
        if math.isclose(a.value, b.value, rel_tol=_SAME):
            return Row(group, label, a, b, ratio, "alike")
    if ours[0] <= theirs[1] and theirs[0] <= ours[1]:
        return Row(group, label, a, b, ratio, "within")
    if group == "machine" or a.unit == "B":  # memory in use hangs on the layout: there is no better of it
        return Row(group, label, a, b, ratio, "other")
    better = (theirs[1] < ours[0]) == (a.unit in _LESS_IS_BETTER)
    return Row(group, label, a, b, ratio, "better" if better else "worse")


def _ends(of: Quantity) -> tuple[float, float] | None:
    """From where to where a figure may lie: itself alone where it has no range, None where it is not known.

    Of a disturbed measurement one end is open (it was at least so fast), and the other end all there is.
    """
    if of.value is None and of.low is None and of.high is None:
        return None
    low = of.low if of.low is not None else -math.inf if of.value is None else of.value
    high = of.high if of.high is not None else math.inf if of.value is None else of.value
    if of.value is not None:
        low, high = min(low, of.value), max(high, of.value)
    return low, high


def counted(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows are judged how."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.judged or "unknown"] = found.get(row.judged or "unknown", 0) + 1
    return found
