"""Probing: what this machine is. Every source of facts is one module of this package.

A module is a probe when it has NAME, GROUP, DEADLINE_S, `present`, `read` and `parse` (see
docs/adding.md). `read` runs in a child process (`run`, `child`), `parse` is pure (`merge`), and what
several sources say of the same device is brought together in `join`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.schema import Machine

__all__ = ["add_frameworks", "detect"]


def detect(  # noqa: PLR0913 - all by name, all with a default
    *,
    root: Path = Path("/"),
    python: str | None = None,
    ask_frameworks: bool | None = None,
    workdir: Path | None = None,
    replay: dict[str, Any] | None = None,
    keep_raw: Callable[[dict[str, Any]], None] | None = None,
) -> Machine:
    """Everything that can be seen of this machine; nothing is set or changed.

    Files are read below `root`. `python` is the interpreter whose frameworks are looked at (default:
    this one), `ask_frameworks` whether they are imported (default: when there is an accelerator; False
    with `add_frameworks` afterwards gives the rest first), in a child process. `workdir` is the folder
    whose file system is described. `replay` takes raw answers kept by `keep_raw` instead of asking. What
    a device, driver or library does wrong becomes a status and a reason; raises UserError only for a
    `replay` that holds no raw answers.
    """
    from advisor.probe.merge import checked, machine_of
    from advisor.probe.walk import ask, hints_in

    raw = ask(root, python, ask_frameworks, workdir) if replay is None else checked(replay)
    machine = machine_of(raw)
    if replay is None and ask_frameworks is None and machine.devices and not hints_in(raw):
        return add_frameworks(machine, raw, root=root, python=python, workdir=workdir, keep_raw=keep_raw)
    if keep_raw is not None:
        keep_raw(raw)
    return machine


def add_frameworks(  # noqa: PLR0913 - as above
    machine: Machine,
    raw: dict[str, Any],
    *,
    root: Path = Path("/"),
    python: str | None = None,
    workdir: Path | None = None,
    keep_raw: Callable[[dict[str, Any]], None] | None = None,
) -> Machine:
    """The same machine with its frameworks imported and asked, and everything joined again.

    `machine` is what `detect(ask_frameworks=False)` made of `raw`, its raw answers. Only the software is
    looked at again, and only when there is an accelerator: a sign of one in files, or a device that a
    driver listed without any such sign, as in a container. Otherwise `machine` is returned as it is.
    """
    from advisor.probe.merge import machine_of
    from advisor.probe.walk import ask_software

    said = ask_software(raw, _listed(machine), root, python, workdir)
    if said is not None:
        raw = {**raw, "software": said}
        machine = machine_of(raw)
    if keep_raw is not None:
        keep_raw(raw)
    return machine


def _listed(machine: Machine) -> dict[str, str]:
    """{vendor: its first device} of all accelerators that a probe has listed."""
    found: dict[str, str] = {}
    for device in machine.devices:
        found.setdefault(device.vendor, device.name.value or f"{device.kind} {device.index}")
    return found
