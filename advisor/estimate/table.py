"""Table: candidates as columns. One plan is a table of one row, so there is one way to compute."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from advisor.errors import DataError, UserError, did_you_mean
from advisor.rulebook import Column, RuleBook

Array: TypeAlias = npt.NDArray[np.float64]
Source: TypeAlias = tuple[str, str]
"""(kind, source): kind is a `schema.Kind`, source names the call, file, measurement or row."""

PerRow: TypeAlias = Sequence[str] | npt.NDArray[np.object_]


@dataclass(frozen=True)
class CurveData:
    """Measured curves for the rows of a table: several sets of points, and which one a row uses.

    `points` are (x, y) in SI with x above 0 and rising. `index` (one int per row, -1: no curve for
    this row) is None when all rows use the first set.
    """

    points: tuple[tuple[tuple[float, float], ...], ...]
    index: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Table:
    """`rows` candidates. Values are SI floats of shape (rows,); NaN is unknown.

    `columns` holds inputs, 0/1 flags of categories, and after `evaluate` the quantities. `reasons`
    and `sources` tell, by column name, why an input is unknown and where it came from: one for all
    rows or one per row. `ranges` holds (low, high) of inputs that were measured with a spread.
    """

    rows: int
    columns: dict[str, Array]
    categories: dict[str, PerRow] = field(default_factory=dict)
    reasons: dict[str, str | PerRow] = field(default_factory=dict)
    sources: dict[str, Source | Sequence[Source]] = field(default_factory=dict)
    ranges: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    curves: dict[str, CurveData] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)  # in place of the rules' own, every scenario
    computed: frozenset[str] = frozenset()  # names of `columns` that `evaluate` has put there
    scenario: str = ""  # in which it computed them
    digest: str = ""  # of the book that did

    @classmethod
    def from_columns(  # noqa: PLR0913 - all but two are optional and by name
        cls,
        book: RuleBook,
        columns: Mapping[str, Any],
        *,
        rows: int | None = None,
        reasons: Mapping[str, str | PerRow] | None = None,
        sources: Mapping[str, Source | Sequence[Source]] | None = None,
        ranges: Mapping[str, tuple[Any, Any]] | None = None,
        curves: Mapping[str, CurveData] | None = None,
    ) -> Table:
        """A table from declared columns in SI: each a number, None, a word, or a sequence of them.

        Raises UserError for a column that the rules do not declare, for a word that is not among
        a category's values, and for lengths that differ.
        """
        count = _row_count(columns, rows)
        numeric: dict[str, Array] = {}
        categories: dict[str, PerRow] = {}
        for name, value in columns.items():
            column = _declared(book, name)
            if column is None:
                numeric[name] = _numbers(name, value, count)
            elif column.values:
                words = _words(column, value, count)
                categories[name] = words
                numeric.update(_flags(column, words))
            else:
                numeric[name] = _numbers(name, value, count)
        spread = {
            name: (_numbers(name, low, count), _numbers(name, high, count))
            for name, (low, high) in (ranges or {}).items()
        }
        return cls(
            count, numeric, categories, dict(reasons or {}), dict(sources or {}), spread, dict(curves or {})
        )

    @classmethod
    def from_rows(cls, book: RuleBook, rows: Sequence[Mapping[str, Any]], **more: Any) -> Table:
        """A table from one mapping per row; a name that a row lacks is unknown there."""
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row.get(name) for row in rows] for name in names}
        return cls.from_columns(book, columns, rows=len(rows), **more)

    def with_columns(self, book: RuleBook, columns: Mapping[str, Any], **more: Any) -> Table:
        """The table with more or other inputs, and without quantities computed from the old ones."""
        added = Table.from_columns(book, columns, rows=self.rows, **more)
        kept = {name: values for name, values in self.columns.items() if name not in self.computed}
        return Table(
            self.rows,
            {**kept, **added.columns},
            {**self.categories, **added.categories},
            {**self.reasons, **added.reasons},
            {**self.sources, **added.sources},
            {**self.ranges, **added.ranges},
            {**self.curves, **added.curves},
            self.constants,
        )

    def with_constants(self, values: Mapping[str, Any], book: RuleBook | None = None) -> Table:
        """The table with values (SI; one, or one per row) in place of the rules' own constants.

        They hold in every scenario. For fitting: rows x perturbed copies of the constants is one table.
        Quantities computed before are dropped; given the book that computed them, only those that rest
        on these constants, so that one constant after the other is quickly tried. Raises UserError for a
        wrong shape or infinite values; `evaluate` raises it for a constant that the rules do not have.
        """
        own = {}
        for name, value in values.items():
            found = np.asarray(value, dtype=np.float64)
            if found.shape not in ((), (self.rows,)):
                raise UserError(f"constant '{name}' has the shape {found.shape}, not ({self.rows},)")
            if np.isinf(found).any():
                raise UserError(f"constant '{name}' is infinite", "Unknown is NaN, not infinity.")
            own[name] = found
        dropped = self.computed
        if book is not None and book.digest == self.digest:
            dropped &= book.resting_on(own)
        return replace(
            self,
            columns={name: column for name, column in self.columns.items() if name not in dropped},
            constants={**self.constants, **own},
            computed=self.computed - dropped,
        )

    def take(self, indices: npt.ArrayLike) -> Table:
        """The rows at `indices` (positions or a boolean mask), as a table of their own."""
        wanted = np.asarray(indices)
        chosen = np.arange(self.rows)[wanted if wanted.size else wanted.astype(np.int64)]

        return replace(
            self,
            rows=len(chosen),
            columns={name: values[chosen] for name, values in self.columns.items()},
            categories={name: [words[i] for i in chosen] for name, words in self.categories.items()},
            reasons={
                name: told if isinstance(told, str) else [told[i] for i in chosen]
                for name, told in self.reasons.items()
            },
            sources={name: _take_sources(told, chosen) for name, told in self.sources.items()},
            ranges={name: (low[chosen], high[chosen]) for name, (low, high) in self.ranges.items()},
            curves={
                name: curve if curve.index is None else replace(curve, index=curve.index[chosen])
                for name, curve in self.curves.items()
            },
            constants={
                name: value if value.ndim == 0 else value[chosen] for name, value in self.constants.items()
            },
        )

    def value(self, name: str, row: int = 0) -> float | None:
        """The value of a column or quantity in a row; None when unknown or not in the table."""
        values = self.columns.get(name)
        if values is None or math.isnan(values[row]):
            return None
        return float(values[row])

    def word(self, name: str, row: int = 0) -> str | None:
        """The value of a category in a row."""
        words = self.categories.get(name)
        return None if words is None else words[row]

    def source(self, name: str, row: int = 0) -> Source:
        """Where an input of a row came from; ("assumed", "not recorded") when nobody said."""
        told = self.sources.get(name)
        if told is None:
            return ("assumed", "not recorded")
        one = told[row] if _is_per_row(told) else told
        return (str(one[0]), str(one[1]))

    def told_reason(self, name: str, row: int = 0) -> str:
        """Why an input of a row is unknown, as its builder said, or ''."""
        told = self.reasons.get(name, "")
        return told if isinstance(told, str) else str(told[row] or "")


def _take_sources(
    told: Source | Sequence[Source], chosen: npt.NDArray[np.int64]
) -> Source | Sequence[Source]:
    if not _is_per_row(told):
        return told
    per_row = cast("Sequence[Source]", told)
    return [per_row[i] for i in chosen]


def _is_per_row(value: Any) -> bool:
    """Whether sources are given one per row: a single (kind, source) pair is not."""
    return not (isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, str) for v in value))


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _row_count(columns: Mapping[str, Any], rows: int | None) -> int:
    lengths = {name: len(value) for name, value in columns.items() if _is_sequence(value)}
    if rows is None:
        rows = next(iter(lengths.values()), 1)
    for name, length in lengths.items():
        if length != rows:
            raise UserError(f"column '{name}' has {length} rows, the table has {rows}")
    return rows


def _declared(book: RuleBook, name: str) -> Column | None:
    """The column, or None for a flag (which may be given directly)."""
    column = book.columns.get(name)
    if column is None and name not in book.flags:
        hint = did_you_mean(name, (*book.columns, *book.flags))
        raise UserError(f"the rules declare no column '{name}'", hint or "Declare it in rules/columns.toml.")
    return column


def _numbers(name: str, value: Any, rows: int) -> Array:
    if isinstance(value, (list, tuple)):
        value = [math.nan if item is None else item for item in value]
    try:
        found = np.asarray(math.nan if value is None else value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"column '{name}' holds something that is not a number") from error
    if found.ndim == 0:
        return np.full(rows, found)
    if found.shape != (rows,):
        raise UserError(f"column '{name}' has the shape {found.shape}, not ({rows},)")
    return found


def _words(column: Column, value: Any, rows: int) -> PerRow:
    words = list(value) if _is_sequence(value) else [value] * rows
    for word in dict.fromkeys(words):
        if word is not None and word not in column.values:
            hint = did_you_mean(str(word), column.values) or f"It is one of {', '.join(column.values)}."
            raise DataError(f"column '{column.id}' has no value '{word}'", hint)
    return words


def _flags(column: Column, words: PerRow) -> dict[str, Array]:
    codes = {value: float(number) for number, value in enumerate(column.values)}
    found = np.array([math.nan if word is None else codes[word] for word in words], dtype=np.float64)
    unknown = np.isnan(found)
    flags = {}
    for number, flag in enumerate(column.flags):
        values = (found == number).astype(np.float64)
        values[unknown] = np.nan
        flags[flag] = values
    return flags
