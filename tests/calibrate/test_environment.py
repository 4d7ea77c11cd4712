"""Is there a Python with torch and the device asked for? One line and a hint if not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from advisor.calibrate import environment
from advisor.calibrate.environment import (
    Environment,
    check_device_name,
    check_environment,
    require_device,
    wanted,
)
from advisor.errors import MissingLibrary, UserError


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A Python without torch."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin" / "python")


def test_this_environment_is_named():
    pytest.importorskip("torch", reason="torch is not installed")
    found = check_environment(None, None)
    assert found.python == sys.executable
    assert "torch" in found.describe()


def test_no_torch_here_is_told_with_the_command(monkeypatch):
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingLibrary) as error:
        check_environment(None, None)
    assert "hwadvisor[torch]" in error.value.hint


def test_a_python_without_torch(bare_python):
    with pytest.raises(UserError, match="has no torch") as error:
        check_environment(bare_python, None)
    assert error.value.hint == f"{bare_python} -m pip install torch"


@pytest.mark.parametrize("program", ["/bin/true", "/bin/cat", "/etc/passwd", "/no/such/python", "."])
def test_what_is_no_python(program):
    with pytest.raises(UserError, match=r"--python .*(is not a Python|cannot be started)") as error:
        check_environment(program, None)
    assert "/path/to/env/bin/python" in error.value.hint


def test_a_python_too_old(tmp_path):
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\necho 'hwadvisor:[[3, 8, 1], true]'\n")
    old.chmod(0o755)
    with pytest.raises(UserError, match=r"3\.8\.1 is too old"):
        check_environment(str(old), None)


@pytest.mark.parametrize(
    ("device", "hint"), [("rocm", "cuda"), ("gpu", "cuda"), ("cuad", "did you mean cuda"), ("cuda:x", "cuda")]
)
def test_a_misspelt_device_offers_the_right_one(device, hint):
    with pytest.raises(UserError) as error:
        check_device_name(device)
    assert hint in error.value.hint


def test_a_device_torch_does_not_see_is_an_error_never_a_run_on_the_cpu():
    with pytest.raises(UserError, match=r"sees no such device \(it sees cpu, cuda:0\)"):
        require_device("cuda:1", ["cuda:0"], "2.13.0")
    require_device("cuda", ["cuda:0"], "2.13.0")
    require_device("cpu", [], "2.13.0")


@pytest.mark.slow
def test_cuda_without_cuda_is_an_error():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(UserError, match="sees no such device") as error:
        check_environment(None, "cuda")
    assert "CPU build of torch" in error.value.hint


def test_a_driver_that_hangs_under_torch_is_named_after_its_own_deadline(monkeypatch):
    monkeypatch.setattr(environment, "driver_s", lambda _gpus: 0.3)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "fakes/gpu"))
    monkeypatch.setenv("FAKE_GPU", '{"hang_at": "is_available"}')
    monkeypatch.setattr(environment, "_ours", lambda: Environment(sys.executable, "3.11"))
    with pytest.raises(UserError, match=r"got no answer from the GPU's driver within 0\.3 s"):
        check_environment(None, "cuda")
    monkeypatch.setenv("FAKE_GPU", "{}")
    monkeypatch.setattr(environment, "driver_s", lambda _gpus: 30.0)
    assert check_environment(None, "cuda").python == sys.executable


def test_cuda_means_all_of_them():
    assert wanted("cuda", "cuda:3")
    assert not wanted("cuda:1", "cuda:3")
    assert not wanted("cpu", "cuda:0")
