"""Software: fake frameworks in a child of a real Python, in every mood they have."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vendor_fakes import MODULES, asked, machine, pci, tool, tree

from advisor.errors import UserError
from advisor.probe import nvidia, software, software_ask, software_seen
from advisor.schema import Framework, Machine

GIB = 2**30
SLOW = {  # an older card in the first slot
    "name": "Tesla V100-PCIE-16GB",
    "uuid": "GPU-aaaaaaaa-1111-2222-3333-444444444444",
    "pci": "0000:17:00.0",
    "total": 16 * GIB,
    "free": 15 * GIB,
    "speed": 1,
    "cc": "7.0",
}
FAST = {
    "name": "NVIDIA H100 PCIe",
    "uuid": "GPU-bbbbbbbb-1111-2222-3333-444444444444",
    "pci": "0000:65:00.0",
    "total": 80 * GIB,
    "free": 79 * GIB,
    "speed": 9,
    "cc": "9.0",
}
RADEON = {
    "name": "AMD Instinct MI300X",
    "uuid": "GPU-dc91284879207f2b",
    "pci": "0000:05:00.0",
    "total": 192 * GIB,
    "free": 191 * GIB,
    "cc": "9.4",
    "gcn": "gfx942:sramecc+:xnack-",
}


class Lab:
    """A machine with a GPU on its bus and fake frameworks first on its Python's path."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.modules, self.root, self.tmp, self.patch = tmp_path / "m", tmp_path / "r", tmp_path, monkeypatch
        self.modules.mkdir()
        self.root.mkdir()
        for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HWADVISOR_PROBE_PYTHON", "FAKE_TF"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PYTHONPATH", str(self.modules))
        monkeypatch.setenv("HWADVISOR_PROBE_ASK", "1")

    def add(self, *names: str) -> None:
        for name in names:
            shutil.copytree(MODULES / name, self.modules / name)

    def torch(self, case: dict[str, Any], **build: str | None) -> None:
        """A torch that sees `case`; build: version, cuda, hip, xpu."""
        self.add("torch")
        given = {"version": "2.9.0+cu128", "cuda": "12.8", "hip": None, "xpu": None, **build}
        lines = ["from typing import Optional", f"__version__ = {given.pop('version')!r}"]
        lines += [f"{key}: Optional[str] = {value!r}" for key, value in given.items()]
        (self.modules / "torch/version.py").write_text("\n".join(lines) + "\n")
        (self.tmp / "case.json").write_text(json.dumps(case))
        self.patch.setenv("FAKE_TORCH", str(self.tmp / "case.json"))

    def ask(self) -> Machine:
        return asked(software, self.root)[1]

    def framework(self, name: str = "torch") -> Framework:
        return next(f for f in self.ask().software.frameworks if f.name == name)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path, monkeypatch)


def codes(found: Machine) -> list[str]:
    return [notice.code for notice in found.notices]


# --- order and visibility -------------------------------------------------------------------------------


def test_devices_come_in_bus_order_with_the_drivers_ids(lab: Lab) -> None:
    lab.torch({"devices": [FAST, SLOW], "arch_list": ["sm_70", "sm_90"]})
    torch = lab.framework()
    assert torch.version.value == "2.9.0+cu128"
    assert torch.build.value == "cuda 12.8"
    first, second = torch.sees.value or ()
    assert (first.name, first.uuid, first.pci_address) == ("cuda:0", SLOW["uuid"], SLOW["pci"])
    assert (second.name, second.uuid, second.memory_free_bytes) == ("cuda:1", FAST["uuid"], 79 * GIB)
    assert second.compute_capability == "9.0"
    assert second.integrated is False


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("1", [FAST]),
        ("1,0", [FAST, SLOW]),
        (FAST["uuid"], [FAST]),
        ("GPU-bb", [FAST]),
        ("GPU-", []),  # not unique
        ("MIG-11111111-2222-3333-4444-555555555555", []),
        ("-1", []),
        ("", []),
        ("0,-1,1", [SLOW]),  # everything after the first bad entry is hidden
        ("7", []),
    ],
)
def test_the_frameworks_own_reading_of_cuda_visible_devices(
    lab: Lab, wish: str, expected: list[dict[str, Any]]
) -> None:
    lab.torch({"devices": [FAST, SLOW]})
    tree(lab.root, pci("0000:65:00.0", "0302", "10de", "2331"))
    lab.patch.setenv("CUDA_VISIBLE_DEVICES", wish)
    found = lab.ask()
    torch = found.software.frameworks[0]
    assert [d.uuid for d in torch.sees.value or ()] == [d["uuid"] for d in expected]
    assert torch.sees.known
    if not expected:
        assert codes(found) == ["framework_sees_nothing"]
        assert "CUDA_VISIBLE_DEVICES" in found.notices[0].hint


def test_an_order_the_user_set_stays(lab: Lab) -> None:
    lab.torch({"devices": [SLOW, FAST]})
    lab.patch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    assert [d.uuid for d in lab.framework().sees.value or ()] == [FAST["uuid"], SLOW["uuid"]]


# --- hangs, crashes, errors -----------------------------------------------------------------------------


def test_a_hang_keeps_the_devices_before_it_and_names_the_call(lab: Lab) -> None:
    lab.torch({"devices": [SLOW, FAST], "hang_at": "mem_get_info(1)"})
    lab.patch.setattr(software, "ASK_TIMEOUT_S", 1.5)
    started = time.monotonic()
    torch = lab.framework()
    assert time.monotonic() - started < 4
    assert [d.uuid for d in torch.sees.value or ()] == [SLOW["uuid"]]
    assert "mem_get_info(cuda:1)" in torch.sees.reason
    assert "1.5 s" in torch.sees.reason


@pytest.mark.parametrize(
    ("at", "call"),
    [("device_count", "torch.cuda.device_count()"), ("init", "torch.cuda.init()")],
)
def test_a_driver_that_hangs_costs_its_own_deadline_not_that_of_the_import(
    lab: Lab, at: str, call: str
) -> None:
    lab.torch({"devices": [SLOW, FAST], "hang_at": at})
    lab.patch.setattr(software, "DRIVER_S", 0.5)
    sees = lab.framework().sees
    assert (sees.value, sees.status) == (None, "timeout")
    assert sees.reason == f"no answer within 0.5 s in {call}"


def test_a_driver_that_starts_many_gpus_is_given_its_patience(lab: Lab) -> None:
    lab.torch({"devices": [SLOW], "hang_at": "init"})
    tree(lab.root, {"dev/nvidia0": "", "dev/nvidia1": ""})
    lab.patch.setattr(software, "DRIVER_S", 0.2)
    lab.patch.setattr(nvidia, "START_S_PER_GPU", 0.5)
    assert "no answer within 0.7 s in torch.cuda.init()" in lab.framework().sees.reason


def test_an_import_that_hangs_is_a_timeout(lab: Lab) -> None:
    lab.torch({"hang_at": "import"})
    lab.patch.setattr(software, "ASK_TIMEOUT_S", 1.0)
    torch = lab.framework()
    assert (torch.sees.status, torch.version.value) == ("timeout", "2.9.0+cu128")
    assert "import torch" in torch.sees.reason


def test_a_crash_is_told_by_its_signal_and_its_call(lab: Lab) -> None:
    lab.torch({"devices": [SLOW, FAST], "crash_at": "get_device_properties(1)"})
    torch = lab.framework()
    assert [d.uuid for d in torch.sees.value or ()] == [SLOW["uuid"]]
    assert "SIGSEGV" in torch.sees.reason
    assert "get_device_properties(1)" in torch.sees.reason


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("The NVIDIA driver on your system is too old (found version 11040).", "version_mismatch"),
        ("CUDA unknown error - this may be due to an incorrectly set up environment", "failed"),
        ("libcuda.so.1: cannot open shared object file", "lib_missing"),
    ],
)
def test_a_failed_start_is_no_empty_list(lab: Lab, error: str, status: str) -> None:
    lab.torch({"devices": [FAST], "init_error": error})
    tree(lab.root, {"dev/nvidia0": ""})
    found = lab.ask()
    sees = found.software.frameworks[0].sees
    assert (sees.value, sees.status) == (None, status)
    assert error[:30] in sees.reason
    assert "framework_sees_nothing" in codes(found)


def test_no_driver_at_all_is_an_empty_list(lab: Lab) -> None:
    error = "Found no NVIDIA driver on your system."
    lab.torch({"init_error": error})
    sees = lab.framework().sees
    assert sees.value == ()
    assert error in sees.reason


def test_an_import_error_is_the_reason(lab: Lab) -> None:
    lab.torch({"import_error": "libcudart.so.13: cannot open shared object file"})
    sees = lab.framework().sees
    assert (sees.value, sees.status) == (None, "lib_missing")


def test_noise_on_standard_output_does_no_harm(lab: Lab) -> None:
    lab.torch({"devices": [FAST], "print_on_import": '{"k": "device", "v": {"name": "cuda:99"}}'})
    assert [d.name for d in lab.framework().sees.value or ()] == ["cuda:0"]


def test_a_device_without_kernels_is_seen_but_cannot_run(lab: Lab) -> None:
    new = {**FAST, "name": "NVIDIA GeForce RTX 5090", "cc": "12.0"}
    lab.torch({"devices": [new], "no_kernel": [0], "arch_list": ["sm_80", "sm_90"]})
    found = lab.ask()
    assert len(found.software.frameworks[0].sees.value or ()) == 1
    assert codes(found) == ["framework_cannot_run"]
    assert "sm_80, sm_90" in found.notices[0].message


@pytest.mark.parametrize(
    ("row", "built", "lacks"),
    [
        ({"major": 12, "minor": 0}, ["sm_80", "sm_90"], True),
        ({"major": 12, "minor": 0}, ["sm_90", "compute_90"], False),  # PTX is compiled on the spot
        ({"major": 8, "minor": 9}, ["sm_80", "sm_86"], False),
        ({"major": 8, "minor": 0}, ["sm_86"], True),
        ({"major": 9, "minor": 0}, ["sm_90a"], False),
        ({"major": 10, "minor": 3}, ["sm_100a"], True),  # "a" code runs on that very device only
        ({"major": 7, "minor": 0}, ["sm_75", "compute_90"], True),
        ({"gcnArchName": "gfx942:sramecc+"}, ["gfx90a", "gfx942"], False),
        ({"gcnArchName": "gfx1151"}, ["gfx942", "gfx1100"], True),
    ],
)
def test_which_builds_run_where(row: dict[str, Any], built: list[str], lacks: bool) -> None:
    assert software_seen.lacks_kernels(row, built) is lacks


def test_memory_that_cannot_be_asked_stays_unknown(lab: Lab) -> None:
    lab.torch({"devices": [FAST], "mem_error": "CUDA out of memory"})
    (device,) = lab.framework().sees.value or ()
    assert (device.memory_total_bytes, device.memory_free_bytes) == (80 * GIB, None)


# --- other accelerators ---------------------------------------------------------------------------------


def test_rocm_beside_pynvml_still_counts(lab: Lab) -> None:
    """pytorch#133259: without the block, device_count() raises NameError."""
    lab.torch({"devices": [RADEON]}, version="2.9.0+rocm6.4", cuda=None, hip="6.4.43482-0f2d60242")
    lab.add("pynvml")
    torch = lab.framework()
    assert torch.build.value == "rocm 6.4"
    (device,) = torch.sees.value or ()
    assert (device.uuid, device.compute_capability) == ("GPU-dc91284879207f2b", "gfx942")
    assert "NameError" not in torch.sees.reason


def test_rocm_with_two_copies_of_amdsmi(lab: Lab) -> None:
    lab.torch({"devices": [RADEON]}, version="2.9.0+rocm6.4", cuda=None, hip="6.4.1")
    lab.add("amdsmi")
    found = lab.ask()
    assert codes(found) == ["amdsmi_clash"]
    assert len(found.software.frameworks[0].sees.value or ()) == 1


def test_an_apu_with_more_free_than_there_is(lab: Lab) -> None:
    """hogeheer499-commits' Strix Halo in unslothai/unsloth#7960: 120 GiB free of 62.47 GiB."""
    apu = {**RADEON, "gcn": "gfx1151", "total": int(62.47 * GIB), "free": 120 * GIB, "integrated": 1}
    lab.torch({"devices": [apu]}, cuda=None, hip="7.13.26154")
    found = lab.ask()
    (device,) = found.software.frameworks[0].sees.value or ()
    assert (device.memory_total_bytes, device.memory_free_bytes) == (int(62.47 * GIB), None)
    assert device.integrated is True
    assert codes(found) == ["framework_memory_contradiction"]


def test_xpu_that_raises_when_asked_for_memory(lab: Lab) -> None:
    xpu = {"devices": [{"name": "Intel(R) Arc(TM) Graphics", "total": 30 * GIB, "free": 0}]}
    xpu["mem_error"] = "The device does not support querying the available free memory"
    lab.torch({"xpu": xpu}, version="2.9.0+xpu", cuda=None, xpu="20250201")
    (device,) = lab.framework().sees.value or ()
    assert (device.name, device.memory_total_bytes, device.memory_free_bytes) == ("xpu:0", 30 * GIB, None)


def test_mps_has_what_metal_recommends(lab: Lab) -> None:
    lab.torch({"mps": {"recommended": 96 * GIB}}, version="2.9.0", cuda=None)
    (device,) = lab.framework().sees.value or ()
    assert (device.name, device.memory_total_bytes) == ("mps", 96 * GIB)


def test_mps_of_an_old_torch_has_no_total(lab: Lab) -> None:
    lab.torch({"mps": {"old": 1}}, version="2.3.0", cuda=None)
    (device,) = lab.framework().sees.value or ()
    assert device.memory_total_bytes is None


def test_npu_through_torch_npu(lab: Lab) -> None:
    npu = {"devices": [{"name": "Ascend910B3", "total": 61 * GIB, "free": 60 * GIB}]}
    lab.torch({"npu": npu}, version="2.9.0", cuda=None)
    lab.add("torch_npu")
    dist = lab.modules / "torch_npu-2.9.0.dist-info"
    dist.mkdir()
    info = "usr/local/Ascend/ascend-toolkit/latest/aarch64-linux/ascend_toolkit_install.info"
    tree(lab.root, {info: "version=8.2.RC1\n"})
    torch = lab.framework()
    assert torch.build.value == "cann 8.2.RC1"
    assert [(d.name, d.memory_total_bytes) for d in torch.sees.value or ()] == [("npu:0", 61 * GIB)]


def test_one_framework_that_dies_hides_no_other(lab: Lab) -> None:
    lab.torch({"devices": [FAST]})
    lab.add("tensorflow", "jax", "mindspore")
    lab.patch.setenv("FAKE_TF", "crash")
    by_name = {f.name: f for f in lab.ask().software.frameworks}
    assert by_name["tensorflow"].sees.status == "failed"
    assert "SIGSEGV" in by_name["tensorflow"].sees.reason
    assert by_name["tensorflow"].build.value == "cuda 12.5.1"
    assert [d.name for d in by_name["torch"].sees.value or ()] == ["cuda:0"]
    (chip,) = by_name["jax"].sees.value or ()
    assert (chip.name, chip.device_name, chip.memory_total_bytes) == ("tpu:0", "TPU v6 lite", 34088157184)
    assert [d.name for d in by_name["mindspore"].sees.value or ()] == ["Ascend:0", "Ascend:1"]
    assert by_name["mindspore"].build.value == "cann"


def test_tensorflow_alive(lab: Lab) -> None:
    lab.add("tensorflow")
    (device,) = lab.framework("tensorflow").sees.value or ()
    assert (device.name, device.device_name, device.compute_capability) == ("GPU:0", "NVIDIA H100", "9.0")


# --- when to ask ----------------------------------------------------------------------------------------


def test_no_accelerator_no_import(lab: Lab) -> None:
    lab.torch({"devices": [FAST], "crash_at": "import"})
    lab.patch.setenv("HWADVISOR_PROBE_ASK", "")
    raw, found = asked(software, lab.root)
    assert "ask:torch" not in raw
    assert found.software.frameworks[0].sees.status == "not_asked"


def test_an_accelerator_on_the_bus_is_reason_to_ask_and_never_when_told_not_to(lab: Lab) -> None:
    lab.torch({"devices": [FAST]})
    tree(lab.root, pci("0000:65:00.0", "0302", "10de", "2331"))
    lab.patch.setenv("HWADVISOR_PROBE_ASK", "")
    assert "ask:torch" in asked(software, lab.root)[0]
    lab.patch.setenv("HWADVISOR_PROBE_ASK", "0")
    assert "ask:torch" not in asked(software, lab.root)[0]


def test_an_integrated_intel_gpu_is_a_reason_for_an_xpu_build_alone(lab: Lab) -> None:
    lab.torch({}, version="2.9.0+cpu", cuda=None)
    tree(lab.root, pci("0000:00:02.0", "0300", "8086", "7d55"))
    lab.patch.setenv("HWADVISOR_PROBE_ASK", "")
    assert "ask:torch" not in asked(software, lab.root)[0]
    assert codes(lab.ask()) == []


def test_torch_for_the_processor_beside_a_gpu(lab: Lab) -> None:
    lab.torch({}, version="2.9.0+cpu", cuda=None)
    tree(lab.root, {"dev/nvidia0": "", "dev/nvidiactl": ""})
    found = lab.ask()
    assert found.software.frameworks[0].build.value == "cpu"
    assert codes(found) == ["framework_without_gpu"]
    assert "download.pytorch.org/whl/cu" in found.notices[0].hint


# --- the Python asked for -------------------------------------------------------------------------------


def test_this_environment_without_importing_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("HWADVISOR_PROBE_ASK", "0")
    _, found = asked(software, tmp_path)
    assert found.software.python.value == sys.executable
    assert found.software.environment == "this"
    assert (found.software.packages.value or {}).get("numpy")


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ("exec sleep 30\n", "timeout", "no answer"),
        ("echo '    SyntaxError: invalid syntax' >&2; exit 1\n", "failed", "SyntaxError"),
        ("kill -9 $$\n", "failed", "SIGKILL"),
        ("echo hello\n", "failed", "is it a Python"),
    ],
)
def test_a_broken_python_is_a_status(lab: Lab, body: str, status: str, word: str) -> None:
    lab.patch.setenv("HWADVISOR_PROBE_PYTHON", str(tool(lab.tmp / "bin", "python", body)))
    lab.patch.setattr(software, "VERSIONS_TIMEOUT_S", 0.7)
    found = lab.ask()
    assert found.software.packages.value is None
    assert found.software.packages.status == status
    assert word in found.software.packages.reason
    assert [s.status for s in found.skipped] == [status]
    assert found.software.frameworks[0].version.value is None


def test_a_python_that_is_not_there(lab: Lab) -> None:
    lab.patch.setenv("HWADVISOR_PROBE_PYTHON", str(lab.tmp / "nowhere"))
    assert [s.status for s in lab.ask().skipped] == ["lib_missing"]


def test_check_python_accepts_a_working_one_and_keeps_its_link(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    assert software.check_python(str(link)) == str(link)


def test_check_python_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software_ask, "CHECK_TIMEOUT_S", 0.5)
    plain = tmp_path / "plain"
    plain.write_text("no program")
    env = tmp_path / "env"
    tool(env / "bin", "python", "exit 0\n")
    elf = tmp_path / "elf"
    elf.write_bytes(b"\x7fELF nonsense")
    elf.chmod(0o755)
    cases = {
        str(tmp_path / "missing"): "no such file",
        "no-such-python-anywhere": "no such command",
        str(plain): "not executable",
        str(env): "is a folder",
        str(env / "bin/python"): "not a working Python",
        str(elf): "",
        str(tool(tmp_path, "two", "echo hwadvisor 2 7\n")): "is Python 2.7",
        str(tool(tmp_path, "sleepy", "exec sleep 30\n")): "no answer",
    }
    for path, word in cases.items():
        with pytest.raises(UserError) as caught:
            software.check_python(path)
        assert word in caught.value.message
        assert path in caught.value.message
        assert caught.value.hint
        if word == "no answer":
            assert "by hand" in caught.value.hint
    with pytest.raises(UserError) as caught:
        software.check_python(str(env))
    assert str(env / "bin/python") in caught.value.hint


# --- text that nobody should trust ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["<script>", "\u202egpu", "a\x00b", "x" * 10_000, "\ud800"])
def test_hostile_device_names(lab: Lab, name: str) -> None:
    lab.torch({"devices": [{**FAST, "name": name}]})
    (device,) = lab.framework().sees.value or ()
    assert len(device.device_name) <= 200
    assert not set(device.device_name) & set("\x00\u202e\n\ud800")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)
KEYS = "name uuid total_memory free major minor gcnArchName errors runs device_name pci_bus_id"
ROW = st.dictionaries(st.sampled_from(KEYS.split()), JSON)
ANSWERS = st.dictionaries(st.sampled_from(["error:cuda", "arch_list", "warnings", "count:cuda"]), JSON)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(ROW, max_size=2),
    said=ANSWERS,
    build=JSON,
    status=st.sampled_from(["ok", "timeout", "failed"]),
)
def test_no_answer_crashes_the_parser(rows: list, said: dict, build: Any, status: str) -> None:
    torch = {"answers": said, "devices": rows, "status": status, "reason": "r"}
    versions = {"answers": {"build:torch": build, "packages": {"torch": "2"}}, "status": "ok"}
    raw = {"versions": versions, "ask:torch": torch, "hints": {"nvidia": "/dev/nvidia0"}}
    for device in machine(software.parse(raw)).software.frameworks[0].sees.value or ():
        total, free = device.memory_total_bytes, device.memory_free_bytes
        assert free is None or total is None or free <= total


@given(
    st.dictionaries(st.sampled_from(["versions", "hints", "options", "ask:torch", "torch_npu_cann"]), JSON)
)
def test_no_shape_of_raw_answers_crashes_the_parser(raw: dict) -> None:
    machine(software.parse(raw))
