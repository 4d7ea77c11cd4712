"""Rows that a written reason is about."""

import pytest

from advisor.evidence.record import Record
from advisor.evidence.rows import Rows


def _record(**fields: object) -> Record:
    return Record("some-id", {"source_key": "some/source", **fields})


def test_rows_are_those_of_which_all_that_is_named_agrees() -> None:
    binned = Rows.of({"framework": "DLE", "model": "BERT", "seq_len": 512, "reason": "binned"})
    assert binned.hold(_record(framework="PyTorch DLE", model="BERT-large", seq_len=512.0))
    assert not binned.hold(_record(framework="PyTorch DLE", model="BERT-large", seq_len=128.0))
    assert not binned.hold(_record(framework="NeMo", model="BERT-large", seq_len=512.0))


def test_rows_by_notes_alone() -> None:
    doubtful = Rows.of({"notes": "SUSPECT", "reason": "marked"})
    assert doubtful.hold(_record(notes="SUSPECT: below its own states"))
    assert not doubtful.hold(_record(notes="as printed"))


def test_an_entry_about_all_rows_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="names none of"):
        Rows.of({"pattern": "SUSPECT", "reason": "marked"})
