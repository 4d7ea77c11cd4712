"""Texts on interconnects as published runs have them."""

import pytest

from advisor.evidence.wires import network_of_text


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
