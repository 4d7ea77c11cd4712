"""Constants refitted without a part, with the derivatives of the whole fit, against a fit from scratch."""

from __future__ import annotations

import numpy as np
import pytest

from advisor.data.files import shipped
from advisor.evidence.fit import Fitter, Problem, predict, problem_of
from advisor.evidence.inputs import shipped_evidence
from advisor.evidence.table import read_evidence
from advisor.rulebook import load_book

SOURCES = ("mosaicml/llm-foundry", "NVIDIA/NeMo", "InternLM/InternLM", "mindspore-lab/mindformers")


@pytest.fixture(scope="module")
def problem() -> Problem:
    book = load_book([shipped("rules")])
    evidence = read_evidence(book, shipped_evidence(), keep=lambda record: record.source in SOURCES)
    asked = [one for one in evidence.asked if one.quantity == "step_time_s"]
    runs = [evidence.runs[one.row] for one in asked]
    table = evidence.table.take([one.row for one in asked])
    return problem_of(book, table, runs, np.array([one.measured for one in asked]))


def test_it_is_where_a_fit_from_scratch_ends(problem: Problem) -> None:
    every = np.arange(len(problem.runs))
    fitter = Fitter(problem)
    whole = fitter.fit(every)
    slope = fitter.derivatives(whole, predict(problem, whole), every)
    part = np.array([row for row in every if problem.sources[row] == "NVIDIA/NeMo"])
    kept = np.setdiff1d(every, part)
    quick = predict(problem, fitter.without(part, whole, slope, every), part)
    scratch = predict(problem, fitter.fit(kept), part)
    assert np.abs(quick - scratch).max() < 0.05, "the two disagree on the left-out part by over 5 %"
    seen = predict(problem, whole, part)
    assert np.abs(seen - scratch).max() > np.abs(quick - scratch).max(), "leaving out has changed nothing"
