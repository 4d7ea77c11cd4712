"""What a trace needs and cannot get: a batch that nobody tells, a real run of a network that is too large."""

from __future__ import annotations

import inspect
from typing import Any

from .build import Built, failure_of
from .failure import Failure

_LARGEST_REAL = 4 << 30  # bytes of weights that a real run may take
_MOST_NAMES = 8


def check_size(built: Built | None, error: Exception, why: str, hangs_on_data: bool) -> None:
    """Raise Failure for a network too large for a small real run, its own error first where it has one."""
    if built is None:
        return
    held = sum(w.numel() * w.element_size() for w in built.module.parameters())
    if held <= _LARGEST_REAL:
        return
    size = f"{held / 2**30:.1f} GiB of weights is much for a small real run"
    if hangs_on_data:
        raise Failure(
            "too_large", f"not traceable ({why}), and {size}",
            "Let the factory take fewer layers, or make its forward pass free of what hangs on the data.",
        )  # fmt: skip
    failed = failure_of("its training step", error)
    takes = takes_of(built.module)
    told = f"Its forward takes {takes}: " if isinstance(error, TypeError) and takes else ""
    hint = f"{told}see that it runs on such a batch by itself, best with fewer layers."
    raise Failure(failed.status, f"{failed}; {size} that would show more", hint[0].upper() + hint[1:])


def unknown_batch(module: Any) -> Failure:
    """No example and no --input: what the network's forward takes is told."""
    takes = takes_of(module)
    told = f": its forward takes {takes}" if takes else ""
    return Failure(
        "input", f"the network's batch is not known{told}",
        "Give each with --input NAME=SHAPE (as pixels=8x3x224x224), or let a factory return "
        "(module, example batch).",
    )  # fmt: skip


def hint_of(spec: dict[str, Any], module: Any, failed: Failure) -> str:
    """What to do where a network of a config.json fails on the batch that was put together for it."""
    takes = takes_of(module)
    if spec["kind"] != "config" or failed.status != "raised" or not takes:
        return failed.hint
    return (
        f"Its forward takes {takes}: give what it needs with --input NAME=SHAPE, or trace a factory "
        "that returns (module, example batch)."
    )


def takes_of(module: Any) -> str:
    """Names of what forward must be given, then of what it may be; '' where it does not tell."""
    try:
        told = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return ""
    named = [p for p in told if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    needed = [p.name for p in named if p.default is p.empty]
    other = [p.name for p in named if p.default is not p.empty and p.name != "return_dict"]
    names = [*needed, *other[: max(_MOST_NAMES - len(needed), 0)]]
    return ", ".join(names)
