"""A network of the user's own, as its factory returns it, trained like those made here."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ...bench.devices import Unable
from ..tracing.adapting import adapt, has_adapters
from ..tracing.batch import of_flags
from ..tracing.build import call, factory_of, of_config
from ..tracing.failure import Failure
from ..tracing.step import blocks_of, loss_of


class Given(nn.Module):  # type: ignore[misc] # torch's types are not known here
    """The factory's module with its batch and its loss."""

    def __init__(self, module: Any, batch: Any, loss: Any, floats: Any) -> None:
        super().__init__()
        self.module, self._pattern, self._loss, self._floats = module, batch, loss, floats

    def data(self, batch: int, device: str) -> tuple[Any, ...]:
        """So many samples of made-up numbers: arguments by place, arguments by name."""
        args, kwargs = self._pattern.made(batch, self._floats)
        return _on(args, device), _on(kwargs, device)

    def forward(self, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """The loss of one micro-batch."""
        return loss_of(self.module(*args, **kwargs), kwargs or args, self._loss)[0]


def given(code: dict[str, Any], recipe: dict[str, Any], device: str, half: Any) -> Given:
    """The network that `code` (what a trace is told too) names. Raises Unable for what goes wrong in it."""
    if str(recipe["recompute"]) != "none":
        raise Unable(
            "not_supported", "blocks of a network given as code are not recomputed by trial",
            "Let the factory set up its own checkpoints.",
        )  # fmt: skip
    pure = half is not None and str(recipe["precision"]) == "bf16"
    try:
        built = _built(code)
    except Failure as failure:
        raise Unable(failure.status, str(failure), failure.hint) from failure
    module = built.module.to(device)
    if str(recipe["method"]) == "lora":
        module = module.to(half) if half is not None else module
        if not has_adapters(module):
            module, _ = adapt(module, blocks_of(module), int(recipe["lora_rank"]))
    elif pure:
        module = module.to(half)
    module = module if module.training else module.train()  # frozen parts stay in evaluation mode
    return Given(module, built.batch, built.loss, half if pure else None)


def _built(code: dict[str, Any]) -> Any:
    name = str(code["name"])
    if code["kind"] == "config":
        built = of_config(name, int(code["seq_len"]), int(code["image_size"]))()
    else:
        built = call(factory_of(name, str(code["folder"])), name)
    if code["inputs"]:
        built.batch = of_flags([str(text) for text in code["inputs"]])
    if built.batch is None:
        raise Failure("input", "the network's batch is not known", "Give --input SHAPE.")
    return built


def _on(value: Any, device: str) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, (list, tuple)):
        return type(value)(_on(item, device) for item in value)
    if isinstance(value, dict):
        return {key: _on(item, device) for key, item in value.items()}
    return value
