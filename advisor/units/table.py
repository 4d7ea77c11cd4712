"""Dimensions, and every unit that may be written."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

KIB, MIB, GIB, TIB = 1024.0, 1024.0**2, 1024.0**3, 1024.0**4
KB, MB, GB, TB = 1e3, 1e6, 1e9, 1e12
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0
YEAR_S = 365.25 * DAY_S  # Julian year, so that a year is 8766 h
KWH_J = 3.6e6

BASES = ("B", "s", "FLOP", "J", "USD", "kg")
"""The base dimensions, by the SI unit that `Amount.value` is counted in."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """Exponents of the bases, in the order of `BASES`; multiply, divide and raise it like a unit."""

    exponents: tuple[float, ...] = (0.0,) * len(BASES)

    def __mul__(self, other: Dimension) -> Dimension:
        return _combined(self, other, 1.0)

    def __truediv__(self, other: Dimension) -> Dimension:
        return _combined(self, other, -1.0)

    def __pow__(self, power: float) -> Dimension:
        return Dimension(_tidy(a * power for a in self.exponents))

    @property
    def is_one(self) -> bool:
        """Whether this is a plain number."""
        return not any(self.exponents)

    def __str__(self) -> str:
        """The SI unit as text: "FLOP/s", "B/(s*J)", "W", "1"."""
        if self.exponents == _WATT:
            return "W"
        above = [_power(b, e) for b, e in zip(BASES, self.exponents, strict=True) if e > 0]
        below = [_power(b, -e) for b, e in zip(BASES, self.exponents, strict=True) if e < 0]
        top = "*".join(above) or "1"
        if not below:
            return top
        return f"{top}/{below[0]}" if len(below) == 1 else f"{top}/({'*'.join(below)})"


@functools.lru_cache(maxsize=4096)  # there are few dimensions, and a book multiplies them thousands of times
def _combined(one: Dimension, other: Dimension, sign: float) -> Dimension:
    return Dimension(_tidy(a + sign * b for a, b in zip(one.exponents, other.exponents, strict=True)))


def _tidy(values: Iterable[float]) -> tuple[float, ...]:
    # Rounded, so that x ** (1/3) ** 3 is x again.
    return tuple(round(float(value), 6) + 0.0 for value in values)


def _power(base: str, exponent: float) -> str:
    if exponent == 1:
        return base
    return f"{base}^{int(exponent)}" if exponent == int(exponent) else f"{base}^{exponent:g}"


ONE = Dimension()
"""The dimension of a plain number."""


_WATT = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0)


def _base(name: str) -> Dimension:
    return Dimension(tuple(1.0 if name == base else 0.0 for base in BASES))


SECOND = _base("s")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: how many SI units it is, and of what."""

    factor: float
    dimension: Dimension


@dataclass(frozen=True, slots=True)
class Amount:
    """A value in SI base units and its dimension."""

    value: float
    dimension: Dimension


LARGE = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, "Z": 1e21}
BINARY = {"Ki": KIB, "Mi": MIB, "Gi": GIB, "Ti": TIB, "Pi": 1024.0**5, "Ei": 1024.0**6}
_SMALL = {"m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12}
COUNTS = (
    "token", "sample", "image", "sentence", "sequence", "step", "epoch",
    "parameter", "device", "package", "layer", "element", "row",
)  # fmt: skip
_TIMES = {
    "min": MINUTE_S,
    "h": HOUR_S,
    "d": DAY_S,
    "wk": 7 * DAY_S,
    "month": YEAR_S / 12,
    "yr": YEAR_S,
    "hour": HOUR_S,
    "hours": HOUR_S,
    "day": DAY_S,
    "days": DAY_S,
    "week": 7 * DAY_S,
    "weeks": 7 * DAY_S,
    "months": YEAR_S / 12,
    "year": YEAR_S,
    "years": YEAR_S,
}
WORDS_OF_NUMBER = {"k": 1e3, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}


def _table() -> dict[str, Unit]:
    byte, second, flop, joule = (_base(name) for name in ("B", "s", "FLOP", "J"))
    watt, hertz = joule / second, ONE / second
    units: dict[str, Unit] = {"1": Unit(1.0, ONE), "%": Unit(0.01, ONE)}
    for prefix, factor in LARGE.items():
        for name, dimension, scale in (
            ("B", byte, 1.0),
            ("bit", byte, 1 / 8),
            ("FLOP", flop, 1.0),
            ("OP", flop, 1.0),
            ("W", watt, 1.0),
            ("J", joule, 1.0),
            ("Wh", joule, HOUR_S),
            ("Hz", hertz, 1.0),
            ("USD", _base("USD"), 1.0),
            ("g", _base("kg"), 1e-3),
        ):
            units[prefix + name] = Unit(factor * scale, dimension)
    for prefix, factor in BINARY.items():
        units[prefix + "B"] = Unit(factor, byte)
        units[prefix + "bit"] = Unit(factor / 8, byte)
    units["s"] = Unit(1.0, second)
    for prefix, factor in _SMALL.items():
        units[prefix + "s"] = Unit(factor, second)
        units[prefix + "W"] = Unit(factor, watt)
        units[prefix + "J"] = Unit(factor, joule)
    for name, factor in _TIMES.items():
        units[name] = Unit(factor, second)
    for name in COUNTS:
        units[name] = units[name + "s"] = Unit(1.0, ONE)
    return units


UNITS: Mapping[str, Unit] = _table()
"""Every unit name that may be written."""
