"""Rule folders: read, overlaid, checked as a whole, with every problem named."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.data.files import MAX_TOML_BYTES
from advisor.errors import DataError, UserError
from advisor.rulebook import check_dir, check_dirs, listing, load_book, manual_page
from advisor.rulebook.compile import PICK

COLUMNS = """
[[column]]
name = "size"
unit = "B"
text = "bytes to move"

[[column]]
name = "precision"
values = ["fp32", "bf16"]
text = "number format"

[[column]]
name = "cal_rate"
unit = "GB/s"
text = "measured rate"
better = "high"
calibration = { bench = "copy" }

[[curve]]
name = "gain"
x_unit = "B"
y_unit = "1"
text = "share of the rate by size"
"""
CONSTANTS = """
[[constant]]
id = "rate"
value = 2
low = 1
high = 4
better = "high"
unit = "GB/s"
source = "a test"
fitted_from = "two rows"
"""
RULES = """
[[rule]]
id = "move-time"
gives = "move_s"
unit = "s"
expr = "size / rate"
why = "bytes over rate"
source = "physics"
cases = [{ given = { size = "4 GB" }, expect = 2 }]
"""


def rule(id_: str, gives: str, expr: str, unit: str = "1", when: str = "") -> str:
    condition = f'when = "{when}"\n' if when else ""
    return (
        f'[[rule]]\nid = "{id_}"\ngives = "{gives}"\nunit = "{unit}"\n{condition}'
        f'expr = \'{expr}\'\nwhy = "w"\nsource = "s"\ncases = [{{ given = {{}}, expect = "unknown" }}]\n'
    )


def folder(path: Path, **files: str) -> Path:
    for name, text in files.items():
        file = path / f"{name.replace('__', '/')}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return path


def base(tmp_path: Path, **more: str) -> Path:
    return folder(tmp_path / "base", columns=COLUMNS, constants__fitted=CONSTANTS, time__move=RULES, **more)


def test_a_book_has_everything_with_its_place(tmp_path: Path) -> None:
    book = load_book([base(tmp_path)])
    assert book.order == ("move_s",)
    constant = book.constants["rate"]
    assert (constant.value, constant.low, constant.high) == (2e9, 1e9, 4e9)
    assert (constant.at("optimistic"), constant.at("pessimistic")) == (4e9, 1e9)
    assert book.flags == {"precision_fp32": ("precision", "fp32"), "precision_bf16": ("precision", "bf16")}
    assert book.columns["cal_rate"].extra == {"calibration": {"bench": "copy"}}
    assert (book.unit_of("cal_rate"), book.unit_of("move_s"), book.unit_of("precision_bf16")) == (
        "B/s",
        "s",
        "1",
    )
    move = book.rules["move-time"]
    assert move.file == "base/time/move.toml"
    assert RULES.splitlines()[move.line - 1] == 'id = "move-time"'
    assert move.inputs == ("size", "rate")


def test_manual_page_and_listing(tmp_path: Path) -> None:
    book = load_book([base(tmp_path, more=rule("twice", "double_s", "2 * move_s", "s"))])
    page = manual_page(book, "move-time")
    for part in (
        "move_s [s]",
        "size / rate",
        "physics",
        "time/move.toml:3",
        "twice",
        "bytes to move",
        "a test",
        "4 GB",
    ):
        assert part in page
    assert [r.id for r in listing(book)] == ["move-time", "twice"]
    with pytest.raises(UserError) as caught:
        manual_page(book, "move-tine")
    assert "move-time" in caught.value.hint


def test_a_users_folder_overrides_by_id_and_the_book_says_so(tmp_path: Path) -> None:
    own = folder(tmp_path / "own", mine=CONSTANTS.replace("value = 2", "value = 3"))
    book = load_book([base(tmp_path), own])
    assert book.constants["rate"].value == 3e9
    (override,) = book.overrides
    assert (override.kind, override.id) == ("constant", "rate")
    assert override.file == "own/mine.toml"
    assert override.replaced_file == "base/constants/fitted.toml"
    assert book.digest != load_book([base(tmp_path)]).digest
    page = manual_page(load_book([base(tmp_path), folder(tmp_path / "r", r=RULES)]), "move-time")
    assert "overrides: base/time/move.toml" in page


def test_the_digest_sees_every_file_and_nothing_else(tmp_path: Path) -> None:
    path = base(tmp_path)
    first = load_book([path]).digest
    assert load_book([path]).digest == first
    folder(path, accelerators__x="anything = 1\n")
    second = load_book([path]).digest
    assert second != first
    (path / "notes.txt").write_text("not a rule")
    assert load_book([path]).digest == second


CURVE = '[[curve]]\nx_unit = "1"\ny_unit = "1"\ntext = "t"\nsource = "s"\n'

BROKEN = [
    (rule("r", "x", "size / rat", "s"), "rat", "rate"),
    (rule("r", "x", "size", "s"), "gives B, but the unit says s", ""),
    (rule("r", "x", "1", "secs"), "unknown unit", ""),
    (rule("r", "x", "size + 1", "B"), "adds B and 1", ""),
    (rule("r", "x", "1", when="size"), "a condition is a plain number", ""),
    (rule("r", "size", "1"), "is a column, flag or constant already", ""),
    (rule("r", "precision", "1"), "is a column, flag or constant already", ""),
    (rule("r", "X", "1"), "is not a name", ""),
    (rule("r", "max", "1"), "is not a name", ""),
    (rule("r", "x", "precision"), "'precision'", "precision_fp32"),
    (rule("r", "x", "x + 1"), "x needs x", ""),
    (rule("r", "x", "y") + rule("q", "y", "z") + rule("p", "z", "x"), "circle", ""),
    (rule("r", "x", "1") + rule("q", "x", "2"), "without `when`", "exactly one"),
    (rule("r", "x", "1", when="1") + rule("q", "x", "size", "B", when="0"), "gives it in 1", ""),
    (rule("r", "x", "1") + rule("r", "y", "1"), "is there twice", ""),
    (rule("r", "x", 'curve("gian", size)'), "curve 'gian'", "gain"),
    (rule("r", "x", "1").replace("why =", "whi ="), "why: is missing", ""),
    (rule("r", "x", "1").replace("why =", "whi ="), "is not known here", "why"),
    (rule("r", "x", "1").replace('"w"', "3"), "must be text", ""),
    (rule("r", "x", "1").replace('"s"', '" "'), "is empty", ""),
    (rule("r", "x", "1").split("cases")[0], "cases: is missing", "at least one"),
    (rule("r", "x", "1").split("cases")[0] + "cases = []\n", "is missing", ""),
    (rule("r", "x", "1").split("cases")[0] + "cases = [3]\n", "given, expect", ""),
    (rule("r", "x", "1").split("cases")[0] + "cases = [{ given = 1, expect = 1 }]\n", "given must be", ""),
    (rule("r", "x", "1").split("cases")[0] + 'cases = [{ given = {}, expect = 1, rel = "x" }]\n', "rel", ""),
    (rule("", "x", "1"), "is not a name", ""),
    ('[[rule]]\ngives = "x"\n', "rule 1: id: is missing", ""),
    ("[[rul]]\nx = 1\n", "not known in rule files", "rule"),
    ("[rule]\nx = 1\n", "must be a list of tables", ""),
    ("rule = 3\n", "must be a list of tables", ""),
    ("[[op_rule]]\nx = 1\n", "op_rule 1: id: is missing", ""),
    (rule("r", "a__b", "1"), "two underscores", ""),
    (CONSTANTS.replace("rate", "r").replace("value = 2", "value = 9"), "outside its range", ""),
    (CONSTANTS.replace("rate", "r").replace("value = 2", "value = inf"), "too large", ""),
    (CONSTANTS.replace("rate", "r").replace("value = 2", "value = nan"), "is no number", ""),
    (CONSTANTS.replace("rate", "r").replace("value = 2", 'value = "2 s"'), "is in s, not in B/s", ""),
    (CONSTANTS.replace("rate", "r").replace("value = 2", "value = true"), "not an amount", ""),
    (CONSTANTS.replace("rate", "r").replace("low = 1", ""), "stands alone", ""),
    (CONSTANTS.replace("rate", "r").replace('"high"', '"higher"'), "must be one of", "high"),
    (CONSTANTS.replace("rate", "r").replace('source = "a test"', ""), "source: is missing", ""),
    (CONSTANTS.replace("rate", "size"), "the name 'size' is taken already", ""),
    (CONSTANTS.replace("rate", "max"), "word of the rule language", ""),
    ('[[column]]\nname = "c"\nvalues = ["a b"]\ntext = "t"\n', "lower-case words", ""),
    ('[[column]]\nname = "c"\nvalues = []\ntext = "t"\n', "list of words", ""),
    ('[[column]]\nname = "c"\nvalues = ["a", "a"]\ntext = "t"\n', "twice", ""),
    ('[[column]]\nname = "c"\nvalues = ["a"]\nunit = "B"\ntext = "t"\n', "does not go with values", ""),
    ('[[column]]\nname = "c"\ntext = "t"\n', "unit: is missing", ""),
    ('[[column]]\nname = "precision_fp32"\nunit = "1"\ntext = "t"\n', "'precision_fp32' is taken", ""),
    (CURVE + 'name = "k"\npoints = [[2, 1], [1, 1]]\n', "rising", ""),
    (CURVE + 'name = "k"\npoints = [[0, 1]]\n', "above 0", ""),
    (CURVE + 'name = "k"\npoints = 3\n', "pairs", ""),
    ("a = [1,\n", "not valid TOML", ""),
    ("a = 1\na = 2\n", "not valid TOML", ""),
    ("a = 2026-99-99\n", "not valid TOML", ""),
    ("a = 0x" + "f" * 9000, "64 bits", ""),
    ("a = " + "9" * 9000, "not valid TOML", ""),
    ("a = " + "[" * 9000, "nested too deeply", ""),
    ("a = " + "[" * 40 + "]" * 40, "nested deeper", ""),
    ("a = [" + "1," * 6000 + "]", "values", ""),
    ("a." * 100_000 + "a = 1", "dots", ""),
    ("[" + "a." * 60_000 + "a]", "dots", ""),
    ("# " + "x" * MAX_TOML_BYTES, "larger than", "Split"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says", "hint"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_gets_one_line_with_its_place(tmp_path: Path, text: str, says: str, hint: str) -> None:
    shipped = base(tmp_path)
    own = folder(tmp_path / "own", mine=text)
    started = time.perf_counter()
    problems = check_dir(own, below=[shipped])
    assert time.perf_counter() - started < 10
    found = [p for p in problems if says in str(p)]
    assert found, [str(p) for p in problems]
    assert found[0].file == "own/mine.toml"
    assert hint in found[0].hint
    assert "\n" not in str(found[0])
    assert len(str(found[0])) < 600
    with pytest.raises(DataError) as caught:
        load_book([shipped, own])
    assert "own/mine.toml" in caught.value.message


def test_the_line_of_a_problem_is_that_of_its_key(tmp_path: Path) -> None:
    text = "# a comment\n\n" + rule("a", "x", "1") + "\n" + rule("b", "y", "size", "s")
    (problem,) = check_dir(folder(tmp_path / "own", mine=text), below=[base(tmp_path)])
    assert text.splitlines()[problem.line - 1] == "expr = 'size'"
    assert f"own/mine.toml:{problem.line}" in str(problem)


def test_all_problems_are_told_not_the_first_alone(tmp_path: Path) -> None:
    text = rule("a", "x", "nope") + rule("b", "y", "size", "s") + "[[constant]]\nid = 'k'\n"
    own = folder(tmp_path / "own", mine=text, other="[[x]]\na = 1\n")
    problems = check_dirs([base(tmp_path), own])
    assert len(problems) >= 4
    with pytest.raises(DataError, match=r"and \d+ more problems") as caught:
        load_book([base(tmp_path), own])
    assert f"`hwadvisor rules check {own}` lists all" in caught.value.hint


def test_the_hint_of_many_problems_names_the_folder_that_has_them(tmp_path: Path) -> None:
    own = folder(tmp_path / "own", mine="[[constant]]\nid = 'k'\n")
    fine = folder(tmp_path / "fine", mine=rule("a", "x", "1"))
    with pytest.raises(DataError) as caught:
        load_book([base(tmp_path), own, fine])
    assert f"rules check {own}`" in caught.value.hint
    assert "Add unit" in caught.value.hint


def test_a_broken_declaration_is_told_once(tmp_path: Path) -> None:
    text = CONSTANTS.replace("rate", "own_rate").replace("GB/s", "GX/s") + rule(
        "a", "x", "size / own_rate", "s"
    )
    (problem,) = check_dir(folder(tmp_path / "own", mine=text), below=[base(tmp_path)])
    assert "GX" in str(problem)


def test_a_cycle_names_its_members(tmp_path: Path) -> None:
    text = rule("r", "x", "y") + rule("q", "y", "z") + rule("p", "z", "x")
    (problem,) = check_dir(folder(tmp_path / "own", mine=text), below=[base(tmp_path)])
    assert all(f" {name}" in problem.problem for name in "xyz")


@pytest.mark.parametrize(
    "make", ["missing", "file", "binary", "link_to_nowhere", "pipe", "pipe_of_facts", "device"]
)
def test_odd_folders_and_files_are_problems(tmp_path: Path, make: str) -> None:
    own = tmp_path / "own"
    if make == "file":
        own.write_text("x")
    elif make != "missing":
        own.mkdir()
    if make == "binary":
        (own / "a.toml").write_bytes(b"\xff\xfe\x00")
    elif make == "link_to_nowhere":
        (own / "a.toml").symlink_to(tmp_path / "nowhere")
    elif make == "pipe":
        os.mkfifo(own / "a.toml")
    elif make == "pipe_of_facts":
        (own / "models").mkdir()
        os.mkfifo(own / "models" / "a.toml")
    elif make == "device":
        (own / "a.toml").symlink_to("/dev/zero")
    problems = check_dir(own, below=[base(tmp_path)])
    assert len(problems) == 1
    with pytest.raises(DataError):
        load_book([base(tmp_path), own])


def test_the_root_of_a_disk_is_not_a_rule_folder(tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / f"d{number}").mkdir()
    (problem,) = check_dir(tmp_path)
    assert "too large" in str(problem)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(), st.text(alphabet='[]{}="\n.rulecolumnid 123#,', max_size=120)))
def test_any_file_is_read_or_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text.encode("utf-8", "replace").decode("utf-8"), encoding="utf-8")
    for problem in check_dir(tmp_path):
        assert str(problem)


def test_the_shipped_rules_load_and_their_cases_hold() -> None:
    from advisor.data.files import shipped
    from advisor.estimate import run_cases

    book = load_book([shipped("rules")])
    assert book.rules
    outcomes = run_cases(book)
    assert [str(outcome) for outcome in outcomes if not outcome.ok] == []
    carry = [rule.id for rule in (*book.rules.values(), *book.op_rules.values()) if rule.tree.op != PICK]
    assert {outcome.rule for outcome in outcomes} >= set(carry)


USER = """
[[rule]]
id = "moves-a-day"
gives = "moves_a_day"
unit = "1/s"
expr = "1 / move_s"
why = "how often"
source = "arithmetic"
cases = [{ given = { move_s = 2 }, expect = 0.5 }]
"""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('gives = "move_s"', 'gives = "moved_s"'), "gives = 'moved_s': is not what base/time/move.toml:"),
        (
            ('unit = "s"\nexpr = "size / rate"', 'unit = "B"\nexpr = "size"'),
            "unit = 'B': is in B; base/time/",
        ),
    ],
)
def test_a_replacing_rule_that_gives_something_else_is_blamed_itself(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    below = folder(base(tmp_path), user=USER)
    assert not check_dirs([below])
    assert change[0] in RULES
    found = check_dirs([below, folder(tmp_path / "own", mine=RULES.replace(*change))])
    assert told in str(found[0])
    assert str(found[0]).startswith("own/mine.toml:")
    assert all(problem.file == "own/mine.toml" for problem in found)
