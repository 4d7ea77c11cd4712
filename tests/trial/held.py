"""Networks that hold more than fp32 weights: what a trace must count of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Held(nn.Module):
    """A layer before a large buffer, which autocast copies."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 256)
        self.register_buffer("table", torch.zeros(256, 1024))

    def forward(self, given: Any) -> Any:
        return (self.layer(given) @ self.table).square().mean()


def held() -> Any:
    return Held(), torch.randn(2, 64)


def in_16_bit() -> Any:
    module = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 10)).to(torch.bfloat16)
    return module, torch.randn(2, 64)


class Spectral(nn.Module):
    """Complex weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(32, 16, dtype=torch.complex64))

    def forward(self, given: Any) -> Any:
        return (given.to(torch.complex64) @ self.weight).abs().mean()


def spectral() -> Any:
    return Spectral(), torch.randn(2, 32)
