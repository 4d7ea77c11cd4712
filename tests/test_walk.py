"""The walk of a scan where a stage fails: the report is written all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.app import ScanOptions, scan
from advisor.errors import UserError
from advisor.schema import Advice


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
