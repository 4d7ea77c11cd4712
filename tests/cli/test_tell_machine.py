"""What the terminal says of a machine's accelerators where none is listed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from conftest import FakeNvml
from rich.console import Console

from advisor.cli import doctor
from advisor.cli.tell_machine import tell_machine, unanswered_probes
from advisor.probe import nvidia
from advisor.schema import Machine, Skipped, Status


def told(machine: Machine) -> str:
    out = io.StringIO()
    tell_machine(machine, Console(file=out, width=200))
    return out.getvalue()


def without(probe: str, status: str) -> Machine:
    return Machine(probed_at="", skipped=(Skipped(probe=probe, status=Status(status), reason="said so"),))


def test_a_hung_driver_without_a_sign_of_hardware_is_not_none_found(
    fake_nvml: FakeNvml, tmp_path: Path
) -> None:
    fake_nvml.case("sys.init ~30")
    (tmp_path / "root").mkdir()
    machine = fake_nvml.machine(deadline_s=1.0, root=tmp_path / "root")
    assert machine.devices == ()
    text = told(machine)
    assert "not known: no answer from nvidia" in text
    assert "none found" not in text


@pytest.mark.parametrize(
    ("probe", "status", "unanswered"),
    [
        ("amd (rocm-smi)", "timeout", "amd"),
        ("nvidia", "failed", "nvidia"),
        ("nvidia", "lib_missing", ""),  # no driver: a machine without a device looks like this
        ("tpu", "absent", ""),
        ("software", "timeout", ""),  # frameworks find no device that the probes did not
    ],
)
def test_which_silence_leaves_accelerators_unknown(probe: str, status: str, unanswered: str) -> None:
    machine = without(probe, status)
    assert unanswered_probes(machine) == unanswered
    assert ("none found" in told(machine)) == (not unanswered)


def test_a_wrong_module_is_told_with_what_to_install_instead() -> None:
    reason = "the module pynvml here (x.py) is another package's, not NVIDIA's: no nvmlInit in it"
    init = {"value": None, "status": "lib_missing", "call": "import pynvml", "reason": reason}
    (entry,) = nvidia.parse({"init": init})["skipped"]
    assert entry["hint"] == "Remove the wrong package named pynvml, then: pip install nvidia-ml-py."
    (entry,) = nvidia.parse({"init": {**init, "reason": "module pynvml: not there"}})["skipped"]
    assert entry["hint"] == "pip install nvidia-ml-py"


@pytest.mark.parametrize(("status", "ok"), [("timeout", False), ("lib_missing", True)])
def test_doctor_calls_accelerators_fine_only_where_it_knows(
    monkeypatch: pytest.MonkeyPatch, status: str, ok: bool
) -> None:
    monkeypatch.setattr("advisor.probe.detect", lambda **_: without("nvidia", status))
    (row,) = [check for check in doctor._drivers() if check.name == "Accelerators"]
    assert row.ok is ok
    assert ("none found" in row.detail) is ok
