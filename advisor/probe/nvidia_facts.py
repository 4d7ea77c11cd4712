"""NVML's raw answers -> facts: what the parsers of devices, links and notices share. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from advisor.probe.facts import FactDict, none, ok
from advisor.probe.reading import clean

Raw = dict[str, Any]


def text(value: Any) -> str | None:
    """A name fit to be shown, or None."""
    return clean(value) or None if isinstance(value, str) else None


def whole(value: Any) -> int | None:
    """A whole number that is not negative, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def scaled(factor: float) -> Callable[[Any], float | None]:
    """A converter to SI: MHz -> Hz, mW -> W, percent -> share."""

    def convert(value: Any) -> float | None:
        number = whole(value)
        return None if number is None else number * factor

    return convert


def item(index: int, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A converter of one element of a list."""
    return lambda value: convert(value[index]) if isinstance(value, list) and len(value) > index else None


def flag(value: Any) -> bool | None:
    """nvmlEnableState_t, or any counter that means "yes" above zero."""
    number = whole(value)
    return None if number is None else number > 0


def fact(answer: Any, convert: Callable[[Any], Any]) -> FactDict | None:
    """An answer as a fact; None when the question was never answered (the merge says why)."""
    if not isinstance(answer, dict):
        return None
    source = f"nvml:{clean(answer.get('call', ''), 100)}"
    reason = clean(answer.get("reason") or "", 400)
    if answer.get("status") != "ok":
        return none(str(answer.get("status") or "failed"), source, reason)
    value = convert(answer.get("value"))
    if value is None:
        return none("failed", source, f"answered {clean(repr(answer.get('value')), 80)}")
    return ok(value, source, reason)


def ended(raw: Raw) -> FactDict:
    """A fact for what was never answered, from how the whole probe ended."""
    end = raw.get("_ended") if isinstance(raw.get("_ended"), dict) else {}
    status, reason = (end or {}).get("status", "failed"), (end or {}).get("reason", "was not answered")
    return none(str(status), "nvml", clean(reason, 400))


def part(answer: Any, name: str) -> Any:
    """The same answer with one key of its value."""
    if not isinstance(answer, dict) or not isinstance(answer.get("value"), dict):
        return answer
    return {**answer, "value": answer["value"].get(name)}


def put(device: dict[str, Any], field: str, value: FactDict | None) -> None:
    if value is not None:
        device[field] = value


def value_of(device: dict[str, Any], field: str) -> Any:
    """The value of a fact of a device, or None."""
    found = device.get(field)
    return found.get("value") if isinstance(found, dict) else None
