"""[[constant_by]]: one constant for each value of a category."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from advisor.estimate import Table, evaluate, explain, why_unknown
from advisor.rulebook import check_dirs, load_book

ENTRY = """
[[column]]
name = "generation"
values = ["old", "new", "strange"]
text = "kind of device"

[[constant_by]]
id = "gain"
by = "generation"
unit = "1"
text = "how much better"
source = "a test"
{more}
"""


def folder(tmp_path: Path, more: str) -> Path:
    (tmp_path / "a.toml").write_text(ENTRY.format(more=more), encoding="utf-8")
    return tmp_path


def test_a_row_gets_the_constant_of_its_own_value(tmp_path: Path) -> None:
    book = load_book([folder(tmp_path, "value = 1\nvalues = { old = 0.5 }")])
    table = Table.from_columns(book, {"generation": ["old", "new", None]})
    assert evaluate(book, table).columns["gain"] == pytest.approx([0.5, 1.0, np.nan], nan_ok=True)
    other = evaluate(book, table.with_constants({"gain__old": 0.25})).columns["gain"]
    assert other[:2] == pytest.approx([0.25, 1.0])


def test_constants_may_differ_by_row_and_rows_may_agree(tmp_path: Path) -> None:
    book = load_book([folder(tmp_path, "value = 1\nvalues = { old = 0.5 }")])
    words = ["old", "new", "old", None]
    own = {"gain__old": np.array([1.0, 2.0, 3.0, 4.0]), "gain__new": np.array([5.0, 6.0, 7.0, 8.0])}
    mixed = evaluate(book, Table.from_columns(book, {"generation": words}).with_constants(own))
    assert mixed.columns["gain"] == pytest.approx([1.0, 6.0, 3.0, np.nan], nan_ok=True)
    alike = evaluate(book, Table.from_columns(book, {"generation": "old"}, rows=4).with_constants(own))
    assert alike.columns["gain"] == pytest.approx([1.0, 2.0, 3.0, 4.0])


def test_the_trace_has_the_one_constant_and_the_reason_is_the_categorys(tmp_path: Path) -> None:
    book = load_book([folder(tmp_path, "values = { old = 0.5 }")])
    table = Table.from_columns(book, {"generation": ["old", "new", None]})
    steps = explain(book, table, 0, "gain")
    assert [step.quantity for step in steps] == ["gain", "generation_old", "gain__old"]
    assert why_unknown(book, table, 1, "gain") == "no gain is known for its generation"
    assert why_unknown(book, table, 2, "gain") == "generation is not known (kind of device)"


def test_values_that_are_not_listed_are_unknown_without_a_value_for_the_rest(tmp_path: Path) -> None:
    book = load_book([folder(tmp_path, "values = { old = 0.5 }")])
    table = Table.from_columns(book, {"generation": ["old", "new"]})
    assert np.isnan(evaluate(book, table).columns["gain"][1])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("values = { odl = 0.5 }", "old"),
        ('value = "x"', "value"),
        ("values = 3", "must be a table"),
        ('values = { old = "1 s" }', "values"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, more: str, told: str) -> None:
    problems = [str(problem) for problem in check_dirs([folder(tmp_path, more)])]
    assert len(problems) == 1
    assert told in problems[0]


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    constant = '\n[[constant]]\nid = "gain"\nvalue = 2\nunit = "1"\nsource = "s"\n'
    assert check_dirs([folder(tmp_path, "value = 1" + constant)])
