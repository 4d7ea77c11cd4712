"""Rules of a user's own that change step times: no correction by residuals of other rules, and it is told."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from advisor.app import load_knowledge
from advisor.app_estimate import EstimateOptions, EstimateResult, run_estimate
from advisor.app_options import WorkloadFlags
from advisor.search.nearby import own_time_rules

CONSTANT = """
[[constant]]
id = "{name}"
value = {value}
unit = "{unit}"
text = "of our own"
source = "measured by us"
"""


def rules(folder: Path, name: str, value: float, unit: str = "1") -> Path:
    (folder / "constants").mkdir(parents=True)
    text = CONSTANT.format(name=name, value=value, unit=unit)
    (folder / "constants" / "mine.toml").write_text(text, encoding="utf-8")
    return folder


def estimated(*folders: Path) -> EstimateResult:
    flags = WorkloadFlags(model="llama-3-8b", method="full", tokens=1e8)
    return run_estimate(EstimateOptions(workload=flags, hardware="8 x nvidia-h100-sxm5-80gb", rules=folders))


def spread(result: EstimateResult) -> float:
    time = result.one.estimate.quantities["time_s"]
    assert time.low and time.high
    return math.log(time.high / time.low)


def test_shipped_rules_have_nothing_of_ones_own() -> None:
    assert own_time_rules(load_knowledge().book) == ()


def test_an_own_time_constant_is_told_and_not_corrected(tmp_path: Path) -> None:
    own, shipped = estimated(rules(tmp_path / "own", "overlap_power", 2.5)), estimated()
    told = [notice.message for notice in own.advice.notices if notice.code == "own_time_rules"]
    assert len(told) == 1
    assert told[0].startswith("Rules of your own: constant overlap_power (mine.toml).")
    assert own.one.estimate.near == () != shipped.one.estimate.near
    assert spread(own) > spread(shipped)
    quantities = own.one.estimate.quantities
    step, time = (quantities[name].value or 0 for name in ("optimizer_step_s", "time_s"))
    assert step > 0 and time > 0


def test_an_own_constant_of_the_memory_or_the_prices_leaves_times_alone(tmp_path: Path) -> None:
    own, shipped = estimated(rules(tmp_path / "own", "host_buffers", 1.2)), estimated()
    assert "own_time_rules" not in {notice.code for notice in own.advice.notices}
    assert own.one.estimate.near == shipped.one.estimate.near
    mine, theirs = (each.one.estimate.quantities["time_s"].value for each in (own, shipped))
    assert mine == pytest.approx(theirs)


def test_an_own_rule_beside_the_shipped_counts_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    (folder / "time").mkdir(parents=True)
    (folder / "time" / "more.toml").write_text(
        '[[rule]]\nid = "wants-16-bit"\ngives = "wants_16bit"\nunit = "1"\nexpr = "1"\n'
        'why = "always"\nsource = "us"\ncases = [{ given = {}, expect = 1 }]\n',
        encoding="utf-8",
    )
    assert own_time_rules(load_knowledge((folder,)).book) == ("rule wants-16-bit (more.toml)",)
