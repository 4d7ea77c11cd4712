"""Adapters (LoRA) on a frozen network: by peft where it is installed, else the same by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Adapted(nn.Module):  # type: ignore[misc] # torch's types are not known here
    """A frozen linear layer with a low-rank adapter in fp32 (as peft keeps it) beside it."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.empty(rank, base.in_features))
        self.up = nn.Parameter(torch.empty(base.out_features, rank))

    def forward(self, given: Any) -> Any:
        """The layer's output and the adapter's."""
        out = self.base(given)
        low = nn.functional.linear(given.to(self.down.dtype), self.down)
        return (out + nn.functional.linear(low, self.up) * 2.0).to(out.dtype)


def targets(module: Any, blocks: list[Any]) -> list[str]:
    """Names of the linear layers that get adapters: those of the repeated blocks, else all of them."""
    inside = {id(part) for block in blocks for part in block.modules()}
    named = [(name, part) for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    chosen = [name for name, part in named if id(part) in inside]
    return chosen or [name for name, _ in named]


def adapt(module: Any, blocks: list[Any], rank: int) -> tuple[Any, str]:
    """The network with adapters, and what made them."""
    names = targets(module, blocks)
    try:
        import peft
    except ModuleNotFoundError:
        module.requires_grad_(False)
        for name in names:
            parent = module.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], Adapted(module.get_submodule(name), rank))
        return module, f"adapters of rank {rank} on {len(names)} linear layers"
    config = peft.LoraConfig(r=rank, target_modules=names, lora_dropout=0.0)
    module = peft.get_peft_model(module, config)
    return module, f"adapters of rank {rank} on {len(names)} linear layers, peft {peft.__version__}"
