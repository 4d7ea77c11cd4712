"""The vendor probes through `detect`, each in its child: what one does wrong costs the others nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from test_software import FAST, Lab
from vendor_fakes import npu_smi, path_with, pci, tool, tree

from advisor.probe import detect

CARD = {
    "sys/class/drm/card1/device/vendor": "0x1002\n",
    "sys/class/drm/card1/device/device": "0x74a1\n",
    "sys/class/drm/card1/device/uevent": "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:05:00.0\n",
    "sys/class/drm/card1/device/mem_info_vram_total": "205822885888\n",
}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    made = Lab(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.delenv("HWADVISOR_PROBE_ASK")
    return made


def test_several_vendors_and_a_framework_at_once(lab: Lab) -> None:
    npu_smi(lab.tmp / "bin", "910c")
    files = {"dev/davinci0": "", **CARD, **pci("0000:00:04.0", "0880", "1ae0", "0063")}
    lab.torch({"devices": [FAST]})
    kept: list[dict] = []
    found = detect(root=tree(lab.root, files), keep_raw=kept.append)
    vendors = [device.vendor for device in found.devices]
    # the NVIDIA device is known to torch alone: no NVML here, as on a Jetson
    assert {v: vendors.count(v) for v in vendors} == {"huawei": 4, "amd": 1, "google": 1, "nvidia": 1}
    assert [d.uuid for d in found.software.frameworks[0].sees.value or ()] == [FAST["uuid"]]
    again = detect(replay=json.loads(json.dumps(kept[0])))
    assert again.devices == found.devices
    assert again.software == found.software


def test_the_python_and_the_wish_not_to_ask_reach_the_probe(lab: Lab) -> None:
    lab.torch({"devices": [FAST]})
    tree(lab.root, pci("0000:65:00.0", "0302", "10de", "2331"))
    broken = tool(lab.tmp / "bin", "nopython", "exit 3\n")
    found = detect(root=lab.root, python=str(broken), ask_frameworks=False)
    assert found.software.environment == str(broken)
    assert "software" in [entry.probe for entry in found.skipped]
    found = detect(root=lab.root, ask_frameworks=False)
    assert found.software.frameworks[0].sees.status == "not_asked"


@pytest.mark.slow
def test_a_hung_tool_costs_its_deadline_and_nothing_else(lab: Lab) -> None:
    tool(lab.tmp / "bin", "npu-smi", "exec sleep 60\n")
    root = tree(lab.root, {**CARD, **pci("0000:c1:00.0", "1200", "19e5", "d802")})
    started = time.monotonic()
    found = detect(root=root, ask_frameworks=False)
    assert time.monotonic() - started < 6.5
    by_vendor = {device.vendor: device for device in found.devices}
    assert by_vendor["amd"].memory_total_bytes.value == 205822885888
    assert by_vendor["huawei"].pci_id.value == "19e5:d802"
    assert ("ascend", "timeout") in [(entry.probe, entry.status) for entry in found.skipped]
