"""How fast rules run: `python benchmarks/evaluator.py [rows]` over the shipped rule files.

Prints rule evaluations (rule x row) per 0.1 s for several table sizes, the time of one row, and the
load time. The target is at least one million per 0.1 s; times are the best of five.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from advisor.data.files import shipped
from advisor.estimate import Table, evaluate, evaluate_ranges, explain
from advisor.rulebook import RuleBook, load_book

TARGET_PER_TENTH = 1e6


def best_of(count: int, run: Callable[[], object]) -> float:
    """Seconds of the fastest of `count` runs."""
    times = []
    for _ in range(count):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def random_table(book: RuleBook, rows: int) -> Table:
    """Every declared column filled: numbers from 1 to 100, categories at random. Not real machines."""
    random = np.random.default_rng(0)
    columns: dict[str, object] = {}
    for column in book.columns.values():
        if column.values:
            columns[column.id] = [column.values[i] for i in random.integers(len(column.values), size=rows)]
        else:
            columns[column.id] = random.uniform(1, 100, rows)
    return Table.from_columns(book, columns, rows=rows)


def main() -> None:
    """Print the figures."""
    folder = shipped("rules")
    print(f"load   {best_of(5, lambda: load_book([folder])) * 1e3:8.1f} ms")
    book = load_book([folder])
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else 262_144
    rules = len(book.rules)
    for rows in (1, 100, 16_384, largest):
        table = random_table(book, rows)
        seconds = best_of(5, partial(evaluate, book, table, keep_all=rows < 1e5))
        per_tenth = rows * rules / seconds / 10
        verdict = "" if rows < 16_384 else " ok" if per_tenth >= TARGET_PER_TENTH else " BELOW TARGET"
        speed = f"{per_tenth / 1e6:6.2f} M per 0.1 s{verdict}"
        print(f"{rows:7} rows x {rules} rules {seconds * 1e3:8.1f} ms  {speed}")
    one = random_table(book, 1)
    last = book.order[-1]
    print(f"ranges of one row {best_of(5, lambda: evaluate_ranges(book, one)) * 1e3:8.1f} ms")
    print(f"explain {last} {best_of(5, lambda: explain(book, one, 0, last)) * 1e3:8.1f} ms")


if __name__ == "__main__":
    main()
