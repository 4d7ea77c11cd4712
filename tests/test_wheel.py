"""A wheel built from the repo works in another environment and another folder, with and without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
NOT_LINKED = ("hwadvisor", "__editable__", "_hwadvisor", "_editable", "advisor", "__pycache__")


def _run(
    *command: str | Path, cwd: Path | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PIP_"))}
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = _run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-q",
        "-w",
        folder,
        REPO,
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def _environment(folder: Path, wheel: Path, *, with_torch: bool) -> Path:
    """A new virtual environment that holds the wheel; the dependencies are linked from this one.

    Linking each package but torch is how the case without torch is had without downloading anything.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python")
    done = _run(*pip, "install", "-q", "--no-deps", "--no-index", wheel)
    assert done.returncode == 0, done.stderr
    deps = folder / "deps"
    deps.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        skip = entry.name.startswith(NOT_LINKED) or entry.suffix == ".pth"
        if skip or (not with_torch and entry.name.startswith(("torch", "functorch"))):
            continue
        (deps / entry.name).symlink_to(entry)
    (site / "deps.pth").write_text(f"{deps}\n")
    return folder / "bin"


def test_the_wheel_holds_the_data_and_nothing_at_the_top_of_site_packages(wheel: Path) -> None:
    done = _run(sys.executable, "-m", "zipfile", "-l", wheel)
    names = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    assert any(name.startswith("advisor/_data/rules/accelerators/") for name in names)
    assert "advisor/_data/templates/report.html" in names
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"advisor"}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="links packages with symlinks")
@pytest.mark.parametrize("with_torch", [True, False], ids=["torch", "no-torch"])
def test_probe_and_quick_scan_elsewhere(tmp_path: Path, wheel: Path, with_torch: bool) -> None:
    bin_folder = _environment(tmp_path / "env", wheel, with_torch=with_torch)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = _run(bin_folder / "python", "-c", "import advisor; print(advisor.__file__)", cwd=elsewhere)
    assert str(tmp_path) in where.stdout, where.stderr

    probe = _run(bin_folder / "hwadvisor", "probe", "--json", cwd=elsewhere)
    assert probe.returncode == 0, probe.stderr
    assert json.loads(probe.stdout)["machine"]["cpu"]["threads"]["value"] >= 1

    # a PDF takes as long as all the rest without a measurement: once is enough
    formats = ("--format", "html") if with_torch else ()
    scan = _run(bin_folder / "hwadvisor", "scan", "--quick", *formats, cwd=elsewhere)
    assert scan.returncode == 0, scan.stderr
    (folder,) = (elsewhere / "reports").iterdir()
    advice = json.loads((folder / "advice.json").read_text())
    assert advice["stage"] == "complete"
    assert (folder / "report.html").stat().st_size > 10_000
    assert with_torch or (folder / "report.pdf").exists() or "PDF skipped" in scan.stderr
    benches = {m["bench"] for m in advice["calibration"]["measurements"]}
    if with_torch:
        assert {"matmul", "memory_bandwidth", "train_step"} <= benches
    else:
        assert benches <= {"disk_read", "image_decode", "tokenize"}  # what needs no torch
        missing = {f["bench"] for f in advice["calibration"]["failures"] if f["status"] == "lib_missing"}
        assert {"matmul", "memory_bandwidth", "train_step"} <= missing
        assert any(notice["code"] == "no_torch" for notice in advice["calibration"]["notices"])
        assert "torch" in scan.stdout + scan.stderr
