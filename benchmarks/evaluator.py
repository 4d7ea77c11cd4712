"""How fast rules run: `python benchmarks/evaluator.py [rows]` over the shipped rule files.

Prints the time to load them, that of one row, and how many decoders are estimated a second. A complete
estimate is time and memory of a decoder of the catalogue on an accelerator of the catalogue with its
layout given. One core, seconds of this process on it, the best of five. The bar is 300,000 a second.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import numpy as np
from told import row

from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.estimate import Table, evaluate, evaluate_ranges, explain
from advisor.estimate.inputs import of_accelerator
from advisor.rulebook import RuleBook, load_book

BAR_PER_SECOND = 300_000
WANT = ("step_s", "time_s", "memory_bytes", "fits")
LAYOUTS: dict[str, tuple[object, ...]] = {
    "devices": (1, 8, 64, 1024),
    "micro_batch": (1, 2, 8),
    "global_batch": (64, 512),
    "seq_len": (1024, 4096),
    "recompute": ("none", "selective", "full"),
    "sharding": ("none", "zero1", "fsdp"),
    "tp": (1, 2, 8),
    "pp": (1, 4),
    "effort": ("ordinary", "tuned"),
    "flash_attention": (0, 1),
    "compiled": (0, 1),
}
RECIPE: dict[str, object] = {
    "method": "pretrain",
    "precision": "bf16_mixed",
    "optimizer": "adamw",
    "samples": 1e6,
    "stack": "megatron",
    "era": 2024.5,
}


def decoders(book: RuleBook, catalogue: Catalogue, rows: int) -> Table:
    """`rows` decoders of the catalogue, each on an accelerator and in a layout drawn at random."""
    random = np.random.default_rng(0)
    models = [model for model in catalogue.models.values() if model.family == "decoder"]
    devices = [of_accelerator(entry).values for entry in catalogue.accelerators.values()]
    chosen = random.integers(len(models), size=rows), random.integers(len(devices), size=rows)
    columns: dict[str, object] = {name: value for name, value in RECIPE.items() if name in book.columns}
    columns["family"] = ["decoder"] * rows
    for index, source in zip(chosen, ([model.numbers for model in models], devices), strict=True):
        for name in dict.fromkeys(name for values in source for name in values):
            if name in book.columns:
                each = [values.get(name) for values in source]
                columns[name] = [each[i] for i in index]
    for name, choices in LAYOUTS.items():
        columns[name] = [choices[i] for i in random.integers(len(choices), size=rows)]
    return Table.from_columns(book, columns, rows=rows)


def best_of(run: Callable[[], object], count: int = 5) -> float:
    """Seconds of this process (others may share the core) in the fastest of `count` runs."""
    times = []
    for _ in range(count):
        begun = time.process_time()
        run()
        times.append(time.process_time() - begun)
    return min(times)


def main() -> None:
    """Print the figures."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 131_072
    folder = shipped("rules")
    book, catalogue = load_book([folder]), load_catalogue()
    operators = f"{len(book.operators)} operators, {len(book.order)} quantities"
    print(f"load      {best_of(lambda: load_book([folder])) * 1e3:8.1f} ms ({operators})")
    want = [name for name in WANT if name in book.quantities]
    one = decoders(book, catalogue, 1)
    print(f"one row   {best_of(lambda: evaluate(book, one, want)) * 1e3:8.1f} ms")
    print(f"its range {best_of(lambda: evaluate_ranges(book, one, want)) * 1e3:8.1f} ms")
    print(f"its trace {best_of(lambda: explain(book, one, 0, want[0])) * 1e3:8.1f} ms")
    table = decoders(book, catalogue, rows)
    seconds = best_of(lambda: evaluate(book, table, want, keep_all=False))
    note = f"{rows} in {seconds * 1e3:.0f} ms of one core"
    row("estimates of decoders", rows / seconds, BAR_PER_SECOND, "/s", least=True, note=note)
    done = evaluate(book, table, want, keep_all=False)
    print("known: " + ", ".join(f"{name} {np.mean(~np.isnan(done.columns[name])):.0%}" for name in want))


if __name__ == "__main__":
    main()
