"""Degrees of parallelism against devices: what cannot be is named, what is not told is open."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from advisor.evidence.inputs import Run, run_of
from advisor.evidence.layout import batch_problem, devices_problem
from advisor.evidence.record import Record, Refusal, record_of


@pytest.mark.parametrize(
    ("degrees", "devices", "words"),
    [
        ({"dp": 4, "tp": 2, "pp": 2}, 16, ""),
        ({"dp": 4, "tp": 2, "pp": 2}, 8, "dp x tp x pp x cp = 16, the row has 8 devices"),
        ({"dp": 1, "tp": 2}, 16, "dp x tp x pp x cp = 2, the row has 16 devices"),
        ({"tp": 8, "pp": 4}, 16, "its layout needs 32 devices, the row has 16"),
        ({"tp": 3}, 16, "tp x pp x cp = 3 does not part its 16 devices"),
        ({"tp": 2, "cp": 2}, 16, ""),
        ({"ep": 64, "pp": 8}, 256, "ep = 64 does not part the 32 devices of a pipeline stage"),
        ({"ep": 8, "tp": 4}, 16, ""),
        ({"dp": None, "tp": None}, 3, ""),
    ],
)
def test_degrees_and_devices(degrees: dict[str, Any], devices: float, words: str) -> None:
    assert devices_problem(degrees, devices) == words


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"global_batch": 128, "micro_batch": 3}, False), ({"global_batch": 128, "micro_batch": 4}, True),
        ({"global_batch": 128, "micro_batch": 4, "dp": 3}, False),
        ({"global_batch": 128, "micro_batch": 4, "dp": 8}, True),
        ({"global_batch": 128, "micro_batch": 32, "tp": 1, "pp": 1}, False),
        ({"global_batch": 128, "micro_batch": 32, "tp": 2}, True),
        ({"global_batch": 8, "micro_batch": 32}, False), ({"global_batch": 128, "micro_batch": 0.5}, True),
        ({"global_batch": 65536, "micro_batch": 126, "dp": 32}, True),
        ({"global_batch": 128}, True), ({"micro_batch": 3}, True),
    ],
)  # fmt: skip
def test_batch_and_micro_batch(values: dict[str, float], parts: bool) -> None:
    assert (batch_problem(values, 8.0) == "") is parts


def of(**more: Any) -> Run | Refusal:
    row = {
        "id": "one", "vendor": "amd", "accelerator": "MI250X", "num_accelerators": 4, "family": "decoder",
        "model": "made up", "layers": 32, "hidden": 4096, "heads": 32, "seq_len": 2048, "global_batch": 64,
        "precision": "bf16", "step_time_s": 4.0, **more,
    }  # fmt: skip
    found = record_of(json.dumps(row), "line 1")
    assert isinstance(found, Record)
    return run_of(found)


def test_packages_and_their_dies_are_both_devices() -> None:
    """Four MI250X are eight devices to a framework; a source may count either."""
    for dp, tp in ((1, 8), (1, 4), (2, 4), (4, 1)):
        assert isinstance(of(dp=dp, tp=tp), Run), (dp, tp)
    refused = of(dp=3, tp=4)
    assert isinstance(refused, Refusal)
    assert "needs" in refused.reason or "dp x tp" in refused.reason


def test_chips_and_cores_of_others_are_not_held_to_it() -> None:
    found = of(vendor="google", accelerator="TPU v4", dp=8, tp=2)
    assert isinstance(found, Run)
    assert "tp" not in found.inputs.values


def test_servers_of_fewer_devices_than_usual_are_read(
    record: Callable[..., Record], row: dict[str, Any]
) -> None:
    told = run_of(record(**{**row, "interconnect": "4 GPUs per node NVLink; Omni-Path between nodes"}))
    usual = run_of(record(**row))
    assert isinstance(told, Run) and isinstance(usual, Run)
    assert told.inputs.values["hw_domain_devices"] == 4.0
    assert usual.inputs.values["hw_domain_devices"] == 8.0
