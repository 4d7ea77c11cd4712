"""The printed list of accelerators is the catalogue's, and nothing without a peak goes without a reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from advisor.data.catalogue import load_catalogue

REPO = Path(__file__).resolve().parents[2]


def test_the_printed_list_is_what_the_tool_writes(tmp_path: Path) -> None:
    fresh = tmp_path / "accelerators.md"
    subprocess.run(
        [sys.executable, str(REPO / "tools" / "list_accelerators.py"), "--out", str(fresh)],
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        check=True,
        timeout=60,
    )
    printed = (REPO / "docs" / "accelerators.md").read_text("utf-8")
    assert printed == fresh.read_text("utf-8"), "run: PYTHONPATH=. python tools/list_accelerators.py"


def test_what_is_left_out_has_a_reason_and_no_entry() -> None:
    printed = (REPO / "docs" / "accelerators.md").read_text("utf-8")
    left = [line for line in printed.split("## Left out")[1].splitlines() if line.startswith("- ")]
    assert left
    for line in left:
        key, _, reason = line[2:].partition(": ")
        assert key.strip("`") not in load_catalogue().accelerators
        assert len(reason) > 10, key


def test_an_entry_without_a_16_bit_peak_says_why() -> None:
    silent = [
        entry.id
        for entry in load_catalogue().accelerators.values()
        if not (entry.peaks.get("bf16") or entry.peaks.get("fp16")) and not entry.notes
    ]
    assert silent == []


def test_vendors_and_generations_that_the_catalogue_must_hold() -> None:
    entries = load_catalogue().accelerators.values()
    held = {entry.generation for entry in entries}
    assert held >= {
        "nvidia_kepler", "nvidia_maxwell", "nvidia_pascal", "nvidia_volta", "nvidia_turing", "nvidia_ampere",
        "nvidia_ada", "nvidia_hopper", "nvidia_blackwell", "amd_gcn", "amd_cdna", "amd_cdna3", "amd_cdna4",
        "amd_rdna", "intel_gaudi", "intel_xe", "huawei_910", "huawei_910b", "google_tpu", "aws_trainium",
        "apple_gpu", "cerebras_wse", "graphcore_ipu", "cambricon_mlu", "hygon_dcu", "moore_threads_musa",
        "metax_maca", "biren_br", "iluvatar_corex",
    }  # fmt: skip
    assert len(entries) >= 143
