"""Workloads on this machine and on the catalogue: candidates as columns, the best kept as estimates.

Touches no file, device, clock or environment: everything comes in as rule book, catalogue, machine and
calibration. The physics is in rules/; here are only the set-ups tried and the choice among them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from advisor.data.catalogue import Catalogue, figures_of
from advisor.rulebook import RuleBook
from advisor.schema import Accelerator, Estimate, Workload
from advisor.search.elsewhere import estimates_catalogue, trace_of
from advisor.search.here import Trace, estimates_here
from advisor.search.own import workload_from_flags

if TYPE_CHECKING:
    from advisor.schema import Machine

__all__ = [
    "accelerator_figures",
    "estimates_catalogue",
    "estimates_here",
    "first_verdict",
    "trace_of",
    "workload_from_flags",
]


def first_verdict(
    book: RuleBook, catalogue: Catalogue, workloads: Iterable[Workload], machine: Machine
) -> tuple[list[Estimate], Trace]:
    """What this machine can train, from probe, catalogue and rules alone: nothing measured yet."""
    return estimates_here(book, catalogue, workloads, machine, None)


def accelerator_figures(catalogue: Catalogue, estimates: Iterable[Estimate]) -> tuple[Accelerator, ...]:
    """The catalogue entries that estimates name, with the figures a report compares."""
    named = dict.fromkeys(estimate.target.accelerator_id for estimate in estimates)
    return tuple(figures_of(catalogue.accelerators[key]) for key in named if key in catalogue.accelerators)
