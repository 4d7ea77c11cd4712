"""Factories as users write them: what a trace can do, and every way they go wrong."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

WIDTH, TOKENS, WORDS, LAYERS = 64, 32, 100, 4


class Block(nn.Module):
    """Half a transformer block."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Any) -> Any:
        return x + self.down(torch.relu(self.up(x)))


class Words(nn.Module):
    """Embedding, blocks, tied output layer. `again`: blocks are recomputed."""

    def __init__(self, again: bool = False) -> None:
        super().__init__()
        self.again = again
        self.embedding = nn.Embedding(WORDS, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Any) -> Any:
        x = self.embedding(ids)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.again else block(x)
        return self.head(x)


class Attention(nn.Module):
    """One fused attention, causal."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)

    def forward(self, x: Any) -> Any:
        q, k, v = (t.unflatten(-1, (4, 16)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


class Decides(nn.Module):
    """Looks at its data."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 16)

    def forward(self, x: Any) -> Any:
        y = self.layer(x)
        return y * 2 if y.sum() > 0 else y


class OnCuda(nn.Module):
    """Moves its input to an accelerator."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 16)

    def forward(self, x: Any) -> Any:
        return self.layer(x.cuda())


class Scored(nn.Module):
    """Returns its loss by name."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, x: Any, labels: Any) -> Any:
        return {"loss": nn.functional.cross_entropy(self.layer(x), labels)}


def mlp() -> Any:
    return nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 10)), torch.randn(8, 64)


def frozen() -> Any:
    module, batch = mlp()
    module[0].requires_grad_(False)
    return module, batch


def convolutions() -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1, groups=32),
        nn.Conv2d(32, 32, 1, groups=4), nn.ConvTranspose2d(32, 8, 2, stride=2),
    )  # fmt: skip


def words() -> Any:
    return Words(), torch.zeros(4, TOKENS, dtype=torch.long)


def words_again() -> Any:
    return Words(again=True), torch.zeros(4, TOKENS, dtype=torch.long)


def words_16_bit() -> Any:
    return Words().to(torch.bfloat16), torch.zeros(4, TOKENS, dtype=torch.long)


def attention() -> Any:
    return Attention(), torch.randn(2, TOKENS, WIDTH)


def dropout() -> Any:
    return nn.Sequential(nn.Linear(64, 64), nn.Dropout(0.1)), torch.randn(2, 64)


def recurrent() -> Any:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers, self.head = nn.LSTM(64, 128, 2, batch_first=True), nn.Linear(128, 4)

        def forward(self, x: Any) -> Any:
            return self.head(self.layers(x)[0][:, -1])

    return Network(), torch.randn(4, 20, 64)


def own_loss() -> Any:
    return nn.Linear(16, 4), torch.randn(4, 16), lambda out, batch: (out**2).mean()


def loss_by_name() -> Any:
    return Scored(), {"x": torch.randn(4, 16), "labels": torch.zeros(4, dtype=torch.long)}


def decides() -> Any:
    return Decides(), torch.randn(4, 16)


def looks() -> Any:
    layer = nn.Linear(4, 4)
    assert layer.weight.abs().sum().item() >= 0
    return layer, torch.randn(8, 4)


def raises() -> Any:
    raise ValueError("no weights here")


def ends() -> Any:
    raise SystemExit(3)


def lacks() -> Any:
    import no_such_package_anywhere  # noqa: F401


def on_cuda() -> Any:
    return nn.Linear(4, 4).cuda()


def inside_cuda() -> Any:
    return OnCuda(), torch.randn(4, 16)


def no_module() -> Any:
    return {"weights": 1}


def no_batch() -> Any:
    return nn.Linear(4, 4)


def nothing_trained() -> Any:
    return nn.Linear(4, 4).requires_grad_(False), torch.randn(8, 4)


class Mute(nn.Module):
    """Returns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> None:
        self.layer(x)


def mute() -> Any:
    return Mute(), torch.randn(2, 8)


def asks(width: int) -> Any:
    return nn.Linear(width, width), torch.randn(2, width)


def hangs() -> Any:
    time.sleep(600)


def frozen_norms() -> Any:
    module, batch = convolutions(), torch.randn(2, 3, 16, 16)
    module[1].eval().requires_grad_(False)
    return module, batch


def evaluating() -> Any:
    return convolutions().eval(), torch.randn(2, 3, 16, 16)


def two_networks() -> Any:
    return nn.Linear(4, 4), nn.Linear(4, 1)


def two_optimizers() -> Any:
    network = nn.Linear(4, 4)
    return network, torch.randn(2, 4), *(torch.optim.SGD(network.parameters(), lr=0.1) for _ in range(2))


class Stepping(nn.Module):
    """Steps its optimizers itself, as a module of Lightning may."""

    automatic_optimization = False

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return self.layer(x)


def stepping() -> Any:
    return Stepping(), torch.randn(2, 4)


def lazy() -> Any:
    return nn.Sequential(nn.LazyLinear(4)), torch.randn(2, 4)


def a_class() -> Any:
    return Mute


def loss_of_a_float() -> Any:
    return nn.Linear(4, 4), torch.randn(2, 4), lambda out, batch: 3.0


def loss_of_many() -> Any:
    return nn.Linear(4, 4), torch.randn(2, 4), lambda out, batch: out.mean(0)


def loss_without_targets() -> Any:
    return nn.Linear(4, 4), torch.randn(2, 4), nn.MSELoss()


def other_width() -> Any:
    return nn.Linear(4, 4), torch.randn(2, 5)


class Parts(nn.Module):
    """Takes a nested batch, and leaves one of its layers out."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.left = nn.Linear(4, 4), nn.Linear(4, 8)

    def forward(self, batch: Any) -> Any:
        return self.used(batch["a"]["x"]) + batch["b"][0]


def parts() -> Any:
    return Parts(), ({"a": {"x": torch.randn(2, 4)}, "b": [torch.randn(2, 4)]},)


class Same(nn.Module):
    """Goes on only where its weight, its table of places and its input are the factory's own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        nn.init.constant_(self.layer.weight, 0.5)
        self.register_buffer("places", torch.arange(16))

    def forward(self, x: Any) -> Any:
        y = self.layer(x)
        if y.sum().item() < 0 or not bool((x == 7).all()) or not bool((self.layer.weight == 0.5).all()):
            raise ValueError("not the factory's numbers")
        return y * self.places.tolist()[15]


def same() -> Any:
    return Same(), torch.full((4, 16, 8), 7.0)


_kept = Same()


def same_kept() -> Any:
    """The same network at every call, as a module of one's own may hold it."""
    return _kept, torch.full((1, 16, 8), 7.0)


class Pictures(nn.Module):
    """Sequences with pictures whose patches lie packed one after the other, as Qwen2-VL takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.patch = nn.Embedding(100, 8), nn.Linear(12, 8)

    def forward(self, ids: Any, patches: Any, grid: Any) -> Any:
        seen = ids == 99
        if int(seen.sum()) != patches.shape[0] or sum(a * b for a, b in grid.tolist()) != patches.shape[0]:
            raise ValueError(f"{int(seen.sum())} places for {patches.shape[0]} patches")
        x = self.embedding(ids)
        return x.masked_scatter(seen[..., None].expand_as(x), self.patch(patches)).mean()


def pictures() -> Any:
    ids = torch.zeros(2, 16, dtype=torch.long)
    ids[:, :4] = 99
    return Pictures(), {"ids": ids, "patches": torch.randn(8, 12), "grid": torch.tensor([[2, 2], [2, 2]])}


class Boxes(nn.Module):
    """A detector: boxes of each picture in a list of their own, more in one than in the other."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, x: Any, targets: Any) -> Any:
        if len(targets) != x.shape[0]:
            raise ValueError("a picture without boxes")
        y = self.layer(x)
        return sum((y[at] - one["boxes"]).abs().mean() for at, one in enumerate(targets))


def boxes() -> Any:
    return Boxes(), {"x": torch.randn(2, 8), "targets": [{"boxes": torch.rand(n, 4)} for n in (2, 3)]}


class Looked(nn.Module):
    """A large table with sparse gradients."""

    def __init__(self, decides: bool = False) -> None:
        super().__init__()
        self.decides = decides
        self.table, self.head = nn.EmbeddingBag(1000, 16, sparse=True, mode="sum"), nn.Linear(16, 1)

    def forward(self, ids: Any) -> Any:
        if self.decides and ids.sum().item() < 0:
            raise ValueError("below zero")
        return self.head(self.table(ids)).mean()


def looked_up() -> Any:
    return Looked(), torch.randint(0, 1000, (8, 5))


def looked_up_for_real() -> Any:
    return Looked(decides=True), torch.randint(0, 1000, (8, 5))


def table_alone() -> Any:
    return nn.Embedding(1000, 16), torch.randint(0, 1000, (8, 5))


def _causal(b: Any, h: Any, i: Any, j: Any) -> Any:
    return i >= j


def _near(b: Any, h: Any, i: Any, j: Any) -> Any:
    return (i >= j) & (i - j < 8)


def flexible(mask: Any = None, learned: bool = False, packed: bool = False) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    class Flexible(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
            self.bias = nn.Parameter(torch.zeros(4)) if learned else None
            self.register_buffer("document", torch.arange(TOKENS) // 8)

        def forward(self, x: Any) -> Any:
            q, k, v = (t.unflatten(-1, (4, 16)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
            asked = (lambda b, h, i, j: self.document[i] == self.document[j]) if packed else mask
            size = (None, None, TOKENS, TOKENS)
            blocks = create_block_mask(asked, *size, device="cpu", BLOCK_SIZE=8) if asked else None
            score = (lambda s, b, h, i, j: s + self.bias[h]) if learned else None
            return flex_attention(q, k, v, score_mod=score, block_mask=blocks)

    return Flexible(), torch.randn(2, TOKENS, WIDTH)


def flexible_causal() -> Any:
    return flexible(_causal)


def flexible_near() -> Any:
    return flexible(_near)


def flexible_learned() -> Any:
    return flexible(learned=True)


def flexible_packed() -> Any:
    return flexible(packed=True)
