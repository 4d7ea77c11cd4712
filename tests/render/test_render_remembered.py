"""What is asked of one advice again is found once, and never of another."""

from __future__ import annotations

import sample

from advisor.render.remembered import remembered
from advisor.schema import Advice, Workload


def test_it_is_found_once_for_each_workload_of_one_advice() -> None:
    asked: list[tuple[str, str]] = []

    @remembered
    def find(advice: Advice, workload: Workload) -> str:
        asked.append((advice.created_at, workload.id))
        return f"{advice.created_at} {workload.id}"

    first = sample.cpu_machine()
    one, other = first.workloads[:2]
    assert find(first, one) == find(first, one) == f"{first.created_at} {one.id}"
    assert find(first, other) != find(first, one)
    assert len(asked) == 2
    second = first.model_copy(update={"created_at": "another time"})
    assert find(second, one) == f"another time {one.id}"
    assert find(first, one).startswith(first.created_at)
    changed = one.model_copy(update={"id": "changed"})
    assert find(first, changed).endswith("changed"), "a workload is known by what it is, not by its place"
    assert len(asked) == 5
