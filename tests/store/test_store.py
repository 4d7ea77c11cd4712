"""What is kept for the next process: the same as read afresh, never stale, never somebody else's."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor import app_knowledge, store
from advisor.app_estimate import EstimateOptions, run_estimate
from advisor.app_knowledge import Knowledge, load_knowledge
from advisor.app_options import WorkloadFlags
from advisor.data.files import shipped
from advisor.estimate import SCENARIOS
from advisor.store import place
from advisor.store.codec import Entries, line_of, value_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kept where files have owners")


@pytest.fixture(scope="module")
def fresh() -> Knowledge:
    """Read from the shipped files, whatever is kept."""
    return app_knowledge._read((shipped("rules"),))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place to keep things in."""
    monkeypatch.setenv("HWADVISOR_STORE", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def kept(fresh: Knowledge, folder: Path) -> tuple[str, Path]:
    """A key and the file that holds what is known under it."""
    key = "0123456789abcdef" * 4
    assert store.save(key, store.Known(fresh.book, fresh.catalogue, fresh.published))
    (path,) = folder.iterdir()
    return key, path


def told(value: Any) -> Any:
    """Everything a value says, NaN equal to NaN, functions left aside."""
    if isinstance(value, Mapping):
        return {key: told(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: told(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [told(one) for one in value]
    return callable(value) or repr(value)


@pytest.mark.parametrize("part", ["book", "catalogue", "published"])
def test_all_that_is_shipped_comes_back_as_it_was(
    fresh: Knowledge, kept: tuple[str, Path], part: str
) -> None:
    known = store.load(kept[0])
    assert known is not None
    before, after = told(getattr(fresh, part)), told(getattr(known, part))
    assert before.keys() == after.keys()
    for name in before:
        assert after[name] == before[name], name


def test_an_estimate_is_the_same_from_either(
    fresh: Knowledge, kept: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = store.load(kept[0])
    assert known is not None
    options = EstimateOptions(WorkloadFlags(model="gpt2-124m"), "nvidia-rtx-4090-24gb", traced=True)
    both = []
    for knowledge in (fresh, Knowledge(known.book, known.catalogue, fresh.folders, known.published)):
        monkeypatch.setattr("advisor.app_estimate.load_knowledge", lambda _, it=knowledge: it)
        both.append(run_estimate(options).advice.model_copy(update={"created_at": ""}))
    assert both[0] == both[1]


def test_constants_are_at_hand_as_arrays_in_each_scenario(fresh: Knowledge, kept: tuple[str, Path]) -> None:
    known = store.load(kept[0])
    assert known is not None
    for name, constant in fresh.book.constants.items():
        for scenario in SCENARIOS:
            value = known.book.remembered[name, scenario]
            assert value.shape == ()
            np.testing.assert_equal(value.item(), constant.at(scenario))


def test_a_rule_stands_once(kept: tuple[str, Path]) -> None:
    known = store.load(kept[0])
    assert known is not None
    rule = next(iter(known.book.rules.values()))
    assert any(rule is one for one in known.book.quantities[rule.gives].rules)


def test_the_second_command_reads_what_the_first_one_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_knowledge()
    monkeypatch.setattr(app_knowledge, "_read", lambda _: pytest.fail("read afresh"))
    assert load_knowledge().book.digest == first.book.digest
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("change", ["content", "name", "one more", "one less", "residuals"])
def test_any_change_of_a_file_makes_another_key(tmp_path: Path, change: str) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "models").mkdir()
    residuals, one = tmp_path / "evidence" / "residuals.json", tmp_path / "models" / "one.toml"
    residuals.write_text("{}")
    one.write_text("a = 1")
    before = store.key_of(tmp_path)
    assert store.key_of(tmp_path) == before
    if change == "content":
        times = one.stat()
        one.write_text("a = 2")
        os.utime(one, ns=(times.st_atime_ns, times.st_mtime_ns))  # not even by the clock
    elif change == "name":
        one.rename(one.with_name("two.toml"))
    elif change == "one more":
        (tmp_path / "new.toml").write_text("")
    elif change == "one less":
        one.unlink()
    else:
        residuals.write_text("[]")
    assert store.key_of(tmp_path) != before


def test_a_change_of_the_code_that_reads_makes_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    from advisor.store import knowledge

    before = store.key_of(shipped("rules"))
    real = knowledge._content
    monkeypatch.setattr(
        knowledge, "_content", lambda path: real(path) + (b"#" if path.endswith("grammar.py") else b"")
    )
    assert store.key_of(shipped("rules")) != before


@pytest.mark.parametrize("how", ["cut", "a byte", "another key", "empty", "gone", "a folder"])
def test_what_is_not_whole_is_not_read(kept: tuple[str, Path], how: str) -> None:
    key, path = kept
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[:-1])
    elif how == "a byte":
        path.write_bytes(content[:-2] + b"x" + content[-1:])
    elif how == "another key":
        key = key[:32] + "0" * 32
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
        if how == "a folder":
            path.mkdir()
    assert store.load(key) is None


@pytest.mark.parametrize("how", ["file", "folder", "owner", "link", "folder is a link"])
def test_what_others_could_have_written_is_not_read(
    kept: tuple[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    key, path = kept
    assert store.load(key) is not None
    if how == "file":
        path.chmod(0o622)
    elif how == "folder":
        folder.chmod(0o777)
    elif how == "owner":
        mine = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    elif how == "link":
        path.rename(path.with_name("elsewhere"))
        path.symlink_to("elsewhere")
    else:
        folder.rename(folder.with_name("elsewhere"))
        folder.symlink_to("elsewhere")
    assert store.load(key) is None
    if how in ("folder", "owner", "folder is a link"):
        assert not place.write("knowledge-x", b"x")


def test_without_a_place_everything_is_read_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for stated in ("0", str(tmp_path / "file" / "below")):
        (tmp_path / "file").write_text("")  # no folder can be made below a file: as in a read-only home
        monkeypatch.setenv("HWADVISOR_STORE", stated)
        assert load_knowledge().catalogue.accelerators
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_users_own_rules_are_neither_kept_nor_mixed_in(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "own.toml").write_text(
        '[[constant]]\nid = "gpus_of_mine"\nvalue = 3\nunit = "1"\nsource = "counted"\ntext = "mine"\n'
    )
    assert "gpus_of_mine" in load_knowledge((own,)).book.constants
    assert not folder.exists()
    assert "gpus_of_mine" not in load_knowledge().book.constants


def test_only_the_newest_files_are_kept(folder: Path) -> None:
    for number in range(7):
        assert place.write(f"knowledge-{number}", b"x")
        os.utime(folder / f"knowledge-{number}", (number, number))
    assert {path.name for path in folder.iterdir()} == {f"knowledge-{number}" for number in (3, 4, 5, 6)}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_type_nobody_foresaw_is_an_error_when_it_is_kept() -> None:
    for odd in ({1, 2}, object(), np.float64(1.0), {1: "a key that is no text"}):
        with pytest.raises(TypeError):
            line_of(odd)
    assert value_of(line_of({"a": (1, [2.5, None], "x")})) == {"a": (1, [2.5, None], "x")}


def test_entries_are_read_when_asked_for_and_once() -> None:
    read: list[str] = []
    entries = Entries({"a": "1", "b": "2"}, lambda line: read.append(line) or int(line))
    assert (len(entries), "b" in entries, "c" in entries, list(entries)) == (2, True, False, ["a", "b"])
    assert not read
    assert entries["b"] + entries["b"] == 4
    assert read == ["2"]
    with pytest.raises(KeyError):
        entries["c"]
