"""What a network holds between steps: weights in the formats its code makes them in, and buffers."""

from __future__ import annotations

from typing import Any

import torch


def buffer_bytes(module: Any) -> int:
    """Bytes of its buffers, each storage once; of one that shares a weight's storage nothing."""
    weights = {weight.untyped_storage()._cdata for weight in module.parameters()}
    found: dict[int, int] = {}
    for buffer in module.buffers():
        storage = buffer.untyped_storage()
        if storage._cdata not in weights:
            found[storage._cdata] = storage.nbytes()
    return sum(found.values())


def formats_told(module: Any) -> str:
    """What is to be said of weights that its code makes in another format than fp32; or ''."""
    sizes: dict[str, int] = {}
    for weight in module.parameters():
        if weight.dtype != torch.float32:
            name = str(weight.dtype)[6:]
            sizes[name] = sizes.get(name, 0) + weight.numel()
    if not sizes:
        return ""
    told = ", ".join(f"{name} ({many:,})" for name, many in sizes.items())
    return f"Its code makes weights in {told}: they count so, with their gradients and states."
