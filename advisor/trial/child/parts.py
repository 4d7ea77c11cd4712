"""Parts of transformers of stock torch.nn modules: attention, feed-forward, experts, adapters."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ...bench.devices import Unable

ROTARY_BASE = 10000.0
SPREAD = 0.02  # standard deviation of first weights, as GPT-2 has it


def whole(n: dict[str, float], name: str, default: float = 0.0) -> int:
    """A number of the network that counts something."""
    return int(n.get(name, default))


def norm(width: int, vectors: int) -> Any:
    """Scale and shift (2 vectors), scale alone (1: RMS), or neither (0)."""
    if vectors == 1:
        return nn.RMSNorm(width)
    return nn.LayerNorm(width, elementwise_affine=vectors > 0)


def rotary(length: int, width: int, device: Any) -> tuple[Any, Any]:
    """Cosines and sines of rotary positions, [length, width]."""
    turns = ROTARY_BASE ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * turns[None, :]
    both = torch.cat((angles, angles), dim=-1)
    return both.cos(), both.sin()


def turned(x: Any, cos: Any, sin: Any) -> Any:
    """Queries or keys [batch, heads, length, width] with their positions in them."""
    half = x.shape[-1] // 2
    swapped = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos.to(x.dtype) + swapped * sin.to(x.dtype)


class Attention(nn.Module):  # type: ignore[misc] # torch's types are not known here
    """Multi-head attention with grouped keys and values, rotary positions and sliding windows where asked."""

    def __init__(self, n: dict[str, float], causal: bool, window: int | None = None) -> None:
        super().__init__()
        hidden, self.dim = whole(n, "hidden"), whole(n, "head_dim")
        self.heads, self.kv_heads = whole(n, "heads"), whole(n, "kv_heads")
        self.causal, self.window = causal, window
        bias = bool(n.get("qkv_bias"))
        self.q = nn.Linear(hidden, self.heads * self.dim, bias=bias)
        self.k = nn.Linear(hidden, self.kv_heads * self.dim, bias=bias)
        self.v = nn.Linear(hidden, self.kv_heads * self.dim, bias=bias)
        out_bias = bool(n.get("output_bias", n.get("linear_bias", 0.0)))
        self.out = nn.Linear(self.heads * self.dim, hidden, bias=out_bias)
        self.per_head = True
        self.q_norm: Any = None
        self.k_norm: Any = None
        scales = whole(n, "qk_norm_width")
        if scales == 2 * self.dim:
            self.q_norm, self.k_norm = nn.RMSNorm(self.dim), nn.RMSNorm(self.dim)
        elif scales == (self.heads + self.kv_heads) * self.dim:
            self.per_head = False
            self.q_norm = nn.RMSNorm(self.heads * self.dim)
            self.k_norm = nn.RMSNorm(self.kv_heads * self.dim)
        elif scales:
            raise Unable("not_supported", f"query and key norms of {scales} scales are not supported yet")

    def forward(self, x: Any, positions: tuple[Any, Any] | None = None) -> Any:
        """[batch, length, hidden] -> the same."""
        batch, length, _ = x.shape
        q, k, v = self.q(x), self.k(x), self.v(x)
        if self.q_norm is not None and not self.per_head:
            q, k = self.q_norm(q), self.k_norm(k)
        q = q.view(batch, length, self.heads, self.dim)
        k = k.view(batch, length, self.kv_heads, self.dim)
        if self.q_norm is not None and self.per_head:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k = q.transpose(1, 2), k.transpose(1, 2)
        v = v.view(batch, length, self.kv_heads, self.dim).transpose(1, 2)
        if positions is not None:
            q, k = turned(q, *positions), turned(k, *positions)
        if self.kv_heads != self.heads:  # as transformers does it: every query head gets its own copy
            times = self.heads // self.kv_heads
            k, v = k.repeat_interleave(times, dim=1), v.repeat_interleave(times, dim=1)
        mask = self._mask(length, x.device)
        q, k = q.to(v.dtype), k.to(v.dtype)
        mixed = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=self.causal and mask is None
        )
        return self.out(mixed.transpose(1, 2).reshape(batch, length, self.heads * self.dim))

    def _mask(self, length: int, device: Any) -> Any:
        """Which pairs a window leaves, or None where it leaves all."""
        if self.window is None or self.window >= length:
            return None
        at = torch.arange(length, device=device)
        back = at[:, None] - at[None, :]
        if self.causal:
            return (back >= 0) & (back < self.window)
        return back.abs() <= self.window // 2


class FeedForward(nn.Module):  # type: ignore[misc]
    """Two matrices with GELU between them, or three with a SiLU gate."""

    def __init__(self, n: dict[str, float], inner: int) -> None:
        super().__init__()
        hidden, bias = whole(n, "hidden"), bool(n.get("ffn_bias", n.get("linear_bias", 0.0)))
        self.up = nn.Linear(hidden, inner, bias=bias)
        self.gate = nn.Linear(hidden, inner, bias=bias) if whole(n, "ffn_matrices", 2) == 3 else None
        self.down = nn.Linear(inner, hidden, bias=bias)

    def forward(self, x: Any) -> Any:
        """[…, hidden] -> the same."""
        if self.gate is None:
            return self.down(functional.gelu(self.up(x)))
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class Experts(nn.Module):  # type: ignore[misc]
    """Routed experts, a few of them for each token, and the shared one; computed expert by expert."""

    def __init__(self, n: dict[str, float]) -> None:
        super().__init__()
        hidden, inner = whole(n, "hidden"), whole(n, "expert_hidden")
        self.count, self.chosen = whole(n, "experts"), whole(n, "experts_per_token")
        self.gated = whole(n, "ffn_matrices", 3) == 3
        if n.get("expert_bias"):
            raise Unable("not_supported", "experts with biases are not supported yet")
        self.router = nn.Linear(hidden, self.count, bias=False)
        wide = (2 if self.gated else 1) * inner
        self.up = nn.Parameter(torch.empty(self.count, wide, hidden).normal_(std=SPREAD))
        self.down = nn.Parameter(torch.empty(self.count, hidden, inner).normal_(std=SPREAD))
        shared = whole(n, "shared_hidden")
        self.shared = FeedForward(n, shared) if shared else None
        self.shared_gate = nn.Linear(hidden, 1, bias=False) if shared and n.get("shared_gate") else None

    def forward(self, x: Any) -> Any:
        """[batch, length, hidden] -> the same."""
        flat = x.reshape(-1, x.shape[-1])
        weights, chosen = functional.softmax(self.router(flat).float(), dim=-1).topk(self.chosen, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        out = torch.zeros_like(flat)
        for expert in range(self.count):
            rows, place = torch.where(chosen == expert)
            up = functional.linear(flat[rows], self.up[expert])
            if self.gated:
                gate, up = up.chunk(2, dim=-1)
                up = functional.silu(gate) * up
            else:
                up = functional.gelu(up)
            part = functional.linear(up, self.down[expert]) * weights[rows, place, None]
            out = out.index_add(0, rows, part.to(out.dtype))
        if self.shared is not None:
            beside = self.shared(flat)
            if self.shared_gate is not None:
                beside = torch.sigmoid(self.shared_gate(flat)) * beside
            out = out + beside
        return out.view(x.shape)


class Adapter(nn.Module):  # type: ignore[misc]
    """A frozen linear layer with a trained low-rank one beside it, in fp32 as PEFT keeps it."""

    def __init__(self, base: Any, rank: int) -> None:
        super().__init__()
        self.base = base
        place = {"device": base.weight.device, "dtype": torch.float32}
        self.a = nn.Parameter(torch.empty(rank, base.in_features, **place))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank, **place))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Any) -> Any:
        """What the frozen layer gives, and what was learnt on top."""
        out = self.base(x)
        low = functional.linear(functional.linear(x.to(self.a.dtype), self.a), self.b)
        return out + low.to(out.dtype)


def adapt(block: Any, rank: int) -> None:
    """An adapter beside every linear layer of a block."""
    for name, child in list(block.named_children()):
        if isinstance(child, nn.Linear):
            setattr(block, name, Adapter(child, rank))
        else:
            adapt(child, rank)
