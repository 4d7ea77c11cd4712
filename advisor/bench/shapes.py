"""The shapes at which operators are timed: wide and narrow, deep and shallow, in the caches and beyond.

Sizes of a point, by kind of operator:
  products    (matrices, rows, columns, depth)
  convolution (samples, channels in, channels out, kernel points, groups, pixels out, pixels in, gradients)
  attention   (batch x heads, queries, keys, width, causal)
  recurrent   (steps, sequences, width in, width)
  the rest    (numbers in the largest operand, bytes read and written)
A trace tells the same of each operator (sizes.py), so that one can be looked up in the other.

A full grid has all of them. A coarse one leaves out those that the others tell: point after point was taken
away from a full grid timed on a processor (AMD Zen 4; fp32 and bf16), each time that by which the error of
the surfaces at all points grew least for the time it saved, until it began to grow fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, Callable, NamedTuple

from .shapes_moved import called_points, moved_points


class Point(NamedTuple):
    """One operator at one shape. `bytes`: about what its operands take."""

    operator: str
    sizes: tuple[float, ...]
    bytes: float
    make: Callable[[], Callable[[], object]]


class Maker:
    """Tensors of one format on one device, of random numbers. `full`: for all shapes or for a few."""

    def __init__(self, torch: Any, device: str, dtype: Any, word: str, *, full: bool = True) -> None:
        self.torch, self.device, self.dtype, self.word, self.full = torch, device, dtype, word, full
        self.width = 4 if dtype == torch.float32 else 2
        self._some = torch.randn(SOME, device=device)

    def new(self, *shape: int, dtype: Any = None) -> Any:
        """Normal random numbers, the same over and over: making them takes longer than most operators."""
        count = 1
        for size in shape:
            count *= size
        some = self._some.repeat((count + SOME - 1) // SOME)[:count] if count > SOME else self._some[:count]
        return some.view(shape).to(dtype or self.dtype, copy=True)


SOME = 1 << 20  # different random numbers
PRODUCT_ROWS = (16, 128, 1024)
PRODUCT_WIDTHS = (64, 384, 2048)
BATCHED = ((16, 128, 128, 64), (96, 64, 64, 64), (8, 512, 512, 64), (8, 512, 64, 512), (16, 128, 64, 128))
BATCHED_FEW = 4  # of them, the first, in a coarse grid
PRODUCTS_FEW = (  # (rows, columns, depth) of a coarse grid, forward and gradient of the input
    (16, 64, 64), (16, 64, 384), (16, 64, 2048), (16, 384, 64), (16, 384, 2048), (16, 2048, 64),
    (16, 2048, 384), (16, 2048, 2048), (128, 64, 64), (128, 64, 2048), (1024, 64, 384), (1024, 64, 2048),
    (1024, 384, 64), (1024, 384, 2048), (1024, 2048, 384),
)  # fmt: skip
WEIGHTS_FEW = (  # the same of the gradient of the weights
    (64, 64, 16), (64, 384, 16), (64, 384, 128), (64, 384, 1024), (64, 2048, 16), (64, 2048, 128),
    (384, 64, 128), (384, 64, 1024), (384, 2048, 16), (2048, 64, 16), (2048, 64, 128), (2048, 64, 1024),
    (2048, 384, 16), (2048, 384, 128), (2048, 2048, 16),
)  # fmt: skip


def products(maker: Maker) -> Iterator[Point]:
    """Matrix products as a linear layer has them: forward, gradient of the input, gradient of the weights."""
    rows, widths = PRODUCT_ROWS, PRODUCT_WIDTHS
    for shape in product(rows, widths, widths) if maker.full else PRODUCTS_FEW:
        yield _product(maker, "nt", shape)
        yield _product(maker, "nn", shape)
    for shape in product(widths, widths, rows) if maker.full else WEIGHTS_FEW:
        yield _product(maker, "tn", shape)
    for batched in BATCHED if maker.full else BATCHED[:BATCHED_FEW]:
        for layout in ("nt", "nn", "tn"):
            yield _batched(maker, layout, batched)


def _product(maker: Maker, layout: str, shape: tuple[int, int, int]) -> Point:
    rows, columns, depth = shape

    def make() -> Callable[[], object]:
        a = maker.new(depth, rows).t() if layout[0] == "t" else maker.new(rows, depth)
        b = maker.new(columns, depth).t() if layout[1] == "t" else maker.new(depth, columns)
        if layout == "nt":
            bias = maker.new(columns)
            return lambda: maker.torch.addmm(bias, a, b)
        return lambda: maker.torch.mm(a, b)

    size = (rows * columns + rows * depth + columns * depth) * maker.width
    return Point(f"product.{layout}", (1, rows, columns, depth), size, make)


def _batched(maker: Maker, layout: str, shape: tuple[int, int, int, int]) -> Point:
    count, rows, columns, depth = shape

    def make() -> Callable[[], object]:
        a = maker.new(count, depth, rows).mT if layout[0] == "t" else maker.new(count, rows, depth)
        b = maker.new(count, columns, depth).mT if layout[1] == "t" else maker.new(count, depth, columns)
        return lambda: maker.torch.bmm(a, b)

    size = count * (rows * columns + rows * depth + columns * depth) * maker.width
    return Point(f"products.{layout}", (count, rows, columns, depth), size, make)


CONVOLUTIONS = (
    # channels in, out, kernel, stride, groups, edge: stems, then stage by stage 3x3, 1x1, patches, depthwise;
    # the last: in a coarse grid with few samples (1), with many (2), with both (3), not (0)
    (3, 64, 7, 2, 1, 112, 1), (3, 32, 3, 2, 1, 112, 3), (3, 96, 4, 4, 1, 112, 3),
    (3, 384, 16, 16, 1, 112, 3),
    (64, 64, 3, 1, 1, 32, 3), (128, 128, 3, 1, 1, 16, 2), (256, 256, 3, 1, 1, 8, 3),
    (512, 512, 3, 1, 1, 4, 1), (128, 128, 3, 2, 1, 32, 1), (320, 320, 3, 1, 1, 16, 0),
    (96, 192, 2, 2, 1, 32, 0), (64, 256, 1, 1, 1, 32, 3), (256, 64, 1, 1, 1, 32, 0),
    (512, 128, 1, 1, 1, 16, 0), (128, 512, 1, 1, 1, 16, 3), (1024, 256, 1, 1, 1, 8, 0),
    (512, 2048, 1, 1, 1, 4, 3), (16, 96, 1, 1, 1, 64, 3), (144, 24, 1, 1, 1, 32, 3),
    (32, 32, 3, 1, 32, 64, 3), (144, 144, 3, 1, 144, 32, 3), (144, 144, 3, 2, 144, 32, 3),
    (384, 384, 3, 1, 384, 8, 3), (576, 576, 3, 2, 576, 16, 3), (960, 960, 3, 1, 960, 4, 3),
    (96, 96, 7, 1, 96, 32, 3), (384, 384, 7, 1, 384, 8, 3), (128, 128, 3, 1, 32, 32, 3),
)  # fmt: skip
CONVOLVED = ((2, 1), (12, 2))  # samples, and what stands for them above


def convolutions(maker: Maker) -> Iterator[Point]:
    """Convolutions forward, and both gradients."""
    for samples, bit in CONVOLVED:
        for *shape, few in CONVOLUTIONS:
            if maker.full or few & bit:
                yield _convolution(maker, samples, shape, backward=False)
                yield _convolution(maker, samples, shape, backward=True)


def _convolution(maker: Maker, samples: int, shape: list[int], *, backward: bool) -> Point:
    wide, out, kernel, stride, groups, edge = shape
    pad = kernel // 2 if stride < kernel else 0
    after = (edge + 2 * pad - kernel) // stride + 1
    first = wide == 3  # of a stem nobody asks for the gradient of the pictures
    mask = [not first, True, False]

    def make() -> Callable[[], object]:
        x, w = maker.new(samples, wide, edge, edge), maker.new(out, wide // groups, kernel, kernel)
        rest = ([stride] * 2, [pad] * 2, [1, 1], False, [0, 0], groups)
        aten = maker.torch.ops.aten
        if not backward:
            return lambda: aten.convolution(x, w, None, *rest)
        g = maker.new(samples, out, after, after)
        return lambda: aten.convolution_backward(g, x, w, None, *rest, mask)

    kind = "depthwise" if groups == wide else "convolution"
    asked = float(sum(mask)) if backward else 0.0
    sizes = (samples, wide, out, kernel**2, groups, samples * after**2, samples * edge**2, asked)
    moved = samples * (wide * edge**2 + out * after**2) * maker.width * 3.0
    return Point(f"{kind}{'.back' if backward else ''}", tuple(map(float, sizes)), moved, make)


ATTENTION = (
    # heads, length, width; in a coarse grid without a mask (1), with a causal one (2), both (3), not (0)
    (8, 64, 64, 3), (8, 256, 64, 3), (8, 1024, 64, 2), (2, 2048, 128, 0), (32, 128, 32, 3), (16, 256, 8, 1),
)  # fmt: skip


def attentions(maker: Maker) -> Iterator[Point]:
    """Fused attention, forward and back, with and without a causal mask."""
    for heads, length, width, few in ATTENTION:
        for causal in (False, True):
            if maker.full or few & (1 + causal):
                for backward in (False, True):
                    yield _attention(maker, (heads, length, width), causal, backward)


def _attention(maker: Maker, shape: tuple[int, int, int], causal: bool, backward: bool) -> Point:
    heads, length, width = shape

    def make() -> Callable[[], object]:
        q, k, v = (maker.new(1, heads, length, width).requires_grad_(backward) for _ in range(3))
        attend = maker.torch.nn.functional.scaled_dot_product_attention
        if not backward:
            return lambda: attend(q, k, v, is_causal=causal)
        with maker.torch.enable_grad():
            out = attend(q, k, v, is_causal=causal)
        given = maker.torch.ones_like(out)
        return lambda: maker.torch.autograd.grad(out, (q, k, v), given, retain_graph=True)

    sizes = (heads, length, length, width, float(causal))
    scores = heads * length * length * 4.0
    return Point(f"attention{'.back' if backward else ''}", sizes, scores, make)


RECURRENT = (
    (16, 4, 128, 128),
    (16, 16, 256, 512),
    (64, 4, 256, 512),
    (64, 16, 128, 256),
    (64, 8, 512, 512),
    (32, 16, 512, 512),
)
"""What each keeps for the way back is small enough to be taken from memory that the process has already."""
RECURRENT_FEW = 4


def recurrents(maker: Maker) -> Iterator[Point]:
    """One layer of LSTM, forward and back: the layer, as not every device has one operator for it."""
    for shape in RECURRENT if maker.full else RECURRENT[:RECURRENT_FEW]:
        for backward in (False, True):
            yield _recurrent(maker, shape, backward)


def _recurrent(maker: Maker, shape: tuple[int, int, int, int], backward: bool) -> Point:
    steps, sequences, wide, width = shape

    def make() -> Callable[[], object]:
        layer = maker.torch.nn.LSTM(wide, width, batch_first=True, device=maker.device).to(maker.dtype)
        x = maker.new(sequences, steps, wide).requires_grad_()
        if not backward:

            def forward() -> object:
                with maker.torch.enable_grad():
                    return layer(x)

            return forward
        with maker.torch.enable_grad():
            out = layer(x)[0]
        given = maker.torch.ones_like(out)
        wanted = (x, *layer.parameters())
        return lambda: maker.torch.autograd.grad(out, wanted, given, retain_graph=True)

    sizes = (float(steps), float(sequences), float(wide), float(width))
    return Point(f"recurrent{'.back' if backward else ''}", sizes, 64.0 * steps * sequences * width, make)


def moves(maker: Maker) -> Iterator[Point]:
    """Everything else, which is as fast as what it reads and writes, or as its one number after the other."""
    for name, sizes, size, make in (*called_points(maker), *moved_points(maker)):
        yield Point(name, sizes, size, make)


SETS: dict[str, Callable[[Maker], Iterator[Point]]] = {
    "products": products,
    "convolutions": convolutions,
    "attention": attentions,
    "recurrent": recurrents,
    "moves": moves,
}
