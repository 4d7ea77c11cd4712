"""What one operator is and costs: its kind, FLOPs, bytes moved, and the shape of a matrix product."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from torch.utils.flop_counter import flop_registry

_NOTHING_DONE = (
    "empty", "detach", "lift_fresh", "_unsafe_view", "alias", "resize", "set_", "new_empty",
    "_reshape_alias", "is_same_size", "_local_scalar_dense", "_record_function", "_has_", "_assert", "sym_",
)  # fmt: skip
_MATRIX = frozenset(("mm", "addmm", "bmm", "baddbmm", "linear", "_scaled_mm", "_grouped_mm", "mkldnn_linear"))
_NORMS = ("layer_norm", "batch_norm", "group_norm", "rms_norm", "instance_norm")
_COPIES = frozenset(
    ("_to_copy", "copy_", "clone", "cat", "stack", "repeat", "index_select", "constant_pad_nd", "roll")
)
FUSED = frozenset(
    (
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_flash_attention_for_cpu_backward",
    )
)
WITH_FLOPS = ("matrix", "attention", "convolution", "depthwise", "grouped", "recurrent")
_COMPLEX = 4  # products of real numbers in one of complex ones
Shape = tuple[int, int, int]  # rows, columns, depth of a matrix product; zeros where there is none
_NO_SHAPE = (0, 0, 0)


class Operator:
    """An operator of torch as the table names it. `skip`: a view, or nothing that is computed."""

    __slots__ = ("count", "kind", "name", "skip")

    def __init__(self, func: Any) -> None:
        self.name = func._schema.name.partition("::")[2]
        views = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        primitive = func._schema.name.startswith("prim")  # asks for a device or a layout
        self.skip = views or primitive or self.name.startswith(_NOTHING_DONE)
        self.count = flop_registry.get(func._overloadpacket)
        self.kind = self._kind()

    def _kind(self) -> str:
        name = self.name
        if name in _MATRIX:
            return "matrix"
        if "dot_product" in name or "_flash_attention" in name or "_efficient_attention" in name:
            return "attention"
        if "convolution" in name:
            return "convolution"
        if name.startswith("mkldnn_rnn_layer"):
            return "recurrent"
        if any(part in name for part in _NORMS):
            return "norm"
        if "embedding" in name:
            return "embedding"
        if "softmax" in name or "nll_loss" in name or "cross_entropy" in name:
            return "softmax"
        return "copy" if name in _COPIES else "elementwise"


_known: dict[Any, Operator] = {}


def operator(func: Any) -> Operator:
    """The operator of an overload, looked at once."""
    found = _known.get(func)
    if found is None:
        found = _known[func] = Operator(func)
    return found


def cost(op: Operator, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> tuple[str, float, Shape]:
    """(kind, FLOPs, shape): a convolution's kind hangs on its groups."""
    if op.name in FUSED:
        return "attention", _attention(op.name, args, kwargs, out), _NO_SHAPE
    if op.name == "_grouped_mm":
        (rows, depth), columns = args[0].shape[-2:], out.shape[-1]
        return "matrix", 2.0 * rows * depth * columns, (rows, columns, depth)
    if op.kind == "recurrent":
        return "recurrent", _recurrent(op.name, args), _NO_SHAPE
    if op.kind == "convolution":
        return (*_convolution(op.name, args, out), _NO_SHAPE)
    if op.count is None:
        return op.kind, 0.0, _NO_SHAPE
    flops = float(op.count(*args, **kwargs, out_val=out)) * (_COMPLEX if out.is_complex() else 1)
    if op.kind == "matrix":
        return "matrix", flops, _product(op.name, args)
    return op.kind, flops, _NO_SHAPE


def _product(name: str, args: tuple[Any, ...]) -> Shape:
    left, right = (args[1], args[2]) if name in ("addmm", "baddbmm") else (args[0], args[1])
    return left.shape[-2], right.shape[-1], left.shape[-1]


def _convolution(name: str, args: tuple[Any, ...], out: Any) -> tuple[str, float]:
    """Every weight meets every pixel of the output (of the input, where transposed), forward and for each
    gradient. torch's own count leaves out the groups on the way back.
    """
    backward = "backward" in name
    gradient, given, weight = args[:3] if backward else (out, args[0], args[1])
    if len(args) < (11 if backward else 9):  # a library's own variant of the operator
        return "convolution", 2.0 * gradient.numel() * weight[0].numel()
    transposed, groups = (args[7], args[9]) if backward else (args[6], args[8])
    pixels = (given if transposed else gradient).numel() / weight.shape[0]
    once = 2.0 * pixels * weight.numel()
    kind = "convolution" if groups == 1 else "depthwise" if weight.shape[1] == 1 else "grouped"
    return kind, once * (sum(map(bool, args[10][:2])) if backward else 1)


_share = 1.0  # of all pairs, that the attention which runs now goes through
_shares: dict[
    int, float
] = {}  # of those that ran: by the storage of their result, which the way back is given


@contextlib.contextmanager
def leaving(share: float) -> Iterator[None]:
    """While this holds, attention goes through this part of all pairs of query and key."""
    global _share  # noqa: PLW0603
    before, _share = _share, share
    try:
        yield
    finally:
        _share = before


def _attention(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> float:
    """Two products of every pair of query and key; five in the backward pass. A causal mask halves it."""
    backward = name.endswith("backward")
    query, key, value = args[1:4] if backward else args[:3]
    causal = args[7] if backward else kwargs.get("is_causal", args[4] if len(args) > 4 else False)
    place = (args[4] if backward else out[0]).untyped_storage()._cdata
    if backward:
        share = _shares.get(place, 1.0)
    else:
        share = _shares[place] = _share  # written for each, as places are taken again
    share *= 0.5 if causal else 1.0
    pairs = query.shape[0] * query.shape[1] * query.shape[2] * key.shape[2] * share
    return float(2.0 * pairs * (query.shape[3] + value.shape[3]) * (2.5 if backward else 1.0))


def _recurrent(name: str, args: tuple[Any, ...]) -> float:
    """Every weight matrix meets every step of every sequence once; twice on the way back."""
    given = args[0]
    weights = args[1].numel() + args[2].numel()
    return float(2.0 * weights * given.shape[0] * given.shape[1] * (2 if "backward" in name else 1))


def moved(tensors: list[Any], outputs: list[Any]) -> int:
    """Bytes read and written; of an expanded tensor only what is there."""
    total = 0
    for tensor in (*tensors, *outputs):
        size = tensor.numel() * tensor.element_size()
        held = tensor.untyped_storage().nbytes()
        total += min(size, held) if held else size
    return total
