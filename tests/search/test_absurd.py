"""Networks and details of absurd size: a finite figure, a reason or one error, never an exception."""

from __future__ import annotations

import math
from typing import Any

from few import shipped_knowledge
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.errors import AdvisorError
from advisor.search import workload_from_flags
from advisor.search.grid import Stated
from advisor.search.hardware import find_hardware
from advisor.search.one import estimate_one, place_of

KNOWN = shipped_knowledge()
MODELS = ["gpt2-124m", "deepseek-v2-lite", "mixtral-8x7b", "bert-base", "t5-base", "vit-b-16", "resnet-50",
          "convnext-t", "mask-rcnn-resnet-50-fpn", "sd-1.5", "dit-xl-2", "gnmt", "gemma-3-1b"]  # fmt: skip
HARDWARE = ["nvidia-h100-sxm5-80gb", "3 x RTX 4090", "64 x TPU v5p", "CS-3", "16 x Ascend 910B"]
SCALES = st.sampled_from([0.0, 1e-6, 0.5, 1.0, 2.0, 1e3, 1e7])
DETAILS = {
    "ema": st.integers(0, 16), "train_only": st.sampled_from(["1%", "1", "100%", "1B"]),
    "frozen": st.sampled_from(["below", "between"]), "loss": st.sampled_from(["plain", "fused", "chunked"]),
    "attention": st.sampled_from(["flash", "eager"]), "image_size": st.sampled_from([1, 32, 224, 65536]),
    "frames": st.sampled_from([1, 65536]), "optimizer": st.sampled_from(["muon", "lion", "adafactor"]),
    "decoder_seq_len": st.sampled_from([1, 10**8]), "cached_latents": st.booleans(),
    "sequence_parallel": st.booleans(), "step_in_backward": st.booleans(),
}  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    model=st.sampled_from(MODELS),
    hardware=st.sampled_from(HARDWARE),
    scales=st.lists(st.tuples(st.integers(0, 30), SCALES), max_size=3),
    details=st.lists(st.sampled_from(sorted(DETAILS)), max_size=2, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: DETAILS[name] for name in names})
    ),
    batch=st.sampled_from([None, 1, 7, 64, 10**9]),
    length=st.sampled_from([None, 1, 2048, 10**8]),
)
def test_any_network_anywhere(  # noqa: PLR0917 - one argument a choice
    model: str,
    hardware: str,
    scales: list[tuple[int, float]],
    details: dict[str, Any],
    batch: int | None,
    length: int | None,
) -> None:
    named = KNOWN.catalogue.models[model]
    numbers = dict(named.numbers)
    for at, scale in scales:
        name = sorted(numbers)[at % len(numbers)]
        numbers[name] = math.floor(numbers[name] * scale) if scale >= 1 else numbers[name] * scale
    found = find_hardware(KNOWN.catalogue, hardware)
    place = place_of(found.entry, found.packages, found.nodes)
    try:
        job = workload_from_flags(
            KNOWN.catalogue, named.model_copy(update={"numbers": numbers}), batch=batch, seq_len=length,
            details=details,
        )  # fmt: skip
        done = estimate_one(KNOWN.book, job, place, Stated(), KNOWN.published)
    except AdvisorError as error:
        assert error.message
        return
    for name, quantity in done.estimate.quantities.items():
        if quantity.value is None:
            assert quantity.reason, name
        else:
            assert math.isfinite(quantity.value), name
