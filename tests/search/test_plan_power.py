"""Power and cost of named systems in plans: the whole machine's own figures, and where it stands."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.data.systems import load_systems
from advisor.schema import PlanLimits, PlanOption
from advisor.search import workload_from_flags
from advisor.search.plan import Question, assumed, plan_traced
from advisor.search.systems import power_inputs

KNOWN = shipped_knowledge()
SYSTEMS = load_systems(KNOWN.folders, KNOWN.catalogue)
JOB = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e9, method="full")
SMALL = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="lora")
PUE = KNOWN.book.constants["pue"].value


def steps(name: str, job: object = JOB, **limits: object) -> dict[float, PlanOption]:
    told = PlanLimits.model_validate(
        {"as_of": "2026-11-21", "deadline_days": 10, "max_devices": 8, "only": (name,), **limits}
    )
    asked = Question(KNOWN.book, KNOWN.catalogue, job, told, systems=SYSTEMS)  # type: ignore[arg-type]
    return {step.option.packages: step.option for step in plan_traced(asked)[0].scaling}


def value(option: PlanOption, name: str) -> float:
    found = option.quantities[name].value
    assert found is not None, f"{name} is unknown: {option.quantities[name].reason}"
    return found


def test_the_power_of_a_named_system_is_that_of_the_whole_machine() -> None:
    one = steps("dgx-h100")[8]
    assert value(one, "power_w") == pytest.approx(10_200 * PUE)
    drawn = value(one, "energy_j") / value(one, "calendar_s")
    assert drawn == pytest.approx(8_400 * PUE), "what was measured in training, not a share of the nameplate"
    assert "power" in steps("dgx-h100", max_power_w=13_000.0)[8].breaks
    assert "power" not in steps("dgx-h100", max_power_w=13_300.0)[8].breaks


def test_a_server_without_a_figure_of_its_own_is_more_than_its_accelerators() -> None:
    factor = KNOWN.book.constants["server_power"].value
    assert value(steps("hgx-h100")[8], "power_w") == pytest.approx(8 * 700 * factor * PUE)
    assert value(steps("nvidia-h100-sxm5-80gb")[8], "power_w") == pytest.approx(8 * 700 * PUE)


def test_a_machine_on_a_desk_pays_no_hosting_no_building_and_no_switch() -> None:
    desk = steps("workstation-4x-rtx-4090", SMALL, acquire="buy")[4]
    assert value(desk, "power_w") == pytest.approx(2_250)
    dear = assumed(KNOWN.book, {"hosting_price": "9000 USD/kW/month"})
    other = steps("workstation-4x-rtx-4090", SMALL, acquire="buy", assumed=dear)[4]
    assert value(other, "own_usd") == pytest.approx(value(desk, "own_usd"))
    rack = steps("nvidia-rtx-4090-24gb", SMALL, acquire="buy")[4]
    assert value(rack, "own_usd") > 1.5 * value(desk, "own_usd"), "cards of no named machine are hosted"
    entry = KNOWN.catalogue.accelerators["nvidia-rtx-4090-24gb"]
    assert 4 not in steps("workstation-2x-rtx-4090", SMALL, acquire="buy"), "nothing joins two of them"
    servers = steps("hgx-h100", acquire="buy", max_devices=16)
    shares = [value(servers[count], "purchase_usd") / count for count in (8, 16)]
    switch = KNOWN.book.constants["cluster_factor"].value
    assert shares[1] / shares[0] == pytest.approx(switch), "two machines, a switch"
    assert power_inputs(entry, SYSTEMS["workstation-4x-rtx-4090"]).values["hw_on_desk"] == 1


def test_cards_of_one_server_need_no_switch() -> None:
    found = steps("nvidia-rtx-6000-ada-48gb", SMALL, acquire="buy", max_devices=16)
    each = {count: value(option, "purchase_usd") / count for count, option in found.items()}
    assert each[8] == pytest.approx(each[1])
