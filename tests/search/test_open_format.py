"""A precision that nobody states: where it lands, why, and that stating the same changes nothing."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.app import Knowledge
from advisor.app_estimate import EstimateOptions, run_estimate
from advisor.app_options import WorkloadFlags
from advisor.schema import PlanLimits, PlanOption
from advisor.search import estimates_catalogue, workload_from_flags
from advisor.search.grid import Stated
from advisor.search.one import One
from advisor.search.plan import plan

_NAMES = {
    "bf16_mixed": (
        "nvidia-a100-sxm4-80gb nvidia-h100-sxm5-80gb nvidia-rtx-4090-24gb google-tpu-v4 intel-gaudi1-32gb"
    ),
    "fp16_mixed": (
        "nvidia-t4-16gb nvidia-v100-sxm2-32gb nvidia-rtx-2080-ti-11gb amd-mi100-32gb amd-rx-7900-xtx-24gb"
        " huawei-ascend-910a-32gb apple-m2-max-96gb"
    ),
    "fp32": (
        "nvidia-gtx-1080-ti-11gb nvidia-gtx-1080-8gb nvidia-k80-24gb nvidia-titan-x-maxwell-12gb"
        " nvidia-jetson-agx-orin-64gb intel-max-1100-48gb cpu-amd-epyc-7742"
    ),
}
LANDS = {name: lands for lands, names in _NAMES.items() for name in names.split()}
"""Some of each generation, and what its known peaks are of."""


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return shipped_knowledge()


def estimated(
    hardware: str, precision: str | None, model: str = "gpt2-124m", method: str | None = None
) -> One:
    flags = WorkloadFlags(model=model, tokens=1e7, batch=32, precision=precision, method=method)
    stated = Stated(micro_batch=1)
    return run_estimate(EstimateOptions(workload=flags, hardware=hardware, stated=stated)).one


@pytest.mark.parametrize(("hardware", "lands"), LANDS.items())
def test_stating_what_is_taken_changes_nothing(hardware: str, lands: str) -> None:
    left, said = estimated(hardware, None).estimate, estimated(hardware, lands).estimate
    assert left.choices == said.choices
    assert left.choices["precision"] == lands
    assert left.quantities["time_s"].value
    for name in ("time_s", "memory_bytes"):
        one, other = left.quantities[name], said.quantities[name]
        assert (one.value, one.low, one.high) == (other.value, other.low, other.high), name


def test_adapters_keep_their_weights_in_16_bit_where_fp32_is_as_fast() -> None:
    left = estimated("nvidia-gtx-1080-ti-11gb", None, method="lora").estimate
    said = estimated("nvidia-gtx-1080-ti-11gb", "fp16_mixed", method="lora").estimate
    assert left.choices["precision"] == "fp16_mixed"
    assert left.choices["arithmetic"] == "fp32"
    assert left.quantities["memory_bytes"].value == said.quantities["memory_bytes"].value


@pytest.mark.parametrize(
    ("hardware", "why"),
    [
        ("nvidia-k80-24gb", "{} has no bf16"),
        ("nvidia-gtx-1080-ti-11gb", "{} has no bf16, and computes no faster in fp16"),
        ("nvidia-gtx-1080-8gb", "{} has no bf16, and no dense fp16 peak of it is known here"),
        ("intel-max-1100-48gb", "no dense 16-bit peak of {} is known here: its fp32 rate is taken"),
    ],
)
def test_why_it_lands_there(hardware: str, why: str) -> None:
    (told,) = [one for one in estimated(hardware, None).assumed if one.name == "precision"]
    assert told.source == why.format(hardware)


def test_a_device_that_would_be_faster_in_16_bit_says_so() -> None:
    """Of a K80 nothing is hidden: it has no 16-bit arithmetic."""
    notes = " ".join(estimated("intel-max-1100-48gb", None).estimate.notes)
    assert "No dense 16-bit peak of intel-max-1100-48gb is known here" in notes
    assert "16-bit peak" not in " ".join(estimated("nvidia-k80-24gb", None).estimate.notes)


def options_of(knowledge: Knowledge, only: tuple[str, ...], precision: str | None) -> dict[str, PlanOption]:
    job = workload_from_flags(knowledge.catalogue, "gpt2-124m", tokens=1e8, precision=precision)
    limits = PlanLimits(deadline_days=2000, max_devices=2, only=only)
    found = plan(knowledge.book, knowledge.catalogue, job, limits, knowledge.published)
    return {option.accelerator_id: option for option in found.options}


PLANNED = tuple(name for name in LANDS if not name.startswith(("cpu",)))


def test_a_plan_takes_of_each_device_what_stating_it_takes(knowledge: Knowledge) -> None:
    """All kinds side by side in one search, then each format alone."""
    left = options_of(knowledge, PLANNED, None)
    assert set(left) == set(PLANNED)
    for precision in ("bf16_mixed", "fp16_mixed", "fp32"):
        mine = tuple(name for name in PLANNED if LANDS[name] == precision)
        said = options_of(knowledge, mine, precision)
        for name in mine:
            assert left[name].choices.get("precision", "bf16_mixed") == precision
            for quantity in ("calendar_s", "memory_bytes"):
                assert left[name].quantities[quantity].value == pytest.approx(
                    said[name].quantities[quantity].value, rel=1e-12
                ), (name, quantity)


def test_a_scan_of_the_catalogue_lands_there_too(knowledge: Knowledge) -> None:
    def found(precision: str | None) -> dict[str, tuple[str, float | None]]:
        job = workload_from_flags(knowledge.catalogue, "gpt2-124m", tokens=1e8, precision=precision)
        estimates, _ = estimates_catalogue(knowledge.book, knowledge.catalogue, [job], knowledge.published)
        return {
            one.target.accelerator_id: (one.choices["precision"], one.quantities["time_s"].value)
            for one in estimates
            if one.purpose == "fit"
        }

    left = found(None)
    for precision in ("bf16_mixed", "fp16_mixed", "fp32"):
        said = found(precision)
        mine = [name for name in PLANNED if LANDS[name] == precision]
        assert mine
        for name in mine:
            assert left[name][0] == said[name][0]
            assert left[name][1] == pytest.approx(said[name][1])
