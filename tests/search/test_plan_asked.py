"""What --only, --vendor and --destination leave of systems too, and --why-not of a system."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.app_options import WorkloadFlags
from advisor.app_plan import PlanOptions, run_plan
from advisor.data.systems import load_systems
from advisor.errors import UserError
from advisor.schema import PlanLimits
from advisor.search.plan_site import Site
from advisor.search.plan_systems import asked_with, to_be_had

KNOWN = shipped_knowledge()
SYSTEMS = load_systems(KNOWN.folders, KNOWN.catalogue)


def chosen(*only: str, vendor: str) -> set[str]:
    found, _ = asked_with(KNOWN.catalogue, PlanLimits(only=only, vendors=(vendor,)), SYSTEMS)
    return {one.id for one in found}


@pytest.mark.parametrize("only", [("dgx-h100",), ("nvidia-l4-24gb",), ("dgx-h100", "nvidia-l4-24gb")])
def test_systems_and_accelerators_of_no_asked_vendor_contradict_it(only: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=r"--only .* and --vendor amd contradict each other"):
        chosen(*only, vendor="amd")


def test_of_several_those_of_the_vendor_stay() -> None:
    assert chosen("dgx-h100", "amd-mi300x-192gb", vendor="nvidia") == {"nvidia-h100-sxm5-80gb"}
    assert chosen("dgx-h100", "amd-mi300x-192gb", vendor="amd") == {"amd-mi300x-192gb"}


def test_an_unknown_vendor_is_one_beside_systems_too() -> None:
    with pytest.raises(UserError, match="unknown vendor 'nvidea'") as error:
        chosen("dgx-h100", vendor="nvidea")
    assert "nvidia" in error.value.hint


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nvidia-h800-pcie-80gb", "16 bits or fewer"),
        ("nvidia-rtx-pro-6000-blackwell-maxq-96gb", "16 bits or fewer"),
        ("amd-mi210-64gb", "area of its dies"),
        ("google-tpu-v4", "area of its dies"),
    ],
)
def test_what_export_rules_cannot_be_held_to_is_left_out_as_unchecked(name: str, told: str) -> None:
    sure = KNOWN.catalogue.accelerators["nvidia-l20-48gb"]
    entry = KNOWN.catalogue.accelerators[name]
    kept, _, (left,) = to_be_had((sure, entry), (), PlanLimits(destination="cn"))
    assert [one.id for one in kept] == ["nvidia-l20-48gb"]
    assert (left.accelerator_id, left.code) == (name, "unchecked") and told in left.why
    assert not to_be_had((entry,), (), PlanLimits())[2], "without a destination nobody asks"


def test_gpus_without_matrix_units_are_judged_by_what_they_have() -> None:
    old = [KNOWN.catalogue.accelerators[name] for name in ("nvidia-gtx-1080-8gb", "nvidia-k80-24gb")]
    kept, _, barred = to_be_had(old, (), PlanLimits(destination="cn"))
    assert len(kept) == 2 and not barred
    assert not isinstance(kept[0], Site)


def answers(*names: str, only: tuple[str, ...]) -> tuple[str, ...]:
    flags = WorkloadFlags("llama-3-8b", None, method="lora", tokens=1e8)
    limits = PlanLimits(only=only, max_devices=8)
    return run_plan(PlanOptions(flags, limits, why_not=names)).answers


def test_why_not_of_a_system_is_answered() -> None:
    holds, same, other = answers("dgx-h100", "dgx-h200", only=("dgx-h100",))
    assert holds == "dgx-h100 has 8 x nvidia-h100-sxm5-80gb." and "best option" in same
    assert other == "dgx-h200 was not asked for: --only names other systems."
    assert answers("dgx-h200", only=("nvidia-l4-24gb",)) == (
        "dgx-h200 has 8 x nvidia-h200-sxm-141gb.",
        "nvidia-h200-sxm-141gb was not asked for: --vendor or --only leaves it out.",
    )


def test_why_not_of_nothing_names_systems_like_it() -> None:
    with pytest.raises(UserError, match="unknown accelerator 'dgx-h20'") as error:
        answers("dgx-h20", only=())
    assert "dgx-h200" in error.value.hint
