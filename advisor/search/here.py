"""Estimates on this machine: every workload on its accelerators, or on its processors when there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue
from advisor.data.match import match_device
from advisor.estimate import Range, Table, evaluate, evaluate_ranges, explain, quantities_of
from advisor.estimate.inputs import RANGE_ONLY, Inputs, known_only, table_of
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Kind, Quantity, Status, Target, TraceStep, Workload
from advisor.search.formats import with_format
from advisor.search.inputs import of_cpu, of_device, of_workload, on_device
from advisor.search.layouts import Layout, layouts_of
from advisor.search.nearby import with_neighbours
from advisor.search.plan_time import KEPT, kept_to, kept_told
from advisor.search.words import framework_problem, late_sentence, memory_sentence

if TYPE_CHECKING:
    from advisor.schema import Calibration, Device, Machine

WANTED = ("time_s", "memory_bytes", "memory_usable", "energy_j", "achieved_rate", "params", "total_flops")
TRACED = ("time_s", "memory_bytes")
_DECIDING = (
    "fits",
    "computes_16bit",
    "measured_rate",
    "compute_s",
    "optimizer_s",
    "input_s",
)

Trace = dict[str, tuple[TraceStep, ...]]


@dataclass(frozen=True)
class Place:
    """Where here: a device, several alike, or the processors, with the columns that describe it."""

    target: Target
    inputs: Inputs
    problem: str = ""  # why nothing can train on it now
    notes: tuple[str, ...] = ()
    free_bytes: int | None = None
    host_bytes: float | None = None  # memory of one server that it stands in, where that is known


def estimates_here(  # noqa: PLR0913, PLR0917 - what is known, one by one
    book: RuleBook,
    catalogue: Catalogue,
    workloads: Iterable[Workload],
    machine: Machine,
    calibration: Calibration | None,
    published: Published | None = None,
) -> tuple[list[Estimate], Trace]:
    """Each workload on each accelerator of this machine, or on its processors when it has none.

    Several alike are told of once alone and once together. Uses what `calibration` measured, else the
    catalogue and published runs. The trace has the steps of time and memory, by `Quantity.trace`.
    """
    places = places_here(catalogue, machine, calibration)
    workloads = tuple(workloads)
    rows = _rows(book, workloads, places)
    if not rows:
        return [], {}
    table = table_of(book, [row.inputs for row in rows])
    wanted = [name for name in WANTED if name in book.quantities]
    table = evaluate(book, table, [*wanted, *(name for name in _DECIDING if name in book.quantities)])
    chosen = _choose(table, rows)
    near = with_neighbours(
        book,
        published,
        table.take(chosen),
        [rows[index].workload.model.id for index in chosen],
        [rows[index].place.target.accelerator_id for index in chosen],
        [rows[index].workload.recipe.program for index in chosen],
    )
    kept = evaluate(book, near.table)
    ranges = evaluate_ranges(book, kept, wanted)
    late = kept_to(book, near.table, ranges["time_s"])
    found: list[Estimate] = []
    traces: Trace = {}
    for at, index in enumerate(chosen):
        estimate = _estimate(book, kept, ranges, at, rows[index], late[at])
        if not estimate.calibrated and kept.value("rate_here", at) is None and _timed(estimate):
            estimate = estimate.model_copy(update={"near": near.runs(at)})
        found.append(estimate)
        for name, quantity in estimate.quantities.items():
            if quantity.trace:
                traces[quantity.trace] = explain(book, kept, at, name)
    return found, traces


def _timed(estimate: Estimate) -> bool:
    return estimate.quantities["time_s"].value is not None


@dataclass(frozen=True)
class _Row:
    """One workload in one place in one set-up."""

    workload: Workload
    place: Place
    layout: Layout
    inputs: Inputs


def places_here(catalogue: Catalogue, machine: Machine, calibration: Calibration | None) -> list[Place]:
    """Each device of this machine, several alike together, or the processors where there is no device."""
    found: list[Place] = []
    alike: dict[tuple[str, int | None], list[Device]] = {}
    for device in machine.devices:
        key = (device.name.value or "", device.memory_total_bytes.value)
        group = alike.setdefault(key, [])
        group.append(device)
        if len(group) == 1 or not key[0]:
            found.append(_place(catalogue, machine, device, 1, calibration))
    for group in alike.values():
        usable = [device for device in group if device.status is Status.ok]
        if len(usable) > 1 and usable[0].name.value:
            found.append(_place(catalogue, machine, usable[0], len(usable), calibration))
    if not any(_trains(place, calibration) for place in found):
        name = machine.cpu.model.value or "processors"
        target = Target(label=f"this machine's processors ({name})", here=True, device="cpu")
        found.append(Place(target, of_cpu(machine, calibration)))
    return found


def _trains(place: Place, calibration: Calibration | None) -> bool:
    """Whether anything can train there: a framework sees it, and its rate is known or measured.

    A display chip, a device no framework sees, or one that has been lost leaves the work to the processors;
    so does a calibration that measured these alone.
    """
    if place.problem:
        return False
    measured = {rate.device for rate in calibration.find("train_rate")} if calibration else set()
    if measured:
        return measured != {"cpu"}
    return bool(place.target.accelerator_id)


def _place(
    catalogue: Catalogue, machine: Machine, device: Device, count: int, calibration: Calibration | None
) -> Place:
    entry, how = match_device(catalogue, device)
    torch_name = _torch_name(device, calibration)
    shown = torch_name or f"{device.vendor} {device.kind} {device.index}"
    title = device.name.value or (entry.title if entry else "device without a name")
    label = f"this machine, {shown} ({title})" if count == 1 else f"this machine, {count} x {title}"
    per_package = entry.devices_per_package if entry else 1
    target = Target(
        label=label,
        here=True,
        device=shown if count == 1 else "all",
        accelerator_id=entry.id if entry else "",
        devices=count,
        packages=count / per_package,
    )
    problem = ""
    if device.status is not Status.ok:
        problem = f"The driver reports the device as {device.status.value.replace('_', ' ')}."
    elif not torch_name:
        problem = framework_problem(machine, device, calibration)
    return Place(
        target,
        of_device(machine, device, entry, torch_name, calibration),
        problem,
        _notes(entry, how, count),
        device.memory_free_bytes.value,
    )


def _notes(entry: Accelerator | None, how: str, count: int) -> tuple[str, ...]:
    notes = [] if entry else [f"Catalogue: {how}."]
    if count > 1:
        notes.append("Several devices: weights and states cut over all of them (FSDP).")
    return tuple(notes)


def _torch_name(device: Device, calibration: Calibration | None) -> str:
    """The framework's name of a device: as joined by the probe, or by the calibration's UUIDs."""
    if device.framework_name.value:
        return device.framework_name.value
    uuid = device.uuid.value
    if calibration is not None and uuid:
        for name, known in calibration.device_uuids.items():
            if known.removeprefix("GPU-") == uuid.removeprefix("GPU-"):
                return name
    return ""


def _rows(book: RuleBook, workloads: Sequence[Workload], places: Sequence[Place]) -> list[_Row]:
    rows = []
    for asked in workloads:
        for place in places:
            workload = with_format(book, asked, place.inputs)
            base = of_workload(workload)
            for layout in layouts_of(workload):
                own = Inputs()
                own.put("micro_batch", layout.micro_batch, Kind.assumed, "stated by the recipe, or one")
                own.put("recompute", layout.recompute, Kind.assumed, "none if it fits, else full")
                several = place.target.devices > 1
                own.put("devices", float(place.target.devices), Kind.probed, place.target.label)
                own.put(
                    "sharding", "fsdp" if several else "none", Kind.assumed, "states cut over all devices"
                )
                inputs = known_only(book, on_device(base, place.inputs).update(own))
                rows.append(_Row(workload, place, layout, inputs))
    return rows


def _choose(table: Table, rows: Sequence[_Row]) -> list[int]:
    """Per workload and place the first set-up that fits; else the last, which needs least."""
    best: dict[tuple[str, str], int] = {}
    for index, row in enumerate(rows):
        key = (row.workload.id, row.place.target.label)
        before = best.get(key)
        if before is None or table.value("fits", before) != 1.0:
            best[key] = index
    return list(best.values())


def _estimate(  # noqa: PLR0913, PLR0917 - a row and what belongs to it
    book: RuleBook, table: Table, ranges: dict[str, Range], at: int, row: _Row, late_s: float
) -> Estimate:
    place, workload = row.place, row.workload
    quantities = _traced(quantities_of(book, table, ranges, at), f"{workload.id}/here/{place.target.device}")
    quantities |= kept_told(late_s)
    need, usable = quantities["memory_bytes"], quantities["memory_usable"]
    fits_value = table.value("fits", at)
    fits = None if fits_value is None else fits_value == 1.0
    why = [memory_sentence(need, usable, "the device" if place.target.device != "cpu" else "this machine")]
    limit = "" if fits else "memory" if fits is False else "unknown"
    notes = list(place.notes)
    if fits and place.problem:
        fits, limit = False, "framework"
    if place.problem:
        why.insert(0, place.problem)
    time = quantities.get("time_s", Quantity())
    if fits and time.value is None:
        limit = "unknown"
        why.append(f"Time is not known: {time.reason}.")
    kept = quantities[KEPT].value if KEPT in quantities else None
    late = late_sentence(time, kept, workload) if fits else ""
    if late:
        limit = "time"
        why.append(late)
    if place.free_bytes is not None and need.value is not None and fits and place.free_bytes < need.value:
        notes.append("Other programs hold so much of the memory now that it would not fit beside them.")
    if _input_bound(table, at):
        notes.append(
            "Decoding images on the processors takes longer than the arithmetic: the input sets the pace."
        )
    measured = table.value("measured_rate", at) is not None
    if not measured and table.value("measured_cnn_rate", at) is not None:
        notes.append(
            "The pictures measured here were too small for their rate to carry over to this network."
        )
    if not measured:
        notes += contended(row.inputs, workload)
    notes += input_notes(table, at, workload, "this machine")
    return Estimate(
        workload=workload.id,
        target=place.target,
        purpose="here",
        fits=fits,
        why=" ".join(why),
        limit=limit,
        choices=choices(table, at, row.workload, row.layout, place.target.devices),
        quantities=quantities,
        calibrated=measured,
        notes=tuple(notes),
    )


def contended(inputs: Inputs, workload: Workload) -> list[str]:
    """That a rate was measured beside other jobs, and is therefore not used."""
    family = "cnn" if workload.model.family == "cnn" else "decoder"
    reasons = [
        reason
        for name, reason in inputs.reasons.items()
        if name.startswith(f"cal_{family}_") and reason.startswith(RANGE_ONLY)
    ]
    told = (
        f"The rate measured here is not used ({reasons[0]}): calibrate again when it is quiet."
        if reasons
        else ""
    )
    return [told] if told else []


def input_notes(table: Table, at: int, workload: Workload, where: str) -> list[str]:
    """That the time leaves out what feeds images to the device, where nobody knows how long that takes."""
    if workload.model.family not in ("cnn", "vit") or table.value("input_s", at) is not None:
        return []
    return [f"Reading and decoding images is not included: not known for {where}."]


def _input_bound(table: Table, at: int) -> bool:
    fed, computed = table.value("input_s", at), table.value("compute_s", at)
    return fed is not None and computed is not None and fed > computed


def _traced(quantities: dict[str, Quantity], prefix: str) -> dict[str, Quantity]:
    return {
        name: quantity.model_copy(update={"trace": f"{prefix}/{name}"}) if name in TRACED else quantity
        for name, quantity in quantities.items()
    }


def choices(table: Table, at: int, workload: Workload, layout: Layout, devices: int) -> dict[str, str]:
    """What the estimate takes for granted about the set-up, as words."""
    found = words_of_choice(table, at, workload)
    found |= {"micro_batch": f"{layout.micro_batch:g}", "recompute": layout.recompute}
    if devices > 1:
        found["sharding"] = f"fsdp over {devices}"
    return found


def words_of_choice(table: Table, at: int, workload: Workload) -> dict[str, str]:
    """The number formats that are computed in and kept, as words."""
    asked = workload.recipe.precision
    lower = table.value("computes_16bit", at)
    precision, arithmetic = asked, ""
    if lower == 0.0 and asked not in ("fp32", "tf32"):
        if asked == "bf16" or workload.recipe.method in ("lora", "qlora"):
            arithmetic = "fp32"  # the memory counted is that of weights kept in the format asked for
        else:
            precision = "fp32"
    elif lower == 1.0 and asked == "bf16_mixed" and table.value("hw_peak_bf16", at) is None:
        precision = "fp16_mixed" if table.value("hw_peak_fp16", at) is not None else asked
    found = {"precision": precision}
    if arithmetic:
        found["arithmetic"] = arithmetic
    return found
