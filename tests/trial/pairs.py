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


class Looks(nn.Module):
    """Attention over tokens, with or without a place for each."""

    def __init__(self, places: bool) -> None:
        super().__init__()
        self.words, self.out = nn.Embedding(90, SPACE), nn.Linear(SPACE, 90)
        self.places = nn.Embedding(24, SPACE) if places else None
        self.joint = nn.Linear(SPACE, 3 * SPACE)

    def forward(self, ids: Any) -> Any:
        x = self.words(ids)
        if self.places is not None:
            x = x + self.places(torch.arange(ids.shape[1]))
        q, k, v = self.joint(x).unflatten(-1, (3, 4, SPACE // 4)).permute(2, 0, 3, 1, 4)
        seen = (q @ k.transpose(-1, -2)).softmax(-1) @ v  # scores stand in memory
        return self.out(seen.transpose(1, 2).flatten(2)).logsumexp(-1).mean()


def looks() -> Any:
    return Looks(False), torch.randint(0, 90, (4, 24))


def looks_with_places() -> Any:
    return Looks(True), torch.randint(0, 90, (4, 24))
