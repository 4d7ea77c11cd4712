"""Walks this package for probes, starts those that have something to look at, returns their raw answers."""

from __future__ import annotations

import json
import os
import pkgutil
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from advisor.probe.run import Job, Place, gather

DEADLINE_S = 5.0
PARTS = ("NAME", "GROUP", "present", "read", "parse")
NOT_PROBES = frozenset({"child", "facts", "join", "merge", "run", "walk"})


@dataclass(frozen=True)
class Probe:
    """One source of facts, or the reason why its module could not be loaded."""

    name: str
    group: str
    deadline_s: float
    module: ModuleType | None
    broken: str = ""


def probes() -> list[Probe]:
    """All probes of this package, by name. A module that cannot be imported is told, not raised."""
    found: list[Probe] = []
    for entry in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if entry.name in NOT_PROBES or entry.name.endswith("_child"):
            continue
        try:
            module = import_module(f"advisor.probe.{entry.name}")
        except Exception as error:  # noqa: BLE001, RUF100 - one broken probe must not hide the others
            found.append(Probe(entry.name, entry.name, 0.0, None, f"{type(error).__name__}: {error}"))
            continue
        if all(hasattr(module, part) for part in PARTS):
            deadline_s = float(getattr(module, "DEADLINE_S", DEADLINE_S))
            found.append(Probe(entry.name, str(module.GROUP), deadline_s, module))
    return found


def ask(
    root: Path, python: str | None, ask_frameworks: bool | None, workdir: Path | None
) -> dict[str, dict[str, Any]]:
    """The raw answers of every probe, {name: {"answers", "status", "reason", "seconds", "hint"}}."""
    raw: dict[str, dict[str, Any]] = {
        "_about": {"probed_at": datetime.now(UTC).isoformat(timespec="seconds"), "raw_version": 1}
    }
    groups: dict[str, list[Probe]] = {}
    hints: dict[str, str] = {}
    for probe in probes():
        status, hint = _look(probe, root)
        if status == "ok":
            hints[probe.name] = hint
            groups.setdefault(probe.group, []).append(probe)
        else:
            raw[probe.name] = {"answers": {}, "status": status, "reason": hint, "seconds": 0.0, "hint": ""}
    jobs = [
        Job(
            group,
            tuple(probe.name for probe in members),
            max(probe.deadline_s for probe in members),
            max(_patience_s(probe, root) for probe in members),
        )
        for group, members in groups.items()
    ]
    place = Place(root, workdir, _options(python, ask_frameworks))
    for name, said in gather(jobs, place, _prepare).items():
        raw[name] = {**said, "hint": hints[name]}
    return raw


def hints_in(raw: dict[str, Any]) -> dict[str, Any]:
    """The signs of an accelerator that the software probe found in files."""
    answers = raw.get("software", {}).get("answers", {})
    hints = answers.get("hints") if isinstance(answers, dict) else None
    return hints if isinstance(hints, dict) else {}


def ask_software(
    raw: dict[str, Any],
    listed: dict[str, str],
    root: Path,
    python: str | None,
    workdir: Path | None,
) -> dict[str, Any] | None:
    """The raw answers of the software probe alone, its frameworks asked; None when nothing calls for it.

    `listed` are the vendors whose devices another probe has listed, with a name each.
    """
    forced = os.environ.get("HWADVISOR_PROBE_ASK") == "1"
    if not (listed or hints_in(raw) or forced) or os.environ.get("HWADVISOR_PROBE_ASK") == "0":
        return None
    probe = next((probe for probe in probes() if probe.name == "software"), None)
    if probe is None or probe.module is None:
        return None
    env = {**_options(python, None), "HWADVISOR_PROBE_LISTED": json.dumps(listed)}
    job = Job(probe.group, (probe.name,), probe.deadline_s)
    said = gather([job], Place(root, workdir, env))[probe.name]
    before = raw.get("software", {})
    answers = {**before.get("answers", {}), **said["answers"]}  # a child that fails now costs nothing known
    return {**said, "answers": answers, "hint": str(before.get("hint", ""))}


def _look(probe: Probe, root: Path) -> tuple[str, str]:
    """("ok", the hint that there is something to ask) or (status, why nothing is asked)."""
    if probe.module is None:
        return "failed", f"the probe could not be loaded: {probe.broken}"
    try:
        hint = probe.module.present(root)
    except PermissionError as error:
        return "no_permission", f"looking for it: {error}"
    except Exception as error:  # noqa: BLE001, RUF100 - as above: reported, not raised
        return "failed", f"looking for it raised {type(error).__name__}: {error}"
    return ("ok", str(hint)) if hint else ("absent", "nothing of it was found on this machine")


def _patience_s(probe: Probe, root: Path) -> float:
    """What a probe may take beyond its deadline here, by its own `patience_s(root)` if it has one."""
    asked = getattr(probe.module, "patience_s", None)
    try:
        return float(asked(root)) if asked is not None else 0.0
    except Exception:  # noqa: BLE001, RUF100 - its deadline alone then holds
        return 0.0


def _options(python: str | None, ask_frameworks: bool | None) -> dict[str, str]:
    """What the software probe is told through its environment."""
    options = {} if python is None else {"HWADVISOR_PROBE_PYTHON": python}
    if ask_frameworks is not None:
        options["HWADVISOR_PROBE_ASK"] = "1" if ask_frameworks else "0"
    return options


def _prepare() -> None:
    """Load what comes after the answers while the children work."""
    import_module("advisor.schema")
