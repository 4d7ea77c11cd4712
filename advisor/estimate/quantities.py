"""A row's figures as the stored type: value, range, unit, reason."""

from __future__ import annotations

import math
from collections.abc import Mapping

from advisor.estimate.evaluate import Range
from advisor.estimate.explain import Walk, said_plainly
from advisor.estimate.table import Table
from advisor.rulebook import RuleBook
from advisor.schema import Quantity


def quantities_of(book: RuleBook, table: Table, ranges: Mapping[str, Range], row: int) -> dict[str, Quantity]:
    """The quantities in `ranges` (from `evaluate_ranges`) of one row, in SI, unknown ones with a reason.

    For many rows give the evaluated table: the reasons are then read from it, not computed again.
    """
    found = {}
    walk: Walk | None = None
    for name, span in ranges.items():
        value, low, high = (float(values[row]) for values in span)
        unit = book.unit_of(name)
        if math.isnan(value):
            walk = walk or Walk(book, table, row, ranges)
            found[name] = Quantity(unit=unit, reason=said_plainly(walk.reason(name)))
        else:
            found[name] = Quantity(value=value, low=low, high=high, unit=unit)
    return found
