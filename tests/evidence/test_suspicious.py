"""Speeds beyond a device's peak are told as suspicious, with how far beyond; others are judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from few import shipped_knowledge

from advisor.evidence.validate import Judged, judge

KNOWN = shipped_knowledge()
ROW: dict[str, Any] = {
    "id": "one", "vendor": "nvidia", "accelerator": "A100-SXM4-80GB", "num_accelerators": 8,
    "family": "decoder", "model": "made up", "layers": 32, "hidden": 4096, "heads": 32, "kv_heads": 8,
    "ffn_hidden": 14336, "vocab": 32000, "seq_len": 2048, "global_batch": 64, "precision": "bf16",
}  # fmt: skip


def judged(tmp_path: Path, **more: Any) -> dict[str, Judged]:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**ROW, **more}), encoding="utf-8")
    return {one.quantity: one for one in judge(KNOWN.book, KNOWN.published, [path])}


# 6 N tokens of 7.2 B weights and 131,072 tokens are 5.7e15 FLOPs, 2.3 s at the peak of eight A100
@pytest.mark.parametrize(("seconds", "beyond"), [(4.0, False), (2.7, False), (2.4, True), (0.01, True)])
def test_a_step_shorter_than_at_the_peak(tmp_path: Path, seconds: float, beyond: bool) -> None:
    found = judged(tmp_path, step_time_s=seconds, peak_mem_gib=60.0)
    assert ("suspicious: its speed would be" in found["step_time_s"].refused) == beyond
    assert found["peak_mem_gib"].refused == ""


def test_a_rate_without_a_batch(tmp_path: Path) -> None:
    rates = {"global_batch": None, "tokens_per_s_per_device": 3000.0}
    assert judged(tmp_path, **rates)["step_time_s"].refused == ""
    told = judged(tmp_path, **{**rates, "tokens_per_s_per_device": 30_000.0})["step_time_s"].refused
    assert "times the dense peak of NVIDIA A100 SXM4 80GB" in told


def test_printed_flops_beyond_the_peak(tmp_path: Path) -> None:
    assert judged(tmp_path, step_time_s=4.0, tflops_per_device=320.0)["step_time_s"].refused == ""
    told = judged(tmp_path, step_time_s=4.0, tflops_per_device=624.0)["step_time_s"].refused
    assert told.startswith("suspicious: the row's TFLOP/s are 2 times")


def test_what_has_no_peak_is_not_called_suspicious(tmp_path: Path) -> None:
    found = judged(tmp_path, step_time_s=0.01, vendor="cerebras", accelerator="CS-3", num_accelerators=1)
    assert "suspicious" not in found["step_time_s"].refused
