"""Operators, op_rules and totals: expanded into ordinary rules, with every problem named once."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from advisor.errors import UserError
from advisor.rulebook import RuleBook, check_dir, load_book, manual_page, page_ids, whole_manual
from advisor.rulebook.op_entries import LIMITS

BASE = """
[[column]]
name = "tokens"
unit = "tokens"
text = "tokens of one micro-batch"

[[column]]
name = "hidden"
unit = "1"
text = "width"

[[column]]
name = "family"
values = ["decoder", "moe", "cnn"]
text = "kind of network"

[[constant]]
id = "rate"
value = 1e12
unit = "FLOP/s"
source = "a test"

[[constant]]
id = "flop"
value = 1
unit = "FLOP"
source = "a test"

[[op_column]]
name = "op_flops"
unit = "FLOP"
text = "work of one pass"

[[op_column]]
name = "op_count"
unit = "1"
text = "times it is done"
default = 1

[[op_column]]
name = "op_rows"
unit = "1"
text = "rows of the product"
"""
OPERATORS = """
[[operator]]
id = "qkv"
when = "family_decoder or family_moe"
text = "query, key and value projection"
source = "arXiv:1706.03762"
gives = { op_flops = "2 * flop * op_rows * hidden ** 2", op_rows = "tokens" }
cases = [
  { given = { family = "decoder", tokens = 10, hidden = 3 }, expect = { op_flops = 180, op_rows = 10 } },
]

[[operator]]
id = "experts"
when = "family_moe"
text = "products of the experts"
source = "a test"
gives = { op_flops = "4 * flop * tokens * hidden", op_count = "2" }
"""
RULES = """
[[op_rule]]
id = "product-seconds"
gives = "op_s"
unit = "s"
expr = "op_flops / rate"
why = "work over rate"
source = "physics"
cases = [{ given = { op_flops = "2 TFLOP" }, expect = 2 }]

[[op_total]]
id = "forward-seconds"
gives = "forward_s"
unit = "s"
of = "op_count * op_s"
by = "sum"
why = "one after the other"
source = "a test"
"""
ALL = BASE + OPERATORS + RULES


def write(path: Path, text: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "rules.toml").write_text(text, encoding="utf-8")
    return path


def load(path: Path, text: str = ALL) -> RuleBook:
    return load_book([write(path / "base", text)])


def operator(id_: str, more: str = "", **gives: str) -> str:
    said = ", ".join(f'{name} = "{expr}"' for name, expr in gives.items())
    return f'[[operator]]\nid = "{id_}"\ntext = "t"\nsource = "s"\n{more}\ngives = {{ {said} }}\n'


def op_rule(id_: str, gives: str, expr: str, unit: str = "1", more: str = "") -> str:
    return (
        f'[[op_rule]]\nid = "{id_}"\ngives = "{gives}"\nunit = "{unit}"\nexpr = "{expr}"\nwhy = "w"\n'
        f'source = "s"\n{more}\ncases = [{{ given = {{}}, expect = "unknown" }}]\n'
    )


def total(id_: str, gives: str, of: str, unit: str = "1", more: str = "") -> str:
    return (
        f'[[op_total]]\nid = "{id_}"\ngives = "{gives}"\nunit = "{unit}"\nof = "{of}"\nwhy = "w"\n'
        f'source = "s"\n{more}\n'
    )


def test_every_operator_gets_what_it_says_and_what_op_rules_give(tmp_path: Path) -> None:
    book = load(tmp_path)
    assert set(book.quantities) == {
        "qkv__op_holds", "qkv__op_rows", "qkv__op_flops", "qkv__op_count", "qkv__op_s", "qkv__forward_s",
        "experts__op_holds", "experts__op_flops", "experts__op_count", "experts__op_rows", "experts__op_s",
        "experts__forward_s", "forward_s",
    }  # fmt: skip
    assert set(book.op_rules) == {"product-seconds"}
    assert book.rules == {}
    (rule,) = book.quantities["qkv__op_s"].rules
    assert (rule.id, rule.operator, rule.when) == (
        "qkv/product-seconds",
        "qkv",
        "family_decoder or family_moe",
    )
    assert rule.inputs == ("qkv__op_flops", "rate", "qkv__op_holds")
    assert ALL.splitlines()[rule.line - 1] == 'id = "product-seconds"'
    (flops,) = book.quantities["qkv__op_flops"].rules
    assert ALL.splitlines()[flops.line - 1].startswith("gives = { op_flops")
    assert book.unit_of("experts__forward_s") == "s"
    assert (
        book.order.index("qkv__op_rows") < book.order.index("qkv__op_flops") < book.order.index("forward_s")
    )


def test_what_is_not_said_is_the_default_or_unknown_with_a_reason(tmp_path: Path) -> None:
    book = load(tmp_path)
    (count,) = book.quantities["qkv__op_count"].rules
    assert count.tree.number == 1
    (rows,) = book.quantities["experts__op_rows"].rules
    assert math.isnan(rows.tree.number)
    assert rows.missing == "nothing says op_rows of operator experts"


def test_op_rules_may_be_for_some_operators_or_hold_sometimes(tmp_path: Path) -> None:
    text = BASE + OPERATORS + op_rule("a", "op_x", "1", more='operators = ["qkv"]')
    text += op_rule("b", "op_x", "2", more='operators = ["experts"]\nwhen = "op_count > 1"')
    text += op_rule("c", "op_x", "3", more='operators = ["experts"]\nwhen = "op_count <= 1"')
    book = load(tmp_path, text)
    assert [rule.id for rule in book.quantities["qkv__op_x"].rules] == ["qkv/a"]
    assert [rule.when for rule in book.quantities["experts__op_x"].rules] == [
        "(family_moe) and (op_count > 1)",
        "(family_moe) and (op_count <= 1)",
    ]


def test_an_op_rule_fills_in_where_operators_do_not_say(tmp_path: Path) -> None:
    book = load(tmp_path, ALL + op_rule("rows", "op_rows", "tokens"))
    assert [rule.id for rule in book.quantities["qkv__op_rows"].rules] == ["qkv/op_rows"]
    assert [rule.id for rule in book.quantities["experts__op_rows"].rules] == ["experts/rows"]


def test_a_users_folder_overrides_each_kind_by_id(tmp_path: Path) -> None:
    own = write(
        tmp_path / "own",
        operator("experts", op_flops="flop")
        + op_rule("product-seconds", "op_s", "3 * op_flops / rate", "s")
        + total("forward-seconds", "forward_s", "op_s", "s", 'by = "max"')
        + '[[op_column]]\nname = "op_count"\nunit = "1"\ntext = "t"\ndefault = 5\n',
    )
    base = write(tmp_path / "base", ALL)
    book = load_book([base, own])
    assert {(o.kind, o.id) for o in book.overrides} == {
        ("operator", "experts"),
        ("op_rule", "product-seconds"),
        ("op_total", "forward-seconds"),
        ("op_column", "op_count"),
    }
    assert "experts__op_holds" not in book.quantities  # the new one always holds
    assert book.quantities["qkv__op_s"].rules[0].tree.op == "/"
    assert book.quantities["forward_s"].rules[0].tree.op == "total_max"
    assert book.op_columns["op_count"].default == 5
    assert book.digest != load_book([base]).digest


def test_manual_pages_of_operators_op_rules_totals_and_op_columns(tmp_path: Path) -> None:
    book = load(tmp_path)
    page = manual_page(book, "qkv")
    for part in ("operator", "family_decoder or family_moe", "op_rows * hidden ** 2", "arXiv:1706.03762",
                 "product-seconds", "forward-seconds", "tokens = 10"):  # fmt: skip
        assert part in page
    page = manual_page(book, "product-seconds")
    for part in (
        "op_s [s]",
        "all operators",
        "op_flops / rate",
        "work of one pass",
        "2 TFLOP",
        "forward-seconds",
    ):
        assert part in page
    page = manual_page(book, "forward-seconds")
    for part in ("forward_s [s]", "sum over", "op_count * op_s", "qkv, experts"):
        assert part in page
    assert "default:   1\n" in manual_page(book, "op_count")
    with pytest.raises(UserError) as caught:
        manual_page(book, "product-second")
    assert "product-seconds" in caught.value.hint


def test_the_whole_manual_has_a_page_of_everything(tmp_path: Path) -> None:
    book = load(tmp_path)
    text = whole_manual(book)
    assert [text.count(f"\n### {id_}\n") for id_ in page_ids(book)] == [1] * 7


SAID = operator("o", op_flops="flop")
BROKEN = [
    (operator("o", op_flop="flop"), "gives.op_flop: is no op_column", "op_flops"),
    (operator("o", op_flops="hiden"), "uses 'hiden'", "hidden"),
    (operator("o", op_flops="hidden"), "gives 1, but the unit says FLOP", ""),
    (operator("o", op_rows="op_s"), "gives s, but the unit says 1", ""),
    (operator("o", op_rows="op_row"), "uses 'op_row'", "op_rows"),
    (operator("o", 'when = "op_rows"', op_flops="flop"), "uses 'op_rows'", "op_total"),
    (operator("o", 'when = "tokens * flop"', op_flops="flop"), "a condition is a plain number", ""),
    (operator("a__b", op_flops="flop"), "two underscores", ""),
    (operator("o", op_rows="op_flops / flop", op_flops="op_rows * flop"), "circle", "Break"),
    (operator("o", "gives.x = 3\n", op_flops="flop"), "not valid TOML", ""),
    ('[[operator]]\nid = "o"\ntext = "t"\nsource = "s"\n', "gives: must be a table", ""),
    (SAID.replace("text =", "txt ="), "text: is missing", ""),
    (SAID + "cases = [{ given = {}, expect = 3 }]", "expect must be a table", ""),
    (SAID + "cases = [{ given = {}, expect = { op_rows = 3 } }]", "expect must be a table", ""),
    (op_rule("r", "seconds", "1"), "must begin with op_", ""),
    (op_rule("r", "op_a__b", "1"), "two underscores", ""),
    (op_rule("r", "op_holds", "1"), "kept for the program", ""),
    (op_rule("r", "op_y", "op_secs"), "uses 'op_secs'", ""),
    (op_rule("r", "op_y", "op_flops", "s"), "gives FLOP, but the unit says s", ""),
    (op_rule("r", "op_y", "op_y"), "qkv__op_y needs qkv__op_y", ""),
    (op_rule("r", "op_y", "1", more='operators = ["qvk"]'), "names 'qvk'", "qkv"),
    (op_rule("r", "op_y", "1", more="operators = []"), "must be a list of operators", ""),
    (op_rule("r", "op_y", "1", more='operators = ["qkv", "qkv"]'), "twice", ""),
    (op_rule("r", "op_s", "1"), "is not the unit that 'op_s' has elsewhere", ""),
    (op_rule("r", "op_s", "op_flops / rate", "s"), "op_rule 'r'", "exactly one"),
    (op_rule("r", "op_rows", "1", more='operators = ["qkv"]'), "operator 'qkv' says op_rows itself", ""),
    (total("t", "z", "op_s"), "gives s, but the unit says 1", ""),
    (total("t", "z", "op_secs", "s"), "uses 'op_secs'", "op_s"),
    (total("t", "tokens", "op_count"), "is a column, flag or constant already", ""),
    (total("t", "z", "op_count", more='by = "mean"'), "must be one of sum, max", ""),
    (total("t", "z", "op_count", more='none = "3 s"'), "'3 s' is in s, not in 1", ""),
    (total("t", "z", "z"), "circle", ""),
    (total("t", "forward_s", "op_s", "s"), "without `when`, but rule", ""),
    ('[[op_column]]\nname = "rows"\nunit = "1"\ntext = "t"\n', "starts with op_", ""),
    ('[[op_column]]\nname = "op_holds"\nunit = "1"\ntext = "t"\n', "kept for the program", ""),
    ('[[op_column]]\nname = "op_x"\nunit = "1"\ntext = "t"\ndefault = "3 s"\n', "default", ""),
    ('[[column]]\nname = "op_flops"\nunit = "FLOP"\ntext = "t"\n', "candidates already", ""),
    ('[[column]]\nname = "a__b"\nunit = "1"\ntext = "t"\n', "two underscores", ""),
    ('[[rule]]\nid = "r"\ngives = "z"\nunit = "s"\nexpr = "op_s"\nwhy = "w"\nsource = "s"\n'
     'cases = [{ given = {}, expect = "unknown" }]\n', "uses 'op_s'", "op_total"),
    ("".join(operator(f"o{i}", op_flops="flop") for i in range(LIMITS["operator"])), "too many", ""),
    ("".join(op_rule(f"r{i}", f"op_y{i}", "1") for i in range(LIMITS["op_rule"])), "too many", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says", "hint"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_wrong_is_told_once_with_its_place(tmp_path: Path, text: str, says: str, hint: str) -> None:
    base = write(tmp_path / "base", ALL)
    problems = check_dir(write(tmp_path / "own", text), below=[base])
    found = [p for p in problems if says in str(p)]
    assert len(found) == 1, [str(p) for p in problems]
    assert hint in found[0].hint
    assert found[0].line > 0 or "TOML" in says
    if "already" not in says:
        assert found[0].file.split("/")[0] in ("own", "base")


def test_sub_tables_keep_their_lines(tmp_path: Path) -> None:
    text = BASE + (
        '[[operator]]\nid = "o"\ntext = "t"\nsource = "s"\n[operator.gives]\nop_rows = "tokens"\n'
        'op_flops = "tokens"\n'
    )
    (problem,) = check_dir(write(tmp_path, text))
    assert text.splitlines()[problem.line - 1] == 'op_flops = "tokens"'


def test_a_book_at_its_limits_loads(tmp_path: Path) -> None:
    text = BASE + "".join(operator(f"o{i}", op_flops="flop") for i in range(LIMITS["operator"]))
    names = [f"op_y{i}" for i in range(LIMITS["op_rule"])]
    text += "".join(op_rule(name, name, "op_flops / flop") for name in names)
    book = load(tmp_path, text + total("t", "z", "op_y1 + op_count"))
    assert len(book.order) == 64 * (64 + 1 + 1 + 1) + 1


def test_what_is_known_of_a_fit_stands_with_the_constant(tmp_path: Path) -> None:
    text = (
        '[[constant]]\nid = "k"\nvalue = 0.5\nunit = "GB"\nsource = "s"\nfit = "time"\nprior = "0.4 GB"\n'
        "prior_spread = 0.5\nspread = 0.1\n"
    )
    constant = load(tmp_path, text).constants["k"]
    assert (constant.fit, constant.prior, constant.prior_spread, constant.spread) == ("time", 4e8, 0.5, 0.1)
    for old, new, says in (
        ('"time"', '"speed"', "time, memory"),
        ('"0.4 GB"', '"4 s"', "in s, not in B"),
        ("0.1", "-0.1", "natural logarithm"),
    ):
        (problem,) = check_dir(write(tmp_path / "broken", text.replace(old, new)))
        assert says in str(problem)
