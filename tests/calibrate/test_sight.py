"""What the report says that torch sees, where only the calibration imported it."""

from __future__ import annotations

import pytest

from advisor.calibrate.sight import NOTHING_TO_SEE, as_measured, never_asked
from advisor.schema import Calibration, Device, Fact, Framework, Machine, Notice, Software, Status

LATER: Fact = Fact(status=Status.not_asked, source="import torch", reason="not asked yet")
HIDDEN = (Notice(code="left_out", message="Accelerators were left out"),)


def machine(sees: Fact = LATER, devices: tuple[Device, ...] = ()) -> Machine:
    torch = Framework(name="torch", version=Fact(value="2.13.0", status=Status.ok), sees=sees)
    absent = Framework(name="jax", sees=Fact(status=Status.absent, reason="not installed"))
    return Machine(probed_at="", software=Software(frameworks=(torch, absent)), devices=devices)


def sight(found: Machine) -> Fact:
    return found.software.frameworks[0].sees


def measured(**more) -> Calibration:
    return Calibration(**({"torch_version": "2.13.0", "devices": {"cpu": "EPYC"}} | more))


def test_a_framework_that_will_not_be_asked_says_why():
    told = never_asked(machine(), NOTHING_TO_SEE)
    assert (sight(told).status, sight(told).reason) == (Status.not_asked, NOTHING_TO_SEE)
    assert told.software.frameworks[1].sees.reason == "not installed"


def test_what_torch_saw_while_measuring_is_known():
    none = sight(as_measured(machine(), measured()))
    assert (none.value, none.status) == ((), Status.ok)
    assert none.source == "torch 2.13.0, imported to measure"
    one = sight(as_measured(machine(), measured(devices={"cpu": "EPYC", "xpu:0": "Arc"})))
    assert [(d.name, d.device_name) for d in one.value] == [("xpu:0", "Arc")]


@pytest.mark.parametrize(
    ("before", "calibration"),
    [
        (machine(), measured(torch_version="")),
        (machine(), measured(notices=HIDDEN)),
        (machine(Fact(value=(), status=Status.ok)), measured(devices={"cpu": "", "cuda:0": "H100"})),
        (machine(devices=(Device(vendor="nvidia"),)), measured(devices={"cpu": "", "cuda:0": "H100"})),
    ],
    ids=["no torch", "accelerators hidden", "asked before", "devices not matched"],
)
def test_nothing_is_made_up_where_it_is_not_known(before, calibration):
    assert as_measured(before, calibration) == before
