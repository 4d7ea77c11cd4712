"""Rules over candidates: evaluate, ranges, explain. The only evaluator there is."""

from advisor.estimate.cases import CaseOutcome, run_cases
from advisor.estimate.evaluate import SCENARIOS, Range, evaluate, evaluate_ranges
from advisor.estimate.explain import explain, explain_all, why_unknown
from advisor.estimate.quantities import quantities_of
from advisor.estimate.table import CurveData, Source, Table

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
    "why_unknown",
]
