"""Interfaces and RDMA ports of a recorded node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import ask, plant, value

from advisor.probe import network
from advisor.schema import Machine


@pytest.fixture
def node(tmp_path: Path) -> dict[str, Any]:
    return ask(network, plant("infiniband", tmp_path))[0]["network"]


def test_interfaces(node: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in value(node["interfaces"])}
    assert {name: row["kind"] for name, row in rows.items()} == {
        "ibs1": "infiniband",
        "ens6f0": "ethernet",
        "ens6f1": "ethernet",
        "wlp1s0": "wifi",
        "bond0": "virtual",
        "docker0": "bridge",
        "veth1a2b": "virtual",
        "lo": "loopback",
    }
    speeds = {name: value(row["speed_bits_per_s"]) for name, row in rows.items()}
    assert speeds["ibs1"] == 400e9
    assert speeds["ens6f0"] == 100e9
    assert speeds["bond0"] == 200e9
    assert speeds["ens6f1"] is None and "down" in rows["ens6f1"]["speed_bits_per_s"]["reason"]
    assert speeds["veth1a2b"] is None  # 10 Gbit/s that its driver makes up
    assert (rows["ibs1"]["pci_address"], rows["ibs1"]["driver"]) == ("0000:18:00.0", "mlx5_core")
    assert rows["bond0"]["pci_address"] == ""


def test_rdma_ports(node: dict[str, Any]) -> None:
    rows = {row["device"]: row for row in value(node["rdma_ports"])}
    assert value(rows["mlx5_0"]["rate_bits_per_s"]) == 400e9
    assert (rows["mlx5_0"]["link_layer"], rows["mlx5_0"]["state"]) == ("InfiniBand", "ACTIVE")
    assert (rows["mlx5_4"]["link_layer"], value(rows["mlx5_4"]["rate_bits_per_s"])) == ("Ethernet", 100e9)
    assert value(rows["mlx5_5"]["rate_bits_per_s"]) is None
    assert "2.5 Gb/sec" in rows["mlx5_5"]["rate_bits_per_s"]["reason"]


def test_a_machine_without_adapters_says_absent(tmp_path: Path) -> None:
    (tmp_path / "sys/class/net").mkdir(parents=True)
    facts = ask(network, tmp_path)[0]["network"]
    assert facts["rdma_ports"]["status"] == "absent"
    assert facts["interfaces"]["status"] == "absent"
    assert network.present(tmp_path) == network.NET
    assert network.present(tmp_path / "nowhere") == ""


@pytest.mark.parametrize(
    "speed", ["-1", "0", "65535", "4294967295", "fast", {"status": "not_supported", "reason": "x"}]
)
def test_unknown_speeds_are_not_figures(speed: Any) -> None:
    row = {
        "name": "eth0",
        "type": "1",
        "state": "up",
        "virtual": False,
        "marks": [],
        "place": "",
    }
    part = network.parse({"interfaces": [row], "speed eth0": {"speed": speed}})
    assert value(part["network"]["interfaces"]["value"][0]["speed_bits_per_s"]) is None


@given(st.dictionaries(st.sampled_from(["state", "rate", "link_layer"]), st.text(max_size=30)))
def test_no_port_breaks_the_parser(said: dict[str, str]) -> None:
    part = network.parse({"rdma_ports": [["x", "1"]], "port x 1": said})
    Machine.model_validate({"probed_at": "x", **part})


def test_a_port_whose_driver_hangs_costs_its_own_figures(tmp_path: Path) -> None:
    hung = "/sys/class/infiniband/mlx5_0: port 1"
    facts = ask(network, plant("infiniband", tmp_path), hung)[0]["network"]
    rows = {row["device"]: row for row in value(facts["rdma_ports"])}
    assert rows["mlx5_0"]["rate_bits_per_s"]["status"] == "timeout"
    assert value(rows["mlx5_4"]["rate_bits_per_s"]) == 100e9
    assert len(value(facts["interfaces"])) == 8
