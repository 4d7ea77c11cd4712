"""What goes on beside a measurement, as seen from inside the process: the reason to trust a figure or not.

The signal that tells a disturbed run from a quiet one is the time our own threads were runnable and had no
core (`/proc/self/task/*/schedstat`, second field, nanoseconds). Steal time sees only the hypervisor and
pressure counts everybody's waiting, so both are kept as hints (docs/calibration.md has the figures).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable

from . import cgroup

TASKS = "/proc/self/task"
BESIDE: set[str] = set()
"""Threads of this process (kernel ids) beside the work: that they wait for a core costs it nothing."""


def _read(path: str) -> str:
    """The text of a small file, or "" when this system has no such file or hides it."""
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


class RunDelay:
    """Seconds that the threads of this process waited for a core since the process began.

    `method`: "schedstat", "thread_time" (wall minus CPU time of the calling thread, right for one-thread
    work only) or "none". File handles stay open because a block lasts a few milliseconds only.
    """

    def __init__(self, root: str = TASKS) -> None:
        self._root = root
        self._handles: dict[str, int] = {}
        self._gone_s = 0.0
        self._last: dict[str, float] = {}
        self.method = "schedstat" if self._counts() else "thread_time"

    def _counts(self) -> bool:
        """Whether schedstat is there and alive: some sandboxes show a file of zeros."""
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        fields = _read(f"{self._root}/{_own_thread()}/schedstat").split()
        return len(fields) >= 2 and fields[0] != "0"

    def seconds(self, threads: int = 1) -> float | None:
        """Total so far; only differences mean something. None where this system does not tell."""
        if self.method == "thread_time":
            return time.perf_counter() - time.thread_time() if threads == 1 else None
        try:
            names = os.listdir(self._root)  # noqa: PTH208 - hot, and names are all we need
        except OSError:
            return None
        for name in names:
            if name not in self._handles and name not in BESIDE:
                try:
                    self._handles[name] = os.open(f"{self._root}/{name}/schedstat", os.O_RDONLY)
                except OSError:  # the thread ended between the listing and the opening
                    continue
        for name, handle in list(self._handles.items()):
            try:
                self._last[name] = int(os.pread(handle, 64, 0).split()[1]) * 1e-9
            except (OSError, IndexError, ValueError):  # the thread ended: keep what it had waited
                self._gone_s += self._last.pop(name, 0.0)
                os.close(self._handles.pop(name))
        return self._gone_s + sum(self._last.values())


def _own_thread() -> str:
    import threading

    return str(threading.get_native_id())


def cpu_ticks() -> tuple[float, float, float] | None:
    """(busy, total, steal) of all CPUs in clock ticks since boot, or None."""
    line = _read("/proc/stat").partition("\n")[0].split()
    if len(line) < 9 or line[0] != "cpu":
        return None
    user, nice, system, idle, iowait, irq, softirq, steal = (float(part) for part in line[1:9])
    busy = user + nice + system + irq + softirq
    return busy, busy + idle + iowait + steal, steal


def runnable() -> int | None:
    """Threads on the whole machine that run or wait for a core right now, ours included, or None."""
    for line in _read("/proc/stat").splitlines():
        if line.startswith("procs_running "):
            return int(line.split()[1])
    return None


def pressure_some() -> float | None:
    """Share of the last 10 s in which some process waited for a core, 0..1 (everybody's, not ours)."""
    for part in _read("/proc/pressure/cpu").split():
        if part.startswith("avg10="):
            return float(part[6:]) / 100.0
    return None


class Watch:
    """Noise between `start` and `stop`; one object serves the whole run."""

    def __init__(self) -> None:
        self.delay = RunDelay()
        self._ticks: tuple[float, float, float] | None = None
        self._quotas: dict[Path, cgroup.Quota] = {}
        self._at = 0.0
        self._last: dict[str, float | None] = {}

    def start(self) -> None:
        """Begin a measurement."""
        self._ticks, self._quotas, self._at = cpu_ticks(), cgroup.quotas(), time.perf_counter()

    def stop(self, threads: int = 1) -> dict[str, float | None]:
        """What the system counted since `start` beside work of so many threads; None where it does not."""
        steal = None
        before, after = self._ticks, cpu_ticks()
        if before and after and after[1] <= before[1] + 2 and self._last:
            return self._last  # figures measured together, told of one after the other
        if before and after and after[1] > before[1]:
            steal = (after[2] - before[2]) / (after[1] - before[1])
        core_s = (time.perf_counter() - self._at) * max(threads, 1)
        periods, withheld = cgroup.cut_between(self._quotas, cgroup.quotas(), core_s)
        self._last = {
            "steal_fraction": steal,
            "throttled_fraction": periods,
            "throttled_time_fraction": withheld,
            "pressure_some": pressure_some(),
        }
        return self._last


class Gate:
    """Waits for the machine to be quiet before a test, within one waiting budget for the whole run.

    Quiet: other processes leave the cores that the test wants. Their use is the CPU time of everybody less
    our own between two looks a pause apart, which is ten ticks of the kernel's clock.
    """

    PAUSE_S = 0.1

    def __init__(self, threads: int, wait_budget_s: float) -> None:
        self._threads = threads
        self._left_s = wait_budget_s
        self._cores = os.cpu_count() or 1
        self._tick_s = 1.0 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
        self._mark = self._look()

    def begin(self) -> None:
        """Forget what went on before: the parent's own work between two tests is not a neighbour's."""
        self._mark = self._look()

    def _look(self) -> tuple[float, float, float] | None:
        """(wall s, everybody's busy core-seconds, our own), or None without /proc/stat."""
        ticks = cpu_ticks()
        if ticks is None:
            return None
        own = os.times()
        return time.perf_counter(), ticks[0] * self._tick_s, own.user + own.system

    def others(self, pause_s: float = PAUSE_S) -> float | None:
        """Cores that other processes kept busy since the last look, pausing if that was just now."""
        if self._mark is None:
            return None
        short = pause_s - (time.perf_counter() - self._mark[0])
        if short > 0:
            time.sleep(short)
        now = self._look()
        if now is None:
            return None
        wall = max(now[0] - self._mark[0], 1e-3)
        cores = (now[1] - self._mark[1] - (now[2] - self._mark[2])) / wall
        self._mark = now
        return max(cores, 0.0)

    def wait(self, told: Callable[[float], object] | None = None) -> bool:
        """True when the machine is quiet enough or cannot tell; False: run, and tag the figure.

        `told` is called once, with the seconds that may be spent, when there is reason to wait.
        """
        allowed = max(self._cores - self._threads, 0) + max(0.3, 0.05 * self._threads)
        while True:
            busy = self.others()
            if busy is None:
                return not self._loaded()
            if busy <= allowed:
                return True
            if self._left_s <= 0:
                return False
            if told is not None:
                told(self._left_s)
                told = None
            time.sleep(self.PAUSE_S)
            self._left_s -= 2 * self.PAUSE_S

    def crowded(self, threads: int, looks: int = 5) -> bool:
        """Whether more threads of others want a core than are left beside `threads` of ours.

        A scheduler that shares out by groups may still give us a whole core for a while, so that our own
        run delay alone looks harmless; a figure taken then is luck.
        """
        seen = []
        for _ in range(looks):
            count = runnable()
            if count is None:
                return False
            seen.append(count - 1)  # we are running while we look
            time.sleep(0.002)
        return sorted(seen)[looks // 2] > max(self._cores - threads, 0)

    def _loaded(self) -> bool:
        """Load average over the number of cores: all that macOS tells. Our own past load counts in it."""
        if not hasattr(os, "getloadavg"):
            return False
        return os.getloadavg()[0] > self._cores + self._threads
