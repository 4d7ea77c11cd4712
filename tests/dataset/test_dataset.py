"""Data sets counted: text, records, images, by sample where they are large; what cannot be is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from advisor.dataset import count_dataset, find_tokenizer
from advisor.dataset import text as text_module
from advisor.dataset.text import text_of
from advisor.errors import MissingLibrary, UserError

LINE = "The quick brown fox jumps over the lazy dog. "


def records(path: Path, rows: int, words: int = 1) -> Path:
    """A file of JSON lines with so many rows."""
    path.write_text("".join(json.dumps({"text": LINE * words}) + "\n" for _ in range(rows)), "utf-8")
    return path


def test_text_by_bytes_has_a_range_and_a_source(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(LINE * 1000, "utf-8")
    found = count_dataset(path)
    assert found.unit == "tokens"
    assert found.amount == pytest.approx(len(LINE) * 1000 / 3.94)
    assert found.low == pytest.approx(len(LINE) * 1000 / 4.8)
    assert found.high == pytest.approx(len(LINE) * 1000 / 3.0)
    assert "arXiv:2407.21783" in found.how
    assert any("no tokenizer" in note for note in found.notes)


def test_rows_of_json_lines(tmp_path: Path) -> None:
    found = count_dataset(records(tmp_path / "a.jsonl", 120))
    assert found.rows == 120
    assert found.amount == pytest.approx(120 * len(LINE) / 3.94)


def test_rows_that_are_tokenised_are_counted_exactly(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [
        {"input_ids": list(range(n)), "attention_mask": [1] * n, "labels": [-100] * n} for n in (10, 30, 50)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = count_dataset(path)
    assert (found.amount, found.low, found.high, found.rows) == (90, 90, 90, 3)
    assert found.how == "From all of 1 file. They hold ids of tokens"
    assert found.lengths is not None and found.lengths.lengths == (10, 30, 50)
    assert found.exact and not found.notes
    pairs = {"chosen_input_ids": [1] * 7, "rejected_input_ids": [1] * 5, "prompt": "text that they hold"}
    path.write_text(json.dumps(pairs) + "\n" + json.dumps({"input_ids": [[1, 2], [3, 4, 5]]}) + "\n")
    found = count_dataset(path)
    assert found.amount == 17 and found.lengths is not None and found.lengths.lengths == (5, 5, 7)


def test_ids_beside_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"input_ids": [1, 2, 3]}) + "\n" + json.dumps({"text": LINE}) + "\n")
    with pytest.raises(UserError, match="some rows hold ids of tokens, others text"):
        count_dataset(path)
    path.write_text(json.dumps({"input_ids": ["a", "b"], "text": LINE}) + "\n")
    assert count_dataset(path).amount > 3, "words under that name are none"


def test_other_scripts_are_less_sure(tmp_path: Path) -> None:
    path = tmp_path / "zh.txt"
    path.write_text("今天天气很好。" * 500, "utf-8")
    found = count_dataset(path)
    assert found.high / found.low > 3


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"text": "a", "meta": {"url": "x"}, "other": "b"}, "a"),
        ({"instruction": "a", "input": "", "output": "b", "id": "7"}, "a\nb"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "a\nb"),
        ({"conversations": [{"from": "human", "value": "a"}]}, "a"),
        ({"prompt": "p", "chosen": "a", "rejected": "b"}, "p\na\nb"),
        ("plain", "plain"),
        ({"n": 7}, ""),
    ],
)
def test_text_that_is_trained_on(row: object, text: str) -> None:
    assert text_of(row) == text


def test_a_json_list(tmp_path: Path) -> None:
    path = tmp_path / "alpaca.json"
    path.write_text(json.dumps([{"instruction": LINE, "output": LINE}] * 10), "utf-8")
    found = count_dataset(path)
    assert found.rows == 10
    assert found.amount == pytest.approx(10 * (2 * len(LINE) + 1) / 3.94)


def test_large_files_are_sampled_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "WHOLE", 10_000)
    monkeypatch.setattr(text_module, "BLOCK", 2_000)
    rows = 4000
    path = tmp_path / "a.jsonl"
    lines = (json.dumps({"text": LINE * (1 + at % 5)}) + "\n" for at in range(rows))
    path.write_text("".join(lines), "utf-8")
    found = count_dataset(path)
    true = sum(len(LINE) * (1 + at % 5) for at in range(rows)) / 3.94
    assert "a sample of" in found.how
    assert found.amount == pytest.approx(true, rel=0.05)
    assert found.rows == pytest.approx(rows, rel=0.05)
    whole = 1 - 3.94 / 4.8
    assert 1 - found.low / found.amount > whole, "the sample's error is in the range too"


def test_the_networks_own_tokenizer(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    path = records(tmp_path / "a.jsonl", 50)
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    net = tmp_path / "net"
    net.mkdir()
    (net / "config.json").write_text("{}", "utf-8")
    made.save(str(net / "tokenizer.json"))
    found = count_dataset(path, find_tokenizer(str(net), None))
    assert found.amount == pytest.approx(50 * len(LINE.split()))
    assert found.exact
    (net / "tokenizer.json").write_text("junk", "utf-8")
    again = count_dataset(path, find_tokenizer(str(net), None))
    assert any("cannot be read" in note for note in again.notes)


def test_tokenizer_of_the_hubs_cache(tmp_path: Path) -> None:
    folder = tmp_path / "models--org--net" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", "utf-8")
    assert find_tokenizer("org/net", tmp_path) is None
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    assert find_tokenizer("org/net", tmp_path) == folder / "tokenizer.json"
    assert find_tokenizer(None, tmp_path) is None


def test_a_folder_of_images(tmp_path: Path) -> None:
    for at in range(12):
        folder = tmp_path / f"class{at % 3}"
        folder.mkdir(exist_ok=True)
        (folder / f"{at}.JPG").write_bytes(b"")
    (tmp_path / "labels.csv").write_text("x", "utf-8")
    found = count_dataset(tmp_path)
    assert (found.unit, found.amount, found.exact) == ("images", 12.0, True)
    assert found.notes == ("1 other files are not counted.",)


def test_links_that_go_in_a_circle_are_walked_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text(LINE, "utf-8")
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "gone.txt").symlink_to("nowhere")
    found = count_dataset(tmp_path)
    assert found.amount == pytest.approx(len(LINE) / 3.94)
    assert any("1 could not be read" in note for note in found.notes)


def test_without_pyarrow_the_package_is_named(tmp_path: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        (tmp_path / "a.parquet").write_bytes(b"PAR1")
        with pytest.raises(MissingLibrary) as raised:
            count_dataset(tmp_path / "a.parquet")
        assert "pyarrow" in raised.value.hint


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": [LINE] * 5000}), tmp_path / "a.parquet", row_group_size=500)
    found = count_dataset(tmp_path / "a.parquet")
    assert found.rows == 5000
    assert found.amount == pytest.approx(5000 * len(LINE) / 3.94)
    parquet.write_table(pyarrow.table({"image": [b"x"] * 7}), tmp_path / "i.parquet")
    assert count_dataset(tmp_path / "i.parquet").amount == 7


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"", "holds no text"),
        ("a.txt", b"caf\xe9 au lait", "is not UTF-8 text"),
        ("a.txt", "hello".encode("utf-16"), "is UTF-16 text"),
        ("a.txt", b"\0\1\2\3", "is not text"),
        ("a.jsonl", gzip.compress(b'{"text": "a"}\n', mtime=0), "is packed"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "a"}\n', mtime=0), "is packed"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "line 2: is not valid JSON"),
        ("a.jsonl", b'{"id": "only"}\n', "holds no text"),
        ("a.json", b"[1, 2", "is not valid JSON"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
        ("a.jsonl", b'{"text": "caf\xe9"}\n', "is not UTF-8 text"),
    ],
)
def test_what_cannot_be_counted_names_the_file(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as raised:
        count_dataset(tmp_path / name)
    assert name in raised.value.message
    assert told in raised.value.message
    assert raised.value.hint


def test_lines_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "LONGEST_LINE", 1000)
    with pytest.raises(UserError, match="line 1"):
        count_dataset(records(tmp_path / "a.jsonl", 1, words=100))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        count_dataset(tmp_path / "none")
    (tmp_path / "self").symlink_to("self")
    with pytest.raises(UserError):
        count_dataset(tmp_path / "self")
    with pytest.raises(UserError, match="holds no text"):
        (tmp_path / "empty").mkdir()
        count_dataset(tmp_path / "empty")
