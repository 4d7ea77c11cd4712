"""`scan`: the first verdict does not wait for a framework, and what a framework then says refines it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import FakeNvml
from nvml_cases import UUIDS, healthy

from advisor.app import ScanOptions, ScanResult, scan
from advisor.schema import Advice, Status

MODULES = Path(__file__).parent / "fakes/modules"
H100 = {
    "name": "NVIDIA H100 80GB HBM3",
    "uuid": UUIDS[0],
    "pci": "0000:10:00.0",
    "total": 80 * 2**30,
    "free": 79 * 2**30,
    "speed": 9,
    "cc": "9.0",
}


class Listener:
    """Keeps every verdict, with whether torch had been imported by then."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker
        self.verdicts: list[tuple[Advice, bool]] = []
        self.lines: list[str] = []

    def verdict(self, advice: Advice) -> None:
        self.verdicts.append((advice, self.marker.exists()))

    def say(self, text: str) -> None:
        self.lines.append(text)

    def event(self, event: object) -> None:
        raise AssertionError(f"nothing is measured here: {event}")


@pytest.fixture
def scanned(
    fake_nvml: FakeNvml,
    few: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> tuple[Listener, ScanResult]:
    """A scan with an H100 that NVML alone shows, beside a torch that sees the devices of the parameter."""
    fake_nvml.case(healthy(1))
    torch = tmp_path / "modules/torch"
    shutil.copytree(MODULES / "torch", torch)
    (torch / "version.py").write_text(
        "__version__ = '2.9.0+cu128'\ncuda = '12.8'\nhip = None\nxpu = None\n", encoding="utf-8"
    )
    marker = tmp_path / "imported"
    code = (torch / "__init__.py").read_text(encoding="utf-8")
    (torch / "__init__.py").write_text(f"{code}\nopen({str(marker)!r}, 'w').close()\n", encoding="utf-8")
    (tmp_path / "case.json").write_text(json.dumps({"devices": request.param}), encoding="utf-8")
    for name in ("CUDA_VISIBLE_DEVICES", "HWADVISOR_PROBE_PYTHON", "HWADVISOR_PROBE_ASK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FAKE_TORCH", str(tmp_path / "case.json"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    listener = Listener(marker)
    options = ScanOptions(output=tmp_path / "out", formats=("html",), measure=False, workdir=tmp_path)
    return listener, scan(options, listener)


def limits(advice: Advice) -> set[str]:
    """What limits the workloads on the H100; the processors stand in for one that nothing can use."""
    here = [e for e in advice.estimates if e.target.here and e.target.device != "cpu"]
    assert here
    assert all("H100" in e.target.label for e in here)
    return {e.limit for e in here}


@pytest.mark.parametrize("scanned", [[H100]], indirect=True)
def test_first_verdict_comes_before_any_framework_is_imported(scanned: tuple[Listener, ScanResult]) -> None:
    listener, result = scanned
    (first, imported), (second, imported_then) = listener.verdicts
    assert not imported
    assert imported_then
    assert first.machine is not None
    assert second.machine is not None
    torch = next(f for f in first.machine.software.frameworks if f.name == "torch")
    assert torch.version.value == "2.9.0+cu128"
    assert torch.sees.status is Status.not_asked
    assert "not asked yet" in torch.sees.reason
    assert any(e.fits for e in first.estimates if e.target.here)
    assert "framework" not in limits(first)
    assert second.machine.devices[0].framework_name.value == "cuda:0"
    assert result.advice.machine == second.machine
    assert any(e.fits for e in result.advice.estimates if e.target.here)


@pytest.mark.parametrize("scanned", [[]], indirect=True)
def test_device_that_torch_does_not_see_is_no_longer_called_fit(scanned: tuple[Listener, ScanResult]) -> None:
    listener, result = scanned
    (first, _), (second, _) = listener.verdicts
    assert any(e.fits for e in first.estimates if e.target.here)
    for advice in (second, result.advice):
        assert "framework" in limits(advice)
        assert not any(e.fits for e in advice.estimates if e.target.here and e.target.device != "cpu")
    assert any("sees no accelerator" in line and "the driver lists" in line for line in listener.lines)
    stored = json.loads((result.folder / "advice.json").read_text(encoding="utf-8"))
    assert {n["code"] for n in stored["machine"]["notices"]} >= {"framework_sees_nothing"}
