"""Text with units to SI floats and back: the only place with 1e9 or 1024.

parse("989 TFLOP/s") -> Amount(9.89e14, FLOP/s); show(9.89e14, "FLOP/s") -> "989 TFLOP/s".

Inside the program every figure is a float in SI base units: byte, second, FLOP, joule, US dollar,
kilogram and products of them. Two choices to know about:

- Counts (tokens, samples, parameters, devices, steps) have **no dimension**. Nearly every formula
  multiplies counts freely (attention work goes with the square of the sequence length, activation
  memory with batch x sequence x width), so a dimension of their own would need a conversion factor
  in nearly every rule and would catch little. `token`, `sample`, … may be written for the reader.
- An integer operation (OP) has the dimension of a FLOP, as both count the same multiply-adds of a
  matrix product; the name of a column says which number format it is about.
"""

from __future__ import annotations

from advisor.units.parse import MAX_TEXT, parse, parse_as, parse_count, parse_unit
from advisor.units.ranged import Ranged, show_end, show_range, show_ranged, show_rough
from advisor.units.show import ENGLISH, Words, show, show_percent
from advisor.units.table import (
    BASES,
    DAY_S,
    GB,
    GIB,
    HOUR_S,
    KB,
    KIB,
    KWH_J,
    MB,
    MIB,
    MINUTE_S,
    ONE,
    SECOND,
    TB,
    TIB,
    UNITS,
    YEAR_S,
    Amount,
    Dimension,
    Unit,
)

__all__ = [
    "BASES",
    "DAY_S",
    "ENGLISH",
    "GB",
    "GIB",
    "HOUR_S",
    "KB",
    "KIB",
    "KWH_J",
    "MAX_TEXT",
    "MB",
    "MIB",
    "MINUTE_S",
    "ONE",
    "SECOND",
    "TB",
    "TIB",
    "UNITS",
    "YEAR_S",
    "Amount",
    "Dimension",
    "Ranged",
    "Unit",
    "Words",
    "parse",
    "parse_as",
    "parse_count",
    "parse_unit",
    "show",
    "show_end",
    "show_percent",
    "show_range",
    "show_ranged",
    "show_rough",
]
