"""What the memory of a published run needs beyond its time: widths, kernels and adapters told by notes."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advisor.data.files import read_toml, shipped
from advisor.estimate.inputs import Inputs
from advisor.evidence.record import Record
from advisor.schema import Kind

_EMBEDDINGS_TOO = re.compile(r"also trains embedding|\blora \(emb", re.I)
_TRAINABLE = re.compile(r"[Tt]rainable params? ([\d,]{3,})")
_FIELDS = ("framework", "model", "notes", "optimizer", "precision", "method", "source")


@dataclass(frozen=True, slots=True)
class Said:
    """One pattern of what sources say, the field it is looked for in, and the column's value it means."""

    field: str
    pattern: re.Pattern[str]
    value: float | str
    since: float
    source: str
    over: bool  # takes the place of what the row's fields say


@functools.cache
def shipped_sayings() -> Mapping[str, Sequence[Said]]:
    """column -> patterns in order (rules/evidence/memory.toml); and `memory_kind`, which is no column."""
    raw = read_toml(shipped("rules") / "evidence" / "memory.toml")
    found: dict[str, list[Said]] = {}
    for entry in raw["said"]:
        said = Said(
            entry["field"], re.compile(entry["pattern"], re.I), entry["value"], entry.get("since", 0.0),
            entry["source"], entry.get("over", False),
        )  # fmt: skip
        if said.field not in _FIELDS:
            raise ValueError(f"memory.toml: no field '{said.field}'")
        found.setdefault(entry["gives"], []).append(said)
    return found


def said_of(record: Record, what: str, era: float | None = None) -> Said | None:
    """The first saying about `what` that the record's texts meet; without a date, software is recent."""
    for said in shipped_sayings().get(what, ()):
        if said.pattern.search(record.text(said.field)) and (
            not said.since or era is None or era >= said.since
        ):
            return said
    return None


def memory_kind(record: Record) -> str:
    """allocated, reserved, nvml or, on processors, process: as told, else as the notes tell; else unknown."""
    told = record.text("memory_kind")
    if told in ("allocated", "reserved", "nvml", "process"):
        return told
    said = said_of(record, "memory_kind")
    return str(said.value) if said else "unknown"


def put_memory(found: Inputs, record: Record) -> None:
    """Columns that memory rules read. What the row's fields state stays, unless a saying goes over it."""
    era = found.values.get("era")
    for column in shipped_sayings():
        if column == "memory_kind":
            continue
        said = said_of(record, column, era if isinstance(era, float) else None)
        if said is not None and (said.over or found.values.get(column) is None):
            found.put(column, _value(said, record, found), Kind.assumed, said.source)
    notes = record.text("notes")
    if trainable := _TRAINABLE.search(notes):
        found.put("stated_trainable", float(trainable[1].replace(",", "")), Kind.published, "the row's notes")
    elif _EMBEDDINGS_TOO.search(notes):
        size = [record.number(name) for name in ("vocab", "hidden", "layers", "ffn_hidden", "lora_rank")]
        if None not in size:
            vocab, hidden, layers, ffn, rank = (value or 0.0 for value in size)
            both = 2 * vocab * hidden + rank * layers * (8 * hidden + 3 * (hidden + ffn))
            found.put("stated_trainable", both, Kind.assumed, "the row's notes: embeddings and adapters")


def _value(said: Said, record: Record, found: Inputs) -> float | str:
    """The value that a saying means: its own, the number it tells, or one that follows from the row."""
    if said.value == "kept":
        told, longest = said.pattern.search(record.text(said.field)), record.number("seq_len")
        return mean_kept(float(told[1]), float(told[2]), longest) / longest if told and longest else 1.0
    if said.value == "told":
        told = said.pattern.search(record.text(said.field))
        return float(told[1]) if told else 1.0
    return float(found.values["devices"]) if said.value == "devices" else said.value


def mean_kept(mean: float, deviation: float, longest: float) -> float:
    """Mean length of the samples that are no longer than `longest`, of lengths that are lognormal."""
    sigma = math.sqrt(math.log1p((deviation / mean) ** 2))
    above = (math.log(longest / mean) + sigma**2 / 2) / sigma
    below = [0.5 * math.erfc(-at / math.sqrt(2)) for at in (above - sigma, above)]
    return mean * below[0] / below[1]
