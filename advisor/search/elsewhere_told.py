"""What is said of a candidate of the catalogue: its figures, whether it does, and why not or not known."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from typing import ClassVar

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import price_source
from advisor.estimate import Range, Table, said_plainly, why_unknown
from advisor.published import Published
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Quantity, Target, Workload
from advisor.search.elsewhere_space import Candidate, CatalogueSpace
from advisor.search.formats import PLAIN, unrated_16bit
from advisor.search.here import choices, input_notes
from advisor.search.layouts import DEVICE_COUNTS
from advisor.search.plan_prices import NO_PRICE, offer_of
from advisor.search.plan_time import kept_told
from advisor.search.words import label_of, late_sentence, memory_sentence

WANTED = ("time_s", "memory_bytes", "memory_usable", "rent_usd", "spot_usd", "energy_j")

_PRICED = {"rent_usd": "on_demand", "calendar_rent_usd": "on_demand", "spot_usd": "spot"}

SEVERAL = (
    "Several devices: weights and states cut over all of them (FSDP), no tensor or pipeline parallelism "
    "tried. Counts tried are powers of two, so one between may do."
)


class Reasons:
    """Why a quantity is unknown, asked once for each accelerator, family and quantity."""

    inputs: ClassVar = {
        "rent_usd": "hw_price",
        "calendar_rent_usd": "hw_price",
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
    quantities |= _whole(ranges, at, candidate, reasons)
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


def _whole(ranges: dict[str, Range], at: int, candidate: Candidate, reasons: Reasons) -> dict[str, Quantity]:
    """Time and rent of the whole run and what it keeps to, of what does what the purpose asks."""
    found = kept_told(candidate.late_s)
    if not candidate.answered or not found:
        return found
    names = [name for name in ("calendar_s", "calendar_rent_usd") if name in ranges]
    told = {name: _quantity(ranges[name], at, candidate, name, reasons) for name in names}
    return found | {name: one for name, one in told.items() if one.value is not None}


def behind_of(
    space: CatalogueSpace, kept: Sequence[Candidate], published: Published | None, today: datetime.date
) -> list[tuple[str, ...]]:
    """Why the cost of each leads nothing, in the words of a plan's options (`PlanOption`)."""
    if published is not None and published.own == frozenset(range(len(published.ids))):
        published = None  # nothing is known of what others ran
    found = []
    for one in kept:
        job, entry = space.jobs[one.workload], space.devices[one.accelerator]
        count = DEVICE_COUNTS[int(space.count[one.row])]
        offer = offer_of(entry, count)
        asked = entry.generation, job.model.family, job.recipe.method
        slow = job.recipe.precision not in PLAIN and unrated_16bit(space.device_inputs[one.accelerator])
        holds = {
            "unrated": slow,
            "old": offer is not None and offer.is_old(today),
            "unsure": offer is not None and math.ceil(count / entry.devices_per_package) > offer.sure,
            "untried": published is not None and not published.ran(*asked),
        }
        found.append(tuple(word for word, true in holds.items() if true))
    return found


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
    price = _PRICED.get(name)
    count = DEVICE_COUNTS[int(space.count[candidate.row])]
    offer = offer_of(space.devices[candidate.accelerator], count, price) if price else None
    if math.isnan(value):
        reason = reasons.of(candidate, name)
        return Quantity(unit=unit, reason=reason or (NO_PRICE if price and offer is None else ""))
    source = price_source(offer) if offer else ""
    return Quantity(value=value, low=low, high=high, unit=unit, source=source)
