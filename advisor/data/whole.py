"""A moment that a signal does not cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM")


@contextmanager
def whole() -> Generator[None, None, None]:
    """Hold back SIGINT and SIGTERM until the block is done; then they are handled as they would have been.

    A handler that raises inside a library's compiled code comes out of it as that library's own error
    (pydantic's serializer does so), and an interrupted save looks like a fault of the program.
    """
    if threading.current_thread() is not threading.main_thread():  # handlers are the main thread's
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    before: dict[int, Callable[[int, FrameType | None], Any]] = {}
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and callable(handler := signal.getsignal(number)):
            before[number] = handler
            signal.signal(number, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            before[came[0][0]](*came[0])
