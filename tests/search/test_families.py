"""One network of each kind on unlike hardware: a figure with its range, or the reason why there is none."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.model import model_of_size
from advisor.schema import Model
from advisor.search import workload_from_flags
from advisor.search.grid import Stated
from advisor.search.hardware import find_hardware
from advisor.search.one import One, estimate_one, place_of

KNOWN = shipped_knowledge()
NETWORKS: list[str | Model] = [
    "gpt2-124m", "llama-3-8b", "falcon-7b", "deepseek-v2-lite", "gemma-3-1b", "qwen1.5-moe-a2.7b",
    "bert-base", "t5-base", "vit-b-16", "resnet-50", "efficientnet-b0", "convnext-t", "swin-t",
    "mask-rcnn-resnet-50-fpn", "u-net-medical", "sd-1.5", "dit-xl-2", "wav2vec2-base", "gnmt",
    "nnu-net-3d", model_of_size(3e9),
]  # fmt: skip
HARDWARE = ["nvidia-h100-sxm5-80gb", "8 x Ascend 910B", "RTX 4090", "64 x TPU v5p"]


def on(model: str | Model, hardware: str, **details: object) -> One:
    found = find_hardware(KNOWN.catalogue, hardware)
    place = place_of(found.entry, found.packages, found.nodes)
    job = workload_from_flags(KNOWN.catalogue, model, details=details)
    return estimate_one(KNOWN.book, job, place, Stated(), KNOWN.published)


@pytest.mark.parametrize("hardware", HARDWARE)
@pytest.mark.parametrize("model", NETWORKS, ids=lambda m: getattr(m, "id", m))
def test_every_kind_of_network_has_time_and_memory(model: str | Model, hardware: str) -> None:
    found = on(model, hardware).estimate
    step, mfu = found.quantities["optimizer_step_s"], found.quantities["mfu"]
    need, has = found.quantities["memory_bytes"], found.quantities["memory_usable"]
    assert step.value is not None, step.reason
    assert need.value is not None, need.reason
    assert has.value is not None
    assert step.low is not None
    assert step.high is not None
    assert step.low <= step.value <= step.high
    assert 0 < (mfu.value or 0) < 0.75
    assert found.fits == (need.value <= has.value)


@pytest.mark.parametrize("model", ["llama-3-8b", "resnet-50", "t5-base"])
def test_what_has_no_peak_has_a_reason_and_no_figure(model: str) -> None:
    found = on(model, "CS-3").estimate
    step = found.quantities["optimizer_step_s"]
    if step.value is None:
        assert "Cerebras" in found.why
    assert found.fits is None  # its weights stream from outside


def test_a_network_that_nobody_counted_has_reasons() -> None:
    found = on("nemotron-3-nano", "nvidia-h100-sxm5-80gb").estimate
    assert found.quantities["optimizer_step_s"].value is None
    assert found.quantities["memory_bytes"].value is None
    assert "not in the rules yet" in (found.quantities["memory_bytes"].reason or "")
