"""Where text goes: results to stdout, talk and progress to stderr, bars only on a terminal."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from advisor.cli.language import form, told, told_once
from advisor.cli.text import WIDTH_WITHOUT_TERMINAL, plain

__all__ = ["CalibrationProgress", "TimeLeft", "console", "plain"]

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from advisor.calibrate import Event


class _Screen(Console):
    """A console that shows what a stranger named as text, and outlives a reader that goes away."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Names come from drivers, hosts and files: escape sequences in them must not reach the terminal."""
        return super().render_str(plain(told_once(text)), **options)

    def on_broken_pipe(self) -> None:
        """`| head` has seen enough: what was asked for goes on, silently (rich would exit with 1)."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console that honours NO_COLOR (rich does) and does not fold to 80 columns in a pipe.

    Device and host names are hostile: markup is off, so a name with brackets stays text.
    """
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    return _Screen(
        stderr=stderr, quiet=quiet, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False
    )


class TimeLeft:
    """'about 40 s left', counted down between the events that tell it; stands still while we wait."""

    def __init__(self) -> None:
        self._seconds: float | None = None
        self._since = self._least = 0.0
        self._waiting = False

    def told(self, seconds: float, least: float = 0.0, *, waiting: bool = False) -> None:
        """The newest word on how long the rest takes; `least`: without what is at work now."""
        self._seconds, self._least = seconds, least
        self._since, self._waiting = time.monotonic(), waiting

    def __str__(self) -> str:
        if self._seconds is None:
            return ""
        gone = 0.0 if self._waiting else time.monotonic() - self._since
        left = max(self._seconds - gone, self._least)
        text = f"about {left / 60:.0f} min left" if left >= 100 else f"about {left:.0f} s left"
        return told_once(text)


class CalibrationProgress:
    """A bar with what is measured now and the time left; plain lines where there is no terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = console(stderr=True, quiet=quiet)
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._left = TimeLeft()
        self._said = ""

    def __enter__(self) -> CalibrationProgress:
        if not self._quiet and self._console.is_terminal:
            self._bar = _bar(self._console)
            self._bar.start()
            self._task = self._bar.add_task(told_once("Starting"), total=1.0, left=TimeLeft())
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def event(self, event: Event) -> None:
        """Show one calibration event."""
        if self._bar is not None and self._task is not None:
            self._left.told(event.seconds_left, event.seconds_after, waiting=event.kind == "waiting")
            self._bar.update(
                self._task,
                description=told_once(event.text)[:56],
                total=max(event.total, 1),
                completed=event.done,
                left=self._left,
            )
        elif event.kind == "failure":
            self.say(f"  {form('not measured: {what}', what=told(event.text))}")
        elif event.kind == "waiting":
            self.say(f"  {event.text}")
        elif event.kind == "start" and event.bench_id != self._said:  # told again after a wait
            self._said = event.bench_id
            self.say(f"  [{event.done + 1}/{event.total}] {told(event.text)}")

    def say(self, text: str) -> None:
        """A line of talk, above the bar when there is one."""
        (self._bar.console if self._bar is not None else self._console).print(text)


def _bar(target: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description:<56}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[left]}", markup=False),
        console=target,
        transient=True,
    )
