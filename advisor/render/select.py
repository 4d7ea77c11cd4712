"""What of an Advice stands where: picks and orders, computes nothing.

The only arithmetic here compares figures that are there (is the time within the deadline, which is the
largest) and forms the ratio of two measured figures of the same bench.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from advisor.schema import (
    Accelerator,
    Advice,
    Calibration,
    Device,
    Estimate,
    Grade,
    Measurement,
    NearRun,
    Quantity,
    Status,
    Workload,
)

DAY_S = 86400.0
PRICE_OLD_DAYS = 180
TABLES_PAGED = 2
DTYPES = ("fp32", "tf32", "bf16", "fp16", "fp8", "int8")
TRAINING_DTYPES = ("bf16", "fp16", "tf32", "fp32")
PLACES = ("one_core", "all_cores", "device")


def point(figure: Measurement | Quantity | None) -> float | None:
    """The figure, or the cautious end of its range when there is only a range."""
    if figure is None:
        return None
    return figure.value if figure.value is not None else figure.low


def best(measurements: Iterable[Measurement]) -> Measurement | None:
    """The one with the largest figure; for rates, where more is better."""
    known = [m for m in measurements if point(m) is not None]
    return max(known, key=lambda m: point(m) or 0.0, default=None)


# --- calibration ------------------------------------------------------------------------------


def find(
    calibration: Calibration | None, bench: str, device: str | None = None, **params: object
) -> tuple[Measurement, ...]:
    """Like Calibration.find, and empty when nothing was calibrated."""
    return () if calibration is None else calibration.find(bench, device, **params)


def compute_devices(calibration: Calibration | None) -> tuple[str, ...]:
    """Devices that did arithmetic, accelerators first."""
    if calibration is None:
        return ()
    seen = dict.fromkeys(
        m.device for m in calibration.measurements if m.bench in ("matmul", "memory_bandwidth")
    )
    return tuple(sorted(seen, key=lambda name: (name == "cpu", name)))


def main_device(advice: Advice) -> str:
    """The device a training job would use here: the first accelerator measured or seen, else "cpu"."""
    for name in compute_devices(advice.calibration):
        return name
    for device in usable_devices(advice):
        if device.framework_name.value:
            return device.framework_name.value
    return "cpu"


def best_matmul(
    calibration: Calibration | None, device: str, dtypes: Iterable[str] = TRAINING_DTYPES
) -> Measurement | None:
    """The fastest matrix product of a device in a number format that training uses."""
    return best(m for m in find(calibration, "matmul", device) if m.params.get("dtype") in tuple(dtypes))


def best_bandwidth(calibration: Calibration | None, device: str) -> Measurement | None:
    """The highest memory bandwidth seen on a device."""
    return best(find(calibration, "memory_bandwidth", device))


def grouped(calibration: Calibration) -> dict[str, list[Measurement]]:
    """device -> its measurements, accelerators first, in the order in which they were made."""
    order = sorted(
        dict.fromkeys(m.device for m in calibration.measurements),
        key=lambda name: (name in ("host", "disk"), name == "cpu", name),
    )
    return {name: [m for m in calibration.measurements if m.device == name] for name in order}


def grade_counts(calibration: Calibration) -> dict[str, int]:
    """Grade -> how many measurements have it."""
    return {grade.value: sum(m.grade == grade for m in calibration.measurements) for grade in Grade}


@dataclass(frozen=True)
class TaskRow:
    """One of the tasks that explain it all, at the places where it ran."""

    task: str  # serial_task, image_filter, matrix_product
    places: Mapping[str, Measurement]  # one_core, all_cores, device

    def ratio(self, place: str) -> float | None:
        """How many times faster than one core; None when either is a range or not there."""
        one, other = self.places.get("one_core"), self.places.get(place)
        if one is None or other is None or not one.value or other.value is None:
            return None
        return other.value / one.value


def tasks(calibration: Calibration | None) -> tuple[TaskRow, ...]:
    """The serial task and the two parallel ones, as far as they were measured."""
    rows = []
    for task, bench, params in (
        ("serial_task", "serial_task", {}),
        ("image_filter", "parallel_task", {"op": "image_filter"}),
        ("matrix_product", "parallel_task", {"op": "matrix_product"}),
    ):
        places = {}
        for place in PLACES:
            found = best(find(calibration, bench, None, where=place, **params))
            if found is not None:
                places[place] = found
        if places:
            rows.append(TaskRow(task, places))
    return tuple(rows)


def places(rows: Iterable[TaskRow], *, accelerator: bool) -> tuple[str, ...]:
    """The places worth a column: where something ran, and where it should have."""
    ran = {place for row in rows for place in row.places}
    return tuple(
        place
        for place in PLACES
        if place in ran or place == "one_core" or (place == "device" and accelerator)
    )


# --- devices and catalogue --------------------------------------------------------------------


def usable_devices(advice: Advice) -> tuple[Device, ...]:
    """Accelerators that answered."""
    if advice.machine is None:
        return ()
    return tuple(d for d in advice.machine.devices if d.status == Status.ok)


def unseen_devices(advice: Advice) -> tuple[Device, ...]:
    """Accelerators that the driver has and no framework sees, where a framework was asked."""
    machine = advice.machine
    if machine is None or not any(f.sees.known for f in machine.software.frameworks):
        return ()
    return tuple(d for d in usable_devices(advice) if d.framework_name.value is None)


def references(advice: Advice, count: int = 3) -> tuple[Accelerator, ...]:
    """Catalogue devices to compare with, slowest first: those the report recommends, then priced ones."""
    known = {a.id: a for a in advice.accelerators if point(a.figures.get("matmul_bf16_flops"))}

    def speed(name: str) -> float:
        return point(known[name].figures["matmul_bf16_flops"]) or 0.0

    choices = [cheapest(advice, workload) for workload in advice.workloads]
    named = dict.fromkeys(choice.target.accelerator_id for choice in choices if choice)
    chosen = [name for name in named if name in known][:count]
    rest = [name for name in known if name not in chosen and "rent_usd_per_h" in known[name].figures]
    rest.sort(key=lambda name: (speed(name), name))
    missing = count - len(chosen)
    if missing > 0 and rest:
        places = [round(step * (len(rest) - 1) / max(1, missing - 1)) for step in range(missing)]
        chosen += dict.fromkeys(rest[place] for place in places)
    return tuple(known[name] for name in sorted(chosen, key=lambda name: (speed(name), name)))


# --- estimates --------------------------------------------------------------------------------


def deadline_s(workload: Workload) -> float | None:
    """The workload's time limit in seconds."""
    return None if workload.deadline_days is None else workload.deadline_days * DAY_S


def state(estimate: Estimate | None, workload: Workload) -> str:
    """in_time, perhaps, slow, fits (time or limit unknown), no, or unknown.

    A deadline is met where the upper end of the time's 80 % range (nine runs in ten end before it) is within
    it, missed where the lower end is beyond it, and between these it is open: "perhaps".
    """
    if estimate is None or estimate.fits is None:
        return "unknown"
    if not estimate.fits:
        return "no"
    time, limit = run_time(estimate), deadline_s(workload)
    if point(time) is None or limit is None:
        return "fits"
    early, late = ends(time)
    return "in_time" if late <= limit else "slow" if early > limit else "perhaps"


def run_time(estimate: Estimate) -> Quantity | None:
    """How long a run takes: from its start to its last step where that is known, else its steps alone."""
    calendar = estimate.quantities.get("calendar_s")
    return calendar if point(calendar) is not None else estimate.quantities.get("time_s")


def ends(figure: Quantity | None) -> tuple[float, float]:
    """Lower and upper end of a figure; a figure without a range is both. Infinite where there is none."""
    middle = _or_inf(point(figure))
    low, high = (None, None) if figure is None else (figure.low, figure.high)
    return (middle if low is None else min(low, middle)), (middle if high is None else max(high, middle))


_STATES = ("in_time", "fits", "perhaps", "slow", "unknown", "no")


def here(advice: Advice, workload: Workload) -> tuple[Estimate, ...]:
    """Estimates of a workload on this machine's devices, the best first."""
    found = [e for e in advice.estimates if e.workload == workload.id and e.target.here]
    return tuple(sorted(found, key=lambda e: (_STATES.index(state(e, workload)), _time(e), e.target.device)))


def best_here(advice: Advice, workload: Workload) -> Estimate | None:
    """The best this machine can do for a workload."""
    found = here(advice, workload)
    return found[0] if found else None


REFUSALS = ("framework", "precision", "memory", "unknown")


def refusal(advice: Advice, workload: Workload) -> Estimate | None:
    """The estimate that says why a workload cannot run here, the nearest to mending first.

    None when some device here can run it. `Estimate.limit` of what is returned names the reason; a
    device that no framework sees comes before one whose memory is too small, for software can be had.
    """
    found = here(advice, workload)
    if not found or any(e.fits for e in found):
        return None
    return min(found, key=lambda e: REFUSALS.index(refused_by(e)))


def refused_by(estimate: Estimate) -> str:
    """One of REFUSALS; only a plain "memory" (or a reason nobody gave) counts as memory."""
    if estimate.fits is None:
        return "unknown"
    return estimate.limit if estimate.limit in REFUSALS else "memory"


def _time(estimate: Estimate) -> float:
    return _or_inf(point(run_time(estimate)))


def _rent(estimate: Estimate | None) -> float:
    return _or_inf(point(estimate.quantities.get("rent_usd")) if estimate else None)


def _or_inf(value: float | None) -> float:
    return float("inf") if value is None else value


@dataclass(frozen=True)
class CatalogueRow:
    """One accelerator for one workload: fewest that hold it, and fewest that meet its deadline."""

    accelerator_id: str
    title: str
    fit: Estimate | None
    deadline: Estimate | None


def catalogue(advice: Advice, workload: Workload) -> tuple[CatalogueRow, ...]:
    """Catalogue estimates of a workload, those that meet the deadline for the least rent first."""
    titles = {a.id: a.title for a in advice.accelerators}
    rows: dict[str, dict[str, Estimate]] = {}
    for estimate in advice.estimates:
        if estimate.workload == workload.id and not estimate.target.here:
            key = estimate.target.accelerator_id or estimate.target.label
            rows.setdefault(key, {})[estimate.purpose] = estimate
    found = [
        CatalogueRow(key, titles.get(key, key), pair.get("fit"), pair.get("deadline"))
        for key, pair in rows.items()
    ]
    return tuple(
        sorted(found, key=lambda r: (not _answers(r.deadline), _rent(r.deadline), _rent(r.fit), r.title))
    )


def room(advice: Advice, estimate: Estimate) -> float | None:
    """Memory of one device of an estimate's target in bytes: what is usable, else what is listed."""
    usable = point(estimate.quantities.get("memory_usable"))
    if usable is not None:
        return usable
    for accelerator in advice.accelerators:
        if accelerator.id == estimate.target.accelerator_id:
            return point(accelerator.figures.get("memory_bytes"))
    return None


def tight(advice: Advice, estimate: Estimate) -> bool:
    """Whether it fits by the estimate and would not by the upper end of its range."""
    need, there = estimate.quantities.get("memory_bytes"), room(advice, estimate)
    if not estimate.fits or need is None or need.high is None or there is None:
        return False
    return need.high > there


def _answers(estimate: Estimate | None) -> bool:
    return estimate is not None and bool(estimate.fits)


def cheapest(advice: Advice, workload: Workload) -> Estimate | None:
    """The catalogue choice that meets the deadline (or, with none, just fits) for the least rent."""
    rows = catalogue(advice, workload)
    for candidates in ([row.deadline for row in rows], [row.fit for row in rows]):
        found = [e for e in candidates if e is not None and e.fits and _rent(e) < float("inf")]
        if found:
            return min(found, key=lambda e: (_rent(e), _time(e), e.target.label))
    return None


def nearest(advice: Advice, count: int) -> list[tuple[Estimate, NearRun]]:
    """Estimates of this machine and of the cheapest choices, each with the published run nearest to it.

    At most `count`, and no published run twice: what stands behind several estimates is told once.
    """
    found: list[tuple[Estimate, NearRun]] = []
    for workload in advice.workloads:
        for estimate in (best_here(advice, workload), cheapest(advice, workload)):
            for run in estimate.near[:1] if estimate else ():
                if run.id not in {other.id for _, other in found} and estimate is not None:
                    found.append((estimate, run))
    return found[:count]


# --- dates of prices --------------------------------------------------------------------------

_DATE = re.compile(r"\b(20\d\d)-(\d\d)(?:-(\d\d))?\b")


def date_in(text: str) -> date | None:
    """The first date written in a text as 2026-09-17 or 2026-09 (then its first day)."""
    for year, month, day in _DATE.findall(text):
        try:
            return date(int(year), int(month), int(day or 1))
        except ValueError:  # 2026-13: no date after all, a later one in the text may be
            continue
    return None


def created(advice: Advice) -> datetime | None:
    """When the advice was made; None when it does not say."""
    for text in (advice.created_at, advice.machine.probed_at if advice.machine else ""):
        try:
            return datetime.fromisoformat(text)
        except ValueError:  # the next source may know
            continue
    return None


def old_price(advice: Advice, quantity: Quantity | None) -> int | None:
    """Age in days of a price older than PRICE_OLD_DAYS when the advice was made; else None."""
    if quantity is None or not quantity.unit.startswith("USD"):
        return None
    dated, now = date_in(quantity.source), created(advice)
    if dated is None or now is None:
        return None
    age = (now.date() - dated).days
    return age if age > PRICE_OLD_DAYS else None


def old_rent(advice: Advice, estimate: Estimate | None) -> int | None:
    """Age in days of the listed price behind an estimate's rent, if it is old."""
    if estimate is None:
        return None
    for accelerator in advice.accelerators:
        if accelerator.id == estimate.target.accelerator_id:
            return old_price(advice, accelerator.figures.get("rent_usd_per_h"))
    return None


def prices(advice: Advice, rows: int, *, paged: bool) -> tuple[tuple[str, Quantity, int | None], ...]:
    """(accelerator title, rent per hour, age in days if old) for the devices that a report prices.

    On paper those of the cheapest choices alone; on screen all in the printed rows.
    """
    shown = {e.target.accelerator_id for w in advice.workloads if (e := cheapest(advice, w)) is not None}
    for workload in () if paged else advice.workloads:
        shown |= {row.accelerator_id for row in catalogue(advice, workload)[:rows]}
    return tuple(
        (accelerator.title, rent, old_price(advice, rent))
        for accelerator in advice.accelerators
        if accelerator.id in shown
        and (rent := accelerator.figures.get("rent_usd_per_h")) is not None
        and rent.value is not None
    )


def tabled(advice: Advice, *, paged: bool) -> tuple[Workload, ...]:
    """The workloads whose devices are listed: all on screen; on paper the first ones beyond it."""
    if not paged:
        return advice.workloads
    beyond = [w for w in advice.workloads if state(best_here(advice, w), w) not in ("in_time", "fits")]
    return tuple((beyond or list(advice.workloads))[:TABLES_PAGED])
