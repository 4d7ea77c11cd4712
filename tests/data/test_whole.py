"""A signal in the middle of a save is handled after it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from advisor.data.whole import whole


@pytest.fixture(autouse=True)
def _plain_handler() -> Iterator[None]:
    """Commands run by other tests in this process leave their own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_comes_after_the_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), whole():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("written")
    assert done == ["written"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_the_block_is_told_where_no_signal_came() -> None:
    with pytest.raises(ValueError, match="full"), whole():
        raise ValueError("full")


def test_other_threads_leave_the_handlers_alone() -> None:
    seen = []

    def save() -> None:
        with whole():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=save)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
