"""The whole walk, for real: scan, kill, full disk, interrupted, rendered again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from advisor.data.advice import load_advice

REPO = Path(__file__).resolve().parent.parent
HWADVISOR = (sys.executable, "-m", "advisor")
LITTLE = (sys.executable, str(REPO / "tests/few.py"))
"""The same with few workloads and devices to go through."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="drives processes with POSIX signals"),
]


def start(*arguments: str, program: Sequence[str] = HWADVISOR) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )


def advice_in(folder: Path) -> dict[str, Any]:
    (report,) = folder.iterdir()
    return load_advice(report).model_dump(mode="json")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """One quick scan with a workload of the user's own: (folder, stdout, stderr)."""
    folder = tmp_path_factory.mktemp("scan")
    process = start("scan", "--quick", "--model", "gpt2-124m", "--tokens", "50M", "--output", str(folder))
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return folder, out, err


def test_three_files_and_their_paths_printed_last(finished: tuple[Path, str, str]) -> None:
    folder, out, err = finished
    (report,) = folder.iterdir()
    names = {path.name for path in report.iterdir()}
    assert {"advice.json", "report.html"} <= names
    printed = [Path(line) for line in out.splitlines() if line.startswith(str(folder))]
    assert {path.name for path in printed} == names
    if "report.pdf" not in names:
        assert "PDF skipped" in err
    else:
        assert (report / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_every_workload_is_answered_here_and_on_the_catalogue(finished: tuple[Path, str, str]) -> None:
    advice = advice_in(finished[0])
    assert advice["stage"] == "complete"
    wanted = {workload["id"] for workload in advice["workloads"]}
    assert len(wanted) == 10  # nine of reference, one of the user's
    here = {e["workload"]: e for e in advice["estimates"] if e["target"]["here"]}
    assert set(here) == wanted
    for estimate in here.values():
        assert estimate["why"]
        if estimate["fits"] is None:
            assert estimate["limit"]
    elsewhere = {e["target"]["accelerator_id"] for e in advice["estimates"] if not e["target"]["here"]}
    assert len(elsewhere) >= 20


def test_every_figure_has_a_range_or_a_reason_and_a_trace(finished: tuple[Path, str, str]) -> None:
    advice = advice_in(finished[0])
    for estimate in advice["estimates"]:
        for name, quantity in estimate["quantities"].items():
            if quantity["value"] is None:
                assert quantity["reason"], (estimate["target"]["label"], name)
            elif name != "calendar_at_s":  # what nine runs of ten keep to: an end of a range itself
                assert quantity["low"] <= quantity["value"] <= quantity["high"], (estimate, name)
            if quantity["trace"]:
                assert quantity["trace"] in advice["trace"]


def test_measured_figures_are_graded(finished: tuple[Path, str, str]) -> None:
    measurements = advice_in(finished[0])["calibration"]["measurements"]
    benches = {m["bench"] for m in measurements}
    assert {"matmul", "memory_bandwidth", "train_step", "serial_task", "parallel_task"} <= benches
    for m in measurements:
        assert m["grade"] in "ABC"
        if m["grade"] == "C":
            assert m["value"] is None and m["reason"]
        else:
            assert m["low"] <= m["value"] <= m["high"]


def test_explain_follows_a_figure_to_its_sources(finished: tuple[Path, str, str]) -> None:
    (report,) = finished[0].iterdir()
    process = start("explain", str(report), "time_s", "--target", "h100", "--workload", "gpt2-124m-10b")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "time_s = " in out and "[rule run-time, rules/time/run.toml" in out


def test_report_again_in_another_folder_is_the_same_page(
    finished: tuple[Path, str, str], tmp_path: Path
) -> None:
    (report,) = finished[0].iterdir()
    process = start("report", str(report), "--output", str(tmp_path), "--format", "html")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert (tmp_path / "report.html").read_bytes() == (report / "report.html").read_bytes()


class Killed(NamedTuple):
    """A scan ended by SIGKILL while it measured: its folder, and the processes it had started."""

    folder: Path
    children: list[int]
    rates: list[dict[str, Any]]  # what stood in its file of training rates by then


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """As soon as a training rate is saved, on which estimates then rest, or that none could be had."""
    folder = tmp_path_factory.mktemp("killed")
    process = start("scan", "--quick", "--output", str(folder), program=LITTLE)
    rates: list[dict[str, Any]] = []
    children: list[int] = []
    try:
        _wait_for_measurements(folder, process, 2)
        children = _children(process.pid)
        end = time.monotonic() + 120
        while time.monotonic() < end and process.poll() is None and not rates:
            saved = _saved(folder, "measurements", "failures")
            rates = [one for one in saved if one["bench"] == "train_rate"]
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    return Killed(folder, children, rates)


def test_kill_9_in_the_middle_loses_nothing_measured(killed: Killed) -> None:
    advice = advice_in(killed.folder)
    assert advice["stage"] == "calibrating"
    assert advice["calibration"]["complete"] is False
    (report,) = killed.folder.iterdir()
    again = start("report", str(report / "advice.json"), "--format", "html")
    _, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    page = (report / "report.html").read_text()
    assert "not complete" in page or "cut short" in page or "stopped" in page


def test_kill_9_keeps_what_the_measurements_refined(killed: Killed) -> None:
    if not any(one.get("value") is not None for one in killed.rates):
        pytest.skip("no training rate could be measured undisturbed")
    here = [e for e in advice_in(killed.folder)["estimates"] if e["target"]["here"]]
    assert any(e["calibrated"] for e in here)


def test_the_bench_child_does_not_outlive_a_killed_parent(killed: Killed) -> None:
    assert killed.children
    end = time.monotonic() + 15
    while any(_alive(pid) for pid in killed.children) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [pid for pid in killed.children if _alive(pid)]


def _saved(folder: Path, *parts: str) -> list[dict[str, Any]]:
    """These parts of the calibration in the one file of a scan, as far as it goes."""
    for file in folder.glob("*/advice.json"):
        calibration = json.loads(file.read_text())["calibration"] or {}
        return [one for part in parts for one in calibration.get(part, ())]
    return []


def _wait_for_measurements(folder: Path, process: subprocess.Popen[str], at_least: int) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        if len(_saved(folder, "measurements")) >= at_least:
            return
        time.sleep(0.05)
    pytest.fail(f"no measurement was saved: {process.stderr.read() if process.stderr else ''}")


def _children(pid: int) -> list[int]:
    done = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in done.stdout.split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_interrupt_keeps_what_is_done_and_still_reports(tmp_path: Path) -> None:
    process = start("scan", "--output", str(tmp_path), "--format", "html", program=LITTLE)
    _wait_for_measurements(tmp_path, process, 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Interrupted" in err
    advice = advice_in(tmp_path)
    assert advice["calibration"]["stopped"] == "interrupted"
    assert len(advice["calibration"]["measurements"]) >= 2
    assert list(tmp_path.glob("*/report.html"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system that is full after 64 kB."""
    mount = shutil.which("mount")
    target = tmp_path / "full"
    target.mkdir()
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(target)], check=False)
    if done.returncode != 0:
        pytest.skip("this system does not let us mount a tmpfs")
    yield target
    subprocess.run(["umount", str(target)], check=True)


def test_full_disk_is_one_line_and_leaves_nothing_half_written(small_disk: Path) -> None:
    process = start("scan", "--quick", "--output", str(small_disk), program=LITTLE)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert "no space left" in err and "Traceback" not in err
    assert not [path for path in small_disk.rglob("*") if path.is_file()]
