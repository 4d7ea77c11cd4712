"""Warm-up, blocks, stop rule: with a clock and a delay counter of our own, so that time does what we say."""

from __future__ import annotations

import itertools

import pytest

from advisor.bench import timing
from advisor.bench.timing import Block, Limits, Samples


class Clock:
    """Answers with the given seconds per call, the last one for ever."""

    def __init__(self, *seconds: float) -> None:
        self._seconds = itertools.chain(seconds, itertools.repeat(seconds[-1]))
        self.calls = 0

    def block(self, call, count):
        self.calls += count
        return next(self._seconds) * count


class Delay:
    """A run-delay counter that grows by a fixed step at each look."""

    method = "schedstat"

    def __init__(self, step: float) -> None:
        self._step, self._total = step, 0.0

    def seconds(self, threads=1):
        self._total += self._step
        return self._total


def test_quantiles_of_an_empty_list_tell_only_that_it_is_empty():
    assert timing.quantiles([]) == {"n": 0}


def test_quantiles_interpolate():
    got = timing.quantiles([4.0, 1.0, 3.0, 2.0, 5.0])
    assert (got["n"], got["median"], got["best"]) == (5, 3.0, 1.0)
    assert got["p10"] == pytest.approx(1.4)
    assert got["p90"] == pytest.approx(4.6)


def test_precision_shrinks_with_more_blocks_and_is_unknown_for_few():
    assert timing.precision([1.0, 1.0, 1.0]) == float("inf")
    few, many = [0.9, 1.0, 1.1, 1.0], [0.9, 1.0, 1.1, 1.0] * 25
    assert timing.precision(many) < timing.precision(few) / 4


def test_warm_up_sets_the_compiling_first_call_aside_and_ends_when_blocks_agree():
    clock = Clock(5.0, 0.01, 0.02, 0.012, 0.0101, 0.0100, 0.0102)
    per_call = timing.warm_up(lambda: None, clock, Limits(warm_cap_s=60.0))
    assert per_call == pytest.approx(0.0100)
    assert clock.calls >= 3


def test_warm_up_makes_three_calls_even_when_the_cap_is_over_at_once():
    clock = Clock(9.0, 9.0, 9.0)
    timing.warm_up(lambda: None, clock, Limits(warm_cap_s=0.0))
    assert clock.calls == 3


def test_disturbed_blocks_are_set_aside_but_counted():
    samples = Samples(blocks=[Block(1.0, 0.5), Block(2.0, 0.001), Block(3.0, None)])
    assert samples.kept() == [2.0, 3.0]
    assert samples.all() == [1.0, 2.0, 3.0]
    assert Samples(blocks=samples.blocks, filtered=False).kept() == [1.0, 2.0, 3.0]


def test_a_steady_call_stops_at_the_least_time_and_a_disturbed_one_at_the_cap():
    limits = Limits(min_s=0.02, cap_s=0.15, warm_cap_s=0.0, min_blocks=5, block_s=0.0)
    call = lambda: sum(range(2000))  # noqa: E731
    calm = timing.measure(call, timing.WallClock(), limits, Delay(0.0), filtered=False)
    assert len(calm.blocks) >= 5
    disturbed = timing.measure(call, timing.WallClock(), limits, Delay(1.0))
    assert disturbed.kept() == []
    assert disturbed.wall_s > calm.wall_s / 2
    summary = disturbed.summary()
    assert summary["kept"] == {"n": 0}
    assert summary["run_delay_fraction"] > 1.0


def test_blocks_are_made_long_enough():
    assert timing.calls_for(0.005, 0.001) == 5
    assert timing.calls_for(0.005, 1.0) == 1
    assert timing.calls_for(0.005, 0.0) <= 1_000_000


def test_the_event_clock_reads_milliseconds_of_the_device():
    log = []

    class Event:
        def record(self):
            log.append("record")

        def elapsed_time(self, other):
            return 250.0

    clock = timing.EventClock(Event, lambda: log.append("wait"))
    assert clock.block(lambda: log.append("call"), 2) == 0.25
    assert log == ["record", "call", "call", "record", "wait"]


def test_a_training_step_may_wait_three_percent_and_a_short_block_one():
    blocks = [Block(0.5, 0.02), Block(0.5, 0.031)]
    assert len(Samples(blocks=blocks, keep_below=timing.KEEP_STEPS).kept()) == 1
    assert Samples(blocks=blocks).kept() == []
