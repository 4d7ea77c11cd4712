"""Systems by name and count, with their own network in the estimate."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.app_estimate import place_named
from advisor.data.systems import load_systems
from advisor.errors import UserError
from advisor.schema import PlanLimits
from advisor.search import workload_from_flags
from advisor.search.plan import Question, plan_traced
from advisor.search.systems import Counted, as_bought, named_system, place_of_system

KNOWN = shipped_knowledge()
SYSTEMS = load_systems(KNOWN.folders, KNOWN.catalogue)


@pytest.mark.parametrize(
    ("text", "name", "number"),
    [
        ("dgx-h100", "dgx-h100", 1), ("dgx-h100 x 4", "dgx-h100", 4), ("4 x dgx-h100", "dgx-h100", 4),
        ("DGX H100 × 2", "dgx-h100", 2), ("2x nvl72", "gb200-nvl72", 2), ("p5.48xlarge", "p5-48xlarge", 1),
        ("3 x workstation-2x-rtx-4090", "workstation-2x-rtx-4090", 3),
    ],
)  # fmt: skip
def test_systems_are_named_and_counted(text: str, name: str, number: int) -> None:
    found = named_system(SYSTEMS, text)
    assert found is not None and (found.system.id, found.number) == (name, number)


def test_what_is_no_system_is_none_and_absurd_counts_are_errors() -> None:
    assert named_system(SYSTEMS, "8 x nvidia-h100-sxm5-80gb") is None
    for text in ("0 x dgx-h100", "999999999 x dgx-h100"):
        with pytest.raises(UserError):
            named_system(SYSTEMS, text)


def test_a_place_has_the_devices_domain_and_network_of_the_systems() -> None:
    place = place_of_system(KNOWN.catalogue, Counted(SYSTEMS["p4d-24xlarge"], 4))
    assert place.target.devices == 32
    assert place.inputs.values["hw_domain_devices"] == 8
    assert place.inputs.values["hw_network_bandwidth"] == pytest.approx(50e9 / 8)
    assert place.inputs.sources["hw_network_bandwidth"][1].startswith("system p4d-24xlarge")


def test_a_name_that_nothing_has_gives_the_nearest_of_both() -> None:
    with pytest.raises(UserError) as error:
        place_named(KNOWN, "dgx-h10 x 4")
    assert "dgx-h100" in error.value.hint


def test_processors_alone_are_no_place_of_the_catalogue() -> None:
    with pytest.raises(UserError, match="processors alone"):
        place_named(KNOWN, "cpu-server-epyc-9654")


def test_an_entry_as_bought_has_the_network_of_its_system() -> None:
    entry = KNOWN.catalogue.accelerators["nvidia-a100-sxm4-40gb"]
    assert as_bought(entry, SYSTEMS["p4d-24xlarge"]).network_bandwidth == pytest.approx(50e9 / 8)
    assert as_bought(entry, SYSTEMS["hgx-a100-80gb"]) is entry, "its network is not known"


def test_workstations_that_nothing_joins_are_no_cluster() -> None:
    several = place_of_system(KNOWN.catalogue, Counted(SYSTEMS["workstation-2x-rtx-4090"], 2))
    assert any("What joins 2 x workstation-2x-rtx-4090 is not known" in note for note in several.notes)
    one = place_of_system(KNOWN.catalogue, Counted(SYSTEMS["workstation-4x-rtx-4090"], 1))
    joined = place_of_system(KNOWN.catalogue, Counted(SYSTEMS["dgx-h100"], 2))
    assert not one.notes and not joined.notes
    job = workload_from_flags(KNOWN.catalogue, "gpt2-124m", tokens=1e10, method="pretrain")
    limits = PlanLimits(only=("workstation-2x-rtx-4090", "workstation-4x-rtx-4090"), deadline_days=5)
    question = Question(KNOWN.book, KNOWN.catalogue, job, limits, KNOWN.published, systems=SYSTEMS)
    labels = {option.system for option in plan_traced(question)[0].options}
    assert labels == {"1 x workstation-2x-rtx-4090", "1 x workstation-4x-rtx-4090"}
