"""The batch a network is traced with: shapes as told or as an example has them, at any number of samples."""

from __future__ import annotations

import re
from typing import Any

import torch

from .failure import Failure

_SHAPE = re.compile(r"^(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>[0-9bB]+(?:x[0-9bB]+)*)(?::(?P<dtype>\w+))?$")
_DTYPES = {
    "float": torch.float32, "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16,
    "int": torch.int64, "int64": torch.int64, "int32": torch.int32, "long": torch.int64, "bool": torch.bool,
}  # fmt: skip
_WORDS_LIKE = ("ids", "labels", "tokens", "target")  # inputs of these names count something


class Input:
    """One tensor of the batch. `sizes`: None where the number of samples stands."""

    def __init__(self, sizes: list[int | None], dtype: Any) -> None:
        self.sizes, self.dtype = sizes, dtype

    def made(self, samples: int, floats: Any = None) -> Any:
        """So many samples of made-up numbers (nobody looks at them under fake tensors)."""
        shape = [samples if size is None else size for size in self.sizes]
        if self.dtype.is_floating_point:
            return torch.randn(shape, dtype=floats or self.dtype)
        return torch.randint(0, 2, shape).to(self.dtype)

    def told(self) -> str:
        """As --input writes it."""
        return "x".join("B" if s is None else str(s) for s in self.sizes) + ":" + str(self.dtype)[6:]


class Batch:
    """Arguments of the network, by place and by name."""

    def __init__(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs

    def made(self, samples: int, floats: Any = None) -> tuple[list[Any], dict[str, Any]]:
        """The arguments for so many samples; `floats`: the format of those that are no whole numbers."""
        return _made(self.args, samples, floats), _made(self.kwargs, samples, floats)

    def told(self) -> list[str]:
        """One text for each tensor."""
        named = [*(("", a) for a in self.args), *self.kwargs.items()]
        return [f"{k}={v.told()}" if k else v.told() for key, one in named for k, v in _named(key, one)]


def _named(name: str, value: Any) -> list[tuple[str, Input]]:
    """The tensors within an argument, each with the last name on the way to it."""
    if isinstance(value, Input):
        return [(name, value)]
    if isinstance(value, dict):
        return [found for key, one in value.items() for found in _named(str(key), one)]
    if isinstance(value, (list, tuple)):
        return [found for one in value for found in _named(name, one)]
    return []


def _made(value: Any, samples: int, floats: Any) -> Any:
    if isinstance(value, Input):
        return value.made(samples, floats)
    if isinstance(value, (list, tuple)):
        return type(value)(_made(item, samples, floats) for item in value)
    if isinstance(value, dict):
        return {key: _made(item, samples, floats) for key, item in value.items()}
    return value


def of_flags(texts: list[str]) -> Batch:
    """What --input says: [NAME=]SHAPE[:DTYPE]; the first number is the batch unless a B stands for it."""
    parts = []
    for text in texts:
        found = _SHAPE.match(text.strip())
        if found is None:
            raise Failure(
                "input", f"--input {text!r} is no shape", "Write it as 8x3x224x224, or ids=8x512:int64."
            )
        sizes = found["shape"].lower().split("x")
        name, dtype = found["name"] or "", found["dtype"]
        if dtype is not None and dtype not in _DTYPES:
            raise Failure(
                "input", f"--input {text!r}: unknown dtype {dtype}", f"Known: {', '.join(_DTYPES)}."
            )
        whole = any(part in name.lower() for part in _WORDS_LIKE)
        parts.append((name, sizes, _DTYPES[dtype] if dtype else torch.int64 if whole else torch.float32))
    marked = any("b" in sizes for _, sizes, _ in parts)
    batch = Batch([], {})
    for name, sizes, dtype in parts:
        numbers = [
            None if size == "b" or (not marked and at == 0) else int(size) for at, size in enumerate(sizes)
        ]
        made = Input(numbers, dtype)
        if name:
            batch.kwargs[name] = made
        else:
            batch.args.append(made)
    return batch


def of_example(example: Any) -> Batch:
    """The pattern of an example batch: a tensor, a tuple of arguments or a dict of named ones.

    The first dimension of the first tensor is the batch, and so is every first dimension of that size.
    """
    tensors: list[Any] = []
    _collect(example, tensors)
    sized = [t for t in tensors if t.dim()]
    if not sized:
        raise Failure(
            "input",
            f"the example batch ({type(example).__name__}) holds no tensor with a first dimension",
            "Return (module, batch) with torch tensors, or give --input.",
        )
    samples = sized[0].shape[0]

    def pattern(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            sizes = [None if at == 0 and n == samples else int(n) for at, n in enumerate(value.shape)]
            return Input(sizes, value.dtype)
        if isinstance(value, (list, tuple)):
            return type(value)(pattern(item) for item in value)
        if isinstance(value, dict):
            return {key: pattern(item) for key, item in value.items()}
        return value

    if isinstance(example, torch.Tensor):
        return Batch([pattern(example)], {})
    if isinstance(example, dict) or hasattr(example, "keys"):
        return Batch([], {str(key): pattern(example[key]) for key in example.keys()})  # noqa: SIM118 - BatchEncoding
    return Batch([pattern(item) for item in example], {})


def _collect(value: Any, into: list[Any]) -> None:
    if isinstance(value, torch.Tensor):
        into.append(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _collect(item, into)
    elif isinstance(value, dict) or hasattr(value, "keys"):
        for key in value.keys():  # noqa: SIM118
            _collect(value[key], into)
