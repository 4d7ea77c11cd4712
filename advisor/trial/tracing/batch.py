"""The batch a network is traced with: shapes as told or as an example has them, at any number of samples."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

from .failure import Failure

_SIZE = r"(?:[0-9]+|[0-9]*[bB])"
_SHAPE = re.compile(rf"^(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>{_SIZE}(?:x{_SIZE})*)(?::(?P<dtype>\w+))?$")
_DTYPES = {
    "float": torch.float32, "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16,
    "int": torch.int64, "int64": torch.int64, "int32": torch.int32, "long": torch.int64, "bool": torch.bool,
}  # fmt: skip
_WORDS_LIKE = ("ids", "labels", "tokens", "target")  # inputs of these names count something


class Input:
    """One tensor of the batch. `sizes`: None where the number of samples stands, times `each` (rows of one
    sample, where samples are packed). `values`: the example's own, which a real run looks at.
    """

    def __init__(self, sizes: list[int | None], dtype: Any, values: Any = None, each: int = 1) -> None:
        self.sizes, self.dtype, self.values, self.each = sizes, dtype, values, each

    def made(self, samples: int, floats: Any = None) -> Any:
        """So many samples: of the example, from its first on and again from its first where it has fewer;
        made-up numbers where there is none (nobody looks at them under fake tensors).
        """
        shape = [samples * self.each if size is None else size for size in self.sizes]
        dtype = floats if floats is not None and self.dtype.is_floating_point else self.dtype
        if self.values is not None and real():
            rows = self.values.shape[0] if shape else 0
            some = None in self.sizes and shape[0] != rows
            values = self.values[torch.arange(shape[0]) % rows] if some else self.values
            return values.to(dtype, copy=True)  # the network may write into it
        if dtype.is_floating_point:
            return torch.randn(shape, dtype=dtype)
        return torch.randint(0, 2, shape).to(dtype)

    def packed(self, samples: int) -> Input:
        """The same with its first dimension as the rows of so many samples, if it can be parted so."""
        rows = self.sizes[0] if self.sizes else None
        if rows is None or rows <= samples or rows % samples:
            return self
        return Input([None, *self.sizes[1:]], self.dtype, self.values, rows // samples)

    def told(self) -> str:
        """As --input writes it."""
        many = "B" if self.each == 1 else f"{self.each}B"
        return "x".join(many if s is None else str(s) for s in self.sizes) + ":" + str(self.dtype)[6:]


class Each(list[Any]):
    """What stands once for each sample, as the boxes of a picture: as many as there are samples."""


def real() -> bool:
    """Whether tensors made now hold numbers."""
    fresh = torch.empty(0)
    return type(fresh) is torch.Tensor and fresh.device.type == "cpu"


class Batch:
    """Arguments of the network, by place and by name. `samples`: of the example, or as --input says."""

    def __init__(self, args: list[Any], kwargs: dict[str, Any], samples: int | None = None) -> None:
        self.args, self.kwargs, self.samples = args, kwargs, samples

    def made(self, samples: int, floats: Any = None) -> tuple[list[Any], dict[str, Any]]:
        """The arguments for so many samples; `floats`: the format of those that are no whole numbers."""
        return _made(self.args, samples, floats), _made(self.kwargs, samples, floats)

    def told(self) -> list[str]:
        """One text for each tensor."""
        named = [*(("", a) for a in self.args), *self.kwargs.items()]
        return [f"{k}={v.told()}" if k else v.told() for key, one in named for k, v in _named(key, one)]

    def inputs(self) -> list[Input]:
        """Its tensors."""
        return [found for _, found in _named("", [self.args, self.kwargs])]

    def known(self) -> bool:
        """Whether its numbers are the example's own."""
        return all(found.values is not None for found in self.inputs())

    def packed(self) -> Batch | None:
        """The same where tensors that hold several rows of each sample grow with the samples too; None where
        there are none.
        """
        if self.samples is None:
            return None
        args, kwargs = _packed(self.args, self.samples), _packed(self.kwargs, self.samples)
        found = Batch(args, kwargs, self.samples)
        return None if found.told() == self.told() else found


def _named(name: str, value: Any) -> list[tuple[str, Input]]:
    """The tensors within an argument, each with the last name on the way to it."""
    if isinstance(value, Input):
        return [(name, value)]
    if isinstance(value, dict):
        return [found for key, one in value.items() for found in _named(str(key), one)]
    if isinstance(value, Each):
        return _named(name, value[0])
    if isinstance(value, (list, tuple)):
        return [found for one in value for found in _named(name, one)]
    return []


def _packed(value: Any, samples: int) -> Any:
    if isinstance(value, Input):
        return value.packed(samples)
    if isinstance(value, (list, tuple)) and not isinstance(value, Each):
        return _like(value, [_packed(item, samples) for item in value])
    if isinstance(value, dict):
        return {key: _packed(item, samples) for key, item in value.items()}
    return value


def _like(value: Any, items: list[Any]) -> Any:
    """A sequence of the type of `value`; a named tuple takes its fields one by one."""
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


def _made(value: Any, samples: int, floats: Any) -> Any:
    if isinstance(value, Input):
        return value.made(samples, floats)
    if isinstance(value, Each):
        return [_made(value[at % len(value)], samples, floats) for at in range(samples)]
    if isinstance(value, (list, tuple)):
        return _like(value, [_made(item, samples, floats) for item in value])
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
        if any(not int(size.removesuffix("b") or 1) for size in sizes):
            raise Failure(
                "input", f"--input {text!r} has a size of zero", "Give what one training step is given."
            )
        name, dtype = found["name"] or "", found["dtype"]
        if dtype is not None and dtype not in _DTYPES:
            raise Failure(
                "input", f"--input {text!r}: unknown dtype {dtype}", f"Known: {', '.join(_DTYPES)}."
            )
        whole = any(part in name.lower() for part in _WORDS_LIKE)
        parts.append((name, sizes, _DTYPES[dtype] if dtype else torch.int64 if whole else torch.float32))
    marked = any("b" in size for _, sizes, _ in parts for size in sizes)
    batch = Batch([], {}, None if marked else int(parts[0][1][0]))
    for name, sizes, dtype in parts:
        made = _of_sizes(sizes, dtype, marked)
        if name:
            batch.kwargs[name] = made
        else:
            batch.args.append(made)
    return batch


def _of_sizes(sizes: list[str], dtype: Any, marked: bool) -> Input:
    """`marked`: whether a B says where the batch stands; else it is the first size."""
    many = [at for at, size in enumerate(sizes) if (size.endswith("b") if marked else at == 0)]
    each = int(sizes[many[0]].removesuffix("b") or 1) if marked and many else 1
    return Input([None if at in many else int(size) for at, size in enumerate(sizes)], dtype, each=each)


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
    samples = int(sized[0].shape[0])
    if not samples:
        raise Failure("input", "the example batch holds no sample", "Return (module, batch) with some.")
    if isinstance(example, torch.Tensor):
        return Batch([_pattern(example, samples)], {}, samples)
    if isinstance(example, dict) or hasattr(example, "keys"):
        named = {str(key): _pattern(example[key], samples) for key in example.keys()}  # noqa: SIM118 - BatchEncoding
        return Batch([], named, samples)
    return Batch([_pattern(item, samples) for item in example], {}, samples)


def _pattern(value: Any, samples: int | None) -> Any:
    """`samples` None: within what stands once for each sample, where nothing grows with them."""
    if isinstance(value, torch.Tensor):
        sizes = [None if at == 0 and n == samples else int(n) for at, n in enumerate(value.shape)]
        held = None if isinstance(value, FakeTensor) or value.device.type != "cpu" else value.detach()
        return Input(sizes, value.dtype, held)
    if isinstance(value, (list, tuple)):
        if samples is not None and _for_each(value, samples):
            return Each(_pattern(item, None) for item in value)
        return _like(value, [_pattern(item, samples) for item in value])
    if isinstance(value, dict):
        return {key: _pattern(item, samples) for key, item in value.items()}
    return value


def _for_each(items: Any, samples: int) -> bool:
    """Whether a list has one entry for each sample: a dictionary (targets of a detector), or a tensor that
    has no batch of its own.
    """
    if len(items) != samples or not isinstance(items, list):
        return False
    tensors = [item for item in items if isinstance(item, torch.Tensor)]
    if len(tensors) == len(items):
        return not all(item.dim() and item.shape[0] == samples for item in tensors)
    return samples > 1 and all(isinstance(item, dict) for item in items)


def _collect(value: Any, into: list[Any]) -> None:
    if isinstance(value, torch.Tensor):
        into.append(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _collect(item, into)
    elif isinstance(value, dict) or hasattr(value, "keys"):
        for key in value.keys():  # noqa: SIM118
            _collect(value[key], into)
