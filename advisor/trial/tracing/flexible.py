"""flex_attention as one fused kernel over the blocks its mask leaves: processors have no way back of it."""

from __future__ import annotations

from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

from .costs import leaving
from .kernels import fused

_MOST_PAIRS = (
    1 << 22
)  # of query and key that a mask is asked for at a time: then some rows of blocks stand for all
_LEAST_ROWS, _MOST_HEADS = 8, 8
_WITHIN = "What score_mod of flex_attention does to each score is done within its kernel and not counted."
_DENSE = (
    "The block mask of flex_attention hangs on numbers that a trace has not: counted as dense, which is more "
    "than its kernel does."
)
TOLD: list[str] = []  # what is to be said of those that ran


def flex_as_fused() -> None:
    """flex_attention as fused attention in what is imported later."""
    from torch.nn.attention import flex_attention as home

    setattr(home, "flex_attention", _flex)  # noqa: B010
    TOLD.clear()


def _flex(  # noqa: PLR0913, PLR0917 - the signature is torch's
    query: Any,
    key: Any,
    value: Any,
    score_mod: Any = None,
    block_mask: Any = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    return_lse: bool = False,
    kernel_options: Any = None,  # noqa: ARG001
    *,
    return_aux: Any = None,
) -> Any:
    share = None if block_mask is None else _share_of(block_mask, query.shape[-2], key.shape[-2])
    if block_mask is not None and share is None:
        _tell(_DENSE)
    with leaving(1.0 if share is None else share):
        out = fused(query, key, value, None, 0.0, False, scale, enable_gqa)
    if score_mod is not None:
        _tell(_WITHIN)
        out = _with_weights_of(score_mod, out)
    sums = query.detach().sum(-1, dtype=torch.float32)  # of their shape and format
    if return_aux is not None:
        from torch.nn.attention import flex_attention as home

        return out, home.AuxOutput(lse=sums, max_scores=sums)
    return (out, sums) if return_lse else out


def _tell(text: str) -> None:
    if text not in TOLD:
        TOLD.append(text)


class _Beside(torch.autograd.Function):  # type: ignore[misc] # torch's types are not known here
    """What goes through, with a gradient for what was computed beside it."""

    @staticmethod
    def forward(ctx: Any, out: Any, beside: Any) -> Any:
        ctx.like = beside.shape, beside.dtype
        return out.view_as(out)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        shape, dtype = ctx.like
        return gradient, torch.zeros(shape, dtype=dtype)


def _with_weights_of(score_mod: Any, out: Any) -> Any:
    """The result, on which weights that score_mod adds (a learned bias) hang as they do in the kernel."""
    first = [torch.zeros(1, dtype=torch.int64) for _ in range(4)]
    try:
        score = score_mod(torch.zeros(1, dtype=out.dtype), *first)
    except Exception:  # whatever it looks at: then its weights are told to have no gradient
        return out
    learned = isinstance(score, torch.Tensor) and score.requires_grad
    return _Beside.apply(out, score) if learned else out


_last: list[Any] = [None, 0, 0, None]  # a mask (held, so that no other is taken for it), and what it leaves


def _share_of(block_mask: Any, rows: int, columns: int) -> float | None:
    """The same mask serves one layer after the other: it is asked once."""
    if _last[0] is not block_mask or _last[1:3] != [rows, columns]:
        _last[:] = [block_mask, rows, columns, share_left(block_mask, rows, columns)]
    return _last[3]  # type: ignore[no-any-return]


def share_left(block_mask: Any, rows: int, columns: int) -> float | None:
    """The part of all pairs that lies in blocks which a mask leaves: its kernel goes through these whole.
    None where the mask looks at what holds no numbers.
    """
    from torch.utils._python_dispatch import _disable_current_modes

    high, wide = (min(int(size), most) for size, most in zip(block_mask.BLOCK_SIZE, (rows, columns)))
    counts = [block_mask.kv_num_blocks]
    if block_mask.full_kv_num_blocks is not None:
        counts.append(block_mask.full_kv_num_blocks)
    with _disable_current_modes():
        try:
            if not any(isinstance(count, FakeTensor) for count in counts):
                left = sum(float(count.sum()) / (count.numel() // count.shape[-1]) for count in counts)
                return float(min(left * high * wide / (rows * columns), 1.0))
            heads = min(int(counts[0].shape[1]), _MOST_HEADS)
            each = [_asked(block_mask.mask_mod, head, (rows, columns), (high, wide)) for head in range(heads)]
            return sum(each) / len(each)
        except Exception:  # whatever the user's mask does
            return None


def _asked(mask_mod: Any, head: int, sizes: tuple[int, int], blocks: tuple[int, int]) -> float:
    """The same for one head by asking the mask, of long sequences for rows of blocks evenly among all."""
    (rows, columns), (high, wide) = sizes, blocks
    down, along = -(-rows // high), -(-columns // wide)
    asked = min(down, max(_LEAST_ROWS, _MOST_PAIRS // (high * columns)))
    to = torch.arange(columns)[None, :]
    one = torch.zeros((), dtype=torch.int64)
    left = 0
    for at in range(asked):
        begin = (2 * at + 1) * down // (2 * asked) * high
        row = torch.arange(begin, min(begin + high, rows))[:, None]
        found = mask_mod(one, one + head, row, to).expand(row.shape[0], columns).any(0)
        found = torch.nn.functional.pad(found, (0, along * wide - columns))
        left += int(found.view(along, wide).any(1).sum())
    return left / (asked * along)
