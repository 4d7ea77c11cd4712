"""What a plan leaves out: in the order in which one would ask, by name, and of what can be had at all."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from few import shipped_knowledge

from advisor.schema import Plan, PlanLimits
from advisor.search.own import workload_from_flags
from advisor.search.plan import plan
from advisor.search.plan_space import Sites

KNOWN = shipped_knowledge()
ASKED = (
    "apple-m2-ultra-192gb", "nvidia-a100-pcie-80gb", "nvidia-b200-sxm-180gb", "nvidia-h100-pcie-80gb",
    "nvidia-rtx-4090-24gb", "nvidia-l40s-48gb", "nvidia-rtx-3090-ti-24gb",
)  # fmt: skip


@pytest.fixture(scope="module")
def planned() -> Plan:
    found = {name: KNOWN.catalogue.accelerators[name] for name in ASKED}
    job = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=20e9)
    catalogue = replace(KNOWN.catalogue, accelerators=found)
    return plan(KNOWN.book, catalogue, job, PlanLimits(deadline_days=3.0), KNOWN.published)


def test_what_another_limit_would_make_an_option_comes_first(planned: Plan) -> None:
    names = [one.accelerator_id for one in planned.left_out]
    rented = ["nvidia-h100-pcie-80gb", "nvidia-a100-pcie-80gb", "nvidia-l40s-48gb"]
    assert names[:3] == rented  # by id the workstation of nobody's cluster had come first
    assert names[3] == "nvidia-rtx-4090-24gb"  # short of memory, but to be had
    times = [one.times for one in planned.left_out if one.accelerator_id in rented]
    assert times == sorted(times) and times[0] > 1
    titles = {one.accelerator_id: one.title for one in planned.left_out}
    assert titles["nvidia-l40s-48gb"] == KNOWN.catalogue.accelerators["nvidia-l40s-48gb"].title


def test_how_late_it_is_said_in_a_sentence(planned: Plan) -> None:
    first = planned.left_out[0]
    assert first.code == "deadline" and "with 90% probability it takes at most" in first.why


def test_what_shares_its_hosts_memory_is_one_to_a_computer(planned: Plan) -> None:
    """1,536 workstations had been planned as one machine: the limit asked how many there are."""
    sites = Sites.of(KNOWN.book, [KNOWN.catalogue.accelerators["apple-m2-ultra-192gb"]])
    assert sites.limits.tolist() == [1.0]
    apple = next(one for one in planned.left_out if one.accelerator_id.startswith("apple"))
    assert apple.nearest is None or apple.nearest.devices == 1
