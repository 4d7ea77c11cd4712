"""What a walk is asked for, and what its caller may show while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from advisor.calibrate import Event
    from advisor.schema import Advice, Model


@dataclass(frozen=True)
class WorkloadFlags:
    """A workload of the user's own, as told by flags. None: the preset or recipe says.

    `model` is a preset's id or alias, the path of a config.json or of its folder, or an id in the hub's
    cache `hub`, or a network read (traced) already; or else `params` gives the number of parameters and
    nothing more is known.
    """

    model: str | Model | None = None
    params: float | None = None
    hub: Path | None = None
    tokens: float | None = None
    method: str | None = None
    precision: str | None = None
    seq_len: int | None = None
    batch: int | None = None
    stack: str | None = None  # the program that trains, or its family
    details: Mapping[str, Any] = field(default_factory=dict)  # advisor/search/recipe.py


@dataclass(frozen=True)
class ScanOptions:
    """What `scan` shall do; the defaults are those of the command line."""

    mode: str = "default"  # quick, default, thorough
    output: Path = field(default_factory=lambda: Path("reports"))
    python: str | None = None
    device: str | None = None
    workload: WorkloadFlags | None = None
    rules: tuple[Path, ...] = ()
    formats: tuple[str, ...] = ("html", "pdf")
    lang: str = "en"
    measure: bool | None = None  # None: yes, except on a login node
    redact: bool = False  # leave what names the computer or a person out of all files
    reuse: bool = False  # take figures of an earlier report of this machine, if nothing has changed
    workdir: Path = field(default_factory=Path)


class MeasureListener(Protocol):
    """What the caller may show while the machine is measured."""

    def event(self, event: Event) -> None:
        """Calibration progress."""

    def say(self, text: str) -> None:
        """A line of talk."""


class Listener(MeasureListener, Protocol):
    """What the caller of `scan` may show while it runs."""

    def verdict(self, advice: Advice) -> None:
        """The first answer, from probe, catalogue and rules alone; called again as figures come in."""
