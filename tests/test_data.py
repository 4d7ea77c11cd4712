"""What ships as data: evidence rows, their mapping, and constants that say what they rest on."""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from advisor.data.catalogue import load_catalogue
from advisor.data.files import shipped
from advisor.data.resolve import evidence_entries
from advisor.evidence.fit import Fitter, predict, problem_of
from advisor.evidence.inputs import shipped_evidence
from advisor.evidence.table import read_evidence
from advisor.published import FILE, load_published
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


def test_fitted_constants_say_what_was_believed_and_stay_near_it() -> None:
    fitted = [c for c in load_book([RULES]).constants.values() if c.fit == "time"]
    assert len(fitted) > 100
    for constant in fitted:
        assert constant.prior > 0 and constant.prior_spread > 0, constant.id
        moved = abs(math.log(constant.value / constant.prior)) / constant.prior_spread
        assert moved < 6, (constant.id, "is farther from what was believed than data should move it")


def test_residuals_are_of_shipped_runs() -> None:
    published = load_published(RULES / FILE)
    ids = {
        json.loads(line)["id"]
        for path in (RULES / "evidence").glob("*.jsonl")
        for line in path.read_text("utf-8").splitlines()
    }
    assert len(published.ids) > 1500 and set(published.ids) <= ids
    assert abs(float(np.median(published.neighbours.residuals))) < 0.05, "the rules are right in the middle"


def test_every_generation_of_the_catalogue_is_known_to_the_rules() -> None:
    column = load_book([RULES]).columns["generation"]
    assert {entry.generation for entry in load_catalogue().accelerators.values()} <= set(column.values)


def test_no_file_speaks_of_where_it_was_made() -> None:
    repo = Path(__file__).resolve().parent.parent
    place = repo.parent if repo.parent != Path(repo.anchor) else repo
    here = re.compile(r"(?<!\w)" + re.escape(f"{place}/"))
    for path in RULES.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8")
            assert not here.search(text) and "/home/" not in text, path


@pytest.mark.slow
def test_constants_are_where_the_fit_ends() -> None:
    book = load_book([RULES])
    evidence = read_evidence(book, shipped_evidence())
    asked = [one for one in evidence.asked if one.quantity == "step_time_s"]
    runs = [evidence.runs[one.row] for one in asked]
    table = evidence.table.take([one.row for one in asked])
    problem = problem_of(book, table, runs, np.array([one.measured for one in asked]))
    shipped_values = np.log([book.constants[name].value for name in problem.names])
    known = np.flatnonzero(np.isfinite(predict(problem, shipped_values)))
    again = Fitter(problem).fit(known, start=shipped_values, steps=2)
    off = np.abs(again - shipped_values) / problem.spread
    assert off.max() < 0.5, problem.names[int(off.argmax())]
