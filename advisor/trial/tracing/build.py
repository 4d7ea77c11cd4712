"""The network: from a factory of the user's own, or from a config.json by transformers or diffusers."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor

from .batch import Batch, of_example, real
from .failure import Failure

_NO_CUDA = re.compile(
    r"not compiled with CUDA|No CUDA GPUs|NVIDIA driver|not linked with support for|CUDA error|HIP"
)
_PIP = re.compile(r"pip install ([\w-]+)")
_SMALL = 0.02  # deviation of the first values of weights, as GPT-2 has it (github:openai/gpt-2)
_CUDA_HINT = "Leave the network on the CPU: it is traced with tensors that hold nothing, on no device at all."


class Built:
    """A network, the pattern of its batch where it is known, a loss where the factory has one."""

    def __init__(self, module: Any, batch: Batch | None, loss: Any, notes: list[str]) -> None:
        self.module, self.batch, self.loss, self.notes = module, batch, loss, notes
        self.adapted = False  # whether adapters were put beside its layers here
        self.linear = 0  # weights of the linear layers of its blocks


def factory_of(name: str, folder: str) -> Callable[[], Any]:
    """What `file.py:factory` or `package.module:factory` names."""
    where, _, attribute = name.rpartition(":")
    module = _from_file(Path(folder, where)) if where.endswith(".py") else _from_package(where, folder)
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
            own = [n for n in names if getattr(getattr(module, n), "__module__", "") == module.__name__]
            raise Failure(
                "no_factory",
                f"{where} has no {attribute!r}",
                f"It has {', '.join((own or names)[:12]) or 'nothing to call'}.",
            ) from None
    if isinstance(found, nn.Module):
        return lambda: found
    if not callable(found):
        raise Failure("no_factory", f"{name} is of type {type(found).__name__}, nothing to call", _contract())
    return found  # type: ignore[no-any-return]


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise Failure(
            "no_factory", f"there is no file {path}", "Give the path of a Python file, then :factory."
        )
    sys.path.insert(0, str(path.parent.resolve()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # noqa: S101 - a file ending in .py has both
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    running(f"importing {path.name}", lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    return module


def _from_package(name: str, folder: str) -> Any:
    sys.path.insert(0, folder)
    try:
        return running(f"importing {name}", lambda: importlib.import_module(name))
    except Failure as failure:
        cause = failure.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name and f"{name}.".startswith(f"{cause.name}."):
            failure.hint = f"Run in the folder that {name.partition('.')[0]} lies in. Else: {failure.hint}"
        raise


def running(doing: str, act: Callable[[], Any]) -> Any:
    """Run the user's code; what it raises is told with the line it was raised at."""
    try:
        return act()
    except Failure:
        raise
    except BaseException as error:
        raise failure_of(doing, error) from error


def failure_of(doing: str, error: BaseException) -> Failure:
    """An exception of the user's code in one line, with what to change where that is known."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return Failure(
            "missing", f"{doing}: no module named {error.name!r} under {sys.executable}",
            f"pip install {package} there, or name a Python that has it with --python.",
        )  # fmt: skip
    said = str(error).strip().splitlines()
    wanted = _PIP.search(str(error)) if isinstance(error, ImportError) else None
    if wanted is not None:
        return Failure("missing", f"{doing}: {said[0][:300]}", f"pip install {wanted[1]}")
    text = f"{type(error).__name__}: {said[0][:300]}" if said and said[0] else type(error).__name__
    if _NO_CUDA.search(str(error)):
        return Failure("cuda", f"{doing} wants an accelerator: {text}{place(error)}", _CUDA_HINT)
    if isinstance(error, SystemExit):
        return Failure("raised", f"{doing} ended the program: {text}{place(error)}", _contract())
    hint = _contract() if "required positional argument" in text and not place(error) else _ALONE
    return Failure("raised", f"{doing} raised {text}{place(error)}", hint)


def place(error: BaseException) -> str:
    """Where in the user's code: the innermost frame outside of torch and of this tracer."""
    ours, at = (str(Path(__file__).parent), str(Path(torch.__file__).parent), "<"), ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(ours):
            at = f" ({Path(file).name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return at


_ALONE = "Run it by itself first."


def _contract() -> str:
    return "A factory takes no arguments and returns a torch.nn.Module, or (module, example batch[, loss])."


def call(factory: Callable[[], Any], name: str) -> Built:
    """Call the factory and look at what it returns."""
    found = running(name, factory)
    batch, loss = None, None
    _check_alone(found, name)
    if isinstance(found, (tuple, list)) and found and isinstance(found[0], nn.Module):
        batch = of_example(found[1]) if len(found) > 1 and found[1] is not None else None
        loss = found[2] if len(found) > 2 else None
        found = found[0]
    if not isinstance(found, nn.Module):
        raise Failure(
            "not_module",
            f"{name} returned {_kind(found)}, no torch.nn.Module",
            _contract(),
        )
    if isinstance(loss, nn.modules.loss._Loss):
        raise Failure(
            "not_module",
            f"the third of what {name} returned is {type(loss).__name__}, which needs targets",
            "Give a function: lambda output, batch: criterion(output, targets).",
        )
    if loss is not None and not callable(loss):
        raise Failure("not_module", f"the third of what {name} returned is no function", _contract())
    _check_made(found, name)
    for weight in (*found.parameters(), *found.buffers()):
        if weight.device.type not in ("cpu", "meta"):
            raise Failure("cuda", f"{name} puts weights on {weight.device}", _CUDA_HINT)
    return Built(found, batch, loss, [])


def _kind(found: Any) -> str:
    """What a factory returned, in words."""
    if isinstance(found, type):
        return f"the class {found.__name__} itself"
    return f"something of type {type(found).__name__}"


def _check_alone(found: Any, name: str) -> None:
    """Raise Failure for several networks or optimizers: a step of one network by one optimizer is traced."""
    parts = list(found) if isinstance(found, (tuple, list)) else [found]
    networks = sum(isinstance(part, nn.Module) for part in parts[:2])  # a third is the loss
    optimizers = sum(isinstance(part, torch.optim.Optimizer) for part in parts)
    told = f"{networks} networks" if networks > 1 else f"{optimizers} optimizers" if optimizers else ""
    if not told and getattr(parts[0] if parts else None, "automatic_optimization", True) is False:
        told = "a network that steps its optimizers itself (automatic_optimization is off)"
    if told:
        raise Failure(
            "several",
            f"{name} returned {told}; what is traced is a step of one network by one optimizer",
            "Let a factory of its own return each network with its batch and loss, and add their steps up.",
        )


def _check_made(module: Any, name: str) -> None:
    """Raise Failure for weights whose shapes nobody knows yet."""
    lazy = [key for key, weight in module.named_parameters() if nn.parameter.is_lazy(weight)]
    if lazy:
        raise Failure(
            "lazy",
            f"{name}: the shape of {lazy[0]} is known only after a first forward pass (a lazy layer)",
            "Run the network once on the example in the factory, or give the layer its sizes.",
        )


class Undo:
    """Puts a network back as it was when `learn` saw it: weights, buffers, and parts."""

    def __init__(self) -> None:
        self._old: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def learn(self, module: Any) -> None:
        """Keep what the network holds; nothing for one whose weights hold nothing."""
        if any(isinstance(weight, FakeTensor) for weight in module.parameters()):
            return
        for part in module.modules():
            self._old += [(s, dict(s)) for s in (part._parameters, part._buffers, part._modules)]

    def __call__(self) -> None:
        """Put it back."""
        for store, old in self._old:
            store.clear()
            store.update(old)
        self._old.clear()


def replace(module: Any, floats: Any = None) -> None:
    """Every weight and buffer in the format `floats`, as the current mode has it: under fake tensors one of
    its shape that holds nothing, else with its own numbers.

    Module.to() does not work on fake tensors; shared weights stay shared.
    """
    made: dict[int, Any] = {}
    keep = real()

    def new(tensor: Any) -> Any:
        if id(tensor) not in made:
            dtype = floats if floats is not None and tensor.is_floating_point() else tensor.dtype
            found = _own(tensor, dtype) if keep else torch.empty(tensor.shape, dtype=dtype, device="cpu")
            if isinstance(tensor, nn.Parameter) and not isinstance(found, nn.Parameter):
                found = nn.Parameter(found, tensor.requires_grad)
            made[id(tensor)] = found
        return made[id(tensor)]

    for part in module.modules():
        for store in (part._parameters, part._buffers):
            for key, tensor in list(store.items()):
                if tensor is not None:
                    store[key] = new(tensor)


def _own(tensor: Any, dtype: Any) -> Any:
    """A weight with its numbers; small ones for what the factory left without any (on the meta device)."""
    if tensor.device.type != "meta":
        return tensor if tensor.dtype == dtype else tensor.detach().to(dtype)
    if not tensor.is_floating_point():
        return torch.zeros(tensor.shape, dtype=dtype)
    return torch.randn(tensor.shape).mul_(_SMALL).to(dtype)


@contextlib.contextmanager
def converting() -> Iterator[None]:
    """While this holds, Module.to() and its relatives make new weights, as fake tensors cannot be changed."""
    before = nn.Module._apply
    made: dict[int, tuple[Any, Any]] = {}  # the old one too, so that no other gets its id

    def new(tensor: Any, fn: Callable[[Any], Any]) -> Any:
        if id(tensor) not in made:
            found = fn(tensor)
            if found is not tensor and isinstance(tensor, nn.Parameter):
                found = nn.Parameter(found.detach(), tensor.requires_grad)
            made[id(tensor)] = (tensor, found)
        return made[id(tensor)][1]

    def apply(self: Any, fn: Callable[[Any], Any], recurse: bool = True) -> Any:
        for child in self.children() if recurse else ():
            child._apply(fn)
        with torch.no_grad():
            for store in (self._parameters, self._buffers):
                for key, tensor in list(store.items()):
                    if tensor is not None:
                        store[key] = new(tensor, fn)
        return self

    setattr(nn.Module, "_apply", apply)  # noqa: B010
    try:
        yield
    finally:
        setattr(nn.Module, "_apply", before)  # noqa: B010


# ---- config.json -----------------------------------------------------------------------------------------


def of_config(path: str, seq_len: int, image_size: int) -> Callable[[], Built]:
    """The network a config.json describes, as a factory with its batch."""
    raw = json.loads(Path(path).read_text("utf-8"))
    if "_class_name" in raw:
        from .diffusion import of_diffusers

        return of_diffusers(raw, image_size)
    from .hub import of_transformers

    return of_transformers(raw, seq_len, image_size)
