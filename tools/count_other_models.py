# ruff: noqa: E501 - networks and sources a line
"""Presets of detection, segmentation, speech and translation networks, counted on modules.

    python tools/count_other_models.py [ID …]

Needs torch, torchvision, timm, transformers, diffusers, monai and effdet. Where no library has the network it is
built (tools/other_networks.py) from its published description. Proposals of detection networks are as many as training draws.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import torch
from count_image_models import write
from counting import BATCH, numbers_of, work_of
from other_networks import Gnmt, Jasper, Kwt, Unet
from torch import nn

Counted = tuple[str, str, tuple[str, ...], str, dict[str, float]]  # title, family, aliases, source, numbers
DLE = "github:NVIDIA/DeepLearningExamples"


def _empty(*shape: int) -> Any:
    return torch.empty(*shape, device="meta")


def _conv_bn(inner: int, out: int, kernel: int, **more: Any) -> list[nn.Module]:
    return [nn.Conv2d(inner, out, kernel, bias=False, **more), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]


def ssd300() -> Counted:
    """ResNet-50 up to its third stage, which keeps the size, five more maps, two convolutions on each."""
    from torchvision.models import resnet50

    body = nn.Sequential(*list(resnet50().children())[:7])
    first = body[-1][0]
    first.conv1.stride = first.conv2.stride = first.downsample[0].stride = (1, 1)
    widths = (1024, 512, 512, 256, 256, 256)
    more = nn.ModuleList()
    for at, inner in enumerate((256, 256, 128, 128, 128)):
        step: dict[str, Any] = {"padding": 1, "stride": 2} if at < 3 else {}
        more.append(
            nn.Sequential(*_conv_bn(widths[at], inner, 1), *_conv_bn(inner, widths[at + 1], 3, **step))
        )
    boxes = nn.ModuleList(
        nn.Conv2d(width, count * (4 + 81), 3, padding=1)
        for width, count in zip(widths, (4, 6, 6, 6, 4, 4), strict=True)
    )
    module = nn.ModuleList((body, more, boxes)).to("meta")
    image = _empty(BATCH, 3, 300, 300)

    def run() -> None:
        maps = [body(image)]
        for layer in more:
            maps.append(layer(maps[-1]))
        for box, given in zip(boxes, maps, strict=True):
            box(given)

    numbers = numbers_of(module, run) | {"native_image_size": 300}
    return "SSD300 with ResNet-50", "cnn", ("ssd300",), f"{DLE} PyTorch/Detection/SSD ssd/model.py", numbers


def mask_rcnn() -> Counted:
    """COCO: a short side of 800, 4:3 (1,067, padded to 1,088); 512 proposals, 128 of them with masks."""
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    module = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=81).to("meta")
    image = _empty(BATCH, 3, 800, 1088)
    heads = module.roi_heads

    def run() -> None:
        maps = module.backbone(image)
        module.rpn.head(list(maps.values()))
        heads.box_predictor(heads.box_head(_empty(BATCH * 512, 256, 7, 7)))
        heads.mask_predictor(heads.mask_head(_empty(BATCH * 128, 256, 14, 14)))

    numbers = numbers_of(module, run) | {"native_image_size": 800}
    source = "arXiv:1703.06870; torchvision maskrcnn_resnet50_fpn"
    return "Mask R-CNN with ResNet-50 FPN", "cnn", ("maskrcnn_resnet50_fpn", "mask-rcnn"), source, numbers


def retinanet() -> Counted:
    """The one of MLPerf: Open Images, 264 classes, 800 x 800 pixels."""
    from torchvision.models.detection import RetinaNet
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7

    body = resnet_fpn_backbone(
        backbone_name="resnext50_32x4d", weights=None, returned_layers=[2, 3, 4],
        extra_blocks=LastLevelP6P7(256, 256), norm_layer=nn.BatchNorm2d,
    )  # fmt: skip
    module = RetinaNet(body, num_classes=264).to("meta")
    image = _empty(BATCH, 3, 800, 800)
    numbers = numbers_of(module, lambda: module.head(list(module.backbone(image).values())))
    source = "github:mlcommons/training single_stage_detector; torchvision RetinaNet"
    return (
        "RetinaNet with ResNeXt-50 32x4d FPN", "cnn", ("retinanet",), source,
        numbers | {"native_image_size": 800, "stated_scores": 120_087 * 264},  # anchors of five levels, classes
    )  # fmt: skip


def unet_medical() -> Counted:
    module, image = Unet().to("meta"), _empty(BATCH, 3, 572, 572)
    numbers = numbers_of(module, lambda: module(image)) | {"native_image_size": 572}
    source = f"arXiv:1505.04597; {DLE} TensorFlow2/Segmentation/UNet_Medical"
    return "U-Net (medical, 572 pixels)", "cnn", ("unet-medical",), source, numbers


def _nnunet(shape: tuple[int, ...], inner: int, classes: int) -> dict[str, float]:
    """Six levels, strided convolutions down, transposed ones up, as its planner chooses for these patches."""
    from monai.networks.nets import DynUNet

    dims = len(shape)
    strides = [[1] * dims] + [[2] * dims] * 5
    module = DynUNet(
        dims, inner, classes, [[3] * dims] * 6, strides, strides[1:], norm_name=("INSTANCE", {"affine": True}),
        act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}), deep_supervision=False, trans_bias=True,
    ).to("meta")  # fmt: skip
    image = _empty(BATCH, inner, *shape)
    return numbers_of(module, lambda: module(image))


_NNUNET = (
    f"arXiv:1809.10486; {DLE} PyTorch/Segmentation/nnUNet, task 01 (brain tumours: 4 channels, 4 classes)"
)


def nnunet_2d() -> Counted:
    """Its patch is 192 x 160: the edge of the square of the same area stands for it."""
    numbers = _nnunet((192, 160), 4, 4) | {"native_image_size": (192 * 160) ** 0.5}
    return "nnU-Net 2D (patch 192 x 160)", "cnn", ("nnunet-2d",), _NNUNET, numbers


def nnunet_3d() -> Counted:
    numbers = _nnunet((128, 128, 128), 4, 4) | {"native_image_size": 128, "image_dimensions": 3}
    return "nnU-Net 3D (patch 128^3)", "cnn", ("nnunet-3d",), _NNUNET, numbers


def unet_3d() -> Counted:
    """KiTS19 of MLPerf: one channel, three classes."""
    numbers = _nnunet((128, 128, 128), 1, 3) | {"native_image_size": 128, "image_dimensions": 3}
    source = "arXiv:1606.06650; github:mlcommons/training image_segmentation (nnU-Net's plan of six levels)"
    return "3D U-Net (KiTS19, patch 128^3)", "cnn", ("unet3d",), source, numbers


def efficientdet_d0() -> Counted:
    from effdet import EfficientDet, get_efficientdet_config

    module = EfficientDet(get_efficientdet_config("efficientdet_d0"), pretrained_backbone=False).to("meta")
    image = _empty(BATCH, 3, 512, 512)
    numbers = numbers_of(module, lambda: module(image)) | {"native_image_size": 512}
    source = "arXiv:1911.09070; effdet efficientdet_d0"
    return "EfficientDet-D0", "cnn", ("efficientdet_d0",), source, numbers


def jasper() -> Counted:
    """LibriSpeech utterances of up to 16.7 s; a batch is padded to about that."""
    module, sound = Jasper().to("meta"), _empty(BATCH, 64, 1670)
    numbers = numbers_of(module, lambda: module(sound)) | {"native_seq_len": 1670}
    source = f"arXiv:1904.03288; {DLE} PyTorch/SpeechRecognition/Jasper jasper10x5dr (333 M parameters)"
    return "Jasper 10x5 dense residual", "stated", ("jasper",), source, numbers


def gnmt() -> Counted:
    """A sentence pair of 25 + 25 tokens; its trainer's tokens/s count both languages."""
    module = Gnmt().to("meta")
    words = torch.empty(25, BATCH, dtype=torch.long, device="meta")
    numbers = numbers_of(module, lambda: module(words, words)) | {"native_seq_len": 50}
    source = f"arXiv:1609.08144; {DLE} PyTorch/Translation/GNMT (vocabulary 32,320, embedding shared)"
    return "GNMT v2 (4 + 4 LSTM layers)", "stated", ("gnmt-v2",), source, numbers


def _wav2vec2(frames: int, **config: Any) -> dict[str, float]:
    """Sound of `frames` x 10 ms at 16 kHz."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    made = Wav2Vec2Config(
        **config, apply_spec_augment=False, attn_implementation="sdpa", layerdrop=0.0, hidden_dropout=0.0,
        attention_dropout=0.0, activation_dropout=0.0, feat_proj_dropout=0.0, final_dropout=0.0,
    )  # fmt: skip
    module, sound = Wav2Vec2ForCTC(made).to("meta"), _empty(BATCH, 160 * frames)
    return numbers_of(module, lambda: module(sound)) | {"native_seq_len": frames}


_W2V = "arXiv:2006.11477; transformers Wav2Vec2ForCTC; an utterance of 12.7 s, the mean of LibriSpeech's clean 100 h"


def wav2vec2_base() -> Counted:
    return "wav2vec 2.0 base", "stated", ("facebook/wav2vec2-base",), _W2V, _wav2vec2(1270)


def wav2vec2_large() -> Counted:
    numbers = _wav2vec2(
        1270, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096,
        feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True,
    )  # fmt: skip
    return "wav2vec 2.0 large (LV-60)", "stated", ("facebook/wav2vec2-large-lv60",), _W2V, numbers


def kwt_2() -> Counted:
    """One second of Speech Commands."""
    module, sound = Kwt().to("meta"), _empty(BATCH, 98, 40)
    numbers = numbers_of(module, lambda: module(sound)) | {"native_seq_len": 98}
    return (
        "Keyword Transformer KWT-2",
        "stated",
        ("kwt2",),
        "arXiv:2104.00769 table 1 (2.4 M parameters)",
        numbers,
    )


def clip_roberta() -> Counted:
    """Images of 224 pixels with texts padded to 128 tokens, as the contrastive-image-text example does."""
    from transformers import (
        CLIPVisionConfig,
        RobertaConfig,
        VisionTextDualEncoderConfig,
        VisionTextDualEncoderModel,
    )

    text = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        CLIPVisionConfig(), text, projection_dim=512
    )
    module = VisionTextDualEncoderModel(config).to("meta")
    image, words = _empty(BATCH, 3, 224, 224), torch.zeros(BATCH, 128, dtype=torch.long, device="meta")
    numbers = numbers_of(module, lambda: module(input_ids=words, pixel_values=image))
    source = "arXiv:2103.00020, arXiv:1907.11692; transformers VisionTextDualEncoderModel"
    return "CLIP ViT-B/32 with RoBERTa-base", "stated", (), source, numbers | {"native_image_size": 224}


def flux() -> Counted:
    """1,024 pixels: 64 x 64 packed latents, with 512 tokens of text."""
    from diffusers import FluxTransformer2DModel

    with torch.device("meta"):
        module = FluxTransformer2DModel(guidance_embeds=True)
    latents, text, pooled = _empty(1, 4096, 64), _empty(1, 512, 4096), _empty(1, 768)
    places = {"img_ids": _empty(4096, 3), "txt_ids": _empty(512, 3)}

    def run() -> None:
        module(latents, text, pooled, _empty(1), guidance=_empty(1), **places)

    numbers = numbers_of(module, run, batch=1)
    attention = round(work_of(run, batch=1).by_kind["attention"])
    numbers["stated_forward_flops"] -= attention
    numbers |= {"stated_attention_flops": attention, "native_image_size": 1024}
    source = (
        "github:black-forest-labs/flux; diffusers FluxTransformer2DModel (its defaults, guidance embedded)"
    )
    return "FLUX.1-dev", "diffusion", ("black-forest-labs/FLUX.1-dev", "flux-dev"), source, numbers


NETWORKS: dict[str, Callable[[], Counted]] = {
    "ssd300-resnet-50": ssd300,
    "mask-rcnn-resnet-50-fpn": mask_rcnn,
    "retinanet-resnext-50-fpn": retinanet,
    "u-net-medical": unet_medical,
    "nnu-net-2d": nnunet_2d,
    "nnu-net-3d": nnunet_3d,
    "u-net-3d-kits19": unet_3d,
    "efficientdet-d0": efficientdet_d0,
    "jasper-10x5dr": jasper,
    "gnmt": gnmt,
    "wav2vec2-base": wav2vec2_base,
    "wav2vec2-large": wav2vec2_large,
    "kwt-2": kwt_2,
    "clip-roberta": clip_roberta,
    "flux.1-dev": flux,
}


def main() -> int:
    """Count and write them all, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="ids; none: all")
    only = parser.parse_args().only
    for key, count in NETWORKS.items():
        if only and key not in only:
            continue
        title, family, aliases, source, numbers = count()
        extra: dict[str, float] = {"unlike_resnet": 1} if family == "cnn" else {}
        write(key, title, family, tuple(name for name in aliases if name != key), source, numbers | extra)
    return 0


if __name__ == "__main__":
    sys.exit(main())
