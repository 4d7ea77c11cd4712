"""What rule files declare, as frozen types: columns, curves, constants, rules, and the whole book."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from advisor.errors import DataError
from advisor.rulebook.compile import Closure
from advisor.rulebook.expr import Expr
from advisor.units import ONE, Dimension, parse_unit

SEPARATOR = "__"
"""Stands between an operator and what is said of it, as in qkv__op_flops."""

HOLDS = "op_holds"
"""1 where an operator's `when` holds; each operator with a `when` has it."""

SCENARIOS = ("middle", "pessimistic", "optimistic")
"""Where in their ranges constants and measured columns stand."""

TWO_UNDERSCORES = "has two underscores together, which only names of an operator's quantities have"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a rule file: where, what, and how to mend it."""

    file: str
    line: int
    key: str
    value: Any
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        message = self.error().message
        return f"{message}. {self.hint}" if self.hint else message

    def error(self) -> DataError:
        """The same as an exception."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        return DataError.at(where, self.key, self.value, self.problem, self.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What every declaration has: its id, where it stands, what it means."""

    id: str
    file: str  # relative to its rule folder
    line: int
    folder: str  # the rule folder as given
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Entry):
    """An input. Numeric with a unit, or a category whose values become 0/1 flags `<id>_<value>`.

    `better` says which end of a measured range is the optimistic one: high, low or none. `extra`
    keeps all other keys for whoever fills the column.
    """

    unit: str = "1"
    dimension: Dimension = ONE
    values: tuple[str, ...] = ()
    better: str = "none"
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def flags(self) -> tuple[str, ...]:
        """The flag names of a category."""
        return tuple(f"{self.id}_{value}" for value in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve(Entry):
    """A measured relation y(x), by name; `points` are (x, y) in SI when the rules ship one."""

    x_unit: str
    y_unit: str
    x_dimension: Dimension
    y_dimension: Dimension
    points: tuple[tuple[float, float], ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Entry):
    """A number with its 80 % range, in SI. `better` says which end is optimistic: high, low or none."""

    value: float
    low: float
    high: float
    better: str
    unit: str
    dimension: Dimension
    source: str
    fitted_from: str = ""
    kind: str = "published"
    fit: str = ""  # group of constants that are fitted together: time, memory; "" is not fitted
    prior: float = math.nan  # what was believed before fitting
    prior_spread: float = math.nan  # standard deviation of its natural logarithm
    spread: float = math.nan  # the same after fitting

    def at(self, scenario: str) -> float:
        """The value in a scenario: middle, pessimistic or optimistic."""
        if scenario == "middle" or self.better == "none":
            return self.value
        return self.high if (self.better == "high") == (scenario == "optimistic") else self.low


@dataclass(frozen=True, slots=True)
class Case:
    """An example that a rule carries: given these (as written), it gives `expect` within `rel`."""

    given: Mapping[str, Any]
    expect: Any
    rel: float = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Entry):
    """How one quantity follows from others, where `when` holds."""

    gives: str
    unit: str
    dimension: Dimension
    expr: str
    when: str
    why: str
    source: str
    cases: tuple[Case, ...]
    tree: Expr
    when_tree: Expr | None
    names: tuple[str, ...]  # used by `expr`, in reading order
    inputs: tuple[str, ...]  # used by `expr`, then those used by `when` alone
    curves: tuple[str, ...]
    run: Closure = field(repr=False, compare=False)
    run_when: Closure | None = field(repr=False, compare=False)
    operators: tuple[str, ...] = ()  # of an op_rule: those it is for; none: all
    operator: str = ""  # of a rule made for one operator: which one
    terms: tuple[Term, ...] = ()  # of an op_total: what it adds up
    missing: str = ""  # why this rule never has a value: nothing says it of this operator


@dataclass(frozen=True, slots=True)
class Term:
    """What one operator adds to an op_total: the quantity, and the one that says whether it is there."""

    operator: str
    value: str
    holds: str = ""  # "": always


@dataclass(frozen=True, slots=True, kw_only=True)
class OpColumn(Entry):
    """What an operator says of itself. `default` (SI) holds for operators that do not; None: unknown."""

    unit: str
    dimension: Dimension
    default: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator(Entry):
    """A part of the network's work, where `when` holds; `rules` has what it says of itself by op_column."""

    when: str
    when_tree: Expr | None
    run_when: Closure | None = field(repr=False, compare=False)
    source: str
    rules: Mapping[str, Rule]
    cases: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpTotal(Entry):
    """A quantity of a candidate that is the sum or the greatest of `of` over its operators."""

    gives: str
    unit: str
    dimension: Dimension
    of: str
    by: str  # sum, max
    operators: tuple[str, ...]  # none: all
    when: str
    why: str
    source: str
    tree: Expr
    when_tree: Expr | None
    none: float  # where no operator is there, SI; NaN: unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint(Entry):
    """Something that holds a machine back: where `gives` is 1, `text` says what and `remedy` what to do.

    Both may name columns, constants and quantities in braces.
    """

    gives: str
    remedy: str
    source: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """What rules give: a name, its unit, and the rules for it (one of which may hold per row)."""

    name: str
    unit: str
    dimension: Dimension
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Override:
    """An entry of a user's folder that took the place of another."""

    kind: str  # rule, constant, column, curve, operator, …
    id: str
    file: str
    folder: str
    replaced_file: str
    replaced_folder: str


@dataclass(frozen=True)
class RuleBook:
    """All rules, checked and in the order in which they can be computed.

    `rules` has the ordinary ones as written. `quantities` also has what operators and op_rules expand
    into, named `<operator>__<op name>`. `order` lists the quantities so that each follows what it
    needs. `digest` is SHA-256 over all files in reading order. Values of columns, constants and
    results are SI throughout.
    """

    columns: Mapping[str, Column]
    flags: Mapping[str, tuple[str, str]]  # flag name -> (column, value)
    curves: Mapping[str, Curve]
    constants: Mapping[str, Constant]
    rules: Mapping[str, Rule]
    quantities: Mapping[str, Quantity]
    order: tuple[str, ...]
    overrides: tuple[Override, ...]
    digest: str
    folders: tuple[str, ...]
    op_columns: Mapping[str, OpColumn] = field(default_factory=dict)
    operators: Mapping[str, Operator] = field(default_factory=dict)
    op_rules: Mapping[str, Rule] = field(default_factory=dict)
    op_totals: Mapping[str, OpTotal] = field(default_factory=dict)
    hints: Mapping[str, Hint] = field(default_factory=dict)

    @cached_property
    def remembered(self) -> dict[Any, Any]:
        """What others work out of the book again and again, by a key of their own.

        Values of constants are there by (name, scenario), as arrays.
        """
        return {}

    def unit_of(self, name: str) -> str:
        """The SI unit in which values of a column, flag, constant or quantity are kept."""
        if name in self.flags:
            return "1"
        for entries in (self.quantities, self.columns, self.constants):
            if name in entries:
                entry = entries[name]
                return si_unit(entry.unit)
        raise DataError(f"the rules know no '{name}'")

    def resting_on(self, names: Iterable[str]) -> frozenset[str]:
        """The quantities that any of these names takes part in, directly or not."""
        moved = set(names)
        for name in self.order:
            if any(used in moved for rule in self.quantities[name].rules for used in rule.inputs):
                moved.add(name)
        return frozenset(moved & self.quantities.keys())

    def names(self) -> tuple[str, ...]:
        """Every name that can be asked for or used: columns, flags, constants, quantities."""
        numeric = (column.id for column in self.columns.values() if not column.values)
        return (*numeric, *self.flags, *self.constants, *self.quantities)


def si_unit(unit: str) -> str:
    """The unit itself when it is an SI unit ("FLOP/s", "tokens"), else the SI unit of its dimension."""
    parsed = parse_unit(unit)
    return unit if parsed.factor == 1.0 else str(parsed.dimension)
