"""What adapters add to diffusion networks, as diffusers' own LoRA scripts place them.

    python tools/count_adapters.py

Needs torch, diffusers and peft; modules are built and run on the meta device: nothing is loaded or computed.
Prints for rules/models: adapter weights and multiply-adds for each unit of rank, and the numbers kept for the
backward pass of one image while all other weights are frozen.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from count_image_models import DENOISERS, TOKENS, kept
from counting import kept_of

RANK = 4
EACH = ["to_k", "to_q", "to_v", "to_out.0"]  # examples/text_to_image/train_text_to_image_lora(_sdxl).py
JOINT = [  # examples/dreambooth/train_dreambooth_lora_flux.py
    *(f"attn.{name}" for name in (*EACH, "add_k_proj", "add_q_proj", "add_v_proj", "to_add_out")),
    *(f"{part}.net.{at}" for part in ("ff", "ff_context") for at in ("0.proj", "2")),
]


def adapt(module: Any, targets: list[str]) -> int:
    """Freeze the module and put adapters beside the targets; their weights for each unit of rank."""
    import peft

    module.requires_grad_(False)
    config = peft.LoraConfig(r=RANK, target_modules=targets)
    peft.inject_adapter_in_model(config, module, low_cpu_mem_usage=True)
    return int(sum(weight.numel() for weight in module.parameters() if weight.requires_grad)) // RANK


def multiply_adds(module: Any, args: tuple[Any, ...], more: dict[str, Any]) -> float:
    """Multiply-adds of all adapters in one forward pass, for each unit of rank."""
    found = 0.0

    def count(layer: Any, given: tuple[Any, ...], _: Any) -> None:
        nonlocal found
        found += given[0].numel() / given[0].shape[-1] * layer.weight.numel() / RANK

    hooks = [
        layer.register_forward_hook(count)
        for name, layer in module.named_modules()
        if "lora_" in name and isinstance(layer, torch.nn.Linear)
    ]
    with torch.no_grad():
        module(*args, **more)
    for hook in hooks:
        hook.remove()
    return found


def linear(module: Any) -> int:
    """Weights of its linear layers, which 4-bit loading makes smaller."""
    layers = (layer for layer in module.modules() if isinstance(layer, torch.nn.Linear))
    return int(sum(layer.weight.numel() for layer in layers))


def unet(key: str) -> tuple[int, float, float, float, int]:
    """Adapters, multiply-adds, numbers kept with all weights trained and with adapters alone, linear."""
    from diffusers import UNet2DConditionModel

    _, config, _ = DENOISERS[key]
    with torch.device("meta"):
        module = UNet2DConditionModel(**config).train()

    def inputs(edge: int) -> tuple[tuple[Any, ...], dict[str, Any], frozenset[int]]:
        with torch.device("meta"):
            text = torch.empty(1, TOKENS, config["cross_attention_dim"])
            given = torch.empty(1, 4, edge, edge), torch.empty(1), text
            extra = {"text_embeds": torch.empty(1, 1280), "time_ids": torch.empty(1, 6)}
        more = {"added_cond_kwargs": extra} if "addition_embed_type" in config else {}
        return given, more, frozenset((edge >> level) ** 2 for level in range(4))

    edge = config["sample_size"]
    whole, matrices = kept(module, *inputs(2 * edge)) / 4, linear(module)
    adapters = adapt(module, EACH)
    work, alone = multiply_adds(module, *inputs(edge)[:2]), kept(module, *inputs(2 * edge)) / 4
    return adapters, work, whole, alone, matrices


def flux() -> tuple[int, float, float, float, int]:
    """The same of FLUX.1-dev at 1024 pixels: 4096 tokens of the image, 512 of the text."""
    from diffusers import FluxTransformer2DModel

    with torch.device("meta"):
        module = FluxTransformer2DModel(guidance_embeds=True).train()
        more = {
            "hidden_states": torch.empty(1, 4096, 64),
            "encoder_hidden_states": torch.empty(1, 512, 4096),
            "pooled_projections": torch.empty(1, 768),
            "timestep": torch.empty(1),
            "guidance": torch.empty(1),
            "img_ids": torch.empty(4096, 3),
            "txt_ids": torch.empty(512, 3),
        }
    whole, matrices = kept_of(lambda: module(**more), module, 1), linear(module)
    adapters = adapt(module, JOINT)
    work, alone = multiply_adds(module, (), more), kept_of(lambda: module(**more), module, 1)
    return adapters, work, whole, alone, matrices


def main() -> int:
    """Print them all."""
    for key in (*DENOISERS, "flux.1-dev"):
        adapters, work, whole, adapted, matrices = flux() if key == "flux.1-dev" else unet(key)
        print(
            f"{key}: stated_adapters = {adapters}, stated_adapter_work = {work:.12g},",
            f"stated_linear = {matrices}",
        )
        print(
            f"  kept: {whole:.12g} with all weights trained, stated_kept_adapted = {adapted:.12g}", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
