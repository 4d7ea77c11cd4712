"""Processors that --hardware names: one device of all sockets, trained on with a wide range."""

from __future__ import annotations

import pytest

from advisor.app_estimate import EstimateOptions, run_estimate
from advisor.app_options import WorkloadFlags
from advisor.data.catalogue import load_catalogue
from advisor.data.processors import load_sockets
from advisor.errors import UserError
from advisor.schema import Estimate
from advisor.search.sockets import find_sockets


def estimated(hardware: str, **flags: object) -> Estimate:
    found = WorkloadFlags(model="bert-base", tokens=1e7, **flags)  # type: ignore[arg-type]
    return run_estimate(EstimateOptions(workload=found, hardware=hardware)).one.estimate


def test_a_socket_is_estimated_with_a_wide_range() -> None:
    found = estimated("1 x cpu-amd-epyc-9654")
    step = found.quantities["optimizer_step_s"]
    assert step.value and step.low and step.high and step.high / step.low > 3
    assert found.target.label == "1 x cpu-amd-epyc-9654"
    assert found.fits is None and "does not come with its processors" in found.why


def test_two_sockets_are_one_device_twice_as_fast() -> None:
    one, two = (estimated(f"{n} x cpu-intel-platinum-8480-plus") for n in (1, 2))
    assert (one.target.devices, two.target.devices) == (1, 1)
    slow, fast = (each.quantities["time_s"].value or 0 for each in (one, two))
    assert 1.5 < slow / fast <= 2.05


def test_columns_give_the_peak_of_the_sockets_file() -> None:
    """Cores x clock x operations of the word for the vector unit, as rules/time/precision.toml has them."""
    operations = {"neon": 16, "avx2": 32, "avx512": 64, "amx": 64}
    known = {key: each for key, each in load_sockets().items() if each.simd}
    assert len(known) > 30
    for key, each in known.items():
        cores, clock = each.entry.compute_units, each.clock_hz
        assert cores and clock and each.simd
        assert each.entry.peaks["fp32"] == pytest.approx(cores * clock * operations[each.simd]), key


def test_one_without_a_sourced_peak_says_so() -> None:
    time = estimated("cpu-intel-i9-12900k").quantities["time_s"]
    assert time.value is None
    assert "two kinds" in time.reason


def test_names_and_refusals() -> None:
    catalogue = load_catalogue()
    named = find_sockets(catalogue, "2 x AMD EPYC 7742")
    assert named is not None
    assert named.target.label == "2 x cpu-amd-epyc-7742"
    assert named.inputs.values["host_cores"] == 128
    assert find_sockets(catalogue, "2 x nothing-like-that") is None
    with pytest.raises(UserError, match="within one server"):
        find_sockets(catalogue, "4 x 2 x cpu-amd-epyc-9654")
    with pytest.raises(UserError, match="estimates training"):
        estimated("cpu-amd-epyc-9654", method="inference")
