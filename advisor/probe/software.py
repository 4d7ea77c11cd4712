"""Software: the Python asked for, its frameworks, and whether they really see the devices.

Versions come from files, without importing anything. A framework is imported only when this machine shows
signs of an accelerator (or when told to), each in a child of that Python, so that one that hangs or
crashes hides no other. Options come from the environment: HWADVISOR_PROBE_PYTHON (an interpreter; default
ours), HWADVISOR_PROBE_ASK ("1" always, "0" never, else: when there is a sign) and HWADVISOR_PROBE_LISTED
(JSON, {vendor: device} that other probes have listed: a container may have the driver's library and no
device node, so that files show nothing).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.probe import amd, apple, ascend, nvidia, software_seen, tpu
from advisor.probe.facts import none, ok
from advisor.probe.reading import children, clean, may_ask, pci_functions, section
from advisor.probe.software_ask import ask, check_python
from advisor.probe.software_builds import build_fact, version_fact

if TYPE_CHECKING:
    from advisor.probe.facts import Say

NAME = "software"
GROUP = "software"
VERSIONS_TIMEOUT_S = 10.0
ASK_TIMEOUT_S = 60.0  # importing torch takes 2.5 s from a warm disk and half a minute from a cold network one
DRIVER_S = 5.0  # for one call of a driver once torch is imported, and its patience where many GPUs start
# torch is asked alone (others would hold memory on the device), the rest after it
DEADLINE_S = VERSIONS_TIMEOUT_S + 2 * ASK_TIMEOUT_S + 5.0

FRAMEWORKS = ("torch", "tensorflow", "jax", "mindspore")


def present(root: Path) -> str:
    """There is always a Python."""
    del root
    return os.environ.get("HWADVISOR_PROBE_PYTHON") or sys.executable


def accelerator_hints(root: Path) -> dict[str, str]:
    """{vendor: what was seen} of accelerators under `root`, from files alone."""
    hints: dict[str, str] = {}
    for node in sorted(path.name for path in children(root / "dev")):
        if node in ("nvidiactl", "nvmap") or (node.startswith("nvidia") and node[6:].isdigit()):
            hints.setdefault("nvidia", f"/dev/{node}")
        elif node == "dxg":  # WSL2's one door to whatever GPU Windows has
            hints.setdefault("wsl", "/dev/dxg")
    for function in pci_functions(root):
        if function["vendor"] == "10de" and function["class"].startswith("03"):
            hints.setdefault("nvidia", f"PCI {function['address']}")
        elif function["vendor"] == "1da3" or _discrete_intel(function):
            hints.setdefault("intel", f"PCI {function['address']}")
        elif function["vendor"] == "8086" and function["class"].startswith("03"):
            hints.setdefault("intel_integrated", f"PCI {function['address']}")
    signs = {
        "amd": amd.sign(root),
        "huawei": ascend.sign(root),
        "google": tpu.sign(root),
        "apple": apple.present(root),
    }
    return hints | {vendor: sign for vendor, sign in signs.items() if sign}


def _with_listed(hints: dict[str, str], listed: str) -> dict[str, str]:
    """The hints, and those vendors with a listed device that files gave no hint of."""
    try:
        found = json.loads(listed or "{}")
    except ValueError:  # not ours: nobody else has reason to set it, and files still tell
        return hints
    if not isinstance(found, dict):
        return hints
    known = {vendor.partition("_")[0] for vendor in hints}  # "intel_integrated" is Intel's
    return hints | {str(v): f"the driver lists {device}" for v, device in found.items() if v not in known}


def _discrete_intel(function: dict[str, str]) -> bool:
    return (
        function["vendor"] == "8086"
        and function["class"].startswith("03")
        and function["address"] != "0000:00:02.0"
    )


def read(root: Path, say: Say) -> None:
    """Report the options, the versions, then each framework's answers."""
    given = os.environ.get("HWADVISOR_PROBE_PYTHON", "")
    wish = os.environ.get("HWADVISOR_PROBE_ASK", "")
    python = given or sys.executable
    hints = _with_listed(accelerator_hints(root), os.environ.get("HWADVISOR_PROBE_LISTED", ""))
    say("options", {"python": python, "given": bool(given), "ask": wish})
    say("hints", hints)
    say("torch_npu_cann", ascend.cann_versions(root / "usr/local/Ascend"))
    if not may_ask(say, "versions", f"{python} (versions)"):
        return
    said = ask(python, "versions", VERSIONS_TIMEOUT_S)
    say("versions", said)
    if not _wanted(wish, hints, said["answers"]):
        return
    for name in FRAMEWORKS:
        here = f"build:{name}" in said["answers"]
        if here and may_ask(say, f"ask:{name}", f"{python} (import {name})"):
            say(f"ask:{name}", _asked(python, name, root, hints))


def _asked(python: str, name: str, root: Path, hints: dict[str, str]) -> dict[str, Any]:
    """One framework's answers. Only torch gets all of ASK_TIMEOUT_S: the three others share as much."""
    if name != "torch":
        return ask(python, name, ASK_TIMEOUT_S / 3)
    # nobody tells how long AMD's driver takes to start its GPUs: as long as NVIDIA's for eight
    patience_s = nvidia.MAX_PATIENCE_S if "amd" in hints else nvidia.patience_s(root)
    return ask(python, name, ASK_TIMEOUT_S, driver_s=DRIVER_S + patience_s)


def _wanted(wish: str, hints: dict[str, str], answers: dict[str, Any]) -> bool:
    """Whether frameworks are imported: an integrated Intel GPU alone is a reason only for an XPU build."""
    if wish in {"0", "1"}:
        return wish == "1"
    torch = answers.get("build:torch")
    xpu = isinstance(torch, dict) and bool(torch.get("xpu"))
    return any(vendor != "intel_integrated" or xpu for vendor in hints)


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """Raw answers -> software, notices and skipped of a Machine."""
    options, versions = section(raw, "options"), section(raw, "versions")
    answers = section(versions, "answers")
    failed = str(versions.get("status", "failed")) if versions.get("status") != "ok" else ""
    reason = clean(versions.get("reason") or "the Python asked for was not reached", 300)
    python = section(answers, "python")
    packages = {clean(key, 60): clean(value, 60) for key, value in section(answers, "packages").items()}
    software: dict[str, Any] = {
        "environment": clean(options.get("python", ""), 1000) if options.get("given") else "this",
        "python": _text(python.get("executable"), 1000, failed, reason, "sys.executable"),
        "python_version": _text(python.get("version"), 60, failed, reason, "platform.python_version()"),
        "packages": ok(packages, "*.dist-info on sys.path")
        if "packages" in answers
        else none(failed or "failed", "*.dist-info on sys.path", reason),
    }
    frameworks, notices = [], []
    for name in FRAMEWORKS:
        framework, told = _framework(name, raw, packages, (failed, reason))
        frameworks.append(framework)
        notices += told
    software["frameworks"] = frameworks
    skipped = []
    if failed:
        skipped.append({"probe": NAME, "status": failed, "reason": reason, "hint": _hint(options, reason)})
    return {"software": software, "notices": notices, "skipped": skipped}


def _framework(
    name: str,
    raw: dict[str, Any],
    packages: dict[str, str],
    failure: tuple[str, str],
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """One framework as a schema.Framework, and the notices that go with it."""
    answers = section(section(raw, "versions"), "answers")
    hints = {str(vendor): clean(sign) for vendor, sign in section(raw, "hints").items()}
    build = section(answers, f"build:{name}")
    asked = section(raw, f"ask:{name}")
    if not build and name not in packages and not asked:
        status, reason = failure if failure[0] else ("absent", f"{name} is not installed in this environment")
        blank = none(status, "sys.path", reason)
        return {"name": name, "version": blank, "build": blank, "sees": blank}, []
    framework = {
        "name": name,
        "version": version_fact(name, build, packages, asked),
        "build": build_fact(name, build, packages, section(raw, "torch_npu_cann"), hints),
        "sees": software_seen.sees_fact(name, asked, section(raw, "options").get("ask") == "0"),
    }
    context = software_seen.Context(
        framework=framework,
        build=build,
        asked=asked,
        hints=hints,
        environment=section(answers, "environment"),
    )
    return framework, software_seen.notices(context)


def _hint(options: dict[str, Any], reason: str) -> str:
    if not options.get("given"):
        return ""
    if "SyntaxError" in reason:
        return "Is it Python 2? Python 3.8 or newer is needed in the environment that is looked at."
    return "Give the interpreter of the environment, for instance --python /path/to/env/bin/python."


def _text(value: Any, limit: int, failed: str, reason: str, source: str) -> dict[str, Any]:
    return ok(clean(value, limit), source) if value else none(failed or "failed", source, reason)


__all__ = ["accelerator_hints", "check_python", "parse", "present", "read"]
