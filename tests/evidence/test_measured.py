"""What a record measured: rates of all forms as the time of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from advisor.evidence.measured import measured_of, unused_of
from advisor.evidence.record import Record

SET_UP = {"num_accelerators": 8, "global_batch": 64, "seq_len": 2048}


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({**SET_UP, "step_time_s": 4.0}, 4.0),
        ({**SET_UP, "samples_per_s_per_device": 2.0}, 4.0),  # 64 / (2 x 8)
        ({**SET_UP, "tokens_per_s_per_device": 4096.0}, 4.0),
        # the printed time of a step goes before what follows from rates
        ({**SET_UP, "step_time_s": 4.0, "samples_per_s_per_device": 2.1}, 4.0),
        # without the batch: seconds of one sample on one device
        ({"num_accelerators": 8, "seq_len": 2048, "tokens_per_s_per_device": 4096.0}, 0.5),
        ({"num_accelerators": 8, "samples_per_s_per_device": 2.0}, 0.5),
        ({"global_batch": 64, "samples_per_s_per_device": 2.0}, 0.5),
        ({**SET_UP, "seq_len": None, "tokens_per_s_per_device": 4096.0}, None),
        ({**SET_UP, "tflops_per_device": 100.0, "mfu": 0.4}, None),
        (SET_UP, None),
        # a step of unknown size, and what else the row may tell
        ({"num_accelerators": 8, "step_time_s": 4.0}, None),
        ({"num_accelerators": 8, "step_time_s": 4.0, "samples_per_s_per_device": 2.0}, 0.5),
    ],
)
def test_time_of_a_step(record: Callable[..., Record], fields: dict[str, Any], seconds: float | None) -> None:
    found = measured_of(record(**fields)).get("step_time_s")
    assert found == (seconds if seconds is None else pytest.approx(seconds, rel=1e-12))


def test_other_quantities(record: Callable[..., Record]) -> None:
    found = measured_of(record(peak_mem_gib=70.5, fits=False, total_time_h=12))
    assert found == {"peak_mem_gib": 70.5, "fits": 0.0, "total_time_h": 12.0}
    assert measured_of(record(fits=True)) == {"fits": 1.0}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({**SET_UP, "step_time_s": 1.0}, ""),
        ({"tokens_per_s_per_device": 100.0}, "no sequence length"),
        ({"tokens_per_s_per_device": 100.0, "peak_mem_gib": 10.0}, "no sequence length"),
        ({"mfu": 0.4}, "FLOP/s"),
        ({"tflops_per_device": 100.0, "peak_mem_gib": 10.0}, ""),  # it has something to be asked about
        ({"total_tokens": 1e12}, "no measured time"),
        ({"step_time_s": 1.0, "peak_mem_gib": 10.0}, "how many samples"),
    ],
)
def test_why_a_record_has_no_time_of_a_step(
    record: Callable[..., Record], fields: dict[str, Any], words: str
) -> None:
    one = record(**fields)
    found = unused_of(one, measured_of(one))
    assert words in found
    assert bool(found) == bool(words)
