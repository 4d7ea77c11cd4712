"""torchtitan's text log: tokens a second and device, memory reserved, the batch where training starts.

`step: 10  loss: 7.1  grad_norm: 0.8  memory: 30.93GiB(32.57%)  tps: 7,345  tflops: 423.1  mfu: 42.79%`
(github:pytorch/torchtitan; `wps` before October 2024)
"""

from __future__ import annotations

import math
import re

from advisor.trial.logs.log import Fields, Log, Steps, lines, number, put, whole

TITLE = "torchtitan"
WHERE = "The lines with 'tps:' tell it."
_LINE = re.compile(r"step:\s*(\d+)\s.*?memory:\s*([\d.]+)GiB.*?\b[tw]ps:\s*([\d,.]+)")
_LOCAL = re.compile(r"local batch size (\d+)")
_GLOBAL = re.compile(r"global batch size (\d+)")
_LENGTH = re.compile(r"sequence length (\d+)")
_MESH = re.compile(r"Building \d+-D device mesh with .*?,\s*\[([\d, ]+)\]")
_DEGREES = re.compile(r"Building device mesh with parallelism: ([\w=, ]+)")
_DEVICE = re.compile(r"capacity: (.+?)(?: \(\d+\))? with [\d.]+GiB memory")  # (0): its index
_CHECKPOINTED = re.compile(r"Applied (full|selective) activation checkpointing to the model")
_COMPILES = re.compile(r"Compiling (?:each TransformerBlock|the model) with torch\.compile")
_PARALLEL = re.compile(r"Applied (FSDP|HSDP|DDP) to the model")
_SHARDINGS = {"FSDP": "fsdp", "HSDP": "hsdp", "DDP": "none"}
_MESH_NAMES = re.compile(r"device mesh with \[([^\]]+)\], \[([\d, ]+)\]")
_PARAMS = re.compile(r"size: ([\d,]+) total parameters")
_ALWAYS = ("dp_replicate", "dp_shard", "pp", "cp", "tp")


def looks_like(text: str) -> bool:
    """Whether it has a torchtitan step line."""
    return any(_LINE.search(line) for line in lines(text))


def parse(text: str) -> Log:
    """Rates, memory and set-up."""
    rates: list[float | None] = []
    fields: Fields = {}
    memory = 0.0
    applied: Fields = {}
    for line in lines(text):
        if step := _LINE.search(line):
            memory = max(memory, number(step[2]) or 0.0)
            rates.append(number(step[3]))
            continue
        for name, pattern in (("micro_batch", _LOCAL), ("global_batch", _GLOBAL), ("seq_len", _LENGTH)):
            if found := pattern.search(line):
                put(fields, name, whole(found[1]))
        if found := _DEVICE.search(line):
            fields["accelerator"] = found[1].strip()[:200]
        if found := _PARAMS.search(line):
            put(fields, "params", whole(found[1]) or number(found[1]))
        if count := _devices(line):
            fields |= {"num_accelerators": count, **_degrees(line)}
        applied |= _applied(line)
    if "sharding" in applied:  # what is done to blocks is printed before it
        fields |= {"recompute": "none", "compile": False}
    fields |= applied
    if memory:
        fields |= {"peak_mem_gib": memory, "memory_kind": "reserved"}
    return Log("torchtitan", fields, tokens_per_device=Steps.of(rates))


def _applied(line: str) -> Fields:
    """Checkpointing, compiling and sharding as torchtitan says that it applies them."""
    if told := _CHECKPOINTED.search(line):
        return {"recompute": told[1]}
    if _COMPILES.search(line):
        return {"compile": True}
    if told := _PARALLEL.search(line):
        return {"sharding": _SHARDINGS[told[1]]}
    return {}


def _degrees(line: str) -> Fields:
    """Degrees of parallelism that a mesh names; of one that it leaves out, 1."""
    if mesh := _MESH_NAMES.search(line):
        names = [name.strip(" '\"") for name in mesh[1].split(",")]
        degrees = dict(zip(names, mesh[2].split(","), strict=False))
    elif told := _DEGREES.search(line):
        degrees = dict(part.strip().partition("=")[::2] for part in told[1].split(","))
    else:
        return {}
    return {name: whole(degrees.get(name)) or 1 for name in ("tp", "pp", "cp")}


def _devices(line: str) -> int | None:
    """How many devices a mesh has."""
    if mesh := _MESH.search(line):
        sizes = [whole(part) for part in mesh[1].split(",")]
        return None if None in sizes else math.prod(size for size in sizes if size)
    if told := _DEGREES.search(line):
        degrees = dict(part.strip().partition("=")[::2] for part in told[1].split(","))
        known = [whole(degrees.get(name)) for name in _ALWAYS if name in degrees]
        return math.prod(size for size in known if size) if known and None not in known else None
    return None
