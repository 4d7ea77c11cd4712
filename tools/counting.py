"""What one forward pass of a module does, counted on the meta device: work, operators, numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

BATCH = 2  # normalisation over a batch needs two; every count is halved

_NOTHING_DONE = ("empty", "detach", "lift_fresh", "_unsafe_view", "alias", "resize", "set_", "arange")
_MATRIX = ("mm", "addmm", "bmm", "baddbmm", "linear", "_scaled_mm")


@dataclass
class Work:
    """Totals of one forward pass of one sample; `by_kind`: FLOPs by kind of operator."""

    written: float = 0.0
    operators: int = 0
    outputs: float = 0.0  # of convolutions and matrix products alone
    by_kind: dict[str, float] = field(default_factory=dict)

    def add(self, kind: str, flops: float, numbers: float) -> None:
        self.by_kind[kind] = self.by_kind.get(kind, 0.0) + flops
        self.outputs += numbers

    @property
    def flops(self) -> float:
        return sum(self.by_kind.values())

    def share(self, kind: str) -> float:
        return self.by_kind.get(kind, 0.0) / self.flops


class Counter(TorchDispatchMode):  # type: ignore[misc]
    """Counts every operator that writes numbers; views and single numbers (step counters) do not count."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        viewed = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        if viewed or name.startswith(_NOTHING_DONE):
            return out
        numbers = sum(
            item.numel()
            for item in (out if isinstance(out, (tuple, list)) else (out,))
            if isinstance(item, torch.Tensor)
        )
        if numbers <= 1:
            return out
        self.work.operators += 1
        self.work.written += numbers
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            kind = _kind(name, args)
            self.work.add(kind, float(count(*args, **(kwargs or {}), out_val=out)), numbers)
        return out


def _kind(name: str, args: tuple[Any, ...]) -> str:
    if "convolution" not in name:
        return "matrix" if name in _MATRIX else name
    groups, weight = args[8], args[1]
    if groups == 1:
        return "convolution"
    return "depthwise" if weight.shape[1] == 1 else "grouped"


_counters: list[Counter] = []


class _Fused(torch.autograd.Function):  # type: ignore[misc]
    """Fused attention: keeps its inputs and output, writes no scores."""

    @staticmethod
    def forward(ctx: Any, query: Any, key: Any, value: Any) -> Any:
        out = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grad: Any) -> Any:
        raise NotImplementedError("only what is kept is counted")


def _fused(query: Any, key: Any, value: Any, *_: Any, is_causal: bool = False, **__: Any) -> Any:
    out = _Fused.apply(query, key, value)
    for counter in _counters:
        scores = query[..., 0].numel() * key.shape[-2] * (0.5 if is_causal else 1.0)
        counter.work.add("attention", 2 * scores * (query.shape[-1] + value.shape[-1]), out.numel())
        counter.work.operators += 1
        counter.work.written += out.numel()
    return out


def _lstm(self: Any, x: Any) -> Any:
    """Fused LSTM layers of [time, batch, width]: one operator a time step, layer and direction."""
    steps, batch, _ = x.shape
    ways = 2 if self.bidirectional else 1
    matrices = sum(weight.numel() for weight in self.parameters() if weight.dim() == 2)
    gates = 4 * self.hidden_size * ways * self.num_layers * steps * batch
    for counter in _counters:
        counter.work.add("recurrent", 2.0 * matrices * steps * batch, gates)
        counter.work.operators += steps * self.num_layers * ways
        counter.work.written += gates + gates // 2  # the four gates, the state and the output
    kept = x.new_empty(gates + gates // 2)
    out = x.new_empty(steps, batch, self.hidden_size * ways)
    return _Keep.apply(out, x, kept), None


class _Keep(torch.autograd.Function):  # type: ignore[misc]
    """Passes its first tensor on and keeps it with the others."""

    @staticmethod
    def forward(ctx: Any, out: Any, x: Any, kept: Any) -> Any:
        ctx.save_for_backward(out, x, kept)
        return out.view_as(out)

    @staticmethod
    def backward(ctx: Any, *grad: Any) -> Any:
        raise NotImplementedError("only what is kept is counted")


@contextlib.contextmanager
def fused_attention() -> Iterator[None]:
    """The meta device would take the unfused paths of attention and LSTM; training takes the fused ones."""
    real, real_lstm = functional.scaled_dot_product_attention, torch.nn.LSTM.forward
    setattr(functional, "scaled_dot_product_attention", _fused)  # noqa: B010 - read-only to the type checker
    setattr(torch.nn.LSTM, "forward", _lstm)  # noqa: B010
    try:
        yield
    finally:
        setattr(functional, "scaled_dot_product_attention", real)  # noqa: B010
        setattr(torch.nn.LSTM, "forward", real_lstm)  # noqa: B010


def work_of(run: Callable[[], Any], batch: int = BATCH) -> Work:
    """What `run` (a forward pass of `batch` samples) does, for one sample."""
    counter = Counter()
    _counters.append(counter)
    try:
        with torch.no_grad(), fused_attention(), counter:
            run()
    finally:
        _counters.remove(counter)
    work = counter.work
    return Work(
        work.written / batch,
        work.operators,
        work.outputs / batch,
        {kind: flops / batch for kind, flops in work.by_kind.items()},
    )


def kept_of(run: Callable[[], Any], module: Any, batch: int = BATCH) -> float:
    """fp32 numbers kept for the backward pass of one sample, each storage once, without weights."""
    weights = {weight.untyped_storage()._cdata for weight in (*module.parameters(), *module.buffers())}
    seen: dict[int, Any] = {}

    def pack(tensor: Any) -> Any:
        store = tensor.untyped_storage()
        if store._cdata not in weights:
            seen[store._cdata] = store
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), fused_attention():
        run()
    return float(sum(store.nbytes() for store in seen.values())) / 4 / batch


def numbers_of(module: Any, run: Callable[[], Any], batch: int = BATCH) -> dict[str, float]:
    """The columns stated_* of rules/columns.toml for a module and a forward pass of `batch` samples."""
    module.train()
    work = work_of(run, batch)
    numbers: dict[str, float] = {
        "stated_params": sum(weight.numel() for weight in module.parameters()),
        "stated_kept": round(kept_of(run, module, batch)),
        "stated_forward_flops": round(work.flops),
        "stated_activations": round(work.outputs),
        "stated_written": round(work.written),
        "stated_operators": work.operators,
    }
    for kind in ("depthwise", "grouped", "recurrent"):
        if work.share(kind) > 0.0005:
            numbers[f"share_{kind}"] = round(work.share(kind), 4)
    matrix = 1 - sum(work.share(kind) for kind in ("convolution", "depthwise", "grouped", "recurrent"))
    if matrix > 0.0005:
        numbers["share_matrix"] = round(matrix, 4)
    return numbers
