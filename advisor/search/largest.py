"""The largest that fits on one device by the memory rules, and what each remedy buys.

One table of all sizes of all remedies, evaluated at once: memory grows with micro-batch and length, so the
largest that fits is found by looking at each size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from advisor.estimate import evaluate_ranges
from advisor.estimate.inputs import Inputs, known_only, table_of
from advisor.rulebook import RuleBook
from advisor.schema import Kind, Workload
from advisor.search.inputs import of_workload

MOST_SAMPLES = 4096
MOST_TOKENS = 1 << 20
_OF_TOKENS = ("decoder", "moe", "encoder", "size_only")
_BLOCKS = (*_OF_TOKENS, "encoder_decoder", "vit")
_SOURCE = "tried: the largest that fits"


@dataclass(frozen=True)
class Remedy:
    """Something that makes room: what it is called, the columns it changes, how many devices it needs."""

    name: str
    columns: Mapping[str, float | str] = field(default_factory=dict)
    devices: int = 1
    families: tuple[str, ...] = ()  # that it helps; (): all


REMEDIES: tuple[Remedy, ...] = (
    Remedy("as it is"),
    Remedy("fused loss", {"fused_loss": 1.0}, families=("decoder", "moe", "size_only")),
    Remedy("8-bit optimizer", {"optimizer": "adamw_8bit"}),
    Remedy("selective recomputation", {"recompute": "selective"}, families=_BLOCKS),
    Remedy("full recomputation", {"recompute": "full"}),
    Remedy("full recomputation, 8-bit optimizer", {"recompute": "full", "optimizer": "adamw_8bit"}),
    Remedy("LoRA", {"method": "lora"}, families=_BLOCKS),
    Remedy("LoRA, full recomputation", {"method": "lora", "recompute": "full"}, families=_BLOCKS),
    Remedy("QLoRA, full recomputation", {"method": "qlora", "recompute": "full"}, families=_BLOCKS),
    Remedy("optimizer states in the host's memory", {"offload": "optimizer"}),
    Remedy("weights and states in the host's memory", {"offload": "params", "recompute": "full"}),
    Remedy("sharded over 2 devices", {"sharding": "fsdp"}, devices=2),
    Remedy("sharded over 8 devices", {"sharding": "fsdp"}, devices=8),
    Remedy(
        "sharded over 8 devices, full recomputation", {"sharding": "fsdp", "recompute": "full"}, devices=8
    ),
)
"""Cheapest first: what costs nothing, then time, then accuracy, then hardware."""


@dataclass(frozen=True)
class Largest:
    """What one remedy allows. None: not even the smallest size fits, or (with `reason`) not known.

    `micro_batch` at the workload's own length, `seq_len` at one sample; `sure_…` the same at the upper end of
    the memory's range. `capped`: larger ones were not tried.
    """

    remedy: Remedy
    micro_batch: int | None = None
    sure_micro_batch: int | None = None
    seq_len: int | None = None
    sure_seq_len: int | None = None
    capped: bool = False
    reason: str = ""


def largest(
    book: RuleBook,
    workload: Workload,
    place: Inputs,
    usable_bytes: float | None = None,
    remedies: Sequence[Remedy] = REMEDIES,
) -> list[Largest]:
    """What each remedy allows of a workload on one kind of device, whose columns `place` holds.

    `usable_bytes`: what may be taken of it, where that is less than what the device has.
    """
    known = _helping(workload, remedies)
    batches = _doubled(1, MOST_SAMPLES)
    lengths = _lengths(workload)
    base = of_workload(workload).update(place)
    rows: list[Inputs] = []
    for remedy in known:
        rows += [_row(book, base, remedy, float(batch), None) for batch in batches]
        rows += [_row(book, base, remedy, 1.0, float(length)) for length in lengths]
    table = table_of(book, rows)
    found = evaluate_ranges(book, table, ["memory_bytes", "memory_usable"])
    need, usable = found["memory_bytes"], found["memory_usable"].value
    each = len(batches) + len(lengths)
    out = []
    for at, remedy in enumerate(known):
        first = at * each
        room = [usable_bytes if usable_bytes is not None else float(usable[first + i]) for i in range(each)]
        middle = [float(need.value[first + i]) <= room[i] for i in range(each)]
        upper = [float(need.high[first + i]) <= room[i] for i in range(each)]
        cut = len(batches)
        unknown = need.value[first] != need.value[first] or room[0] != room[0]
        out.append(
            Largest(
                remedy,
                _last(batches, middle[:cut]),
                _last(batches, upper[:cut]),
                _last(lengths, middle[cut:]),
                _last(lengths, upper[cut:]),
                middle[cut - 1] or bool(lengths and middle[-1]),
                "memory is not known" if unknown else "",
            )
        )
    return out


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


def _lengths(workload: Workload) -> list[int]:
    """Lengths of sequences to try: multiples of 128 as far as there are positions; none for pictures."""
    if workload.model.family not in _OF_TOKENS:
        return []
    places = int(workload.model.numbers.get("positions") or MOST_TOKENS)
    found = [128 * n for n in _doubled(1, MOST_TOKENS // 128) if 128 * n < places]
    return [*found, places]


def _helping(workload: Workload, remedies: Sequence[Remedy]) -> list[Remedy]:
    """Remedies that can help this family and change something that those before do not."""
    family, recipe = workload.model.family, workload.recipe
    found: dict[tuple[object, ...], Remedy] = {}
    for remedy in remedies:
        if remedy.families and family not in remedy.families:
            continue
        if remedy.columns.get("optimizer") == "adamw_8bit" and recipe.optimizer != "adamw":
            continue
        same = {"method": recipe.method, "optimizer": recipe.optimizer}
        changed = sorted((k, v) for k, v in remedy.columns.items() if same.get(k) != v)
        found.setdefault((*changed, remedy.devices), remedy)
    return list(found.values())


def _last(sizes: Sequence[int], fits: Sequence[bool]) -> int | None:
    """The largest size up to which all fit, or None."""
    best = None
    for size, fit in zip(sizes, fits, strict=True):
        if not fit:
            return best
        best = size
    return best
