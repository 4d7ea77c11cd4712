"""TPUs and accelerators nobody here has a probe for: PCI ids, environment, device nodes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vendor_fakes import asked, machine, pci, tree

from advisor.probe import other, tpu


def test_v5e_chips_beside_googles_network_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPU_ACCELERATOR_TYPE", "v5litepod-8")
    monkeypatch.setenv("TPU_WORKER_ID", "0")
    files = {**pci("0000:00:04.0", "0880", "1ae0", "0063"), **pci("0000:00:05.0", "0880", "1ae0", "0063")}
    files |= pci("0000:00:06.0", "0200", "1ae0", "0042")  # gVNIC
    files |= {"dev/accel0": "", "dev/accel1": ""}
    raw, found = asked(tpu, tree(tmp_path, files))
    assert [d.name.value for d in found.devices] == ["Google TPU v5e"] * 2
    assert [d.memory_total_bytes.status for d in found.devices] == ["not_asked"] * 2
    assert [n.code for n in found.notices] == ["tpu_slice"]
    assert raw["nodes"] == ["/dev/accel0", "/dev/accel1"]


def test_chips_without_device_nodes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPU_ACCELERATOR_TYPE", raising=False)
    _, found = asked(tpu, tree(tmp_path, pci("0000:00:04.0", "0880", "1ae0", "006f")))
    assert [s.status for s in found.skipped] == ["no_permission"]


def test_no_network_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the probe opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setenv("TPU_ACCELERATOR_TYPE", "v4-8")
    _, found = asked(tpu, tree(tmp_path, pci("0000:00:04.0", "0880", "1ae0", "005e")))
    assert found.devices[0].architecture.value == "TPU v4"


def test_present(tmp_path: Path) -> None:
    assert tpu.present(tmp_path) == ""
    assert tpu.present(tree(tmp_path, pci("0000:00:06.0", "0200", "1ae0", "0042"))) == ""


def test_unknown_accelerators_are_listed_by_their_ids_alone(tmp_path: Path) -> None:
    files = {
        **pci("0000:01:00.0", "1200", "cabc", "0370"),  # Cambricon, by class
        **pci("0000:02:00.0", "0300", "1ed5", "0222"),  # Moore Threads, a display controller
        **pci("0000:03:00.0", "1200", "1e52", "b140"),  # some accelerator of an unlisted vendor
        **pci("0000:04:00.0", "0300", "1a03", "2000"),  # a server's ASPEED display: no accelerator
        **pci("0000:05:00.0", "0302", "10de", "2330"),  # NVIDIA has its own probe
        **pci("0000:06:00.0", "0600", "1d94", "1450"),  # a Hygon host bridge
    }
    assert other.present(tree(tmp_path, files)) == "PCI 0000:01:00.0"
    _, found = asked(other, tmp_path)
    assert [(d.vendor, d.pci_id.value) for d in found.devices] == [
        ("cambricon", "cabc:0370"),
        ("moore threads", "1ed5:0222"),
        ("unknown", "1e52:b140"),
    ]
    assert all(d.name.value is None and d.memory_total_bytes.value is None for d in found.devices)
    assert len(found.skipped) == 3


SCALAR = st.none() | st.booleans() | st.integers() | st.text(max_size=20)


@given(
    st.lists(st.dictionaries(st.sampled_from(["address", "vendor", "device", "class"]), SCALAR), max_size=3)
)
def test_no_row_crashes_the_parsers(rows: list) -> None:
    machine(tpu.parse({"pci": rows}))
    machine(other.parse({"pci": rows}))
