"""A stated number format that devices have no units for: left out of a plan, as `estimate` refuses it."""

from __future__ import annotations

from few import shipped_knowledge

from advisor.schema import Plan, PlanLimits
from advisor.search import workload_from_flags
from advisor.search.plan import Question, plan_traced

KNOWN = shipped_knowledge()
V100, A100 = "nvidia-v100-sxm2-32gb", "nvidia-a100-sxm4-80gb"


def planned(precision: str | None, *only: str) -> Plan:
    job = workload_from_flags(
        KNOWN.catalogue, "gpt2-124m", tokens=1e9, method="pretrain", precision=precision
    )
    limits = PlanLimits(only=only, max_devices=8, as_of="2026-11-21")
    return plan_traced(Question(KNOWN.book, KNOWN.catalogue, job, limits, KNOWN.published))[0]


def test_a_device_without_the_format_is_left_out_and_says_what_it_has() -> None:
    found = planned("bf16_mixed", V100, A100)
    assert [option.accelerator_id for option in found.options] == [A100]
    (left,) = found.left_out
    assert (left.accelerator_id, left.code) == (V100, "unsupported")
    assert "bf16" in left.why and left.change == "Try --precision fp16_mixed."


def test_where_nothing_asked_for_has_it_the_miss_says_so() -> None:
    found = planned("bf16_mixed", V100)
    assert not found.options and found.miss.startswith("Nothing that was asked for runs it.")
    assert found.relax == "Try --precision fp16_mixed."


def test_an_open_format_and_the_one_it_lands_on_are_one() -> None:
    opened, stated = planned(None, V100), planned("fp16_mixed", V100)
    assert opened.options[0].choices["precision"] == "fp16_mixed"
    assert "precision" not in stated.options[0].choices, "as asked for"
    for name in ("calendar_s", "memory_bytes", "rent_usd"):
        assert opened.options[0].quantities[name].value == stated.options[0].quantities[name].value
