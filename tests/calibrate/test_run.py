"""The whole run with a child of our own making: what is kept when benches hang, crash or lose the device."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from advisor.calibrate import run, start
from advisor.calibrate.options import CalibrateOptions, Event
from advisor.calibrate.plan import Test
from advisor.calibrate.run import run_calibration
from advisor.errors import UserError
from advisor.schema import Cpu, Fact, Grade, Machine, Status

MACHINE = Machine(probed_at="", cpu=Cpu(budget_threads=Fact(value=2, status=Status.ok)))

FAKE = """
import json, os, signal, sys, time
say = lambda **message: print(json.dumps(message), flush=True)
json.loads(sys.stdin.readline())
devices = [{"name": n, "title": "Card", "uuid": "GPU-" + n, "total_bytes": 1} for n in DEVICES]
trouble = "" if TORCH else "No module named torch"
say(event="hello", python=sys.executable, torch=TORCH, trouble=trouble, devices=devices, threads=2)
calm = {"refused": "", "busy_before": False, "calls_per_block": 1, "wall_s": 1.0, "run_delay_fraction": 0.0,
        "filtered": True, "delay_method": "schedstat", "steal_fraction": 0.0, "throttled_fraction": 0.0}
for test in json.loads(sys.stdin.readline())["tests"]:
    say(event="start", id=test["id"])
    how = test["params"].get("how", "well")
    if how == "hang": time.sleep(60)
    if how == "waits":
        say(event="waiting", id=test["id"], left_s=4.0)
        time.sleep(0.6)  # more than the wall limit of a test
        say(event="measuring", id=test["id"], waited_s=3.0, quiet=True)
    if how == "threads":
        say(event="threads", id=test["id"], threads=2, tried={"1": 0.02, "2": 0.03}, disturbed=True)
        say(event="done", id=test["id"])
        continue
    if how == "segv": os.kill(os.getpid(), signal.SIGSEGV)
    fail = {"event": "failure", "id": test["id"], "hint": ""}
    if how == "unable":
        say(**fail, status="not_supported", reason="no such type", device_lost=False)
        continue
    if how == "lost":
        say(**fail, status="failed", reason="CUDA error: " + test["params"].get("text", ""), device_lost=True)
        os._exit(70)
    for layers in test["params"].get("depths", [0]):
        blocks = {"n": 20, **dict.fromkeys(("p10", "median", "p90", "best"), 1.0 + layers)}
        params = {"layers": layers, "flops": layers * 1e9} if layers else {}
        say(event="result", id=test["id"], suffix=f"L{layers}" if layers else "", unit="s", work=None,
            warnings=[], params=params, all=blocks, kept=blocks, **calm)
    say(event="done", id=test["id"])
say(event="bye")
"""


def planned(*hows: str, device: str = "cpu", **more) -> list[Test]:
    return [
        Test("matmul", device, {"how": how, "n": n, **more}, f"Doing {how}", f"{n}.{how}", {}, 0.1, 0.5)
        for n, how in enumerate(hows)
    ]


@pytest.fixture
def calibrate(tmp_path, monkeypatch):
    """Runs a plan in the fake child; returns all snapshots and events."""

    def go(tests, devices=(), torch="2.13.0", machine=MACHINE, **options):
        script = tmp_path / "fake.py"
        script.write_text(f"DEVICES = {list(devices)!r}\nTORCH = {torch!r}\n{FAKE}")
        monkeypatch.setattr(start, "bench_command", lambda _python: [sys.executable, str(script)])
        monkeypatch.setattr(run, "make_plan", lambda *_a, **_k: list(tests))
        events: list[Event] = []
        snapshots = list(run_calibration(machine, CalibrateOptions(mode="quick", **options), events.append))
        return snapshots, events

    return go


def test_every_figure_yields_a_snapshot_and_the_last_one_is_complete(calibrate):
    snapshots, events = calibrate(planned("well", "well", "well"))
    assert [len(s.measurements) for s in snapshots] == [1, 2, 3, 3]
    assert [s.complete for s in snapshots] == [False, False, False, True]
    assert (snapshots[0].stopped, snapshots[-1].stopped) == ("running", "")
    assert snapshots[-1].measurements[0].grade is Grade.A
    assert [e.kind for e in events] == ["start", "result"] * 3 + ["end"]
    assert [(e.done, e.total) for e in events][-1] == (3, 3)
    assert events[0].text == "Doing well"
    assert events[0].seconds_left > events[-1].seconds_left == 0.0


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("segv", Status.failed, "SIGSEGV"),
        ("unable", Status.not_supported, "no such type"),
        ("hang", Status.timeout, "did not finish within"),
    ],
)
def test_a_bench_that_goes_wrong_costs_itself_alone(calibrate, monkeypatch, how, status, said):
    quick = run.PACES["quick"]
    monkeypatch.setitem(run.PACES, "quick", type(quick)(**{**vars(quick), "gate_wait_s": 0.0}))
    begun = time.monotonic()
    snapshots, events = calibrate(planned("well", how, "well"))
    last = snapshots[-1]
    assert last.complete
    assert [m.params["how"] for m in last.measurements] == ["well", "well"]
    [failure] = last.failures
    assert (failure.status, failure.id) == (status, f"matmul.1.{how}.cpu")
    assert said in failure.reason
    assert time.monotonic() - begun < 10
    assert next(e.text for e in events if e.kind == "failure").startswith(f"Doing {how}: ")


def test_waiting_for_others_is_told_and_is_no_hang(calibrate):
    snapshots, events = calibrate(planned("waits", "well"))
    assert len(snapshots[-1].measurements) == 2
    waiting = next(e for e in events if e.kind == "waiting")
    assert waiting.text == "Waiting for other programs (at most 4 s)"
    following = events[events.index(waiting) + 1]
    assert (following.kind, following.text) == ("start", "Doing waits")


def test_what_is_left_of_the_waiting_budget_goes_to_the_next_child(calibrate, monkeypatch):
    told = []
    real = start.Starter.start

    def note(self, threads, gate_wait_s=None):
        told.append(gate_wait_s)
        return real(self, threads, gate_wait_s)

    monkeypatch.setattr(start.Starter, "start", note)
    quick = run.PACES["quick"]
    monkeypatch.setitem(run.PACES, "quick", type(quick)(**{**vars(quick), "gate_wait_s": 5.0}))
    calibrate(planned("waits", "segv", "well"))
    assert told == [5.0, 2.0]


def test_a_disturbed_choice_of_threads_is_told(calibrate):
    last = calibrate([Test("pick_threads", "cpu", {"how": "threads"}, "Trying")])[0][-1]
    assert [n.code for n in last.notices] == ["threads_disturbed"]
    assert "disturbed (1: 20.0 ms, 2: 30.0 ms), so all 2 are used" in last.notices[0].message


def test_what_is_not_planned_is_told_with_its_reason_and_not_run(calibrate):
    skipped = Test("matmul", "cpu", {"how": "hang"}, "Multiplying", "fp16", skip="no such arithmetic")
    last = calibrate([skipped, *planned("well")])[0][-1]
    assert [(f.id, f.status, f.reason) for f in last.failures] == [
        ("matmul.fp16.cpu", Status.not_asked, "no such arithmetic")
    ]
    assert len(last.measurements) == 1


def test_a_device_that_keeps_crashing_is_left_alone_and_the_others_go_on(calibrate):
    tests = [
        *planned("segv", "segv", "well", "well", device="cuda:0"),
        *planned("well", device="cuda:1"),
    ]
    last = calibrate(tests, devices=["cuda:0", "cuda:1"])[0][-1]
    assert [m.device for m in last.measurements] == ["cuda:1"]
    assert [f.status for f in last.failures] == [Status.failed, Status.failed, Status.lost, Status.lost]


def test_a_lost_context_needs_a_new_child_and_an_ecc_error_ends_the_device(calibrate):
    again = calibrate([*planned("lost", "well", device="cuda:0")], devices=["cuda:0"])[0][-1]
    assert (len(again.measurements), len(again.failures)) == (1, 1)
    tests = planned("lost", "well", device="cuda:0", text="uncorrectable ECC error encountered")
    ended = calibrate(tests, devices=["cuda:0"])[0][-1]
    assert (len(ended.measurements), [f.status for f in ended.failures]) == (0, [Status.failed, Status.lost])


def test_two_depths_give_the_training_rate(calibrate):
    test = Test(
        "train_step", "cpu", {"family": "cnn", "dtype": "fp32", "depths": [2, 6]}, "Training", "cnn.fp32"
    )
    snapshots, _ = calibrate([test])
    rate = snapshots[-1].measurements[-1]
    assert (rate.bench, rate.value) == ("train_rate", pytest.approx(4e9 / 4.0))
    assert len(snapshots[-1].measurements) == 3


def test_without_torch_what_needs_none_is_measured_and_the_rest_explained(calibrate):
    tests = [*planned("well", "well"), Test("disk_read", "disk", {}, "Reading")]
    last = calibrate(tests, torch="")[0][-1]
    assert [m.bench for m in last.measurements] == ["disk_read"]
    assert [(f.bench, f.status) for f in last.failures] == [("matmul", Status.lib_missing)]
    assert last.notices[0].code == "no_torch"


def test_only_the_benches_asked_for(calibrate):
    tests = [*planned("well"), Test("disk_read", "disk", {}, "Reading")]
    assert [m.bench for m in calibrate(tests, only=("disk_read",))[0][-1].measurements] == ["disk_read"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"only": ("matmull",)}, "unknown bench matmull"),
        ({"device": "cuda"}, "sees no such device"),
        ({"device": "gpu"}, "no such device name"),
    ],
)
def test_wrong_options_are_one_line_with_a_hint(calibrate, options, said):
    with pytest.raises(UserError, match=said) as error:
        calibrate(planned("well"), **options)
    assert error.value.hint


def test_a_python_that_cannot_be_started_is_a_user_error():
    options = CalibrateOptions(python="/no/such/python")
    with pytest.raises(UserError, match="cannot be started"):
        next(run_calibration(MACHINE, options))


def test_ctrl_c_kills_the_child_and_keeps_what_was_measured(tmp_path, monkeypatch):
    script = tmp_path / "fake.py"
    mark = tmp_path / "pid"
    script.write_text(
        f"import os\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\nDEVICES = []\nTORCH = '2'\n{FAKE}"
    )
    monkeypatch.setattr(start, "bench_command", lambda _python: [sys.executable, str(script)])
    monkeypatch.setattr(run, "make_plan", lambda *_a, **_k: planned("well", "hang"))

    def interrupt(event):
        if event.text == "Doing hang":
            raise KeyboardInterrupt

    kept = []
    with pytest.raises(KeyboardInterrupt):
        for snapshot in run_calibration(MACHINE, CalibrateOptions(mode="quick"), interrupt):
            kept.append(snapshot)
    assert len(kept[-1].measurements) == 1
    assert not kept[-1].complete
    assert not Path(f"/proc/{mark.read_text()}").exists() or not Path("/proc").exists()


def test_snapshots_are_json_of_modest_size(calibrate):
    snapshots, _ = calibrate(planned(*["well"] * 20))
    text = snapshots[-1].model_dump_json()
    assert len(json.loads(text)["measurements"]) == 20
    assert len(text) < 40_000


@pytest.mark.slow
def test_a_real_brief_run_on_this_machine(tmp_path):
    """The true child, true torch: a matrix product and a disk read, whatever else this machine is doing."""
    pytest.importorskip("torch", reason="torch is not installed")
    options = CalibrateOptions(
        mode="quick", device="cpu", workdir=tmp_path, only=("launch_latency", "parallel_task")
    )
    last = list(run_calibration(MACHINE, options))[-1]
    assert last.complete
    assert {m.bench for m in last.measurements} == {"parallel_task"}
    assert last.torch_version
    for figure in last.measurements:
        assert (figure.value is None) == (figure.grade is Grade.C)
        ends = [end for end in (figure.low, figure.high) if end is not None]  # beside others one is open
        assert ends == sorted(ends)
        assert all(end > 0 for end in ends)
        assert figure.value is None or figure.low <= figure.value <= figure.high


def test_a_named_python_whose_torch_is_broken_is_a_user_error(calibrate):
    with pytest.raises(UserError, match="torch cannot be used: No module named torch") as error:
        calibrate(planned("well"), torch="", python=sys.executable)
    assert "pip install torch" in error.value.hint
