"""Lengths of rows: equal shares of them, and how much of sequences they fill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor.dataset import count_dataset
from advisor.dataset.counted import Sums
from advisor.dataset.rows import Rows, parted
from advisor.dataset.text import texts_of

BYTES = 3.94  # of an English token, rules/evidence/tokens.toml


def rows_of(*lengths: float) -> Rows:
    return Rows(float(len(lengths)), tuple(sorted(lengths)), max(lengths), 0.5, 2.0)


def test_shares_keep_the_mean() -> None:
    few = parted([(1.0, [30, 10, 20])])
    assert few == pytest.approx((10.0, 20.0, 30.0))
    weighed = parted([(3.0, [10]), (1.0, [50])])
    assert sum(weighed) / len(weighed) == pytest.approx((3 * 10 + 50) / 4)
    many = list(range(1000))
    assert sum(parted([(1.0, many)])) / 200 == pytest.approx(sum(many) / 1000)
    assert parted([(1.0, [])]) == ()


def test_rows_fill_a_share_and_longer_ones_are_cut() -> None:
    rows = rows_of(50, 100, 400)
    assert rows.filled(200)[0] == pytest.approx((50 + 100 + 200) / 3 / 200)
    assert rows.longer(200) == pytest.approx(1 / 3)
    value, low, high = rows.filled(200)
    assert low == pytest.approx((25 + 50 + 200) / 3 / 200)
    assert high == pytest.approx((100 + 200 + 200) / 3 / 200)
    assert low < value < high


def test_rows_of_one_pass_are_as_long_as_the_longest() -> None:
    rows = rows_of(10, 30)
    pairs = [max(a, b) for a in (10, 30) for b in (10, 30)]
    assert rows.filled(100, 2)[0] == pytest.approx(sum(pairs) / 4 / 100)


def test_lengths_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    texts = ["a" * size for size in (100, 200, 600)]
    path.write_text("".join(json.dumps({"text": one}) + "\n" for one in [*texts, ""]), "utf-8")
    found = count_dataset(path)
    assert found.rows == 4
    assert found.lengths is not None
    assert found.lengths.texts == 3, "a row without text is not trained on"
    assert found.lengths.lengths == pytest.approx([size / BYTES for size in (100, 200, 600)])
    assert found.lengths.longest == pytest.approx(600 / BYTES)
    assert found.lengths.low == pytest.approx(found.low / found.amount)
    assert found.lengths.high == pytest.approx(found.high / found.amount)


def test_plain_text_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("word " * 100, "utf-8")
    found = count_dataset(path)
    assert found.lengths is not None and not found.lengths.lengths
    assert found.lengths.high == pytest.approx(found.high / found.amount)


def test_a_pair_of_answers_is_two_texts_behind_their_prompt(tmp_path: Path) -> None:
    pair = {"prompt": "p", "chosen": "yes", "rejected": "no"}
    assert texts_of(pair) == ["p\nyes", "p\nno"]
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(pair) + "\n", "utf-8")
    found = count_dataset(path)
    assert found.rows == 1 and found.lengths is not None and found.lengths.texts == 2
    assert found.amount == pytest.approx((5 + 4) / BYTES)


def test_kept_lengths_are_drawn_from_all() -> None:
    sums = Sums(most=400)
    for size in range(1, 2001):
        sums.add_row(["a" * size])
    assert len(sums.lengths) == 400 and sums.texts == 2000
    assert sum(sums.lengths) / 400 == pytest.approx(1000, rel=0.1)
