"""Facts as plain dicts in the shape of schema.Fact: the probes' children run without pydantic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

FactDict = dict[str, Any]


class CallSkipped(Exception):
    """Raised by `Say.begin` for a call that hung or crashed the child before this one.

    A probe that does not catch it ends there; what it said so far is kept and its neighbours go on.
    """

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Say(Protocol):
    """How a probe reports from its child process."""

    def __call__(self, key: str, value: Any) -> None:
        """Report one raw answer (JSON types) at once."""

    def begin(self, call: str, *, needed: bool = False) -> None:
        """Name the call that comes next, so that a hang or crash can be blamed on it.

        After one, the child is started again without that call, unless it is `needed`: without it
        nothing else could be asked. In "device 0: nvmlDeviceGetName" the part before ": " names what
        all such calls go to; two that fail on the same thing make the runner leave that thing out.
        Raises CallSkipped in the second child.
        """


def ok(value: Any, source: str, reason: str = "") -> FactDict:
    """A fact with its value."""
    return {"value": value, "status": "ok", "source": source, "reason": reason, "others": []}


def none(status: str, source: str, reason: str) -> FactDict:
    """A fact without a value, and why."""
    return {"value": None, "status": status, "source": source, "reason": reason, "others": []}


def assumed(value: Any, source: str, reason: str) -> FactDict:
    """A value taken as given, with the reason."""
    return {"value": value, "status": "assumed", "source": source, "reason": reason, "others": []}


def contradiction(value: Any, source: str, others: Iterable[tuple[Any, str]], reason: str) -> FactDict:
    """The value to use, and what other sources say of the same thing as (value, source) pairs."""
    return {
        "value": value,
        "status": "contradiction",
        "source": source,
        "reason": reason,
        "others": [{"value": other, "source": who} for other, who in others],
    }
