"""Dimensions of expressions, checked when the rules are loaded: bytes plus seconds is an error there."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.errors import DataError
from advisor.rulebook.expr import Expr
from advisor.units import ONE, Dimension

Curves = Mapping[str, tuple[Dimension, Dimension]]


def dimension_of(expr: Expr, names: Mapping[str, Dimension], curves: Curves) -> Dimension | None:
    """The dimension of an expression; None for a literal 0, which goes with every dimension.

    Raises DataError that names the part and both dimensions.
    """
    match expr.op:
        case "num":
            return None if expr.number == 0 else ONE
        case "name":
            return names[expr.name]
        case "curve":
            given, (x, y) = dimension_of(expr.args[0], names, curves), curves[expr.name]
            if given is not None and given != x:
                raise DataError(f'asks curve "{expr.name}" with {given}; its x is in {x}')
            return y
        case "**":
            return _power(expr, names, curves)
        case "known":
            dimension_of(expr.args[0], names, curves)
            return ONE
    parts = [dimension_of(arg, names, curves) for arg in expr.args]
    return _of_parts(expr, parts)


def _of_parts(expr: Expr, parts: list[Dimension | None]) -> Dimension | None:
    match expr.op:
        case "+" | "-" | "min" | "max":
            return _same(expr, parts)
        case "neg" | "abs":
            return parts[0]
        case "*":
            return _known(parts[0]) * _known(parts[1])
        case "/":
            return _known(parts[0]) / _known(parts[1])
        case "<" | "<=" | ">" | ">=" | "==" | "!=" | "//":
            _same(expr, parts)
            return ONE
        case "sqrt":
            return None if parts[0] is None else parts[0] ** 0.5
        case "where":
            _plain(expr, "the condition of where", parts[0])
            return _same(expr, parts[1:], "where has two branches of different kind:")
        case "and" | "or" | "not":
            for part in parts:
                _plain(expr, f"'{expr.op}'", part)
            return ONE
        case _:  # ceil floor log2 log exp
            _plain(expr, expr.op, parts[0])
            return ONE


def _known(part: Dimension | None) -> Dimension:
    return ONE if part is None else part


def _same(expr: Expr, parts: list[Dimension | None], said: str = "") -> Dimension | None:
    found = [part for part in parts if part is not None]
    for part in found[1:]:
        if part != found[0]:
            verb = {"+": "adds", "-": "subtracts", "//": "divides with //"}.get(expr.op, "compares")
            raise DataError(
                f"{said or verb} {found[0]} and {part}{_where(expr)}", "Divide or multiply to match."
            )
    return found[0] if found else None


def _plain(expr: Expr, what: str, part: Dimension | None) -> None:
    if part is not None and not part.is_one:
        raise DataError(
            f"gives {part} to {what}, which takes plain numbers{_where(expr)}", "Divide by a unit."
        )


def _where(expr: Expr) -> str:
    text = show_expr(expr)
    return f" in {text}" if len(text) <= 80 else ""


def _power(expr: Expr, names: Mapping[str, Dimension], curves: Curves) -> Dimension | None:
    base, exponent = (dimension_of(arg, names, curves) for arg in expr.args)
    _plain(expr, "an exponent", exponent)
    if base is None or base.is_one:
        return ONE
    if expr.args[1].op != "num":
        raise DataError(f"raises {base} to a power that is not a constant{_where(expr)}")
    return base ** expr.args[1].number


_INFIX = {"+", "-", "*", "/", "**", "//", "<", "<=", ">", ">=", "==", "!=", "and", "or"}


def show_expr(expr: Expr) -> str:
    """An expression as text, fully bracketed inside, for messages."""
    if expr.op == "num":
        return f"{expr.number:g}"
    if expr.op == "name":
        return expr.name
    parts = [show_expr(arg) for arg in expr.args]
    if expr.op == "curve":
        return f'curve("{expr.name}", {parts[0]})'
    if expr.op in _INFIX:
        return f"({f' {expr.op} '.join(parts)})"
    if expr.op in ("neg", "not"):
        return f"({'-' if expr.op == 'neg' else 'not '}{parts[0]})"
    return f"{expr.op}({', '.join(parts)})"
