"""Records of networks that were traced: they say what the network is, and are leaned on like others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from few import shipped_knowledge

from advisor.errors import UserError
from advisor.evidence.own import join_own
from advisor.evidence.record import Record, Refusal, record_of
from advisor.model.traced import KINDS
from advisor.schema import Model
from advisor.trial.record import network_fields

KNOWN = shipped_knowledge()
ZEROS = [f"traced_{kind}_{part}" for kind in KINDS[1:] for part in ("flops", "back")]
MODEL = Model(
    id="net.py:build",
    title="net.py:build",
    family="traced",
    numbers={
        **dict.fromkeys(ZEROS, 0.0), "stated_params": 1e9, "stated_trainable": 1e9,
        "traced_matrix_flops": 2e12, "traced_matrix_back": 2.0, "traced_matrix_rows": 1024.0,
        "traced_matrix_columns": 2048.0, "traced_matrix_depth": 2048.0, "traced_matrix_count": 100.0,
        "traced_matrix_bytes": 1e9, "traced_matrix_weights": 2e9, "traced_matrix_params": 1e9,
        "traced_attention_count": 0.0, "traced_moved": 1e9, "traced_moved_fixed": 0.0,
        "traced_moved_back": 1.5, "traced_operators": 300.0, "native_seq_len": 1024.0,
    },
)  # fmt: skip
RUN = {
    "id": "own-1", "source_date": "2026-10", "vendor": "nvidia", "accelerator": "H100-SXM5-80GB",
    "num_accelerators": 1, "framework": "PyTorch 2.6", "precision": "bf16_mixed", "method": "full",
    "optimizer": "adamw", "seq_len": 1024, "global_batch": 8, "micro_batch": 8, "sharding": "none",
    "recompute": "none", "step_time_s": 0.6,
}  # fmt: skip


def test_a_record_of_code_has_the_numbers_of_its_trace() -> None:
    fields = network_fields(MODEL)
    assert fields["family"] == "traced" and fields["traced"]["traced_matrix_flops"] == 2e12
    assert "traced" not in network_fields(KNOWN.catalogue.models["llama-3-8b"])
    found = record_of(json.dumps(RUN | fields), "line 1")
    assert isinstance(found, Record) and found.values["traced"] == MODEL.numbers


def test_it_is_leaned_on(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(RUN | network_fields(MODEL)) + "\n", "utf-8")
    joined = join_own(KNOWN.book, KNOWN.published, path, KNOWN.catalogue, pilot=True)
    assert [run.id for run in joined.runs] == ["own-1"]
    assert joined.runs[0].rules_s > 0 and joined.runs[0].measured_s == 0.6


def test_without_its_numbers_it_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(RUN | {"family": "traced", "model": "net.py:build"}) + "\n", "utf-8")
    with pytest.raises(UserError, match="family 'traced' needs the numbers of the trace"):
        join_own(KNOWN.book, KNOWN.published, path, KNOWN.catalogue)


@pytest.mark.parametrize(
    "wrong",
    [
        7, ["traced_x"], {"hidden": 4}, {"traced_x": "4"}, {"traced_x": True}, {"traced_x": 1e30},
        {"traced_x": float("nan")}, {f"traced_{at}": 1 for at in range(201)}, {"traced_x y": 1},
    ],
)  # fmt: skip
def test_what_is_no_trace_is_refused(wrong: Any) -> None:
    found = record_of(json.dumps(RUN | {"family": "traced", "traced": wrong}), "line 1")
    assert isinstance(found, Refusal) and "traced" in found.reason
