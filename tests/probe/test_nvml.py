"""The one place that calls NVML: every way a call can fail, with stand-ins for the binding itself."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import FakeNvml
from nvml_cases import UUIDS, healthy

from advisor import nvml
from advisor.nvml import calls, session
from advisor.nvml.calls import Call, attempt
from advisor.schema import Status


class NVMLError(Exception):
    def __init__(self, value: int, text: str = "some text") -> None:
        super().__init__(text)
        self.value = value


class NVMLLibraryMismatchError(Exception):
    """As in the real binding: not an NVMLError."""


def binding(**functions: Callable[..., Any]) -> Any:
    made = types.ModuleType("pynvml")
    vars(made).update(NVMLError=NVMLError, NVML_CLOCK_SM=1, NVML_CLOCK_MEM=2, **functions)
    return made


def library(**functions: Callable[..., Any]) -> nvml.Library:
    return nvml.Library(binding(**functions), lambda call, needed: None)


def raising(error: Exception) -> Callable[..., Any]:
    def call(*_: Any) -> Any:
        raise error

    return call


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (3, "not_supported"),
        (4, "no_permission"),
        (9, "lib_missing"),
        (10, "timeout"),
        (12, "lib_missing"),
        (13, "not_supported"),
        (15, "lost"),
        (18, "version_mismatch"),
        (999, "failed"),
        (123456, "failed"),
    ],
)
def test_codes_are_told_apart(code: int, status: str) -> None:
    answer = library(nvmlDeviceGetName=raising(NVMLError(code))).ask("name", object())
    assert (answer.value, answer.status) == (None, status)
    assert f"code {code}" in answer.reason
    assert "nvmlDeviceGetName" in answer.reason


def test_every_status_is_one_of_the_schema() -> None:
    assert set(calls.STATUS.values()) <= {status.value for status in Status}


def test_mismatch_error_is_no_nvml_error_and_still_caught() -> None:
    answer = library(nvmlDeviceGetName=raising(NVMLLibraryMismatchError("newer"))).ask("name", object())
    assert (answer.value, answer.status) == (None, "version_mismatch")


def test_bytes_of_old_bindings_become_text() -> None:
    assert library(nvmlDeviceGetName=lambda _: b"Tesla \xff T4").ask("name", 0).value == "Tesla \ufffd T4"


def test_bytes_that_are_not_utf8_keep_the_rest_of_the_name() -> None:
    def decode(_: Any) -> str:
        return b"Tesla \xff T4".decode()

    answer = library(nvmlDeviceGetName=decode).ask("name", 0)
    assert (answer.value, answer.status) == ("Tesla \ufffd T4", "ok")
    assert "UTF-8" in answer.reason


def test_an_error_whose_text_cannot_be_had() -> None:
    class Odd(NVMLError):
        def __str__(self) -> str:
            raise NVMLError(13)

    answer = library(nvmlDeviceGetName=raising(Odd(77))).ask("name", 0)
    assert (answer.status, "77" in answer.reason) == ("failed", True)


def test_an_older_spelling_is_tried_only_when_the_newer_is_missing() -> None:
    asked = []

    def newer(_: Any) -> int:
        asked.append("newer")
        raise NVMLError(13)

    def older(_: Any) -> int:
        asked.append("older")
        return 4

    both = {
        "nvmlDeviceGetCurrentClocksEventReasons": newer,
        "nvmlDeviceGetCurrentClocksThrottleReasons": older,
    }
    answer = library(**both).ask("throttle", 0)
    assert (answer.value, answer.call) == (4, "nvmlDeviceGetCurrentClocksThrottleReasons")
    lost = {**both, "nvmlDeviceGetCurrentClocksEventReasons": raising(NVMLError(15))}
    asked.clear()
    assert library(**lost).ask("throttle", 0).status == "lost"
    assert asked == []


def test_a_binding_too_old_for_the_call() -> None:
    answer = library().ask("remapped_rows", 0)
    assert answer.status == "not_supported"
    assert "binding" in answer.reason
    assert library(nvmlDeviceGetMemoryInfo=lambda *a: None).ask("memory", 0).status != "ok"


def test_anything_else_a_binding_does_is_told() -> None:
    answer = library(nvmlDeviceGetName=raising(TypeError("two\nlines"))).ask("name", 0)
    assert (answer.status, answer.reason) == ("failed", "nvmlDeviceGetName: TypeError: two lines")
    answer, _ = attempt(Call("f", take=lambda v: v["x"]), dict, [], binding())
    assert answer.status == "failed"


def test_begin_names_the_call_and_its_constants() -> None:
    begun: list[str] = []
    made = nvml.Library(binding(nvmlDeviceGetClockInfo=lambda *_: 5), lambda call, _: begun.append(call))
    made.ask("clock_sm", 0, where="device 0: ")
    assert begun == ["device 0: nvmlDeviceGetClockInfo(NVML_CLOCK_SM)"]


def test_every_call_exists_in_the_real_binding() -> None:
    pynvml = pytest.importorskip("pynvml")
    for spellings in (*calls.CALLS.values(), *calls.MORE.values()):
        new = [call for call in spellings if not call.function.startswith("old:")]
        assert any(hasattr(pynvml, call.function) for call in new), new
        for call in new:
            constants = [a[1:] for a in call.arguments if isinstance(a, str)]
            assert all(hasattr(pynvml, name) for name in constants), constants


# --- opening --------------------------------------------------------------------------------------------


def test_without_the_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(nvml.Unavailable) as caught, nvml.opened():
        pass
    assert caught.value.answer.status == "lib_missing"
    assert "pynvml" in caught.value.answer.reason


@pytest.mark.parametrize("lacking", ["nvmlInit", "NVMLError"])
def test_a_module_of_that_name_that_is_no_binding(monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    wrong = binding(nvmlInit=lambda: None, nvmlShutdown=lambda: None)
    delattr(wrong, lacking)
    monkeypatch.setitem(sys.modules, "pynvml", wrong)
    with pytest.raises(nvml.Unavailable) as caught, nvml.opened():
        pass
    answer = caught.value.answer
    assert (answer.status, answer.call) == ("lib_missing", "import pynvml")
    assert f"another package's, not NVIDIA's: no {lacking}" in answer.reason


def test_wsl_folder_is_tried_after_the_loaders(
    nvml_builds: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pynvml = pytest.importorskip("pynvml")
    table = tmp_path / "case.txt"
    table.write_text("sys.driver 570.1\n")
    monkeypatch.setenv("FAKE_NVML", str(table))
    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(session, "LIBRARY", "libno-such-nvml.so.1")
    with pytest.raises(nvml.Unavailable) as caught, nvml.opened():
        pass
    assert "libno-such-nvml" in caught.value.answer.reason
    monkeypatch.setattr(session, "WSL_LIBRARY", str(nvml_builds["new"] / "libnvidia-ml.so.1"))
    with nvml.opened() as opened:
        assert opened.ask("driver_version").value == "570.1"


def test_live_reader_gives_what_a_device_does_now(fake_nvml: FakeNvml) -> None:
    fake_nvml.case("0.clock_sm 1755", "0.throttle 0x25", "0.power !3", "0.utilization 80 10", healthy(2))
    code = (
        "import json; from advisor.nvml import live_reader; read = live_reader(); "
        f"print(json.dumps([read({UUIDS[0]!r}), read('GPU-no')]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    first, unknown = json.loads(done.stdout)
    assert first == {
        "clock_hz": 1.755e9,
        "temperature_c": 31.0,
        "power_w": None,
        "utilization": 0.8,
        "memory_used": pytest.approx(0.00726, rel=1e-3),
        "pcie_gen": 1,
        "pcie_width": 16,
        "throttle_reasons": ["sw_power_cap", "sw_thermal_slowdown"],
    }
    assert unknown == {}
    assert fake_nvml.calls()[-1] == "shutdown"


def test_idle_is_no_throttle_reason_and_new_bits_are_not_hidden() -> None:
    assert nvml.throttle_names(0x1) == []
    assert nvml.throttle_names(0x8009) == ["hw_slowdown", "bit_0x8000"]


# --- who owns the module --------------------------------------------------------------------------------


def _install(folder: Path, package: str, version: str, *files: str) -> None:
    info = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").write_text("".join(f"{file},sha256=x,1\n" for file in files))
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("")


def test_owner_of_the_binding(tmp_path: Path) -> None:
    _install(tmp_path, "nvidia-ml-py", "13.615.71", "pynvml.py")
    owner = nvml.binding_owner([str(tmp_path)])
    assert (owner["package"], owner["version"], owner["deprecated"]) == ("nvidia-ml-py", "13.615.71", "")


def test_deprecated_package_that_shadows_the_binding(tmp_path: Path) -> None:
    _install(tmp_path, "nvidia-ml-py", "13.615.71", "pynvml.py")
    _install(tmp_path, "pynvml", "11.4.1", "pynvml/__init__.py")
    owner = nvml.binding_owner([str(tmp_path)])
    assert (owner["package"], owner["deprecated"]) == ("pynvml", "11.4.1")


def test_deprecated_package_beside_the_binding(tmp_path: Path) -> None:
    _install(tmp_path, "nvidia-ml-py", "13.615.71", "pynvml.py")
    _install(tmp_path, "pynvml", "13.0.1", "pynvml_utils/__init__.py")
    owner = nvml.binding_owner([str(tmp_path / "none"), str(tmp_path)])
    assert (owner["package"], owner["deprecated"]) == ("nvidia-ml-py", "13.0.1")


def test_no_binding_at_all(tmp_path: Path) -> None:
    assert nvml.binding_owner([str(tmp_path)])["package"] == ""


def test_hint_of_library_looks_below_the_root_only(
    tmp_path: Path, nvml_builds: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(nvml_builds["new"]))
    assert nvml.hint_of_library(Path("/")).endswith("libnvidia-ml.so.1")
    assert nvml.hint_of_library(tmp_path) == ""
    (tmp_path / "usr/lib/wsl/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/wsl/lib/libnvidia-ml.so.1").touch()
    assert nvml.hint_of_library(tmp_path).endswith("usr/lib/wsl/lib/libnvidia-ml.so.1")
