"""`hwadvisor doctor`: what is missing on this system, and the command that installs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata

import click

from advisor.cli.options import here, json_flag, python_option
from advisor.errors import EXIT_DONE, EXIT_USER, AdvisorError


@dataclass(frozen=True)
class Check:
    """One thing hwadvisor needs. `needed_for` empty: everything needs it."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
    needed_for: str = ""


@click.command()
@json_flag
@python_option
def doctor(as_json: bool, python: str | None) -> None:
    """Check libraries, fonts, rule files, torch and drivers; exit 2 when something is missing.

    Nothing here stops a scan: what is missing is left out and said in one line.
    """
    checks = [*_python(), *_rules(), *_torch(python), *_pdf(), *_drivers()]
    if as_json:
        click.echo(json.dumps({"checks": [asdict(check) for check in checks]}, indent=1))
    else:
        _print(checks)
    sys.exit(EXIT_DONE if all(check.ok for check in checks) else EXIT_USER)


def _print(checks: list[Check]) -> None:
    from advisor.cli.language import form, told
    from advisor.cli.screen import console
    from advisor.cli.text import label

    out = console()
    for check in checks:
        lacks = check.needed_for and not check.ok
        needed = form(" (needed for {what})", what=told(check.needed_for)) if lacks else ""
        mark = label("ok" if check.ok else "MISSING", 7)
        line = form("{name}: {detail}", name=told(check.name), detail=told(check.detail))
        out.print(f"{mark}  {line}{needed}", soft_wrap=True)
        if check.hint and not check.ok:
            out.print(f"         {told(check.hint)}", soft_wrap=True)


def _python() -> Iterator[Check]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Check(
        "Python", sys.version_info >= (3, 11), f"{version} at {sys.executable}", "Install Python 3.11+."
    )
    owner = _distribution_of("pynvml")
    yield Check(
        "NVIDIA binding",
        owner == "nvidia-ml-py",
        f"module pynvml belongs to {owner or 'no package'}",
        "pip uninstall pynvml && pip install --force-reinstall nvidia-ml-py",
        "NVIDIA devices",
    )


def _distribution_of(module: str) -> str:
    """The package a top-level module was installed by; the later name wins as it does on import."""
    owners = metadata.packages_distributions().get(module, [])
    deprecated = [name for name in owners if name == module]
    return deprecated[0] if deprecated else (owners[0] if owners else "")


def _rules() -> Iterator[Check]:
    from advisor.app import load_knowledge
    from advisor.paths import with_user_rules

    try:
        knowledge = load_knowledge(with_user_rules())
    except AdvisorError as error:
        yield Check("Rules", False, error.message, error.hint)
        return
    counts = f"{len(knowledge.book.rules)} rules, {len(knowledge.catalogue.accelerators)} accelerators"
    yield Check("Rules", True, f"{counts}, digest {knowledge.book.digest[:12]}")


def _torch(python: str | None) -> Iterator[Check]:
    from advisor.calibrate import check_environment

    try:
        found = check_environment(python, None)
    except AdvisorError as error:
        yield Check("torch", False, error.message, error.hint, "measuring this machine")
        return
    yield Check("torch", True, found.describe())


def _pdf() -> Iterator[Check]:
    from advisor.render import check_pdf_support

    for name, ok, detail, hint in check_pdf_support():
        yield Check(name, ok, detail, hint, "PDF reports")


def _drivers() -> Iterator[Check]:
    from advisor.cli.tell_machine import unanswered_probes
    from advisor.probe import detect

    machine = detect(ask_frameworks=False, workdir=here())
    for driver in machine.drivers:
        version = driver.driver_version
        yield Check(f"{driver.vendor} driver", version.known, version.value or version.reason)
    for skipped in machine.skipped:
        if skipped.status.value in ("absent", "not_asked"):
            continue
        yield Check(f"probe of {skipped.probe}", False, skipped.reason, skipped.hint)
    if not machine.devices:
        unanswered = unanswered_probes(machine)
        told = (
            f"not known: no answer from {unanswered}"
            if unanswered
            else "none found; a CPU-only machine is fine"
        )
        yield Check("Accelerators", not unanswered, told)
    for device in machine.devices:
        name = device.name.value or device.name.reason or "unknown"
        yield Check(f"{device.vendor} {device.kind} {device.index}", device.status.value == "ok", name[:80])
