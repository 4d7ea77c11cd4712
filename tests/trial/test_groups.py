"""Where the time of a step goes: groups measured by the child, told by the rules, set side by side."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from few import shipped_knowledge

from advisor.data.catalogue import find_accelerator
from advisor.estimate import evaluate
from advisor.estimate.inputs import known_only, of_accelerator, table_of
from advisor.search.grid import SetUp, joined
from advisor.search.inputs import of_workload
from advisor.search.own import workload_from_flags
from advisor.trial.parts import GROUPS, difference, parts_of
from advisor.trial.result import groups_of

SEEN = {"seconds": {"products": 0.6, "traffic": 0.3, "update": 0.1}, "whole": 1.25, "on_card": False}


def test_on_processors_the_profilers_shares_count() -> None:
    found = groups_of(SEEN, 0.5)
    assert found["products"] == pytest.approx(0.5 * 0.6 / 1.25)
    assert sum(found.values()) == pytest.approx(0.5)
    assert set(found) == set(GROUPS)


def test_on_a_card_seconds_count_and_the_rest_is_launches() -> None:
    found = groups_of({**SEEN, "on_card": True}, 1.2)
    assert found["products"] == 0.6
    assert found["launches"] == pytest.approx(0.2)


def test_a_disturbed_step_is_told_as_the_profiler_saw_it() -> None:
    assert sum(groups_of(SEEN, None).values()) == pytest.approx(1.25)
    assert groups_of(None, 1.0) == {}


def test_the_group_that_makes_the_difference() -> None:
    told = {"products": 0.5, "traffic": 0.1, "update": 0.1, "launches": 0.0}
    assert difference(groups_of({**SEEN, "on_card": True}, 1.0), told) == "traffic"
    assert difference({}, told) == ""


def test_the_rules_groups_add_up_to_the_step() -> None:
    known = shipped_knowledge()
    job = workload_from_flags(known.catalogue, "gpt2-124m", method="pretrain", batch=16, seq_len=1024)
    place = of_accelerator(find_accelerator(known.catalogue, "nvidia-a100-sxm4-80gb"))
    row = joined(of_workload(job), place, SetUp(1, micro_batch=16.0))
    table = evaluate(known.book, table_of(known.book, [known_only(known.book, row)]))
    found = parts_of(table, 0)
    assert set(found) == set(GROUPS)
    assert all(part >= 0 for part in found.values())
    assert sum(found.values()) == pytest.approx(float(table.columns["step_s"][0]), rel=0.02)
    assert found["products"] > found["update"]


def test_a_measured_rate_has_no_groups() -> None:
    columns = {"step_s": np.array([1.0]), "rate_here": np.array([1e12])}
    assert parts_of(SimpleNamespace(columns=columns), 0) == {}  # type: ignore[arg-type]


def test_the_child_counts_products_and_the_update() -> None:
    torch = pytest.importorskip("torch")
    from advisor.trial.child.groups import groups

    network = torch.nn.Sequential(torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256))
    optimizer = torch.optim.AdamW(network.parameters())
    batch = torch.ones(512, 256)

    def step() -> None:
        optimizer.zero_grad()
        network(batch).sum().backward()
        optimizer.step()

    step()
    found = groups(step, SimpleNamespace(kind="cpu", name="cpu"))  # type: ignore[arg-type]
    assert set(found["seconds"]) == {"products", "traffic", "update"}
    assert all(seconds > 0 for seconds in found["seconds"].values())
    assert sum(found["seconds"].values()) <= found["whole"] * 1.5
