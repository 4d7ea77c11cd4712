"""The trace of a plan's best option: its figures from rules and sources, step by step."""

from __future__ import annotations

from dataclasses import replace

from advisor.estimate import evaluate, explain
from advisor.estimate.inputs import known_only, table_of
from advisor.schema import PlanOption, TraceStep
from advisor.search.nearby import FACTOR
from advisor.search.plan_option import option_of
from advisor.search.plan_options import Options
from advisor.search.plan_prices import price_inputs

_TRACED = {
    "calendar_s": "calendar_s", "memory_bytes": "memory_bytes", "rent_usd": "calendar_rent_usd",
    "energy_j": "calendar_energy_j", "own_usd": "own_usd",
}  # fmt: skip
"""Quantities of an option and what the rules call them."""

Trace = dict[str, tuple[TraceStep, ...]]


def traced(options: Options, row: int) -> tuple[PlanOption, Trace]:
    """A row as an option whose quantities name their traces, and these."""
    option, found = option_of(options, row), options.found
    space, at = found.space, int(found.device[row])
    inputs = space.inputs(at, int(found.set_up[row]))
    inputs = inputs.update(price_inputs(options.entry(row), float(options.counts[row])))
    table = table_of(options.book, [known_only(options.book, inputs)])
    corrected = found.near.table.take([row])
    if FACTOR in corrected.columns:
        table = replace(
            table,
            columns={**table.columns, FACTOR: corrected.columns[FACTOR]},
            ranges={**table.ranges, FACTOR: corrected.ranges[FACTOR]},
            sources={**table.sources, FACTOR: corrected.sources[FACTOR]},
        )
    assumed = {name: told.value for name, told in options.limits.assumed.items()}
    table = evaluate(options.book, table.with_constants(assumed))
    trace: Trace = {}
    quantities = dict(option.quantities)
    for name, rule in _TRACED.items():
        if quantities[name].value is not None:
            key = f"plan/{option.label}/{name}"
            trace[key] = explain(options.book, table, 0, rule)
            quantities[name] = quantities[name].model_copy(update={"trace": key})
    return option.model_copy(update={"quantities": quantities}), trace
