"""Networks whose losses go over pairs and triples of a batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

WIDTH, SPACE = 128, 64


class Contrast(nn.Module):
    """Every sample told from every other one, as in a contrastive loss."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, SPACE)

    def forward(self, x: Any) -> Any:
        z = normalize(self.layer(x), dim=-1)
        return cross_entropy(z @ z.T / 0.07, torch.arange(x.shape[0]))


class Triples(nn.Module):
    """Every triple of samples, as in a triplet loss over the whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, SPACE)

    def forward(self, x: Any) -> Any:
        z = self.layer(x)
        apart = z @ z.T
        return torch.relu(apart[:, :, None] - apart[:, None, :] + 0.2).mean()


class Differences(nn.Module):
    """One pair fewer than there are samples: no square, though a line below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, SPACE)

    def forward(self, x: Any) -> Any:
        z = self.layer(x)
        return (z[1:] - z[:-1]).pow(2).mean()


class Looped(nn.Module):
    """The pairs of a batch one after the other: more calls the more samples."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, SPACE)

    def forward(self, x: Any) -> Any:
        z = self.layer(x)
        total = z.sum()
        for one in range(len(z)):
            for other in range(one):
                total = total + self.layer(x[one] - x[other]).sum()
        return total


def contrast() -> Any:
    return Contrast(), torch.randn(64, WIDTH)


def triples() -> Any:
    return Triples(), torch.randn(8, WIDTH)


def differences() -> Any:
    return Differences(), torch.randn(8, WIDTH)


def looped() -> Any:
    return Looped(), torch.randn(8, WIDTH)
