"""What of the candidates competes by its memory: what a stock trainer has first, others where that needs too
much, offloading where all does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from advisor.search.layouts import Index, Mask
from advisor.search.plan_groups import fastest, least_of, numbers_of, prefer
from advisor.search.plan_product import Array, Product, kinds
from advisor.search.plan_space import Candidates
from advisor.search.plan_taste import Taste, ways_of

LEAN = 1.1
"""Where no layout of a count surely fits: those compete that need up to this much more than the leanest."""

WORTH_TRYING, TRIED = 2.0, 0.98
"""So many times faster than what surely fits, a layout is taken that does by the estimate alone, if that
needs no more of the memory than the second: whether it fits shows in the first step, and it is told."""

WORKS = 0.6
"""Where a layout's operators take less than this share of its steps it is slowed by its links. Of networks of
experts then layouts further from what a stock trainer has are asked too, which must be faster by
`Taste.experts` to be taken."""

_OFFLOAD = 3  # what is asked last, after the ways of `SetUps.way`


@dataclass(frozen=True)
class Competing:
    """Candidates (rows) that compete for their accelerator and count, and how near the rest came."""

    device: Index
    set_up: Index
    groups: Index
    ways: Array
    sure: Mask  # the upper end of the memory's range fits too
    time: Array
    least_need: Array  # of each device the least memory a layout asked needs of what there is; NaN: not known
    least_at: Index  # and the set-up; -1: none
    timed: Mask  # devices with a time for a layout that fits
    tried: int  # candidates whose memory was asked
    fitting: int


@dataclass
class _Asked:
    """Of each candidate what is known so far."""

    share: Array  # of its device's memory; NaN: not known, or not asked
    sure: Mask
    asked: Mask
    time: Array


def competing(space: Candidates, taste: Taste, *, needs: bool = True, every: int = 0) -> Competing:
    """The candidates that compete by their memory, with the times by the rules.

    `every`: ways up to this one are asked although one before fits.
    Without `needs` nobody asks by how much the memory of a device falls short, on which nothing fits.
    """
    groups = space.groups()
    ways = ways_of(space, space.set_up, taste)
    offloads = space.set_ups["offload"][space.set_up] > 0
    found = _in_turn(space, groups, _turns(space, ways), needs=needs, every=every)
    fits = np.flatnonzero(found.share <= 1)
    share, sure, some, offloads = found.share[fits], found.sure[fits], groups[fits], offloads[fits]
    # running out of memory costs more than time, and of the host's nobody knows how much there is
    lean = share <= LEAN * least_of(2 * some + offloads, share)
    rank = np.where(sure, 0.0, np.where(lean, 1.0, 2.0)) + 3.0 * offloads
    preferred = prefer(rank, some)
    bold = ~sure & ~offloads & (share <= TRIED)
    kept = np.flatnonzero(preferred | bold)
    alike = 3 * some + ways[fits].astype(np.int64) if every else some
    chosen = _or_worth_trying(some[kept], alike[kept], sure[kept], preferred[kept], found.time[fits[kept]])
    rows = fits[kept[chosen]]
    device = space.device[rows]
    timed = np.zeros(space.kinds_of_device, dtype=bool)
    timed[device[~np.isnan(found.time[rows])]] = True
    need, least_at = _least(space, found.share)
    return Competing(
        device, space.set_up[rows], groups[rows], ways[rows], found.sure[rows], found.time[rows], need,
        least_at, timed, tried=int(found.asked.sum()), fitting=len(fits),
    )  # fmt: skip


def _turns(space: Candidates, ways: Array) -> Index:
    """When each candidate is asked: by its way, then a stock trainer's with states on the host, with weights
    there too, and at last networks that are cut as well."""
    offload = space.set_ups["offload"][space.set_up]
    last = _OFFLOAD + (offload > 1) + 2 * (ways > 0)
    return np.asarray(np.where(offload > 0, last, ways), dtype=np.int64)


def _in_turn(space: Candidates, groups: Index, turn: Index, *, needs: bool, every: int) -> _Asked:
    """Memory and time of the candidates. Of each group what a stock trainer has; what is further off where
    none of that surely fits, of experts where its links slow it (up to way `every` in any case); what
    offloads where nothing fits at all."""
    rows = len(turn)
    found = _Asked(
        np.full(rows, np.nan), np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool), np.full(rows, np.nan)
    )
    hopeless = _hopeless(space, turn, needs=needs)
    found.share[hopeless], found.asked[hopeless] = np.inf, True
    done = np.zeros(int(groups.max(initial=-1)) + 1, dtype=bool)
    held: list[tuple[Index, Mask, Array, Mask]] = []
    for number in numbers_of(turn)[0].tolist():
        if number > every:
            _settle_all(done, held)
        if number >= _OFFLOAD:
            done[groups[found.share <= 1]] = True
        mine = np.flatnonzero((turn == number) & ~done[groups] & ~hopeless)
        if not len(mine):
            continue
        used, at = numbers_of(space.set_up[mine])
        device, product = space.device[mine], space.of(used)
        share = shares_of(space, product, device, used, at)
        found.share[mine], found.asked[mine] = share, True
        fits = np.flatnonzero(share <= 1)
        mine = mine[fits]
        found.sure[mine] = surely_fits(space, device[fits], space.set_up[mine])
        figures = product.evaluate(_TIMES, device[fits], at[fits])
        found.time[mine] = figures["time_s"]
        works = np.fmax(figures["operators_s"], figures["launches_s"]) * figures["accumulations"]
        slowed = space.parted[space.set_up[mine]] & (works < WORKS * figures["step_s"])
        held.append((groups[mine], found.sure[mine], figures["time_s"], slowed))
        if number >= every:
            _settle_all(done, held)
    return found


_TIMES = ("time_s", "step_s", "accumulations", "operators_s", "launches_s")


def _hopeless(space: Candidates, turn: Index, *, needs: bool) -> Mask:
    """Candidates of which weights and states alone are more than all devices together hold. Where `needs`
    are told, not of devices of which all are."""
    weights, states = space.floors()
    least = np.where(turn >= _OFFLOAD, weights[space.device], states[space.device])
    least[space.set_ups["offload"][space.set_up] > 1] = 0.0
    usable = space.product.on_device("memory_usable")[space.device]
    hopeless = np.asarray(least > usable * space.set_ups["devices"][space.set_up])
    if needs:
        some = np.zeros(space.kinds_of_device, dtype=bool)
        some[space.device[~hopeless]] = True
        hopeless &= some[space.device]
    return hopeless


def _settle_all(done: Mask, held: list[tuple[Index, Mask, Array, Mask]]) -> None:
    """Settles what of one way after the other is held back."""
    for one in held:
        _settle(done, *one)
    held.clear()


def _settle(done: Mask, groups: Index, sure: Mask, time: Array, slowed: Mask) -> None:
    """Marks groups of which the fastest that surely fits is not slowed."""
    mine = groups[sure]
    best = fastest(groups, np.where(sure, time, np.nan))
    untimed = np.ones(len(done), dtype=bool)
    untimed[groups[best]] = False
    done[mine[untimed[mine]]] = True  # nobody knows how fast: of others no more is known
    done[groups[best]] = ~slowed[best]


def shares_of(space: Candidates, product: Product, device: Index, set_ups: Index, at: Index) -> Array:
    """The share of its device's memory that each pair needs; infinite where a smaller micro-batch needs all.

    A larger micro-batch never needs less, so of layouts that differ in it alone the smallest is asked first.
    `product` is of the set-ups of these numbers, of which each pair has that `at` a place.
    """
    usable = space.product.on_device("memory_usable")
    found = space.set_ups
    jobs = space.job_of[set_ups].astype(np.float64)
    alike = kinds([jobs, found["alike"][set_ups], found["stack"][set_ups]], len(set_ups))[at]
    pairs = device * (int(alike.max(initial=0)) + 1) + alike
    _, pairs = numbers_of(pairs)
    micro = found["micro_batch"][set_ups][at]
    least = micro == least_of(pairs, micro)
    share = np.full(len(device), np.inf)

    def ask(rows: Index) -> None:
        memory = product.evaluate(("memory_bytes",), device[rows], at[rows])["memory_bytes"]
        share[rows] = memory / usable[device[rows]]

    ask(np.flatnonzero(least))
    out = np.full(int(pairs.max(initial=0)) + 1, np.inf)
    out[pairs[least]] = share[least]
    ask(np.flatnonzero(~least & (out[pairs] <= 1)))
    return np.where(np.isnan(out[pairs]), np.nan, share)


def surely_fits(space: Candidates, device: Index, set_up: Index) -> Mask:
    """Whether the upper end of the memory's range fits too."""
    used, at = numbers_of(set_up)
    worst = space.of(used, "pessimistic")
    needed = worst.evaluate(("memory_bytes",), device, at)["memory_bytes"]
    return np.asarray(needed <= worst.on_device("memory_usable")[device])


def _or_worth_trying(groups: Index, alike: Index, sure: Mask, preferred: Mask, time: Array) -> Mask:
    """What is preferred, or of what is `alike` what is less sure to fit where that is so much faster."""
    best = least_of(groups, np.where(preferred, time, np.nan))
    bold = least_of(alike, np.where(sure, np.nan, time))
    return np.asarray(np.where(WORTH_TRYING * bold <= best, ~sure, preferred))


def _least(space: Candidates, share: Array) -> tuple[Array, Index]:
    """For each device the least share of its memory that a layout takes, and which."""
    rows = fastest(space.device, share)
    need = np.full(space.kinds_of_device, np.nan)
    at = np.full(space.kinds_of_device, -1, dtype=np.int64)
    need[space.device[rows]] = share[rows]
    at[space.device[rows]] = space.set_up[rows]
    return need, at
