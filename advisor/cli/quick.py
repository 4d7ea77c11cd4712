"""A quick start for commands that answer at once: libraries without what one answer never needs."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

_WHILE_LOADING = {
    "OPENBLAS_NUM_THREADS": "1",  # systems of 40 equations are solved, and threads cost more to start
    "PYDANTIC_DISABLE_PLUGINS": "__all__",  # looking for plugins reads the metadata of every package there is
}


@contextmanager
def quick(*, whole: bool) -> Iterator[None]:
    """Loads numpy and the stored types light, and looks for no garbage, of which one answer makes little.

    `whole`: the types of an advice too, with machine, calibration and plan, which costs a tenth
    more. What the environment says already goes before it, and child processes inherit nothing of it.
    """
    gc.disable()
    try:
        _load(whole)
        yield
    finally:
        gc.enable()


def _load(whole: bool) -> None:
    ours = [name for name in _WHILE_LOADING if name not in os.environ]
    os.environ.update({name: _WHILE_LOADING[name] for name in ours})
    try:
        import numpy  # noqa: F401

        import advisor.schema.estimate

        if whole:
            import advisor.schema.advice  # noqa: F401
    finally:
        for name in ours:
            os.environ.pop(name, None)
