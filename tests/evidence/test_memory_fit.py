"""Constants of memory beside the tensors, fitted on published peaks."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from advisor.data.files import shipped
from advisor.evidence.inputs import Run, run_of
from advisor.evidence.memory_fit import GIB, STATED, fit, peaks_of, spans_without
from advisor.evidence.record import Record, record_of
from advisor.rulebook import RuleBook, load_book


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_book([shipped("rules")])


def run(source: str, batch: int, peak: float = 1.0, kind: str = "reserved", method: str = "lora") -> Run:
    row = {
        "id": f"{source}-{batch}", "source_key": source, "vendor": "nvidia", "accelerator": "A100-SXM4-80GB",
        "num_accelerators": 1, "family": "decoder", "model": "Llama-2-7B", "seq_len": 1024,
        "micro_batch": batch, "recompute": "none", "peak_mem_gib": peak, "memory_kind": kind,
        "source_date": "2025-06", "framework": "torch", "precision": "bf16", "method": method,
    }  # fmt: skip
    record = record_of(json.dumps(row), "line 1")
    assert isinstance(record, Record)
    found = run_of(record)
    assert isinstance(found, Run)
    return found


def test_without_peaks_what_is_stated_stays(book: RuleBook) -> None:
    found = fit(book, [])
    assert found["reserved_factor"][0] == pytest.approx(STATED[0], abs=0.021)
    assert found["reserved_slack"][0] == STATED[1]
    assert found["collective_bytes"][0] == STATED[2]
    assert found["peak_doubt"] == (1.0, 1.0, 1.0)


def test_a_factor_that_the_peaks_have_is_found(book: RuleBook) -> None:
    peaks = peaks_of(book, [run(f"source {at % 3}", at) for at in range(1, 13)])
    exact = [
        dataclasses.replace(peak, measured=peak.live + peak.left + 0.14 * peak.moving + 1.0 * GIB)
        for peak in peaks
    ]
    found = fit(book, exact)
    assert found["reserved_factor"][0] == pytest.approx(1.14, abs=0.03)
    assert found["reserved_slack"][0] == pytest.approx(1.0 * GIB, abs=0.6 * GIB)
    wide = fit(
        book, [dataclasses.replace(p, measured=p.measured * 1.3 ** (i % 3 - 1)) for i, p in enumerate(exact)]
    )
    assert wide["reserved_doubt"][2] > found["reserved_doubt"][2] + 0.1


def test_a_group_with_a_range_of_its_own(book: RuleBook) -> None:
    """4-bit bases scatter, plain adapters do not: the ranges of both go apart, by more the more sources."""
    plain = peaks_of(book, [run(f"plain {at}", at + 1) for at in range(6)])
    packed = peaks_of(book, [run(f"packed {at}", at + 1, method="qlora") for at in range(6)])
    scatter = (0.6, 1.5, 0.7, 1.4, 0.8, 1.3)
    peaks = [
        *(dataclasses.replace(peak, at=at, measured=1.1 * peak.live) for at, peak in enumerate(plain)),
        *(
            dataclasses.replace(peak, at=at + 6, measured=1.1 * peak.live * scatter[at])
            for at, peak in enumerate(packed)
        ),
    ]
    found = fit(book, peaks)
    assert found["reserved_doubt_4bit"][2] > found["reserved_doubt"][2] + 0.1
    assert found["reserved_doubt_4bit"][1] < found["reserved_doubt"][1] - 0.1
    few = fit(book, [*peaks[:6], *peaks[6:8]])
    assert few["reserved_doubt_4bit"][2] < found["reserved_doubt_4bit"][2] + 0.05


def test_a_source_does_not_see_itself(book: RuleBook) -> None:
    names = ["reserved_bytes"]
    one, other = [run("one", at) for at in (1, 2, 4)], [run("other", at) for at in (1, 2, 4)]
    plain = spans_without(book, one, other, names, "source")["reserved_bytes"]
    strange = [run("one", at, peak=60.0) for at in (1, 2, 4)]
    again = spans_without(book, strange, other, names, "source")["reserved_bytes"]
    assert np.array_equal(plain.value, again.value)
    assert np.array_equal(plain.high, again.high)
    moved = spans_without(book, one, [run("other", at, peak=60.0) for at in (1, 2, 4)], names, "source")
    assert not np.array_equal(plain.value, moved["reserved_bytes"].value)


def test_peaks_of_processes_are_no_gpus(book: RuleBook) -> None:
    assert peaks_of(book, [run("one", 1, kind="process")]) == []
