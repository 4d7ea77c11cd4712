"""An estimate computed once more, with the rules and prices at hand, from what its file says of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from advisor.data.catalogue import Catalogue, find_accelerator
from advisor.errors import UserError
from advisor.estimate.inputs import Inputs
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Advice, Estimate, Kind, Target, TraceStep
from advisor.search.grid import Stated
from advisor.search.here import Place, places_here
from advisor.search.one import One, estimate_one, place_of
from advisor.search.sockets import find_sockets
from advisor.search.systems import MARK, OF_A_SYSTEM
from advisor.search.timed import COLUMNS, PROCESS_COLUMNS, device_of, process_inputs, timed_inputs

_FLAGS = {"flash_attention": "flash", "compiled": "compiled"}
OF_A_TRACE = (*COLUMNS, *PROCESS_COLUMNS)
_DEGREES = ("tp", "pp", "cp", "ep")
_LAYOUT = (*_DEGREES, "vpp", "micro_batch", "recompute", "sharding", "offload", "stack")


def estimate_again(  # noqa: PLR0913 - what is known, one by one
    book: RuleBook,
    catalogue: Catalogue,
    published: Published,
    advice: Advice,
    estimate: Estimate,
    *,
    traced: bool = False,
    as_asked: bool = False,
    nodes: int | None = None,
) -> One:
    """The same workload on the same set-up, in the same layout; `as_asked` with as much of it left open as
    was, which takes longer and says how other layouts compare. `nodes`: in so many servers instead.

    Raises UserError where the file's workload, hardware or layout is not known here.
    """
    workload = next((w for w in advice.workloads if w.id == estimate.workload), None)
    if workload is None:
        raise UserError(f"the file lacks the workload '{estimate.workload[:60]}' it speaks of")
    steps = trace_of(advice, estimate)
    stated = stated_of(estimate, steps)
    if as_asked:
        stated = _open(stated, steps)
    place = _place(book, catalogue, advice, estimate, nodes)
    return estimate_one(book, workload, place, stated, published, traced=traced)


def trace_of(advice: Advice, estimate: Estimate) -> tuple[TraceStep, ...]:
    """Any stored trace of the estimate; () where there is none."""
    for quantity in estimate.quantities.values():
        if quantity.trace in advice.trace:
            return advice.trace[quantity.trace]
    return ()


def stated_of(estimate: Estimate, steps: Iterable[TraceStep] = ()) -> Stated:
    """The layout that the estimate took, and the flags that its trace tells of, as if all were stated."""
    found: dict[str, Any] = {}
    known = {field.name: str(field.type) for field in fields(Stated)}
    for name, text in estimate.choices.items():
        word = text.split(" ")[0]  # "fsdp over 8"
        if name not in known:
            continue
        if name == "micro_batch":
            found[name] = float(word)
        elif known[name].startswith("int"):
            found[name] = int(word)
        elif known[name].startswith("str"):
            found[name] = word
    for step in steps:
        if step.kind != Kind.stated or step.value is None:
            continue
        if step.quantity in _FLAGS:
            found[_FLAGS[step.quantity]] = step.value > 0
        elif step.expr.startswith("effort is ") and step.value == 1:
            found["effort"] = step.expr.removeprefix("effort is ").split(" ")[0]
    if "stack" in found:  # a layout told whole leaves out the degrees that are one
        found = {**dict.fromkeys(_DEGREES, 1), **found}
    if estimate.target.devices == 1:
        found.pop("sharding", None)
    return Stated(**found)


def _open(stated: Stated, steps: Iterable[TraceStep]) -> Stated:
    """Without what its trace does not call stated."""
    told = [(step.quantity, step.expr) for step in steps if step.kind == Kind.stated]
    left: dict[str, Any] = {
        name: None
        for name in _LAYOUT
        if not any(quantity == name or expr.startswith(f"{name} is ") for quantity, expr in told)
    }
    return replace(stated, **left)


def _place(
    book: RuleBook, catalogue: Catalogue, advice: Advice, estimate: Estimate, nodes: int | None = None
) -> Place:
    target = estimate.target
    if target.here:
        if advice.machine is None:
            raise UserError("the file holds an estimate of a machine that it does not hold")
        for place in places_here(catalogue, advice.machine, advice.calibration):
            if place.target == target:
                return replace(place, inputs=place.inputs.update(_untraced(book, advice, target)))
        raise UserError(f"'{target.label[:60]}' is no device of the machine in the file")
    if target.device == "cpu":
        sockets = find_sockets(catalogue, target.label)
        if sockets is None or sockets.target != target:
            raise UserError(f"'{target.label[:60]}' are no processors that are known here")
        return sockets
    entry = find_accelerator(catalogue, target.accelerator_id)
    nodes = nodes or _nodes(trace_of(advice, estimate), entry.devices_per_package, target.packages)
    if target.packages % nodes:
        raise UserError(f"{target.packages:g} packages are not {nodes} equal servers")
    place = place_of(entry, int(target.packages // nodes), nodes)
    for step in trace_of(advice, estimate):
        if step.quantity in OF_A_SYSTEM and step.source.startswith(MARK):
            place.inputs.put(step.quantity, step.value, Kind.vendor, step.source)
    return place


def server_of(steps: Iterable[TraceStep]) -> int | None:
    """Devices of one server, where flags said so; None: the usual server of the catalogue."""
    for step in steps:
        if step.quantity == "hw_domain_devices" and step.kind == Kind.stated and step.value:
            return round(step.value)
    return None


def _untraced(book: RuleBook, advice: Advice, target: Target) -> Inputs:
    """What a trace would say of a network there; none is at hand, and why stands in the steps."""
    device, calibration = device_of(target), advice.calibration
    if calibration is not None and calibration.find("operators", device):
        return timed_inputs(calibration, device, None, book)
    return process_inputs(device, None)


def rests_on_trace(steps: Iterable[TraceStep]) -> bool:
    """Whether an estimate has figures of the network's traced operators, which its file does not hold."""
    return any(step.quantity in OF_A_TRACE and step.value is not None for step in steps)


def _nodes(steps: Iterable[TraceStep], per_package: int, packages: float) -> int:
    """Servers of the hardware, where flags said how many devices one has."""
    server = server_of(steps)
    return 1 if server is None else max(1, round(packages * per_package / server))
