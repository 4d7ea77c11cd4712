"""Adapters (LoRA) on a frozen network: by peft where it is installed, else the same by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_MATRIX = 2  # dimensions


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


OWN = "It has adapters of its own: none were put beside its layers."


def has_adapters(module: Any) -> bool:
    """Whether a network has adapters already: peft's, or what is trained beside frozen linear layers under
    such a name or in the same part.
    """
    if any(type(part).__module__.startswith("peft.") for part in module.modules()):
        return True
    frozen = [p for p in module.modules() if isinstance(p, nn.Linear) and not p.weight.requires_grad]
    if not frozen:
        return False
    trained = [name.lower() for name, weight in module.named_parameters() if weight.requires_grad]
    if any(word in name for name in trained for word in ("lora", "adapter")):
        return True
    holds = {id(part) for part in frozen}
    return any(
        any(id(child) in holds for child in part.children())
        and any(w.requires_grad and w.dim() == _MATRIX for w in part.parameters(recurse=False))
        for part in module.modules()
    )


def adapt(module: Any, blocks: list[Any], rank: int) -> tuple[Any, list[str]]:
    """The network with adapters, and what is to be said of them. Where it freezes some of its linear layers
    itself (a teacher, the first blocks) those get none; where it freezes all of them, all do.
    """
    if isinstance(module, nn.Linear):  # has no part to put one beside
        module = nn.Sequential(module)
    named = targets(module, blocks)
    names = [name for name in named if module.get_submodule(name).weight.requires_grad] or named
    left = len(named) - len(names)
    notes = [f"{left} linear layers that it freezes itself have no adapters."] if left else []
    try:
        import peft
    except ModuleNotFoundError:
        module.requires_grad_(False)
        for name in names:
            parent = module.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], Adapted(module.get_submodule(name), rank))
        return module, [f"Adapters of rank {rank} on {len(names)} linear layers.", *notes]
    config = peft.LoraConfig(r=rank, target_modules=names, lora_dropout=0.0)
    module = peft.get_peft_model(module, config)
    made = f"Adapters of rank {rank} on {len(names)} linear layers, by peft {peft.__version__}."
    return module, [made, *notes]
