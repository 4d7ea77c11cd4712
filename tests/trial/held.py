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


class Placed(nn.Module):
    """Frozen places of a sequence, as masked autoencoders have them, before layers that are trained."""

    def __init__(self, teacher: bool) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.zeros(8, 32), requires_grad=False)
        self.layers = nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 16))
        self.teacher = nn.Linear(32, 16).requires_grad_(False) if teacher else None

    def forward(self, given: Any) -> Any:
        found = self.layers(given + self.places)
        return (found if self.teacher is None else found - self.teacher(given)).square().mean()


def placed() -> Any:
    return Placed(False), torch.randn(2, 8, 32)


def taught() -> Any:
    return Placed(True), torch.randn(2, 8, 32)


class Beside(nn.Module):
    """A frozen layer with a matrix of low rank of its own beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(32, 32).requires_grad_(False)
        self.down, self.up = nn.Parameter(torch.zeros(32, 4)), nn.Parameter(torch.zeros(4, 32))

    def forward(self, given: Any) -> Any:
        return (self.base(given) + given @ self.down @ self.up).square().mean()


def beside() -> Any:
    return Beside(), torch.randn(2, 32)


def all_frozen() -> Any:
    return nn.Linear(32, 16).requires_grad_(False), torch.randn(2, 32)


class Unfed(nn.Module):
    """Raises for want of an argument, as a denoiser that is not told the picture's size."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(32, 16)

    def forward(self, given: Any, sizes: Any, *, guidance: Any = None) -> Any:
        return self.layer(given).sum() + ("text" in guidance)


def unfed() -> Any:
    return Unfed(), (torch.randn(2, 32), torch.randn(2, 2))


def unfed_alone() -> Any:
    return Unfed()


class Tables(nn.Module):
    """Makes a table once and keeps it, as rotary places are; with `deeper`, does more for more samples."""

    def __init__(self, deeper: bool) -> None:
        super().__init__()
        self.layer, self.table, self.deeper = nn.Linear(32, 32), None, deeper

    def forward(self, given: Any) -> Any:
        if self.table is None:
            self.table = torch.arange(32.0).cos()
        for _ in range(len(given) if self.deeper else 1):
            given = self.layer(given)
        return (given * self.table).sum()


def tables() -> Any:
    return Tables(False), torch.randn(2, 32)


def deeper() -> Any:
    return Tables(True), torch.randn(2, 32)
