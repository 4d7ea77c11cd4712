"""Rules over candidates: evaluate, ranges, explain. The only evaluator there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.estimate.evaluate import Range, evaluate, evaluate_ranges
from advisor.estimate.explain import explain, explain_all, said_plainly, why_unknown
from advisor.estimate.quantities import quantities_of
from advisor.estimate.table import CurveData, Source, Table
from advisor.rulebook.parts import SCENARIOS

if TYPE_CHECKING:
    from advisor.estimate.cases import CaseOutcome, run_cases

__all__ = [
    "SCENARIOS",
    "CaseOutcome",
    "CurveData",
    "Range",
    "Source",
    "Table",
    "evaluate",
    "evaluate_ranges",
    "explain",
    "explain_all",
    "quantities_of",
    "run_cases",
    "said_plainly",
    "why_unknown",
]


def __getattr__(name: str) -> Any:
    """The rules' own examples, which only `rules test` runs, are loaded on first use (PEP 562)."""
    if name not in ("CaseOutcome", "run_cases"):
        raise AttributeError(f"module 'advisor.estimate' has no attribute {name!r}")
    from advisor.estimate import cases

    return getattr(cases, name)
