"""Ending a long run without losing what it has: Ctrl-C, and the SIGTERM of batch systems."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn


class Stop:
    """A Ctrl-C or a batch system's SIGTERM: raises KeyboardInterrupt, and remembers.

    Python drops an exception that a signal raises inside a destructor or a C callback; what is
    remembered is raised again at the next event, so that no wish to stop is lost.
    """

    def __init__(self) -> None:
        self.asked = False
        for name in ("SIGINT", "SIGTERM"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._asked)

    def _asked(self, _number: int, _frame: FrameType | None) -> NoReturn:
        self.asked = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raise KeyboardInterrupt, once, if a signal came that nobody has acted on."""
        if self.asked:
            self.asked = False
            raise KeyboardInterrupt
