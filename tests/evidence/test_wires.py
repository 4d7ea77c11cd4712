"""Texts on interconnects as published runs have them."""

import pytest

from advisor.evidence.wires import devices_of_server, network_of_instance, network_of_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NVLink4 in node, 4x Omni-Path links per node", 4 * 12.5e9 / 8),
        ("1600 Gbps node-node (RoCE)", 25e9),
        ("150 GB/s in node, 800 Gb/s between nodes of 8", 12.5e9),
        ("NVLink 4; InfiniBand 8x50 GB/s per node", 50e9),
        ("8x 200 Gbps HDR InfiniBand (Selene)", 25e9),
        ("400 Gbps", 6.25e9),
        ("4 GPUs per node, 2x 100G", 6.25e9),
        ("24x 100Gb/s Ethernet", None),
        ("NVLINK Gen4 900 GB/s + NVSWITCH Gen3", None),
        ("", None),
    ],
)
def test_network_of_text(text: str, expected: float | None) -> None:
    assert network_of_text(text) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("A100-40GB (AWS p4d)", 6.25e9),  # 4 adapters of 100 Gb/s for eight devices
        ("H100 (aws p5en.48xlarge)", 50e9),
        ("V100 (AWS p3dn)", 1.5625e9),
        ("A100-40GB", None),
        ("P4 (Tesla P4d)", None),  # not said to be AWS's
        ("A100 (AWS)", None),
    ],
)
def test_network_of_instance(name: str, expected: float | None) -> None:
    assert network_of_instance(name) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("4 GPUs per node NVLink; Omni-Path between nodes (Jean Zay)", ""), 4.0),
        (("2 nodes x 4 GPUs, NVLink in node, Omni-Path",), 4.0),
        (("", "README.md, 7B LoRA 2 node(s) x 2, length 256"), 2.0),
        (("NVLink", "a table of 8 GPUs"), None),
    ],
)
def test_devices_of_server(texts: tuple[str, ...], expected: float | None) -> None:
    assert devices_of_server(*texts) == expected
