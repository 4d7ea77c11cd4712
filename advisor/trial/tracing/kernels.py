"""Kernels as accelerators have them, where processors have others: attention, dropout, experts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn import functional


def fused(  # noqa: PLR0913, PLR0917 - the signature is torch's
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,  # noqa: ARG001 - a fused kernel keeps the state of its random numbers alone
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    if torch.is_autocast_enabled("cpu"):  # which the kernel below is called beneath
        query, key, value = (t.to(torch.get_autocast_dtype("cpu")) for t in (query, key, value))
    if enable_gqa and key.shape[-3] != query.shape[-3] and not _holds_nothing(query):
        times = query.shape[-3] // key.shape[-3]  # the processor's own kernel wants all heads
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


def _holds_nothing(tensor: Any) -> bool:
    return isinstance(tensor, FakeTensor)


def _dropout(given: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:  # noqa: ARG001
    """Keeps a mask of one byte a number; the processor's keeps one as wide as the numbers."""
    return torch.native_dropout(given, p, True)[0] if training and p > 0 else given


class _Experts(torch.autograd.Function):  # type: ignore[misc]
    """Products of tokens sorted by expert with the matrix of theirs: no number is looked at."""

    @staticmethod
    def forward(ctx: Any, given: Any, weight: Any) -> Any:
        ctx.save_for_backward(given if ctx.needs_input_grad[1] else None, weight)  # torch's own is as sparing
        return torch.mm(given, weight[0])

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        given, weight = ctx.saved_tensors
        back = torch.mm(gradient, weight[0].t()) if ctx.needs_input_grad[0] else None
        own = None
        if ctx.needs_input_grad[1]:
            torch.mm(given.t(), gradient)
            own = torch.empty_like(weight)
        return back, own


def _grouped(real: Callable[..., Any]) -> Callable[..., Any]:
    def product(given: Any, weight: Any, *args: Any, **kwargs: Any) -> Any:
        if _holds_nothing(given) and given.dim() == 2 and weight.dim() == 3:
            if torch.is_autocast_enabled("cpu"):
                given, weight = given.bfloat16(), weight.bfloat16()
            return _Experts.apply(given, weight)
        return real(given, weight, *args, **kwargs)

    return product


_LOOKED: dict[tuple[Any, ...], float] = {}
_SOME_STEPS, _SOME_WIDTH = 64, 128


def with_workspace(out: Any, args: tuple[Any, ...]) -> Any:
    """The results of a processor's recurrent layer with the workspace it keeps for the way back, of which
    tensors that hold nothing know no size: as large as that of a small real one, in proportion.
    """
    given, states = args[0], args[2]
    if len(out) < 4 or out[3].numel() or not _holds_nothing(given):
        return out
    steps, samples, width = given.shape[0], given.shape[1], states.shape[-1]
    each = _workspace(min(steps, _SOME_STEPS), min(width, _SOME_WIDTH), given.dtype)
    return (*out[:3], out[3].new_empty(int(each * steps * samples * width)))


def _workspace(steps: int, width: int, dtype: Any) -> float:
    """Bytes for each step, sample and number of the state; 0 where this torch has it otherwise."""
    key = (steps, width, dtype)
    if key not in _LOOKED:
        from torch.utils._python_dispatch import _disable_current_modes

        with _disable_current_modes(), torch.enable_grad():  # without gradients it keeps none
            made = [torch.zeros(steps, 2, 8), torch.zeros(4 * width, 8), torch.zeros(4 * width, width),
                    torch.zeros(4 * width), torch.zeros(4 * width), torch.zeros(2, width),
                    torch.zeros(2, width)]  # fmt: skip
            try:
                found = torch.ops.aten.mkldnn_rnn_layer(
                    *(tensor.to(dtype) for tensor in made), False, [], 2, width, 1, True, False, False, True
                )
                _LOOKED[key] = found[3].numel() * found[3].element_size() / (steps * 2.0 * width)
            except (RuntimeError, TypeError, AttributeError, IndexError):
                _LOOKED[key] = 0.0
    return _LOOKED[key]


@contextlib.contextmanager
def as_accelerators() -> Iterator[None]:
    """While this holds, scaled_dot_product_attention is one kernel that keeps no scores, and so on."""
    swaps: list[tuple[Any, str, Any]] = [
        (functional, "scaled_dot_product_attention", fused),
        (functional, "dropout", _dropout),
    ]
    for home, name in ((functional, "grouped_mm"), (torch, "_grouped_mm")):
        if hasattr(home, name):
            swaps.append((home, name, _grouped(getattr(home, name))))
    before = [getattr(home, name) for home, name, _ in swaps]
    for home, name, new in swaps:
        setattr(home, name, new)
    try:
        yield
    finally:
        for (home, name, _), old in zip(swaps, before):
            setattr(home, name, old)
