"""Plans under limits on space, regions and export; by systems; what changes when one thing is otherwise."""

from __future__ import annotations

import pytest

from advisor.app import load_knowledge
from advisor.data.systems import load_systems
from advisor.errors import UserError
from advisor.schema import Plan, PlanLimits, Workload
from advisor.search import workload_from_flags
from advisor.search.plan import plan_traced
from advisor.search.plan_systems import asked_with, exported
from advisor.search.sensitivity import sensitivity

KNOWN = load_knowledge()
SYSTEMS = load_systems(KNOWN.folders, KNOWN.catalogue)
JOB = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=20e9, method="full")
AS_OF = "2026-11-21"


def planned(job: Workload = JOB, **limits: object) -> Plan:
    told = PlanLimits.model_validate({"as_of": AS_OF, "deadline_days": 10, "max_devices": 256, **limits})
    return plan_traced(KNOWN.book, KNOWN.catalogue, job, told, KNOWN.published, systems=SYSTEMS)[0]


def test_systems_are_taken_whole_with_their_units_and_network() -> None:
    found = planned(only=("dgx-h100",))
    assert all(step.option.devices % 8 == 0 for step in found.scaling)
    for step in found.scaling:
        pieces = step.option.devices // 8
        assert step.option.system == f"{pieces} x dgx-h100"
        assert step.option.rack_units == 8 * pieces
    (site,), (box,) = asked_with(KNOWN.catalogue, PlanLimits(only=("p4d.24xlarge",)), SYSTEMS)
    assert box is not None and box.id == "p4d-24xlarge"
    assert site.inputs.values["hw_network_bandwidth"] == pytest.approx(50e9 / 8)  # type: ignore[union-attr]


def test_a_slower_network_makes_a_system_slower() -> None:
    fast = planned(only=("dgx-a100-40gb",)).scaling[-1].option.quantities["calendar_s"].value
    slow = planned(only=("p4d.24xlarge",)).scaling[-1].option.quantities["calendar_s"].value
    assert fast is not None and slow is not None and slow > fast


def test_space_is_a_limit_counted_in_whole_systems() -> None:
    found = planned(max_rack_units=20, vendors=("nvidia",))
    h100 = [one for one in found.options if one.accelerator_id == "nvidia-h100-sxm5-80gb"]
    assert h100 and h100[0].rack_units is not None and h100[0].rack_units <= 20
    none = planned(max_rack_units=5, only=("nvidia-h100-sxm5-80gb",))
    assert not none.options and "rack units" in none.miss and "--max-rack-units" in none.relax
    assert "space" in none.scaling[0].option.breaks, "6 units of the flattest server are more than 5"


def test_unknown_height_breaks_no_limit_and_is_not_told_as_zero() -> None:
    job = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e7, method="lora")
    found = planned(job, max_rack_units=5, only=("nvidia-rtx-4090-24gb",))
    assert found.options[0].rack_units is None


def test_export_rules_leave_out_with_the_reason() -> None:
    found = planned(destination="cn", vendors=("nvidia", "huawei"))
    barred = {one.accelerator_id: one for one in found.left_out if one.code == "export"}
    assert "nvidia-h100-sxm5-80gb" in barred and "3A090" in barred["nvidia-h100-sxm5-80gb"].why
    assert not any(one.accelerator_id in barred for one in found.options)
    assert not any("huawei" in name for name in barred)
    with pytest.raises(UserError, match="leaves nothing"):
        planned(destination="cn", only=("nvidia-h100-sxm5-80gb",))
    with pytest.raises(UserError, match="destination"):
        exported((), (), "atlantis")


@pytest.mark.parametrize("limits", [{"max_rack_units": -1}, {"max_rack_units": 0}, {"budget_usd": -5}])
def test_limits_below_zero_are_errors(limits: dict[str, float]) -> None:
    with pytest.raises(UserError, match="above zero"):
        planned(**limits)


def test_an_unknown_system_gives_the_nearest() -> None:
    with pytest.raises(UserError) as error:
        planned(only=("dgx-h10",))
    assert "dgx-h100" in error.value.hint


def test_sensitivity_changes_one_thing_at_a_time() -> None:
    only = ("nvidia-h100-sxm5-80gb", "nvidia-h200-sxm-141gb", "nvidia-b200-sxm-180gb")
    found = planned(only=only)
    best = found.options[0].quantities
    told = {
        one.name: one
        for one in sensitivity(KNOWN.book, KNOWN.catalogue, JOB, found, KNOWN.published)
    }  # fmt: skip
    every = told["all prices 30% dearer"]
    assert every.same and every.cost_usd == pytest.approx(1.3 * (best["rent_usd"].value or 0))
    assert every.calendar_s == best["calendar_s"].value
    upper, lower = told["efficiency at its upper end"], told["efficiency at its lower end"]
    assert (upper.calendar_s, lower.calendar_s) == (best["calendar_s"].low, best["calendar_s"].high)
    work = told["2 times the work"]
    assert work.cost_usd is not None and work.cost_usd > 1.8 * (best["rent_usd"].value or 0)
    assert sensitivity(KNOWN.book, KNOWN.catalogue, JOB, planned(only=only, budget_usd=1)) == ()


def test_systems_stay_with_their_accelerators_where_a_method_leaves_some_out() -> None:
    """QLoRA runs on no TPU; what follows in the list must not be counted in the TPU's rack units."""
    job = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="qlora")
    found = planned(job, only=("tpu-v5e-8", "dgx-h100"), max_rack_units=42)
    assert [option.system for option in found.options] == ["1 x dgx-h100"]
    assert found.options[0].rack_units == 8
