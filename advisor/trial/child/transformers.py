"""Decoders (with experts too), encoders and vision transformers from the numbers of a preset."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ...bench.devices import Unable
from .parts import SPREAD, Attention, Experts, FeedForward, norm, rotary, whole

NOT_YET = {
    "kv_rank": "multi-head latent attention",
    "sinks": "attention sinks",
    "cached_segments": "attention to earlier segments",
    "scored_share": "an adaptive softmax",
}


class Block(nn.Module):  # type: ignore[misc]
    """Attention and feed-forward: normalised before, after (BERT), on both sides, or side by side."""

    def __init__(self, n: dict[str, float], at: int, causal: bool, after: bool = False) -> None:
        super().__init__()
        hidden, vectors = whole(n, "hidden"), whole(n, "norm_vectors", 2)
        self.norms, self.after = whole(n, "block_norms", 2), after
        if self.norms not in (1, 2, 4):
            raise Unable("not_supported", f"{self.norms} normalisations a block are not supported yet")
        window = whole(n, "window") if at < whole(n, "window_layers") else None
        self.attention = Attention(n, causal, window)
        routed = "experts" in n and at >= whole(n, "dense_layers")
        self.feed: Any = Experts(n) if routed else FeedForward(n, whole(n, "ffn_hidden"))
        self.norm = nn.ModuleList(norm(hidden, vectors) for _ in range(self.norms))
        scales = whole(n, "layer_scales")
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(hidden)) for _ in range(scales))

    def forward(self, x: Any, positions: Any = None) -> Any:
        """[batch, length, hidden] -> the same."""
        if self.norms == 1:
            y = self.norm[0](x)
            return x + self.attention(y, positions) + self.feed(y)
        if self.norms == 4:
            x = x + self.norm[1](self.attention(self.norm[0](x), positions))
            return x + self.norm[3](self.feed(self.norm[2](x)))
        if self.after:
            x = self.norm[0](x + self.attention(x, positions))
            return self.norm[1](x + self.feed(x))
        x = x + self._scaled(0, self.attention(self.norm[0](x), positions))
        return x + self._scaled(1, self.feed(self.norm[1](x)))

    def _scaled(self, at: int, x: Any) -> Any:
        return x * self.scales[at] if len(self.scales) else x


class Stack(nn.Module):  # type: ignore[misc]
    """The blocks, run as they are or computed again in the backward pass."""

    def __init__(self, n: dict[str, float], causal: bool, again: bool, after: bool = False) -> None:
        super().__init__()
        for name, what in NOT_YET.items():
            if n.get(name):
                raise Unable("not_supported", f"{what} is not supported by trial yet")
        self.blocks = nn.ModuleList(Block(n, at, causal, after) for at in range(whole(n, "layers")))
        self.again = again

    def forward(self, x: Any, positions: Any = None) -> Any:
        """[batch, length, hidden] -> the same."""
        for block in self.blocks:
            x = checkpoint(block, x, positions, use_reentrant=False) if self.again else block(x, positions)
        return x


class Decoder(nn.Module):  # type: ignore[misc]
    """A causal language network; its loss is that of the next token."""

    def __init__(self, n: dict[str, float], seq_len: int, again: bool) -> None:
        super().__init__()
        hidden, vocab, vectors = whole(n, "hidden"), whole(n, "vocab"), whole(n, "norm_vectors", 2)
        self.vocab, self.seq_len = vocab, seq_len
        self.dim = whole(n, "head_dim")
        self.embed = nn.Embedding(vocab, hidden)
        self.places = _places(n, seq_len, hidden)
        self.first = norm(hidden, vectors) if n.get("embedding_norms") else None
        self.stack = Stack(n, True, again)
        self.last = norm(hidden, vectors)
        self.head = nn.Linear(hidden, vocab, bias=bool(n.get("head_bias")))
        nn.init.normal_(self.embed.weight, std=SPREAD)
        if n.get("tied"):
            self.head.weight = self.embed.weight

    def data(self, batch: int, device: str) -> tuple[Any, ...]:
        """Random tokens, one more than are read."""
        return (torch.randint(0, self.vocab, (batch, self.seq_len + 1), device=device),)

    def forward(self, tokens: Any) -> Any:
        """The loss of one micro-batch."""
        x = self.embed(tokens[:, :-1])
        positions = None
        if self.places is None:
            positions = rotary(x.shape[1], self.dim, x.device)
        else:
            x = x + self.places.weight[: x.shape[1]]
        if self.first is not None:
            x = self.first(x)
        scores = self.head(self.last(self.stack(x, positions)))
        return functional.cross_entropy(scores.view(-1, self.vocab).float(), tokens[:, 1:].reshape(-1))


class Encoder(nn.Module):  # type: ignore[misc]
    """BERT and its like, fine-tuned with a classifier of two classes on the first token."""

    def __init__(self, n: dict[str, float], seq_len: int, again: bool) -> None:
        super().__init__()
        hidden, self.vocab, self.seq_len = whole(n, "hidden"), whole(n, "vocab"), seq_len
        self.dim = whole(n, "head_dim")
        self.embed = nn.Embedding(self.vocab, hidden)
        self.places = _places(n, seq_len, hidden)
        types = whole(n, "token_types")
        self.types = nn.Embedding(types, hidden) if types else None
        self.first = norm(hidden, whole(n, "norm_vectors", 2))
        self.stack = Stack(n, False, again, after=self.places is not None)
        self.pooler = nn.Linear(hidden, hidden) if n.get("pooler") else None
        self.beside = nn.Linear(hidden, 2)  # the task's own: not among the network's parameters
        for table in (self.embed, self.types):
            if table is not None:
                nn.init.normal_(table.weight, std=SPREAD)

    def data(self, batch: int, device: str) -> tuple[Any, ...]:
        """Random tokens and labels."""
        tokens = torch.randint(0, self.vocab, (batch, self.seq_len), device=device)
        return tokens, torch.randint(0, 2, (batch,), device=device)

    def forward(self, tokens: Any, labels: Any) -> Any:
        """The loss of one micro-batch."""
        x = self.embed(tokens)
        positions = None
        if self.places is None:
            positions = rotary(x.shape[1], self.dim, x.device)
        else:
            x = x + self.places.weight[: x.shape[1]]
        if self.types is not None:
            x = x + self.types.weight[0]
        top = self.stack(self.first(x), positions)[:, 0]
        if self.pooler is not None:
            top = torch.tanh(self.pooler(top))
        return functional.cross_entropy(self.beside(top).float(), labels)


class Vision(nn.Module):  # type: ignore[misc]
    """A vision transformer with its classifiers, or (CLIP, DINOv2) its first token compared with noise."""

    def __init__(self, n: dict[str, float], image_size: int, again: bool) -> None:
        super().__init__()
        hidden, patch, vectors = whole(n, "hidden"), whole(n, "patch"), whole(n, "norm_vectors", 2)
        if image_size < patch:
            raise Unable("not_supported", f"images of {image_size} pixels hold no patch of {patch}")
        self.size, self.patch = image_size, patch
        special, registers = whole(n, "special_tokens", 1), whole(n, "register_tokens")
        self.patches = nn.Conv2d(3, hidden, patch, patch, bias=bool(n.get("patch_bias", 1)))
        self.special = nn.Parameter(torch.zeros(1, special, hidden))
        self.registers = nn.Parameter(torch.zeros(1, registers, hidden)) if registers else None
        spare = whole(n, "spare_vectors")
        self.spare = nn.Parameter(torch.zeros(spare, hidden)) if spare else None
        self.places = nn.Parameter(torch.randn(1, (image_size // patch) ** 2 + special, hidden) * SPREAD)
        self.first = norm(hidden, vectors) if n.get("embedding_norms") else None
        self.stack = Stack(n, False, again)
        self.last = norm(hidden, vectors)
        classes, heads = whole(n, "classes"), whole(n, "classifiers", 1)
        self.heads = nn.ModuleList(nn.Linear(hidden, classes) for _ in range(heads if classes else 0))
        width = whole(n, "projection")
        self.projection = nn.Linear(hidden, width, bias=False) if width else None

    def data(self, batch: int, device: str) -> tuple[Any, ...]:
        """Random pictures and labels."""
        classes = self.heads[0].out_features if len(self.heads) else 2
        pictures = torch.randn(batch, 3, self.size, self.size, device=device)
        return pictures, torch.randint(0, classes, (batch,), device=device)

    def forward(self, pictures: Any, labels: Any) -> Any:
        """The loss of one micro-batch."""
        x = self.patches(pictures.to(self.patches.weight.dtype)).flatten(2).transpose(1, 2)
        x = torch.cat((self.special.expand(len(x), -1, -1).to(x.dtype), x), dim=1) + self.places
        if self.registers is not None:
            x = torch.cat((x, self.registers.expand(len(x), -1, -1).to(x.dtype)), dim=1)
        if self.first is not None:
            x = self.first(x)
        x = self.last(self.stack(x))
        if len(self.heads):
            losses = [
                functional.cross_entropy(head(x[:, at]).float(), labels) for at, head in enumerate(self.heads)
            ]
            return sum(losses) / len(losses)
        top = x[:, 0] if self.projection is None else self.projection(x[:, 0])
        return top.float().square().mean()


def _places(n: dict[str, float], seq_len: int, hidden: int) -> Any:
    """The table of learned positions, None where they are computed."""
    count = whole(n, "positions")
    if count and seq_len > count:
        raise Unable(
            "not_supported", f"the network has {count} positions, and sequences are {seq_len} long",
            f"--seq-len {count}",
        )  # fmt: skip
    if not count:
        return None
    table = nn.Embedding(count, hidden)
    nn.init.normal_(table.weight, std=SPREAD)
    return table
