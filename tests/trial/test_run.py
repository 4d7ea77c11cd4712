"""The child on its leash, with a child of our own making: hangs, crashes, refusals, Ctrl-C."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from advisor.errors import MissingLibrary, UserError
from advisor.trial import run
from advisor.trial.run import Trainer

FAKE = """
import json, os, signal, sys, time
say = lambda **message: print(json.dumps(message), flush=True)
settings = json.loads(sys.stdin.readline())
if TORCH.startswith("hung"):
    if settings["name_calls"]: say(event="asking", kind="cuda")
    time.sleep(60)
say(event="hello", torch=TORCH, trouble="No module named torch", devices=DEVICES, threads=1)
how = json.loads(sys.stdin.readline())["how"]
say(event="start")
if how == "hang at once": time.sleep(60)
say(event="built", parameters=10, trainable=10)
blocks = {"n": 3, "p10": 1.0, "median": 1.0, "p90": 1.0, "best": 1.0}
step = dict(steps=1, memory={}, loss=[1, 1], all=blocks, kept=blocks)
if how != "early": say(event="progress", **step)
if how in ("hang", "early"): time.sleep(60)
if how == "segv": os.kill(os.getpid(), signal.SIGSEGV)
if how == "memory": say(event="failure", status="memory", reason="out of memory: tried 1 GiB", hint="")
say(event="trained", **{**step, "steps": 3})
if how == "hang after": time.sleep(60)
say(event="bye")
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A Trainer over a child that behaves as told."""

    def make(torch: str = "2.0", devices: tuple[str, ...] = (), device: str | None = "cpu") -> Trainer:
        script = tmp_path / "child.py"
        listed = [{"name": name} for name in devices]
        script.write_text(FAKE.replace("TORCH", repr(torch)).replace("DEVICES", repr(listed)))
        monkeypatch.setattr(run, "command", lambda python: [sys.executable, str(script)])
        monkeypatch.setattr(run, "AFTER_S", 0.2)
        monkeypatch.setattr(run, "SPARE_S", 0.0)
        return Trainer(None, device, 1, None)

    return make


def train(trainer: Trainer, how: str, step_s: float = 5.0, build_s: float = 5.0, listen=lambda _m: None):
    with trainer:
        trainer.greet()
        return trainer.train({"how": how}, step_s, build_s, listen)


def test_a_whole_run_gives_its_last_figures(fake) -> None:
    raw = train(fake(), "well")
    assert raw.steps is not None
    assert (raw.steps["steps"], raw.built["parameters"], raw.stopped, raw.failure) == (3, 10, "", None)


def test_a_hang_costs_its_deadline_and_ends_in_one_line(fake) -> None:
    with pytest.raises(UserError, match="did not take a step within 2 s") as caught:
        train(fake(), "hang", step_s=1.5)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message + caught.value.hint
    with pytest.raises(UserError, match="did not build the network"):
        train(fake(), "hang at once", build_s=0.5)


def test_a_hang_after_the_last_step_costs_nothing(fake) -> None:
    raw = train(fake(), "hang after")
    assert raw.steps is not None
    assert raw.steps["steps"] == 3
    assert raw.bandwidth is None


def test_a_crash_ends_in_one_line(fake) -> None:
    with pytest.raises(UserError, match="SIGSEGV") as caught:
        train(fake(), "segv")
    assert caught.value.exit_code == 2


def test_the_childs_own_reason_is_kept(fake) -> None:
    raw = train(fake(), "memory")
    assert raw.failure is not None
    assert raw.failure[:2] == ("memory", "out of memory: tried 1 GiB")


def test_ctrl_c_keeps_what_was_measured_and_without_anything_it_goes_on_up(fake) -> None:
    def at(event: str):
        def interrupt(message: dict) -> None:
            if message["event"] == event:
                raise KeyboardInterrupt

        return interrupt

    raw = train(fake(), "well", listen=at("progress"))
    assert raw.stopped == "interrupted"
    assert raw.steps is not None
    assert raw.steps["steps"] == 1
    with pytest.raises(KeyboardInterrupt):
        train(fake(), "well", listen=at("built"))


def test_a_hung_driver_costs_its_deadline_not_that_of_an_import(
    fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "HELLO_S", 30.0)
    monkeypatch.setattr(run, "driver_s", lambda gpus: 0.2 * gpus)
    with (
        fake(torch="hung", device=None) as trainer,
        pytest.raises(UserError, match=r"within 0\.4 s") as caught,
    ):
        trainer.greet(2)
    assert "driver" in caught.value.message
    assert "--device cpu" in caught.value.hint


def test_no_torch(fake) -> None:
    trainer = fake(torch="")
    with trainer, pytest.raises(MissingLibrary, match="torch cannot be used"):
        trainer.greet()


def test_a_python_that_is_none() -> None:
    with pytest.raises(UserError, match="cannot be started"):
        Trainer("/nowhere/python", "cpu", 1, None)


def test_a_device_that_is_not_there_is_an_error_never_a_cpu_run(fake) -> None:
    with pytest.raises(UserError, match="no such device name"):
        fake(device="gpux")
    with fake(device="cuda") as trainer:
        trainer.greet()
        with pytest.raises(UserError, match="sees no such device"):
            trainer.choose("cuda", probed=False)
        with pytest.raises(UserError, match="does not see it"):
            trainer.choose(None, probed=True)
        assert trainer.choose(None, probed=False) == "cpu"
    with fake(devices=("cuda:0", "cuda:1"), device="cuda:1") as trainer:
        trainer.greet()
        assert trainer.choose("cuda:1", probed=True) == "cuda:1"
        assert trainer.choose("cuda", probed=True) == "cuda:0"
        assert trainer.choose(None, probed=True) == "cuda:0"
