"""Fused attention as accelerators have it: what the processor's dispatcher would compute unfused is taken as fused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional


def _fused(  # noqa: PLR0913, PLR0917 - the signature is torch's
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,  # noqa: ARG001 - a fused kernel keeps the state of its random numbers alone
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    if enable_gqa and key.shape[-3] != query.shape[-3]:
        times = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(times, -3), value.repeat_interleave(times, -3)
    lead = query.shape[:-3]
    query, key, value = (_four(t) for t in (query, key, value))
    width = max(query.shape[-1], value.shape[-1])
    out_width = value.shape[-1]
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    query, key, value = (_padded(t, width) for t in (query, key, value))
    if attn_mask is not None and attn_mask.dtype != torch.bool:
        attn_mask = attn_mask.to(query.dtype)
    if attn_mask is not None:
        attn_mask = attn_mask.detach()  # its gradient (a learned bias) is not followed
        while attn_mask.dim() < 4:
            attn_mask = attn_mask.unsqueeze(0)
    found = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, is_causal and attn_mask is None, attn_mask=attn_mask, scale=scale
    )[0]
    found = found[..., :out_width]
    return found.reshape(*lead, *found.shape[1:]) if lead != found.shape[:1] else found


def _four(tensor: Any) -> Any:
    """[batch, heads, tokens, width] of any number of leading dimensions."""
    if tensor.dim() == 4:
        return tensor
    if tensor.dim() == 3:
        return tensor.unsqueeze(0)
    return tensor.reshape(-1, *tensor.shape[-3:])


def _padded(tensor: Any, width: int) -> Any:
    return tensor if tensor.shape[-1] == width else functional.pad(tensor, (0, width - tensor.shape[-1]))


@contextlib.contextmanager
def fused_attention() -> Iterator[None]:
    """While this holds, scaled_dot_product_attention is one kernel that keeps no scores."""
    real = functional.scaled_dot_product_attention
    setattr(functional, "scaled_dot_product_attention", _fused)  # noqa: B010 - read-only to the type checker
    try:
        yield
    finally:
        setattr(functional, "scaled_dot_product_attention", real)  # noqa: B010
