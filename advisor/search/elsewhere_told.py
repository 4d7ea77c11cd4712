"""What is said of a candidate of the catalogue: its figures, whether it does, and why not or not known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar

from advisor.data.accelerator import Accelerator
from advisor.estimate import Range, Table, said_plainly, why_unknown
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Quantity, Target, Workload
from advisor.search.elsewhere_space import Candidate, CatalogueSpace
from advisor.search.here import choices, input_notes
from advisor.search.layouts import DEVICE_COUNTS
from advisor.search.plan_time import kept_told
from advisor.search.words import label_of, late_sentence, memory_sentence

WANTED = ("time_s", "memory_bytes", "memory_usable", "rent_usd", "spot_usd", "energy_j")

SEVERAL = (
    "Several devices: weights and states cut over all of them (FSDP), no tensor or pipeline parallelism "
    "tried. Counts tried are powers of two, so one between may do."
)


class Reasons:
    """Why a quantity is unknown, asked once for each accelerator, family and quantity."""

    inputs: ClassVar = {
        "rent_usd": "hw_price",
        "spot_usd": "hw_spot_price",
        "energy_j": "hw_tdp",
    }  # beside the time

    def __init__(self, book: RuleBook, space: CatalogueSpace) -> None:
        self.book, self.space = book, space
        self.known: dict[tuple[int, str, str], str] = {}

    def of(self, candidate: Candidate, name: str) -> str:
        """One sentence without its full stop."""
        own = self.inputs.get(name)
        told = self.space.device_inputs[candidate.accelerator].reasons.get(own, "") if own else ""
        if told:
            return told
        key = self._key(candidate, name)
        if key not in self.known:
            self.learn([(candidate, name)])
        return self.known[key]

    def _key(self, candidate: Candidate, name: str) -> tuple[int, str, str]:
        asked = "time_s" if name in self.inputs else name
        return candidate.accelerator, self.space.jobs[candidate.workload].model.family, asked

    def learn(self, unknown: Iterable[tuple[Candidate, str]]) -> None:
        """The reasons of many unknown quantities at once: one table of one candidate each."""
        asked = {self._key(candidate, name): candidate for candidate, name in unknown}
        asked = {key: candidate for key, candidate in asked.items() if key not in self.known}
        if not asked:
            return
        table = self.space.told(list(asked.values()))
        for row, key in enumerate(asked):
            self.known[key] = said_plainly(why_unknown(self.book, table, row, key[2]))


def estimate_of(
    table: Table, ranges: dict[str, Range], at: int, candidate: Candidate, reasons: Reasons
) -> Estimate:
    space = reasons.space
    workload, device = space.workload(candidate), space.devices[candidate.accelerator]
    layout = space.layouts[int(space.layout[candidate.row])]
    count = DEVICE_COUNTS[int(space.count[candidate.row])]
    quantities = {name: _quantity(ranges[name], at, candidate, name, reasons) for name in WANTED}
    quantities |= kept_told(candidate.late_s)
    fits = table.value("fits", at)
    why, limit, answered = _verdict(workload, candidate, quantities, fits, count)
    unproved = _beyond_cards(device, count, table.value("scale_limit", at))
    if answered is False and unproved:
        why, limit, answered = f"{unproved} {why}", "unknown", None
    if lack := space.lacks.get((candidate.workload, candidate.accelerator)):
        why = f"{lack.name} does not run on it: that needs {lack.needs}."
        limit, answered = "framework", False
    packages = table.value("packages", at) or count
    notes = [SEVERAL] if count > 1 else []
    return Estimate(
        workload=workload.id,
        target=Target(
            label=label_of(device, count, packages),
            accelerator_id=device.id,
            devices=count,
            packages=packages,
        ),
        purpose=candidate.purpose,
        fits=answered,
        why=why,
        limit=limit,
        choices=choices(table, at, workload, layout, count),
        quantities={name: quantity for name, quantity in quantities.items() if name != "memory_usable"},
        notes=(*notes, *input_notes(table, at, workload, "a host of these devices")),
    )


def _beyond_cards(device: Accelerator, count: int, limit: float | None) -> str:
    """Why no more cards are estimated, where that is what ends the search; else ''."""
    if not device.card or device.unified or limit is None or 2 * count <= limit:
        return ""
    return f"More than {limit:g} PCIe cards are not estimated: too few published runs."


def _verdict(
    workload: Workload, candidate: Candidate, quantities: dict[str, Quantity], fits: float | None, count: int
) -> tuple[str, str, bool | None]:
    """Sentence, limit, and whether it answers (None: not known)."""
    where = "the device" if count == 1 else f"each of {count} devices"
    sentence = memory_sentence(quantities["memory_bytes"], quantities["memory_usable"], where)
    time = quantities["time_s"]
    if fits is None:
        return sentence, "unknown", None
    if candidate.purpose == "fit" and not candidate.answered:
        return f"{sentence} No count within published scale and batch is enough.", "memory", False
    if time.value is None:
        answered = True if candidate.purpose == "fit" else None
        return f"{sentence} Time is not known: {time.reason}.", "unknown", answered
    if candidate.purpose == "deadline" and not candidate.answered:
        late = late_sentence(time, candidate.late_s, workload)
        return f"Even {count} devices, the most within published scale and batch: {late}", "time", False
    return sentence, "", True


def _quantity(span: Range, at: int, candidate: Candidate, name: str, reasons: Reasons) -> Quantity:
    space = reasons.space
    value, low, high = (float(values[at]) for values in span)
    unit = space.book.unit_of(name)
    if math.isnan(value):
        return Quantity(unit=unit, reason=reasons.of(candidate, name))
    price = {"rent_usd": "hw_price", "spot_usd": "hw_spot_price"}.get(name)
    source = space.device_inputs[candidate.accelerator].sources[price][1] if price else ""
    return Quantity(value=value, low=low, high=high, unit=unit, source=source)
