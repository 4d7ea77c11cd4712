"""Presets against the real modules of the transformers library, where it is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
pytest.importorskip(
    "transformers",
    reason="transformers is not installed: tools/check_param_counts.py needs it to build the modules",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "key", ["gpt2-124m", "gemma-3-1b", "deepseek-v2-lite", "gpt-oss-20b", "t5-base", "vit-b-32"]
)
def test_the_module_has_the_count_of_the_preset(key: str) -> None:
    tool = REPO / "tools" / "check_param_counts.py"
    done = subprocess.run(
        [sys.executable, str(tool), "--only", key], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert key in done.stdout
