"""What the rules say of a set-up on this machine's device, and what of it would fit in what is free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from advisor.calibrate.join import host_free
from advisor.data.catalogue import Catalogue
from advisor.data.match import match_device
from advisor.errors import NothingFits
from advisor.estimate import evaluate, evaluate_ranges, quantities_of
from advisor.estimate.inputs import Inputs, known_only, table_of
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Calibration, Device, Machine, Quantity
from advisor.search.inputs import of_cpu, of_device
from advisor.search.nearby import with_neighbours
from advisor.search.timed import timed_inputs, timed_of, timed_parts
from advisor.trial.parts import parts_of
from advisor.trial.setup import SetUp
from advisor.units import show

WANTED = ("optimizer_step_s", "memory_bytes", "allocated_bytes", "reserved_bytes", "params")


@dataclass(frozen=True)
class Place:
    """The device that trains: torch's name, what the rules know of it, and what is free there."""

    name: str  # torch's: "cpu", "cuda:0"
    title: str
    vendor: str
    inputs: Inputs
    accelerator_id: str = ""
    free_bytes: int | None = None

    @property
    def is_cpu(self) -> bool:
        """Whether the processors train."""
        return self.name == "cpu"


@dataclass(frozen=True)
class Knows:
    """Rules, catalogue, published runs, and what was measured of this machine before."""

    book: RuleBook
    catalogue: Catalogue
    published: Published | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Told:
    """Step time and memory by the rules; a rule that says nothing gives the reason."""

    quantities: dict[str, Quantity] = field(default_factory=dict)
    parts: Mapping[str, float] = field(default_factory=dict)  # seconds of a step by group of operators
    precision: str = ""  # that the rules take instead of the one asked for; "": the one asked for

    def get(self, name: str) -> Quantity:
        """A quantity, unknown where no rule gives it."""
        return self.quantities.get(name, Quantity(reason="no rule gives it"))


def place_of(knows: Knows, machine: Machine, name: str, uuid: str, title: str) -> Place:
    """What is known of the device that torch calls `name`."""
    if name == "cpu":
        model = machine.cpu.model.value or "processors"
        return Place("cpu", model, "cpu", of_cpu(machine, knows.calibration), "", host_free(machine))
    device = _probed(machine, name, uuid)
    if device is None:
        device = Device(index=0, kind="gpu", vendor="other")
        return Place(name, title, "other", of_device(machine, device, None, name, knows.calibration))
    entry, _ = match_device(knows.catalogue, device)
    return Place(
        name, title or device.name.value or "", device.vendor,
        of_device(machine, device, entry, name, knows.calibration),
        entry.id if entry else "", device.memory_free_bytes.value,
    )  # fmt: skip


def _probed(machine: Machine, name: str, uuid: str) -> Device | None:
    """The probed device with this UUID, else with torch's name; None where the probe saw no such."""
    plain = uuid.removeprefix("GPU-")
    for device in machine.devices:
        if plain and (device.uuid.value or "").removeprefix("GPU-").removeprefix("MIG-") == plain:
            return device
    return next((d for d in machine.devices if d.framework_name.value == name), None)


def tell(knows: Knows, place: Place, setups: Sequence[SetUp]) -> list[Told]:
    """What the rules say of each set-up."""
    book = knows.book
    calibration = knows.calibration
    rows = [
        known_only(
            book,
            place.inputs.update(setup.inputs(accelerated=not place.is_cpu)).update(
                timed_inputs(calibration, place.name, setup.document, book)
            ),
        )
        for setup in setups
    ]
    wanted = [name for name in WANTED if name in book.quantities]
    more = [name for name in ("computes_16bit",) if name in book.quantities]
    table = evaluate(book, table_of(book, rows), [*wanted, *more])
    near = with_neighbours(
        book, knows.published, table, [s.workload.model.id for s in setups],
        [place.accelerator_id] * len(setups),
    )  # fmt: skip
    full = evaluate(book, near.table)
    ranges = evaluate_ranges(book, full, wanted)
    found = []
    for at, setup in enumerate(setups):
        asked = setup.workload.recipe.precision
        slow = full.value("computes_16bit", at) == 0.0 and asked not in ("fp32", "tf32")
        told = quantities_of(book, full, ranges, at)
        here = timed_of(calibration, place.name, book)
        timed = timed_parts(here, setup.document, float(setup.micro_batch), setup.accumulate)
        found.append(Told(told, timed or parts_of(full, at), "fp32" if slow else ""))
    return found


def upper(quantity: Quantity) -> float | None:
    """The upper end of a quantity's range, else its value."""
    return quantity.high if quantity.high is not None else quantity.value


def require_room(knows: Knows, place: Place, setup: SetUp, told: Told, free: float | None) -> float | None:
    """Bytes that the trial may take at most. Raises NothingFits when so much is not free."""
    need = upper(told.get("memory_bytes"))
    if need is None or free is None or need <= free:
        return need
    raise does_not_fit(knows, place, setup, need, free)


def does_not_fit(knows: Knows, place: Place, setup: SetUp, need: float, free: float) -> NothingFits:
    """The refusal, with the largest smaller trial that would fit."""
    return NothingFits(
        f"{setup.workload.model.title}: this trial may take up to {show(need, 'B')}, and {place.title} has "
        f"{show(free, 'B')} free",
        _smaller(knows, place, setup, free),
    )


def _smaller(knows: Knows, place: Place, setup: SetUp, free: float) -> str:
    """Which smaller micro-batch, which depth, or which of both would fit."""
    passes = [m for m in _halves(setup.micro_batch) if setup.batch % m == 0]
    half = 0 if setup.layers is None else setup.layers // 2
    depths = [half, *_halves(half)] if half else []
    least = min(passes, default=setup.micro_batch)
    tried = {f"--micro-batch {m}": setup.with_micro_batch(m) for m in passes}
    tried |= {f"--layers {k}": setup.with_layers(2 * k) for k in depths}
    tried |= {
        f"--micro-batch {least} --layers {k}": setup.with_layers(2 * k).with_micro_batch(least)
        for k in depths
    }
    needs = (
        [upper(one.get("memory_bytes")) for one in tell(knows, place, list(tried.values()))] if tried else []
    )
    fits = [flags for flags, need in zip(tried, needs, strict=True) if need is not None and need <= free]
    alone = [next((f for f in fits if f.startswith(start)), "") for start in ("--micro", "--layers")]
    offers = list(dict.fromkeys(offer for offer in alone if offer))
    if not offers:
        shorter = "--seq-len" if setup.in_tokens else "--image-size"
        return f"Give a smaller --batch or {shorter}, or --recompute full."
    more = " (--layers trains K and 2K layers and extrapolates)" if any("--l" in o for o in offers) else ""
    return f"This would fit: {' or '.join(offers)}{more}."


def _halves(most: int) -> list[int]:
    """most/2, most/4 … 1, largest first."""
    found = []
    while most > 1:
        most //= 2
        found.append(most)
    return found
