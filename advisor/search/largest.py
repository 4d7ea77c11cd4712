"""The largest that fits on one device by the memory rules, what each remedy buys, and what it costs.

Memory grows with micro-batch, length and network, so the largest that fits is found by halving the list of
sizes, of all remedies at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from advisor.estimate import evaluate, evaluate_ranges
from advisor.estimate.inputs import Inputs, known_only, table_of
from advisor.model.traced import at_lengths
from advisor.rulebook import RuleBook
from advisor.schema import Kind, Model, Workload
from advisor.schema.largest import LargestFit
from advisor.search.inputs import of_workload
from advisor.search.remedies import COUNTS, OF_TOKENS, PLAIN, Remedy, alone, together
from advisor.search.words import devices_of_server

MOST_SAMPLES = 1 << 20
MOST_TOKENS = 1 << 20
MOST_TOGETHER, MOST_SHARED = 3, 2  # sets of remedies that are told of a kind, on one device and on several
_MORE = 1.25  # a set of remedies that costs more is told where it allows so many times as much
_SOURCE = "tried: the largest that fits"
_STEPS = 8  # sizes of a network from one to ten times as many weights, where they alone are known
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Largest:
    """What one remedy allows. None: not even the smallest size fits, or (with `reason`) not known.

    `micro_batch` at the workload's own length, `seq_len` at one sample; `sure_…` the same at the upper end of
    the memory's range. `model`: the largest of the family's presets, one sample at a time. `capped`: larger
    ones were not tried. `cost`: device time for each sample over that without any remedy, the micro-batch
    the same; None: not known. `host`, `model_host`: bytes that are offloaded to one server's memory, of the
    workload's own network and of `model`.
    """

    remedy: Remedy
    micro_batch: int | None = None
    sure_micro_batch: int | None = None
    seq_len: int | None = None
    sure_seq_len: int | None = None
    capped: bool = False
    reason: str = ""
    cost: float | None = None
    model: str | None = None
    model_params: float | None = None
    host: float | None = None
    model_host: float | None = None


class _Ask(NamedTuple):
    """Everything that the rows of the tables have in common."""

    book: RuleBook
    base: Inputs
    usable: float | None
    host: float | None = None  # bytes that a server has for what is offloaded

    def fits(self, rows: list[Inputs]) -> tuple[Floats, Floats, Floats]:
        """What is needed, the same at the upper end, and what there is; NaN: not known.

        Endless where the server's memory is known and too small for what is offloaded to it.
        """
        found = evaluate_ranges(self.book, table_of(self.book, rows), ["memory_bytes", "memory_usable"])
        need, usable = found["memory_bytes"], found["memory_usable"].value
        lacks = self.offloaded(rows) > self.host if self.host is not None else np.zeros(len(rows), bool)
        middle, high = (np.where(lacks, np.inf, size) for size in (need.value, need.high))
        return middle, high, usable if self.usable is None else np.full(len(rows), self.usable)

    def offloaded(self, rows: list[Inputs]) -> Floats:
        """Bytes in the memory of one server; NaN: not known."""
        if "host_bytes" not in self.book.quantities:
            return np.full(len(rows), np.nan)
        table = evaluate(self.book, table_of(self.book, rows), ["host_bytes"], keep_all=False)
        return table.columns["host_bytes"] * [_server(row) for row in rows]


def fit_of(one: Largest, host: float | None) -> LargestFit:
    """The same as it is written to a file. `host`: bytes that a server has, where that is known."""
    return LargestFit(
        remedy=one.remedy.name, columns=dict(one.remedy.columns), devices=one.remedy.devices,
        micro_batch=one.micro_batch, sure_micro_batch=one.sure_micro_batch,
        seq_len=one.seq_len, sure_seq_len=one.sure_seq_len, capped=one.capped,
        reason=one.reason, time_ratio=one.cost, model=one.model, model_params=one.model_params,
        host_bytes=one.host, model_host_bytes=one.model_host,
        host_has_bytes=host if "offload" in one.remedy.columns else None,
    )  # fmt: skip


def _server(row: Inputs) -> float:
    """Devices of a set-up that share a host."""
    domain = row.values.get("hw_domain_devices")
    devices = row.values.get("devices")
    return devices_of_server(
        devices if isinstance(devices, float) else 1.0, domain if isinstance(domain, float) else None
    )


def largest(  # noqa: PLR0913 - the question, and what is known
    book: RuleBook,
    workload: Workload,
    place: Inputs,
    usable_bytes: float | None = None,
    remedies: Sequence[Remedy] | None = None,
    *,
    counts: Sequence[int] = COUNTS,
    presets: Mapping[str, Model] | None = None,
    traced: Sequence[Model] = (),
    host: float | None = None,
) -> list[Largest]:
    """What each remedy allows of a workload on one kind of device, whose columns `place` holds: first none,
    then the cheapest in time; of those that go together the ones that allow more than what is cheaper.

    `usable_bytes`: what may be taken of it, where that is less than what the device has. `counts`: numbers of
    devices to share the network. `presets`: networks to find the largest of the family among. `traced`: the
    network traced at three lengths, shortest first; it takes none above the last where that is its own.
    `host`: bytes of a server's memory, which bound what is offloaded; None: not known, not checked.
    """
    single = list(remedies) if remedies is not None else alone(workload, place, counts)
    known = [*single, *([] if remedies is not None else together(single))]
    ask = _Ask(book, of_workload(workload).update(place), usable_bytes, host)
    found = _allowed(ask, workload, known, traced)
    found = _hosted(ask, _worth(_costed(ask, workload, found), len(single)))
    return _with_models(ask, workload, place, found, presets or {})


def _allowed(
    ask: _Ask, workload: Workload, known: Sequence[Remedy], traced: Sequence[Model]
) -> list[Largest]:
    most = int(workload.model.numbers.get("traced_most_samples") or MOST_SAMPLES)
    batches, lengths = _doubled(1, most), _lengths(workload, traced)
    numbers = at_lengths(traced) if traced else None

    def of_batch(at: int, size: int) -> Inputs:
        return _row(ask.book, ask.base, known[at], float(size), None)

    def of_length(at: int, size: int) -> Inputs:
        base = ask.base
        if numbers is not None:
            base = base.update(Inputs())
            for name, value in numbers(size).items():
                base.put(name, value, Kind.published, "traces at three lengths")
        return _row(ask.book, base, known[at], 1.0, float(size))

    need, _, room = ask.fits([of_batch(at, 1) for at in range(len(known))])
    micro, sure = (_halved(ask, len(known), batches, of_batch, upper=upper) for upper in (False, True))
    longest, sure_longest = (
        _halved(ask, len(known), lengths, of_length, upper=upper) if lengths else [None] * len(known)
        for upper in (False, True)
    )
    return [
        Largest(
            remedy,
            micro[at],
            sure[at],
            longest[at],
            sure_longest[at],
            micro[at] == batches[-1] or bool(lengths and longest[at] == lengths[-1]),
            "memory is not known" if np.isnan(need[at]) or np.isnan(room[at]) else "",
        )
        for at, remedy in enumerate(known)
    ]


def _halved(
    ask: _Ask, many: int, sizes: Sequence[int], row: Callable[[int, int], Inputs], *, upper: bool
) -> list[int | None]:
    """Of each remedy the largest size that fits; None: not even the first does."""
    low, high = np.full(many, -1), np.full(many, len(sizes))  # fits; does not fit
    while (open_ := np.flatnonzero(high - low > 1)).size:
        middle = (low + high) // 2
        need, end, room = ask.fits([row(int(at), sizes[middle[at]]) for at in open_])
        fit = (end if upper else need) <= room
        low[open_[fit]] = middle[open_[fit]]
        high[open_[~fit]] = middle[open_[~fit]]
    return [sizes[at] if at >= 0 else None for at in low]


def _hosted(ask: _Ask, found: list[Largest]) -> list[Largest]:
    """With what offloading puts into the memory of a server."""
    rows = [_row(ask.book, ask.base, one.remedy, 1.0, None) for one in found]
    return [
        replace(one, host=float(size)) if "offload" in one.remedy.columns and size > 0 else one
        for one, size in zip(found, ask.offloaded(rows), strict=True)
    ]


def _costed(ask: _Ask, workload: Workload, found: list[Largest]) -> list[Largest]:
    """With the device time of a sample, over that of the first, at the micro-batch that the first allows."""
    if "samples_per_s" not in ask.book.quantities:
        return found
    whole = max(workload.recipe.global_batch or 1.0, 1.0)
    micro = float(max(1, min(found[0].micro_batch or 1, whole)))
    rows = []
    for one in found:
        row = _row(ask.book, ask.base, one.remedy, micro, None)
        pass_ = micro * one.remedy.devices
        row.put("global_batch", pass_ * max(1.0, round(whole / pass_)), Kind.assumed, _SOURCE)
        rows.append(row)
    table = evaluate(ask.book, table_of(ask.book, rows), ["samples_per_s"], keep_all=False)
    rates = table.columns["samples_per_s"]
    times = [one.remedy.devices / rate for one, rate in zip(found, rates, strict=True)]
    costs = [float(time / times[0]) for time in times]
    return [
        replace(one, cost=None if np.isnan(cost) else cost) for one, cost in zip(found, costs, strict=True)
    ]


def _worth(found: list[Largest], alone_: int) -> list[Largest]:
    """The first, each remedy alone, and of the sets those that allow more than all that is cheaper on as many
    devices and changes no more of the result; by what they cost."""
    if any(one.cost is None for one in found):
        return found[:alone_]
    first, *rest = found
    order = sorted(range(len(rest)), key=lambda at: (rest[at].cost or 0.0, len(rest[at].remedy.columns)))
    best: dict[tuple[int, int], int] = {}
    told: list[Largest] = []
    sets: dict[tuple[int, int], list[Largest]] = {}
    for at in order:
        one, room = rest[at], rest[at].micro_batch or 0
        devices, change = one.remedy.devices, one.remedy.change
        before = max(best.get((devices, less), first.micro_batch or 0) for less in range(change + 1))
        best[devices, change] = max(best.get((devices, change), 0), room)
        if at < alone_ - 1:
            told.append(one)
        elif room > before * _MORE and (devices == 1 or not change):
            sets.setdefault((devices, change), []).append(one)
    for (devices, _), several in sets.items():
        told += _spread(several, MOST_TOGETHER if devices == 1 else MOST_SHARED)
    return [first, *sorted(told, key=lambda one: one.cost or 0.0)]


def _spread(found: list[Largest], most: int) -> list[Largest]:
    """So many of sets of remedies, each dearer and roomier than the one before: first, last, and between."""
    if len(found) <= most:
        return found
    return [found[round(n * (len(found) - 1) / (most - 1))] for n in range(most)]


# ---- networks -----------------------------------------------------------------------------------------


def _with_models(
    ask: _Ask, workload: Workload, place: Inputs, found: list[Largest], presets: Mapping[str, Model]
) -> list[Largest]:
    """With the largest network of the family that fits, one sample at a time, at the workload's length."""
    sizes = _family(workload, presets)
    if not sizes or any(one.reason for one in found):
        return found
    bases = [of_workload(workload.model_copy(update={"model": model})).update(place) for model in sizes]
    for base, model in zip(bases, sizes, strict=True):
        places, length = model.numbers.get("positions"), base.values.get("seq_len")
        if places and isinstance(length, float) and places < length:
            base.put("seq_len", places, Kind.published, model.title)
    plain = table_of(ask.book, [_row(ask.book, base, PLAIN, 1.0, None) for base in bases])
    params = evaluate(ask.book, plain, ["params"], keep_all=False).columns["params"]
    rows = [_row(ask.book, base, one.remedy, 1.0, None) for one in found for base in bases]
    need, _, room = ask.fits(rows)
    fit = (need <= room).reshape(len(found), len(bases))
    hosts = ask.offloaded(rows).reshape(fit.shape)
    out = []
    for one, fits, host in zip(found, fit, hosts, strict=True):
        at = int(np.argmax(np.where(fits & ~np.isnan(params), params, -1.0)))
        there = float(host[at]) if "offload" in one.remedy.columns and host[at] > 0 else None
        named = replace(one, model=sizes[at].id, model_params=float(params[at]), model_host=there)
        out.append(named if fits[at] else one)
    return out


def _family(workload: Workload, presets: Mapping[str, Model]) -> list[Model]:
    """Networks of the same family; of one of which only the size is known, the same at other sizes."""
    model = workload.model
    if model.family != "size_only":
        return [one for one in presets.values() if one.family == model.family]
    own = model.numbers.get("stated_params")
    if own is None:
        return []
    sizes = [10 ** (7 + n / _STEPS) for n in range(5 * _STEPS)]
    return [
        model.model_copy(
            update={"id": f"{size / 1e9:.2g} B", "numbers": {**model.numbers, "stated_params": size}}
        )
        for size in sizes
    ]


# ---- rows ---------------------------------------------------------------------------------------------


def _row(book: RuleBook, base: Inputs, remedy: Remedy, batch: float, length: float | None) -> Inputs:
    """One set-up of one remedy: `batch` samples a pass, one pass a step and device."""
    own = Inputs()

    def put(name: str, value: float | str) -> None:
        own.put(name, value, Kind.assumed, _SOURCE)

    put("recompute", "none")
    put("sharding", "none")
    put("offload", "none")
    put("micro_batch", batch)
    put("global_batch", batch * remedy.devices)
    put("devices", float(remedy.devices))
    if length is not None:
        put("seq_len", length)
    for name, value in remedy.columns.items():
        put(name, value)
    if own.values.get("method") in ("lora", "qlora") and "lora_rank" not in base.values:
        put("lora_rank", 16.0)
    return known_only(book, base.update(own))


def _doubled(first: int, most: int) -> list[int]:
    """1, 2, … 8, then every eighth to quarter more (10, 12, 14, 16, 20 …), up to most."""
    found, step = [first], 1
    while found[-1] + step <= most:
        found.append(found[-1] + step)
        if found[-1] >= 8 * step:
            step *= 2
    return found


def _lengths(workload: Workload, traced: Sequence[Model] = ()) -> list[int]:
    """Lengths of sequences to try: multiples of 128 as far as there are positions; none for pictures."""
    if traced:
        last, own = (int(one.numbers["native_seq_len"]) for one in (traced[-1], workload.model))
        most, step = own if last == own else MOST_TOKENS, min(128, max(own // 8, 1))
        return [*(step * n for n in _doubled(1, most // step) if step * n < most), most]
    if workload.model.family not in OF_TOKENS:
        return []
    places = int(workload.model.numbers.get("positions") or MOST_TOKENS)
    found = [128 * n for n in _doubled(1, MOST_TOKENS // 128) if 128 * n < places]
    return [*found, places]
