"""Number formats that a device lacks: refused where stated, told where open."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.app import Knowledge
from advisor.app_estimate import EstimateOptions, run_estimate
from advisor.app_options import WorkloadFlags
from advisor.errors import UserError
from advisor.estimate.inputs import of_accelerator
from advisor.schema import PlanLimits
from advisor.search import workload_from_flags
from advisor.search.formats import LACKING
from advisor.search.grid import Stated
from advisor.search.one import One
from advisor.search.plan import plan

_PEAK = {"bf16": "bf16", "tf32": "tf32", "fp16": "fp16", "fp8": "fp8", "mxfp8": "fp4", "nvfp4": "fp4"}


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return shipped_knowledge()


def estimated(hardware: str, precision: str | None) -> One:
    flags = WorkloadFlags(model="bert-base", tokens=1e7, precision=precision)
    return run_estimate(EstimateOptions(workload=flags, hardware=hardware)).one


@pytest.mark.parametrize(
    ("hardware", "precision", "told", "instead"),
    [
        ("8 x nvidia-v100-sxm2-32gb", "bf16_mixed", "V100.* has no bf16", "fp16_mixed"),
        ("huawei-ascend-910a-32gb", "bf16_mixed", "910A.* has no bf16", "fp16_mixed"),
        ("nvidia-t4-16gb", "bf16", "T4.* has no bf16", "fp16_mixed"),
        ("nvidia-v100-sxm2-32gb", "tf32", "V100.* has no tf32", "fp32"),
        ("google-tpu-v4", "fp16_mixed", "v4.* has no fp16", "bf16_mixed"),
        ("nvidia-k80-24gb", "bf16_mixed", "K80.* has no bf16", "fp32"),
        ("nvidia-a100-sxm4-80gb", "fp8_mixed", "A100.* has no fp8", "bf16_mixed"),
        ("nvidia-v100-sxm2-32gb", "fp8_mixed", "V100.* has no fp8", "fp16_mixed"),
        ("nvidia-h100-sxm5-80gb", "mxfp8_mixed", "H100.* has no mxfp8", "fp8_mixed"),
        ("nvidia-l40s-48gb", "nvfp4_mixed", "L40S.* has no nvfp4", "fp8_mixed"),
        ("cpu-amd-epyc-9654", "fp8_mixed", "has no fp8", "bf16_mixed"),
    ],
)
def test_a_stated_precision_that_is_not_there_is_refused(
    hardware: str, precision: str, told: str, instead: str
) -> None:
    with pytest.raises(UserError, match=told) as refused:
        estimated(hardware, precision)
    assert instead in refused.value.hint


@pytest.mark.parametrize(
    ("hardware", "precision"),
    [("nvidia-h100-sxm5-80gb", "fp8_mixed"), ("nvidia-b200-sxm-180gb", "nvfp4_mixed"),
     ("amd-mi300x-192gb", "fp8_mixed"), ("intel-gaudi2-96gb", "fp8_mixed")],
)  # fmt: skip
def test_eight_bits_where_they_are(hardware: str, precision: str) -> None:
    assert estimated(hardware, precision).estimate.choices["precision"] == precision


def test_one_that_is_there_is_taken() -> None:
    found = estimated("nvidia-v100-sxm2-32gb", "fp16_mixed")
    assert found.estimate.choices["precision"] == "fp16_mixed"
    assert "precision" not in {one.name for one in found.assumed}


@pytest.mark.parametrize("stack", ["megatron", "torch"])
def test_an_open_precision_that_falls_to_fp16_has_its_memory(stack: str) -> None:
    """Megatron's optimizer holds gradients of fp16 in fp32 as well, and sums those of bf16 there."""

    def memory(precision: str | None) -> float:
        flags = WorkloadFlags(model="gpt2-124m", tokens=1e7, precision=precision, stack=stack)
        stated = Stated(micro_batch=8, recompute="none")
        options = EstimateOptions(workload=flags, hardware="nvidia-v100-sxm2-32gb", stated=stated)
        return run_estimate(options).one.estimate.quantities["memory_bytes"].value or 0.0

    assert memory(None) == memory("fp16_mixed") > 0


def test_what_is_assumed_is_what_the_layout_says() -> None:
    for hardware, why in (("apple-m1-max-64gb", "fp16 rate"), ("nvidia-v100-sxm2-32gb", "has no bf16")):
        found = estimated(hardware, None)
        assumed = {one.name: one for one in found.assumed}["precision"]
        assert assumed.value == found.estimate.choices["precision"] == "fp16_mixed"
        assert why in assumed.source


def test_a_format_without_a_known_peak_is_kept_and_told() -> None:
    found = estimated("amd-mi100-32gb", "bf16_mixed")
    assert found.estimate.choices["precision"] == "bf16_mixed"
    assert any("fp16 rate is taken" in note for note in found.estimate.notes)


def test_a_plan_says_which_options_compute_in_another_format(knowledge: Knowledge) -> None:
    job = workload_from_flags(knowledge.catalogue, "llama-3-8b", tokens=1e7, method="lora")
    assert job.recipe.precision == "bf16_mixed" and "precision" not in job.recipe.stated
    only = ("nvidia-v100-sxm2-32gb", "nvidia-a100-sxm4-80gb")
    found = plan(knowledge.book, knowledge.catalogue, job, PlanLimits(only=only), knowledge.published)
    told = {option.accelerator_id: option.choices.get("precision") for option in found.options}
    assert told == {only[0]: "fp16_mixed", only[1]: None}


def test_a_plan_says_at_which_rate_a_stated_format_is_counted(knowledge: Knowledge) -> None:
    job = workload_from_flags(knowledge.catalogue, "bert-base", tokens=1e7, precision="bf16_mixed")
    limits = PlanLimits(only=("amd-mi100-32gb", "nvidia-a100-sxm4-80gb"))
    found = plan(knowledge.book, knowledge.catalogue, job, limits, knowledge.published)
    told = {option.accelerator_id: option.choices for option in found.options}
    assert told["amd-mi100-32gb"]["arithmetic"] == "fp16"
    assert "arithmetic" not in told["nvidia-a100-sxm4-80gb"]
    assert not any("precision" in choices for choices in told.values()), "as asked for"


def test_what_is_said_to_be_lacking_has_no_peak_in_the_catalogue(knowledge: Knowledge) -> None:
    generations = {entry.generation for entry in knowledge.catalogue.accelerators.values()}
    assert set(LACKING) - {"cpu"} <= generations
    for entry in knowledge.catalogue.accelerators.values():
        values = of_accelerator(entry).values
        for name in LACKING.get(entry.generation, ()):
            assert values[f"hw_peak_{_PEAK[name]}"] is None, (entry.id, name)
