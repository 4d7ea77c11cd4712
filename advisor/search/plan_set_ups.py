"""Layouts of a workload on so many devices: what is stated holds, every sensible choice of the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from advisor.schema import Workload
from advisor.search.grid import BLOCKS, NOTHING_STATED, OFFLOADS, RECOMPUTES, SHARDINGS, SetUp, Stated
from advisor.search.inputs import PLAIN_STACK
from advisor.search.layouts import LARGEST_IMAGES, LARGEST_TEXT, Index, Mask
from advisor.search.plan_product import Array

TENSOR = (1, 2, 4, 8)
PIPELINE = (1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 16, 24, 32)
INTERLEAVED = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12)
"""Of those that part the blocks evenly, one and the most are tried: what lies between is slower than the most
by the rules of time and needs more memory than either by those of memory. (Large published runs interleave up
to twelve times: Nemotron 4 340B in NVIDIA/dgxc-benchmarking.)"""

CONTEXT = (1, 2, 4, 8, 16, 32)
EXPERT = (1, 2, 4, 8, 16, 32, 64)
OWN_TOKENS = 4096
"""Tokens of a sequence that each device of a context-parallel group has at least: published runs cut 8,192 in
two (Llama 3.1 70B in NVIDIA/dgxc-benchmarking), 131,072 in sixteen (arXiv:2407.21783 section 3.3.2) and
1,048,576 in 32, whose matrices are shared by eight (NeMo's long-context recipes of Llama 2 7B)."""

CUT_FAMILIES = ("decoder", "moe", "size_only")
"""Networks that tensor and pipeline parallelism cut: of 734 published runs that cut one, 728 are of these."""

USUAL, UNEVEN, ANY = 0, 1, 2
"""How far the search goes: only where nothing of the one before fits, the next."""

CUT_STACK = "megatron"
"""The program of layouts with tensor, pipeline or expert parallelism, where none is stated and the devices
have no program of their own."""

NUMBERS = ("devices", "tp", "pp", "vpp", "cp", "ep", "micro_batch")
"""Numbers of a set-up, as in rules/columns.toml."""

EVEN_BATCH = 7 / 8
"""A batch that nobody states may be so much smaller, where it parts evenly over the replicas only then: 2,016
samples of 2,048 over 72 devices. It is never larger, so that more devices buy no time by it."""

_OFFLOADING = ("torch", "transformers")
"""Programs with which states wait in the host's memory."""

CODES: Mapping[str, tuple[str, ...]] = {
    "sharding": SHARDINGS, "recompute": RECOMPUTES, "offload": OFFLOADS,
}  # fmt: skip
"""Words of a set-up beside its stack."""

_ZERO1, _ZERO2, _FSDP, _HSDP = (SHARDINGS.index(word) for word in ("zero1", "zero2", "fsdp", "hsdp"))


@dataclass(frozen=True)
class SetUps:
    """Columns of equal length: numbers, and codes into the words of CODES and `stacks`; "alike", equal where
    only the micro-batch differs; and "batch", samples of a step where they are not the job's."""

    columns: Mapping[str, Array]
    stacks: tuple[str, ...] = (PLAIN_STACK, CUT_STACK)

    def __len__(self) -> int:
        """Number of set-ups."""
        return len(self.columns["devices"])

    def __getitem__(self, name: str) -> Array:
        """A column."""
        return self.columns[name]

    @property
    def replicas(self) -> Array:
        """Data-parallel degree."""
        return np.asarray(self["devices"] / (self["tp"] * self["pp"] * self["cp"]))

    @property
    def parts(self) -> Array:
        """Devices that share one network in any way but copying it."""
        return np.asarray(self["tp"] * self["pp"] * self["cp"] * self["ep"])

    @property
    def stock(self) -> Mask:
        """Whether a stock trainer does it: copies of the network, cut or not, in one step."""
        megatron = self["stack"] == self.stacks.index(CUT_STACK) if len(self.stacks) > 1 else False
        return np.asarray((self.parts == 1) & ~np.asarray(megatron, dtype=bool))

    @property
    def way(self) -> Array:
        """0: what a stock trainer has; 1: matrices or sequences cut too, in one pass over all blocks, which
        some have; 2: pipelines, experts over devices, and programs made for them."""
        inside = (self["pp"] == 1) & (self["ep"] == 1) & (self.parts > 1)
        return np.asarray(np.where(self.stock, 0.0, np.where(inside, 1.0, 2.0)))

    def words(self, name: str) -> tuple[str, ...]:
        """What the codes of a column mean."""
        return self.stacks if name == "stack" else CODES[name]

    def code(self, name: str, word: str) -> int:
        """The code of a word."""
        return self.words(name).index(word)

    def word(self, name: str, row: int) -> str:
        """Sharding, recompute, offload or stack of a set-up."""
        return self.words(name)[int(self[name][row])]

    def row(self, row: int) -> SetUp:
        """One set-up by name."""
        values: dict[str, Any] = {name: int(self[name][row]) for name in NUMBERS if name != "micro_batch"}
        values |= {name: self.word(name, row) for name in (*CODES, "stack")}
        batch = None if np.isnan(self["batch"][row]) else float(self["batch"][row])
        return SetUp(**values, micro_batch=float(self["micro_batch"][row]), batch=batch)

    def take(self, rows: Index) -> SetUps:
        """Some of them, in this order."""
        return replace(self, columns={name: values[rows] for name, values in self.columns.items()})

    def with_stack(self, rows: Index, stack: str) -> SetUps:
        """These set-ups and, behind them, some of them again in another program."""
        columns = {name: np.concatenate([values, values[rows]]) for name, values in self.columns.items()}
        columns["stack"][len(self) :] = len(self.stacks)
        return replace(self, columns=columns, stacks=(*self.stacks, stack))


def set_ups(
    job: Workload,
    counts: Sequence[int],
    stated: Stated = NOTHING_STATED,
    *,
    wide: int = USUAL,
    spill: bool = False,
) -> SetUps:
    """Every layout of every count that the network, its batch and what is stated allow.

    Each replica has a sample of its own in each step: a global batch is never enlarged for more devices.
    `wide` is USUAL, UNEVEN (batches that do not part evenly too) or ANY (whatever can be). `spill`: also with
    the weights in the host's memory, which nobody does while anything else fits.
    """
    lists = _choices(job, stated, wide=wide == ANY, spill=spill)
    axes = np.meshgrid(
        np.array(counts, dtype=np.float64), *(np.array(one, dtype=np.float64) for one in lists.values()),
        indexing="ij", sparse=True,
    )  # fmt: skip
    grid = dict(zip(("devices", *lists), axes, strict=True))
    keep, batch = _possible(grid, job, stated), even_batch(grid, job, stated)
    keep = keep & _usual(grid, job, stated, batch, even=wide == USUAL) if wide < ANY else keep
    shape = np.broadcast_shapes(*(axis.shape for axis in axes))
    at = np.nonzero(np.broadcast_to(keep, shape))
    columns = {name: np.broadcast_to(axis, shape)[at] for name, axis in grid.items()}
    taken = np.broadcast_to(batch, shape)[at]
    columns["batch"] = np.where(taken == job.recipe.global_batch, np.nan, taken)
    place = list(grid).index("micro_batch")
    rest = tuple(np.zeros_like(one) if axis == place else one for axis, one in enumerate(at))
    columns["alike"] = np.ravel_multi_index(rest, shape).astype(np.float64)
    if stated.stack is not None:
        return SetUps({**columns, "stack": np.zeros(len(at[0]))}, (stated.stack,))
    cut = (columns["tp"] > 1) | (columns["pp"] > 1) | (columns["ep"] > 1)
    found = SetUps({**columns, "stack": cut.astype(np.float64)})
    # copies of the network with cut states are Megatron's way too, where it fits
    again = ~cut & (columns["sharding"] == _ZERO1) & (columns["offload"] == 0)
    if job.model.family not in CUT_FAMILIES or _quantised(job) or not again.any():
        return found
    more = {name: np.concatenate([values, values[again]]) for name, values in found.columns.items()}
    more["stack"][len(found) :] = found.stacks.index(CUT_STACK)
    return SetUps(more)


def _quantised(job: Workload) -> bool:
    """Whether packed weights are what is cut: trainers of adapters cut them over devices (FSDP, ZeRO) or copy
    them, and no tensor, pipeline or context parallelism of a published run has them."""
    return job.recipe.method == "qlora"


def _choices(job: Workload, stated: Stated, *, wide: bool, spill: bool) -> dict[str, Sequence[float]]:
    """The values of each part of a layout that are tried."""
    model, recipe = job.model, job.recipe
    layers, heads, experts = (model.numbers.get(name) for name in ("layers", "heads", "experts"))
    cut = model.family in (BLOCKS if wide else CUT_FAMILIES)
    cut = cut and (stated.stack == CUT_STACK or not _quantised(job))
    longest = (recipe.seq_len or 0) / OWN_TOKENS
    experts = experts if cut and model.family == "moe" else None
    adapters = recipe.method in ("lora", "qlora")
    blocks, free = model.family in BLOCKS, stated.sharding is None and not stated.degrees
    found: dict[str, Sequence[float]] = {
        "tp": [n for n in TENSOR if n == 1 or (cut and (heads is None or heads % n == 0))],
        "pp": [n for n in PIPELINE if n == 1 or (cut and (layers is None or layers >= n))],
        "vpp": INTERLEAVED if cut and layers else [1],
        "cp": [n for n in CONTEXT if n == 1 or (cut and n <= longest)],
        "ep": [n for n in EXPERT if n == 1 or (experts and experts % n == 0)],
        "micro_batch": _micro_batches(job),
        "sharding": [0, _FSDP, _HSDP] if adapters and not wide else range(len(SHARDINGS)),
        "recompute": range(len(RECOMPUTES)) if blocks else [0, RECOMPUTES.index("full")],
        # what is stated of a layout is not slowed by what nobody asked for
        "offload": range(3 if spill else 2) if free and stated.stack in (None, *_OFFLOADING) else [0],
    }
    for name in found:
        told = getattr(stated, name)
        if told is not None:
            found[name] = [CODES[name].index(told) if name in CODES else float(told)]
    return found


def _micro_batches(job: Workload) -> list[float]:
    """Parts of the batch of one pass: its divisors, powers of two of what does not part."""
    batch = job.recipe.global_batch
    if batch is None:
        return [job.recipe.numbers.get("micro_batch", 1.0)]
    most = int(min(batch, LARGEST_TEXT if job.model.family in BLOCKS else LARGEST_IMAGES))
    found = {2**power for power in range(max(1, most).bit_length())}
    found |= {n for n in range(1, most + 1) if batch % n == 0}
    return [float(n) for n in sorted(found)]


def _possible(grid: Mapping[str, Array], job: Workload, stated: Stated) -> Mask:
    """Layouts that exist: whole replicas, each with samples."""
    devices, micro, vpp, pp = grid["devices"], grid["micro_batch"], grid["vpp"], grid["pp"]
    replicas = devices / (grid["tp"] * pp * grid["cp"])
    layers = job.model.numbers.get("layers", math.inf)
    keep = (replicas >= 1) & (replicas == np.floor(replicas))
    keep = keep & (replicas * micro <= (job.recipe.global_batch or math.inf))
    keep = keep & (grid["ep"] <= replicas * grid["cp"] * grid["tp"])
    keep = keep & (vpp * pp <= layers) & ((vpp == 1) | (pp > 1))
    if stated.offload is None:  # of weights cut over all devices, as published; matrices may be shared too
        whole = (pp * grid["cp"] * grid["ep"] == 1) & ((grid["sharding"] == _FSDP) | (devices == 1))
        keep = keep & ((grid["offload"] == 0) | whole)
    # one device has nothing to cut over
    return np.asarray(keep & ((devices > 1) | (grid["sharding"] == 0) | (stated.sharding is not None)))


def even_batch(grid: Mapping[str, Array], job: Workload, stated: Stated) -> Array:
    """Samples of a step of each layout: the job's, or a little less where those part over its replicas in no
    whole micro-batches and nobody states how many they are. NaN: not known."""
    batch = job.recipe.global_batch
    if batch is None:
        return np.array(np.nan)
    replicas = grid["devices"] / (grid["tp"] * grid["pp"] * grid["cp"])
    if "global_batch" in job.recipe.stated:
        return np.full_like(replicas, batch)
    # interleaving takes as many micro-batches as stages at a time, as in _usual
    together = np.where((grid["vpp"] > 1) & (stated.vpp is None), grid["pp"], 1.0)
    each = replicas * grid["micro_batch"] * together
    with np.errstate(all="ignore"):
        less = np.floor(batch / each) * each
        parts = (batch % replicas == 0) | (replicas % 1 != 0)
    return np.asarray(np.where(parts | (less < EVEN_BATCH * batch), batch, less))


def _usual(grid: Mapping[str, Array], job: Workload, stated: Stated, samples: Array, *, even: bool) -> Mask:
    """Layouts that somebody would take, with so many samples a step; what is stated is not judged."""
    batch, layers = job.recipe.global_batch, job.model.numbers.get("layers")
    devices, micro, sharding = grid["devices"], grid["micro_batch"], grid["sharding"]
    vpp, pp = grid["vpp"], grid["pp"]
    replicas = devices / (grid["tp"] * pp * grid["cp"])
    keep = grid["ep"] <= replicas * grid["cp"] if stated.ep is None else np.array(True)
    if batch is not None:
        # whole micro-batches: a step of 2,048 samples is never one of 2,049
        keep = keep & (samples % (replicas * micro) == 0) if even else keep
        # interleaving takes as many micro-batches as stages at a time (github:NVIDIA/Megatron-LM schedules)
        keep = keep & ((vpp == 1) | (samples / (replicas * micro) % pp == 0)) if stated.vpp is None else keep
    if layers and stated.vpp is None:
        most = [max(n for n in INTERLEAVED if n == 1 or layers % (n * pp_) == 0) for pp_ in pp.ravel()]
        keep = keep & ((vpp == 1) | (vpp == np.reshape(most, pp.shape)))
    alone = (grid["tp"] == 1) & (pp == 1) & (grid["ep"] == 1)
    if stated.sharding is None:
        # parts of a network have states worth cutting, unless all trained weights are adapters
        adapters = job.recipe.method in ("lora", "qlora")
        shared = devices / (grid["tp"] * pp) > 1
        keep = keep & np.where(shared, (sharding > 0) | adapters | alone, sharding == 0)
        # weights cut over replicas and over stages at once: gathered for each micro-batch, which nobody does
        keep = keep & ((sharding < _FSDP) | (pp == 1))
        # Megatron cuts states or weights; the rest are ways of DeepSpeed and PyTorch
        keep = keep & (alone | ((sharding != _ZERO2) & (sharding != _HSDP)))
    return np.asarray(keep)
