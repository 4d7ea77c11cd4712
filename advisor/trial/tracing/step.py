"""One training step under the recorder: forward, loss, backward, optimizer."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode

from .failure import Failure
from .kernels import as_accelerators
from .record import Recorder

MIXED = ("bf16_mixed", "fp16_mixed", "fp8_mixed", "mxfp8_mixed", "nvfp4_mixed")
_NO_RATE = 1e-30  # for an optimizer that takes no zero
_IN_FP32 = (
    "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cosine_similarity", "cross_entropy",
    "cumprod", "cumsum", "dist", "exp", "expm1", "group_norm", "kl_div", "l1_loss", "layer_norm", "log",
    "log_softmax", "log10", "log1p", "log2", "mse_loss", "nll_loss", "norm", "normalize", "pow", "prod",
    "reciprocal", "rsqrt", "smooth_l1_loss", "softmax", "softmin", "softplus", "sum", "__pow__", "__rpow__",
    "__rdiv__", "__rtruediv__",
)  # fmt: skip
"""What torch.autocast computes in fp32 on accelerators; the list of processors is another (PyTorch
documentation, automatic mixed precision, operators that autocast to float32)."""


class InFp32(TorchFunctionMode):  # type: ignore[misc]
    """Under autocast on the processor: what an accelerator's autocast computes in fp32 is so too."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in _IN_FP32 and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return func(*(_wide(a) for a in args), **{key: _wide(value) for key, value in kwargs.items()})
        return func(*args, **kwargs)


def _wide(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.dtype in (torch.bfloat16, torch.float16):
        return value.float()
    return value


def blocks_of(module: Any) -> list[Any]:
    """The repeated blocks: of every outermost list of modules of one class with weights, its members."""
    found: list[Any] = []

    def look(parent: Any) -> None:
        members = list(parent.children())
        if isinstance(parent, (nn.ModuleList, nn.Sequential)) and len(members) > 1:
            like = [m for m in members if type(m) is type(members[0])]
            inner = any(True for _ in members[0].children())
            if len(like) == len(members) and inner and next(members[0].parameters(), None) is not None:
                found.extend(members)
                return
        for member in members:
            look(member)

    look(module)
    return found


class Watch:
    """Hooks that tell the recorder which block is run, forward and back. A context manager."""

    def __init__(self, recorder: Recorder, module: Any, blocks: list[Any]) -> None:
        self._handles: list[Any] = []
        for number, block in enumerate(blocks):
            self._handles += [
                block.register_forward_pre_hook(self._enter(recorder, number), with_kwargs=True),
                block.register_forward_hook(self._leave(recorder, number)),
            ]
        for weight in module.parameters():
            if weight.requires_grad:
                self._handles.append(weight.register_post_accumulate_grad_hook(recorder.gradient))

    @staticmethod
    def _enter(recorder: Recorder, number: int) -> Any:
        def hook(_: Any, args: Any, kwargs: Any) -> None:
            if recorder.phase == "forward":
                recorder.enters_block(number, _differentiable((args, list(kwargs.values()))))

        return hook

    @staticmethod
    def _leave(recorder: Recorder, number: int) -> Any:
        def back(grad: Any) -> None:  # noqa: ARG001 - the gradient of the output exists: the block begins
            recorder.block = number

        def hook(_: Any, __: Any, out: Any) -> None:
            if recorder.phase == "forward":
                recorder.block, recorder.kept_so_far = -1, recorder.kept
                for tensor in _differentiable(out):
                    tensor.register_hook(back)

        return hook

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()


def _differentiable(found: Any) -> list[Any]:
    if isinstance(found, torch.Tensor):
        return [found] if found.requires_grad else []
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, (list, tuple)):
        return [tensor for item in found for tensor in _differentiable(item)]
    return []


def loss_of(out: Any, given: Any, loss: Any) -> tuple[Any, str]:
    """The number to differentiate, and how it was got."""
    if loss is not None:
        return _number(loss(out, given)), "the factory's loss"
    told = out.get("loss") if isinstance(out, dict) else getattr(out, "loss", None)
    if isinstance(told, torch.Tensor) and told.requires_grad:
        return told.sum() if told.dim() else told, "the loss in its output"
    tensors = _differentiable(list(out.values()) if isinstance(out, dict) else out)
    if not tensors and hasattr(out, "__dict__"):
        tensors = _differentiable(list(vars(out).values()))
    tensors = [t for t in tensors if t.is_floating_point()]
    if len(tensors) >= 1 and tensors[0].dim() == 0:
        return tensors[0], "its output, a single number"
    if not tensors:
        what = "it returns None" if out is None else "nothing that the network returns hangs on such a weight"
        raise Failure(
            "no_gradient",
            f"there is no loss to be had from a weight that is trained: {what}",
            "Return the loss, or the outputs it is computed from; check detach(), no_grad and requires_grad.",
        )
    total = tensors[0].sum()
    for tensor in tensors[1:]:
        total = total + tensor.sum()
    return total, "the sum of its outputs, as it returns no loss"


def _number(found: Any) -> Any:
    """A loss that can be differentiated. Raises Failure for anything else."""
    if not isinstance(found, torch.Tensor):
        what = f"something of type {type(found).__name__}"
    elif found.dim():
        what = f"a tensor of shape {'x'.join(map(str, found.shape))}"
    elif not found.requires_grad:
        what = "a number that hangs on no weight"
    else:
        return found
    raise Failure(
        "no_gradient",
        f"the factory's loss returned {what}, no single number to differentiate",
        "Let loss(output, batch) end in .mean() or .sum() of what the network returned.",
    )


def optimizers_of(name: str, module: Any, foreach: bool | None) -> list[Any]:
    """The optimizer, as far as torch has it. `foreach` None: as torch has it here. It changes no weight, so
    that a network which looks at them does the same in every step. Weights whose gradient is sparse are
    SparseAdam's, as AdamW takes none (under fake tensors nobody's: how many numbers it has is unknown).
    """
    weights = [w for w in module.parameters() if w.requires_grad]
    if name == "sgd":
        return [torch.optim.SGD(weights, lr=0.0, momentum=0.9, foreach=foreach)]
    if name != "adamw":
        return []
    sparse = [
        w for w in weights if w.grad is not None and w.grad.is_sparse and not isinstance(w.grad, FakeTensor)
    ]
    dense = [w for w in weights if w.grad is None or not w.grad.is_sparse]
    found = [torch.optim.AdamW(dense, lr=0.0, foreach=foreach)] if dense else []
    return [*found, *([torch.optim.SparseAdam(sparse, lr=_NO_RATE)] if sparse else [])]


def run(  # noqa: PLR0913, PLR0917 - a network and how it is trained
    module: Any, blocks: list[Any], batch: Any, samples: int, precision: str, optimizer: str, loss: Any,
    *, own: bool = False, known: Recorder | None = None,
) -> tuple[Recorder, str]:  # fmt: skip
    """A step of `samples` samples. The second value says what was differentiated.

    `own`: with the kernels that the processors here have, in place of those of accelerators. `known`: a step
    of another batch, which had the same update: it is as large whatever the batch is, and not run again.
    """
    if not any(weight.requires_grad for weight in module.parameters()):
        told = "has requires_grad" if any(True for _ in module.parameters()) else "is there"
        raise Failure(
            "no_gradient",
            f"there is nothing to train: no weight of the network {told}",
            "At least one weight needs requires_grad=True.",
        )
    recorder = Recorder()
    recorder.own(iter([*module.parameters(), *module.buffers()]))
    args, kwargs = batch.made(samples, torch.bfloat16 if precision == "bf16" else None)
    mixed = precision in MIXED
    with contextlib.ExitStack() as stack:
        stack.enter_context(Watch(recorder, module, blocks))
        if not own:
            stack.enter_context(as_accelerators())
        stack.enter_context(torch.autograd.graph.saved_tensors_hooks(recorder.pack, lambda tensor: tensor))
        if mixed and not own:
            stack.enter_context(InFp32())
        stack.enter_context(recorder)
        recorder.given(_tensors([args, kwargs]))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            out = module(*args, **kwargs)
            number, told = loss_of(out, kwargs or args, loss)
        recorder.phase, recorder.block = "backward", -1
        number.backward()
        del number
        told += _left_out(module) + _sparse(module)
        recorder.phase, recorder.block = "optimizer", -1
        chosen = optimizers_of(optimizer, module, None if own else True)
        if chosen:
            del out, args, kwargs
            recorder.at_update = [*recorder.live]
        if chosen and known is not None and not _sparse(module):
            recorder.updated_as(known)
        elif chosen:
            if own:  # the first step makes the states
                begun = len(recorder.events), recorder.views["optimizer"]
                _step(chosen)
                del recorder.events[begun[0] :]
                recorder.views["optimizer"] = begun[1]
            _step(chosen)
    for weight in module.parameters():
        weight.grad = None
    return recorder, told


def _sparse(module: Any) -> str:
    """What is to be said of weights whose gradient tells only the rows that were looked up; or ''."""
    found = sum(w.numel() for w in module.parameters() if w.grad is not None and w.grad.is_sparse)
    return f"; gradients of {found:,} weights are sparse, and counted as dense ones" if found else ""


def _step(optimizers: list[Any]) -> None:
    for one in optimizers:
        one.step()


def _left_out(module: Any) -> str:
    """What is to be said where weights that are trained have no gradient after the backward pass; or ''."""
    trained = [weight for weight in module.parameters() if weight.requires_grad]
    lacking = sum(weight.numel() for weight in trained if weight.grad is None)
    if not lacking:
        return ""
    share = lacking / sum(weight.numel() for weight in trained)
    return f"; {lacking:,} trained weights ({share:.0%}) have no part in it and get no gradient"


def _tensors(found: Any) -> list[Any]:
    if isinstance(found, torch.Tensor):
        return [found]
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, (list, tuple)):
        return [tensor for item in found for tensor in _tensors(item)]
    return []
