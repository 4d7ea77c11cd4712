"""Dates that cannot be: still to come, or before what they rest on."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from advisor.schema import Advice

_DAY = datetime.timedelta(days=1)  # clocks and time zones differ


def doubtful(advice: Advice, now: datetime.datetime | None = None) -> list[str]:
    """What of its dates the clock here does not bear out, in sentences: one of the two clocks is wrong, or
    somebody wrote another date."""
    return list(_doubtful(advice, now or datetime.datetime.now(datetime.UTC)))


def _doubtful(advice: Advice, now: datetime.datetime) -> Iterator[str]:
    made = _moment(advice.created_at)
    if advice.created_at and made is None:
        yield f"its date '{advice.created_at[:40]}' is none"
    if made is not None and made > now + _DAY:
        yield f"it is said to be of {advice.created_at[:10]}, which is still to come by the clock here"
    newest = _moment(advice.versions.prices_as_of)
    if made is not None and newest is not None and made + _DAY < newest:
        day = advice.versions.prices_as_of[:10]
        yield f"it is said to be of {advice.created_at[:10]}, before the prices in it, which are of {day}"
    for name, text in _measured(advice):
        when = _moment(text)
        if when is not None and when > now + _DAY:
            yield f"{name} is said to be measured on {text[:10]}, which is still to come by the clock here"
            return


def _measured(advice: Advice) -> Iterator[tuple[str, str]]:
    if advice.calibration is not None:
        yield from ((one.id, one.measured_at) for one in advice.calibration.measurements)


def _moment(text: str) -> datetime.datetime | None:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
