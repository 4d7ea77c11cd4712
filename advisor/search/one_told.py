"""The estimate of one row: its figures, whether it fits and why, and what must be known beside them."""

from __future__ import annotations

from advisor.data.unread import unread_note
from advisor.estimate import Range, Table, quantities_of
from advisor.estimate.inputs import Inputs
from advisor.rulebook import RuleBook
from advisor.schema import Estimate, Quantity, Workload
from advisor.search.grid import SetUp
from advisor.search.here import Place, contended, input_notes, words_of_choice
from advisor.search.nearby import Nearby
from advisor.search.on_chip import kind_of
from advisor.search.words import (
    devices_of_server,
    host_sentence,
    host_words,
    memory_sentence,
    positions_note,
    small_image_note,
    uneven_note,
    unrated_note,
)

_PRICES = {
    "rent_usd": "hw_price", "calendar_rent_usd": "hw_price", "spot_usd": "hw_spot_price",
    "calendar_spot_usd": "hw_spot_price",
}  # fmt: skip


def estimate_of(  # noqa: PLR0913, PLR0917 - a row and what belongs to it
    book: RuleBook,
    table: Table,
    ranges: dict[str, Range],
    workload: Workload,
    place: Place,
    chosen: SetUp,
    near: Nearby,
) -> Estimate:
    quantities = {
        name: _with_source(name, quantity, place.inputs)
        for name, quantity in quantities_of(book, table, ranges, 0).items()
    }
    _without_sums(quantities, place)
    need, usable, time = (quantities[name] for name in ("memory_bytes", "memory_usable", "time_s"))
    fits_value = table.value("fits", 0)
    fits = None if fits_value is None else fits_value == 1.0
    count = place.target.devices
    where = "the device" if count == 1 else f"each of {count} devices"
    why = [memory_sentence(need, usable, "this machine" if place.target.device == "cpu" else where)]
    limit = "" if fits else "memory" if fits is False else "unknown"
    host = quantities["host_bytes"].value or 0.0 if "host_bytes" in quantities else 0.0
    server = devices_of_server(count, table.value("hw_domain_devices", 0))
    if fits:
        why.insert(0, host_sentence(host, server))
    if place.problem:
        why.insert(0, place.problem)
        fits, limit = (False, "framework") if fits else (fits, limit)
    if time.value is None:
        why.append(f"Time is not known: {time.reason}.")
        limit = limit or "unknown"
    from_here = table.value("rate_here", 0) is not None
    return Estimate(
        workload=workload.id,
        target=place.target,
        purpose="here" if place.target.here else "fit",
        fits=fits,
        why=" ".join(filter(None, why)),
        limit=limit,
        choices={
            **words_of_choice(table, 0, workload),
            **chosen.words(),
            **({"host_memory": host_words(host, server)} if host > 0 else {}),
        },
        quantities=quantities,
        calibrated=any(table.value(name, 0) is not None for name in ("measured_rate", "timed_pass_1")),
        near=() if from_here or time.value is None else near.runs(0),
        notes=(
            *_notes(table, workload, place, chosen),
            *_unrated(time.reason, workload, place, near),
            *(() if from_here or time.value is None else near.notes(0)),
        ),
    )


def _without_sums(quantities: dict[str, Quantity], place: Place) -> None:
    """Takes out the memory of a GPU where networks do not stand in a device's own memory."""
    own = place.inputs.reasons.get("hw_memory_vendor", "")
    if not kind_of(place.inputs) or not own:
        return
    for name in [name for name, one in quantities.items() if one.unit == "B" and name != "memory_usable"]:
        if name != "memory_bytes":
            del quantities[name]
            continue
        told = {"value": None, "low": None, "high": None, "reason": f"the rules count that of GPUs; {own}"}
        quantities[name] = quantities[name].model_copy(update=told)


def _unrated(reason: str, workload: Workload, place: Place, near: Nearby) -> tuple[str, ...]:
    generation, target = str(place.inputs.values.get("generation") or ""), place.target
    ran = near.published is None or near.published.ran(generation, workload.model.family)
    note = unrated_note(reason, target.accelerator_id or target.label, ran)
    return (note,) if note else ()


def _with_source(name: str, quantity: Quantity, inputs: Inputs) -> Quantity:
    """Rents name the provider and date of the price."""
    price = _PRICES.get(name)
    if price is None or quantity.value is None:
        return quantity
    return quantity.model_copy(update={"source": inputs.sources[price][1]})


def _notes(table: Table, workload: Workload, place: Place, chosen: SetUp) -> tuple[str, ...]:
    notes = list(place.notes)
    limit, count = table.value("scale_limit", 0), place.target.devices
    if limit is not None and count > limit:
        notes.append(
            f"No published run here has more than {limit:g} such devices: beyond them it is a guess."
        )
    batch, replicas = chosen.batch or workload.recipe.global_batch, table.value("data_parallel", 0)
    if batch and replicas and (batch / replicas) % chosen.micro_batch:
        notes.append(
            f"A batch of {batch:g} does not part evenly into micro-batches of {chosen.micro_batch:g} on "
            f"{replicas:g} replicas; the estimate takes the mean."
        )
    notes += positions_note(workload)
    notes += uneven_note(workload, chosen)
    notes += small_image_note(workload)
    if unread := unread_note(workload.model):
        notes.append(unread)
    if table.value("measured_rate", 0) is None:
        notes += contended(place.inputs, workload)
    where = "this machine" if place.target.here else "a host of these devices"
    return (*notes, *input_notes(table, 0, workload, where))
