"""The candidates of a plan: every accelerator with every device count and layout, as index columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.estimate import Table
from advisor.estimate.inputs import Inputs, known_only, of_accelerator
from advisor.rulebook import RuleBook
from advisor.schema import Kind, Workload
from advisor.search.inputs import of_workload
from advisor.search.layouts import Index, Mask, flags, numbers
from advisor.search.plan_product import Array, Product

MAX_DEVICES = 16_384
MICRO_BATCHES = (1, 2, 4, 8, 16, 32, 64)
TENSOR = (1, 2, 4, 8)
PIPELINE = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
INTERLEAVED = (1, 2, 4)
CONTEXT = (1, 2, 4, 8)
EXPERT = (1, 2, 4, 8, 16, 32, 64)
LONG_SEQUENCE = 16_384
"""Tokens from which one sequence is worth sharing: published runs with context parallelism train on
sequences this long or longer (arXiv:2407.21783 section 3.3.2: 131,072; arXiv:2310.01889)."""

SHARDINGS = ("none", "zero1", "fsdp")
RECOMPUTES = ("none", "selective", "full")
STACKS = ("torch", "megatron")
CUT_FAMILIES = ("decoder", "moe")
"""Networks that tensor and pipeline parallelism cut: of 734 published runs that cut one, 728 are of these."""

NUMBERS = ("devices", "tp", "pp", "vpp", "cp", "ep", "micro_batch")
"""Numbers of a set-up, as in rules/columns.toml; its words beside them."""


@dataclass(frozen=True)
class SetUps:
    """Columns of equal length: numbers, and codes into SHARDINGS, RECOMPUTES and STACKS."""

    columns: Mapping[str, Array]

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

    def word(self, name: str, row: int) -> str:
        """Sharding, recompute or stack of a set-up."""
        return {"sharding": SHARDINGS, "recompute": RECOMPUTES, "stack": STACKS}[name][int(self[name][row])]

    def inputs(self, row: int) -> Inputs:
        """The columns of one set-up for a table that tells where its values come from."""
        found = Inputs()
        told = "found by the search"
        for name in NUMBERS:
            found.put(name, float(self[name][row]), Kind.assumed, told)
        for name in ("sharding", "recompute", "stack"):
            found.put(name, self.word(name, row), Kind.assumed, told)
        if self["tp"][row] > 1:
            found.put("sequence_parallel", 1.0, Kind.assumed, "usual with tensor parallelism")
        return found


def counts_of(domains: Sequence[float], most: float) -> tuple[int, ...]:
    """Powers of two, and such multiples of each size of a scale-up domain, up to `most`."""
    found = {2**power for power in range(15)}
    for domain in {int(size) for size in domains if size >= 1}:
        found |= {domain * 2**power for power in range(15)}
    return tuple(sorted(count for count in found if count <= min(most, MAX_DEVICES)))


def set_ups(job: Workload, counts: Sequence[int], layers: float | None, heads: float | None) -> SetUps:
    """Every layout of every count that the network and its batch allow.

    Each replica has a sample of its own in each step: a global batch is never enlarged for more devices.
    """
    recipe, family = job.recipe, job.model.family
    batch = recipe.global_batch or math.inf
    cut = family in CUT_FAMILIES
    tensor = [n for n in TENSOR if n == 1 or (cut and heads and heads % n == 0)]
    pipeline = [n for n in PIPELINE if n == 1 or (cut and layers and layers >= n)]
    context = [n for n in CONTEXT if n == 1 or (cut and (recipe.seq_len or 0) >= LONG_SEQUENCE)]
    experts = job.model.numbers.get("experts") if family == "moe" else None
    expert = [n for n in EXPERT if n == 1 or (experts and experts % n == 0)]
    stated = recipe.numbers.get("micro_batch", 1.0)
    micro = sorted({*MICRO_BATCHES, stated})
    adapters = recipe.method in ("lora", "qlora")
    grid = np.meshgrid(
        np.array(counts, dtype=np.float64), tensor, pipeline, INTERLEAVED, context, expert, micro,
        [0, 2] if adapters else [0, 1, 2], range(len(RECOMPUTES)), indexing="ij",
    )  # fmt: skip
    columns = {
        name: np.asarray(part, dtype=np.float64).ravel()
        for name, part in zip((*NUMBERS, "sharding", "recompute"), grid, strict=True)
    }
    keep = _sensible(columns, batch, adapters=adapters)
    # only pipelines interleave, with as many blocks in every part
    keep &= (columns["vpp"] == 1) | (
        (columns["pp"] > 1) & ((layers or 1) % (columns["pp"] * columns["vpp"]) == 0)
    )
    columns = {name: values[keep] for name, values in columns.items()}
    model_parallel = (columns["tp"] > 1) | (columns["pp"] > 1) | (columns["ep"] > 1)
    columns["stack"] = model_parallel.astype(np.float64)
    return SetUps(columns)


def _sensible(columns: Mapping[str, Array], batch: float, *, adapters: bool) -> Mask:
    """Layouts that exist: whole replicas, each with samples; weights cut in one way at a time."""
    devices, micro, sharding = columns["devices"], columns["micro_batch"], columns["sharding"]
    parts = columns["tp"] * columns["pp"] * columns["cp"]
    replicas = devices / parts
    keep = (replicas >= 1) & (replicas == np.floor(replicas)) & (replicas * micro <= batch)
    # whole micro-batches: a step of 2,048 samples is never one of 2,049
    if np.isfinite(batch):
        keep &= batch % (replicas * micro) == 0
    keep &= columns["ep"] <= replicas * columns["cp"]
    # one device has nothing to cut over; several cut their states, unless all trained weights are adapters
    shared = devices / (columns["tp"] * columns["pp"]) > 1
    keep &= np.where(shared, (sharding > 0) | adapters, sharding == 0)
    # weights cut over replicas and over stages at once: gathered for each micro-batch, which nobody does
    keep &= (sharding < 2) | (columns["pp"] == 1)
    return np.asarray(keep)


def purchase_of(entry: Accelerator) -> Inputs:
    """What a package costs when bought."""
    found = Inputs()
    as_of = entry.msrp_as_of or "undated"
    found.put(
        "hw_purchase",
        entry.msrp_usd,
        Kind.published,
        f"list price, {as_of}: {entry.file.name}",
        "no list price",
    )
    return found


class Space:
    """The candidates of one workload: `devices` x `set_ups`, and the pairs of them that make sense.

    `counts`: these numbers of devices alone, in place of powers of two and multiples of a domain.
    """

    def __init__(
        self,
        book: RuleBook,
        job: Workload,
        devices: Sequence[Accelerator],
        most: int = MAX_DEVICES,
        counts: Sequence[int] | None = None,
    ) -> None:
        self.book, self.job, self.devices = book, job, tuple(devices)
        self.job_inputs = known_only(book, of_workload(job))
        self.device_inputs = [
            known_only(book, of_accelerator(device).update(purchase_of(device))) for device in devices
        ]
        product = Product(book, {}, self._device_table(), Table(0, {}))
        self.domains, self.limits = product.on_device("domain_devices"), product.on_device("scale_limit")
        # a laptop's chip is one to a computer, like chips that share the host's memory
        mobile = np.array([device.form_factor == "mobile" for device in devices])
        self.limits = np.where(mobile, np.fmin(self.limits, 1.0), self.limits)
        layers, heads = (job.model.numbers.get(name) for name in ("layers", "heads"))
        largest = float(np.nanmax(self.limits, initial=1.0))
        self.counts_given = counts is not None
        tried = counts_of(list(self.domains), min(most, largest)) if counts is None else counts
        self.set_ups = set_ups(job, tried, layers, heads)
        tables = (self._job_columns(1), self._device_table(), self._set_up_table(self.set_ups))
        self.product = Product(book, *tables)
        self.worst = Product(book, *tables, scenario="pessimistic")
        self.device, self.set_up = self._pairs()

    def _job_columns(self, rows: int) -> dict[str, Array]:
        # what the search chooses is not the recipe's any more
        chosen = {*NUMBERS, "sharding", "recompute", "stack", "sequence_parallel"}
        own = {name: value for name, value in self.job_inputs.values.items() if name not in chosen}
        return Table.from_columns(self.book, own, rows=rows).columns

    def _device_table(self) -> Table:
        columns: dict[str, Any] = dict(self._job_columns(len(self.devices)))
        every = np.arange(len(self.devices))
        for name in dict.fromkeys(name for one in self.device_inputs for name in one.values):
            listed = [one.values.get(name) for one in self.device_inputs]
            words = self.book.columns[name].values
            columns |= flags(name, words, listed, every) if words else {name: numbers(listed)}
        return Table(len(self.devices), columns)

    def _set_up_table(self, found: SetUps) -> Table:
        columns: dict[str, Any] = dict(self._job_columns(len(found)))
        for name in NUMBERS:
            columns[name] = found[name]
        columns["sequence_parallel"] = np.where(found["tp"] > 1, 1.0, np.nan)
        for name, words in (("sharding", SHARDINGS), ("recompute", RECOMPUTES), ("stack", STACKS)):
            for value in self.book.columns[name].values:
                code = words.index(value) if value in words else -1
                columns[f"{name}_{value}"] = (found[name] == code).astype(np.float64)
        return Table(len(found), columns)

    def _pairs(self) -> tuple[Index, Index]:
        """Pairs within each device's published scale, domain and own counts, ordered by device."""
        found = self.set_ups
        counts, inside = found["devices"], found["tp"] * found["cp"]
        alone = (inside == 1) & (found["pp"] == 1) & (found["ep"] == 1)
        power_of_two = np.log2(counts) % 1 == 0
        chosen = []
        for row, device in enumerate(self.devices):
            domain = self.domains[row] if self.domains[row] >= 1 else 1.0
            keep = (counts <= (self.limits[row] if self.limits[row] >= 1 else 1.0)) & (inside <= domain)
            keep &= power_of_two | (np.log2(np.maximum(counts / domain, 1.0)) % 1 == 0) | self.counts_given
            # whole packages are rented and bought
            keep &= counts % device.devices_per_package == 0
            if device.card:  # one published run alone cuts a network over cards: too few to lend from
                keep &= alone
            chosen.append(np.flatnonzero(keep))
        device_of = np.repeat(np.arange(len(self.devices)), [len(rows) for rows in chosen])
        return device_of, np.concatenate([*chosen, np.zeros(0, dtype=np.int64)])
