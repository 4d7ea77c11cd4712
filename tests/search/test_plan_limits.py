"""Plans under limits on space, regions and export; by systems; what changes when one thing is otherwise."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import pytest
from few import shipped_knowledge

from advisor.data.systems import System, load_systems
from advisor.errors import UserError
from advisor.schema import Plan, PlanLimits, Workload
from advisor.search import workload_from_flags
from advisor.search.plan import Question, plan, plan_traced
from advisor.search.plan_systems import asked_with, to_be_had
from advisor.search.sensitivity import bought, sensitivity

KNOWN = shipped_knowledge()
SYSTEMS = load_systems(KNOWN.folders, KNOWN.catalogue)
JOB = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=20e9, method="full")
AS_OF = "2026-11-21"


def question(job: Workload, limits: PlanLimits, systems: Mapping[str, System] | None = None) -> Question:
    return Question(KNOWN.book, KNOWN.catalogue, job, limits, KNOWN.published, systems=systems or {})


def planned(job: Workload = JOB, **limits: object) -> Plan:
    told = PlanLimits.model_validate({"as_of": AS_OF, "deadline_days": 10, "max_devices": 256, **limits})
    return plan_traced(question(job, told, SYSTEMS))[0]


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
        to_be_had((), (), PlanLimits(destination="atlantis"))


def test_what_is_for_rent_alone_is_not_bought() -> None:
    found = planned(LORA, vendors=("nvidia", "google"), acquire="buy", objective="time")
    assert not any("tpu" in option.accelerator_id for option in found.options)
    left = next(one for one in found.left_out if one.accelerator_id == "google-tpu-v5p")
    assert (left.code, left.change) == ("rented", "Give --acquire rent.")
    with pytest.raises(UserError, match="--acquire buy leaves nothing"):
        planned(LORA, only=("google-tpu-v5p",), acquire="buy")
    assert planned(LORA, only=("google-tpu-v5p",)).options


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
        for one in sensitivity(question(JOB, found.limits), found)
    }  # fmt: skip
    every = told["all prices 30% dearer"]
    assert every.same and every.cost_usd == pytest.approx(1.3 * (best["rent_usd"].value or 0))
    assert every.calendar_s == best["calendar_s"].value
    upper, lower = told["efficiency at its upper end"], told["efficiency at its lower end"]
    assert (upper.calendar_s, lower.calendar_s) == (best["calendar_s"].low, best["calendar_s"].high)
    work = told["2 times the work"]
    assert work.cost_usd is not None and work.cost_usd > 1.8 * (best["rent_usd"].value or 0)
    nothing = planned(only=only, budget_usd=1)
    assert sensitivity(question(JOB, nothing.limits), nothing) == ()


def test_systems_stay_with_their_accelerators_where_a_method_leaves_some_out() -> None:
    """QLoRA runs on no TPU; what follows in the list must not be counted in the TPU's rack units."""
    job = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="qlora")
    found = planned(job, only=("tpu-v5e-8", "dgx-h100"), max_rack_units=42)
    assert [option.system for option in found.options] == ["1 x dgx-h100"]
    assert found.options[0].rack_units == 8


LORA = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="lora")
H100, UNPRICED = "nvidia-h100-sxm5-80gb", "nvidia-gb200-186gb"


def test_a_budget_that_cannot_be_checked_is_not_kept_where_others_can_be() -> None:
    found = planned(LORA, only=(H100, UNPRICED), budget_usd=0.5)
    assert not found.options and "budget" in found.miss
    codes = {one.accelerator_id: one.code for one in found.left_out}
    assert codes == {H100: "budget", UNPRICED: "unchecked"}
    alone = planned(LORA, only=(UNPRICED,), budget_usd=0.5)
    assert alone.options, "where nothing asked for has a price, the budget is no reason to show nothing"


def test_instances_are_rented_whole() -> None:
    entry = KNOWN.catalogue.accelerators["nvidia-v100-sxm2-32gb"]
    assert entry.rent is not None and entry.rent.packages == 8
    for step in planned(LORA, only=(entry.id,)).scaling:
        rent, time = (step.option.quantities[name].value or 0.0 for name in ("rent_usd", "calendar_s"))
        whole = math.ceil(step.option.packages / 8) * 8
        assert rent == pytest.approx(whole * entry.rent.usd_per_s * time, rel=1e-6)


def test_generations_that_ran_no_such_network_come_after_those_that_did() -> None:
    job = workload_from_flags(KNOWN.catalogue, "sdxl", tokens=1e6, method="lora")
    found = planned(job, only=("amd-mi300x-192gb", H100))
    assert [(option.accelerator_id, option.untried) for option in found.options] == [
        (H100, False), ("amd-mi300x-192gb", True),
    ]  # fmt: skip
    assert found.best["cost"].accelerator_id == H100


def test_of_accelerators_that_cost_the_same_the_one_with_fewer_packages_leads() -> None:
    found = planned(LORA)
    first, rest = found.options[0], found.options[1:]
    cost = first.quantities["rent_usd"].value or 0.0
    for option in rest:
        if option.price_old or option.untried or (other := option.quantities["rent_usd"].value) is None:
            continue
        assert cost <= 1.03 * other
        assert first.packages <= option.packages or other > cost / 1.03


def test_a_system_with_a_price_is_bought_at_it() -> None:
    found = planned(only=("dgx-h100",), acquire="buy", max_devices=8)
    assert found.options[0].quantities["purchase_usd"].value == pytest.approx(270_000)
    assert "dgx-h100" in found.options[0].quantities["purchase_usd"].source and found.options[0].price_old
    bare = planned(only=(H100,), max_devices=8)
    assert bare.scaling[-1].option.quantities["purchase_usd"].value != pytest.approx(270_000, rel=0.01)


def test_what_to_relax_is_as_fine_as_the_limit() -> None:
    found = planned(LORA, only=(H100,), deadline_days=1 / 1440)
    assert "min" in found.relax.removeprefix("It would do with --deadline ")
    job = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=2e9, method="lora")
    assert found.relax != planned(job, only=(H100,), deadline_days=1e-3, max_devices=1).relax


def test_buying_is_told_beside_renting() -> None:
    rented = planned(LORA, only=(H100, "nvidia-rtx-4090-24gb"))
    told = bought(question(LORA, rented.limits), rented)
    assert told.label and told.cost_usd and "purchase" in told.note
    none = planned(LORA, only=("aws-trainium2",))
    assert not bought(question(LORA, none.limits), none).label


FULL_70B = workload_from_flags(KNOWN.catalogue, "llama-3-70b", tokens=1e8, method="full")


def test_what_is_offloaded_must_fit_into_the_host_of_a_named_system() -> None:
    small = planned(FULL_70B, only=("dgx-a100-40gb",), max_devices=8)
    assert not small.options and "its host must hold" in small.miss and "host memory" in small.relax
    assert small.left_out[0].code == "host memory"
    step = small.scaling[0].option
    assert step.breaks == ("host memory",) and step.choices["offload"] == "optimizer"
    held = SYSTEMS["dgx-a100-40gb"].ram_bytes or 0.0
    roomy = dataclasses.replace(SYSTEMS["dgx-a100-40gb"], ram_bytes=4 * held)
    limits = PlanLimits(only=("dgx-a100-40gb",), max_devices=8, deadline_days=10, as_of=AS_OF)
    asked = question(FULL_70B, limits, {**SYSTEMS, "dgx-a100-40gb": roomy})
    assert plan_traced(asked)[0].options


def test_cores_and_free_slots_of_a_system_are_told() -> None:
    job = workload_from_flags(KNOWN.catalogue, "resnet-50", tokens=1e8)
    name = "workstation-rtx-4090"
    box = SYSTEMS[name]
    wide = dataclasses.replace(box, slots={"count": 3, "lanes": 8, "generation": 4})
    limits = PlanLimits(only=(name,), max_devices=1, deadline_days=100, as_of=AS_OF)
    told = plan_traced(question(job, limits, {**SYSTEMS, name: wide}))[0].options[0]
    assert told.choices["free_slots"] == "2 of x8 lanes"
    assert told.choices["host_cores"].startswith(f"{box.cpu_cores} cores for each device")
    step, batch = told.quantities["step_s"].value or 0.0, job.recipe.global_batch or 0
    assert f", {batch / step / (box.cpu_cores or 0):.0f} images" in told.choices["host_cores"]
    assert "free_slots" not in planned(job, only=(name,), max_devices=1).options[0].choices


def test_a_deadline_that_more_devices_would_keep_contradicts_their_number() -> None:
    few = planned(max_devices=4, deadline_days=1)
    assert not few.options
    assert few.miss.startswith("--deadline and --max-devices contradict each other")
    enough = int(few.relax.split("Or with --max-devices ")[1].split(",")[0])
    assert planned(max_devices=enough, deadline_days=1).options
    assert "--max-devices" not in planned(max_devices=4, deadline_days=1e-4).miss, "no number does"


def test_limits_contradict_each_other_though_a_chip_without_a_price_breaks_none() -> None:
    """Nothing is known against a chip without a price; it keeps no budget for that."""
    known = planned(only=(H100,))
    least = min(step.option.quantities["rent_at_usd"].value or math.inf for step in known.scaling)
    soon = min(step.option.quantities["calendar_at_s"].value or math.inf for step in known.scaling)
    limits = {"budget_usd": 1.01 * least, "deadline_days": 1.01 * soon / 86400}
    for only in ((H100,), (H100, "google-tpu-v7x")):
        found = planned(only=only, **limits)
        assert not found.options
        assert found.miss.startswith("--deadline and --budget contradict each other"), only


def test_a_filter_that_leaves_nothing_in_time_contradicts_the_deadline() -> None:
    found = planned(LORA, vendors=("apple",), deadline_days=1 / 24)
    assert found.miss.startswith("--deadline and --vendor contradict each other")
    assert " Or without --vendor: " in found.relax
    late = planned(LORA, vendors=("apple",), deadline_days=1e-6)
    assert "--vendor" not in late.miss + late.relax, "without it nothing keeps the deadline either"


def test_more_devices_than_are_searched_is_an_error() -> None:
    with pytest.raises(UserError, match="20,000 devices"):
        planned(LORA, max_devices=20_000)


def test_where_nothing_keeps_the_limits_more_devices_than_published_are_tried_and_marked() -> None:
    known = shipped_knowledge()
    job = workload_from_flags(known.catalogue, "llama-3-70b", tokens=2e12, method="pretrain")

    def planned(deadline: float, only: str) -> Plan:
        limits = PlanLimits(only=(only,), deadline_days=deadline, as_of="2026-11-21")
        return plan(known.book, known.catalogue, job, limits, known.published)

    assert not any(step.option.far for step in planned(700, "amd-mi300x-192gb").scaling), "64 keep that"
    wide = planned(60, "amd-mi300x-192gb")
    assert wide.options and wide.options[0].far and wide.options[0].devices > 64
    spread = {}
    for step in wide.scaling:
        time = step.option.quantities["calendar_s"]
        spread[step.option.devices] = (time.high or 0) / (time.value or 1)
        assert step.option.far == (step.option.devices > 64)
    assert spread[1024] > spread[64]
    assert not any(step.option.devices > 8 for step in planned(60, "nvidia-rtx-4090-24gb").scaling), "cards"
