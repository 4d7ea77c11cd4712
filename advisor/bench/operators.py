"""How long single operators take, over a grid of shapes: what a step of any network is put together from.

A point is one call as a training step makes it: operands are there, the result is made anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from .context import Context, Figure
from .devices import Unable
from .matrix import float_dtype, require_dtype
from .shapes import SETS, Maker, Point
from .timing import Samples, add_block, calls_for, quantiles

LONG_S = 0.003  # from which one call makes a block, and the call that prepared it has warmed up enough


class Effort(NamedTuple):
    """How long a point is timed. `again`: every point a second time, so that a slow moment of the machine
    does not hit all blocks of one; else only those of which no block was undisturbed."""

    turns: int
    long_turns: int
    block_s: float
    warm_s: float
    again: bool


EFFORTS = {
    "coarse": Effort(3, 2, 0.0007, 0.0007, again=False),
    "full": Effort(3, 3, 0.0015, 0.003, again=True),
}
"""By grid: a coarse one has fewer shapes (shapes.py) and takes a tenth of the time."""


def operators(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """Every point of one set in one number format; the figure is a pass over all of them, once each."""
    dtype, name, grid = str(params["dtype"]), str(params["set"]), str(params.get("grid", "full"))
    require_dtype(ctx, dtype)
    torch, device = ctx.torch, ctx.place()
    maker = Maker(torch, device.name, float_dtype(torch, dtype), dtype, full=grid == "full")
    effort, room = EFFORTS[grid], ctx.room()
    timed: dict[tuple[str, tuple[float, ...]], list[Samples]] = {}
    refused: dict[str, str] = {}
    with torch.no_grad():
        for once_more in (False, True):
            for point in SETS[name](maker):
                rounds = timed.get((point.operator, point.sizes), [])
                if once_more and not effort.again and any(samples.kept() for samples in rounds):
                    continue
                if point.bytes > room:
                    refused[point.operator] = "it would take more than a fifth of the free memory"
                elif point.operator not in refused:
                    call = _prepared(ctx, point, refused)
                    if call is not None:
                        found = _time(ctx, call, effort)
                        timed.setdefault((point.operator, point.sizes), []).append(found)
    if not timed:
        reason = next(iter(refused.values()), "there is none")
        raise Unable("not_supported", f"no operator of the set {name} could be timed: {reason}")
    found = _pooled(list(timed.values()))
    found.filtered = device.is_cpu
    points = [[operator, list(sizes), _best(rounds)] for (operator, sizes), rounds in timed.items()]
    yield Figure("s", found, params={"points": len(points)}, points=points)


def _prepared(ctx: Context, point: Point, refused: dict[str, str]) -> Callable[[], object] | None:
    """The call with its operands, once it has run; None where this device or this torch lacks it."""
    try:
        call = point.make()
        call()
        ctx.place().synchronize()
    except (RuntimeError, TypeError, ValueError, AttributeError, NotImplementedError, IndexError) as error:
        refused[point.operator] = str(error).strip().partition("\n")[0][:200]
        return None
    return call


def _time(ctx: Context, call: Callable[[], object], effort: Effort) -> Samples:
    """A few blocks of one call, which has run once before."""
    device, watch = ctx.place(), ctx.watch
    clock, threads = device.clock(), ctx.threads if device.is_cpu else 1
    found = Samples(filtered=device.is_cpu, delay_method=watch.delay.method)
    begun = time.perf_counter()
    add_block(found, call, clock, watch.delay, threads)
    each, turns = found.blocks[0].seconds, effort.long_turns - 1
    if each < LONG_S:
        while time.perf_counter() - begun < effort.warm_s:
            each = min(each, clock.block(call, 1))
        found = Samples(
            calls_per_block=calls_for(effort.block_s, each), filtered=found.filtered,
            delay_method=found.delay_method,
        )  # fmt: skip
        turns = effort.turns
    for _ in range(turns):
        add_block(found, call, clock, watch.delay, threads)
    return found


def _middle(samples: Samples) -> float:
    """The median of the undisturbed blocks, the best of all where all were disturbed."""
    kept = samples.kept()
    return float(quantiles(kept)["median"] if kept else quantiles(samples.all())["best"])


def _best(rounds: list[Samples]) -> float:
    """Of the better round: what others take of caches and memory only ever makes one slower."""
    return min(_middle(samples) for samples in rounds)


def _pooled(every: list[list[Samples]]) -> Samples:
    """All blocks as if each were a pass over all points: seconds of its point, scaled to the sum of all.

    Of each point those of its better round, as its figure is of these.
    """
    total = sum(map(_best, every))
    found = Samples(delay_method=every[0][0].delay_method)
    for rounds in every:
        best = min(rounds, key=_middle)
        middle = _middle(best)
        for block in best.blocks:
            found.blocks.append(type(block)(block.seconds / middle * total, block.delay))
        for samples in rounds:
            found.wall_s += samples.wall_s
            if samples.delay_s is not None:
                found.delay_s = (found.delay_s or 0.0) + samples.delay_s
    return found
