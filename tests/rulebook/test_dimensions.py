"""Dimensions of expressions, checked against the rules of physics and against pint."""

from __future__ import annotations

import pytest

from advisor.errors import DataError
from advisor.rulebook.dimensions import dimension_of, show_expr
from advisor.rulebook.grammar import parse_expr
from advisor.units import UNITS, parse_unit

UNIT_OF = {
    "size": "B",
    "rate": "B/s",
    "work": "FLOP",
    "power": "W",
    "price": "USD/h",
    "n": "1",
    "t": "s",
    "flag": "1",
}
NAMES = {name: parse_unit(unit).dimension for name, unit in UNIT_OF.items()}
CURVES = {"gain": (parse_unit("FLOP").dimension, parse_unit("B/s").dimension)}


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("size / rate", "s"),
        ("size + size * n", "B"),
        ("max(size, 0)", "B"),
        ("where(flag, size, 0)", "B"),
        ("size if size > 0 else 2 * size", "B"),
        ("power * t", "J"),
        ("price * t", "USD"),
        ("sqrt(size * size)", "B"),
        ("size ** 2 / size", "B"),
        ("size ** -1 * size", "1"),
        ("size // size", "1"),
        ("ceil(size / size)", "1"),
        ("size > size and known(rate)", "1"),
        ('curve("gain", work) * t', "B"),
        ("-abs(size)", "B"),
        ("n ** n", "1"),
    ],
)
def test_dimension(text: str, unit: str) -> None:
    found = dimension_of(parse_expr(text, NAMES, CURVES), NAMES, CURVES)
    assert found == parse_unit(unit).dimension


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("size + t", "adds B and s"),
        ("size - 1", "subtracts B and 1"),
        ("min(size, t)", "compares B and s"),
        ("size > t", "compares B and s"),
        ("size > 5", "compares B and 1"),
        ("where(flag, size, t)", "branches"),
        ("where(size, n, n)", "condition"),
        ("size and flag", "'and'"),
        ("not size", "'not'"),
        ("log2(size)", "log2"),
        ("exp(t)", "exp"),
        ("ceil(size)", "ceil"),
        ("size // n", "divides with //"),
        ("size ** n", "not a constant"),
        ("n ** size", "exponent"),
        ('curve("gain", size)', "its x is in FLOP"),
        ('size + curve("gain", work)', "adds B and B/s"),
        ("known(size + t)", "adds"),
    ],
)
def test_what_does_not_fit_is_named(text: str, says: str) -> None:
    with pytest.raises(DataError, match=says.replace("(", r"\(")):
        dimension_of(parse_expr(text, NAMES, CURVES), NAMES, CURVES)


def test_a_literal_zero_goes_with_everything() -> None:
    assert dimension_of(parse_expr("0"), NAMES, CURVES) is None
    assert dimension_of(parse_expr("where(flag, 0, 0)", NAMES), NAMES, CURVES) is None


def test_show_expr_reads_back_as_the_same_tree() -> None:
    for text in ("a + b * -c", "where(a < b, curve('k', a), not c)", "max(a, 2) ** 3 // known(b)"):
        tree = parse_expr(text)
        assert parse_expr(show_expr(tree)) == tree


PINT_NAMES = {"B": "byte", "bit": "bit", "s": "second", "min": "minute", "h": "hour", "d": "day",
              "wk": "week", "J": "joule", "Wh": "watt_hour", "W": "watt", "Hz": "1 / second", "g": "gram",
              "yr": "year", "GiB": "gibibyte", "kWh": "kilowatt_hour",
              "TB": "terabyte", "MHz": "1e6 / second"}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PINT_NAMES))
def test_units_agree_with_pint(name: str) -> None:
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry()
    base = {"B": "byte", "J": "joule", "s": "second", "W": "watt", "1/s": "1 / second", "kg": "kilogram"}
    unit = UNITS[name]
    quantity = registry.parse_expression(PINT_NAMES[name]).to(base[str(unit.dimension)])
    assert quantity.magnitude == pytest.approx(unit.factor, rel=1e-12)
