"""Raw answers -> Machine: each probe's `parse`, one dict of them all, the joins, the check."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_origin

from advisor.errors import UserError
from advisor.probe.facts import none

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from advisor.schema import Machine

SECTIONS = ("host", "cpu", "memory", "storage", "network", "software")
LISTS = ("devices", "device_links", "drivers", "skipped", "notices")
JOINED = ("framework_name", "accelerator_id", "pcie_slot_gen", "pcie_slot_width")  # filled after the probes

Partial = dict[str, Any]


def checked(replay: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Raw answers from a file, if they are any. Raises UserError that names what is wrong."""
    for name, said in replay.items():
        if not isinstance(said, dict) or not (name.startswith("_") or isinstance(said.get("answers"), dict)):
            raise UserError(
                f"the raw answers of '{name}' are none: expected an object with 'answers'",
                "Write the file with `hwadvisor probe --save-raw FILE`.",
            )
    if not any(not name.startswith("_") for name in replay):
        raise UserError("there are no raw answers in it", "Write it with `hwadvisor probe --save-raw FILE`.")
    return replay


def machine_of(raw: dict[str, dict[str, Any]]) -> Machine:
    """The Machine behind raw answers. What one probe got wrong is told in `skipped` and costs that probe."""
    from pydantic import ValidationError

    from advisor.probe.join import join
    from advisor.schema import Machine

    about = raw.get("_about", {})
    base = {
        "probed_at": str(about.get("probed_at") or datetime.now(UTC).isoformat(timespec="seconds")),
        "seconds": {name: _seconds(said) for name, said in sorted(raw.items()) if not name.startswith("_")},
    }
    partials = {name: _parsed(name, said) for name, said in sorted(raw.items()) if not name.startswith("_")}
    for name, partial in partials.items():
        try:
            Machine.model_validate(base | partial)
        except ValidationError as error:
            partials[name] = _failed(name, "failed", f"answered in a wrong shape: {_first(error)}")
    return Machine.model_validate(base | join(_merged(partials)))


def _parsed(name: str, said: dict[str, Any]) -> Partial:
    """One probe's part of the machine, with what it could not tell, and why."""
    status, reason = str(said.get("status", "failed")), str(said.get("reason", ""))
    answers = said.get("answers", {})
    if status != "ok" and not answers:
        return _failed(name, status, reason)
    if status != "ok":
        answers = {**answers, "_ended": {"status": status, "reason": reason}}
    try:
        partial: Partial = import_module(f"advisor.probe.{name}").parse(answers)
    except Exception as error:  # noqa: BLE001, RUF100 - reported: one parser's bug must not hide the others
        return _failed(name, "failed", f"its answers could not be read: {type(error).__name__}: {error}")
    if status != "ok":
        entry = {"probe": name, "status": status, "reason": reason}
        partial = {**partial, "skipped": [*partial.get("skipped", []), entry]}
    _fill(partial, status if status != "ok" else "not_asked", reason or f"the {name} probe does not ask this")
    return partial


def _failed(name: str, status: str, reason: str) -> Partial:
    """The part of a probe that gave nothing: its own section says why."""
    partial: Partial = {"skipped": [{"probe": name, "status": status, "reason": reason}]}
    if name in SECTIONS:
        partial[name] = {}
        _fill(partial, status, reason)
    elif name == "pcie":
        partial["pcie"] = none(status, name, reason)
    return partial


def _fill(partial: Partial, status: str, reason: str) -> None:
    """Give every fact that a probe left out its status and reason, in place."""
    from advisor.schema import Device, Machine

    for section in SECTIONS:
        if isinstance(partial.get(section), dict):
            model: Any = Machine.model_fields[section].annotation
            _fill_model(partial[section], model, status, reason)
    for device in partial.get("devices", ()):
        _fill_model(device, Device, status, reason)


def _fill_model(values: dict[str, Any], model: type[BaseModel], status: str, reason: str) -> None:
    from advisor.schema import Fact

    for key, info in model.model_fields.items():
        kind = info.annotation
        origin = get_origin(kind) or kind
        is_fact = isinstance(origin, type) and issubclass(origin, Fact)
        if is_fact and key not in values and key not in JOINED:
            values[key] = none(status, "", reason)


def _merged(partials: dict[str, Partial]) -> Partial:
    """All parts in one: sections key by key, lists one after the other."""
    out: Partial = {section: {} for section in SECTIONS} | {name: [] for name in LISTS}
    for partial in partials.values():
        for key, value in partial.items():
            if key in SECTIONS:
                out[key] = {**out[key], **value}
            elif key in LISTS:
                out[key] = [*out[key], *value]
            else:
                out[key] = value
    return out


def _seconds(said: dict[str, Any]) -> float:
    value = said.get("seconds", 0.0)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
