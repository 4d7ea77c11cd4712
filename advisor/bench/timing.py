"""How long one call takes: warm-up, short blocks, a stop rule, and what to keep of them.

A figure is the median of blocks; each block repeats the call for some milliseconds. On a CPU the blocks in
which our own threads waited for a core longer than 1 % are set aside: those that are left are right to 1 %
even beside other jobs, as long as ten of them survive. Training steps on all cores are hardly ever without
the system's own short interruptions, so that theirs may be 3 % (docs/calibration.md).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable

from .noise import RunDelay

KEEP_BELOW = 0.01  # own run delay / wall time of a block that still counts as undisturbed
KEEP_STEPS = 0.03  # the same of a training step, which is too long to fall between the system's own work
AGREE = 0.03  # warm-up ends when three blocks in a row agree within this
PRECISE = 0.01  # stop when the standard error of the median is below this share of it
CHECK_EVERY_S = 0.03


@dataclass(frozen=True)
class Limits:
    """How long to measure. `block_s` is the least a block lasts, `cap_s` the most all blocks may take."""

    min_s: float = 0.5
    cap_s: float = 3.0
    warm_block_s: float = 0.05
    warm_cap_s: float = 1.0
    min_blocks: int = 10
    block_s: float = 0.005


@dataclass(frozen=True)
class Block:
    """Seconds of one call (mean over the block) and the block's own run delay as a share of its wall time."""

    seconds: float
    delay: float | None = None


@dataclass
class Samples:
    """All blocks of one measurement; `filtered` says whether disturbed blocks were set aside."""

    blocks: list[Block] = field(default_factory=list)
    calls_per_block: int = 1
    wall_s: float = 0.0
    delay_s: float | None = None
    filtered: bool = True
    delay_method: str = "schedstat"
    keep_below: float = KEEP_BELOW  # the delay is summed over threads, so that it bounds what a block lost

    def kept(self) -> list[float]:
        """Seconds per call of the undisturbed blocks (all of them where nothing tells)."""
        if not self.filtered:
            return [block.seconds for block in self.blocks]
        return [b.seconds for b in self.blocks if b.delay is None or b.delay < self.keep_below]

    def all(self) -> list[float]:
        """Seconds per call of every block."""
        return [block.seconds for block in self.blocks]

    def summary(self) -> dict[str, Any]:
        """What travels to the parent."""
        return {
            "all": quantiles(self.all()),
            "kept": quantiles(self.kept()),
            "calls_per_block": self.calls_per_block,
            "wall_s": self.wall_s,
            "run_delay_fraction": None if self.delay_s is None else self.delay_s / max(self.wall_s, 1e-9),
            "delay_method": self.delay_method,
            "filtered": self.filtered,
        }


def quantile(ordered: list[float], share: float) -> float:
    """Linear interpolation between the neighbours in a sorted, non-empty list."""
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def quantiles(values: list[float]) -> dict[str, Any]:
    """n, p10, median, p90, best (least time) of seconds per call; only n when there are none."""
    if not values:
        return {"n": 0}
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "p10": quantile(ordered, 0.1),
        "median": quantile(ordered, 0.5),
        "p90": quantile(ordered, 0.9),
        "best": ordered[0],
    }


def precision(values: list[float]) -> float:
    """Interquartile range / sqrt(n) / median: how well the median is known. Infinite for under 4 values."""
    if len(values) < 4:
        return float("inf")
    ordered = sorted(values)
    median = quantile(ordered, 0.5)
    spread = quantile(ordered, 0.75) - quantile(ordered, 0.25)
    return float(spread / (len(ordered) ** 0.5) / median) if median > 0 else float("inf")


class WallClock:
    """Times a block by the wall clock, with the device emptied before and after."""

    def __init__(self, synchronize: Callable[[], None] | None = None) -> None:
        self._synchronize = synchronize

    def block(self, call: Callable[[], object], count: int) -> float:
        """Seconds that `count` calls take in a row."""
        if self._synchronize is not None:
            self._synchronize()
        start = time.perf_counter()
        for _ in range(count):
            call()
        if self._synchronize is not None:
            self._synchronize()
        return time.perf_counter() - start


class EventClock:
    """Times a block on the device's own time line, between two events of its stream."""

    def __init__(self, make_event: Callable[[], Any], synchronize: Callable[[], None]) -> None:
        self._begin, self._end = make_event(), make_event()
        self._synchronize = synchronize

    def block(self, call: Callable[[], object], count: int) -> float:
        """Seconds between the first call's start and the last one's end on the device."""
        self._begin.record()
        for _ in range(count):
            call()
        self._end.record()
        self._synchronize()
        return float(self._begin.elapsed_time(self._end)) * 1e-3  # elapsed_time is in milliseconds


Clock = Any  # WallClock, EventClock, or anything with their `block`


def calls_for(seconds: float, per_call: float) -> int:
    """How many calls fill `seconds`."""
    return max(1, min(1_000_000, int(seconds / max(per_call, 1e-9) + 0.999)))


def warm_up(call: Callable[[], object], clock: Clock, limits: Limits) -> float:
    """Repeat until three blocks in a row agree, or the cap; returns seconds per call. At least 3 calls.

    The very first call is set aside: it may compile kernels and take hundreds of times longer.
    """
    start = time.perf_counter()
    clock.block(call, 1)
    per_call = clock.block(call, 1)
    calls, recent = 2, [per_call]
    while True:
        count = calls_for(limits.warm_block_s, per_call)
        per_call = clock.block(call, count) / count
        calls += count
        recent = [*recent[-2:], per_call]
        agreed = len(recent) == 3 and max(recent) <= min(recent) * (1 + AGREE)
        late = time.perf_counter() - start >= limits.warm_cap_s
        if calls >= 3 and (agreed or late):
            return float(min(recent))


def measure(  # noqa: PLR0913
    call: Callable[[], object],
    clock: Clock,
    limits: Limits,
    delay: RunDelay,
    *,
    threads: int = 1,
    filtered: bool = True,
) -> Samples:
    """Warm up, then time blocks until the median is known within 1 %, or the cap.

    `threads`: how many threads the call uses (decides whether run delay can be told without schedstat).
    `filtered`: set disturbed blocks aside; false for work that runs on an accelerator.
    """
    per_call = warm_up(call, clock, limits)
    samples = Samples(
        calls_per_block=calls_for(limits.block_s, per_call), filtered=filtered, delay_method=delay.method
    )
    start = checked = time.perf_counter()
    while True:
        add_block(samples, call, clock, delay, threads)
        now = time.perf_counter()
        if now - start >= limits.cap_s:
            return samples
        if now - start >= limits.min_s and (now - checked >= CHECK_EVERY_S or samples.calls_per_block == 1):
            checked = now
            kept = samples.kept()
            if len(kept) >= limits.min_blocks and precision(kept) < PRECISE:
                return samples


def add_block(
    samples: Samples, call: Callable[[], object], clock: Clock, delay: RunDelay, threads: int
) -> None:
    """Time one more block and note how long our threads waited for a core meanwhile."""
    before = delay.seconds(threads)
    begun = time.perf_counter()
    seconds = clock.block(call, samples.calls_per_block)
    wall = time.perf_counter() - begun
    after = delay.seconds(threads)
    waited = None
    if before is not None and after is not None:
        waited = max(after - before, 0.0)
        samples.delay_s = (samples.delay_s or 0.0) + waited
    samples.wall_s += wall
    samples.blocks.append(
        Block(seconds / samples.calls_per_block, None if waited is None else waited / max(wall, 1e-9))
    )
