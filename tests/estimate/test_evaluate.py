"""The evaluator: one for a row and for many, unknown with a reason, ranges, traces."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.errors import DataError, UserError
from advisor.estimate import (
    CurveData,
    Table,
    evaluate,
    evaluate_ranges,
    explain,
    quantities_of,
    run_cases,
    why_unknown,
)
from advisor.estimate.evaluate import BLOCK_ROWS
from advisor.rulebook import RuleBook, load_book

BOOK = """
[[column]]
name = "work"
unit = "FLOP"
text = "work to do"

[[column]]
name = "size"
unit = "B"
text = "bytes to move"

[[column]]
name = "kind"
values = ["gpu", "cpu", "npu"]
text = "kind of device"

[[column]]
name = "measured_rate"
unit = "FLOP/s"
text = "rate measured here"
better = "high"

[[column]]
name = "price"
unit = "USD/h"
text = "rent of one device"

[[curve]]
name = "gain"
x_unit = "FLOP"
y_unit = "1"
text = "share of the rate by work"

[[constant]]
id = "gpu_rate"
value = 100
low = 50
high = 200
better = "high"
unit = "FLOP/s"
source = "published rows"
fitted_from = "rows 1 to 3"
text = "rate of a GPU"

[[constant]]
id = "overhead"
value = 1
low = 0.5
high = 3
better = "low"
unit = "s"
source = "published rows"

[[rule]]
id = "rate-here"
gives = "rate"
unit = "FLOP/s"
when = "known(measured_rate)"
expr = "measured_rate"
why = "a measurement beats a constant"
source = "by definition"
cases = [{ given = { measured_rate = 7 }, expect = 7 }]

[[rule]]
id = "rate-gpu"
gives = "rate"
unit = "FLOP/s"
when = "kind_gpu and not known(measured_rate)"
expr = "gpu_rate"
why = "nothing measured"
source = "the constant"
cases = [
  { given = { kind = "gpu" }, expect = 100 },
  { given = { kind = "gpu", gpu_rate = 40 }, expect = 40 },
]

[[rule]]
id = "time"
gives = "time_s"
unit = "s"
expr = "work / rate + overhead"
why = "work over rate"
source = "physics"
cases = [{ given = { work = 10, rate = 5 }, expect = 3 }, { given = { rate = 5 }, expect = "unknown" }]

[[rule]]
id = "cost"
gives = "cost_usd"
unit = "USD"
expr = "time_s * price"
why = "by the hour"
source = "offer"
cases = [{ given = { time_s = "2 h", price = 3 }, expect = 6 }]

[[rule]]
id = "guarded"
gives = "guarded_s"
unit = "s"
expr = "time_s if known(time_s) else overhead"
why = "unknown does not spread where it is asked for"
source = "a test"
cases = [{ given = { time_s = 4 }, expect = 4 }, { given = {}, expect = 1 }]

[[rule]]
id = "curved"
gives = "curved"
unit = "1"
expr = 'curve("gain", work) * 2'
why = "twice the gain"
source = "a test"
cases = [
  { given = { work = 10, gain = 0.5 }, expect = 1 },
  { given = { work = 10, gain = [[1, 0], [100, 1]] }, expect = 1 },
]
"""


def make_book(tmp_path: Path, text: str = BOOK) -> RuleBook:
    (tmp_path / "rules.toml").write_text(text)
    return load_book([tmp_path])


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> RuleBook:
    return make_book(tmp_path_factory.mktemp("book"))


def rule(id_: str, gives: str, expr: str, when: str = "", unit: str = "1") -> str:
    condition = f"when = '{when}'\n" if when else ""
    return (
        f"[[rule]]\nid = '{id_}'\ngives = '{gives}'\nunit = '{unit}'\n{condition}expr = '{expr}'\n"
        "why = 'w'\nsource = 's'\ncases = [{ given = {}, expect = 'unknown' }]\n"
    )


def test_a_row_is_computed_by_the_rule_that_holds(book: RuleBook) -> None:
    rows = [
        {"work": 1000.0, "kind": "gpu", "price": 3 / 3600},
        {"work": 1000.0, "kind": "cpu", "measured_rate": 10.0},
        {"work": 1000.0, "kind": "cpu"},
    ]
    table = evaluate(book, Table.from_rows(book, rows))
    assert table.columns["rate"][:2].tolist() == [100.0, 10.0]
    assert table.columns["time_s"][:2].tolist() == [11.0, 101.0]
    assert table.value("cost_usd", 0) == pytest.approx(11 * 3 / 3600)
    assert table.value("time_s", 2) is None
    assert table.columns["guarded_s"].tolist() == [11.0, 101.0, 1.0]


def test_unknown_says_why_down_the_rules(book: RuleBook) -> None:
    rows = [{"work": 1.0, "kind": "cpu"}, {"work": None, "kind": "gpu"}, {"work": 1.0, "kind": None}]
    reasons = {"work": ["", "config.json names no size", ""], "kind": "the probe was skipped"}
    table = evaluate(book, Table.from_rows(book, rows, reasons=reasons))
    assert why_unknown(book, table, 0, "cost_usd") == (
        "no rule for rate covers this row: known(measured_rate); kind_gpu and not known(measured_rate)"
    )
    assert why_unknown(book, table, 1, "cost_usd") == "config.json names no size"
    assert why_unknown(book, table, 2, "time_s") == "the probe was skipped"
    assert "share of the rate" in why_unknown(book, table, 0, "curved")
    assert "price is not known (rent of one device)" in why_unknown(
        book, evaluate(book, Table.from_rows(book, [{"work": 1.0, "kind": "gpu"}])), 0, "cost_usd"
    )
    assert why_unknown(book, table, 0, "guarded_s") == ""


def test_the_reason_is_that_of_the_branch_taken(tmp_path: Path) -> None:
    text = BOOK + rule("b", "b", "where(kind_gpu, size / size, work / work)")
    book = make_book(tmp_path, text)
    reasons = {"size": "no size", "work": "no work"}
    table = Table.from_rows(book, [{"kind": "gpu"}, {"kind": "cpu"}], reasons=reasons)
    assert [why_unknown(book, table, row, "b") for row in (0, 1)] == ["no size", "no work"]


def test_missing_columns_are_unknown_and_misspelt_ones_an_error(book: RuleBook) -> None:
    assert evaluate(book, Table.from_rows(book, [{}])).value("time_s") is None
    with pytest.raises(UserError) as caught:
        Table.from_rows(book, [{"wrok": 1.0}])
    assert "work" in caught.value.hint
    with pytest.raises(DataError) as caught:
        Table.from_rows(book, [{"kind": "gpuu"}])
    assert "gpu" in caught.value.hint
    with pytest.raises(UserError) as caught:
        evaluate(book, Table.from_rows(book, [{}]), ["times"])
    assert "time_s" in caught.value.hint


@pytest.mark.parametrize(
    "columns",
    [
        {"work": [1.0, 2.0], "size": [1.0]},
        {"work": "many"},
        {"work": [[1.0]]},
        {"work": [object()]},
        {"work": [10**400]},
    ],
)
def test_columns_of_wrong_shape_or_type_are_refused(book: RuleBook, columns: dict[str, object]) -> None:
    with pytest.raises(UserError):
        Table.from_columns(book, columns)


def test_an_infinite_input_is_refused_with_its_row(book: RuleBook) -> None:
    with pytest.raises(UserError, match="'work' is infinite in row 1"):
        evaluate(book, Table.from_columns(book, {"work": [1.0, math.inf], "kind": "gpu"}))


@pytest.mark.parametrize(
    ("expr", "says"),
    [
        ("work / size * size / work * (1 / (work / work - 1))", "infinite"),
        ("(work / work - 1) / (work / work - 1)", "no number"),
        ("log(0 - work / work)", "no number"),
        ("sqrt(0 - work / work)", "no number"),
        ("exp(1000 * work / work)", "infinite"),
    ],
)
def test_what_is_no_number_names_rule_and_row(tmp_path: Path, expr: str, says: str) -> None:
    book = make_book(tmp_path, BOOK + rule("bad", "bad", expr))
    table = Table.from_columns(book, {"work": [math.nan, 2.0], "size": [1.0, 4.0]})
    with pytest.raises(DataError) as caught:
        evaluate(book, table, ["bad"])
    for part in ("rule 'bad'", "rules.toml:", says, "row 1", "work = 2"):
        assert part in caught.value.message


def test_a_guard_keeps_a_division_by_zero_away(tmp_path: Path) -> None:
    book = make_book(tmp_path, BOOK + rule("ok", "ok", "where(size > 0, size / size, 0)"))
    table = Table.from_columns(book, {"size": [0.0, 2.0, math.nan]})
    found = evaluate(book, table, ["ok"]).columns["ok"]
    assert found[:2].tolist() == [0.0, 1.0]
    assert math.isnan(found[2])


def test_a_rule_is_not_judged_where_it_does_not_hold(tmp_path: Path) -> None:
    text = BOOK + rule("a", "q", "1 / (size / size)", "size > 0") + rule("b", "q", "7", "size <= 0")
    book = make_book(tmp_path, text)
    assert evaluate(book, Table.from_columns(book, {"size": [0.0, 2.0]}), ["q"]).columns["q"].tolist() == [
        7,
        1,
    ]


def test_two_rules_for_one_row_are_an_error_naming_both(tmp_path: Path) -> None:
    book = make_book(
        tmp_path, BOOK + rule("a", "q", "1", "kind_gpu") + rule("b", "q", "2", "kind_gpu or kind_npu")
    )
    fine = evaluate(book, Table.from_columns(book, {"kind": ["npu", "cpu"]}), ["q"]).columns["q"]
    assert fine[0] == 2
    assert math.isnan(fine[1])
    with pytest.raises(DataError) as caught:
        evaluate(book, Table.from_columns(book, {"kind": ["npu", "gpu"]}), ["q"])
    assert "'a'" in caught.value.message
    assert "'b'" in caught.value.message
    assert "row 1" in caught.value.message


def test_ranges_come_from_constants_and_measured_spread(book: RuleBook) -> None:
    rows = [
        {"work": 1000.0, "kind": "gpu"},
        {"work": 1000.0, "kind": "cpu", "measured_rate": 10.0},
        {"kind": "cpu"},
    ]
    table = Table.from_rows(
        book, rows, ranges={"measured_rate": ([math.nan, 8.0, math.nan], [math.nan, 20.0, math.nan])}
    )
    ranges = evaluate_ranges(book, table, ["time_s", "rate"])
    value, low, high = (column.tolist() for column in ranges["time_s"])
    assert (value[:2], low[:2], high[:2]) == ([11, 101], [5.5, 50.5], [23, 128])
    assert all(math.isnan(column[2]) for column in (value, low, high))
    assert ranges["rate"].low[0] == 50
    assert ranges["rate"].high[0] == 200
    found = quantities_of(book, table, ranges, 0)["time_s"]
    assert (found.value, found.low, found.high, found.unit, found.reason) == (11, 5.5, 23, "s", "")
    unknown = quantities_of(book, table, ranges, 2)["time_s"]
    assert unknown.value is None
    assert "work is not known" in unknown.reason


def test_explain_reproduces_the_value_down_to_the_leaves(book: RuleBook) -> None:
    sources = {"work": ("stated", "--work"), "kind": [("probed", "nvml"), ("vendor", "a sheet")]}
    rows = [{"work": 1000.0, "kind": "gpu"}, {"work": 500.0, "kind": "gpu"}]
    table = evaluate(book, Table.from_rows(book, rows, sources=sources))
    steps = {step.quantity: step for step in explain(book, table, 1, "time_s")}
    assert next(iter(steps)) == "time_s"
    assert steps["time_s"].value == table.value("time_s", 1) == 6.0
    assert set(steps["time_s"].inputs) == {"work", "rate", "overhead"}
    work, rate, overhead = (steps[name].value for name in ("work", "rate", "overhead"))
    assert work is not None and rate is not None and overhead is not None
    assert work / rate + overhead == steps["time_s"].value
    assert steps["rate"].rule == "rate-gpu"
    path, _, line = steps["rate"].file.partition(":")
    assert path.endswith("/rules.toml")
    assert BOOK.splitlines()[int(line) - 1] == 'id = "rate-gpu"'
    assert "when kind_gpu" in steps["rate"].expr
    assert (steps["work"].kind, steps["work"].source) == ("stated", "--work")
    assert (steps["kind_gpu"].kind, steps["kind_gpu"].source) == ("vendor", "a sheet")
    assert steps["gpu_rate"].source == "published rows; rows 1 to 3"
    assert steps["measured_rate"].value is None
    assert "rate measured here" in steps["measured_rate"].reason
    for step in steps.values():
        assert set(step.inputs) <= set(steps)


def test_explain_works_on_tables_that_keep_the_wanted_alone(book: RuleBook) -> None:
    table = Table.from_rows(book, [{"work": 1000.0, "kind": "gpu", "price": 1.0}])
    lean = evaluate(book, table, ["cost_usd"], keep_all=False)
    assert "rate" not in lean.columns
    assert explain(book, lean, 0, "cost_usd") == explain(book, table, 0, "cost_usd")


def test_explain_asks_nothing_of_rules_it_does_not_need(tmp_path: Path) -> None:
    book = make_book(tmp_path, BOOK + rule("bad", "bad", "1 / (size / size - 1)"))
    table = Table.from_rows(book, [{"work": 1000.0, "kind": "gpu", "size": 1.0}])
    assert explain(book, table, 0, "time_s")[0].value == 11.0
    with pytest.raises(DataError, match="rule 'bad'"):
        explain(book, table, 0, "bad")


def test_explain_in_a_scenario(book: RuleBook) -> None:
    table = Table.from_rows(book, [{"work": 1000.0, "kind": "gpu"}])
    assert explain(book, table, 0, "time_s", "pessimistic")[0].value == 23.0


def test_curves_interpolate_over_the_logarithm_and_stay_flat_outside(book: RuleBook) -> None:
    points = ((1.0, 0.0), (100.0, 1.0))
    table = Table.from_columns(book, {"work": [0.1, 1.0, 10.0, 100.0, 1e9, math.nan]},
                               curves={"gain": CurveData((points,))})  # fmt: skip
    found = evaluate(book, table, ["curved"]).columns["curved"]
    assert found[:5].tolist() == pytest.approx([0, 0, 1, 2, 2])
    assert math.isnan(found[5])


def test_rows_may_have_curves_of_their_own_or_none(book: RuleBook) -> None:
    data = CurveData((((1.0, 1.0),), ((1.0, 2.0),)), np.array([0, 1, -1]))
    table = Table.from_columns(
        book, {"work": [1.0, 1.0, 1.0]}, curves={"gain": data}, reasons={"gain": "skipped"}
    )
    done = evaluate(book, table, ["curved"])
    assert done.columns["curved"][:2].tolist() == [2.0, 4.0]
    assert why_unknown(book, done, 2, "curved") == "skipped"
    assert done.take([2, 1]).curves["gain"].index is not None
    step = explain(book, done, 1, "curved")[1]
    assert (step.quantity, step.value) == ("gain", 2.0)


def test_staged_evaluation_reuses_and_with_columns_forgets(book: RuleBook) -> None:
    rows = [{"work": 1000.0, "kind": "gpu"}, {"work": 10.0, "kind": "gpu"}]
    first = evaluate(book, Table.from_rows(book, rows), ["rate"])
    assert first.computed == {"rate"}
    second = evaluate(book, first.take(first.columns["work"] > 100), ["time_s"])
    assert second.rows == 1
    assert second.value("time_s") == 11.0
    assert evaluate(book, second, ["time_s"], "pessimistic").value("time_s") == 23.0
    changed = second.with_columns(book, {"work": 2000.0})
    assert changed.computed == frozenset()
    assert evaluate(book, changed, ["time_s"]).value("time_s") == 21.0


def test_an_empty_table_has_empty_answers(book: RuleBook) -> None:
    table = evaluate(book, Table.from_columns(book, {}, rows=0))
    assert table.columns["time_s"].shape == (0,)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "work": st.one_of(st.none(), st.floats(1, 1e9)),
                "kind": st.sampled_from(["gpu", "cpu", "npu", None]),
                "measured_rate": st.one_of(st.none(), st.floats(1, 1e6)),
                "price": st.one_of(st.none(), st.floats(0, 10)),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_many_rows_give_what_each_gives_alone(book: RuleBook, rows: list[dict[str, object]]) -> None:
    together = evaluate(book, Table.from_rows(book, rows))
    ranges = evaluate_ranges(book, Table.from_rows(book, rows))
    for number, row in enumerate(rows):
        alone = evaluate(book, Table.from_rows(book, [row]))
        for name in book.order:
            value = together.value(name, number)
            assert value == alone.value(name)
            steps = explain(book, together, number, name)
            assert steps[0].value == value
            assert bool(steps[0].reason) == (value is None)
            low, high = ranges[name].low[number], ranges[name].high[number]
            assert math.isnan(low) if value is None else low <= value <= high


def test_blocks_do_not_show(book: RuleBook) -> None:
    rows = 2 * BLOCK_ROWS + 7
    work = np.linspace(1, 1e6, rows)
    table = Table.from_columns(book, {"work": work, "kind": "gpu"})
    assert np.array_equal(evaluate(book, table, ["time_s"]).columns["time_s"], work / 100 + 1)
    with pytest.raises(UserError, match=f"row {rows - 1}"):
        evaluate(
            book, Table.from_columns(book, {"work": np.append(work[:-1], np.inf), "kind": "gpu"}), ["time_s"]
        )


def test_cases_hold_and_can_fail(book: RuleBook, tmp_path: Path) -> None:
    assert [str(o) for o in run_cases(book) if not o.ok] == []
    wrong = {
        "expect = 7 }": ("expect = 8 }", "expected 8"),
        "given = { measured_rate = 7 }": ("given = { mesured_rate = 7 }", "measured_rate"),
        "given = { work = 10, rate = 5 }": ("given = { work = 10 }", "not given: rate"),
        '{ kind = "gpu" }': ('{ kind = "cpu" }', "does not hold"),
        'time_s = "2 h"': ('time_s = "2 W"', "is in W, not in s"),
        '{ kind = "gpu", gpu_rate': ('{ kind = "gqu", gpu_rate', "gpu"),
    }
    for old, (new, says) in wrong.items():
        broken = run_cases(make_book(tmp_path, BOOK.replace(old, new, 1)))
        failed = [outcome for outcome in broken if not outcome.ok]
        assert len(failed) == 1
        assert says in str(failed[0])


def test_rows_that_agree_are_told_of_as_any_others(tmp_path: Path) -> None:
    two = rule("a", "q", "1", "kind_gpu") + rule("b", "q", "2", "kind_gpu or kind_npu")
    zero = rule("bad", "bad", "work / (size / size - 1) / work") + rule("none", "none", "0 / (work - work)")
    book = make_book(tmp_path, BOOK + two + zero.replace("work - work", "size / size - 1"))
    table = Table.from_columns(book, {"kind": "gpu", "work": 5.0, "size": 2.0}, rows=4)
    assert evaluate(book, table, ["time_s"]).columns["time_s"].tolist() == [1.05] * 4
    for name, says in (("q", "both give q for row 0"), ("bad", "infinite"), ("none", "no number for row 0")):
        with pytest.raises(DataError, match=says):
            evaluate(book, table, [name])


def test_a_row_among_like_rows_gives_what_it_gives_among_others(book: RuleBook) -> None:
    row = {"work": 1000.0, "kind": "gpu", "price": None, "size": 3.0}
    other = {"work": None, "kind": "cpu", "price": 2.0, "measured_rate": 7.0}
    like = evaluate(book, Table.from_rows(book, [row] * 5))
    mixed = evaluate(book, Table.from_rows(book, [row, other] * 5))
    for name in book.order:
        assert like.value(name, 3) == mixed.value(name, 4)
        assert like.columns[name].shape == (5,)
