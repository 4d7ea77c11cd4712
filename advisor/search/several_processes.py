"""Jobs of a file on several processors: batches go to processes of their own, sums come back."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import NamedTuple

from advisor.search.plan_product import Array
from advisor.search.several import Adder
from advisor.search.several_taken import Counted

ENOUGH = 64
"""Different jobs from which on processes are worth their start."""

MOST, EACH_BYTES = 4, 300e6
"""Processes, and what each of them takes for itself (a file of 260 jobs of nine networks: 273 MB beside what
it shares): half of the memory that is free is left to others."""

Batch = Sequence[Sequence[Counted]]


class Part(NamedTuple):
    """What a batch adds."""

    totals: dict[int, Array]
    jobs: int
    runs: float
    unfit: str
    lost: dict[int, str]


def processes_for(jobs: int, free_bytes: float | None = None) -> int:
    """How many processes so many different jobs get where so much memory is free; 1: this one does them."""
    if jobs < ENOUGH or "fork" not in multiprocessing.get_all_start_methods():
        return 1
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = MOST if free_bytes is None else int(free_bytes / 2 / EACH_BYTES)
    return max(1, min(MOST, own, room))


def add_all(adder: Adder, batches: Iterator[Batch], processes: int) -> Iterator[int]:
    """Adds all batches; yields how many jobs are done after each."""
    if processes < 2:
        for batch in batches:
            adder.add_alike(batch)
            yield adder.jobs
        return
    fork = multiprocessing.get_context("fork")  # what is loaded is shared, and nothing is pickled but jobs
    pool = ProcessPoolExecutor(processes, fork, initializer=_start, initargs=(adder,))
    try:
        waiting: set[Future[Part]] = set()
        for batch in batches:
            waiting.add(pool.submit(_add, batch))
            if len(waiting) > 2 * processes:  # few at a time, however long the file
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield _joined(adder, done)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield _joined(adder, done)
    finally:
        pool.shutdown(cancel_futures=True)


def _joined(adder: Adder, done: set[Future[Part]]) -> int:
    for one in done:
        part = one.result()
        adder.jobs += part.jobs
        adder.runs += part.runs
        adder.unfit = adder.unfit or part.unfit
        adder.lost = part.lost | adder.lost
        for at, totals in part.totals.items():
            adder.totals[at] = adder.totals[at] + totals if at in adder.totals else totals
    return adder.jobs


_OWN: list[Adder] = []  # of this process


def _start(adder: Adder) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    _OWN[:] = [adder]


def _add(batch: Batch) -> Part:
    """A batch alone. Kinds that did not do an earlier one are not asked again, as without processes."""
    adder = _OWN[0]
    adder.totals, adder.jobs, adder.runs, adder.unfit = {}, 0, 0.0, ""
    adder.add_alike(batch)
    return Part(adder.totals, adder.jobs, adder.runs, adder.unfit, adder.lost)
