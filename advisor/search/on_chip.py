"""Devices that keep networks on the chip: the layouts they have, and the networks they hold."""

from __future__ import annotations

import math

import numpy as np

from advisor.errors import UserError
from advisor.estimate import Table, evaluate
from advisor.estimate.inputs import Inputs, known_only
from advisor.rulebook import RuleBook
from advisor.schema import Workload
from advisor.search.grid import SHARDINGS, Stated
from advisor.search.here import Place
from advisor.search.inputs import of_workload
from advisor.search.layouts import Mask
from advisor.search.plan_product import Array
from advisor.search.plan_set_ups import SetUps
from advisor.search.support import Support

PIPELINED = ("graphcore_ipu", "graphcore_bow")
"""Chips with a part of the network each, one behind the other, and copies of such a pipeline, which may cut
the optimizer's states (docs.graphcore.ai, replicated tensor sharding)."""

STREAMED = ("cerebras_wse2", "cerebras_wse3")
"""Wafers through which the weights of each layer stream from MemoryX: copies of the network alone
(docs.cerebras.net, Cerebras Wafer-Scale Cluster: "strictly in data parallel mode")."""

ON_WAFER = ("cerebras_wse",)
"""The network stands on one wafer for the whole run, and runs on no second one (docs.cerebras.net, glossary:
pipelined execution). Weight streaming came with the CS-2 (Hot Chips 33, August 2021)."""

CHIP_BYTES, OF_WEIGHTS, LONGEST = 0.9e9, 0.2, 8
"""Memory of an IPU (rules/accelerators/graphcore-*.toml); how much of it 16-bit weights take at most in
published pipelines (BERT-large and RoBERTa-large over four); the most chips of one (GPT-2 medium, wav2vec 2.0
large): the ipu_config.json of each in huggingface.co/Graphcore."""

_ZERO1 = SHARDINGS.index("zero1")
_CUTS = ("tp", "pp", "vpp", "cp", "ep")


def _generation(device: Inputs) -> str:
    return str(device.values.get("generation") or "")


def kind_of(device: Inputs) -> str:
    """'pipelined', 'wafer', or '' for whatever has a memory of its own."""
    generation = _generation(device)
    wafer = "wafer" if generation in (*STREAMED, *ON_WAFER) else ""
    return "pipelined" if generation in PIPELINED else wafer


def _weights(book: RuleBook, job: Workload) -> float:
    """16-bit weights of the network in bytes; NaN: not known."""
    table = Table.from_columns(book, known_only(book, of_workload(job)).values, rows=1)
    found = evaluate(book, table, ("params",), keep_all=False).columns["params"]
    return 2 * float(found[0])


def stages_of(book: RuleBook, job: Workload, device: Inputs) -> int:
    """Chips that hold the weights of one copy; 1 for every other kind of device."""
    if kind_of(device) != "pipelined":
        return 1
    weights = _weights(book, job)
    return 1 if math.isnan(weights) else max(1, math.ceil(weights / (OF_WEIGHTS * CHIP_BYTES)))


def too_large(book: RuleBook, job: Workload, device: Inputs) -> Support | None:
    """What a network needs that is larger than every published pipeline of such chips holds, or None."""
    stages = stages_of(book, job, device)
    if stages <= LONGEST:
        return None
    return Support(
        "size", job.model.title, (), (),
        f"a pipeline of {stages} chips to hold its weights, and no published one has more than {LONGEST}",
        "huggingface.co/Graphcore, ipu_config.json",
    )  # fmt: skip


def usual_on_chip(kind: str, found: SetUps, stages: int) -> Mask:
    """Set-ups that such devices have."""
    plain = (found["tp"] == 1) & (found["cp"] == 1) & (found["ep"] == 1) & (found["offload"] == 0)
    if kind == "wafer":
        again: Array = found["recompute"] + found["sharding"]
        return np.asarray(plain & (found["pp"] == 1) & (again == 0))
    return np.asarray(plain & (found["vpp"] == 1) & (found["pp"] >= stages) & (found["sharding"] <= _ZERO1))


def check_on_chip(book: RuleBook, job: Workload, place: Place, stated: Stated) -> None:
    """Raise UserError for a layout that such devices have not, and for a network that they do not hold."""
    device, devices, label = place.inputs, place.target.devices, place.target.label
    kind = kind_of(device)
    if not kind:
        return
    _check_layout(kind, stated, label)
    if _generation(device) in ON_WAFER and devices > 1:
        raise UserError(
            f"{label} do not train one network together: it stands on one wafer for the whole run",
            "Name one, or wafers through which weights stream (cerebras-wse2, cerebras-wse3).",
        )
    lack = too_large(book, job, device)
    if lack is not None:
        raise UserError(
            f"{lack.name} on {label} is not estimated: it needs {lack.needs}",
            "Name a smaller network or other hardware: how fast weights would stream is not published.",
        )
    stages = stages_of(book, job, device)
    if devices < stages or (stated.pp is not None and stated.pp < stages):
        raise UserError(
            f"{job.model.title} needs a pipeline of {stages} such chips, of which each holds 0.9 GB",
            f"Name {stages} or more" + ("." if stated.pp is None else ", and leave --pp away."),
        )


def _check_layout(kind: str, stated: Stated, label: str) -> None:
    cut = [name for name in _CUTS if (getattr(stated, name) or 1) > 1]
    if kind == "pipelined":
        cut = [name for name in cut if name != "pp"]
    usual = (None, "none", "zero1") if kind == "pipelined" else (None, "none")
    cut += ["sharding"] if stated.sharding not in usual else []
    cut += ["offload"] if stated.offload not in usual[:2] else []
    if cut:
        has = "pipelines and copies of them" if kind == "pipelined" else "copies of the network"
        raise UserError(
            f"--{cut[0]} does not go with {label}: its layouts are {has}", f"Leave --{cut[0]} away."
        )
