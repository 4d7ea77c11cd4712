"""Operators evaluated: against a plain loop, totals of what is absent or unknown, reasons, traces, cases."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.errors import UserError
from advisor.estimate import Table, evaluate, evaluate_ranges, explain, run_cases, why_unknown
from advisor.rulebook import RuleBook, load_book

BOOK = """
[[column]]
name = "tokens"
unit = "1"
text = "tokens"

[[column]]
name = "width"
unit = "1"
text = "width of the network"

[[column]]
name = "family"
values = ["dense", "moe", "cnn"]
text = "kind of network"

[[constant]]
id = "rate"
value = 100
low = 50
high = 200
better = "high"
unit = "1/s"
source = "a test"

[[op_column]]
name = "op_work"
unit = "1"
text = "work"

[[op_column]]
name = "op_count"
unit = "1"
text = "times"
default = 1

[[operator]]
id = "up"
when = "family_dense or family_moe"
text = "widening product"
source = "s"
gives = { op_work = "tokens * width" }
cases = [{ given = { family = "moe", tokens = 2, width = 3 }, expect = { op_work = 6 } }]

[[operator]]
id = "experts"
when = "family_moe"
text = "experts"
source = "s"
gives = { op_work = "2 * tokens", op_count = "width" }

[[operator]]
id = "head"
when = "not family_cnn"
text = "output layer"
source = "s"
gives = { op_work = "7 * tokens" }

[[op_rule]]
id = "big"
gives = "op_s"
unit = "s"
when = "op_work > 100"
expr = "op_work / rate"
why = "w"
source = "s"
cases = [{ given = { op_work = 200 }, expect = 2 }]

[[op_rule]]
id = "small"
gives = "op_s"
unit = "s"
when = "op_work <= 100"
expr = "100 / rate"
why = "a floor"
source = "s"
cases = [{ given = { op_work = 2 }, expect = 1 }]

[[op_total]]
id = "time"
gives = "time_s"
unit = "s"
of = "op_count * op_s"
why = "one after the other"
source = "s"

[[op_total]]
id = "largest"
gives = "largest"
unit = "1"
of = "op_work"
by = "max"
why = "w"
source = "s"

[[op_total]]
id = "of-experts"
gives = "expert_s"
unit = "s"
of = "op_s"
operators = ["experts"]
none = 0
why = "w"
source = "s"

[[rule]]
id = "rest"
gives = "rest_s"
unit = "s"
expr = "time_s - expert_s"
why = "w"
source = "s"
cases = [{ given = { time_s = 3, expert_s = 1 }, expect = 2 }]
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> RuleBook:
    path = tmp_path_factory.mktemp("book")
    (path / "rules.toml").write_text(BOOK, encoding="utf-8")
    return load_book([path])


def plain(row: dict[str, object], rate: float = 100.0) -> dict[str, float]:
    """The same by hand for one row; NaN is unknown."""
    family, nan = row["family"], math.nan
    tokens, width = (nan if row[name] is None else float(str(row[name])) for name in ("tokens", "width"))
    said = {"up": (tokens * width, 1.0), "experts": (2 * tokens, width), "head": (7 * tokens, 1.0)}
    there = {"dense": ["up", "head"], "moe": ["up", "experts", "head"], "cnn": []}.get(str(family))
    if there is None:
        return {"time_s": nan, "largest": nan, "expert_s": nan}
    seconds = {name: nan if math.isnan(work) else max(work, 100) / rate for name, (work, _) in said.items()}
    works = [said[name][0] for name in there]
    return {
        "time_s": sum(said[name][1] * seconds[name] for name in there) if there else nan,
        "largest": nan if not works or any(map(math.isnan, works)) else max(works),
        "expert_s": seconds["experts"] if "experts" in there else 0.0,
    }


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "tokens": st.one_of(st.none(), st.integers(0, 50)),
            "width": st.one_of(st.none(), st.integers(0, 50)),
            "family": st.sampled_from(["dense", "moe", "cnn", None]),
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(["middle", "pessimistic", "optimistic"]))
def test_totals_are_those_of_a_plain_loop(
    book: RuleBook, rows: list[dict[str, object]], scenario: str
) -> None:
    rate = {"middle": 100.0, "pessimistic": 50.0, "optimistic": 200.0}[scenario]
    table = evaluate(book, Table.from_rows(book, rows), scenario=scenario)
    for number, row in enumerate(rows):
        for name, wanted in plain(row, rate).items():
            found = table.columns[name][number]
            assert found == pytest.approx(wanted, nan_ok=True), (name, row)
            assert bool(why_unknown(book, table, number, name, scenario)) == math.isnan(wanted)


def test_reasons_name_the_operator(book: RuleBook) -> None:
    rows = [
        {"tokens": 5, "width": None, "family": "moe"},
        {"tokens": 5, "width": 2, "family": "cnn"},
        {"tokens": 5, "width": 2, "family": None},
        {"tokens": None, "width": 2, "family": "dense"},
    ]
    table = evaluate(book, Table.from_rows(book, rows, reasons={"width": "config.json has none"}))
    assert why_unknown(book, table, 0, "time_s") == "operator up: config.json has none"
    assert why_unknown(book, table, 1, "time_s") == "no operator that it adds up is there"
    assert "family is not known" in why_unknown(book, table, 2, "rest_s")
    assert why_unknown(book, table, 3, "rest_s") == "operator up: tokens is not known (tokens)"
    assert why_unknown(book, table, 0, "head__op_s") == ""


def test_a_trace_lists_the_operators_that_are_there(book: RuleBook) -> None:
    table = Table.from_rows(book, [{"tokens": 50, "width": 4, "family": "dense"}])
    steps = {step.quantity: step for step in explain(book, table, 0, "time_s")}
    time = steps["time_s"]
    assert time.inputs == ("up__time_s", "head__time_s")
    assert time.value == sum(steps[name].value or math.nan for name in time.inputs) == 2.0 + 3.5
    assert time.expr == "sum over operators of op_count * op_s: head 3.5 s, up 2 s"
    assert steps["head__op_s"].rule == "head/big"
    assert "op_work / rate" in steps["head__op_s"].expr
    assert steps["up__op_count"].expr == "1"
    for step in steps.values():
        assert set(step.inputs) <= set(steps)


def test_only_what_is_wanted_is_evaluated(book: RuleBook) -> None:
    table = Table.from_rows(book, [{"tokens": 50, "width": 4, "family": "moe"}])
    assert evaluate(book, table, ["expert_s"]).computed == {
        "expert_s", "experts__op_s", "experts__op_work", "experts__op_holds",
    }  # fmt: skip


def test_an_operator_that_is_nowhere_is_not_judged(tmp_path: Path) -> None:
    text = BOOK.replace('"2 * tokens"', '"tokens / (width - 4)"')
    (tmp_path / "rules.toml").write_text(text, encoding="utf-8")
    book = load_book([tmp_path])
    table = Table.from_rows(book, [{"tokens": 50, "width": 4, "family": "dense"}])
    assert evaluate(book, table, ["time_s"]).value("time_s") == 5.5


def test_cases_of_operators_and_op_rules_hold_and_can_fail(book: RuleBook, tmp_path: Path) -> None:
    outcomes = run_cases(book)
    assert [str(outcome) for outcome in outcomes if not outcome.ok] == []
    assert {(o.kind, o.rule) for o in outcomes} == {
        ("rule", "rest"), ("op_rule", "big"), ("op_rule", "small"), ("operator", "up"),
    }  # fmt: skip
    wrong = {
        "expect = { op_work = 6 }": ("expect = { op_work = 7 }", "op_work: expected 7"),
        'family = "moe", tokens = 2': ('family = "cnn", tokens = 2', "`when` does not hold"),
        "given = { op_work = 200 }": ("given = { op_wrok = 200 }", "op_work"),
        "given = { op_work = 2 }": ("given = { op_work = 200 }", "`when` does not hold"),
    }
    for old, (new, says) in wrong.items():
        (tmp_path / "rules.toml").write_text(BOOK.replace(old, new, 1), encoding="utf-8")
        (failed,) = (outcome for outcome in run_cases(load_book([tmp_path])) if not outcome.ok)
        assert says in str(failed)


def test_constants_may_differ_by_row_in_every_scenario(book: RuleBook) -> None:
    rows = [{"tokens": 50, "width": 4, "family": "dense"}] * 3
    table = Table.from_rows(book, rows).with_constants({"rate": np.array([100.0, 10.0, 1.0])})
    done = evaluate(book, table, ["time_s"])
    assert done.columns["time_s"].tolist() == [5.5, 55.0, 550.0]
    ranges = evaluate_ranges(book, table, ["time_s"])["time_s"]
    assert ranges.low.tolist() == ranges.high.tolist() == ranges.value.tolist()
    assert evaluate(book, done.take([2]), ["rest_s"]).value("rest_s") == 550.0
    assert done.with_constants({"rate": 50.0}).computed == frozenset()
    assert evaluate(book, done.with_constants({"rate": 50.0})).value("time_s", 1) == 11.0
    step = next(s for s in explain(book, done, 1, "time_s") if s.quantity == "rate")
    assert step.value == 10.0
    assert step.source.startswith("given in place of")


def test_what_does_not_rest_on_a_constant_is_kept_for_the_next_one(book: RuleBook) -> None:
    rows = [{"tokens": 50, "width": 4, "family": "moe"}, {"tokens": 5, "width": 40, "family": "dense"}]
    done = evaluate(book, Table.from_rows(book, rows))
    assert book.resting_on(["rate"]) == {
        *(f"{name}__{what}" for name in ("up", "experts", "head") for what in ("op_s", "time_s")),
        "time_s", "expert_s", "rest_s",
    }  # fmt: skip
    changed = done.with_constants({"rate": [10.0, 20.0]}, book)
    assert changed.computed == done.computed - book.resting_on(["rate"])
    plain = evaluate(book, Table.from_rows(book, rows).with_constants({"rate": [10.0, 20.0]}))
    for name in book.order:
        assert np.array_equal(evaluate(book, changed).columns[name], plain.columns[name], equal_nan=True)


def test_constants_that_are_not_there_or_of_wrong_shape_are_refused(book: RuleBook) -> None:
    table = Table.from_rows(book, [{"tokens": 50}])
    with pytest.raises(UserError) as caught:
        evaluate(book, table.with_constants({"rat": 1.0}))
    assert "rate" in caught.value.hint
    for value in (np.ones(2), np.inf):
        with pytest.raises(UserError):
            table.with_constants({"rate": value})
