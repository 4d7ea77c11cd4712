"""Rule folders -> RuleBook: read, overlay by id, check names, dimensions, cycles; all problems at once."""

from __future__ import annotations

import hashlib
import keyword
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, TypeVar

from advisor.errors import DataError, UserError
from advisor.rulebook.by_category import read_by_category
from advisor.rulebook.entries import RuleReader, read_column, read_constant, read_curve
from advisor.rulebook.expand import OpBook, expand
from advisor.rulebook.grammar import FUNCTIONS, NAME
from advisor.rulebook.hints import read_hints, unknown_places
from advisor.rulebook.op_entries import LIMITS, OpReader, op_names, read_op_column, too_many
from advisor.rulebook.parts import (
    SEPARATOR,
    TWO_UNDERSCORES,
    Column,
    Constant,
    Entry,
    Override,
    Problem,
    Quantity,
    Rule,
    RuleBook,
)
from advisor.rulebook.read import KINDS, Raw, read_file
from advisor.rulebook.replaced import blamed
from advisor.units import ONE, Dimension, parse_unit

CATALOGUE = frozenset(
    "accelerators systems offers export cpus links models workloads evidence recipes".split()  # noqa: SIM905
)
"""Folders that hold facts, not rules: read by the catalogue, here only part of the digest."""

MAX_FILES = 2000
MAX_FOLDERS = 500
MAX_BYTES = 8_000_000
"""Of all files of a folder together: some ten times what is shipped, and some seconds to read."""


def load_book(dirs: Sequence[Path]) -> RuleBook:
    """The book of several rule folders; a later one overrides entries of an earlier one by id.

    Raises DataError for the first problem, telling how many more there are (`check_dirs` has all).
    """
    book, problems = _build(dirs)
    if book is None:
        first = problems[0].error()
        more = len(problems) - 1
        if more:
            noun = "problem" if more == 1 else "problems"
            listed = f"`hwadvisor rules check {_folder_of(problems[0], dirs)}` lists all of them."
            message = f"{first.message} (and {more} more {noun})"
            first = DataError(message, f"{first.hint} {listed}".strip())
        raise first
    return book


def _folder_of(problem: Problem, dirs: Sequence[Path]) -> Path:
    """The folder as given whose file has the problem: messages name files by its last part alone."""
    title = problem.file.partition("/")[0]
    return next((path for path in reversed(dirs) if path.resolve().name == title), dirs[-1])


def check_dirs(dirs: Sequence[Path]) -> list[Problem]:
    """Everything that is wrong with these folders, each laid over the ones before it."""
    return _build(dirs)[1]


def check_dir(path: Path, below: Sequence[Path] = ()) -> list[Problem]:
    """Everything that is wrong with one folder, laid over the folders `below`."""
    return check_dirs((*below, path))


@dataclass
class _Reading:
    """What has been read so far."""

    problems: list[Problem] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)
    replaced: list[tuple[Raw, Raw]] = field(default_factory=list)  # and what replaces it
    entries: dict[str, dict[str, Raw]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    digest: Any = field(default_factory=hashlib.sha256)


def _build(dirs: Sequence[Path]) -> tuple[RuleBook | None, list[Problem]]:
    reading = _Reading()
    for folder in dirs:
        _read_folder(folder, reading)
    entries, problems = reading.entries, reading.problems
    if over := [p for kind in LIMITS for p in too_many(kind, entries[kind].values())]:
        return None, [*problems, *over]  # what is too much is not looked at one by one
    columns = _checked(entries["column"], read_column, problems)
    curves = _checked(entries["curve"], read_curve, problems)
    constants = _checked(entries["constant"], read_constant, problems)
    picks: dict[str, Rule] = {}
    for id_, raw in entries["constant_by"].items():
        if (found := read_by_category(raw, columns, problems)) is not None:
            constants |= found.constants
            picks[id_] = found.rule
    flags = {
        flag: (column.id, value)
        for column in columns.values()
        for flag, value in zip(column.flags, column.values, strict=True)
    }
    op_columns = _checked(entries["op_column"], read_op_column, problems)
    hints, hint_rules = read_hints(entries["advice"], problems)
    entries["rule"] |= hint_rules
    names = _declared(columns, flags, constants, [str(folder) for folder in dirs], problems)
    names |= _given((*entries["rule"].values(), *entries["op_total"].values()), names, columns, problems)
    names |= _picked(picks, names, columns, problems)
    unknown_places(hints, {*names, *columns}, problems)
    own = op_names(op_columns, entries["op_rule"].values(), {*names, *columns}, problems)
    in_rules: list[Problem] = []
    rules = _checked(entries["rule"], RuleReader(names, curves, own).read, in_rules)
    reader = OpReader(names, own, curves, op_columns, entries["operator"])
    ops = OpBook(
        op_columns,
        _checked(entries["operator"], reader.operator, in_rules),
        _checked(entries["op_rule"], reader.rule, in_rules),
        _checked(entries["op_total"], reader.total, in_rules),
    )
    # A broken declaration is told once, by itself, and not again by each rule that uses it.
    broken = {id_ for kind in ("column", "constant", "curve", "op_column") for id_ in entries[kind]} - {
        *columns, *constants, *curves, *op_columns
    }  # fmt: skip
    problems += [p for p in in_rules if not any(f"'{name}'" in p.problem for name in broken)]
    # What is broken is not expanded: it would only be told again.
    made = [] if problems else expand(ops, problems)
    quantities = _quantities((*rules.values(), *picks.values(), *([] if problems else made)), problems)
    order = _order(quantities, problems)
    if problems:
        raws = (raw for kind in KINDS for raw in entries[kind].values())
        return None, blamed(problems, reading.replaced, raws)
    book = RuleBook(
        columns=columns, flags=flags, curves=curves, constants=constants, rules={**rules, **picks},
        quantities=quantities,
        order=order, overrides=tuple(reading.overrides), digest=reading.digest.hexdigest(),
        folders=tuple(str(folder) for folder in dirs), op_columns=ops.columns, operators=ops.operators,
        op_rules=ops.rules, op_totals=ops.totals, hints=hints,
    )  # fmt: skip
    return book, problems


def _read_folder(folder: Path, reading: _Reading) -> None:
    """Lay the entries of a folder over those read before."""
    own: dict[tuple[str, str], Raw] = {}
    for raw in _entries_of(folder, reading):
        if before := own.get((raw.kind, raw.id)):
            where = f"also in {before.file}:{before.line}"
            reading.problems.append(raw.problem("", None, f"is there twice: {where}"))
            continue
        own[raw.kind, raw.id] = raw
        if replaced := reading.entries[raw.kind].get(raw.id):
            reading.replaced.append((replaced, raw))
            reading.overrides.append(
                Override(raw.kind, raw.id, raw.file, raw.folder, replaced.file, replaced.folder)
            )
        reading.entries[raw.kind][raw.id] = raw


def _entries_of(folder: Path, reading: _Reading) -> Iterator[Raw]:
    """All entries of a folder in reading order; every file of it goes into the digest."""
    problems = reading.problems
    if not folder.is_dir():
        problems.append(Problem(str(folder), 0, "", None, "is not a folder", "Give a folder of rule files."))
        return
    files = _toml_files(folder)
    if files is None:
        hint = "Give the folder that holds the rule files alone."
        problems.append(Problem(str(folder), 0, "", None, "is too large a tree for a rule folder", hint))
        return
    if (size := sum(_size(path) for path in files)) > MAX_BYTES:
        told = f"holds {size / 1e6:.0f} MB of TOML; {MAX_BYTES / 1e6:.0f} MB are read"
        problems.append(Problem(str(folder), 0, "", None, told, "Give the folder of the rules alone."))
        return
    title = folder.resolve().name
    for path in files:
        relative = path.relative_to(folder)
        reading.digest.update(f"{relative.as_posix()}\0".encode())
        if len(relative.parts) > 1 and relative.parts[0] in CATALOGUE:
            reading.digest.update(_bytes(path, problems))
            continue
        found = read_file(path, f"{title}/{relative.as_posix()}", str(folder))
        reading.digest.update(found.raw)
        problems += found.problems
        yield from found.entries


def _toml_files(folder: Path) -> list[Path] | None:
    """All TOML files below, in a fixed order; None when somebody gave the root of a disk."""
    found: list[Path] = []
    for number, (directory, _, names) in enumerate(os.walk(folder)):
        if number > MAX_FOLDERS or len(found) > MAX_FILES:
            return None
        found += [Path(directory, name) for name in names if name.endswith(".toml")]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _size(path: Path) -> int:
    """Bytes of a file; 0 of one that cannot be looked at, which is told when it is read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _bytes(path: Path, problems: list[Problem]) -> bytes:
    if not path.is_file():  # a pipe would wait for ever
        problems.append(Problem(str(path), 0, "", None, "is not a file"))
        return b""
    try:
        return path.read_bytes()
    except OSError as error:
        problems.append(Problem(str(path), 0, "", None, f"cannot be read: {error.strerror or error}"))
        return b""


E = TypeVar("E", bound=Entry)


def _checked(
    raws: Mapping[str, Raw], read: Callable[[Raw, list[Problem]], E | None], problems: list[Problem]
) -> dict[str, E]:
    read_ = ((id_, read(raw, problems)) for id_, raw in raws.items())
    return {id_: entry for id_, entry in read_ if entry is not None}


def _declared(
    columns: Mapping[str, Column],
    flags: Mapping[str, tuple[str, str]],
    constants: Mapping[str, Constant],
    folders: Sequence[str],
    problems: list[Problem],
) -> dict[str, Dimension]:
    """Names of columns, flags and constants with their dimensions; a name stands for one thing only."""
    names: dict[str, Dimension] = {}
    owners: dict[str, Entry] = dict(columns)
    ranks = {folder: rank for rank, folder in enumerate(folders)}

    def own(name: str, entry: Entry, what: str) -> None:
        other = owners.setdefault(name, entry)
        if other is entry:
            return
        if ranks[other.folder] > ranks[entry.folder]:  # blame the later folder: it is the user's
            other, entry, what = entry, other, f"the name '{name}'"
        problem = f"{what} is taken already, by '{other.id}' ({other.file}:{other.line})"
        problems.append(
            Problem(entry.file, entry.line, f"'{entry.id}'", None, problem, "Choose another name.")
        )

    for column in columns.values():
        if not column.values:
            names[column.id] = column.dimension
    for flag, (column_id, value) in flags.items():
        own(flag, columns[column_id], f"the flag '{flag}' of value '{value}'")
        names[flag] = ONE
    for constant in constants.values():
        own(constant.id, constant, f"the name '{constant.id}'")
        names[constant.id] = constant.dimension
    return names


def _given(
    raws: Iterable[Raw],
    names: Mapping[str, Dimension],
    columns: Mapping[str, Column],
    problems: list[Problem],
) -> dict[str, Dimension]:
    """What rules give, with the dimension of its unit, read ahead of the rules themselves."""
    given: dict[str, Dimension] = {}
    first: dict[str, Raw] = {}
    for raw in raws:
        name, unit = raw.keys.get("gives"), raw.keys.get("unit")
        if not isinstance(name, str) or not isinstance(unit, str):
            continue  # told by the rule's own check
        if not NAME.fullmatch(name) or name in FUNCTIONS or keyword.iskeyword(name):
            problems.append(raw.problem("gives", name, "is not a name (lower_case_with_underscores)"))
        elif SEPARATOR in name:
            problems.append(raw.problem("gives", name, TWO_UNDERSCORES, "Give another name."))
        elif name in names or name in columns:
            hint = "Give another name, or drop the column or constant."
            problems.append(raw.problem("gives", name, "is a column, flag or constant already", hint))
        else:
            try:
                dimension = parse_unit(unit).dimension
            except UserError:
                continue  # likewise
            before = first.setdefault(name, raw)
            if given.setdefault(name, dimension) != dimension:
                where = f"{before.kind} '{before.id}' gives it in {given[name]}"
                problems.append(raw.problem("unit", unit, f"{where} ({before.file}:{before.line})"))
    return given


def _picked(
    picks: Mapping[str, Rule],
    names: Mapping[str, Dimension],
    columns: Mapping[str, Column],
    problems: list[Problem],
) -> dict[str, Dimension]:
    """What constants by category give, with its dimension."""
    given = {}
    for rule in picks.values():
        if rule.gives in names or rule.gives in columns:
            problem = "is a column, flag, constant or quantity already"
            problems.append(
                Problem(rule.file, rule.line, f"constant_by '{rule.id}'", None, problem, "Choose another id.")
            )
        given[rule.gives] = rule.dimension
    return given


def _quantities(rules: Iterable[Rule], problems: list[Problem]) -> dict[str, Quantity]:
    groups: dict[str, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(rule.gives, []).append(rule)
    for name, group in groups.items():
        always = [rule for rule in group if rule.when_tree is None and not rule.operator]
        if always and len(group) > 1:
            other = next(rule for rule in group if rule is not always[0])
            rival = f"rule '{other.id}' ({other.file}:{other.line})"
            problem = f"gives '{name}' without `when`, but {rival} gives it too"
            hint = "Give each a `when`, so that exactly one holds."
            problems.append(
                Problem(always[0].file, always[0].line, f"rule '{always[0].id}'", None, problem, hint)
            )
    return {
        name: Quantity(name, group[0].unit, group[0].dimension, tuple(group))
        for name, group in groups.items()
    }


def _order(quantities: Mapping[str, Quantity], problems: list[Problem]) -> tuple[str, ...]:
    """The quantities, each after what it needs; a cycle is a problem that names its members."""
    needs = {
        name: [used for rule in quantity.rules for used in rule.inputs if used in quantities]
        for name, quantity in quantities.items()
    }
    try:
        return tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        cycle: list[str] = list(reversed(error.args[1]))
        rule = quantities[cycle[0]].rules[0]
        problem = f"goes round in a circle: {' needs '.join(cycle)}"
        problems.append(
            Problem(rule.file, rule.line, f"rule '{rule.id}'", None, problem, "Break the circle.")
        )
        return ()
