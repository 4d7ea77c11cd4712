"""Jobs of a file in the host's memory: as in a plan of one job, and no more than a named host holds."""

from __future__ import annotations

import datetime

import pytest
from few import shipped_knowledge

from advisor.data.systems import load_systems
from advisor.schema import PlanLimits, Workload
from advisor.search import workload_from_flags
from advisor.search.plan import Question, plan_traced
from advisor.search.plan_systems import asked_with
from advisor.search.several import Adder, several
from advisor.search.several_processes import EACH_BYTES, ENOUGH, processes_for
from advisor.search.several_taken import Counted

KNOWN = shipped_knowledge()
SYSTEMS = load_systems(KNOWN.folders, KNOWN.catalogue)
DAY = datetime.date(2026, 11, 21)
SMALL = workload_from_flags(KNOWN.catalogue, "gpt2-124m", tokens=1e9, method="pretrain")
PACKED = workload_from_flags(KNOWN.catalogue, "llama-2-70b", tokens=1e6, method="qlora", seq_len=2048)
FULL = workload_from_flags(KNOWN.catalogue, "llama-3-70b", tokens=1e8, method="full")
CARD = "nvidia-rtx-4090-24gb"


def limited(*only: str, most: int = 2) -> PlanLimits:
    return PlanLimits(only=only, max_devices=most, deadline_days=400, as_of=DAY.isoformat())


def adder(limits: PlanLimits, **more: object) -> Adder:
    asked, boxes = asked_with(KNOWN.catalogue, limits, SYSTEMS)
    most = limits.max_devices or 1
    one = Adder(KNOWN.book, asked, limits, DAY, most, KNOWN.published, boxes=boxes)
    for name, value in more.items():
        setattr(one, name, value)
    return one


def test_weights_go_to_the_hosts_memory_where_a_plan_puts_them() -> None:
    limits = limited(CARD)
    alone = plan_traced(Question(KNOWN.book, KNOWN.catalogue, PACKED, limits, KNOWN.published))[0]
    assert alone.options[0].choices["offload"] == "params"
    found = several(adder(limits), [Counted(PACKED, 1), Counted(SMALL, 1)])
    fleet = found.fleets[0]
    assert (fleet.accelerator_id, fleet.offloads) == (CARD, 1), "one of the two jobs"
    first = several(adder(limits), [Counted(PACKED, 1)]).fleets[0]
    same = next(one for one in alone.scaling if one.option.devices == first.packages)
    assert first.busy_s == pytest.approx(same.option.quantities["calendar_s"].value, rel=1e-6)


def test_nothing_goes_there_while_another_kind_does_it() -> None:
    limits = limited(CARD, "nvidia-h100-sxm5-80gb")
    found = several(adder(limits), [Counted(PACKED, 1)])
    assert [(one.accelerator_id, one.offloads) for one in found.fleets] == [("nvidia-h100-sxm5-80gb", 0)]
    # nor where that kind is out of it already: the cards alone would do another's job in another way
    left = adder(limits, alive=[0])
    assert not several(left, [Counted(PACKED, 1)]).fleets and "fits" in left.unfit


def test_what_is_offloaded_must_fit_into_the_host_of_a_named_system() -> None:
    def planned(job: Workload) -> bool:
        limits = limited("dgx-a100-40gb", most=8)
        asked = Question(KNOWN.book, KNOWN.catalogue, job, limits, KNOWN.published, systems=SYSTEMS)
        one, many = plan_traced(asked)[0], several(adder(limits), [Counted(job, 1)])
        assert bool(one.options) == bool(many.fleets)
        return bool(one.options)

    assert planned(SMALL) and not planned(FULL)


def test_a_limit_that_cannot_be_checked_does_not_come_before_one_that_can() -> None:
    limits = limited(CARD, "huawei-ascend-910b2-64gb").model_copy(update={"budget_usd": 1e9})
    found = several(adder(limits), [Counted(SMALL, 1)])
    assert [one.accelerator_id for one in found.fleets] == [CARD]


def test_processes_leave_half_of_the_memory_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert processes_for(ENOUGH - 1) == 1
    many = processes_for(ENOUGH)
    assert processes_for(ENOUGH, 1e12) == many > 2
    assert processes_for(ENOUGH, 2 * 2 * EACH_BYTES) == 2
    assert processes_for(ENOUGH, EACH_BYTES) == 1
