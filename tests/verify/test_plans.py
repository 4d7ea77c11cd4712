"""Plans are made again from what their file holds: the program that was named, and the deadline."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from held import at

from advisor.app_knowledge import Knowledge
from advisor.app_options import WorkloadFlags
from advisor.app_plan import PlanOptions, run_plan
from advisor.schema import Advice, PlanLimits
from advisor.verify import verify


@pytest.fixture(scope="module")
def named() -> Advice:
    """A plan for a program that has published runs of its own."""
    flags = WorkloadFlags(model="llama-3-8b", method="full", tokens=1e9, stack="nemo")
    limits = PlanLimits(only=("nvidia-h100-sxm5-80gb",), max_devices=8, as_of="2026-11-21")
    return run_plan(PlanOptions(flags, limits)).advice


def test_a_plan_for_a_named_program_is_sound(named: Advice, knowledge: Knowledge, tmp_path: Path) -> None:
    assert named.plan is not None and named.plan.options
    assert named.plan.options[0].choices["program"] == "nemo"
    verdict = verify(at(tmp_path, named), knowledge)
    assert verdict.sound and verdict.again is not None and verdict.again.figures > 10


def test_a_program_that_is_taken_out_of_the_file_is_found(
    named: Advice, knowledge: Knowledge, tmp_path: Path
) -> None:
    (job,) = named.workloads
    other = job.recipe.model_copy(update={"stack": "torch", "program": ""})
    edited = named.model_copy(update={"workloads": (job.model_copy(update={"recipe": other}),)})
    assert verify(at(tmp_path, edited), knowledge).judged != "sound"


def test_a_stated_deadline_is_that_of_the_workload_in_the_file(tmp_path: Path, knowledge: Knowledge) -> None:
    flags = WorkloadFlags(model="gpt2-124m", tokens=1e9)
    limits = PlanLimits(only=("nvidia-h100-sxm5-80gb",), max_devices=2, deadline_days=3, as_of="2026-11-21")
    advice = run_plan(PlanOptions(flags, limits)).advice
    assert advice.workloads[0].deadline_days == 3
    assert verify(at(tmp_path, advice), knowledge).sound
