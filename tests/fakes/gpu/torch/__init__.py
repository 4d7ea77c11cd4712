"""A torch with CUDA devices that compute nothing and take the time that their rates say.

Shapes, types and devices are followed; time is a number that each operation adds to and that events read, so
that a bench must come out at exactly the rate put in. FAKE_GPU holds a JSON object: devices, capability,
hip (a version), gcn, free, hang_at / crash_at / raise_at (the name of an operation: the first of it hangs,
ends the process with SIGSEGV, or raises what "error" says).
"""
# ruff: noqa: PLW0603, PLR0917

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import signal
import time
from types import SimpleNamespace

CASE = json.loads(os.environ.get("FAKE_GPU", "{}"))
__version__ = "2.99.0+fake"
version = SimpleNamespace(hip=CASE.get("hip"), cuda="13.0")

RATES = {"float32": 20e12, "tf32": 100e12, "bfloat16": 400e12, "float16": 300e12}
RATES |= {"int8": 800e12, "fp8": 700e12}
SIZES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, "int32": 4, "int64": 8, "float8_e4m3fn": 1}
MEMORY, LINK, LAUNCH_S, CHAIN_STEP_S = 2e12, 25e9, 2e-6, 1e-8
float32, bfloat16, float16, int8, int32, float8_e4m3fn = (
    "float32", "bfloat16", "float16", "int8", "int32", "float8_e4m3fn",
)  # fmt: skip
_now_s = 0.0
_undone = 0.0  # seconds of forward work that a backward pass follows
_casts: list[str] = []
_precision = "highest"
_threads = 1


def _at(name):
    if CASE.get("hang_at") == name:
        time.sleep(60)
    if CASE.get("crash_at") == name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if CASE.get("raise_at") == name:
        raise RuntimeError(CASE["error"])


def _spend(seconds, forward=False):
    global _now_s, _undone
    spent = max(seconds, LAUNCH_S)
    _now_s += spent
    if forward:
        _undone += spent


def _rate(dtype):
    return RATES[dtype]


class Tensor:
    def __init__(self, shape, dtype="float32", device="cpu", value=None):
        self.shape, self.dtype, self.device, self.value = tuple(shape), dtype, str(device), value
        self.grad = None
        self.flops = 0.0

    @property
    def bytes(self):
        return math.prod(self.shape) * SIZES[self.dtype]

    def like(self, shape=None, dtype=None, device=None):
        return Tensor(self.shape if shape is None else shape, dtype or self.dtype, device or self.device)

    def numel(self):
        return math.prod(self.shape)

    def to(self, what):
        return self.like(dtype=what) if what in SIZES else self.like(device=what)

    def item(self):
        return self.value

    def sum(self):
        return Tensor((), value=self.value * self.numel())

    def _same(self, *_a, **_k):
        return self

    requires_grad_ = contiguous = clamp = fill_ = normal_ = detach = _same

    def t(self):
        return self.like(self.shape[::-1])

    def view(self, *shape):
        known = -math.prod(shape) if -1 in shape else 1
        return self.like([self.numel() // known if n == -1 else n for n in shape])

    reshape = view

    def permute(self, *order):
        return self.like([self.shape[n] for n in order])

    def transpose(self, a, b):
        shape = list(self.shape)
        shape[a], shape[b] = shape[b], shape[a]
        return self.like(shape)

    def mean(self, over):
        return self.like([n for at, n in enumerate(self.shape) if at not in over])

    def __iter__(self):
        return iter([self.like(self.shape[1:]) for _ in range(self.shape[0])])

    def __getitem__(self, index):
        rows, columns = self.shape
        return self.like((rows, columns - 1))

    def _light(self, *_a):
        _spend(self.bytes * 3 / MEMORY)
        return self

    __add__ = __mul__ = add_ = mul_ = _light

    def __rsub__(self, _other):
        return self._light()

    def copy_(self, other, non_blocking=False):
        assert self.shape == other.shape
        if self.device != other.device:
            _at("copy")
            assert non_blocking, "pinned memory, and the copy waits all the same"
            _spend(self.bytes / LINK)
        else:
            _spend(2 * self.bytes / MEMORY)

    def backward(self):
        global _undone
        _at("backward")
        _spend(2 * _undone)
        _undone = 0.0


def _place(device):
    if str(device).startswith("cuda"):
        assert int(str(device).partition(":")[2] or 0) < CASE.get("devices", 1)
    return device


def _make(*shape, device="cpu", dtype="float32", pin_memory=False, value=None):
    shape = shape[0] if shape and isinstance(shape[0], tuple) else shape
    return Tensor(shape, dtype, _place(device), value)


randn = empty = rand = _make


def ones(*shape, device="cpu", dtype="float32"):
    return _make(*shape, device=device, dtype=dtype, value=1.0)


def full(shape, value, device="cpu"):
    return _make(*shape, device=device, value=value)


def randint(_low, _high, shape, device="cpu"):
    return _make(*shape, device=device, dtype="int64")


def randn_like(other):
    return other.like()


def mm(a, b, out=None):
    assert a.shape[1] == b.shape[0] and a.dtype == b.dtype and a.device == b.device
    assert out is None or (out.dtype == a.dtype and out.shape == (a.shape[0], b.shape[1]))
    _at(f"mm.{a.dtype}")
    kind = "tf32" if a.dtype == "float32" and _precision == "high" else a.dtype
    _spend(2.0 * a.shape[0] * a.shape[1] * b.shape[1] / _rate(kind))
    return out


def _int_mm(a, b, out):
    assert (a.dtype, b.dtype, out.dtype) == ("int8", "int8", "int32")
    _spend(2.0 * a.shape[0] ** 3 / _rate("int8"))


def _scaled_mm(a, b, scale_a, scale_b, out_dtype, use_fast_accum):
    assert (a.dtype, b.dtype, out_dtype) == ("float8_e4m3fn", "float8_e4m3fn", "bfloat16")
    _at("_scaled_mm")
    if tuple(CASE.get("capability", (9, 0))) < (8, 9):
        raise RuntimeError("torch._scaled_mm is only supported on devices with compute capability >= 8.9")
    _spend(2.0 * a.shape[0] ** 3 / _rate("fp8"))


def add(b, c, alpha, out):
    _spend(3 * b.bytes / MEMORY)
    return out


def set_num_threads(count):
    global _threads
    _threads = count


def get_num_threads():
    return _threads


def set_float32_matmul_precision(name):
    global _precision
    _precision = name


inference_mode = no_grad = contextlib.nullcontext


@contextlib.contextmanager
def autocast(kind, dtype):
    assert kind == "cuda"
    _casts.append(dtype)
    yield
    _casts.pop()


@functools.cache
def _legendre(x, n):
    before, now = 1.0, x
    for k in range(1, n):
        before, now = now, ((2 * k + 1) * x * now - k * before) / (k + 1)
    return now


def _chain(x, n):
    _at("chain")
    _spend(n.value * CHAIN_STEP_S)
    return Tensor((1,), device=x.device, value=_legendre(x.value, int(n.value)))


special = SimpleNamespace(legendre_polynomial_p=_chain)


def _layer_flops(flops):
    _spend(flops / _rate(_casts[-1] if _casts else "float32"), forward=True)


def _sdpa(q, k, v, is_causal):
    assert is_causal and q.shape == k.shape == v.shape
    _at("sdpa")
    batch, heads, seq, dim = q.shape
    out = q.like()
    out.flops = 0.5 * 2 * 2.0 * batch * heads * seq * seq * dim
    _spend(out.flops / _rate(_casts[-1] if _casts else q.dtype), forward=bool(_casts))
    return out


def _grad(out, _inputs, _grad_out, retain_graph):
    assert retain_graph
    _spend(2 * out.flops / _rate(out.dtype))


autograd = SimpleNamespace(grad=_grad)


class _Module:
    def __init__(self, *weights):
        self.weights = list(weights)
        self.inner = []

    def parameters(self):
        yield from self.weights
        for part in self.inner:
            yield from part.parameters()

    def to(self, device):
        for weight in self.parameters():
            weight.device = _place(device)
        return self

    def train(self):
        return self

    def __iter__(self):
        return iter(self.inner)


class _Linear(_Module):
    def __init__(self, wide, tall, bias=True):
        super().__init__(Tensor((tall, wide)))
        self.wide, self.tall = wide, tall

    def __call__(self, x):
        assert x.shape[-1] == self.wide
        _layer_flops(2.0 * math.prod(x.shape[:-1]) * self.wide * self.tall)
        return x.like((*x.shape[:-1], self.tall))


class _Conv2d(_Module):
    def __init__(self, wide, out, kernel, stride, padding, bias):
        super().__init__(Tensor((out, wide, kernel, kernel)))
        self.sizes = wide, out, kernel, stride

    def __call__(self, x):
        wide, out, kernel, stride = self.sizes
        batch, channels, *side = x.shape
        assert channels == wide
        side = [(n + stride - 1) // stride for n in side]
        _layer_flops(2.0 * batch * math.prod(side) * wide * out * kernel * kernel)
        return x.like((batch, out, *side))


class _Embedding(_Module):
    def __init__(self, vocab, width):
        super().__init__(Tensor((vocab, width)))
        self.width = width

    def __call__(self, tokens):
        return Tensor((*tokens.shape, self.width), device=tokens.device)


class _Norm(_Module):
    def __init__(self, width):
        super().__init__(Tensor((width,)))

    def __call__(self, x):
        return x


class _Sequential(_Module):
    def __init__(self, *parts):
        super().__init__()
        self.inner = list(parts)

    def __call__(self, x):
        for part in self.inner:
            x = part(x)
        return x


class _ModuleList(_Module):
    def __init__(self, parts):
        super().__init__()
        self.inner = list(parts)


class _ModuleDict(_Module):
    def __init__(self, parts):
        super().__init__()
        self.named, self.inner = parts, list(parts.values())

    def __getitem__(self, name):
        return self.named[name]

    def __contains__(self, name):
        return name in self.named


def _conv2d(picture, kernels, padding):
    batch, _channels, high, wide = picture.shape
    _layer_flops(2.0 * batch * high * wide * math.prod(kernels.shape))


def _cross_entropy(scores, labels):
    assert scores.shape[:-1] == labels.shape
    return Tensor(())


def _pool(x, _kernel, stride, padding):
    batch, channels, *side = x.shape
    return x.like((batch, channels, *((n + stride - 1) // stride for n in side)))


functional = SimpleNamespace(
    scaled_dot_product_attention=_sdpa,
    conv2d=_conv2d,
    cross_entropy=_cross_entropy,
    max_pool2d=_pool,
    relu=lambda x: x,
    gelu=lambda x: x,
)
nn = SimpleNamespace(
    functional=functional,
    Linear=_Linear,
    Conv2d=_Conv2d,
    Embedding=_Embedding,
    LayerNorm=_Norm,
    BatchNorm2d=_Norm,
    Sequential=_Sequential,
    ModuleList=_ModuleList,
    ModuleDict=_ModuleDict,
)


class _AdamW:
    """Seven passes over each weight, as many again where it is not fused."""

    def __init__(self, parameters, lr, fused=False):
        self.bytes, self.passes = sum(p.bytes for p in parameters), 7 if fused else 14

    def zero_grad(self, set_to_none):
        assert set_to_none

    def step(self):
        _spend(self.passes * self.bytes / MEMORY)


class _Scaler:
    used = False

    def __init__(self, kind, init_scale):
        assert kind == "cuda"

    def scale(self, loss):
        return loss

    def step(self, optimizer):
        optimizer.step()

    def update(self):
        _Scaler.used = True


optim = SimpleNamespace(AdamW=_AdamW)
amp = SimpleNamespace(GradScaler=_Scaler)


class _Event:
    def __init__(self, enable_timing):
        assert enable_timing
        self.at = 0.0

    def record(self):
        self.at = _now_s

    def elapsed_time(self, other):
        return (other.at - self.at) * 1e3


def _properties(index):
    return SimpleNamespace(
        name="Fake H100", uuid=f"fake-{index}", total_memory=80 << 30, gcnArchName=CASE.get("gcn", "")
    )


cuda = SimpleNamespace(
    is_available=lambda: _at("is_available") or CASE.get("devices", 1) > 0,
    device_count=lambda: CASE.get("devices", 1),
    synchronize=lambda: _at("synchronize"),
    set_device=_place,
    empty_cache=lambda: None,
    get_device_capability=lambda _index: tuple(CASE.get("capability", (9, 0))),
    get_device_properties=_properties,
    mem_get_info=lambda _index: (CASE.get("free", 79 << 30), 80 << 30),
    Event=_Event,
)
_nothing = SimpleNamespace(is_available=lambda: False, device_count=lambda: 0)
xpu = _nothing
backends = SimpleNamespace(cudnn=SimpleNamespace(allow_tf32=True), mps=_nothing)
