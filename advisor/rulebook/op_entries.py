"""Raw [[op_column]], [[operator]], [[op_rule]] and [[op_total]] entries -> checked ones.

Names of operators begin with `op_`, so that a reader sees what is each operator's own and what is the
candidate's. An operator's expressions may use both; a candidate's rule sees operators through totals only.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Collection, Iterable, Mapping

from advisor.errors import UserError, did_you_mean
from advisor.rulebook.compile import later
from advisor.rulebook.entries import RuleReader, read_cases, unit_dimension
from advisor.rulebook.expr import Expr
from advisor.rulebook.parts import (
    HOLDS,
    SEPARATOR,
    TWO_UNDERSCORES,
    Case,
    Curve,
    OpColumn,
    Operator,
    OpTotal,
    Problem,
    Rule,
)
from advisor.rulebook.read import Keys, Raw
from advisor.units import ONE, Dimension, parse_as, parse_unit

PREFIX = "op_"

LIMITS = {
    "rule": 10_000,
    "constant": 10_000,
    "column": 2_000,
    "op_column": 64,
    "operator": 64,
    "op_rule": 64,
    "op_total": 64,
}
"""How many there may be, so that a book never holds more than some ten thousand rules."""


def too_many(kind: str, raws: Collection[Raw]) -> list[Problem]:
    """The problem of having more entries of a kind than allowed."""
    if len(raws) <= LIMITS.get(kind, len(raws)):
        return []
    return [list(raws)[LIMITS[kind]].problem("", None, f"is one too many: {LIMITS[kind]} are allowed")]


def read_op_column(raw: Raw, problems: list[Problem]) -> OpColumn | None:
    """[[op_column]] name, unit, text; default where operators that do not say it have one."""
    keys = Keys(raw, problems)
    if SEPARATOR in raw.id or raw.id == HOLDS:
        keys.wrong("name", "is kept for the program" if raw.id == HOLDS else TWO_UNDERSCORES)
    text, (unit, dimension) = keys.text("text"), unit_dimension(keys)
    default = None
    if keys.has("default") and not keys.failed:
        default = keys.convert("default", lambda given: parse_as(given, unit), math.nan)
    keys.no_more()
    if keys.failed:
        return None
    return OpColumn(
        id=raw.id, file=raw.file, line=raw.line, folder=raw.folder, text=text, unit=unit,
        dimension=dimension, default=default,
    )  # fmt: skip


def op_names(
    columns: Mapping[str, OpColumn],
    rules: Iterable[Raw],
    taken: Collection[str],
    problems: list[Problem],
) -> dict[str, Dimension]:
    """What operators have, by op_column or op_rule, with dimensions; read ahead of the op_rules."""
    names = {column.id: column.dimension for column in columns.values()}
    for column in columns.values():
        if column.id in taken:
            problem = "is a column, flag, constant or quantity of candidates already"
            problems.append(
                Problem(column.file, column.line, f"op_column '{column.id}'", None, problem, _OTHER)
            )
    for raw in rules:
        name, unit = raw.keys.get("gives"), raw.keys.get("unit")
        if not isinstance(name, str) or not isinstance(unit, str):
            continue  # told by the op_rule's own check
        if wrong := _not_op_name(name, taken):
            problems.append(raw.problem("gives", name, wrong, _OTHER))
            continue
        try:
            dimension = parse_unit(unit).dimension
        except UserError:
            continue  # likewise
        if names.setdefault(name, dimension) != dimension:
            problem = f"is not the unit that '{name}' has elsewhere, which is {names[name]}"
            problems.append(raw.problem("unit", unit, problem))
    return names


_OTHER = "Choose another name."


def _not_op_name(name: str, taken: Collection[str]) -> str:
    """Why a name cannot be one of operators, or ''."""
    plain = name.removeprefix(PREFIX)
    if plain == name or not plain.isidentifier() or not name.isascii() or name != name.lower():
        return "is not a name of operators: it must begin with op_, in lower case"
    if SEPARATOR in name:
        return TWO_UNDERSCORES
    if name == HOLDS or keyword.iskeyword(name):
        return "is kept for the program"
    return "is a column, flag, constant or quantity of candidates already" if name in taken else ""


class OpReader:
    """Reads what is said of operators once all names and their dimensions are known."""

    def __init__(
        self,
        names: Mapping[str, Dimension],
        own: Mapping[str, Dimension],
        curves: Mapping[str, Curve],
        columns: Mapping[str, OpColumn],
        operators: Collection[str],
    ) -> None:
        """`names` are a candidate's, `own` an operator's; `operators` the ids of all there are."""
        self.columns = columns
        self.operators = operators
        self._candidate = RuleReader(names, curves, own)
        self._own = RuleReader({**names, **own}, curves)

    def operator(self, raw: Raw, problems: list[Problem]) -> Operator | None:
        """[[operator]] id, text, source, gives; when it does not always hold; cases."""
        keys = Keys(raw, problems)
        if SEPARATOR in raw.id or raw.id.endswith("_"):
            keys.wrong("id", f"{TWO_UNDERSCORES}, or ends in one")
        text, source, when = keys.text("text"), keys.text("source"), keys.text("when", "")
        when_tree = self._candidate.tree(keys, "when", when, ONE) if when.strip() else None
        given = keys.raw_value("gives")
        if not isinstance(given, dict) or not given:
            keys.wrong("gives", "must be a table of op_columns and expressions")
            given = {}
        trees = {name: self._say(keys, name, expr) for name, expr in given.items()}
        cases = self._cases(keys, given) if keys.has("cases") else ()
        keys.no_more()
        if keys.failed:
            return None
        when = " ".join(when.split())
        rules = {
            name: self._made(raw, name, (str(given[name]), tree), (when, when_tree), (text, source))
            for name, tree in trees.items()
            if tree is not None
        }
        return Operator(
            id=raw.id, file=raw.file, line=raw.line, folder=raw.folder, text=text, when=when,
            when_tree=when_tree, run_when=later(when_tree) if when_tree else None, source=source,
            rules=rules, cases=cases,
        )  # fmt: skip

    def _say(self, keys: Keys, name: str, expr: object) -> Expr | None:
        """The tree of what an operator says for an op_column."""
        column = self.columns.get(name)
        if column is None:
            hint = did_you_mean(name, self.columns) or "Declare it with [[op_column]]."
            keys.wrong(f"gives.{name}", "is no op_column", hint)
            return None
        text = repr(expr) if isinstance(expr, (int, float)) and not isinstance(expr, bool) else expr
        return self._own.tree(keys, f"gives.{name}", text, column.dimension)

    def _made(
        self,
        raw: Raw,
        name: str,
        said: tuple[str, Expr],
        when: tuple[str, Expr | None],
        told: tuple[str, str],
    ) -> Rule:
        """What an operator says, as a rule over candidate and operator names."""
        column, (expr, tree) = self.columns[name], said
        return Rule(
            id=name, file=raw.file, line=raw.lines.get(f"gives.{name}", raw.line), folder=raw.folder,
            gives=name, unit=column.unit, dimension=column.dimension, expr=" ".join(expr.split()),
            when=when[0], why=f"{told[0]}: {column.text}", source=told[1], cases=(), tree=tree,
            when_tree=when[1], names=tree.names(), inputs=tree.names(), curves=tree.curves(),
            run=later(tree), run_when=None,
        )  # fmt: skip

    def _cases(self, keys: Keys, given: Mapping[str, object]) -> tuple[Case, ...]:
        cases = read_cases(keys)
        for case in cases:
            if not isinstance(case.expect, dict) or not set(case.expect) <= set(given):
                keys.wrong("cases", "expect must be a table of what the operator gives")
        return cases

    def rule(self, raw: Raw, problems: list[Problem]) -> Rule | None:
        """[[op_rule]]: as [[rule]], over operator names too; operators: those it is for."""
        keys = Keys(raw, problems)
        return self._own.rule(keys, self._chosen(keys))

    def _chosen(self, keys: Keys) -> tuple[str, ...]:
        """The operators an entry is for; none when it is for all."""
        listed = keys.raw_value("operators")
        if listed is None:
            return ()
        if not isinstance(listed, list) or not listed or not all(isinstance(name, str) for name in listed):
            keys.wrong("operators", "must be a list of operators", "Leave it out where it is for all.")
            return ()
        for name in listed:
            if name not in self.operators:
                keys.wrong("operators", f"names '{name[:40]}', which is no operator",
                           did_you_mean(name, self.operators))  # fmt: skip
        if len(set(listed)) != len(listed):
            keys.wrong("operators", "has an operator twice")
        return tuple(listed)

    def total(self, raw: Raw, problems: list[Problem]) -> OpTotal | None:
        """[[op_total]] id, gives, unit, of, by, why, source; operators, when, none."""
        keys = Keys(raw, problems)
        gives, (unit, dimension) = keys.text("gives"), unit_dimension(keys)
        of, by = keys.text("of"), keys.choice("by", ("sum", "max"), "sum")
        when, why, source = keys.text("when", ""), keys.text("why"), keys.text("source")
        text, operators = keys.text("text", ""), self._chosen(keys)
        none = math.nan
        if keys.has("none") and not keys.failed:
            none = keys.convert("none", lambda given: parse_as(given, unit), math.nan)
        keys.no_more()
        tree = self._own.tree(keys, "of", of, dimension) if of else None
        when_tree = self._candidate.tree(keys, "when", when, ONE) if when.strip() else None
        if keys.failed or tree is None:
            return None
        return OpTotal(
            id=raw.id, file=raw.file, line=raw.line, folder=raw.folder, text=text, gives=gives, unit=unit,
            dimension=dimension, of=" ".join(of.split()), by=by, operators=operators,
            when=" ".join(when.split()), why=why, source=source, tree=tree, when_tree=when_tree, none=none,
        )  # fmt: skip
