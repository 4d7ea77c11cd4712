"""The little language of rule expressions: text -> checked tree. Nothing here is ever run with `eval`.

Why a whitelist over Python's own parser: it is the one design of seven tried that was neither slow
nor open to escapes (docs/rules.md lists what may be written). Text is refused before it is parsed
when it is long or not ASCII, because identifiers are normalised by the parser (a bold 𝐚 becomes a),
and numbers become float64 at once, because 9**9**9 with Python's integers never ends.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Collection

import numpy as np

from advisor.errors import DataError, did_you_mean
from advisor.rulebook.expr import Expr

MAX_LENGTH = 2000  # characters
MAX_NODES = 300
MAX_DEPTH = 30

FUNCTIONS: dict[str, tuple[int, int]] = {
    "min": (2, 20),
    "max": (2, 20),
    "where": (3, 3),
    "ceil": (1, 1),
    "floor": (1, 1),
    "log2": (1, 1),
    "log": (1, 1),
    "sqrt": (1, 1),
    "exp": (1, 1),
    "abs": (1, 1),
    "known": (1, 1),
    "curve": (2, 2),
}
"""Function name -> fewest and most arguments."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.FloorDiv: "//"}
_UNARY = {ast.USub: "neg", ast.UAdd: "pos", ast.Not: "not"}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_SAID = {
    ast.Attribute: "a dot (attribute)",
    ast.Subscript: "square brackets",
    ast.Lambda: "lambda",
    ast.List: "a list",
    ast.Tuple: "a tuple",
    ast.Dict: "a dict",
    ast.Set: "a set",
    ast.JoinedStr: "an f-string",
    ast.NamedExpr: "an assignment",
    ast.Starred: "a star",
    ast.Mod: "the operator %",
    ast.MatMult: "the operator @",
    ast.BitAnd: "the operator & (write: and)",
    ast.BitOr: "the operator | (write: or)",
    ast.BitXor: "the operator ^ (a power is **)",
    ast.Invert: "the operator ~ (write: not)",
    ast.LShift: "the operator <<",
    ast.RShift: "the operator >>",
}


def parse_expr(
    text: object, names: Collection[str] | None = None, curves: Collection[str] | None = None
) -> Expr:
    """The checked tree of a rule expression.

    With `names` (and `curves`) only those may be used. Raises DataError that says what is not
    allowed and offers the nearest name; never anything else, whatever the text.
    """
    if not isinstance(text, str):
        raise DataError("is not text", "Write the expression in quotes.")
    if len(text) > MAX_LENGTH:
        raise DataError(
            f"is {len(text)} characters long; {MAX_LENGTH} are allowed", "Split it into several rules."
        )
    if not text.isascii():
        odd = next(character for character in text if not character.isascii())
        raise DataError(f"has the character {odd!r}; only ASCII is allowed", "Write * / - and plain letters.")
    if "#" in text:
        raise DataError("has a '#'", "Put comments into `why`.")
    reader = _Reader(names, curves)
    return reader.read(_python_tree(" ".join(text.split())), 0)


def _python_tree(text: str) -> ast.expr:
    if not text:
        raise DataError("is empty", "Write an expression, or leave the key out.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "invalid decimal literal": refused below anyway
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        at = f" near {text[max(0, error.offset - 1) :][:20]!r}" if error.offset else ""
        raise DataError(
            f"is not an expression{at} ({error.msg})", "See docs/rules.md, 'Expressions'."
        ) from error
    except (MemoryError, RecursionError) as error:
        raise DataError("is nested too deeply", "Split it into several rules.") from error
    except ValueError as error:
        raise DataError(f"is not an expression ({error})") from error


class _Reader:
    """Walks Python's tree once, refuses all that is not allowed, folds constants."""

    def __init__(self, names: Collection[str] | None, curves: Collection[str] | None) -> None:
        self.names = names
        self.curves = curves
        self.nodes = 0

    def read(self, node: ast.expr, depth: int) -> Expr:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise DataError(f"has more than {MAX_NODES} parts", "Split it into several rules.")
        if depth > MAX_DEPTH:
            raise DataError(f"is nested deeper than {MAX_DEPTH}", "Split it, or bracket long sums in groups.")
        deeper = depth + 1
        match node:
            case ast.Constant(value=value):
                return _number(value)
            case ast.Name(id=name):
                return self._name(name)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _folded(_BINARY[type(op)], self.read(left, deeper), self.read(right, deeper))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return _folded(_UNARY[type(op)], self.read(operand, deeper))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
                return Expr(_COMPARE[type(op)], (self.read(left, deeper), self.read(right, deeper)))
            case ast.Compare(ops=[_, _, *_]):
                raise DataError("has a chained comparison", "Write: a < b and b < c.")
            case ast.BoolOp(op=op, values=values):
                name = "and" if isinstance(op, ast.And) else "or"
                return Expr(name, tuple(self.read(value, deeper) for value in values))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return Expr("where", tuple(self.read(part, deeper) for part in (test, body, orelse)))
            case ast.Call():
                return self._call(node, deeper)
        offender: ast.AST = getattr(node, "op", node)
        said = _SAID.get(type(offender)) or _SAID.get(type(node)) or type(offender).__name__
        raise DataError(f"has {said}, which rules do not know", "See docs/rules.md, 'Expressions'.")

    def _name(self, name: str) -> Expr:
        if self.names is not None and name not in self.names:
            if name in FUNCTIONS:
                raise DataError(f"uses the function '{name}' without brackets", f"Write {name}(…).")
            hint = did_you_mean(name, self.names)
            raise DataError(f"uses '{name}', which nothing declares or gives", hint or _DECLARE)
        if not NAME.fullmatch(name):
            raise DataError(
                f"uses '{name[:40]}', which is not a name", "Names are lower_case_with_underscores."
            )
        return Expr("name", name=name)

    def _call(self, node: ast.Call, depth: int) -> Expr:
        if not isinstance(node.func, ast.Name):
            raise DataError(
                "calls something that is not a function name", "See docs/rules.md, 'Expressions'."
            )
        name = node.func.id
        if name not in FUNCTIONS:
            hint = did_you_mean(name, FUNCTIONS) or f"Functions are {', '.join(FUNCTIONS)}."
            raise DataError(f"calls '{name[:40]}', which is not a function of rules", hint)
        if node.keywords:
            raise DataError(f"calls {name} with a keyword argument", f"Write {name}(a, b).")
        least, most = FUNCTIONS[name]
        if not least <= len(node.args) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise DataError(f"calls {name} with {len(node.args)} arguments; it takes {wanted}")
        if name == "curve":
            return self._curve(node.args[0], node.args[1], depth)
        return Expr(name, tuple(self.read(arg, depth) for arg in node.args))

    def _curve(self, first: ast.expr, x: ast.expr, depth: int) -> Expr:
        if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
            raise DataError("calls curve without a name in quotes", 'Write curve("matmul_efficiency", x).')
        name = first.value
        if self.curves is not None and name not in self.curves:
            hint = did_you_mean(name, self.curves) or "Declare it with [[curve]]."
            raise DataError(f"uses the curve '{name[:40]}', which nothing declares", hint)
        self.nodes += 1
        return Expr("curve", (self.read(x, depth),), name=name)


_DECLARE = "Declare it with [[column]] or [[constant]], or give it with a [[rule]]."


def _number(value: object) -> Expr:
    if isinstance(value, bool):
        raise DataError(f"has {value}", "Write 1 for true and 0 for false.")
    if isinstance(value, str):
        raise DataError("has text in quotes", 'Only curve("name", x) takes text; categories are flags.')
    if not isinstance(value, (int, float)):
        raise DataError("has a constant that is not a number", "Write a plain number.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DataError("has a number too large for double precision")
    return Expr("num", number=number)


_FOLD = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
    "//": np.floor_divide,
}


def _folded(op: str, left: Expr, right: Expr | None = None) -> Expr:
    """The node, or the number it comes to when its parts are numbers."""
    args = (left,) if right is None else (left, right)
    if op == "pos":
        return left
    if op == "not" or any(arg.op != "num" for arg in args):
        return Expr(op, args)
    if op == "neg":
        return Expr("num", number=-left.number)
    with np.errstate(all="ignore"):
        value = float(_FOLD[op](np.float64(left.number), np.float64(args[-1].number)))
    if not math.isfinite(value):
        raise DataError(
            f"has a constant part ({left.number:g} {op} {args[-1].number:g}) that is no finite number"
        )
    return Expr("num", number=value)
