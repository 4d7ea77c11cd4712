"""Bottlenecks: each entry of rules/advice told where it holds, and silence where nothing is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sample
from few import shipped_knowledge

from advisor.advice import CODE, bottlenecks
from advisor.rulebook import RuleBook, check_dir
from advisor.schema import Advice, Device, Fact, Grade, Machine, Measurement, Status, Versions


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return shipped_knowledge().book


def known(value: Any) -> Any:
    return Fact(value=value, status=Status.ok, source="test")


def gpu(**facts: Any) -> Device:
    base = {"name": "NVIDIA X", "framework_name": "cuda:0"} | facts
    given = {key: known(value) for key, value in base.items() if value is not None}
    return Device(vendor="nvidia", **given)


def advice_of(*devices: Device, **more: Any) -> Advice:
    machine = Machine(probed_at="2026-01-01T00:00:00Z", devices=devices)
    return Advice(
        stage="probed", created_at="2026-01-01T00:00:00Z", command="probe", versions=Versions(tool="1"),
        machine=machine, **more,
    )  # fmt: skip


def codes(book: RuleBook, advice: Advice) -> list[str]:
    return [notice.code.removeprefix(CODE) for notice in bottlenecks(book, advice)]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"pcie_width_current": 8, "pcie_width_max": 16, "pcie_slot_width": 16}, "pcie_below_slot"),
        ({"compute_capability": "7.5"}, "no_bf16"),
        ({"power_limit_w": 250.0, "power_limit_default_w": 350.0}, "power_cap"),
        ({"throttle_reasons": ("hw_thermal_slowdown",)}, "throttling"),
    ],
)
def test_a_device_that_is_held_back(book: RuleBook, facts: dict[str, Any], code: str) -> None:
    assert codes(book, advice_of(gpu(**facts))) == [code]


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"pcie_width_current": 8, "pcie_width_max": 16},  # what the slot has is not known
        {"pcie_width_current": 8, "pcie_width_max": 16, "pcie_slot_width": 8},
        {"compute_capability": "9.0"},
        {"power_limit_w": 345.0, "power_limit_default_w": 350.0},
        {"throttle_reasons": ("sw_power_cap",)},
    ],
)
def test_what_is_sound_or_not_known_advises_nothing(book: RuleBook, facts: dict[str, Any]) -> None:
    assert codes(book, advice_of(gpu(**facts))) == []


def test_devices_alike_are_told_once(book: RuleBook) -> None:
    told = bottlenecks(book, advice_of(gpu(compute_capability="7.0"), gpu(compute_capability="7.0")))
    assert [notice.message for notice in told] == [
        "2 x NVIDIA X has no bf16 arithmetic (compute capability 7)."
    ]


def test_a_lost_device_is_no_bottleneck(book: RuleBook) -> None:
    lost = gpu(compute_capability="7.0").model_copy(update={"status": Status.lost})
    assert codes(book, advice_of(lost)) == []


def test_text_has_its_figures_and_no_place_is_left(book: RuleBook) -> None:
    advice = sample.gpu_machine()
    machine: Machine = advice.machine if isinstance(advice, Advice) else advice
    told = bottlenecks(book, advice_of(*machine.devices))
    assert any("600 W of the 700 W" in notice.message for notice in told)
    assert not any("{" in notice.message + notice.hint for notice in told)


@pytest.mark.parametrize("made", [sample.cpu_machine, sample.gpu_machine])
def test_whole_advices_are_told_without_a_slip(book: RuleBook, made: Any) -> None:
    told = bottlenecks(book, made())
    assert {notice.code for notice in told} >= {"advice_contended"}
    assert all(notice.hint for notice in told)


@pytest.mark.parametrize(("rate", "told"), [(30.0, True), (30_000.0, False)])
def test_cores_that_cannot_feed_the_devices(book: RuleBook, rate: float, told: bool) -> None:
    advice = sample.gpu_machine()
    calibration = advice.calibration
    assert calibration is not None
    decode = Measurement(
        id="d", bench="image_decode", device="cpu", unit="1/s", value=rate, low=rate, high=rate, grade=Grade.A
    )
    more = calibration.model_copy(update={"measurements": (*calibration.measurements, decode)})
    pictures = [
        w.model_copy(update={"recipe": w.recipe.model_copy(update={"samples": 115e6})})
        if w.model.family == "cnn"
        else w
        for w in advice.workloads
    ]
    again = advice.model_copy(update={"calibration": more, "workloads": tuple(pictures)})
    assert ("data_loading" in codes(book, again)) is told


def test_hostile_names_stay_text(book: RuleBook) -> None:
    told = bottlenecks(book, advice_of(gpu(name="{here_cores} <b>", compute_capability="7.0")))
    assert told[0].message.startswith("{here_cores} <b> has no bf16")


def test_entries_are_checked(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        '[[advice]]\nid = "x"\nwhen = "1 > 0"\ntext = "a {nothing} b"\nremedy = "r"\nsource = "s"\n'
        "cases = [ { given = {}, expect = 1 } ]\n"
    )
    problems = [str(problem) for problem in check_dir(tmp_path)]
    assert any("{nothing}" in problem for problem in problems), problems


def test_every_shipped_entry_has_a_case_that_holds_and_one_that_does_not(book: RuleBook) -> None:
    assert len(book.hints) >= 10
    for hint in book.hints.values():
        expected = {case.expect for case in book.rules[f"advice-{hint.id}"].cases}
        assert expected == {0, 1}, hint.id
