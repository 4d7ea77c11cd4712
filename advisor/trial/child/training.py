"""One optimizer step as a stock trainer takes it: precision, optimizer, accumulation, frozen parts."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from ...bench.devices import Device, Unable
from ...bench.training import _scaler
from .images import Pictures
from .parts import adapt, whole
from .transformers import Decoder, Encoder, Vision

FAMILIES = {"decoder": Decoder, "moe": Decoder, "encoder": Encoder, "vit": Vision, "cnn": Pictures}
HALF = {"bf16_mixed": torch.bfloat16, "bf16": torch.bfloat16, "fp16_mixed": torch.float16}
PRECISIONS = ("fp32", "tf32", *HALF)
RATE = 1e-4


class Training:
    """A network, its data and its optimizer on one device; calling it takes one optimizer step."""

    def __init__(self, spec: dict[str, Any], device: Device) -> None:
        recipe = spec["recipe"]
        self.device, self.precision = device, str(recipe["precision"])
        if self.precision not in PRECISIONS:
            raise Unable("not_supported", f"training in {self.precision} is not supported by trial yet")
        self.micro_batch, self.accumulate = int(recipe["micro_batch"]), int(recipe["accumulate"])
        _tensor_float(device, self.precision == "tf32")
        self.network = self._build(spec, recipe)
        self._named = _known(str(recipe["optimizer"]))
        self.optimizers: list[Any] | None = None  # from the first gradients on: sparse ones have their own
        self.sparse = 0  # weights of SparseAdam
        self.batch = self.network.data(self.micro_batch, device.name)
        self.scaler = _scaler(torch, device.kind) if self.precision == "fp16_mixed" else None
        self.last: Any = None

    def _build(self, spec: dict[str, Any], recipe: dict[str, Any]) -> Any:
        """The network on its device, in the format its weights are kept in."""
        if spec.get("code"):
            from .given import given

            return given(spec["code"], recipe, self.device.name, HALF.get(self.precision))
        numbers = {str(name): float(value) for name, value in spec["numbers"].items()}
        make: Any = FAMILIES.get(str(spec["family"]))
        if make is None or (spec["family"] == "cnn" and "blocks_1" not in numbers):
            known = ", ".join(FAMILIES)
            raise Unable(
                "not_supported",
                f"networks of the family {spec['family']} without a shape are not supported yet",
                f"Supported are {known} (ResNet and ConvNeXt).",
            )
        size = recipe["image_size"] if spec["family"] in ("vit", "cnn") else recipe["seq_len"]
        again = str(recipe["recompute"]) == "full"
        lora = str(recipe["method"]) == "lora"
        half = HALF.get(self.precision)
        kept = half if half is not None and (lora or self.precision == "bf16") else torch.float32
        before = torch.get_default_dtype()
        torch.set_default_dtype(kept)
        try:
            with torch.device(self.device.name):
                network = make(numbers, int(size), again)
        finally:
            torch.set_default_dtype(before)
        if lora:
            _freeze(network, whole(recipe, "lora_rank", 16))
        return network.train()

    def __call__(self) -> None:
        """Zero, forward and backward of every micro-batch, update."""
        self.network.zero_grad(set_to_none=True)
        for _ in range(self.accumulate):
            with self._cast():
                loss = self.network(*self.batch) / self.accumulate
            if self.scaler is None:
                loss.backward()
            else:
                self.scaler.scale(loss).backward()
        self._update()
        self.last = loss.detach()

    def _update(self) -> None:
        if self.optimizers is None:
            weights = [p for p in self.network.parameters() if p.requires_grad]
            self.optimizers, self.sparse = _optimizers(self._named, weights)
        for optimizer in self.optimizers:
            if self.scaler is None:
                optimizer.step()
            else:
                self.scaler.step(optimizer)
        if self.scaler is not None:
            self.scaler.update()

    def _cast(self) -> Any:
        half = HALF.get(self.precision)
        if half is None or self.precision == "bf16":
            return contextlib.nullcontext()
        return torch.autocast(self.device.kind, half)

    def loss(self) -> float:
        """The loss of the last micro-batch (waits for the device)."""
        return float(self.last) * self.accumulate

    def counted(self) -> dict[str, int]:
        """Parameters of the network (without what only the task adds) and those that are trained."""
        beside = getattr(self.network, "beside", None)
        own = 0 if beside is None else sum(p.numel() for p in beside.parameters())
        trained = sum(p.numel() for p in self.network.parameters() if p.requires_grad)
        adapters = sum(
            p.numel() for name, p in self.network.named_parameters() if name.endswith((".a", ".b"))
        )
        total = sum(p.numel() for p in self.network.parameters())
        return {"parameters": total - own - adapters, "trainable": trained}


def _freeze(network: Any, rank: int) -> None:
    """All weights frozen, adapters beside the linear layers of the blocks."""
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    stack = getattr(network, "stack", None)
    if stack is None or any(hasattr(block.feed, "router") for block in stack.blocks):
        raise Unable(
            "not_supported", "adapters are supported beside plain transformer blocks only", "--method full"
        )
    for block in stack.blocks:
        adapt(block, rank)
    beside = getattr(network, "beside", None)
    if beside is not None:
        for parameter in beside.parameters():
            parameter.requires_grad_(True)


def _known(name: str) -> str:
    if name not in ("adamw", "sgd"):
        raise Unable(
            "not_supported", f"the optimizer {name} is not supported by trial yet", "--optimizer adamw or sgd"
        )
    return name


def _optimizers(name: str, weights: list[Any]) -> tuple[list[Any], int]:
    """torch's own optimizer with its own choice of loops, as most people take it; and how many weights are
    SparseAdam's, as AdamW takes none whose gradient tells only the rows that were looked up.
    """
    if name == "sgd":
        return [torch.optim.SGD(weights, lr=RATE, momentum=0.9)], 0
    sparse = [w for w in weights if w.grad is not None and w.grad.layout == torch.sparse_coo]
    dense = [w for w in weights if w.grad is None or w.grad.layout != torch.sparse_coo]
    found: list[Any] = [torch.optim.AdamW(dense, lr=RATE)] if dense else []
    if sparse:
        found.append(torch.optim.SparseAdam(sparse, lr=RATE))
    return found, sum(w.numel() for w in sparse)


def _tensor_float(device: Device, wanted: bool) -> None:
    """Matrix products in tf32 or in full fp32, on devices that have both."""
    if device.kind != "cuda":
        if wanted:
            raise Unable("not_supported", f"{device.name} has no tf32", "--precision fp32")
        return
    torch.backends.cuda.matmul.allow_tf32 = wanted
    torch.backends.cudnn.allow_tf32 = wanted
