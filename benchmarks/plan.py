"""How fast a plan is: `python benchmarks/plan.py` for 70 B pretraining on up to 4,096 devices.

Prints layouts tried a second of this process, its seconds from a cold start with and without the wait for
other programs, and its memory. The bars: 300,000 layouts a second in the search, 2 s, 600 MB.
"""

from __future__ import annotations

import sys
import time

from told import hwadvisor, memory_row, process_row, row

from advisor.app import load_knowledge
from advisor.schema import PlanLimits
from advisor.search import workload_from_flags
from advisor.search.plan import plan
from advisor.search.plan_search import search

BAR_PER_SECOND, BAR_S, BAR_MB = 300_000, 2.0, 600
JOB = ("--model", "llama-3-70b", "--tokens", "2T", "--method", "pretrain", "--deadline", "60d")
MOST = 4096
ROUNDS = 3


def per_second() -> tuple[float, float]:
    """Layouts tried a second of this process, by the search alone and by the whole plan; best of some."""
    knowledge = load_knowledge()
    job = workload_from_flags(knowledge.catalogue, "llama-3-70b", tokens=2e12, method="pretrain")
    devices = tuple(knowledge.catalogue.accelerators.values())
    best = [0.0, 0.0]
    for _ in range(ROUNDS):
        start = time.process_time()
        found = search(knowledge.book, job, devices, knowledge.published, MOST)
        between = time.process_time()
        limits = PlanLimits(deadline_days=60, max_devices=MOST)
        plan(knowledge.book, knowledge.catalogue, job, limits, knowledge.published)
        end = time.process_time()
        best[0] = max(best[0], found.tried / (between - start))
        best[1] = max(best[1], found.tried / (end - between))
    return best[0], best[1]


def main() -> None:
    """Measure, print, and fail where a bar is missed."""
    searched, planned = per_second()
    kept = [row("layouts tried by the search", searched, BAR_PER_SECOND, "/s", least=True)]
    row("  by a whole plan", planned, BAR_PER_SECOND, "/s", least=True)
    runs = hwadvisor("plan", *JOB, "--max-devices", str(MOST), "--json", runs=ROUNDS)
    kept += [process_row("plan, cold process", runs, BAR_S), memory_row("  its memory", runs, BAR_MB)]
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
