"""The file of published runs: what is written is read again, and anything else is an error that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.data.files import shipped
from advisor.errors import DataError
from advisor.neighbours import SIZES, WORDS, Kernel, encode, widened
from advisor.published import FILE, UNLIKE, load_published, save_published, with_kin

COLUMNS: dict[str, Any] = {
    "words": {name: ["a", "b", "a"] for name in WORDS} | {"family": ["cnn", "decoder", "cnn"]},
    "sizes": np.arange(3.0 * len(SIZES)).reshape(3, -1) / 7,
    "residuals": np.array([0.1, -0.2, 0.3]),
    "noise": np.array([0.01, 0.02, 0.03]),
    "measured_s": np.array([1.0, 2.0, 123.456789]),
    "ids": ["one", "two", "drei é"],
    "sources": ["s", "s", "t"],
    "labels": ["A", "B", "C"],
    "rules": "digest",
}


def saved(tmp_path: Path, **more: Any) -> Path:
    path = tmp_path / "residuals.json"
    save_published(path, **{"kernel": Kernel(fine=0.5, widen_by={"family cnn": 2.0}), **COLUMNS, **more})
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    found = load_published(saved(tmp_path))
    assert found.ids == ("one", "two", "drei é")
    assert found.families == ("cnn", "decoder", "cnn")
    assert found.neighbours.kernel == Kernel(fine=0.5, widen_by={"family cnn": 2.0})
    assert found.neighbours.residuals == pytest.approx(COLUMNS["residuals"])
    assert found.measured_s == pytest.approx(COLUMNS["measured_s"], rel=5e-5)  # five digits
    assert found.rules == "digest"
    told = found.tell(COLUMNS["words"], COLUMNS["sizes"])
    direct = found.neighbours.tell(found.neighbours.features)
    assert told.correction == pytest.approx(direct.correction, abs=1e-6)  # five digits of the sizes


def test_writing_it_again_changes_nothing(tmp_path: Path) -> None:
    first = saved(tmp_path).read_bytes()
    assert saved(tmp_path).read_bytes() == first


def test_what_no_published_run_is_like_is_less_sure(tmp_path: Path) -> None:
    """Generation a ran image networks alone, b transformers alone; one device of each ran."""
    found = load_published(saved(tmp_path))
    words = {name: [values[0]] * 5 for name, values in COLUMNS["words"].items()}
    asked = {
        **words, "generation": ["a", "a", "a", "a", "c"], "family": ["cnn", "cnn", "stated", "moe", "cnn"],
        "device": ["a", "new", "new", "a", "new"],
    }  # fmt: skip
    unlike = ["", "device", "family", "kind", "generation"]
    assert found.unlike(asked) == unlike
    told = found.tell(asked, np.repeat(COLUMNS["sizes"][:1], 5, axis=0))
    plain = found.neighbours.tell(encode(asked, np.repeat(COLUMNS["sizes"][:1], 5, axis=0), found.known))
    bare = widened(found.neighbours.kernel, plain.deviation, asked)
    assert told.deviation == pytest.approx(np.hypot(bare, [UNLIKE[word] for word in unlike]))
    assert [UNLIKE[word] for word in unlike] == sorted(UNLIKE.values())


def test_devices_of_a_generation_without_runs_are_less_sure(tmp_path: Path) -> None:
    found = load_published(saved(tmp_path))
    words = {name: [values[0]] * 2 for name, values in COLUMNS["words"].items()}
    told = found.tell(
        {**words, "generation": ["a", "next year's"]}, np.repeat(COLUMNS["sizes"][:1], 2, axis=0)
    )
    assert told.deviation[1] > 0.4 > told.deviation[0]


def test_a_file_of_no_runs_says_nothing(tmp_path: Path) -> None:
    empty = {
        **{name: [] for name in ("ids", "sources", "labels")},
        **{name: np.zeros(0) for name in ("residuals", "noise", "measured_s")},
        "sizes": np.zeros((0, len(SIZES))),
        "words": {name: [] for name in WORDS},
    }
    found = load_published(saved(tmp_path, **empty))
    assert found.tell(COLUMNS["words"], COLUMNS["sizes"]).correction.tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ["kernel", "ids", "words", "sizes", "residuals", "noise", "measured_s"])
@pytest.mark.parametrize("value", [None, 7, "text", [1], {"program": ["a"]}])
def test_a_broken_column_is_an_error_that_names_the_file(tmp_path: Path, name: str, value: object) -> None:
    path = saved(tmp_path)
    raw = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**raw, name: value}), "utf-8")
    with pytest.raises(DataError, match=r"residuals\.json.*residuals"):
        load_published(path)


@given(text=st.text(max_size=60))
@settings(max_examples=60)
def test_any_text_is_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "residuals.json"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match="residuals"):
        load_published(path)


def test_the_shipped_file_is_whole() -> None:
    found = load_published(shipped("rules") / FILE)
    count = len(found.ids)
    assert count > 2000
    assert len(set(found.ids)) == count
    assert {len(found.sources), len(found.labels), len(found.families), len(found.measured_s)} == {count}
    assert np.isfinite(found.neighbours.residuals).all()
    assert (found.neighbours.noise > 0).all()
    assert (found.measured_s > 0).all()
    assert "none" not in set(found.families)


def test_nothing_is_of_later_than_the_last_run_on_such_devices(tmp_path: Path) -> None:
    """Generation a ran until 2021, b until 2024; who says no date is of 2026."""
    era = SIZES.index("era")
    sizes = COLUMNS["sizes"].copy()
    sizes[:, era] = (1.0, 4.0, 0.5)
    words = COLUMNS["words"] | {"generation": ["a", "b", "a"], "program": ["x", "x", "y"]}
    found = load_published(saved(tmp_path, sizes=sizes, words=words))
    asked = {name: [values[0]] * 4 for name, values in words.items()} | {
        "generation": ["a", "b", "never seen", "a"], "program": ["nobody's"] * 4,
    }  # fmt: skip
    today = np.repeat(sizes[:1], 4, axis=0)
    today[:, era] = (6.0, 6.0, 6.0, 0.0)
    kept = encode(asked, today, found.known)
    dated = found.dated(with_kin(kept, asked["program"]))
    unit = kept.sizes[0, era] / 6.0
    assert dated.sizes[:, era] / unit == pytest.approx([1.0, 4.0, 6.0, 0.0], abs=1e-4)
    assert np.delete(dated.sizes, era, axis=1) == pytest.approx(np.delete(kept.sizes, era, axis=1))
