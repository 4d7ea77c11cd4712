"""docs/calibration.md lists every warning and every bench."""

from __future__ import annotations

import re
from pathlib import Path

from advisor.calibrate import WARNINGS
from advisor.calibrate.plan import bench_names

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "calibration.md").read_text(encoding="utf-8")


def test_the_list_of_warnings_is_the_closed_list():
    listed = re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Warnings")[2], re.MULTILINE)
    assert listed == list(WARNINGS)


def test_every_bench_is_defined():
    told = PAGE.partition("## What is measured")[2].partition("## Warnings")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE)) == bench_names() | {"train_rate"}
