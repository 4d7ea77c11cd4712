"""--stack of plan, estimate and scan: a program by name changes what is compared, a wrong one is an error."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from advisor.cli import cli
from advisor.cli.failures import run_guarded

H100 = "nvidia-h100-sxm5-80gb"
ESTIMATE = (
    "estimate", "--model", "llama-3-8b", "--method", "full", "--hardware", f"8 x {H100}", "--batch", "128",
    "--seq-len", "8192",
)  # fmt: skip
PLAN = (
    "plan", "--model", "llama-3-8b", "--method", "full", "--tokens", "1B", "--only", H100,
    "--max-devices", "8",
)  # fmt: skip


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Exit code, stdout and stderr of `hwadvisor ARGS`."""

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hwadvisor", *arguments])
        code = run_guarded(cli)
        return code, *capsys.readouterr()

    return command


def test_a_named_program_is_kept_and_meets_its_own_runs(run: Run) -> None:
    nobody, named = (
        json.loads(run(*ESTIMATE, "--json", *more)[1])["estimates"][0] for more in ((), ("--stack", "nemo"))
    )
    assert "program" not in nobody["choices"]
    assert (named["choices"]["stack"], named["choices"]["program"]) == ("megatron", "nemo")
    assert all(run["id"].startswith(("dgxc", "nemo", "mbridge")) for run in named["near"])


def test_a_plan_takes_the_program_for_every_layout(run: Run) -> None:
    plan = json.loads(run(*PLAN, "--json", "--stack", "torchtitan")[1])["plan"]
    assert plan["scaling"]
    for step in plan["scaling"]:
        choices = step["option"]["choices"]
        assert (choices["stack"], choices["program"]) == ("torch", "torchtitan")


@pytest.mark.parametrize("command", [ESTIMATE, PLAN, ("scan", "--model", "gpt2-124m", "--no-calibrate")])
def test_an_unknown_program_is_an_error_with_the_nearest(run: Run, command: tuple[str, ...]) -> None:
    code, _, err = run(*command, "--stack", "torchtitn")
    assert code == 2
    assert "torchtitan" in err


def test_a_stack_without_a_network_is_a_usage_error(run: Run) -> None:
    code, _, err = run("scan", "--stack", "nemo")
    assert code == 2
    assert "need --model or --params" in err
