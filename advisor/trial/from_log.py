"""A record from a trainer's log and the flags that say what the log does not."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from advisor.data.catalogue import Catalogue, find_model
from advisor.data.resolve import entry_of, resolve_device
from advisor.errors import UserError, did_you_mean
from advisor.evidence.inputs import shipped_reading
from advisor.evidence.record import TRACED
from advisor.schema import Model
from advisor.trial.logs import Log, read_log
from advisor.trial.record import WRITTEN, Fields, checked, network_fields, plain, slug

SOURCE = "hwadvisor import"
_FLAGS = {
    "accelerator": "--accelerator NAME",
    "num_accelerators": "--num-accelerators N",
    "model": "--model NAME",
    "precision": "--precision NAME",
    "global_batch": "--batch N",
    "seq_len": "--seq-len N",
    "image_size": "--image-size N",
}
_UNTOLD = {
    "recompute": ("--recompute", "none"),
    "compile": ("--compile or --no-compile", "none"),
}
"""What logs seldom say and time and memory hang on: its flag, and what the rules then count."""

_OF_PICTURES = ("vit", "cnn", "diffusion")
_UNCOMPILED = ("Megatron-LM", "llm.c")  # kernels of their own
_WORDS = {  # flag: its kind of word in rules/evidence/reading.toml, and examples
    "precision": ("precisions", ("bf16_mixed", "fp16_mixed", "bf16", "fp32", "tf32", "fp8_mixed")),
    "method": ("methods", ("full", "lora", "qlora")),
    "optimizer": ("optimizers", ("adamw", "sgd", "adafactor", "lion", "muon", "lamb")),
    "sharding": ("shardings", ("none", "zero1", "zero2", "fsdp", "hsdp")),
}


@dataclass(frozen=True)
class Said:
    """What flags say. `fields` are those of a record; they win over the log."""

    model: str | Model | None = None
    fields: Mapping[str, Any] | None = None


def record_of_log(path: Path, said: Said, catalogue: Catalogue) -> Fields:
    """The record. Raises DataError for a file that is no known log, UserError naming the flags that lack."""
    log = read_log(path)
    _check_words(said.fields or {})
    named = said.model or log.fields.get("model")
    model = find_model(catalogue, named) if isinstance(named, str) else named
    found: Fields = dict(log.fields)
    if model is not None:
        # the preset's shape, unless the log prints a padded vocabulary or a depth of its own
        found = {**network_fields(model), **found, "model": model.id}
        found["family"] = network_fields(model)["family"]
    flags = {name: value for name, value in (said.fields or {}).items() if value is not None}
    accumulate = flags.pop("accumulate", None)
    if "precision" in flags:
        flags["precision"] = WRITTEN.get(flags["precision"], flags["precision"])
    found |= flags
    found.setdefault("method", "full")
    _sample(found, model)
    _batch(found, log)
    _micro(found, accumulate)
    _require(found, log, model)
    entry = _device(found, catalogue)
    found["vendor"] = entry
    _speed(found, log)
    now = datetime.now(UTC)
    date = found.pop("source_date", None) or f"{now:%Y-%m}"
    kind = log.framework
    name = found.get("model") or f"{found.get('layers')}l-{found.get('hidden')}h"
    count, batch = found["num_accelerators"], f"b{found['global_batch']:g}"
    own = slug("import", kind, name, found["accelerator"], f"x{count:g}", batch, date)
    head = {
        "id": f"{own[:190]}-{_digest(log)}",
        "source": f"own log of {kind}",
        "source_key": SOURCE,
        "publisher": SOURCE,
        "source_date": date,
        "framework": kind,
    }
    notes = [f"Own log: {log.count} printed steps, the first tenth left out, median.", *log.notes]
    if log.count == 1:  # printed by a run's end of all its steps, or the first of them
        notes = ["Own log.", *(log.notes or ("One printed step: a first one compiles and waits for data.",))]
    notes += untold({**head, **found})
    found.setdefault("model", str(name))
    return checked({**head, **found, "notes": " ".join(notes)})


def _digest(log: Log) -> str:
    """What tells two runs of one set-up apart, and is the same for a log that is read again."""
    figures = (log.fields, log.step_s, log.tokens_per_device, log.samples_per_device, log.notes)
    return hashlib.sha256(repr(figures).encode()).hexdigest()[:8]


def untold(record: Mapping[str, Any]) -> list[str]:
    """What neither log nor flags say and time and memory hang on: what is counted, and the flag for it."""
    if record.get("family") == "cnn":  # its activations are hardly ever checkpointed
        return []
    return [
        f"Not said is {name}, {counted} is counted: {flag} would say it."
        for name, (flag, counted) in _UNTOLD.items()
        if name not in record and not (name == "compile" and record.get("framework") in _UNCOMPILED)
    ]


def _check_words(said: Mapping[str, Any]) -> None:
    """Raises UserError for a flag's word that `validate` would not know."""
    reading = shipped_reading()
    for name, (kind, known) in _WORDS.items():
        word = said.get(name)
        if (
            not word
            or reading.word(kind, str(word))
            or (kind == "optimizers" and reading.word("others", word))
        ):
            continue
        hint = did_you_mean(str(word), known) or f"It is one of {', '.join(known)}."
        raise UserError(f"--{name} {str(word)[:40]!r} is not known here", hint)


def _sample(found: Fields, model: Model | None) -> None:
    """The size of a picture where neither log nor flags tell it."""
    native = None if model is None else model.numbers.get("native_image_size")
    if native and found.get("family") in _OF_PICTURES:
        found.setdefault("image_size", plain(native))


def _batch(found: Fields, log: Log) -> None:
    """Samples of a step, from its tokens."""
    length = found.get("seq_len")
    if "global_batch" not in found and log.tokens_per_step and length:
        found["global_batch"] = plain(log.tokens_per_step / length)


def _micro(found: Fields, accumulate: int | None) -> None:
    """Samples of a pass where accumulation is told: a replica's part of the batch over its passes.

    Raises UserError where that is no whole number, or goes against the micro-batch.
    """
    batch, devices = found.get("global_batch"), found.get("num_accelerators")
    if accumulate is None or not batch or not devices:
        return
    ways = math.prod(found.get(name) or 1 for name in ("tp", "pp", "cp"))
    micro = batch * ways / (devices * accumulate)
    told = found.get("micro_batch")
    if micro < 1 or not float(micro).is_integer() or told not in (None, micro):
        against = "" if told is None else f", with {told:g} samples each"
        raise UserError(
            f"--accumulate {accumulate}: a batch of {batch:g} on {devices:g} devices ({ways} to a replica) "
            f"does not part into so many passes{against}",
            "Leave one of --batch, --micro-batch and --accumulate away.",
        )
    found["micro_batch"] = plain(micro)


def _require(found: Fields, log: Log, model: Model | None) -> None:
    """Raises UserError that lists every flag that is still needed."""
    needed = ["accelerator", "num_accelerators", "precision"]
    if model is None and not (found.get("family") and found.get("layers") and found.get("hidden")):
        needed.append("model")
    if found.get("family") != TRACED:  # its trace has the size of a sample
        needed.append("image_size" if found.get("family") in _OF_PICTURES else "seq_len")
    if log.tokens_per_step is None or "seq_len" in found:
        needed.append("global_batch")
    lacking = [_FLAGS[name] for name in needed if name not in found]
    if lacking:
        raise UserError(
            f"the {log.framework} log does not say all that a record needs", f"Give {', '.join(lacking)}."
        )


def _device(found: Fields, catalogue: Catalogue) -> str:
    """The vendor of the accelerator. Raises UserError for one that the catalogue does not know."""
    name = str(found["accelerator"])
    match = resolve_device(None, name)
    if match.id is None:
        titles = [entry.title for entry in catalogue.accelerators.values()]
        hint = did_you_mean(name, titles) or "hwadvisor hardware lists those that are known."
        raise UserError(f"accelerator {name[:80]!r}: {match.why}", hint)
    return entry_of(match.id, catalogue).vendor


def _speed(found: Fields, log: Log) -> None:
    """The figure as the log has it."""
    for name, steps in (
        ("step_time_s", log.step_s),
        ("tokens_per_s_per_device", log.tokens_per_device),
        ("samples_per_s_per_device", log.samples_per_device),
    ):
        value = steps.middle()
        if value is not None:
            found[name] = value
            return
