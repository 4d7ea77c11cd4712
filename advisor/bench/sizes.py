"""What an operator of a trace is called and how large it is, in the words of shapes.py."""

from __future__ import annotations

from typing import Any

Sizes = tuple[float, ...]
_ALIKE = {
    "_softmax": ("_safe_softmax",),
    "mm": ("addmm",),
    "bmm": ("baddbmm",),
    "add": ("sub", "rsub"),
    "add_": ("sub_",),
    "mul_": ("div_",),
    "index": ("_unsafe_index", "index_select", "gather"),
    "native_batch_norm": ("_native_batch_norm_legit", "_native_batch_norm_legit_functional"),
    "fill_": ("zeros_like", "zeros", "ones_like", "new_zeros", "zero_", "full_like", "full"),
    "where": ("masked_fill", "masked_fill_"),
    "cat": ("stack",),
    "bernoulli_": ("native_dropout",),
    "tanh_backward": ("sigmoid_backward",),
    "index_add_": ("_index_put_impl_", "index_put", "index_put_", "scatter_add", "scatter_add_"),
    "clone": ("repeat",),
    "exp": ("cos", "sin", "log", "erf"),
    "relu": ("relu_", "leaky_relu"),
    "hardtanh": ("hardtanh_", "hardsigmoid"),
    "silu": ("silu_", "hardswish"),
    "mul": ("mse_loss", "mse_loss_backward"),
    "sqrt": ("sqrt_",),
    "native_layer_norm": ("_fused_rms_norm",),
    "native_layer_norm_backward": ("_fused_rms_norm_backward",),
    "silu_backward": ("hardswish_backward",),
    "rsqrt": ("rsqrt_",),
    "hardtanh_backward": ("hardsigmoid_backward",),
    "max_pool2d_with_indices": ("avg_pool2d",),
    "upsample_nearest2d": ("upsample_bilinear2d",),
    "upsample_nearest2d_backward": ("upsample_bilinear2d_backward",),
    "max_pool2d_with_indices_backward": ("avg_pool2d_backward",),
    "constant_pad_nd": ("slice_backward",),
}
"""Operators that are timed, each with others that do the same work."""
_LIKE = {other: timed for timed, others in _ALIKE.items() for other in others}


def sizes_of(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Any], outputs: list[Any]
) -> tuple[str, Sizes, str]:
    """(operator, sizes, format) of a call; the format is that of its largest operand."""
    short = _LIKE.get(name, name)
    if short in ("mm", "bmm", "linear"):
        return _product(name, args)
    if name == "_grouped_mm" and len(args) > 1 and outputs:
        return _grouped(args, outputs[0])
    if name in ("convolution", "convolution_backward"):
        return _convolution(name, args, outputs)
    if "attention" in name or "dot_product" in name:
        return _attention(name, args, kwargs)
    if name.startswith("mkldnn_rnn_layer") and tensors:
        x, recurrent = args[0], args[2]
        back = ".back" if "backward" in name else ""
        sizes = (x.shape[0], x.shape[1], x.shape[2], recurrent.shape[-1])
        return f"recurrent{back}", tuple(map(float, sizes)), _format(x)
    return _moved(short, args, tensors, outputs)


def _format(tensor: Any) -> str:
    return str(tensor.dtype)[6:]


def _product(name: str, args: tuple[Any, ...]) -> tuple[str, Sizes, str]:
    a, b = (args[1], args[2]) if name in ("addmm", "baddbmm") else (args[0], args[1])
    count = a.shape[0] if a.dim() == 3 else 1
    if name == "linear":
        rows = a.numel() // a.shape[-1]
        return "product.nt", (1.0, float(rows), float(b.shape[0]), float(b.shape[1])), _format(a)
    layout = f"{_turned(a)}{_turned(b)}"
    kind = "products" if a.dim() == 3 else "product"
    layout = "nt" if layout == "tt" else layout
    sizes = (count, a.shape[-2], b.shape[-1], a.shape[-1])
    return f"{kind}.{layout}", tuple(map(float, sizes)), _format(a)


def _grouped(args: tuple[Any, ...], out: Any) -> tuple[str, Sizes, str]:
    """Rows sorted by group, each with the matrix of its group; on the way back each group's own sum."""
    a, b = args[:2]
    if out.dim() == 3:
        groups, rows, columns = out.shape
        sizes = (groups, rows, columns, a.shape[-1] / max(groups, 1))
        return "grouped.tn", tuple(map(float, sizes)), _format(a)
    groups = b.shape[0]
    sizes = (groups, a.shape[0] / max(groups, 1), out.shape[-1], a.shape[-1])
    return f"grouped.n{_turned(b)}", tuple(map(float, sizes)), _format(a)


def _turned(matrix: Any) -> str:
    return "t" if matrix.stride(-1) != 1 and matrix.stride(-2) == 1 else "n"


def _convolution(name: str, args: tuple[Any, ...], outputs: list[Any]) -> tuple[str, Sizes, str]:
    back = name.endswith("backward")
    after, x, w = args[:3] if back else (outputs[0], args[0], args[1])
    groups = args[9] if back else args[8]
    samples, wide, out = x.shape[0], x.shape[1], after.shape[1]
    points = w[0, 0].numel()
    asked = float(sum(map(bool, args[10][:2]))) if back else 0.0
    kind = "depthwise" if groups == wide and groups > 1 else "convolution"
    pixels, before = after.numel() // out, x.numel() // wide
    sizes = (samples, wide, out, points, groups, pixels, before, asked)
    return f"{kind}{'.back' if back else ''}", tuple(map(float, sizes)), _format(x)


def _attention(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, Sizes, str]:
    back = name.endswith("backward")
    query, key = args[1:3] if back else args[:2]
    causal = args[7] if back else kwargs.get("is_causal", args[4] if len(args) > 4 else False)
    heads = query.shape[0] * query.shape[1]
    sizes = (heads, query.shape[2], key.shape[2], query.shape[3], float(bool(causal)))
    return f"attention{'.back' if back else ''}", tuple(map(float, sizes)), _format(query)


def _moved(
    name: str, args: tuple[Any, ...], tensors: list[Any], outputs: list[Any]
) -> tuple[str, Sizes, str]:
    every = [*tensors, *outputs]
    if not every:
        return name, (0.0, 0.0), ""
    largest = max(every, key=lambda tensor: tensor.numel())
    word = _format(largest)
    if name == "_to_copy":
        source = tensors[0] if tensors else largest
        word = _format(source)
        same = _format(outputs[0]) == word
        name = "clone" if same else "cast.narrow" if word == "float32" else "cast.wide"
    if name in ("clone", "copy_") and tensors:
        source = tensors[-1]
        swapped = outputs and not _alike(source, outputs[0])
        name = "clone.swapped" if swapped else "clone"
    if name == "sum" and len(args) > 1 and tensors:
        asked = args[1] if isinstance(args[1], (list, tuple)) else [args[1]]
        last = tensors[0].dim() - 1
        name = "sum" if any(at in (last, -1) for at in asked) else "sum.rows"
    moved = sum(min(t.numel() * t.element_size(), max(t.untyped_storage().nbytes(), 1)) for t in every)
    if name == "embedding_dense_backward" and outputs:
        return name, (float(tensors[0].numel()), float(outputs[0].numel())), word
    if name == "embedding":
        largest = outputs[0]
    return name, (float(largest.numel()), float(moved)), word


def _alike(one: Any, other: Any) -> bool:
    """Whether both lie in memory in the same order (dimensions of one member have none)."""
    return [s for s, n in zip(one.stride(), one.shape) if n > 1] == [
        s for s, n in zip(other.stride(), other.shape) if n > 1
    ]
