"""What the noise watch reads, from files of our own."""

from __future__ import annotations

import os
import threading
import time

import pytest

from advisor.bench import noise


@pytest.fixture
def tasks(tmp_path):
    """A /proc/self/task with two threads and a way to let them wait."""
    own = threading.get_native_id()

    def wait(**seconds):
        for name, value in seconds.items():
            folder = tmp_path / (str(own) if name == "own" else name)
            folder.mkdir(exist_ok=True)
            (folder / "schedstat").write_text(f"1000 {int(value * 1e9)} 7\n")

    wait(own=0.0)
    return tmp_path, wait


def test_run_delay_adds_up_all_threads_and_keeps_what_a_gone_thread_had_waited(tasks):
    folder, wait = tasks
    delay = noise.RunDelay(str(folder))
    assert delay.method == "schedstat"
    assert delay.seconds() == 0.0
    wait(own=0.5, t2=1.0)
    assert delay.seconds() == pytest.approx(1.5)
    (folder / "t2" / "schedstat").write_text("")  # what a read of an ended thread's file gives
    assert delay.seconds() == pytest.approx(1.5)


def test_a_system_without_schedstat_is_told_by_thread_time_for_one_thread_only(tmp_path):
    delay = noise.RunDelay(str(tmp_path / "none"))
    assert delay.method == "thread_time"
    before = delay.seconds(1)
    time.sleep(0.03)
    assert delay.seconds(1) - before > 0.02
    assert delay.seconds(2) is None


def test_a_sandbox_that_shows_zeros_counts_as_without(tmp_path):
    folder = tmp_path / str(threading.get_native_id())
    folder.mkdir()
    (folder / "schedstat").write_text("0 0 0\n")
    assert noise.RunDelay(str(tmp_path)).method == "thread_time"


class StillGate(noise.Gate):
    """A gate that sees the given numbers of busy cores."""

    PAUSE_S = 0.001

    def __init__(self, threads, budget, cores, seen):
        super().__init__(threads, budget)
        self._cores, self._seen = cores, list(seen)

    def others(self, pause_s=0.0):
        return self._seen.pop(0) if len(self._seen) > 1 else self._seen[0]


@pytest.mark.parametrize(
    ("threads", "cores", "seen", "quiet"),
    [
        (2, 2, [0.1], True),
        (2, 2, [1.5, 1.2, 0.1], True),  # waits until the neighbour is done
        (2, 2, [1.5], False),  # gives up when the waiting budget is spent
        (2, 16, [5.0], True),  # busy elsewhere, and our cores are free
        (2, 2, [None], True),
    ],
)
def test_the_gate_waits_for_free_cores_within_its_budget(monkeypatch, threads, cores, seen, quiet):
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0), raising=False)
    assert StillGate(threads, 0.01, cores, seen).wait() is quiet


@pytest.mark.parametrize(
    ("running", "threads", "crowded"),
    [(3, 1, True), (2, 1, False), (2, 2, True), (1, 2, False), (None, 2, False)],
)
def test_more_runnable_threads_than_free_cores_is_crowded(monkeypatch, running, threads, crowded):
    monkeypatch.setattr(noise, "runnable", lambda: running)
    gate = StillGate(2, 0.0, 2, [0.0])
    assert gate.crowded(threads) is crowded


def test_figures_told_together_share_their_noise(monkeypatch):
    ticks = iter([(0.0, 100.0, 0.0), (10.0, 200.0, 10.0), (10.0, 200.0, 10.0), (10.0, 201.0, 10.0)])
    monkeypatch.setattr(noise, "cpu_ticks", lambda: next(ticks))
    watch = noise.Watch()
    watch.start()
    assert watch.stop()["steal_fraction"] == pytest.approx(0.1)
    watch.start()
    assert watch.stop()["steal_fraction"] == pytest.approx(0.1)
