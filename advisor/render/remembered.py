"""What is asked of one advice again and again while a page is made: found once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from advisor.schema import Advice, Workload

T = TypeVar("T")


def remembered(find: Callable[[Advice, Workload], T]) -> Callable[[Advice, Workload], T]:
    """`find` that remembers what it found of the advice it was asked about last.

    By identity: an advice cannot change, and comparing two of them would take longer than finding.
    """
    known: dict[int, tuple[Workload, T]] = {}
    last: list[Advice] = []  # kept alive, as are the workloads, so that no other object takes its identity

    @wraps(find)
    def found(advice: Advice, workload: Workload) -> T:
        if not last or last[0] is not advice:
            known.clear()
            last[:] = [advice]
        if id(workload) not in known:
            known[id(workload)] = (workload, find(advice, workload))
        return known[id(workload)][1]

    return found
