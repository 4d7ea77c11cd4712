"""What the rules say of the groups of operators that a trial measures, so that a difference has a place."""

from __future__ import annotations

import math
from collections.abc import Mapping

from advisor.estimate import Table

GROUPS = ("products", "traffic", "update", "launches")
_SECONDS, _WORK = "__op_s", "__op_flops"


def parts_of(table: Table, row: int) -> dict[str, float]:
    """Seconds of a step by group; empty where the rules take the step by a measured rate, or know no parts.

    Operators with FLOPs are products, the others traffic; what a micro-batch takes beyond both is launches.
    """

    def value(name: str) -> float:
        column = table.columns.get(name)
        return math.nan if column is None else float(column[row])

    if not value("step_s") > 0 or value("rate_here") > 0:
        return {}
    passes = value("accumulations")
    found = {"products": 0.0, "traffic": 0.0}
    for name in table.columns:
        if name.endswith(_SECONDS) and math.isfinite(seconds := value(name)):
            work = value(name.removesuffix(_SECONDS) + _WORK)
            found["products" if work > 0 else "traffic"] += seconds * passes
    found["update"] = value("update_s")
    found["launches"] = max(value("passes_s") - found["products"] - found["traffic"], 0.0)
    return found if all(math.isfinite(part) for part in found.values()) else {}


def difference(measured: Mapping[str, float], told: Mapping[str, float]) -> str:
    """The group whose seconds differ most, or ''."""
    both = [name for name in GROUPS if name in measured and name in told]
    return max(both, key=lambda name: abs(measured[name] - told[name]), default="")
