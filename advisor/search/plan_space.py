"""The candidates of a search: every place with every device count and layout, as index columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.estimate import Table, evaluate
from advisor.estimate.inputs import Inputs, known_only, table_of
from advisor.rulebook import RuleBook
from advisor.schema import Workload
from advisor.search.grid import NOTHING_STATED, Stated, joined
from advisor.search.inputs import PLAIN_STACK, of_workload
from advisor.search.layouts import Index, Mask, flags, numbers
from advisor.search.plan_product import Array, Product
from advisor.search.plan_set_ups import ANY, CODES, NUMBERS, USUAL, SetUps, set_ups
from advisor.search.plan_site import Site, site_of
from advisor.search.support import unsupported

MAX_DEVICES = 16_384
_CHOSEN = frozenset((*NUMBERS, *CODES, "stack"))
_USUAL_DOMAIN = 8.0  # devices that share a layer where the catalogue knows no link among them


def counts_of(domains: Sequence[float], most: float) -> tuple[int, ...]:
    """Powers of two, and one and three times such multiples of each scale-up domain's size, up to `most`."""
    found = {2**power for power in range(15)}
    for domain in {int(size) for size in domains if size >= 1}:
        found |= {part * domain * 2**power for power in range(15) for part in (1, 3)}
    return tuple(sorted(count for count in found if count <= min(most, MAX_DEVICES)))


def sizes_of(book: RuleBook, sites: Sequence[Site], most: float) -> list[tuple[int, ...]]:
    """For each site the numbers of devices that a search up to `most` may come to, whatever the workload."""
    table = table_of(book, [known_only(book, site.inputs) for site in sites])
    known = evaluate(book, table, ("domain_devices", "scale_limit"), keep_all=False).columns
    found = []
    for site, joined_, limit in zip(sites, known["domain_devices"], known["scale_limit"], strict=True):
        whole = site.whole or site.per_package
        domain = joined_ if joined_ >= 1 else 1.0
        tried = np.array(counts_of([domain], most), dtype=np.float64)
        tried = tried[(tried <= _limit(site, limit)) & _usual(tried, domain) & (tried % whole == 0)]
        found.append(tuple(int(count) for count in tried))
    return found


def _limit(site: Site, limit: float) -> float:
    """The most devices of a site: one in a laptop, as of chips that share the host's memory."""
    limit = limit if limit >= 1 else 1.0
    return min(limit, 1.0) if site.mobile else limit


class Space:
    """The candidates of one workload: `sites` x `set_ups`, and the pairs of them that make sense.

    `counts`: these numbers of devices alone, in place of powers of two and multiples of a domain. What is
    `stated` of the layout holds. `wide` (of set_ups): also layouts that nobody takes while a usual one fits.
    """

    def __init__(  # noqa: PLR0913 - what is asked, then what narrows it
        self,
        book: RuleBook,
        job: Workload,
        sites: Sequence[Accelerator | Site],
        most: int = MAX_DEVICES,
        counts: Sequence[int] | None = None,
        *,
        stated: Stated = NOTHING_STATED,
        wide: int = USUAL,
    ) -> None:
        self.book, self.job = book, job
        self.stated, self.wide, self.counts_given = stated.of_recipe(job.recipe), wide, counts is not None
        every = [one if isinstance(one, Site) else site_of(one) for one in sites]
        lacks = [unsupported(job, site.inputs, self.stated) for site in every]
        self.sites = tuple(site for site, one in zip(every, lacks, strict=True) if one is None)
        self.unsupported = [(site, one) for site, one in zip(every, lacks, strict=True) if one is not None]
        self.asked = [at for at, one in enumerate(lacks) if one is None]  # of the sites given which these are
        self.job_inputs = known_only(book, of_workload(job))
        self.device_inputs = [known_only(book, site.inputs) for site in self.sites]
        product = Product(book, {}, self._device_table(), Table(0, {}))
        self.domains, self.limits = product.on_device("domain_devices"), product.on_device("scale_limit")
        # a laptop's chip is one to a computer, like chips that share the host's memory
        mobile = np.array([site.mobile for site in self.sites])
        self.limits = np.where(mobile, np.fmin(self.limits, 1.0), self.limits)
        largest = float(np.nanmax(self.limits, initial=1.0))
        tried = counts_of(list(self.domains), min(most, largest)) if counts is None else counts
        self.set_ups = set_ups(job, tried, self.stated, wide=wide)
        self.device, self.set_up = self._with_own_stacks(*self._pairs())
        self._tables = (self._job_columns(1), self._device_table(), self._set_up_table(self.set_ups))
        self.product = Product(book, *self._tables)

    def of(self, set_ups: Index, scenario: str = "middle") -> Product:
        """The product with these set-ups alone, in this order."""
        job, devices, every = self._tables
        if scenario == "middle":  # what has been computed of either side is taken over
            return Product(self.book, job, self.product.devices, self.product.set_ups.take(set_ups))
        columns = {name: values[set_ups] for name, values in every.columns.items()}
        return Product(self.book, job, devices, Table(len(set_ups), columns), scenario)

    @cached_property
    def devices(self) -> tuple[Accelerator, ...]:
        """The catalogue's entries of the sites; a search over a machine's own devices has none."""
        return tuple(site.entry for site in self.sites if site.entry is not None)

    def _job_columns(self, rows: int) -> dict[str, Array]:
        # what the search chooses is not the recipe's any more
        own = {name: value for name, value in self.job_inputs.values.items() if name not in _CHOSEN}
        own |= {name: word for name, word in self.stated.columns().items() if name in self.book.columns}
        return Table.from_columns(self.book, own, rows=rows).columns

    def _device_table(self) -> Table:
        columns: dict[str, Any] = dict(self._job_columns(len(self.sites)))
        every = np.arange(len(self.sites))
        for name in dict.fromkeys(name for one in self.device_inputs for name in one.values):
            listed = [one.values.get(name) for one in self.device_inputs]
            words = self.book.columns[name].values
            columns |= flags(name, words, listed, every) if words else {name: numbers(listed)}
        return Table(len(self.sites), columns)

    def _set_up_table(self, found: SetUps) -> Table:
        columns: dict[str, Any] = dict(self._job_columns(len(found)))
        for name in NUMBERS:
            columns[name] = found[name]
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
        known: dict[tuple[float | bool, ...], Index] = {}  # many devices are alike in what counts here
        for row, site in enumerate(self.sites):
            domain = self.domains[row] if self.domains[row] >= 1 else 1.0
            limit = self.limits[row] if self.limits[row] >= 1 else 1.0
            own = site.stack != PLAIN_STACK
            key = (domain, limit, site.per_package, site.whole, site.card, site.offloads, own)
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
        # NVIDIA/dgxc-benchmarking); over more the rules of time would take the network for a link
        keep = (found["tp"] <= inside) & (found["tp"] * found["cp"] <= 2 * inside)
        if not self.counts_given:
            # whole packages are rented and bought
            keep &= (
                (counts <= limit) & _usual(counts, domain) & (counts % (site.whole or site.per_package) == 0)
            )
        if site.stack != PLAIN_STACK or site.card:  # Megatron's copies are no other layout there
            keep &= ~alone | (found["stack"] != 1) | (stated.stack is not None)
        if site.card and not free:  # one published run alone cuts a network over cards: too few
            keep &= alone
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
        stacks = np.array([site.stack for site in self.sites])[device]
        for stack in sorted(set(stacks.tolist()) - {PLAIN_STACK}):
            mine = stacks == stack
            used, back = np.unique(set_up[mine], return_inverse=True)
            set_up[mine] = len(self.set_ups) + back
            self.set_ups = self.set_ups.with_stack(used, stack)
        return device, set_up


def _usual(counts: Array, domain: float) -> Any:
    """Powers of two, and one and three times such multiples of a domain."""
    found = np.log2(counts) % 1 == 0
    for part in (domain, 3 * domain):
        found |= (counts >= part) & (np.log2(np.maximum(counts / part, 1.0)) % 1 == 0)
    return found
