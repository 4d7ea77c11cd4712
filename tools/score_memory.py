"""Score the memory rules against published peaks: python tools/score_memory.py [--worst N]

Uses the rows of rules/evidence that say sequence length (or image size), micro-batch, method and what kind of
figure they print. Allocated rows are compared with `allocated_bytes`, reserved ones with that times the
reserved factor, nvidia-smi ones with `memory_bytes`. No constant of the memory rules is fitted on these rows.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from typing import Any

import numpy as np
from evidence_table import RULES, Row, network_of, read_rows

from advisor.estimate import Table, evaluate_ranges
from advisor.rulebook import load_book

GIB = 2.0**30
OPTIMIZERS = {
    "adamw8bit": "adamw_8bit",
    "adam8bit": "adamw_8bit",
    "paged_adamw_8bit": "adamw_8bit",
    "sgd": "sgd",
}
METHODS = ("full", "lora", "qlora")
PRECISIONS = {"bf16": "bf16", "fp16": "fp16_mixed", "bf16-mixed": "bf16_mixed", "fp32": "fp32"}
FIGURE = {"allocated": "allocated_bytes", "reserved": "reserved", "nvml": "memory_bytes"}


def inputs_of(row: Row) -> dict[str, Any] | str:
    """The columns of a row, or why it is not used."""
    if row.get("memory_kind") not in FIGURE or not row.get("peak_mem_gib"):
        return "kind of figure not said"
    if any(mark in row.get("notes", "") for mark in ("SUSPECT", "UNIT AMBIGUOUS", "EVAL-BOUND", "UNIT:")):
        return "marked as not to be trusted"
    if row.get("offload", "none") not in ("none", None) or row.get("method", "full") not in METHODS:
        return "method or offload not covered"
    if max(row.get("tp") or 1, row.get("pp") or 1, row.get("cp") or 1) > 1:
        return "tensor, pipeline or context parallel"
    network = network_of(row)
    if isinstance(network, str):
        return network
    batch = row.get("micro_batch") or (row.get("global_batch") if row.get("num_accelerators") == 1 else None)
    if not batch:
        return "micro-batch not given"
    devices = float(row.get("num_accelerators") or 1)
    sharded = row.get("sharding") in ("fsdp", "fsdp2", "zero3", "hsdp") and devices > 1
    if devices > 1 and not sharded and row.get("sharding") not in ("ddp", "none"):
        return "several devices, how the states are cut is not said"
    if row.get("recompute") == "selective":
        return "selective recomputation"
    precision = PRECISIONS.get(str(row.get("precision")))
    if precision is None:
        return "precision not covered"
    return {
        **network,
        "method": row.get("method", "full"),
        "precision": precision,
        "optimizer": OPTIMIZERS.get(str(row.get("optimizer")).lower(), "adamw"),
        "lora_rank": float(row.get("lora_rank") or 16),
        "micro_batch": float(batch),
        "devices": devices,
        "sharding": "fsdp" if sharded else "none",
        "recompute": "full" if row.get("recompute") == "full" else "none",
        "vendor": "nvidia",
        "hw_peak_fp16": 1.0,
        "hw_peak_bf16": 1.0,
    }


def groups_of(row: Row) -> tuple[str, ...]:
    """The lines of the table that a row counts for."""
    return (
        "all",
        f"kind: {row['memory_kind']}",
        f"method: {row.get('method', 'full')}",
        f"source: {row['source_key']}",
    )


def main() -> None:
    """Print errors by kind of figure, method and source."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worst", type=int, default=0)
    options = parser.parse_args()
    book = load_book([RULES])
    used: list[tuple[Row, dict[str, Any]]] = []
    left: dict[str, int] = defaultdict(int)
    for row in read_rows():
        if not row.get("peak_mem_gib"):
            continue
        found = inputs_of(row)
        if isinstance(found, str):
            left[found] += 1
        else:
            used.append((row, found))
    table = Table.from_rows(book, [inputs for _, inputs in used])
    spans = evaluate_ranges(book, table, ["allocated_bytes", "memory_bytes"])
    factor = book.constants["reserved_factor"]
    groups: dict[str, list[tuple[float, bool, Row]]] = defaultdict(list)
    for at, (row, _inputs) in enumerate(used):
        kind = str(row["memory_kind"])
        span = spans["memory_bytes" if kind == "nvml" else "allocated_bytes"]
        scale = (factor.low, factor.value, factor.high) if kind == "reserved" else (1.0, 1.0, 1.0)
        ends = (float(span.low[at]), float(span.value[at]), float(span.high[at]))
        low, value, high = (end * factor_of for end, factor_of in zip(ends, scale, strict=True))
        if math.isnan(value):
            left["not computed by the rules"] += 1
            continue
        measured = float(row["peak_mem_gib"]) * GIB
        item = (value / measured - 1, low <= measured <= high, row)
        for name in groups_of(row):
            groups[name].append(item)
    print(f"{len(groups['all'])} rows used; not used:")
    for reason, number in sorted(left.items(), key=lambda pair: -pair[1]):
        print(f"  {number:5d}  {reason}")
    print("| rows | n | median error | 90 % below | median signed | in the range |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in sorted(groups, key=lambda key: (key != "all", key)):
        errors = np.array([item[0] for item in groups[name]])
        inside = np.mean([item[1] for item in groups[name]])
        middle, far = np.quantile(np.abs(errors), (0.5, 0.9))
        print(
            f"| {name} | {len(errors)} | {middle:.0%} | {far:.0%} | {np.median(errors):+.0%} | {inside:.0%} |"
        )
    for error, _, row in sorted(groups["all"], key=lambda item: -abs(item[0]))[: options.worst]:
        figure = f"{row['memory_kind']} {row['peak_mem_gib']} GiB"
        print(f"{error:+.0%} {row['id']} {figure}, recompute {row.get('recompute')}")


if __name__ == "__main__":
    main()
