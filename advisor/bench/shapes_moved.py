"""Operators that multiply no matrices, from sizes that show what a call costs to sizes beyond the caches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

LADDER = (1 << 10, 1 << 15, 1 << 19, 1 << 22)
LADDER_FEW = (1 << 10, 1 << 19, 1 << 22)  # between the first two the time is a line over the numbers
WIDTH, WORDS, SCORES = 512, 4096, 128  # rows of normalisations, of a loss over words, of attention's softmax
CHANNELS = 64
FRESH = 1 << 25  # numbers, so many that no allocator keeps them for the next call
CALLS_OF_A_LAYER = (
    41  # operators and views of one of the layers below, forward and back, as torch dispatches them
)
Made = Callable[[], Callable[[], object]]
Given = tuple[str, tuple[float, ...], float, Made]
Call = Callable[..., object]


def moved_points(maker: Any) -> Iterator[Given]:
    """(operator, (numbers, bytes moved), bytes taken, call) of each, size by size."""
    for numbers in LADDER if maker.full else LADDER_FEW:
        for name, tensors, call in _plain(maker):
            yield _of(maker, name, numbers, tensors, call)
        yield from _rows(maker, numbers)
        yield from _pictures(maker, numbers)
        yield from _looked_up(maker, numbers)


def _plain(maker: Any) -> Iterator[tuple[str, int, Call]]:
    """One number after the other: (name, operands, call of them); a minus stands for positive numbers."""
    aten, torch = maker.torch.ops.aten, maker.torch
    for name, op in (("add", torch.add), ("mul", torch.mul), ("div", torch.div)):
        yield name, 2, op
    for name in ("exp", "tanh", "sigmoid", "relu", "neg"):
        yield name, 1, getattr(torch, name)
    for name in ("sqrt", "rsqrt"):
        yield name, -1, getattr(torch, name)  # of positive numbers: others take a slow way round
    yield "gelu", 1, aten.gelu
    yield "silu", 1, aten.silu
    yield "hardtanh", 1, lambda x: aten.hardtanh(x, 0.0, 6.0)
    yield "pow", 1, lambda x: torch.pow(x, 3.0)
    yield "clone", 1, torch.clone
    yield "gelu_backward", 2, aten.gelu_backward
    yield "tanh_backward", 2, aten.tanh_backward
    yield "silu_backward", 2, aten.silu_backward
    yield "threshold_backward", 2, lambda g, x: aten.threshold_backward(g, x, 0)
    yield "hardtanh_backward", 2, lambda g, x: aten.hardtanh_backward(g, x, 0.0, 6.0)
    yield "add_", 2, lambda x, y: x.add_(y)
    yield "mul_", 1, lambda x: x.mul_(1.0)
    yield "lerp_", 2, lambda x, y: x.lerp_(y, 0.1)
    yield "addcmul_", 2, lambda x, y: x.mul_(0.5).addcmul_(y, y, value=0.1)
    yield "addcdiv_", 3, lambda x, y, z: x.addcdiv_(y, z, value=1e-9)
    yield "bernoulli_", 1, lambda x: x.bernoulli_(0.9)
    yield "fill_", 1, lambda x: x.fill_(1.0)
    yield "sum", 1, torch.sum
    other = torch.bfloat16 if maker.dtype == torch.float32 else torch.float32
    yield f"cast.{'narrow' if maker.dtype == torch.float32 else 'wide'}", 1, lambda x: x.to(other)


def _of(maker: Any, name: str, numbers: int, tensors: int, call: Call) -> Given:
    def make() -> Callable[[], object]:
        given = [maker.new(numbers) for _ in range(abs(tensors))]
        if tensors < 0:
            given[0].abs_().add_(0.1)
        return lambda: call(*given)

    moved = (abs(tensors) + (0 if name.endswith("_") or name == "sum" else 1)) * numbers * maker.width
    return name, (float(numbers), float(moved)), float(moved), make


def _shaped(maker: Any, name: str, numbers: int, tensors: int, make: Made) -> Given:
    moved = float(tensors * numbers * maker.width)
    return name, (float(numbers), moved), moved, make


def _rows(maker: Any, numbers: int) -> Iterator[Given]:
    """Normalisations, softmax, and sums over rows; a swap of two dimensions; two tensors joined."""
    aten, torch, new = maker.torch.ops.aten, maker.torch, maker.new
    rows = max(numbers // WIDTH, 1)

    def normed() -> tuple[Any, ...]:
        x, w, b = new(rows, WIDTH), new(WIDTH), new(WIDTH)
        return x, w, b, aten.native_layer_norm(x, [WIDTH], w, b, 1e-5)

    def layer() -> Callable[[], object]:
        x, w, b, _ = normed()
        return lambda: aten.native_layer_norm(x, [WIDTH], w, b, 1e-5)

    def layer_back() -> Callable[[], object]:
        x, w, b, (_, mean, rstd) = normed()
        g = new(rows, WIDTH)
        return lambda: aten.native_layer_norm_backward(g, x, [WIDTH], mean, rstd, w, b, [True] * 3)

    yield _shaped(maker, "native_layer_norm", numbers, 2, layer)
    yield _shaped(maker, "native_layer_norm_backward", numbers, 3, layer_back)
    for name, width in (("_softmax", SCORES), ("_log_softmax", WORDS)):
        shape = (max(numbers // width, 1), min(width, numbers))

        def soft(name: str = name, shape: tuple[int, int] = shape) -> Callable[[], object]:
            x = new(*shape)
            return lambda: getattr(aten, name)(x, 1, False)

        def soft_back(name: str = name, shape: tuple[int, int] = shape) -> Callable[[], object]:
            x, g = getattr(aten, name)(new(*shape), 1, False), new(*shape)
            return lambda: getattr(aten, f"{name}_backward_data")(g, x, 1, maker.dtype)

        yield _shaped(maker, name, numbers, 2, soft)
        yield _shaped(maker, f"{name}_backward_data", numbers, 3, soft_back)

    def summed() -> Callable[[], object]:
        x = new(rows, WIDTH)
        return lambda: torch.sum(x, 0, keepdim=True)

    def swapped() -> Callable[[], object]:
        tokens = min(rows, 8)
        x = new(rows // tokens, tokens, WIDTH // 64, 64).transpose(1, 2)
        return lambda: x.clone(memory_format=torch.contiguous_format)

    def joined() -> Callable[[], object]:
        x = new(rows, WIDTH // 2)
        return lambda: torch.cat((x, x), 1)

    def chosen() -> Callable[[], object]:
        x, mask = new(rows, WIDTH), torch.rand(rows, WIDTH, device=maker.device) > 0.5
        return lambda: torch.where(mask, x, 0.0)

    for name, make in (("sum.rows", summed), ("clone.swapped", swapped), ("cat", joined), ("where", chosen)):
        yield _shaped(maker, name, numbers, 1 if name == "sum.rows" else 2, make)


def _pictures(maker: Any, numbers: int) -> Iterator[Given]:
    """Normalisations over pictures, pooling, enlarging."""
    aten, new = maker.torch.ops.aten, maker.new
    edge = 28 if numbers >= 1 << 19 else 14 if numbers >= 1 << 15 else 4
    shape = (max(numbers // (CHANNELS * edge**2), 1), CHANNELS, edge, edge)
    count, pixels = shape[0], edge**2
    own = count * CHANNELS * pixels

    def wide(of: int = CHANNELS) -> Any:
        return new(of, dtype=maker.torch.float32)  # statistics stay in fp32 beside 16-bit pictures

    def batch() -> Callable[[], object]:
        x, w, b, m, v = new(*shape), wide(), wide(), wide(), wide().abs()
        return lambda: aten.native_batch_norm(x, w, b, m, v, True, 0.1, 1e-5)

    def batch_back() -> Callable[[], object]:
        x, g, w, b, m, v = new(*shape), new(*shape), wide(), wide(), wide(), wide().abs()
        _, mean, rstd = aten.native_batch_norm(x, w, b, m, v, True, 0.1, 1e-5)
        return lambda: aten.native_batch_norm_backward(g, x, w, m, v, mean, rstd, True, 1e-5, [True] * 3)

    def group() -> Callable[[], object]:
        x, w, b = new(*shape), new(CHANNELS), new(CHANNELS)
        return lambda: aten.native_group_norm(x, w, b, count, CHANNELS, pixels, 32, 1e-5)

    def group_back() -> Callable[[], object]:
        x, g, w, b = new(*shape), new(*shape), new(CHANNELS), new(CHANNELS)
        _, mean, rstd = aten.native_group_norm(x, w, b, count, CHANNELS, pixels, 32, 1e-5)
        return lambda: aten.native_group_norm_backward(
            g, x, mean, rstd, w, count, CHANNELS, pixels, 32, [True] * 3
        )

    def pool() -> Callable[[], object]:
        x = new(*shape)
        return lambda: aten.max_pool2d_with_indices(x, [2, 2], [2, 2])

    def pool_back() -> Callable[[], object]:
        x = new(*shape)
        g, at = aten.max_pool2d_with_indices(x, [2, 2], [2, 2])
        return lambda: aten.max_pool2d_with_indices_backward(g, x, [2, 2], [2, 2], [0, 0], [1, 1], False, at)

    def mean() -> Callable[[], object]:
        x = new(*shape)
        return lambda: x.mean((2, 3))

    def larger() -> Callable[[], object]:
        x = new(count, CHANNELS, edge // 2, edge // 2)
        return lambda: aten.upsample_nearest2d(x, [edge, edge])

    def larger_back() -> Callable[[], object]:
        g = new(*shape)
        size = [count, CHANNELS, edge // 2, edge // 2]
        return lambda: aten.upsample_nearest2d_backward(g, [edge, edge], size)

    def padded() -> Callable[[], object]:
        x = new(*shape)
        return lambda: aten.constant_pad_nd(x, [1, 1, 1, 1], 0.0)

    for name, tensors, make in (
        ("native_batch_norm", 2, batch), ("native_batch_norm_backward", 3, batch_back),
        ("native_group_norm", 2, group), ("native_group_norm_backward", 3, group_back),
        ("max_pool2d_with_indices", 1, pool), ("max_pool2d_with_indices_backward", 1, pool_back),
        ("mean", 1, mean), ("upsample_nearest2d", 1, larger), ("upsample_nearest2d_backward", 1, larger_back),
        ("constant_pad_nd", 2, padded),
    ):  # fmt: skip
        yield _shaped(maker, name, own, tensors, make)


def _looked_up(maker: Any, numbers: int) -> Iterator[Given]:
    """Rows of a table by number, and their gradients put back."""
    aten, torch, new = maker.torch.ops.aten, maker.torch, maker.new
    rows = max(numbers // WIDTH, 1)

    def ids() -> Any:
        return torch.randint(0, WORDS, (rows,), device=maker.device)

    def found() -> Callable[[], object]:
        table, at = new(WORDS, WIDTH), ids()
        return lambda: aten.embedding(table, at)

    def put_back() -> Callable[[], object]:
        g, at = new(rows, WIDTH), ids()
        return lambda: aten.embedding_dense_backward(g, at, WORDS, -1, False)

    def taken() -> Callable[[], object]:
        table, at = new(max(rows, 2), WIDTH), torch.randint(0, max(rows, 2), (rows,), device=maker.device)
        return lambda: table[at]

    def added() -> Callable[[], object]:
        table, at = new(max(rows, 2), WIDTH), torch.randint(0, max(rows, 2), (rows,), device=maker.device)
        given = new(rows, WIDTH)
        return lambda: table.index_add_(0, at, given)

    for name, make in (
        ("embedding", found), ("embedding_dense_backward", put_back), ("index", taken), ("index_add_", added)
    ):  # fmt: skip
        yield _shaped(maker, name, numbers, 2, make)


def called_points(maker: Any) -> Iterator[Given]:
    """What a call costs beside its work, by a deep network of next to no width; and what new memory costs."""
    torch = maker.torch
    nn = torch.nn
    width, layers = 16, 12

    def calls() -> Callable[[], object]:
        parts = [
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
            for _ in range(layers)
        ]
        net = nn.ModuleList(parts).to(maker.device).to(maker.dtype)
        x = maker.new(2, 4, width)

        def step() -> None:
            with torch.enable_grad():
                y = x
                for part in net:
                    y = y + part(y).view(2, 4, width)
                y.sum().backward()
            net.zero_grad(set_to_none=True)

        return step

    yield "calls", (float(CALLS_OF_A_LAYER * layers), 0.0), 1e6, calls

    def fresh() -> Callable[[], object]:
        return lambda: torch.empty(FRESH, dtype=maker.dtype, device=maker.device).fill_(1.0)

    size = float(FRESH * maker.width)
    yield "fresh", (float(FRESH), size), size, fresh
