"""Convolutional networks from the numbers of a preset: ResNet with bottlenecks, and ConvNeXt."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from .parts import whole

STAGES = (1, 2, 3, 4)


class Bottleneck(nn.Module):  # type: ignore[misc]
    """1x1, 3x3 (which carries the stride), 1x1 to four times the width, and the way around them."""

    def __init__(self, wide: int, width: int, stride: int) -> None:
        super().__init__()
        out = 4 * width
        self.a, self.norm_a = nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width)
        self.b, self.norm_b = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.c, self.norm_c = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        self.skip = None
        if stride != 1 or wide != out:
            self.skip = nn.Sequential(nn.Conv2d(wide, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Any) -> Any:
        """One block."""
        y = functional.relu(self.norm_a(self.a(x)), inplace=True)
        y = functional.relu(self.norm_b(self.b(y)), inplace=True)
        around = x if self.skip is None else self.skip(x)
        return functional.relu(self.norm_c(self.c(y)) + around, inplace=True)


class Channels(nn.LayerNorm):  # type: ignore[misc]
    """Normalisation over the channels of [batch, channels, height, width]."""

    def forward(self, x: Any) -> Any:
        """The same shape."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class NextBlock(nn.Module):  # type: ignore[misc]
    """ConvNeXt: 7x7 depthwise, normalised, to four times the width and back, scaled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.deep = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x: Any) -> Any:
        """One block."""
        y = self.norm(self.deep(x).permute(0, 2, 3, 1))
        y = self.scale * self.down(functional.gelu(self.up(y)))
        return x + y.permute(0, 3, 1, 2)


class Pictures(nn.Module):  # type: ignore[misc]
    """Stem, blocks and classifier of a convolutional network."""

    def __init__(self, n: dict[str, float], image_size: int, again: bool) -> None:
        super().__init__()
        self.size, self.again, self.classes = image_size, again, whole(n, "classes", 1000)
        stem, blocks, top, width = _convnext(n) if "width_1" in n else _resnet(n)
        self.stem, self.blocks, self.top = stem, nn.ModuleList(blocks), top
        self.head = nn.Linear(width, self.classes) if self.classes else None

    def data(self, batch: int, device: str) -> tuple[Any, ...]:
        """Random pictures and labels."""
        pictures = torch.randn(batch, 3, self.size, self.size, device=device)
        return pictures, torch.randint(0, max(self.classes, 2), (batch,), device=device)

    def forward(self, pictures: Any, labels: Any) -> Any:
        """The loss of one micro-batch."""
        x = self.stem(pictures.to(next(self.parameters()).dtype))
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.again else block(x)
        x = self.top(x.mean((2, 3)))
        if self.head is None:
            return x.float().square().mean()
        return functional.cross_entropy(self.head(x).float(), labels)


def _resnet(n: dict[str, float]) -> tuple[Any, list[Any], Any, int]:
    stem = nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
    )  # fmt: skip
    blocks, wide = [], 64
    for stage in STAGES:
        width = 32 << stage
        for at in range(whole(n, f"blocks_{stage}")):
            blocks.append(Bottleneck(wide, width, 2 if at == 0 and stage > 1 else 1))
            wide = 4 * width
    return stem, blocks, nn.Identity(), wide


def _convnext(n: dict[str, float]) -> tuple[Any, list[Any], Any, int]:
    width = whole(n, "width_1")
    stem = nn.Sequential(nn.Conv2d(3, width, 4, 4), Channels(width, eps=1e-6))
    blocks: list[Any] = []
    for stage in STAGES:
        after = whole(n, f"width_{stage}")
        if stage > 1:
            blocks.append(nn.Sequential(Channels(width, eps=1e-6), nn.Conv2d(width, after, 2, 2)))
        blocks += [NextBlock(after) for _ in range(whole(n, f"blocks_{stage}"))]
        width = after
    return stem, blocks, nn.LayerNorm(width, eps=1e-6), width
