"""What offloading asks of the hosts: told beside "fits", for each server."""

from __future__ import annotations

import pytest

from advisor.app_estimate import EstimateOptions, run_estimate
from advisor.app_options import WorkloadFlags
from advisor.schema import Estimate
from advisor.search.grid import Stated
from advisor.search.words import devices_of_server, host_sentence
from advisor.units import show


def estimated(offload: str, hardware: str = "8 x nvidia-a100-sxm4-40gb") -> Estimate:
    flags = WorkloadFlags(model="llama-3-8b", method="full", tokens=1e8)
    stated = Stated(offload=offload, sharding="fsdp", micro_batch=1, stack="torch")
    return run_estimate(EstimateOptions(workload=flags, hardware=hardware, stated=stated)).one.estimate


def test_states_and_gradients_stand_in_the_host() -> None:
    """12 bytes of each weight beside the 4 that the device keeps (arXiv:1910.02054: 16), and half more."""
    found = estimated("optimizer")
    params, each = found.quantities["params"].value or 0, found.quantities["host_bytes"].value or 0
    assert each * 8 == pytest.approx(1.5 * 12 * params, rel=0.01)
    assert found.why.startswith(f"Fits, if each server of 8 has {show(each * 8, 'B')} for what is offloaded")


def test_offloaded_weights_come_on_top_and_none_says_nothing() -> None:
    states, weights, none = (
        estimated(word).quantities["host_bytes"].value or 0 for word in ("optimizer", "params", "none")
    )
    assert weights > states > none == 0
    assert "server" not in estimated("none").why


def test_devices_of_a_server() -> None:
    assert devices_of_server(4, 1.0) == 4
    assert devices_of_server(64, 16.0) == 16
    assert devices_of_server(64, 72.0) == devices_of_server(64, 1.0) == devices_of_server(64, None) == 8
    assert host_sentence(0.0, 8.0) == ""


def test_a_quantised_base_stands_in_the_host_as_it_is_packed() -> None:
    """70 billion weights of 4 bit with their constants, half more for buffers: not four times as much."""
    flags = WorkloadFlags(model="llama-2-70b", method="qlora", tokens=1e7, seq_len=2048)
    stated = Stated(offload="params", sharding="fsdp", micro_batch=1, recompute="full", stack="torch")
    asked = EstimateOptions(workload=flags, hardware="2 x nvidia-rtx-4090-24gb", stated=stated)
    found = run_estimate(asked).one.estimate
    params, each = found.quantities["params"].value or 0, found.quantities["host_bytes"].value or 0
    assert 1.5 * 0.5 * params < each * 2 < 1.5 * 0.62 * params
