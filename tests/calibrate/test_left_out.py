"""A driver that hangs and a torch that crashes cost what needs them, not the whole calibration."""

from __future__ import annotations

import sys

import pytest

from advisor.calibrate import environment, join, run, start
from advisor.calibrate.options import CalibrateOptions
from advisor.calibrate.plan import Test
from advisor.calibrate.run import run_calibration
from advisor.errors import UserError
from advisor.schema import Cpu, Fact, Framework, Machine, Memory, Software, Status


def known(value):
    return Fact(value=value, status=Status.ok)


MACHINE = Machine(probed_at="", cpu=Cpu(budget_threads=known(2)))
TESTS = [Test("disk_read", "disk", {}, "Reading"), Test("matmul", "cpu", {}, "Multiplying")]
FAKE = """
import json, os, sys, time
settings = json.loads(sys.stdin.readline())
say = lambda **message: print(json.dumps(message), flush=True)
if settings["hide"] not in FINE:
    HOW
assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
torch = "" if settings["hide"] == "torch" else "2.13.0"
say(event="hello", python=sys.executable, torch=torch, trouble=settings["hide_reason"], devices=[], threads=2)
for test in json.loads(sys.stdin.readline())["tests"]:
    say(event="start", id=test["id"])
    say(event="done", id=test["id"])
say(event="bye")
"""


@pytest.fixture
def calibrate(tmp_path, monkeypatch):
    def go(fine, how, machine=MACHINE, hello_s=1.0, **options):
        script = tmp_path / "fake.py"
        script.write_text(FAKE.replace("FINE", repr(fine)).replace("HOW", how))
        monkeypatch.setattr(start, "bench_command", lambda _python: [sys.executable, str(script)])
        monkeypatch.setattr(run, "make_plan", lambda *_a, **_k: list(TESTS))
        monkeypatch.setattr(start, "HELLO_S", hello_s)
        return list(run_calibration(machine, CalibrateOptions(mode="quick", **options)))[-1]

    return go


def test_a_driver_that_hangs_costs_the_accelerators_alone(calibrate):
    last = calibrate(("accelerators",), "time.sleep(60)")
    assert (last.complete, last.failures) == (True, ())
    assert "did not import torch" in last.notices[0].message


def test_a_driver_call_that_hangs_costs_its_own_deadline(calibrate, monkeypatch):
    monkeypatch.setattr(environment, "DRIVER_S", 0.3)
    hang = 'say(event="asking", kind="cuda"); time.sleep(60)'
    last = calibrate(("accelerators",), hang, hello_s=30.0)
    assert (last.complete, last.failures) == (True, ())
    assert "got no answer from the GPU's driver within 0.3 s" in last.notices[0].message


def test_what_hung_in_the_probe_is_not_asked_again(calibrate, monkeypatch, tmp_path):
    late = "no answer within 5 s in torch.cuda.init()"
    sees = Fact(status=Status.timeout, source="import torch", reason=late)
    software = Software(frameworks=(Framework(name="torch", sees=sees),))
    asked = tmp_path / "asked"
    last = calibrate(
        ("accelerators",),
        f"open({str(asked)!r}, 'w')",
        machine=MACHINE.model_copy(update={"software": software}),
    )
    assert (last.complete, last.failures) == (True, ())
    assert late in last.notices[0].message
    assert len(last.notices) == 1
    assert not asked.exists()


def test_a_torch_that_crashes_leaves_what_needs_none(calibrate):
    last = calibrate(("torch",), "os.abort()")
    assert last.complete
    assert [(f.bench, f.status) for f in last.failures] == [("matmul", Status.lib_missing)]
    assert "SIGABRT" in last.failures[0].reason


def test_a_device_asked_for_by_name_is_not_silently_left_out(calibrate):
    with pytest.raises(UserError, match="SIGABRT"):
        calibrate(("torch", "accelerators"), "os.abort()", device="cuda:0")


def test_what_a_container_already_uses_is_not_free():
    memory = Memory(
        available_bytes=known(60_000),
        usable_bytes=known(8_000),
        cgroup_limit_bytes=known(8_000),
        cgroup_used_bytes=known(7_000),
    )
    assert join.host_free(MACHINE.model_copy(update={"memory": memory})) == 1_000
