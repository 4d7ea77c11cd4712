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

__all__ = ["detect"]


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
    this one), `ask_frameworks` whether they are imported (default: when there is an accelerator), in
    a child process. `workdir` is the folder whose file system is described. `replay` takes raw
    answers kept by `keep_raw` instead of asking. What a device, driver or library does wrong becomes
    a status and a reason; raises UserError only for a `replay` that holds no raw answers.
    """
    from advisor.probe.merge import checked, machine_of
    from advisor.probe.walk import ask

    raw = ask(root, python, ask_frameworks, workdir) if replay is None else checked(replay)
    if keep_raw is not None:
        keep_raw(raw)
    return machine_of(raw)
