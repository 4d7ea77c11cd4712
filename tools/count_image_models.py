"""Presets of image networks without a closed form, counted on the real modules.

    python tools/count_image_models.py


Needs torch, torchvision and diffusers; modules are built and run on the meta device, so nothing is loaded or
computed. Writes rules/models/<id>.toml: exact parameters, FLOPs of one forward pass (self-attention of
denoisers apart, from three sizes), and the numbers kept for the backward pass of one image.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from counting import BATCH, numbers_of, work_of
from torch.utils.flop_counter import FlopCounterMode

RULES = Path(__file__).resolve().parent.parent / "rules"
TOKENS = 77  # of a CLIP text encoder, arXiv:2112.10752

# library's name: id, title, image edge, source, other names. tv: torchvision, else timm.
NETWORKS: dict[str, tuple[str, str, int, str, str]] = {
    "tv:resnet18": ("resnet-18", "ResNet-18", 224, "arXiv:1512.03385", ""),
    "tv:resnet34": ("resnet-34", "ResNet-34", 224, "arXiv:1512.03385", ""),
    "tv:wide_resnet50_2": ("wide-resnet-50-2", "Wide ResNet-50-2", 224, "arXiv:1605.07146", ""),
    "tv:resnext50_32x4d": ("resnext-50-32x4d", "ResNeXt-50 32x4d", 224, "arXiv:1611.05431", ""),
    "resnext101_32x4d": ("resnext-101-32x4d", "ResNeXt-101 32x4d", 224, "arXiv:1611.05431", ""),
    "seresnext101_32x4d": (
        "se-resnext-101-32x4d",
        "SE-ResNeXt-101 32x4d",
        224,
        "arXiv:1709.01507",
        "se-resnext101-32x4d",
    ),
    "resnetv2_50": ("resnet-v2-50", "ResNet-50 v2 (pre-activation)", 224, "arXiv:1603.05027", ""),
    "resnetv2_50x1_bit": ("bit-resnet-50", "BiT ResNet-50x1", 224, "arXiv:1912.11370", "bit_resnet50"),
    "resnetrs50": ("resnet-rs-50", "ResNet-RS-50", 160, "arXiv:2103.07579", ""),
    "skresnet18": ("sk-resnet-18", "SK-ResNet-18", 224, "arXiv:1903.06586", ""),
    "skresnet50": ("sk-resnet-50", "SK-ResNet-50", 224, "arXiv:1903.06586", ""),
    "res2net50_26w_4s": ("res2net-50", "Res2Net-50 26w 4s", 224, "arXiv:1904.01169", "res2net50"),
    "resnest50d": ("resnest-50", "ResNeSt-50d", 224, "arXiv:2004.08955", "resnest50"),
    "seresnet50": ("se-resnet-50", "SE-ResNet-50", 224, "arXiv:1709.01507", ""),
    "tv:densenet121": ("densenet-121", "DenseNet-121", 224, "arXiv:1608.06993", ""),
    "tv:densenet161": ("densenet-161", "DenseNet-161", 224, "arXiv:1608.06993", ""),
    "tv:densenet169": ("densenet-169", "DenseNet-169", 224, "arXiv:1608.06993", ""),
    "tv:densenet201": ("densenet-201", "DenseNet-201", 224, "arXiv:1608.06993", ""),
    "tv:vgg13": ("vgg-13", "VGG-13", 224, "arXiv:1409.1556", ""),
    "tv:vgg16": ("vgg-16", "VGG-16", 224, "arXiv:1409.1556", ""),
    "tv:vgg19": ("vgg-19", "VGG-19", 224, "arXiv:1409.1556", ""),
    "tv:vgg19_bn": ("vgg-19-bn", "VGG-19 with batch normalisation", 224, "arXiv:1409.1556", ""),
    "tv:alexnet": ("alexnet", "AlexNet", 224, "arXiv:1404.5997", ""),
    "tv:googlenet": ("googlenet", "GoogLeNet", 224, "arXiv:1409.4842", ""),
    "inception_v3": ("inception-v3", "Inception v3", 299, "arXiv:1512.00567", ""),
    "inception_v4": ("inception-v4", "Inception v4", 299, "arXiv:1602.07261", ""),
    "legacy_xception": ("xception", "Xception", 299, "arXiv:1610.02357", ""),
    "tv:squeezenet1_0": ("squeezenet-1.0", "SqueezeNet 1.0", 224, "arXiv:1602.07360", "squeezenet"),
    "mobilenetv1_100": ("mobilenet-v1", "MobileNetV1", 224, "arXiv:1704.04861", "mobilenet_v1_100"),
    "mobilenetv1_025": (
        "mobilenet-v1-0.25",
        "MobileNetV1 x0.25",
        224,
        "arXiv:1704.04861",
        "mobilenet_v1_025",
    ),
    "tv:mobilenet_v2": ("mobilenet-v2", "MobileNetV2", 224, "arXiv:1801.04381", "mobilenet_v2_100"),
    "mobilenetv2_075": (
        "mobilenet-v2-0.75",
        "MobileNetV2 x0.75",
        224,
        "arXiv:1801.04381",
        "mobilenet_v2_075",
    ),
    "tv:mobilenet_v3_small": (
        "mobilenet-v3-small",
        "MobileNetV3-Small",
        224,
        "arXiv:1905.02244",
        "mobilenet_v3_small_100",
    ),
    "tv:mobilenet_v3_large": (
        "mobilenet-v3-large",
        "MobileNetV3-Large",
        224,
        "arXiv:1905.02244",
        "mobilenet_v3_large_100",
    ),
    "mobilenetv4_conv_small": ("mobilenet-v4-small", "MobileNetV4-Conv-Small", 224, "arXiv:2404.10518", ""),
    "tv:mnasnet0_75": ("mnasnet-0.75", "MnasNet x0.75", 224, "arXiv:1807.11626", "mnasnet_075"),
    "tv:mnasnet1_0": ("mnasnet-1.0", "MnasNet", 224, "arXiv:1807.11626", "mnasnet mnasnet_100"),
    "tv:shufflenet_v2_x0_5": ("shufflenet-v2-0.5", "ShuffleNetV2 x0.5", 224, "arXiv:1807.11164", ""),
    "tv:shufflenet_v2_x1_0": ("shufflenet-v2-1.0", "ShuffleNetV2", 224, "arXiv:1807.11164", "shufflenet-v2"),
    "ghostnet_050": ("ghostnet-0.5", "GhostNet x0.5", 224, "arXiv:1911.11907", ""),
    "ghostnet_100": ("ghostnet-1.0", "GhostNet", 224, "arXiv:1911.11907", "ghostnet"),
    "mixnet_s": ("mixnet-s", "MixNet-S", 224, "arXiv:1907.09595", ""),
    "rexnet_100": ("rexnet-1.0", "ReXNet x1.0", 224, "arXiv:2007.00992", "rexnet_10"),
    "nasnetalarge": ("nasnet-a-large", "NASNet-A 6@4032", 331, "arXiv:1707.07012", ""),
    "tv:regnet_x_800mf": ("regnet-x-0.8gf", "RegNetX-800MF", 224, "arXiv:2003.13678", "regnetx_008"),
    "regnety_032": ("regnet-y-3.2gf", "RegNetY-3.2GF", 224, "arXiv:2003.13678", "regnet_y_3_2gf"),
    "repvgg_a0": ("repvgg-a0", "RepVGG-A0 (training form)", 224, "arXiv:2101.03697", ""),
    "repvgg_b0": ("repvgg-b0", "RepVGG-B0 (training form)", 224, "arXiv:2101.03697", ""),
    "darknet53": ("darknet-53", "Darknet-53", 256, "arXiv:1804.02767", ""),
    "dla60": ("dla-60", "DLA-60", 224, "arXiv:1707.06484", ""),
    "dpn92": ("dpn-92", "DPN-92", 224, "arXiv:1707.01629", ""),
    "hrnet_w18": ("hrnet-w18", "HRNet-W18", 224, "arXiv:1908.07919", ""),
    "hrnet_w32": ("hrnet-w32", "HRNet-W32", 224, "arXiv:1908.07919", ""),
    "hrnet_w48": ("hrnet-w48", "HRNet-W48", 224, "arXiv:1908.07919", ""),
    "nfnet_f1": ("nfnet-f1", "NFNet-F1", 224, "arXiv:2102.06171", ""),
    **{
        f"tv:efficientnet_b{at}": (
            f"efficientnet-b{at}",
            f"EfficientNet-B{at}",
            edge,
            "arXiv:1905.11946",
            "efficientnet" if not at else "",
        )
        for at, edge in enumerate((224, 240, 288, 300, 380, 456, 528, 600))
    },
    "tv:efficientnet_v2_s": (
        "efficientnet-v2-s",
        "EfficientNetV2-S",
        384,
        "arXiv:2104.00298",
        "efficientnetv2_s",
    ),
    "tv:efficientnet_v2_m": (
        "efficientnet-v2-m",
        "EfficientNetV2-M",
        480,
        "arXiv:2104.00298",
        "efficientnetv2_m",
    ),
    "efficientnetv2_rw_s": (
        "efficientnet-v2-rw-s",
        "EfficientNetV2-S (timm's rw)",
        288,
        "arXiv:2104.00298",
        "",
    ),
    "convnextv2_tiny": ("convnext-v2-t", "ConvNeXt V2-T", 224, "arXiv:2301.00808", "convnextv2_tiny"),
}
# Attention in stages, mixers and hybrids: no closed form of theirs is in the rules.
MIXED: dict[str, tuple[str, str, int, str, str]] = {
    "mixer_b16_224": ("mixer-b-16", "MLP-Mixer-B/16", 224, "arXiv:2105.01601", ""),
    "mixer_l16_224": ("mixer-l-16", "MLP-Mixer-L/16", 224, "arXiv:2105.01601", ""),
    "swin_tiny_patch4_window7_224": (
        "swin-t",
        "Swin-T",
        224,
        "arXiv:2103.14030",
        "swin_tiny microsoft/swin-tiny-patch4-window7-224",
    ),
    "swin_small_patch4_window7_224": (
        "swin-s",
        "Swin-S",
        224,
        "arXiv:2103.14030",
        "swin_small microsoft/swin-small-patch4-window7-224",
    ),
    "swin_base_patch4_window7_224": (
        "swin-b",
        "Swin-B",
        224,
        "arXiv:2103.14030",
        "swin_base microsoft/swin-base-patch4-window7-224",
    ),
    "swin_large_patch4_window7_224": (
        "swin-l",
        "Swin-L",
        224,
        "arXiv:2103.14030",
        "swin_large microsoft/swin-large-patch4-window7-224",
    ),
    "swinv2_tiny_window8_256": (
        "swin-v2-t",
        "Swin V2-T",
        256,
        "arXiv:2111.09883",
        "swinv2_tiny_window8 swinv2_tiny",
    ),
    "swinv2_base_window8_256": (
        "swin-v2-b",
        "Swin V2-B",
        256,
        "arXiv:2111.09883",
        "swinv2_base_window8 swinv2_base",
    ),
    "beit_large_patch16_224": ("beit-l-16", "BEiT-L/16", 224, "arXiv:2106.08254", ""),
    "beit_base_patch16_224": ("beit-b-16", "BEiT-B/16", 224, "arXiv:2106.08254", ""),
    "vit_giant_patch14_dinov2": (
        "dinov2-g-14",
        "DINOv2 ViT-g/14",
        518,
        "arXiv:2304.07193",
        "facebook/dinov2-giant",
    ),
    "deit3_large_patch16_224": ("deit3-l-16", "DeiT III-L/16", 224, "arXiv:2204.07118", ""),
    "cait_s24_224": ("cait-s24", "CaiT-S24", 224, "arXiv:2103.17239", ""),
    "coat_mini": ("coat-mini", "CoaT-Mini", 224, "arXiv:2104.06399", ""),
    "convit_tiny": ("convit-ti", "ConViT-Ti", 224, "arXiv:2103.10697", ""),
    "convit_base": ("convit-b", "ConViT-B", 224, "arXiv:2103.10697", ""),
    "crossvit_9_240": ("crossvit-9", "CrossViT-9", 240, "arXiv:2103.14899", ""),
    "mobilevit_xxs": ("mobilevit-xxs", "MobileViT-XXS", 256, "arXiv:2110.02178", "mobilevit_xx_small"),
    "mobilevit_xs": ("mobilevit-xs", "MobileViT-XS", 256, "arXiv:2110.02178", "mobilevit_x_small"),
    "mobilevit_s": ("mobilevit-s", "MobileViT-S", 256, "arXiv:2110.02178", "mobilevit_small"),
    "mobilevitv2_100": ("mobilevit-v2-1.0", "MobileViT v2 x1.0", 256, "arXiv:2206.02680", ""),
    "nest_small": ("nest-s", "NesT-S", 224, "arXiv:2105.12723", "jx_nest_small"),
    "pit_ti_224": ("pit-ti", "PiT-Ti", 224, "arXiv:2103.16302", ""),
    "pit_b_224": ("pit-b", "PiT-B", 224, "arXiv:2103.16302", ""),
    "pvt_v2_b0": ("pvt-v2-b0", "PVT v2-B0", 224, "arXiv:2106.13797", ""),
    "pvt_v2_b2": ("pvt-v2-b2", "PVT v2-B2", 224, "arXiv:2106.13797", ""),
    "tnt_s_patch16_224": ("tnt-s-16", "TNT-S/16", 224, "arXiv:2103.00112", ""),
    "visformer_tiny": ("visformer-ti", "Visformer-Ti", 224, "arXiv:2104.12533", ""),
    "vit_relpos_base_patch16_224": (
        "vit-relpos-b-16",
        "ViT-B/16 with relative positions",
        224,
        "github:huggingface/pytorch-image-models",
        "",
    ),
    "volo_d1_224": ("volo-d1", "VOLO-D1", 224, "arXiv:2106.13112", ""),
    "xcit_small_12_p16_224": ("xcit-s12-16", "XCiT-S12/16", 224, "arXiv:2106.09681", ""),
    "poolformer_s12": ("poolformer-s12", "PoolFormer-S12", 224, "arXiv:2111.11418", ""),
    "twins_svt_base": ("twins-svt-b", "Twins-SVT-B", 224, "arXiv:2104.13840", ""),
    "levit_256": ("levit-256", "LeViT-256", 224, "arXiv:2104.01136", ""),
    "maxvit_tiny_tf_224": ("maxvit-t", "MaxViT-T", 224, "arXiv:2204.01697", ""),
    "coatnet_0_224": ("coatnet-0", "CoAtNet-0", 224, "arXiv:2106.04803", ""),
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


def _build(name: str) -> tuple[Any, str]:
    """The module on the meta device and where it comes from."""
    import timm
    from torchvision import models

    if name.startswith("tv:"):
        more = {"aux_logits": False, "init_weights": False} if name == "tv:googlenet" else {}
        return getattr(models, name[3:])(**more).to("meta"), f"torchvision models.{name[3:]}"
    if name == "mobilenetv1_025":
        made = timm.models.efficientnet._gen_mobilenet_v1("mobilenetv1_100", 0.25)
        return made.to("meta"), "timm mobilenetv1_100 at a channel multiplier of 0.25"
    return timm.create_model(name).to("meta"), f"timm {name}"


def network(name: str) -> None:
    """One network of torchvision or timm."""
    key, title, edge, source, others = (NETWORKS | MIXED)[name]
    module, origin = _build(name)
    image = torch.empty(BATCH, 3, edge, edge, device="meta")
    numbers = numbers_of(module, lambda: module(image)) | {"native_image_size": edge, "classes": 1000}
    mixed = name in MIXED
    if not mixed and not name.removeprefix("tv:").startswith(
        ("resnet1", "resnet3", "wide_resnet", "resnext")
    ):
        numbers["unlike_resnet"] = 1
    names = dict.fromkeys((name.removeprefix("tv:"), *others.split()))
    aliases = tuple(other for other in names if other != key)
    write(key, title, "stated" if mixed else "cnn", aliases, f"{source}; {origin}", numbers)


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
    work = work_of(lambda: module(*inputs(edge)[0], **inputs(edge)[1]), batch=1)
    numbers |= {
        "stated_activations": round(work.outputs),
        "stated_written": round(work.written),
        "stated_operators": work.operators,
    }
    source = (
        "github:huggingface/diffusers UNet2DConditionModel; huggingface.co unet/config.json of the same id"
    )
    write(key, title, "diffusion", aliases, source, numbers)


def main() -> int:
    """Count and write them all, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="library names or ids; none: all")
    only = parser.parse_args().only
    for name, entry in (NETWORKS | MIXED).items():
        if not only or name in only or entry[0] in only:
            network(name)
    for key in DENOISERS:
        if not only or key in only:
            denoiser(key)
    return 0


if __name__ == "__main__":
    sys.exit(main())
