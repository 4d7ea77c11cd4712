"""The candidates of a search: every place with every device count and layout, as index columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.estimate import Table, evaluate
from advisor.estimate.inputs import Inputs, known_only
from advisor.rulebook import RuleBook
from advisor.schema import Kind, Workload
from advisor.search.formats import landings
from advisor.search.grid import NOTHING_STATED, Stated, joined
from advisor.search.inputs import PLAIN_STACK, of_workload
from advisor.search.lack import lack_of
from advisor.search.layouts import Index, Mask, flags, numbers
from advisor.search.on_chip import kind_of, stages_of, usual_on_chip
from advisor.search.plan_groups import numbers_of
from advisor.search.plan_product import Array, Product
from advisor.search.plan_set_ups import ANY, CODES, NUMBERS, OWN_TOKENS, USUAL, SetUps, set_ups
from advisor.search.plan_site import Site, site_of

MAX_DEVICES = 16_384
_CHOSEN = frozenset((*NUMBERS, *CODES, "stack"))
_USUAL_DOMAIN = 8.0  # devices that share a layer where the catalogue knows no link among them


def counts_of(domains: Sequence[float], most: float) -> tuple[int, ...]:
    """Powers of two, and one and three times such multiples of each scale-up domain's size, up to `most`."""
    found = {2**power for power in range(15)}
    for domain in {int(size) for size in domains if size >= 1}:
        found |= {part * domain * 2**power for power in range(15) for part in (1, 3)}
    return tuple(sorted(count for count in found if count <= min(most, MAX_DEVICES)))


@dataclass(frozen=True)
class Sites:
    """Kinds of devices as columns of the rules' table: made once for all searches among them."""

    sites: tuple[Site, ...]
    inputs: tuple[Inputs, ...]
    columns: Mapping[str, Array]
    domains: Array  # devices that share a layer; NaN: not known
    limits: Array  # the most devices that are estimated

    @classmethod
    def of(cls, book: RuleBook, sites: Sequence[Accelerator | Site]) -> Sites:
        """Of the catalogue's entries, or of what was probed."""
        every = tuple(one if isinstance(one, Site) else site_of(one) for one in sites)
        inputs = tuple(known_only(book, site.inputs) for site in every)
        columns: dict[str, Array] = {}
        rows = np.arange(len(every))
        for name in dict.fromkeys(name for one in inputs for name in one.values):
            listed = [one.values.get(name) for one in inputs]
            words = book.columns[name].values
            columns |= flags(name, words, listed, rows) if words else {name: numbers(listed)}
        wanted = ("domain_devices", "scale_limit")
        # a limit may ask how many there are only to hold for all of them
        table = Table(len(every), {"devices": np.ones(len(every)), **columns})
        known = evaluate(book, table, wanted, keep_all=False).columns
        domains, limits = (known[name] for name in wanted)
        # a laptop's chip is one to a computer, like chips that share the host's memory
        mobile = np.array([site.mobile for site in every], dtype=bool)
        limits = np.where(mobile, np.fmin(limits, 1.0), limits)
        single = np.array([site.whole if site.single else np.inf for site in every])
        return cls(every, inputs, columns, domains, np.fmin(limits, single))

    def __len__(self) -> int:
        """Number of sites."""
        return len(self.sites)

    def take(self, rows: Sequence[int]) -> Sites:
        """Some of them."""
        at = np.array(rows, dtype=np.int64)
        return Sites(
            tuple(self.sites[row] for row in rows),
            tuple(self.inputs[row] for row in rows),
            {name: values[at] for name, values in self.columns.items()},
            self.domains[at],
            self.limits[at],
        )


def sizes_of(sites: Sites, most: float) -> list[tuple[int, ...]]:
    """For each site the numbers of devices that a search up to `most` may come to, whatever the workload."""
    found = []
    for site, joined_, limit in zip(sites.sites, sites.domains, sites.limits, strict=True):
        whole = site.whole or site.per_package
        domain = joined_ if joined_ >= 1 else 1.0
        tried = np.array(counts_of([domain], most), dtype=np.float64)
        tried = tried[
            (tried <= (limit if limit >= 1 else 1.0)) & _usual(tried, domain) & (tried % whole == 0)
        ]
        found.append(tuple(int(count) for count in tried))
    return found


class Candidates:
    """Pairs of a kind of device and a set-up (rows of two tables), of one job or of several side by side.

    `networks` and `ids` are of each kind of device, `batches`, `parted` and `job_of` of each set-up.
    """

    book: RuleBook
    set_ups: SetUps
    device: Index
    set_up: Index
    networks: Sequence[str]
    ids: Sequence[str]
    program: str
    batches: Array
    parted: Mask  # whether its network is of experts
    job_of: Index
    product: Product
    tables: tuple[dict[str, Array], Table, Table]  # jobs; kinds of device with their job; set-ups without

    @property
    def kinds_of_device(self) -> int:
        """Rows of the table of devices."""
        return len(self.ids)

    def groups(self) -> Index:
        """A number for the device and count of each pair."""
        return self.group_of(self.device, self.set_up)

    def group_of(self, device: Index, set_up: Index) -> Index:
        """The same, of these pairs: devices in rising order, of each the counts."""
        counts, at = numbers_of(self.set_ups["devices"])
        return np.asarray(device * len(counts) + at[set_up])

    def of(self, set_ups: Index, scenario: str = "middle") -> Product:
        """The product with these set-ups alone, in this order."""
        job, devices, every = self.tables
        if scenario == "middle":  # what has been computed of the devices is taken over
            devices = self.product.devices
        mine = self.job_of[set_ups]
        columns = {name: values[mine] for name, values in job.items()}
        columns |= {name: values[set_ups] for name, values in every.columns.items()}
        return Product(self.book, job, devices, Table(len(set_ups), columns), scenario)

    def floors(self) -> tuple[Array, Array]:
        """Of each kind of device the bytes that all devices of a job hold together at least: of weights, and
        with the optimizer's states. Copies, gradients and what passes leave come on top."""
        devices = self.tables[1]
        stacks = self.book.columns["stack"].values
        many = devices.take(np.tile(np.arange(devices.rows), len(stacks)))
        columns = dict(many.columns) | {name: np.ones(many.rows) for name in NUMBERS}
        for name in CODES:
            for value in self.book.columns[name].values:
                columns[f"{name}_{value}"] = np.full(many.rows, float(value == CODES[name][0]))
        for at, value in enumerate(stacks):
            columns[f"stack_{value}"] = np.repeat(np.arange(len(stacks)) == at, devices.rows).astype(float)
        wanted = ("weights_bytes", "optimizer_bytes")
        found = evaluate(self.book, Table(many.rows, columns), wanted, keep_all=False).columns
        weights, states = (found[name].reshape(len(stacks), -1) for name in wanted)
        return np.fmin.reduce(weights), np.fmin.reduce(weights + states)


class Space(Candidates):
    """The candidates of one workload: `sites` x `set_ups`, and the pairs of them that make sense.

    `counts`: these numbers of devices alone, in place of powers of two and multiples of a domain; none below
    `least`. What is `stated` of the layout holds. `wide` (of set_ups): also layouts that nobody takes while a
    usual one fits; `spill`: also with the weights in the host's memory; `far`: also more devices than any
    published run has, of what clusters are built of.
    """

    def __init__(  # noqa: PLR0913 - what is asked, then what narrows it
        self,
        book: RuleBook,
        job: Workload,
        sites: Sequence[Accelerator | Site] | Sites,
        most: int = MAX_DEVICES,
        counts: Sequence[int] | None = None,
        *,
        least: int = 1,
        stated: Stated = NOTHING_STATED,
        wide: int = USUAL,
        spill: bool = False,
        far: bool = False,
    ) -> None:
        self.book, self.job = book, job
        self.stated, self.wide, self.counts_given = stated.of_recipe(job.recipe), wide, counts is not None
        self.spill = spill
        every = sites if isinstance(sites, Sites) else Sites.of(book, sites)
        lacks = [lack_of(book, job, site.inputs, self.stated) for site in every.sites]
        self.unsupported = [
            (site, one) for site, one in zip(every.sites, lacks, strict=True) if one is not None
        ]
        self.asked = [at for at, one in enumerate(lacks) if one is None]  # of the sites given which these are
        self._sites = every if len(self.asked) == len(every) else every.take(self.asked)
        self.sites, self.device_inputs = self._sites.sites, self._sites.inputs
        self.domains, self.limits = self._sites.domains, self._sites.limits
        self.job_inputs = known_only(book, of_workload(job))
        if far:
            self.limits = np.where([of_clusters(site) for site in self.sites], MAX_DEVICES, self.limits)
        largest = float(np.nanmax(self.limits, initial=1.0))
        tried = counts_of(list(self.domains), min(most, largest)) if counts is None else counts
        self.set_ups = set_ups(
            job, [count for count in tried if count >= least], self.stated, wide=wide, spill=spill
        )
        self.device, self.set_up = self._with_own_stacks(*self._pairs())
        batch = job.recipe.global_batch
        batches, self.own_batches = self.set_ups["batch"], not np.isnan(self.set_ups["batch"]).all()
        self.batches = np.where(np.isnan(batches), np.nan if batch is None else float(batch), batches)
        self.parted = np.full(len(self.set_ups), job.model.family == "moe")
        self.job_of = np.zeros(len(self.set_ups), dtype=np.int64)
        self.networks = [job.model.id] * len(self.sites)
        self.ids, self.program = [site.id for site in self.sites], self.stated.program
        own, device_table = self._in_formats(self._job_columns())
        self.tables = (own, device_table, self._set_up_table(self.set_ups))
        self.product = Product(book, own, self.tables[1], Table(0, {}))
        self.product = self.of(np.arange(len(self.set_ups)))

    @cached_property
    def devices(self) -> tuple[Accelerator, ...]:
        """The catalogue's entries of the sites; a search over a machine's own devices has none."""
        return tuple(site.entry for site in self.sites if site.entry is not None)

    def _job_columns(self) -> dict[str, Array]:
        # what the search chooses is not the recipe's any more
        own = {name: value for name, value in self.job_inputs.values.items() if name not in _CHOSEN}
        own |= {name: word for name, word in self.stated.columns().items() if name in self.book.columns}
        if self.own_batches:  # then it is of each set-up
            own.pop("global_batch", None)
        return Table.from_columns(self.book, own, rows=1).columns

    def _device_table(self, own: Mapping[str, Array]) -> Table:
        rows = len(self.sites)
        columns = {name: np.repeat(value, rows) for name, value in own.items()}
        return Table(rows, columns | dict(self._sites.columns))

    def _in_formats(self, own: dict[str, Array]) -> tuple[dict[str, Array], Table]:
        """Columns of the job and of each kind of device, which says the precision where that is open and
        there another than the job's."""
        table, asked = self._device_table(own), self.job.recipe.precision
        words = landings(self.book, self.job, self.device_inputs, table)
        if all(word == asked for word in words):
            return own, table
        overlay = [Inputs() for _ in words]
        for one, word in zip(overlay, words, strict=True):
            one.put("precision", word, Kind.assumed, "what it computes in" if word != asked else "asked for")
        pairs = zip(self.device_inputs, overlay, strict=True)
        self.device_inputs = tuple(known_only(self.book, place.update(one)) for place, one in pairs)
        columns = flags("precision", self.book.columns["precision"].values, words, np.arange(len(words)))
        own = {name: value for name, value in own.items() if name not in columns}
        return own, Table(table.rows, dict(table.columns) | columns)

    def _set_up_table(self, found: SetUps) -> Table:
        columns = {name: found[name] for name in NUMBERS}
        if self.own_batches:
            columns["global_batch"] = self.batches
        if "sequence_parallel" not in self.job_inputs.values:
            columns["sequence_parallel"] = np.where(found["tp"] > 1, 1.0, np.nan)
        for name in (*CODES, "stack"):
            words = found.words(name)
            for value in self.book.columns[name].values:
                code = words.index(value) if value in words else -1
                columns[f"{name}_{value}"] = (found[name] == code).astype(np.float64)
        return Table(len(found), columns)

    def inputs(self, device: int, set_up: int) -> Inputs:
        """The columns of a pair, each with its source."""
        row = joined(self.job_inputs, self.device_inputs[device], self.set_ups.row(set_up), self.stated)
        return known_only(self.book, row)

    def _pairs(self) -> tuple[Index, Index]:
        """Pairs within each device's published scale, domain and own counts, ordered by device."""
        chosen: list[Index] = []
        known: dict[tuple[float | bool | str, ...], Index] = {}  # many devices are alike in what counts here
        for row, site in enumerate(self.sites):
            domain = self.domains[row] if self.domains[row] >= 1 else 1.0
            limit = self.limits[row] if self.limits[row] >= 1 else 1.0
            own = site.stack != PLAIN_STACK
            chip = kind_of(site.inputs)
            key = (domain, limit, site.per_package, site.whole, site.card, site.offloads, own, chip)
            if key not in known:
                known[key] = np.flatnonzero(self._sensible(site, domain, limit))
            chosen.append(known[key])
        device_of = np.repeat(np.arange(len(self.sites)), [len(rows) for rows in chosen])
        return device_of, np.concatenate([*chosen, np.zeros(0, dtype=np.int64)])

    def _sensible(self, site: Site, domain: float, limit: float) -> Mask:
        """Set-ups that make sense on such a device."""
        found, stated = self.set_ups, self.stated
        counts, alone = found["devices"], found.parts == 1
        free = self.wide == ANY or stated.cuts  # the user's own cuts hold over cards too
        inside = max(domain, _USUAL_DOMAIN) if self.wide == ANY else math.inf if free else domain
        # matrices are shared within a domain, sequences passed on between two (Llama 3.1 405B of
        # NVIDIA/dgxc-benchmarking); over more the rules of time would take the network for a link. Long
        # sequences need more, and their attention takes longer than that link: 131,072 tokens over 32 devices
        # (Qwen3 235B of the same), 1,048,576 over 64 and 256 (NeMo's long-context recipes)
        longest = max(2 * inside, (self.job.recipe.seq_len or 0) / OWN_TOKENS)
        keep = (found["tp"] <= inside) & (found["tp"] * found["cp"] <= longest)
        if not self.counts_given:
            # whole packages are rented and bought
            some, at = numbers_of(counts)
            usual = _usual(some.astype(np.float64), domain)[at]
            keep &= (counts <= limit) & usual & (counts % (site.whole or site.per_package) == 0)
        if site.stack != PLAIN_STACK or site.card:  # Megatron's copies are no other layout there
            keep &= ~alone | (found["stack"] != 1) | (stated.stack is not None)
        if site.card and not free:  # one published run alone cuts a network over cards: too few
            keep &= alone
        chip = kind_of(site.inputs)
        if chip:
            keep &= usual_on_chip(chip, found, stages_of(self.book, self.job, site.inputs))
        if stated.offload is None and not site.offloads:
            keep &= found["offload"] == 0
        if stated.sharding is None:  # within one domain it is the same as fsdp
            hybrid = found["sharding"] == found.code("sharding", "hsdp")
            keep &= ~hybrid | ((domain > 1) & (counts > domain))
        return np.asarray(keep)

    def _with_own_stacks(self, device: Index, set_up: Index) -> tuple[Index, Index]:
        """The pairs with set-ups of the devices' own programs, where PyTorch and Megatron are not theirs."""
        if self.stated.stack is not None:
            return device, set_up
        stacks = np.array([site.stack for site in self.sites])
        for stack in sorted(set(stacks.tolist()) - {PLAIN_STACK}):
            mine = (stacks == stack)[device]
            used, back = numbers_of(set_up[mine])
            set_up[mine] = len(self.set_ups) + back
            self.set_ups = self.set_ups.with_stack(used, stack)
        return device, set_up


def of_clusters(site: Site) -> bool:
    """Whether clusters of any size are built of it: no cards, and none that are one to a computer."""
    return not (site.card or site.mobile or site.single or site.inputs.values.get("hw_memory_unified") == 1)


def _usual(counts: Array, domain: float) -> Any:
    """Powers of two, and one and three times such multiples of a domain."""
    found = np.log2(counts) % 1 == 0
    for part in (domain, 3 * domain):
        found |= (counts >= part) & (np.log2(np.maximum(counts / part, 1.0)) % 1 == 0)
    return found
