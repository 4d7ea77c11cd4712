"""Matrix product, memory bandwidth, copies to and from the device, launch latency, attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

from .context import MIB, Context, Figure
from .devices import SHARE_OF_FREE, Unable
from .timing import Samples, add_block, calls_for

FLOATS = {"fp32": "float32", "tf32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def float_dtype(torch: Any, dtype: str) -> Any:
    """torch's type for fp32, tf32, bf16, fp16."""
    return getattr(torch, FLOATS[dtype])


def require_dtype(ctx: Context, dtype: str) -> None:
    """Raise Unable for TF32 and bf16 where the device has no unit for it; make fp32 convolutions fp32.

    Both came with compute capability 8.0; before it torch emulates bf16 and computes TF32 as plain fp32.
    """
    torch, device = ctx.torch, ctx.place()
    if dtype == "fp32":
        torch.backends.cudnn.allow_tf32 = False  # on by default: convolutions would be TF32
    without = device.has_bf16() is False
    hip = getattr(getattr(torch, "version", None), "hip", None)
    if dtype == "tf32" and device.kind == "cuda" and (hip or without):
        raise Unable("not_supported", "this device has no TF32: torch would compute in plain fp32")
    if dtype == "bf16" and without:
        raise Unable(
            "not_supported", "this device has no bf16 units: torch would emulate the type", "Train in fp16."
        )


def matmul(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """C = A B with square matrices of random normal numbers, result preallocated. 2 n^3 operations."""
    dtype, n = str(params["dtype"]), int(params["n"])
    torch, device = ctx.torch, ctx.place()
    require_dtype(ctx, dtype)
    ctx.require(3 * n * n * 4 + n * n * 4, f"a product of {n} x {n} matrices")
    with torch.inference_mode():
        if dtype == "int8":
            call = _int8(ctx, n)
        elif dtype == "fp8":
            call = _fp8(ctx, n)
        else:
            # TF32 is asked for by name and is off otherwise, whatever the environment's default is
            torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")
            kind = float_dtype(torch, dtype)
            a, b = (torch.randn(n, n, device=device.name).to(kind) for _ in range(2))
            out = torch.empty(n, n, device=device.name, dtype=kind)
            call = lambda: torch.mm(a, b, out=out)  # noqa: E731
        try:
            samples = ctx.time(call, threads=params.get("threads"))
        finally:
            torch.set_float32_matmul_precision("highest")
    yield Figure("FLOP/s", samples, work=2.0 * n**3)


def _int8(ctx: Context, n: int) -> Callable[[], object]:
    torch, device = ctx.torch, ctx.place()
    if not hasattr(torch, "_int_mm"):
        raise Unable("not_supported", f"torch {torch.__version__} has no _int_mm")
    a, b = ((torch.randn(n, n, device=device.name) * 30).clamp(-127, 127).to(torch.int8) for _ in range(2))
    if not device.is_cpu:
        b = b.t().contiguous().t()  # cublasLt wants B column-major for its int8 kernels
    out = torch.empty(n, n, device=device.name, dtype=torch.int32)
    return lambda: torch._int_mm(a, b, out=out)


def _fp8(ctx: Context, n: int) -> Callable[[], object]:
    """torch._scaled_mm: A row-major, B column-major, one scale each; the type differs on older AMD parts."""
    torch, device = ctx.torch, ctx.place()
    if not hasattr(torch, "_scaled_mm"):
        raise Unable("not_supported", f"torch {torch.__version__} has no _scaled_mm")
    one = torch.ones((), device=device.name, dtype=torch.float32)
    reason = ""
    for name in ("float8_e4m3fn", "float8_e4m3fnuz"):  # the second is what MI300 (gfx942) computes in
        kind = getattr(torch, name, None)
        if kind is None:
            continue
        try:
            a = torch.randn(n, n, device=device.name).to(kind)
            b = torch.randn(n, n, device=device.name).to(kind).t()
            call = _scaled(torch, a, b, one)
            call()
            device.synchronize()
            return call
        except (RuntimeError, TypeError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
    raise Unable("not_supported", f"no fp8 matrix product: {reason or 'torch lacks the type'}")


def _scaled(torch: Any, a: Any, b: Any, one: Any) -> Callable[[], object]:
    return lambda: torch._scaled_mm(
        a, b, scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True
    )


def memory_bandwidth(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """STREAM's copy and triad: bytes read plus bytes written, no write-allocate counted.

    The arrays are at least 4 times the last cache where the memory allows; `cached` is warned of if not.
    """
    torch, device = ctx.torch, ctx.place()
    wanted, least = int(params["bytes"]), int(params.get("least_bytes", 0))
    size = min(wanted, ctx.room() // 3)
    if size < 8 * MIB:
        ctx.require(3 * wanted, "three arrays")
        raise Unable("not_asked", "less than 24 MiB may be taken")
    count = size // 4
    threads = params.get("threads")
    if device.is_cpu and threads:
        torch.set_num_threads(int(threads))
    a, b, c = stream_arrays(ctx, count)
    warnings = ["small_arrays"] if count * 4 < least else []
    shared = {"bytes": count * 4, **({"threads": threads or ctx.threads} if device.is_cpu else {})}
    with torch.inference_mode():
        for op in params.get("ops", ("copy", "triad")):
            if op == "copy":
                samples = ctx.time(lambda: a.copy_(b), threads=threads)
            else:
                samples = ctx.time(triad(torch, a, b, c), threads=threads)
            moved = (2.0 if op == "copy" else 3.0) * count * 4
            yield Figure("B/s", samples, moved, {"op": op, **shared}, suffix=op, warnings=list(warnings))


def stream_arrays(ctx: Context, count: int) -> tuple[Any, Any, Any]:
    """Three float32 arrays, filled by all threads, so that on a NUMA machine each touches its own share."""
    torch, device = ctx.torch, ctx.place()
    a, b, c = (torch.empty(count, device=device.name).fill_(value) for value in (0.0, 1.5, 2.5))
    if not device.is_cpu:  # the bits matter to a GPU's power and so to its clock; on a CPU they do not
        b.normal_()
        c.normal_()
    return a, b, c


def triad(torch: Any, a: Any, b: Any, c: Any) -> Callable[[], object]:
    """a = b + 3 c in one pass over the three arrays."""
    return lambda: torch.add(b, c, alpha=3.0, out=a)


def host_device_copy(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """Copies of one block of pinned host memory to the device and back."""
    torch, device = ctx.torch, ctx.place()
    size = int(params["bytes"])
    ctx.require(size, "the device's side of the copy")
    if ctx.host_free_bytes is not None:
        size = min(size, int(ctx.host_free_bytes * SHARE_OF_FREE))
    pinned = True
    try:  # pinned at once: pin_memory() of a finished block would hold it twice
        here = torch.empty(size // 4, pin_memory=True)
    except (RuntimeError, TypeError, NotImplementedError):
        here, pinned = torch.empty(size // 4), False
    here.normal_()
    there = torch.empty(size // 4, device=device.name)
    warnings = [] if pinned else ["not_pinned"]
    for direction in ("h2d", "d2h"):
        source, target = (here, there) if direction == "h2d" else (there, here)
        samples = ctx.time(_copy(source, target, pinned))
        found = {"direction": direction, "pinned": pinned, "bytes": size // 4 * 4}
        yield Figure("B/s", samples, float(size // 4 * 4), found, suffix=direction, warnings=warnings)


def _copy(source: Any, target: Any, pinned: bool) -> Callable[[], object]:
    return lambda: target.copy_(source, non_blocking=pinned)


def launch_latency(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:  # noqa: ARG001
    """Seconds that one tiny operation costs in a queue of dependent ones: what no shape gets below."""
    torch, device = ctx.torch, ctx.place()
    x = torch.ones(1, device=device.name)
    with torch.inference_mode():
        samples = ctx.time(lambda: x.add_(1.0), threads=1)
    yield Figure("s", samples)


def attention(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """Causal scaled_dot_product_attention, forward and backward apart.

    FLOPs are those a causal mask leaves: forward 2 products, backward 4 (what is recomputed is not counted).
    """
    torch, device = ctx.torch, ctx.place()
    require_dtype(ctx, str(params["dtype"]))
    dtype = float_dtype(torch, str(params["dtype"]))
    batch, heads = int(params["batch"]), int(params["heads"])
    seq, dim = int(params["seq"]), int(params["head_dim"])
    # an upper bound: q, k, v, out and their gradients; CUDA's fused kernels keep no score matrix, others may
    scores = 0 if device.kind == "cuda" else 3 * seq * 4
    kept = "" if device.kind == "cuda" else " with a stored score matrix"
    ctx.require(batch * heads * seq * (8 * dim * 4 + scores), f"attention{kept}")
    q, k, v = (
        torch.randn(batch, heads, seq, dim, device=device.name).to(dtype).requires_grad_() for _ in range(3)
    )
    sdpa = torch.nn.functional.scaled_dot_product_attention
    forward = 0.5 * 2 * 2.0 * batch * heads * seq * seq * dim

    def run_forward() -> Any:
        with torch.no_grad():
            return sdpa(q, k, v, is_causal=True)

    samples = ctx.time(run_forward)
    shared = {"flops": forward, "causal": True}
    yield Figure("FLOP/s", samples, forward, {"direction": "forward", **shared}, suffix="forward")
    out = sdpa(q, k, v, is_causal=True)
    grad = torch.randn_like(out)
    samples = ctx.time(lambda: torch.autograd.grad(out, (q, k, v), grad, retain_graph=True))
    shared = {"flops": 2 * forward, "causal": True}
    yield Figure("FLOP/s", samples, 2 * forward, {"direction": "backward", **shared}, suffix="backward")


def pick_threads(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Which of some thread counts multiplies matrices fastest (hybrid and SMT CPUs): best time of each.

    No figure: its answer sets the thread count of what follows. So a count is judged by the blocks in which
    our threads did not wait for a core; where one had none, twice, the most threads are kept (`disturbed`).
    """
    torch, device = ctx.torch, ctx.place()
    n = 1024
    a, b = (torch.randn(n, n) for _ in range(2))
    out = torch.empty(n, n)
    clock = device.clock()
    tried: dict[str, float] = {}
    disturbed = True

    def samples_of(count: int) -> Samples:
        torch.set_num_threads(count)
        call = lambda: torch.mm(a, b, out=out)  # noqa: E731
        clock.block(call, 2)
        found = Samples(calls_per_block=calls_for(0.03, clock.block(call, 1)))
        for _ in range(4):
            add_block(found, call, clock, ctx.watch.delay, count)
        return found

    with torch.inference_mode():
        for _ in range(2):
            samples = {str(count): samples_of(int(count)) for count in params["counts"]}
            tried = {count: min(found.kept() or found.all()) for count, found in samples.items()}
            disturbed = not all(found.kept() for found in samples.values())
            if not disturbed:
                break
    best = max(tried, key=int) if disturbed else min(tried, key=lambda count: tried[count])
    torch.set_num_threads(int(best))
    return {"threads": int(best), "tried": tried, "disturbed": disturbed}
