"""docs/rules.md: its example is a folder that works, its list of functions is the grammar's."""

from __future__ import annotations

import re
from pathlib import Path

from advisor.data.files import shipped
from advisor.estimate import Table, evaluate, run_cases
from advisor.rulebook import load_book
from advisor.rulebook.book import CATALOGUE
from advisor.rulebook.grammar import FUNCTIONS, MAX_DEPTH, MAX_LENGTH, MAX_NODES

TEXT = (Path(__file__).resolve().parents[2] / "docs/rules.md").read_text(encoding="utf-8")


def test_the_example_works_over_the_shipped_rules(tmp_path: Path) -> None:
    example, _ = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
    (tmp_path / "checkpoints.toml").write_text(example, encoding="utf-8")
    book = load_book([shipped("rules"), tmp_path])
    outcomes = [outcome for outcome in run_cases(book) if outcome.rule == "checkpoint-time"]
    assert [outcome.ok for outcome in outcomes] == [True, True]
    table = Table.from_rows(book, [{"parameter_count": 7e9, "checkpoint_disk_rate": 2e9}])
    assert evaluate(book, table, ["checkpoint_s"]).value("checkpoint_s") == 49.0


def test_the_example_of_operators_works_over_the_shipped_rules(tmp_path: Path) -> None:
    _, example = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
    names = ("op_flops", "head", "operator-seconds", "op_s", "forward-seconds", "operators_s")
    for name in names:  # the shipped rules may have some of these too
        example = re.sub(rf"(?<![\w-]){name}(?![\w-])", f"{name}_of_docs", example)
    (tmp_path / "operators.toml").write_text(example, encoding="utf-8")
    book = load_book([shipped("rules"), tmp_path])
    outcomes = [outcome for outcome in run_cases(book) if outcome.rule.endswith("_of_docs")]
    assert [outcome.ok for outcome in outcomes] == [True, True]
    assert "operators_s_of_docs" in book.quantities


def test_functions_folders_and_limits_are_told() -> None:
    for name in (*FUNCTIONS, *CATALOGUE):
        assert re.search(rf"`{name}[`(]", TEXT), name
    for number in (f"{MAX_LENGTH:,}", str(MAX_NODES), str(MAX_DEPTH)):
        assert number in TEXT
