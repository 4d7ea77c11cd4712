"""Optimizer steps, and whole training steps of a small decoder and a small CNN at several depths."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Callable

from .context import Context, Figure
from .devices import Unable
from .matrix import float_dtype, require_dtype
from .timing import KEEP_STEPS, Samples, add_block

# (width, sequence, batch, vocabulary) and (picture side, batch), smallest first. The largest whose deeper
# step stays within the target time is taken, so that a GPU gets enough to do and a small CPU not too much.
DECODER_SIZES = (
    (128, 64, 1, 512),
    (256, 128, 1, 2048),
    (384, 256, 1, 4096),
    (512, 256, 2, 8192),
    (768, 512, 4, 16384),
    (1024, 1024, 8, 32768),
    (2048, 2048, 8, 32768),
    (4096, 2048, 8, 32768),
)
CNN_SIZES = ((32, 2), (64, 2), (64, 4), (128, 4), (128, 8), (224, 16), (224, 64), (224, 256))
STAGES = ((64, 1), (128, 2), (256, 2))  # width and stride: the first three stages of a ResNet
CLASSES = 1000
TRIALS = 3


def adamw(torch: Any, parameters: Any, kind: str) -> Any:
    """AdamW as torch's default picks it, or its fused form. Raises Unable where there is none."""
    if kind == "default":
        return torch.optim.AdamW(parameters, lr=1e-4)
    try:
        return torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise Unable("not_supported", f"no fused AdamW here: {str(error).partition(chr(10))[0]}") from error


def optimizer_step(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """One AdamW step over float32 parameters in tensors of a million, gradients in place."""
    torch, device = ctx.torch, ctx.place()
    count = int(params["parameters"])
    count = min(count, ctx.room() // 20)  # weight, gradient, two moments, and one tensor of temporaries
    tensors = max(count >> 20, 1)
    ctx.require(tensors * (20 << 20), "the smallest optimizer step")
    weights = [torch.randn(1024, 1024, device=device.name).requires_grad_() for _ in range(tensors)]
    for weight in weights:
        weight.grad = torch.randn(1024, 1024, device=device.name)
    optimizer = adamw(torch, weights, str(params["kind"]))
    yield Figure("s", ctx.time(optimizer.step), params={"parameters": tensors << 20})


class Net:
    """A network as a list of stages to call, its parameters, and the FLOPs of one training step."""

    def __init__(self, step: Callable[[], object], parameters: list[Any], flops: float) -> None:
        self.step = step
        self.parameters = parameters
        self.flops = flops


def linear_flops(rows: int, wide: int, tall: int, *, first: bool = False) -> float:
    """FLOPs of one linear layer in a training step: forward, weight gradient, and input gradient."""
    return (2.0 if first else 3.0) * 2.0 * rows * wide * tall


def decoder(ctx: Context, size: tuple[int, ...], layers: int, dtype: str) -> Net:
    """A GPT-like decoder of stock torch.nn parts: pre-norm, causal attention, MLP of 4 widths."""
    torch, device = ctx.torch, ctx.place()
    nn, functional = torch.nn, torch.nn.functional
    width, seq, batch, vocab = size
    heads = max(width // 64, 1)
    embed = nn.Embedding(vocab, width)
    blocks = nn.ModuleList(
        nn.ModuleDict(
            {
                "norm1": nn.LayerNorm(width),
                "qkv": nn.Linear(width, 3 * width),
                "out": nn.Linear(width, width),
                "norm2": nn.LayerNorm(width),
                "up": nn.Linear(width, 4 * width),
                "down": nn.Linear(4 * width, width),
            }
        )
        for _ in range(layers)
    )
    norm, head = nn.LayerNorm(width), nn.Linear(width, vocab, bias=False)
    net = nn.ModuleList([embed, blocks, norm, head]).to(device.name)
    tokens = torch.randint(0, vocab, (batch, seq + 1), device=device.name)

    def attend(block: Any, x: Any) -> Any:
        q, k, v = block["qkv"](x).view(batch, seq, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return block["out"](mixed.transpose(1, 2).reshape(batch, seq, width))

    def loss() -> Any:
        x = embed(tokens[:, :-1])
        for block in blocks:
            x = x + attend(block, block["norm1"](x))
            x = x + block["down"](functional.gelu(block["up"](block["norm2"](x))))
        return functional.cross_entropy(head(norm(x)).view(-1, vocab), tokens[:, 1:].reshape(-1))

    rows = batch * seq
    each = linear_flops(rows, width, 12 * width) + 3 * 0.5 * 2 * 2.0 * batch * seq * seq * width
    flops = layers * each + linear_flops(rows, width, vocab)
    parameters = list(net.parameters())
    return Net(_step(ctx, loss, parameters, dtype), parameters, flops)


def cnn(ctx: Context, size: tuple[int, ...], layers: int, dtype: str) -> Net:
    """A ResNet with `layers` basic blocks in each of its three stages, of stock torch.nn parts."""
    torch, device = ctx.torch, ctx.place()
    nn, functional = torch.nn, torch.nn.functional
    side, batch = size
    flops, at, width = 0.0, side, 64

    def conv(wide: int, out: int, kernel: int, stride: int, first: bool = False) -> Any:
        nonlocal flops, at
        at = (at + stride - 1) // stride
        flops += linear_flops(batch * at * at, wide * kernel * kernel, out, first=first)
        layer = nn.Conv2d(wide, out, kernel, stride, padding=kernel // 2, bias=False)
        return nn.Sequential(layer, nn.BatchNorm2d(out))

    stem = conv(3, 64, 7, 2, first=True)
    at = (at + 1) // 2  # the pooling after the stem
    blocks = []
    for out, stride_of_stage in STAGES:
        for depth in range(layers):
            stride, begin = (stride_of_stage if depth == 0 else 1), at
            parts = {"a": conv(width, out, 3, stride), "b": conv(out, out, 3, 1)}
            if stride != 1 or width != out:
                at = begin
                parts["skip"] = conv(width, out, 1, stride)
            blocks.append(nn.ModuleDict(parts))
            width = out
    head = nn.Linear(width, CLASSES)
    flops += linear_flops(batch, width, CLASSES)
    net = nn.ModuleList([stem, *blocks, head]).to(device.name).train()
    pictures = torch.randn(batch, 3, side, side, device=device.name)
    labels = torch.randint(0, CLASSES, (batch,), device=device.name)

    def loss() -> Any:
        x = functional.max_pool2d(functional.relu(stem(pictures)), 3, 2, padding=1)
        for block in blocks:
            skip = block["skip"](x) if "skip" in block else x
            x = functional.relu(block["b"](functional.relu(block["a"](x))) + skip)
        return functional.cross_entropy(head(x.mean((2, 3))), labels)

    parameters = list(net.parameters())
    return Net(_step(ctx, loss, parameters, dtype), parameters, flops)


def _step(ctx: Context, loss: Callable[[], Any], parameters: list[Any], dtype: str) -> Callable[[], object]:
    """Zero, forward under autocast, backward, AdamW (fused where there is one); fp16 with a scaled loss."""
    torch, device = ctx.torch, ctx.place()
    try:
        optimizer = adamw(torch, parameters, "fused")
    except Unable:
        optimizer = adamw(torch, parameters, "default")
    half = {"bf16": "bfloat16", "fp16": "float16"}.get(dtype)
    scaler = _scaler(torch, device.kind) if dtype == "fp16" else None

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        cast = torch.autocast(device.kind, getattr(torch, half)) if half else contextlib.nullcontext()
        with cast:
            value = loss()
        if scaler is None:
            value.backward()
            optimizer.step()
            return
        scaler.scale(value).backward()
        scaler.step(optimizer)
        scaler.update()

    return step


def _scaler(torch: Any, kind: str) -> Any:
    """The loss scaling that fp16 cannot train without: its unscaling and its checks are part of a step.

    A low first scale, so that no step is left out for an overflow, as those with torch's own 65536 are.
    """
    try:
        return torch.amp.GradScaler(kind, init_scale=256.0)
    except AttributeError:  # torch before 2.3
        return torch.cuda.amp.GradScaler(init_scale=256.0)


FAMILIES: dict[str, tuple[Callable[..., Net], tuple[tuple[int, ...], ...]]] = {
    "decoder": (decoder, DECODER_SIZES),
    "cnn": (cnn, CNN_SIZES),
}


def train_step(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """One training step at two depths, the two interleaved A B A B so that a slow moment hits both.

    A block is one step. The slope between the depths (the parent takes it) frees the rate of what a step
    costs however shallow the network is.
    """
    family, dtype = str(params["family"]), str(params["dtype"])
    require_dtype(ctx, dtype)
    depths = [int(depth) for depth in params["depths"]]
    size, nets = _build(ctx, family, dtype, depths, float(params["target_s"]))
    device = ctx.place()
    clock, watch = device.clock(), ctx.watch
    samples = [
        Samples(filtered=device.is_cpu, delay_method=watch.delay.method, keep_below=KEEP_STEPS) for _ in nets
    ]
    threads = ctx.threads if device.is_cpu else 1
    for net in nets[:-1]:  # autotuning and compiling happen in the first ones: of the deepest in its trial
        clock.block(net.step, 3)
    for net in nets:
        clock.block(net.step, 1 if device.is_cpu else 3)  # and each meets the caches the other one leaves
    start = time.perf_counter()
    while True:
        for net, own in zip(nets, samples):
            add_block(own, net.step, clock, watch.delay, threads)
        spent = time.perf_counter() - start
        enough = min(len(own.kept()) for own in samples) >= ctx.limits.min_blocks
        if (enough and spent >= ctx.limits.min_s) or spent >= ctx.limits.cap_s:
            break
    for depth, net, own in zip(depths, nets, samples):
        found = {"layers": depth, "flops": net.flops, "parameters": sum(p.numel() for p in net.parameters)}
        yield Figure("s", own, params={**found, **_named(family, size)}, suffix=f"L{depth}")


def _named(family: str, size: tuple[int, ...]) -> dict[str, int]:
    names = ("hidden", "seq_len", "batch", "vocab") if family == "decoder" else ("image_size", "batch")
    return dict(zip(names, size))


def _build(
    ctx: Context, family: str, dtype: str, depths: list[int], target_s: float
) -> tuple[tuple[int, ...], list[Net]]:
    """The largest size whose deepest step stays near the target, by a matrix product's rate and one trial."""
    make, sizes = FAMILIES[family]
    clock, room = ctx.place().clock(), ctx.room()
    scores = ctx.place().kind != "cuda"
    ctx.require(_cost(family, sizes[0], max(depths), scores)[1], f"the smallest {family} step")
    rate = _matrix_rate(ctx, dtype)
    fitting = [sizes[0]]
    for size in sizes[1:]:
        flops, needed = _cost(family, size, max(depths), scores)
        if flops / rate > target_s or needed > room:
            break
        fitting.append(size)
    while True:
        size = fitting.pop()
        deepest = make(ctx, size, max(depths), dtype)
        clock.block(deepest.step, 2)
        # a neighbour makes a step slow now and then; a step that is too long is so each time
        if not fitting or any(clock.block(deepest.step, 1) < 2 * target_s for _ in range(TRIALS)):
            break
        del deepest
        ctx.place().release()
    others = {depth: make(ctx, size, depth, dtype) for depth in depths if depth != max(depths)}
    return size, [others.get(depth, deepest) for depth in depths]


def _matrix_rate(ctx: Context, dtype: str) -> float:
    """FLOP/s of a matrix product in this type, from a glance: only to choose a size."""
    torch, device = ctx.torch, ctx.place()
    n = 512 if device.is_cpu else 2048
    a, b = (torch.randn(n, n, device=device.name).to(float_dtype(torch, dtype)) for _ in range(2))
    clock = device.clock()
    with torch.inference_mode():
        clock.block(lambda: torch.mm(a, b), 3)
        seconds = min(float(clock.block(lambda: torch.mm(a, b), 2)) / 2 for _ in range(3))
    return 2.0 * n**3 / max(seconds, 1e-9)


def _cost(family: str, size: tuple[int, ...], layers: int, scores: bool) -> tuple[float, float]:
    """(FLOPs, bytes of both nets) of a step, roughly and from above, before anything is built.

    20 bytes a weight: itself, gradient, two moments, one temporary; the shallow net adds half as much.
    `scores`: attention may keep its score matrix (backends without a fused kernel).
    """
    if family == "decoder":
        width, seq, batch, vocab = size
        rows, weights = batch * seq, 12 * width * width * layers + 2 * vocab * width
        flops = 6.0 * rows * (weights - vocab * width) + 6.0 * batch * seq * seq * width * layers
        kept = rows * width * 4.0 * 24 * layers + rows * vocab * 12.0
        kept += batch * (width // 64 + 1) * seq * seq * 8.0 * layers if scores else 0.0
    else:
        side, batch = size
        pixels = float(batch * side * side) / 16
        weights = 2 * 9 * (64**2 + 128**2 + 256**2) * layers
        flops = 3 * layers * 6.0 * 2 * 9 * 64 * 64 * pixels + 6.0 * 147 * 64 * pixels * 4
        kept = pixels * 64 * 4.0 * (16 + 10 * 2 * layers)
    return flops, weights * 30.0 + kept
