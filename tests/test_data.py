"""What ships as data: evidence rows, their mapping, and constants that say what they rest on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from advisor.data.catalogue import load_catalogue
from advisor.data.files import shipped
from advisor.data.resolve import evidence_entries
from advisor.rulebook import load_book

RULES = shipped("rules")


def test_evidence_rows_are_whole_and_unique() -> None:
    ids: set[str] = set()
    for path in sorted((RULES / "evidence").glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            assert row["source"] and row["source_key"] and row["publisher"] and row["vendor"], row["id"]
            assert row["id"] not in ids
            ids.add(row["id"])
    assert len(ids) > 2500


def test_evidence_devices_map_to_catalogue_entries() -> None:
    known = tomllib.loads((RULES / "evidence" / "map.toml").read_text("utf-8"))
    entries = evidence_entries()
    assert {one for _, ids in known["devices"] for one in ids} <= set(entries)


def test_workloads_are_the_nine_of_reference_and_name_their_sources() -> None:
    workloads = load_catalogue().workloads
    assert len(workloads) == 9
    assert all(workload.recipe.source and workload.deadline_days for workload in workloads)
    images = next(w for w in workloads if w.id == "resnet50-imagenet").recipe.samples
    assert images == 90 * 1281167
    assert next(w for w in workloads if w.id == "bert-base-sentiment").recipe.samples == 3 * 67349


def test_fitted_constants_name_their_runs_and_have_a_range() -> None:
    constants = load_book([RULES]).constants
    shares = [c for c in constants.values() if c.id.startswith("share_") and not c.id.endswith("_cpu")]
    assert len(shares) >= 40
    for constant in shares:
        assert "run" in constant.fitted_from, constant.id
        assert 0 < constant.low < constant.value < constant.high < 1, constant.id


def test_every_generation_of_the_catalogue_is_known_to_the_rules() -> None:
    column = load_book([RULES]).columns["generation"]
    assert {entry.generation for entry in load_catalogue().accelerators.values()} <= set(column.values)


def test_no_file_speaks_of_where_it_was_made() -> None:
    for path in RULES.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8")
            assert "/work/" not in text and "/home/" not in text, path


@pytest.mark.slow
def test_fitted_constants_are_what_the_tool_writes(tmp_path: Path) -> None:
    out = tmp_path / "fitted.toml"
    repo = Path(__file__).resolve().parent.parent
    subprocess.run(
        [sys.executable, str(repo / "tools" / "fit_first_constants.py"), "--out", str(out)],
        cwd=repo,
        env={**os.environ, "PYTHONPATH": str(repo)},
        check=True,
        capture_output=True,
        timeout=120,
    )
    fresh = {item["id"]: item for item in tomllib.loads(out.read_text("utf-8"))["constant"]}
    kept = tomllib.loads((RULES / "constants" / "fitted.toml").read_text("utf-8"))["constant"]
    assert fresh.keys() == {item["id"] for item in kept}
    for item in kept:
        assert fresh[item["id"]]["value"] == pytest.approx(item["value"], rel=0.01), item["id"]
        assert fresh[item["id"]].get("fitted_from") == item.get("fitted_from")
