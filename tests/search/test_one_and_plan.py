"""`estimate` and `plan` find the same layout, and neither says of the other's that it cannot be."""

from __future__ import annotations

from functools import cache

import pytest
from few import shipped_knowledge

from advisor.app_knowledge import Knowledge
from advisor.schema import PlanLimits, PlanOption, Workload
from advisor.search import workload_from_flags
from advisor.search.grid import NOTHING_STATED, Stated
from advisor.search.hardware import find_hardware
from advisor.search.one import One, estimate_one, place_of
from advisor.search.plan import Question, plan_traced

TODAY = "2026-11-21"
JOBS = {
    "llama-3-8b": {"method": "lora", "tokens": 1e8},
    "llama-3-70b": {"method": "pretrain", "tokens": 1e12},
    "mixtral-8x7b": {"method": "full", "tokens": 1e9},
    "deepseek-v2-lite": {"method": "pretrain", "tokens": 1e11},
    "resnet-50": {},
    "bert-base": {},
}
H100, CARD, TPU = "nvidia-h100-sxm5-80gb", "nvidia-rtx-4090-24gb", "google-tpu-v5p"
ASCEND, AMD = "huawei-ascend-910b1-64gb", "amd-mi300x-192gb"
CASES = (
    *((model, H100) for model in JOBS), ("llama-3-8b", CARD), ("resnet-50", CARD), ("llama-3-70b", TPU),
    ("mixtral-8x7b", ASCEND), ("llama-3-70b", AMD),
)  # fmt: skip
TUNED = Stated(effort="tuned")
WITH = (
    *((*case, NOTHING_STATED) for case in CASES),
    ("llama-3-70b", H100, TUNED),
    ("mixtral-8x7b", H100, TUNED),
)


@cache
def knowledge() -> Knowledge:
    return shipped_knowledge()


@cache
def job(model: str) -> Workload:
    return workload_from_flags(knowledge().catalogue, model, **JOBS[model])  # type: ignore[arg-type]


@cache
def planned(model: str, device: str, stated: Stated = NOTHING_STATED) -> tuple[PlanOption, ...]:
    """Every count of a device that a plan shows."""
    limits = PlanLimits(only=(device,), max_devices=256, as_of=TODAY, deadline_days=1e6)
    known = knowledge()
    found = plan_traced(Question(known.book, known.catalogue, job(model), limits, known.published, stated))[0]
    return tuple(step.option for step in found.scaling)


def estimated(model: str, option: PlanOption, stated: Stated) -> One:
    known = knowledge()
    found = find_hardware(known.catalogue, f"{option.packages:g} x {option.accelerator_id}")
    place = place_of(found.entry, found.packages, found.nodes)
    return estimate_one(known.book, job(model), place, stated, known.published)


def as_taken(option: PlanOption) -> Stated:
    """The layout of an option, as a user states it."""
    told = option.choices
    degrees = {name: int(told.get(name, 1)) for name in ("tp", "pp", "vpp", "cp", "ep")}
    return Stated(
        micro_batch=float(told["micro_batch"]), recompute=told["recompute"],
        sharding=told.get("sharding", "none"), offload=told.get("offload", "none"), stack=told["stack"],
        **degrees,
    )  # fmt: skip


def said(one: One) -> tuple[str, ...]:
    """What an estimate says beside its figures."""
    return one.estimate.notes


def figures(option: PlanOption, one: One) -> list[tuple[float | None, float | None]]:
    """What both tell of the same thing."""
    names = {"calendar_s": "calendar_s", "memory_bytes": "memory_bytes", "energy_j": "calendar_energy_j"}
    mine, other = option.quantities, one.estimate.quantities
    pairs = [(mine[a].value, other[b].value) for a, b in names.items()]
    return [*pairs, (mine["calendar_s"].high, other["calendar_s"].high)]


@pytest.mark.parametrize(("model", "device", "stated"), WITH)
def test_an_estimate_finds_the_layout_that_a_plan_shows(model: str, device: str, stated: Stated) -> None:
    options = planned(model, device, stated)
    shown = options[:: max(1, len(options) // 3)]  # one node and many
    for option in shown:
        one = estimated(model, option, stated)
        if one.estimate.choices["stack"] == "torch" != option.choices["stack"]:
            # the table is of another kind, as this is much slower, which the estimate says
            assert any("Megatron" in note or "parallelism" in note for note in said(one)), option.label
            one = estimated(model, option, as_taken(option))
        layout = {name: one.estimate.choices[name] for name in option.choices}
        assert layout == option.choices, option.label
        assert one.estimate.fits is True, option.label
        for mine, other in figures(option, one):
            assert other == (None if mine is None else pytest.approx(mine)), option.label


@pytest.mark.parametrize("model", ["llama-3-70b", "mixtral-8x7b", "llama-3-8b"])
def test_what_a_plan_shows_fits_as_stated(model: str) -> None:
    for option in planned(model, H100):
        one = estimated(model, option, as_taken(option))
        assert one.estimate.fits is True, option.label
        assert one.estimate.choices["stack"] == option.choices["stack"]
        step = one.estimate.quantities["optimizer_step_s"].value
        assert step == pytest.approx(option.quantities["step_s"].value)


def test_plans_show_something_of_each_kind() -> None:
    """The tests above would hold of empty plans too."""
    seen = {case: planned(*case) for case in WITH}
    assert all(seen.values())
    layouts = [option.choices for options in seen.values() for option in options]
    for name in ("tp", "pp", "vpp", "ep"):
        assert any(name in one for one in layouts), name
    assert {"torch", "megatron", "jax", "torch_npu"} <= {one["stack"] for one in layouts}
    assert any(option.devices % 3 == 0 for options in seen.values() for option in options)
