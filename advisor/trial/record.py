"""A measurement of one's own as records of the evidence format, checked before they are written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from advisor import __version__
from advisor.errors import UserError
from advisor.evidence.record import TRACED, Refusal, record_of
from advisor.schema import Grade, Model
from advisor.trial.result import Depth, Trial

SOURCE = "hwadvisor trial"
FAMILIES = {"moe": "moe-decoder", "encoder_decoder": "encoder-decoder", "stated": "other"}
_NUMBERS = {
    "layers": "layers", "hidden": "hidden", "heads": "heads", "kv_heads": "kv_heads", "vocab": "vocab",
    "head_dim": "head_dim", "experts": "num_experts", "experts_per_token": "top_k",
}  # fmt: skip
WRITTEN = {"bf16": "pure_bf16"}
"""Formats of flags as records write them: a record's bf16 is autocast, as in what is published."""

_HOST = {"host_cores": "host_cores", "host_clock": "host_clock_hz", "host_simd": "host_simd"}
_GIB = 2.0**30
Fields = dict[str, Any]


def network_fields(model: Model) -> Fields:
    """The network of a record: its name, its family as the evidence spells it, its shape."""
    numbers = model.numbers
    found: Fields = {"family": FAMILIES.get(model.family, model.family), "model": model.id}
    if model.family == TRACED:  # nothing else says what the network is
        found[TRACED] = {name: plain(value) for name, value in sorted(numbers.items())}
    for name, field in _NUMBERS.items():
        if numbers.get(name):
            found[field] = plain(numbers[name])
    inner = numbers.get("expert_hidden") or numbers.get("ffn_hidden")
    if inner:
        found["ffn_hidden"] = plain(inner)
    return found


def plain(value: float) -> float | int:
    """12.0 as 12."""
    return int(value) if float(value).is_integer() else float(value)


def slug(*parts: object) -> str:
    """Parts of an id, joined; only what an id may hold."""
    text = "-".join(str(part) for part in parts if part not in (None, ""))
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-").lower()[:200] or "run"


def records_of(done: Trial) -> list[Fields]:
    """One record for each network that was really trained: never an extrapolated one.

    A disturbed step time (grade C) is no evidence and stays out; so does a record that then says nothing.
    """
    found = []
    for depth in done.depths:
        record = _record(done, depth)
        if "step_time_s" in record or "peak_mem_gib" in record:
            found.append(checked(record))
    return found


def _record(done: Trial, depth: Depth) -> Fields:
    setup, place = depth.setup, done.place
    recipe, model = setup.workload.recipe, setup.workload.model
    at = datetime.fromisoformat(done.measured_at).astimezone(UTC)
    found: Fields = {
        "id": slug("trial", model.id, f"l{setup.layers}" if done.extrapolated else "", place.accelerator_id
                   or place.title, f"b{setup.batch}", recipe.precision, f"{at:%Y%m%dt%H%M%S}"),
        "source": f"hwadvisor {__version__} trial",
        "source_key": SOURCE,
        "publisher": SOURCE,
        "source_date": f"{at:%Y-%m}",
        "vendor": place.vendor,
        "accelerator": place.title,
        "num_accelerators": 1,
        "framework": f"PyTorch {done.torch}",
        **network_fields(model),
        "params": depth.parameters,
        "global_batch": setup.batch,
        "micro_batch": setup.micro_batch,
        "precision": WRITTEN.get(recipe.precision, recipe.precision),
        "optimizer": recipe.optimizer,
        "method": "full" if recipe.method == "pretrain" else recipe.method,
        "sharding": "none",
        "recompute": setup.recompute,
        "offload": "none",
        "flash_attention": True,
        "compile": False,
    }  # fmt: skip
    if setup.in_tokens and recipe.seq_len:
        found["seq_len"] = plain(recipe.seq_len)
    if not setup.in_tokens:
        found["image_size"] = plain(recipe.numbers["image_size"])
        found.pop("flash_attention") if model.family == "cnn" else None
    if recipe.method == "lora":
        found["lora_rank"] = plain(recipe.numbers.get("lora_rank", 16.0))
    if place.is_cpu:
        for column, field in _HOST.items():
            value = place.inputs.values.get(column)
            if value is not None:
                found[field] = value
        memory = place.inputs.values.get("hw_memory_reported")
        if memory:
            found["host_memory_gib"] = memory / _GIB
        if depth.bandwidth is not None and depth.bandwidth.value is not None:
            found["host_bandwidth_gbs"] = depth.bandwidth.value / 1e9
    found |= _measured(depth, place.is_cpu)
    found["notes"] = _notes(done, depth)
    return found


def _measured(depth: Depth, on_cpu: bool) -> Fields:
    step, memory = depth.step, depth.memory
    found: Fields = {}
    if step.value is not None:
        found["step_time_s"] = step.value
    kind = "process" if on_cpu else "allocated"
    if memory.get(kind):
        found |= {"peak_mem_gib": (memory[kind] or 0) / _GIB, "memory_kind": kind, "fits": True}
    return found


def _notes(done: Trial, depth: Depth) -> str:
    step = depth.step
    told = [
        f"Own trial on made-up data: {step.kept} of {step.samples} steps undisturbed, "
        f"grade {step.grade.value}."
    ]
    if step.grade is Grade.C:
        told.append(f"Step time left out: {step.reason}.")
    if depth.sparse:
        told.append(f"{depth.sparse:,} weights were SparseAdam's.")
    if done.extrapolated:
        told.append(f"A proxy of {depth.setup.layers} layers.")
    return " ".join(told)


def checked(record: Fields) -> Fields:
    """The record, if the evidence would take it. Raises UserError naming what is wrong otherwise."""
    try:
        line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise UserError(f"the record holds a figure that is no number: {error}") from error
    found = record_of(line, "record")
    if isinstance(found, Refusal):
        raise UserError(f"this is no record that `validate` would take: {found.reason}", "Check the flags.")
    return record


def append(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Append lines to a file, which is made if it is not there. Raises UserError where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        with path.open("ab+") as file:
            lines = b"".join(
                json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"
                for record in records
            )
            if lines and file.seek(0, os.SEEK_END) and not _ends_a_line(file):
                lines = b"\n" + lines
            file.write(lines)
        if new and not records:
            path.unlink()
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}", "Choose another file.") from error


def _ends_a_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")
