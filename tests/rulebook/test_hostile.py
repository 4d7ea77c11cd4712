"""Rule files made to hang, to explode or to break in: problems with their place, in bounded time."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.errors import DataError
from advisor.estimate import Table, evaluate
from advisor.rulebook import book, check_dir, load_book, op_entries

COLUMN = '[[column]]\nname = "size"\nunit = "1"\ntext = "some size"\n'
RULE = (
    '[[rule]]\nid = "{id}"\ngives = "{gives}"\nunit = "1"\nexpr = {expr}\nwhy = "w"\nsource = "s"\n'
    "cases = [{{ given = {{ {needs} = 1 }}, expect = 1 }}]\n"
)
ATOMS = st.sampled_from(
    ["size", "1", "0", "2.5", "1e300", "1e-300", "size_none", "unknown_name", "known(size)"]
)
TWO = st.sampled_from(["+", "-", "*", "/", "**", "//", "%", "<", "==", "and", "or", "@", ":="])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, TWO, inner),
        st.builds("{} {} {}".format, inner, TWO, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds(
            "{}({}, {})".format, st.sampled_from(["min", "max", "floor", "exp", "log", "print"]), inner, inner
        ),
        st.builds("-{}".format, inner),
        st.builds("not {}".format, inner),
        st.builds("sqrt({})".format, inner),
    ),
    max_leaves=20,
)


def rule(expr: str, *, id: str = "one", gives: str = "answer", needs: str = "size") -> str:
    return RULE.format(id=id, gives=gives, expr=json.dumps(expr), needs=needs)


def folder(path: Path, *files: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(files):
        (path / f"f{number}.toml").write_text(text, encoding="utf-8")
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(expr=EXPRESSIONS | st.text(max_size=60))
def test_any_expression_is_a_rule_or_a_problem_with_its_place(tmp_path: Path, expr: str) -> None:
    found = folder(tmp_path, COLUMN, rule(expr))
    problems = check_dir(found)
    if problems:
        assert all(str(problem).strip() for problem in problems)
        return
    loaded = load_book([found])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for size in (0.0, 1.0, -1.0, 1e300, float("nan")):
            table = Table.from_rows(loaded, [{"size": size}])
            try:
                evaluate(loaded, table, ["answer"])
            except DataError as error:  # an infinite value, or none: told with rule, row and inputs
                assert "rule 'one' gives" in error.message


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("(" * 500 + "1" + ")" * 500, "nested parentheses"),
        ("-" * 500 + "1", "nested deeper than"),
        ("not " * 400 + "size", "nested deeper than"),
        ("9 ** 9 ** 9 ** 9", "no finite number"),
        ("1 if size > 1 else " * 60 + "0", "nested deeper than"),
        ("size + " * 250 + "1", "nested deeper than"),
        ("1" + "0" * 1900, "too large for double precision"),
        ("size * 1" * 400, "characters long"),
        ("__import__('os').system('true')", "calls something"),
        ("size.__class__", ""),
        ("[x for x in size]", ""),
        ("(lambda: size)()", ""),
        ("size[0]", ""),
        ("f'{size}'", ""),
        ("'x' * 10", ""),
        ("(size := 1)", ""),
    ],
)  # fmt: skip
def test_an_expression_made_to_explode_is_refused(tmp_path: Path, expr: str, words: str) -> None:
    problems = check_dir(folder(tmp_path, COLUMN, rule(expr)))
    assert problems
    assert any(words in problem.problem for problem in problems), [problem.problem for problem in problems]
    assert all(len(str(problem)) < 600 for problem in problems)


def test_a_power_that_overflows_is_told(tmp_path: Path) -> None:
    found = folder(
        tmp_path,
        COLUMN,
        rule("size ** 300 ** 1"),
    )
    assert check_dir(found) == []
    loaded = load_book([found])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match="gives an infinite value for row 0"):
            evaluate(loaded, Table.from_rows(loaded, [{"size": 1e10}]), ["answer"])


def test_a_long_chain_of_rules_is_no_recursion(tmp_path: Path) -> None:
    links = [rule(f"q{n + 1} * 1", id=f"r{n}", gives=f"q{n}", needs=f"q{n + 1}") for n in range(1200)]
    files = ["".join(links[at : at + 400]) for at in range(0, 1200, 400)]
    found = folder(tmp_path, COLUMN, *files, rule("size", id="last", gives="q1200"))
    assert check_dir(found) == []
    loaded = load_book([found])
    assert evaluate(loaded, Table.from_rows(loaded, [{"size": 3.0}]), ["q0"]).value("q0", 0) == 3.0


def test_a_ring_of_rules_is_told_with_its_members(tmp_path: Path) -> None:
    ring = [
        rule(f"q{(n + 1) % 300}", id=f"r{n}", gives=f"q{n}", needs=f"q{(n + 1) % 300}") for n in range(300)
    ]
    problems = check_dir(folder(tmp_path, COLUMN, "".join(ring)))
    assert any("q0" in problem.problem for problem in problems)
    assert sum(len(str(problem)) for problem in problems) < 20_000


def test_a_folder_of_many_megabytes_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "MAX_BYTES", 10_000)
    assert check_dir(folder(tmp_path / "small", COLUMN, rule("size"))) == []
    problems = check_dir(folder(tmp_path / "large", COLUMN, *["#" + "x" * 4_000] * 3))
    assert [problem.problem for problem in problems] == ["holds 0 MB of TOML; 0 MB are read"]


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    problems = check_dir(folder(tmp_path, COLUMN, "#" + "x" * 1_000_000))
    assert [problem.problem for problem in problems] == ["larger than 256 kB"]


def test_too_many_rules_are_refused_before_they_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(op_entries.LIMITS, "rule", 5)
    many = [rule("__broken__(", id=f"r{n}", gives=f"q{n}") for n in range(7)]
    problems = check_dir(folder(tmp_path, COLUMN, "".join(many)))
    assert [problem.problem for problem in problems] == ["is one too many: 5 are allowed"]


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 3000 + "]" * 3000, "a" + ".a" * 3000 + " = 1", "x = 1" + "0" * 5000]
)
def test_toml_made_to_explode_is_a_problem(tmp_path: Path, text: str) -> None:
    problems = check_dir(folder(tmp_path, COLUMN, text))
    assert len(problems) == 1
    assert problems[0].problem
