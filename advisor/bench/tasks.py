"""The pair that explains why a GPU: work that cannot be split, and work that can."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Callable

from .context import Context, Figure
from .devices import Unable
from .matrix import require_dtype

CHAIN = 100_000  # steps of one chain; exact in float32, 0.4 ms on one CPU core
DISPATCH_STEPS = 20
FILTERS = 4  # 5 x 5 filters run over the colour picture at once: edges in several directions, blur, …
POINT = 0.3  # |P_n(x)| <= 1 here, so the chain neither overflows nor ends early


def serial_task(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """Steps per second of one chain in which every step needs the result of the one before.

    The chain is the three-term recurrence P_{k+1} = ((2k+1) x P_k - k P_{k-1}) / (k+1). torch ships it as
    `special.legendre_polynomial_p`, which for one number runs exactly this loop in compiled code: on one CPU
    core, and inside one kernel on one GPU thread. So neither side is held back by the Python interpreter or
    by a launch per step, as a loop written in Python would be; what is compared is one core with one GPU
    thread. All cores are offered as well, and change nothing: a second core has nothing to do.
    Where a device lacks the operation, one tiny kernel is launched per step (method "launches"): then the
    figure holds the launch latency too, and says so.
    """
    torch, device = ctx.torch, ctx.place()
    threads = ctx.threads_for(str(params["where"]))
    with torch.inference_mode():
        found = None if device.kind == "npu" else _compiled(torch, device.name)
        if found is not None:
            call, steps = found
            method = "compiled"
        else:
            x = torch.full((1,), POINT, device=device.name)
            call, steps, method = _launches(x), DISPATCH_STEPS, "launches"
        samples = ctx.time(call, threads=threads)
    extra = {"threads": threads} if device.is_cpu else {}
    warnings = [] if method == "compiled" else ["chain_by_launches"]
    yield Figure("1/s", samples, float(steps), {"method": method, **extra}, warnings=warnings)


def _compiled(torch: Any, device: str) -> tuple[Callable[[], object], int] | None:
    """The chain as one operation, checked against the same loop in Python; None where torch lacks it."""
    chain = getattr(torch.special, "legendre_polynomial_p", None)
    if chain is None:
        return None
    try:
        x = torch.full((1,), POINT, device=device)
        few = chain(x, torch.full((1,), 50.0, device=device)).item()
        many = torch.full((1,), float(CHAIN), device=device)
        end = chain(x, many).item()
    except (RuntimeError, NotImplementedError):
        return None
    # an implementation with a limit on n answers nan at once: that would be an absurd rate
    if abs(few - legendre(POINT, 50)) > 1e-4 or not math.isfinite(end) or end == 0.0:
        return None
    return lambda: chain(x, many), CHAIN


def legendre(x: float, n: int) -> float:
    """The same chain, step by step."""
    before, now = 1.0, x
    for k in range(1, n):
        before, now = now, ((2 * k + 1) * x * now - k * before) / (k + 1)
    return now


def _launches(x: Any) -> Callable[[], object]:
    """x -> 3.7 x (1 - x), the logistic map, as three launches a step."""

    def run() -> None:
        for _ in range(DISPATCH_STEPS):
            x.mul_((1.0 - x).mul_(3.7))

    return run


def parallel_task(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """Work in which every result can be had at the same time: blur a picture, multiply matrices."""
    torch, device = ctx.torch, ctx.place()
    threads = ctx.threads_for(str(params["where"]))
    size, op = int(params["n"]), str(params["op"])
    require_dtype(ctx, "fp32")
    with torch.inference_mode():
        if op == "image_filter":
            ctx.require(size * size * (3 + FILTERS) * 4 * 2, f"a picture of {size} x {size} pixels")
            picture = torch.rand(1, 3, size, size, device=device.name)
            kernels = torch.randn(FILTERS, 3, 5, 5, device=device.name)
            convolve = torch.nn.functional.conv2d
            samples = ctx.time(lambda: convolve(picture, kernels, padding=2), threads=threads)
            unit, work = "1/s", float(size * size)
        elif op == "matrix_product":
            ctx.require(size * size * 4 * 3, f"a product of {size} x {size} matrices")
            a, b = (torch.randn(size, size, device=device.name) for _ in range(2))
            out = torch.empty(size, size, device=device.name)
            samples = ctx.time(lambda: torch.mm(a, b, out=out), threads=threads)
            unit, work = "FLOP/s", 2.0 * size**3
        else:
            raise Unable("failed", f"unknown parallel task {op}")
    yield Figure(unit, samples, work, {"threads": threads} if device.is_cpu else {})
