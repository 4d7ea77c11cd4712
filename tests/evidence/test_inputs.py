"""Records as columns: what is left out, and why."""

from advisor.evidence.inputs import Exclusion
from advisor.evidence.record import Record


def _record(**fields: object) -> Record:
    return Record("some-id", {"source_key": "some/source", **fields})


def test_an_exclusion_holds_where_all_that_it_names_agrees() -> None:
    binned = Exclusion.of(
        {
            "framework": "DLE",
            "model": "BERT",
            "seq_len": 512,
            "quantities": ["step_time_s"],
            "reason": "binned",
        }
    )
    assert binned.holds(_record(framework="PyTorch DLE", model="BERT-large", seq_len=512.0))
    assert not binned.holds(_record(framework="PyTorch DLE", model="BERT-large", seq_len=128.0))
    assert not binned.holds(_record(framework="NeMo", model="BERT-large", seq_len=512.0))


def test_an_exclusion_by_notes_alone() -> None:
    doubtful = Exclusion.of({"pattern": "SUSPECT", "quantities": ["peak_mem_gib"], "reason": "marked"})
    assert doubtful.holds(_record(notes="SUSPECT: below its own states"))
    assert not doubtful.holds(_record(notes="as printed"))
