"""Which figure counts: of one with a range, and of the many that a calibration holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from advisor.schema import Calibration, Grade, Measurement, Quantity

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


def ends(figure: Quantity | None) -> tuple[float, float]:
    """Lower and upper end of a figure; a figure without a range is both. Infinite where there is none."""
    middle = or_inf(point(figure))
    low, high = (None, None) if figure is None else (figure.low, figure.high)
    return (middle if low is None else min(low, middle)), (middle if high is None else max(high, middle))


def or_inf(value: float | None) -> float:
    """A figure to order by: what is not known comes last."""
    return float("inf") if value is None else value


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
