"""A row's figures as the stored type: value, range, unit, reason."""

from __future__ import annotations

import math
from collections.abc import Mapping

from advisor.estimate.evaluate import Range
from advisor.estimate.explain import why_unknown
from advisor.estimate.table import Table
from advisor.rulebook import RuleBook
from advisor.schema import Quantity


def quantities_of(book: RuleBook, table: Table, ranges: Mapping[str, Range], row: int) -> dict[str, Quantity]:
    """The quantities in `ranges` (from `evaluate_ranges`) of one row, in SI, unknown ones with a reason."""
    found = {}
    for name, span in ranges.items():
        value, low, high = (float(values[row]) for values in span)
        unit = book.unit_of(name)
        if math.isnan(value):
            found[name] = Quantity(unit=unit, reason=why_unknown(book, table, row, name))
        else:
            found[name] = Quantity(value=value, low=low, high=high, unit=unit)
    return found
