"""What is asked for in other servers than it was estimated in is estimated anew, and verified as such."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "request"))
import made

from advisor.app_estimate import EstimateOptions, EstimateResult, run_estimate
from advisor.app_options import WorkloadFlags
from advisor.cli import cli
from advisor.data.advice import save_advice
from advisor.search.grid import Stated

H100 = "nvidia-h100-sxm5-80gb"


def estimated(hardware: str) -> EstimateResult:
    flags = WorkloadFlags(model="llama-3-70b", tokens=20e9)
    return run_estimate(EstimateOptions(workload=flags, hardware=hardware, stated=Stated(tp=8), traced=True))


def asked(folder: Path, hardware: str, *flags: str) -> dict[str, object]:
    save_advice(estimated(hardware).advice, folder / "advice.json")
    done = CliRunner().invoke(
        cli, ["request", str(folder / "advice.json"), "--slurm", "--json", "--format", "html", *flags]
    )
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("was", "flags", "becomes"),
    [
        ("4 x 8 x", ("--gpus-per-node", "4"), "8 x 4 x"),
        ("8 x 4 x", ("--gpus-per-node", "8"), "4 x 8 x"),
        ("8 x 4 x", (), "8 x 4 x"),
    ],
)
def test_wall_time_is_that_of_the_servers_asked_for(
    tmp_path: Path, was: str, flags: tuple[str, ...], becomes: str
) -> None:
    told = asked(tmp_path, f"{was} {H100}", *flags)
    upper = estimated(f"{becomes} {H100}").one.estimate.quantities["calendar_s"].high
    assert upper is not None
    assert (told["nodes"], told["gpus_per_node"]) == tuple(int(n) for n in becomes.split(" x")[:2])
    assert told["wall_s"] == pytest.approx(upper * 1.1, rel=1e-5)


def test_slower_servers_take_longer_and_the_note_says_whose_time_it_is(tmp_path: Path) -> None:
    small = asked(tmp_path, f"4 x 8 x {H100}", "--gpus-per-node", "4")
    large = asked(tmp_path, f"4 x 8 x {H100}")
    assert small["wall_s"] > large["wall_s"]  # type: ignore[operator]
    assert "Layout and time are those of nodes of 4 devices." in small["notes"]  # type: ignore[operator]
    assert not any("expect it to be slower" in note for note in small["notes"])  # type: ignore[attr-defined]


def test_an_option_of_a_plan_is_estimated_anew_too(tmp_path: Path) -> None:
    one = estimated(f"4 x 8 x {H100}")
    held = one.advice
    option = made.plan().plan.options[0].model_copy(
        update={"accelerator_id": H100, "label": f"32 x {H100}", "devices": 32, "packages": 32.0,
                "choices": one.one.estimate.choices, "quantities": one.one.estimate.quantities}
    )  # fmt: skip
    plan = made.plan().plan.model_copy(update={"workload": held.workloads[0].id, "options": (option,)})
    save_advice(held.model_copy(update={"estimates": (), "plan": plan}), tmp_path / "advice.json")
    done = CliRunner().invoke(cli, ["request", str(tmp_path / "advice.json"), "--slurm", "--json", "--format",
                                    "html", "--gpus-per-node", "4"])  # fmt: skip
    assert done.exit_code == 0, (done.output, done.exception)
    assert json.loads(done.stdout)["wall_s"] == pytest.approx(
        estimated(f"8 x 4 x {H100}").one.estimate.quantities["calendar_s"].high * 1.1, rel=1e-5
    )
