"""The walk of a scan where a stage fails: the report is written all the same."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from advisor import app, app_measure
from advisor.app import ScanOptions, scan
from advisor.calibrate.sight import NOTHING_TO_SEE
from advisor.data import advice as kept
from advisor.data.advice import Keeper, load_advice
from advisor.data.files import unwritable, write_atomic
from advisor.errors import Interrupted, UserError
from advisor.probe import detect
from advisor.schema import Advice, Calibration, Fact, Framework, Measurement, Software, Status

pytestmark = pytest.mark.usefixtures("few")


class _Silent:
    def __init__(self) -> None:
        self.said: list[str] = []

    def verdict(self, advice: Advice) -> None:
        pass

    def event(self, event: object) -> None:
        pass

    def say(self, text: str) -> None:
        self.said.append(text)


def test_a_calibration_that_cannot_run_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise UserError("the measuring process ended with SIGSEGV", "hwadvisor doctor")
        yield

    monkeypatch.setattr("advisor.calibrate.run_calibration", broken)
    listen = _Silent()
    result = scan(ScanOptions(output=tmp_path, formats=("html",)), listen)
    assert result.advice.stage == "complete"
    assert any(notice.code == "not_calibrated" for notice in result.advice.notices)
    assert (result.folder / "report.html").exists()
    assert any("SIGSEGV" in line for line in listen.said)


def figure(number: int) -> Measurement:
    return Measurement(id=f"matmul.{number}.cpu", bench="matmul", device="cpu", unit="FLOP/s", value=1.0)


def calibrated(count: int) -> Calibration:
    return Calibration(measurements=tuple(figure(n) for n in range(count)))


class Disk:
    """A disk that is full while `full` is true."""

    full = False

    def write(self, path: Path, content: str | bytes) -> None:
        if self.full:
            raise unwritable(path, OSError(errno.ENOSPC, "No space left on device"))
        write_atomic(path, content)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    it = Disk()
    monkeypatch.setattr(kept, "write_atomic", it.write)
    return it


@pytest.mark.parametrize("room_again", [True, False])
def test_a_disk_that_fills_up_in_the_middle_costs_nothing_that_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk, room_again: bool
) -> None:
    def fills_up(*_: object) -> Iterator[Calibration]:
        yield calibrated(1)
        disk.full = True
        yield calibrated(2)
        yield calibrated(3)
        disk.full = not room_again

    rescue = tmp_path / "tmp"
    rescue.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(rescue))
    monkeypatch.setattr("advisor.calibrate.run_calibration", fills_up)
    listen = _Silent()
    options = ScanOptions(output=tmp_path / "reports", formats=("html",))
    if room_again:
        saved = load_advice(scan(options, listen).folder)
        assert saved.calibration is not None
        assert (saved.stage, len(saved.calibration.measurements)) == ("complete", 3)
    else:
        with pytest.raises(UserError, match="no space left on the disk; the results are in") as error:
            scan(options, listen)
        [copy] = rescue.iterdir()
        assert error.value.hint.endswith(f"hwadvisor report {copy}")
        for path, count in ((copy, 3), (next((tmp_path / "reports").iterdir()), 1)):
            found = load_advice(path).calibration
            assert found is not None
            assert len(found.measurements) == count
    assert len([line for line in listen.said if "no space left" in line]) == 1


def test_without_room_anywhere_the_error_is_still_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    disk.full = True
    keeper = Keeper(tmp_path / "advice.json", print)
    with pytest.raises(UserError, match=r"advice\.json: no space left on the disk$") as error:
        keeper.finish(Advice(created_at="", command="scan"))
    assert "Free some space" in error.value.hint
    assert list(tmp_path.iterdir()) == []


def test_figures_of_an_earlier_scan_are_used_again_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from advisor.calibrate.reuse import code_digest

    runs: list[int] = []

    def measured(*_: object) -> Iterator[Calibration]:
        runs.append(1)
        done = {"complete": True, "finished_at": datetime.now(UTC).isoformat(), "code": code_digest()}
        yield calibrated(2).model_copy(update=done)

    monkeypatch.setattr("advisor.calibrate.run_calibration", measured)
    options = ScanOptions(output=tmp_path, formats=("html",), reuse=True)
    first, second = _Silent(), _Silent()
    scan(options, first)
    assert any("No earlier figures are used: there is no earlier calibration" in line for line in first.said)
    again = scan(replace(options, measure=False), second).advice
    assert len(runs) == 1
    assert again.calibration is not None
    assert len(again.calibration.measurements) == 2
    assert "calibration_reused" in {notice.code for notice in again.notices}
    scan(replace(options, reuse=False), _Silent())
    assert len(runs) == 2


class Interrupter:
    """Raises KeyboardInterrupt in the n-th call for which `when` holds; else does what it stands for."""

    def __init__(self, call: Callable[..., Any], when: Callable[..., bool], at: int = 1) -> None:
        self.call, self.when, self.left = call, when, at

    def __call__(self, *args: Any, **named: Any) -> Any:
        if self.when(*args, **named):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self.call(*args, **named)


@pytest.mark.parametrize("torch", ["", "2.13.0"])
def test_the_report_does_not_end_with_a_framework_that_is_still_to_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch: str
) -> None:
    found: Fact[str] = Fact(value="2.13.0", status=Status.ok, source="test")
    later: Fact[Any] = Fact(status=Status.not_asked, source="test", reason="not asked yet")
    software = Software(frameworks=(Framework(name="torch", version=found, sees=later),))
    real = detect(ask_frameworks=False).model_copy(update={"software": software, "devices": ()})
    figures = calibrated(1).model_copy(update={"torch_version": torch, "complete": True})
    monkeypatch.setattr("advisor.probe.detect", lambda **_: real)
    monkeypatch.setattr("advisor.probe.add_frameworks", lambda before, *_, **__: before)
    monkeypatch.setattr("advisor.calibrate.run_calibration", lambda *_: iter([figures]))
    machine = scan(ScanOptions(output=tmp_path, formats=("html",)), _Silent()).advice.machine
    assert machine is not None
    sees = machine.software.frameworks[0].sees
    assert (sees.value, sees.reason) == (((), "") if torch else (None, NOTHING_TO_SEE))


def has_figures(*args: Any, **_: object) -> bool:
    return any(isinstance(a, Advice) and a.calibration and a.calibration.measurements for a in args)


class Measuring:
    """A calibration of four figures, the third a training rate; knows whether it was ended."""

    ended = False

    def __call__(self, *_: object) -> Iterator[Calibration]:
        try:
            for count in range(1, 5):
                done = list(calibrated(count).measurements)
                done[2:3] = [m.model_copy(update={"bench": "train_rate"}) for m in done[2:3]]
                yield Calibration(measurements=tuple(done), stopped="running")
        finally:
            self.ended = True


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Measuring:
    it = Measuring()
    monkeypatch.setattr("advisor.calibrate.run_calibration", it)
    return it


@pytest.mark.parametrize(
    ("module", "name", "at", "kept_figures"),
    [(kept, "save_advice", 2, 2), (app_measure, "with_estimates", 1, 3)],
    ids=["while a figure is saved", "while estimates are refined"],
)
def test_an_interrupt_between_two_figures_ends_with_a_report_of_what_there_is(  # noqa: PLR0917
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    measuring: Measuring,
    module: Any,
    name: str,
    at: int,
    kept_figures: int,
) -> None:
    monkeypatch.setattr(module, name, Interrupter(getattr(module, name), has_figures, at))
    listen = _Silent()
    result = scan(ScanOptions(output=tmp_path, formats=("html",)), listen)
    assert measuring.ended
    saved = load_advice(result.folder)
    assert saved.calibration is not None
    assert (saved.stage, len(saved.calibration.measurements)) == ("complete", kept_figures)
    assert (saved.calibration.complete, saved.calibration.stopped) == (False, "interrupted")
    assert (result.folder / "report.html").exists()
    assert [line for line in listen.said if line.startswith("Interrupted")] == [app.KEPT]


@pytest.mark.parametrize("where", ["advisor.probe.add_frameworks", "advisor.calibrate.find_earlier"])
def test_an_interrupt_before_the_first_figure_still_ends_with_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(where, Interrupter(len, lambda *_, **__: True))
    result = scan(ScanOptions(output=tmp_path, formats=("html",), reuse=True), _Silent())
    assert result.advice.calibration is None
    assert "Interrupted before anything was measured." in {n.message for n in result.advice.notices}
    assert any(e.target.here for e in result.advice.estimates)
    assert result.advice.machine is not None
    assert not [f for f in result.advice.machine.software.frameworks if "asked yet" in f.sees.reason]
    assert (result.folder / "report.html").exists()


def test_an_interrupt_of_the_report_tells_where_the_results_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measuring: Measuring
) -> None:
    monkeypatch.setattr("advisor.render.render_report", Interrupter(len, lambda *_, **__: True))
    with pytest.raises(Interrupted) as error:
        scan(ScanOptions(output=tmp_path, formats=("html",)), _Silent())
    [path] = tmp_path.glob("*/advice.json")
    assert error.value.message.endswith(f"the results are in {path}")
    assert (error.value.hint, error.value.exit_code) == (f"hwadvisor report {path}", 130)
    saved = load_advice(path).calibration
    assert measuring.ended
    assert saved is not None
    assert len(saved.measurements) == 4
