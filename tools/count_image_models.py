"""Presets of image networks without a closed form, counted on the real modules.

    python tools/count_image_models.py


Needs torch, torchvision and diffusers; modules are built and run on the meta device, so nothing is loaded or
computed. Writes rules/models/<id>.toml: exact parameters, FLOPs of one forward pass (self-attention of
denoisers apart, from three sizes), and the numbers kept for the backward pass of one image.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

RULES = Path(__file__).resolve().parent.parent / "rules"
TOKENS = 77  # of a CLIP text encoder, arXiv:2112.10752

# torchvision's name: id, title, image edge, source
NETWORKS = {
    "resnet18": ("resnet-18", "ResNet-18", 224, "arXiv:1512.03385"),
    "resnet34": ("resnet-34", "ResNet-34", 224, "arXiv:1512.03385"),
    "wide_resnet50_2": ("wide-resnet-50-2", "Wide ResNet-50-2", 224, "arXiv:1605.07146"),
    "resnext50_32x4d": ("resnext-50-32x4d", "ResNeXt-50 32x4d", 224, "arXiv:1611.05431"),
    "densenet121": ("densenet-121", "DenseNet-121", 224, "arXiv:1608.06993"),
    "vgg16": ("vgg-16", "VGG-16", 224, "arXiv:1409.1556"),
    "mobilenet_v2": ("mobilenet-v2", "MobileNetV2", 224, "arXiv:1801.04381"),
    "mobilenet_v3_small": ("mobilenet-v3-small", "MobileNetV3-Small", 224, "arXiv:1905.02244"),
    "mobilenet_v3_large": ("mobilenet-v3-large", "MobileNetV3-Large", 224, "arXiv:1905.02244"),
    **{
        f"efficientnet_b{at}": (f"efficientnet-b{at}", f"EfficientNet-B{at}", edge, "arXiv:1905.11946")
        for at, edge in enumerate((224, 240, 288, 300, 380, 456, 528, 600))
    },
    "efficientnet_v2_s": ("efficientnet-v2-s", "EfficientNetV2-S", 384, "arXiv:2104.00298"),
    "efficientnet_v2_m": ("efficientnet-v2-m", "EfficientNetV2-M", 480, "arXiv:2104.00298"),
}

_CROSS = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D")
_SD15: dict[str, Any] = {
    "sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8,
    "block_out_channels": (320, 640, 1280, 1280), "down_block_types": (_CROSS[0],) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + (_CROSS[1],) * 3,
}  # fmt: skip
_SD21 = {
    **_SD15, "sample_size": 96, "cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
}  # fmt: skip
_SDXL: dict[str, Any] = {
    "sample_size": 128, "cross_attention_dim": 2048, "attention_head_dim": (5, 10, 20),
    "block_out_channels": (320, 640, 1280), "transformer_layers_per_block": (1, 2, 10),
    "use_linear_projection": True, "down_block_types": ("DownBlock2D", _CROSS[0], _CROSS[0]),
    "up_block_types": (_CROSS[1], _CROSS[1], "UpBlock2D"), "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
}  # fmt: skip
DENOISERS = {
    "sd-1.5": ("Stable Diffusion 1.5, U-Net", _SD15, ("stable-diffusion-v1-5/stable-diffusion-v1-5", "sd15")),
    "sd-2.1": ("Stable Diffusion 2.1, U-Net", _SD21, ("stabilityai/stable-diffusion-2-1", "sd21")),
    "sdxl": ("Stable Diffusion XL, U-Net", _SDXL, ("stabilityai/stable-diffusion-xl-base-1.0",)),
}


def kept(module: Any, args: tuple[Any, ...], more: dict[str, Any], tokens: frozenset[int]) -> float:
    """fp32 numbers kept for the backward pass, each storage once, without weights.

    Score matrices ([..., tokens, tokens or 77]) are left out: the meta device takes the unfused path of
    attention, training does not. Holds for images whose edges are no token counts (checked on the CPU:
    67.5 M kept, 67.5 M counted for SD 1.5 at a latent of 24).
    """
    weights = {weight.untyped_storage()._cdata for weight in module.parameters()}
    seen: dict[int, Any] = {}

    def pack(tensor: Any) -> Any:
        store = tensor.untyped_storage()
        shape = tensor.shape[-2:]
        scores = len(shape) == 2 and shape[0] in tokens and (shape[1] in tokens or shape[1] == TOKENS)
        if store._cdata not in weights and not scores:
            seen[store._cdata] = store
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        module(*args, **more)
    return float(sum(store.nbytes() for store in seen.values())) / 4


def flops(module: Any, args: tuple[Any, ...], more: dict[str, Any]) -> float:
    """FLOPs of a forward pass, two for a multiply-add."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*args, **more)
    return float(counter.get_total_flops())


def write(  # noqa: PLR0913, PLR0917 - the parts of the file
    key: str, title: str, family: str, aliases: tuple[str, ...], source: str, numbers: dict[str, float]
) -> None:
    """rules/models/<key>.toml."""
    exact = int(numbers["stated_params"])
    lines = [f'id = "{key}"', f'title = "{title}"', f'family = "{family}"']
    lines += ["aliases = [" + ", ".join(f'"{alias}"' for alias in aliases) + "]", f'source = "{source}"']
    lines += [f"published_params = {exact} # of the instantiated module", ""]
    lines += ["[numbers] # names: rules/columns.toml; counted by tools/count_image_models.py"]
    lines += [f"{name} = {value:.12g}" for name, value in numbers.items()]
    (RULES / "models" / f"{key}.toml").write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{key:20} {exact:15,}", flush=True)


def network(name: str) -> None:
    """One network of torchvision."""
    from torchvision import models

    key, title, edge, source = NETWORKS[name]
    with torch.device("meta"):
        module = getattr(models, name)()
        image = torch.empty(2, 3, edge, edge)
    module.train()
    numbers: dict[str, float] = {
        "stated_params": sum(weight.numel() for weight in module.parameters()),
        "stated_kept": round(kept(module, (image,), {}, frozenset()) / 2),
        "stated_forward_flops": flops(module.eval(), (image[:1],), {}),
        "native_image_size": edge,
        "classes": 1000,
        **({} if "resnet" in name else {"unlike_resnet": 1}),
    }
    write(key, title, "cnn", (name,), f"{source}; torchvision models.{name}", numbers)


def denoiser(key: str) -> None:
    """One U-Net of diffusers."""
    from diffusers import UNet2DConditionModel

    title, config, aliases = DENOISERS[key]
    with torch.device("meta"):
        module = UNet2DConditionModel(**config)

    def inputs(edge: int) -> tuple[tuple[Any, ...], dict[str, Any], frozenset[int]]:
        with torch.device("meta"):
            given = (
                torch.empty(1, 4, edge, edge),
                torch.empty(1),
                torch.empty(1, TOKENS, config["cross_attention_dim"]),
            )
            extra = {"text_embeds": torch.empty(1, 1280), "time_ids": torch.empty(1, 6)}
        more = {"added_cond_kwargs": extra} if "addition_embed_type" in config else {}
        return given, more, frozenset((edge >> level) ** 2 for level in range(4))

    edge = config["sample_size"]
    sizes = (edge // 2, edge, 2 * edge)
    totals = [flops(module.eval(), *inputs(size)[:2]) for size in sizes]
    powers = np.array([[1.0, (size / edge) ** 2, (size / edge) ** 4] for size in sizes])
    squared = float(np.linalg.solve(powers, totals)[2])
    numbers: dict[str, float] = {
        "stated_params": sum(weight.numel() for weight in module.parameters()),
        # at twice the edge, where no edge is a token count by chance, and a quarter of it
        "stated_kept": round(kept(module.train(), *inputs(2 * edge)) / 4),
        "stated_forward_flops": round(totals[1] - squared),
        "stated_attention_flops": round(squared),
        "native_image_size": 8 * edge,
    }
    source = (
        "github:huggingface/diffusers UNet2DConditionModel; huggingface.co unet/config.json of the same id"
    )
    write(key, title, "diffusion", aliases, source, numbers)


def main() -> int:
    """Count and write them all."""
    for name in NETWORKS:
        network(name)
    for key in DENOISERS:
        denoiser(key)
    return 0


if __name__ == "__main__":
    sys.exit(main())
