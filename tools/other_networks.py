# ruff: noqa: E501 - plans of layers a line
"""Networks that no library has, as their papers and reference code describe them, to be counted."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Unet(nn.Module):  # type: ignore[misc]
    """Two unpadded 3x3 convolutions a level, as in the paper."""

    def __init__(self) -> None:
        super().__init__()
        widths = (64, 128, 256, 512, 1024)
        pairs = zip((3, *widths), widths, strict=False)
        self.down = nn.ModuleList(self._pair(inner, out) for inner, out in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(w, w // 2, 2, stride=2) for w in widths[:0:-1])
        self.merge = nn.ModuleList(self._pair(w, w // 2) for w in widths[:0:-1])
        self.out = nn.Conv2d(64, 2, 1)

    @staticmethod
    def _pair(inner: int, out: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(inner, out, 3), nn.ReLU(), nn.Conv2d(out, out, 3), nn.ReLU())

    def forward(self, x: Any) -> Any:
        kept = []
        for at, pair in enumerate(self.down):
            x = pair(nn.functional.max_pool2d(x, 2) if at else x)
            kept.append(x)
        for up, merge, skip in zip(self.up, self.merge, kept[-2::-1], strict=True):
            x = up(x)
            cut = (skip.shape[-1] - x.shape[-1]) // 2
            x = merge(torch.cat((skip[..., cut : cut + x.shape[-2], cut : cut + x.shape[-1]], x), 1))
        return self.out(x)


class Jasper(nn.Module):  # type: ignore[misc]
    """Ten blocks of five sub-blocks; every block's end takes projections of all blocks' inputs."""

    PLAN = ((256, 11), (256, 11), (384, 13), (384, 13), (512, 17), (512, 17), (640, 21), (640, 21), (768, 25), (768, 25))  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(*self._sub(64, 256, 11, stride=2), nn.Hardtanh(0, 20))
        self.blocks, self.sides = nn.ModuleList(), nn.ModuleList()
        inputs: list[int] = []
        inner = 256
        for out, kernel in self.PLAN:
            inputs.append(inner)
            parts: list[nn.Module] = []
            for at in range(5):
                parts += self._sub(inner if not at else out, out, kernel) + (
                    [nn.Hardtanh(0, 20)] if at < 4 else []
                )
            self.blocks.append(nn.Sequential(*parts))
            self.sides.append(nn.ModuleList(nn.Sequential(*self._sub(width, out, 1)) for width in inputs))
            inner = out
        self.last = nn.Sequential(
            *self._sub(768, 896, 29, dilation=2), nn.Hardtanh(0, 20), *self._sub(896, 1024, 1), nn.Hardtanh(0, 20),
            nn.Conv1d(1024, 29, 1),
        )  # fmt: skip

    @staticmethod
    def _sub(inner: int, out: int, kernel: int, stride: int = 1, dilation: int = 1) -> list[nn.Module]:
        side = kernel // 2 * dilation
        conv = nn.Conv1d(inner, out, kernel, stride=stride, dilation=dilation, padding=side, bias=False)
        return [conv, nn.BatchNorm1d(out)]

    def forward(self, x: Any) -> Any:
        inputs = [self.first(x)]
        for block, sides in zip(self.blocks, self.sides, strict=True):
            out = block(inputs[-1])
            for side, given in zip(sides, inputs, strict=True):
                out = out + side(given)
            inputs.append(nn.functional.hardtanh(out, 0, 20))
        return nn.functional.log_softmax(self.last(inputs[-1]), 1)


class Gnmt(nn.Module):  # type: ignore[misc]
    """Four LSTM layers each way; the first of the decoder asks the encoder, the others see the answer."""

    def __init__(self, width: int = 1024, vocab: int = 32320) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        lstm = nn.LSTM
        self.encoder = nn.ModuleList(
            (lstm(width, width, bidirectional=True), lstm(2 * width, width), lstm(width, width), lstm(width, width))
        )  # fmt: skip
        self.asks = lstm(width, width)
        self.query, self.key = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.score = nn.Parameter(torch.empty(width))
        self.offset, self.scale = nn.Parameter(torch.empty(width)), nn.Parameter(torch.empty(1))
        self.decoder = nn.ModuleList(lstm(2 * width, width) for _ in range(3))
        self.classifier = nn.Linear(width, vocab)

    def forward(self, source: Any, target: Any) -> Any:
        x = self.embed(source)
        for at, layer in enumerate(self.encoder):
            out, _ = layer(x)
            x = out + x if at >= 2 else out
        memory = x.transpose(0, 1)
        asked, _ = self.asks(self.embed(target))
        mixed = self.query(asked.transpose(0, 1))[:, :, None] + self.key(memory)[:, None]
        weights = ((mixed + self.offset).tanh() @ self.score).softmax(-1)
        answer = (weights @ memory).transpose(0, 1)
        x, _ = self.decoder[0](torch.cat((asked, answer), 2))
        for layer in self.decoder[1:]:
            out, _ = layer(torch.cat((x, answer), 2))
            x = out + x
        return self.classifier(x)


class Kwt(nn.Module):  # type: ignore[misc]
    """Keyword Transformer: each of 98 frames of 40 coefficients is a token, and one for the class."""

    def __init__(self, width: int = 128, layers: int = 12, heads: int = 2) -> None:
        super().__init__()
        self.embed, self.out = nn.Linear(40, width), nn.Linear(width, 35)
        self.label = nn.Parameter(torch.empty(1, 1, width))
        self.places = nn.Parameter(torch.empty(1, 99, width))
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, x: Any) -> Any:
        x = torch.cat((self.label.expand(x.shape[0], -1, -1), self.embed(x)), 1) + self.places
        return self.out(self.blocks(x)[:, 0])
