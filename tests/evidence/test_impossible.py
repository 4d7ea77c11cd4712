"""Records that cannot be are refused with what contradicts what; what sources round is not."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from few import shipped_knowledge

from advisor.data.accelerator import Accelerator
from advisor.evidence.impossible import beyond_memory, other_params, too_small_batch
from advisor.evidence.inputs import run_of
from advisor.evidence.record import Record, Refusal, record_of
from advisor.evidence.validate import judge

ROW = {
    "id": "a", "vendor": "nvidia", "accelerator": "A100-SXM4-80GB", "num_accelerators": 8,
    "family": "decoder",
    "model": "Llama-2-7B", "seq_len": 4096, "global_batch": 64, "precision": "bf16", "framework": "NeMo",
    "source_date": "2023-07", "tokens_per_s_per_device": 3000.0,
}  # fmt: skip


def read(**told: Any) -> Record | Refusal:
    return record_of(json.dumps({**ROW, **told}), "line 1")


def reason(**told: Any) -> str:
    found = read(**told)
    if isinstance(found, Record):
        run = run_of(found)
        return run.reason if isinstance(run, Refusal) else ""
    return found.reason


@pytest.mark.parametrize(
    ("told", "reason_given"),
    [
        ({"num_accelerators": 1_000_000, "step_time_s": 9.0, "tokens_per_s_per_device": None},
         "less than one sample for each of at least"),
        ({"num_accelerators": 64, "global_batch": 8, "tp": 2, "pp": 1, "cp": 1}, "each of 32 replicas"),
        ({"global_batch": 3, "tp": 1, "pp": 1}, "for each of 8 replicas on 8 devices"),
        ({"global_batch": 3, "sharding": "fsdp"}, "for each of 8 replicas on 8 devices"),
        ({"micro_batch": 3, "dp": 8}, "no whole number of passes of micro_batch = 3 on 8 replicas"),
        ({"peak_mem_gib": 85.0}, "more than the 80 GB"),
        ({"hidden": 4096, "heads": 30}, "heads = 30 do not part hidden = 4096"),
        ({"step_time_s": 1.1e5, "tokens_per_s_per_device": None}, "step_time_s = 110000.0 is outside"),
        ({"tokens_per_s_per_device": 0.1}, "a step of 3.28e+05 s"),
        ({"optimizer": "magic"}, "optimizer 'magic' is none"),
        ({"source_date": "last spring"}, "is no date"),
        ({"source_date": "2023-17"}, "is no date"),
        ({"source_date": "2011-12"}, "before 2012"),
        ({"source_date": "9999-01"}, "in the future"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(told: dict[str, Any], reason_given: str) -> None:
    assert reason_given in reason(**told)


@pytest.mark.parametrize(
    "told",
    [
        {}, {"peak_mem_gib": 80.0},
        {"model": "made up", "layers": 32, "hidden": 4096, "heads": 30, "head_dim": 128},
        {"source_date": "2020-2022"},
        {"source_date": "2025"}, {"source_date": "2025-06-30"}, {"optimizer": "SOAP (precond every step)"},
        {"num_accelerators": 64, "global_batch": 8, "tp": 8},
        {"num_accelerators": 16, "global_batch": 8, "sharding": "zero1"},
    ],
)  # fmt: skip
def test_what_can_be_is_not(told: dict[str, Any]) -> None:
    assert reason(**told) == ""


def test_cores_that_are_counted_otherwise_share_images() -> None:
    values = {"vendor": "google", "num_accelerators": 512, "global_batch": 256, "tp": 1, "pp": 1, "cp": 1}
    assert too_small_batch(values) == ""
    assert "replicas" in too_small_batch({**values, "vendor": "nvidia"})


@pytest.mark.parametrize(
    ("told", "known", "family", "refused"),
    [
        (70e9, 6.74e9, "decoder", True), (6.74e9, 6.74e9, "decoder", False), (7e9, 7.72e9, "decoder", False),
        (2e9, 2.72e9, "decoder", False), (5.9e9, 6.74e9, "decoder", True), (2.72e7, 2.38e7, "cnn", False),
        (3.5e7, 2.38e7, "cnn", True), (None, 6.74e9, "decoder", False), (7e9, math.nan, "decoder", False),
    ],
)  # fmt: skip
def test_a_parameter_count_of_another_network(
    told: float | None, known: float, family: str, refused: bool
) -> None:
    assert bool(other_params(told, known, family, 0.0, "it")) is refused


def test_positions_as_long_as_the_sequence_are_counted_by_some() -> None:
    assert other_params(4.21e8, 3.56e8, "decoder", 65536 * 1024, "mpt-350m") == ""
    assert other_params(4.21e8, 3.56e8, "decoder", 0.0, "mpt-350m")


def test_devices_without_memory_of_their_own_have_no_bound(entry: Accelerator) -> None:
    assert beyond_memory(1e4, replace(entry, memory_bytes=None), 1.0) == ""
    assert beyond_memory(None, entry, 1.0) == ""


@pytest.fixture
def entry() -> Accelerator:
    run = run_of(Record("a", {**ROW}))
    assert not isinstance(run, Refusal)
    return run.entry


def test_validate_tells_of_another_network(tmp_path: Any) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [{**ROW, "id": "wrong", "params": 70e9}, {**ROW, "id": "right", "params": 6.74e9}]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    known = shipped_knowledge()
    judged = {one.id: one for one in judge(known.book, known.published, [file], catalogue=known.catalogue)}
    assert "params = 7e+10 contradict the network named" in judged["wrong"].refused
    assert judged["right"].predicted > 0
