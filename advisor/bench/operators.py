"""How long single operators take, over a grid of shapes: what a step of any network is put together from.

A point is one call as a training step makes it: operands are there, the result is made anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Callable

from .context import Context, Figure
from .devices import Unable
from .matrix import float_dtype, require_dtype
from .shapes import SETS, Maker, Point
from .timing import Samples, add_block, calls_for, quantiles

ROUNDS = 2  # over all points, so that a slow moment of the machine does not hit all blocks of one
TURNS = 3
BLOCK_S = 0.0015
WARM_S = 0.003


def operators(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """Every point of one set in one number format; the figure is a pass over all of them, once each."""
    dtype, name = str(params["dtype"]), str(params["set"])
    require_dtype(ctx, dtype)
    torch, device = ctx.torch, ctx.place()
    maker = Maker(torch, device.name, float_dtype(torch, dtype), dtype)
    timed: dict[tuple[str, tuple[float, ...]], list[Samples]] = {}
    refused: dict[str, str] = {}
    with torch.no_grad():
        for _ in range(ROUNDS):
            for point in SETS[name](maker):
                if point.bytes > ctx.room():
                    refused[point.operator] = "it would take more than a fifth of the free memory"
                elif point.operator not in refused:
                    call = _prepared(ctx, point, refused)
                    if call is not None:
                        timed.setdefault((point.operator, point.sizes), []).append(_time(ctx, call))
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


def _time(ctx: Context, call: Callable[[], object]) -> Samples:
    """A few blocks of one call."""
    device, watch = ctx.place(), ctx.watch
    clock = device.clock()
    begun = time.perf_counter()
    each = clock.block(call, 1)
    while time.perf_counter() - begun < WARM_S:
        each = min(each, clock.block(call, 1))
    found = Samples(
        calls_per_block=calls_for(BLOCK_S, each), filtered=device.is_cpu, delay_method=watch.delay.method
    )
    for _ in range(TURNS):
        add_block(found, call, clock, watch.delay, ctx.threads if device.is_cpu else 1)
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
