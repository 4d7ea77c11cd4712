"""config.json of image networks."""

from __future__ import annotations

from advisor.model.config import MAX_HEADS, Config, Numbers, Reader


def _edge(c: Config, default: int) -> float:
    """`image_size`, which some write as a pair of the same number."""
    return c.whole("image_size", default=default, high=100_000)


def _blocks(c: Config) -> Numbers:
    hidden = c.whole("hidden_size")
    heads = c.whole("num_attention_heads", high=MAX_HEADS)
    if hidden % heads:
        c.fail("hidden_size", f"is no multiple of the {heads:g} attention heads")
    c.must_be("num_channels", 3, 3)
    return {
        "norm_vectors": 2.0,
        "ffn_matrices": 2.0,
        "linear_bias": 1.0,
        "layers": c.layers("num_hidden_layers"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": hidden / heads,
    }


def _patches(c: Config, image: int, patch: int) -> Numbers:
    size, edge = _edge(c, image), c.whole("patch_size", default=patch, high=100_000)
    if size % edge:
        c.fail("image_size", f"is no multiple of the patch size {edge:g}")
    return {"native_image_size": size, "patch": edge}


def classes(c: Config) -> float:
    """Labels listed, or counted; 1,000 of ImageNet where the file says nothing."""
    labels = c.entries("id2label")
    if labels:
        return float(labels)
    return c.whole("num_labels", default=1000, low=0)


def vit(c: Config) -> Numbers:
    bias = c.flag("qkv_bias", True)
    found = {**_patches(c, 224, 16), **_blocks(c), "qkv_bias": bias, "classes": classes(c)}
    return {**found, "ffn_hidden": c.whole("intermediate_size", default=4 * found["hidden"])}


def vit_bare(c: Config) -> Numbers:
    return {**vit(c), "classes": 0.0}


def deit(c: Config) -> Numbers:
    return {**vit(c), "special_tokens": 2.0}


def deit_teacher(c: Config) -> Numbers:
    return {**deit(c), "classifiers": 2.0}


def clip_vision(c: Config) -> Numbers:
    found = {**_patches(c, 224, 32), **_blocks(c), "qkv_bias": 1.0, "classes": 0.0}
    width = c.whole("projection_dim", default=512)
    ffn = c.whole("intermediate_size", default=4 * found["hidden"])
    return {**found, "ffn_hidden": ffn, "patch_bias": 0.0, "embedding_norms": 1.0, "projection": width}


def dinov2(c: Config, registers: bool = False) -> Numbers:
    c.must_be("use_swiglu_ffn", False, False)
    c.must_be("use_mask_token", True, True)
    found = {**_patches(c, 224, 14), **_blocks(c), "qkv_bias": c.flag("qkv_bias", True), "classes": 0.0}
    ratio = c.whole("mlp_ratio", default=4, high=1000)
    extra = {"register_tokens": c.whole("num_register_tokens", default=4, low=0)} if registers else {}
    return {
        **found,
        **extra,
        "ffn_hidden": ratio * found["hidden"],
        "layer_scales": 2.0,
        "spare_vectors": 1.0,
    }


def dinov2_registers(c: Config) -> Numbers:
    return dinov2(c, registers=True)


def resnet(c: Config) -> Numbers:
    c.must_be("layer_type", "bottleneck", "bottleneck")
    c.must_be("embedding_size", 64, 64)
    c.must_be("num_channels", 3, 3)
    c.must_be("hidden_sizes", [256, 512, 1024, 2048], [256, 512, 1024, 2048])
    for key in ("downsample_in_first_stage", "downsample_in_bottleneck"):
        c.must_be(key, False, False)
    depths = c.wholes("depths", (3, 4, 6, 3), count=4)
    return {
        **{f"blocks_{at}": float(depth) for at, depth in enumerate(depths, 1)},
        "classes": classes(c),
        "native_image_size": 224.0,
    }


def convnext(c: Config) -> Numbers:
    c.must_be("patch_size", 4, 4)
    c.must_be("num_channels", 3, 3)
    depths = c.wholes("depths", (3, 3, 9, 3), count=4)
    widths = c.wholes("hidden_sizes", (96, 192, 384, 768), count=4)
    return {
        **{f"blocks_{at}": float(depth) for at, depth in enumerate(depths, 1)},
        **{f"width_{at}": float(width) for at, width in enumerate(widths, 1)},
        "unlike_resnet": 1.0,
        "classes": classes(c),
        "native_image_size": _edge(c, 224),
    }


VITS: dict[str, Reader] = {
    "ViTForImageClassification": vit,
    "ViTModel": vit_bare,
    "DeiTForImageClassification": deit,
    "DeiTForImageClassificationWithTeacher": deit_teacher,
    "CLIPVisionModelWithProjection": clip_vision,
    "Dinov2Model": dinov2,
    "Dinov2WithRegistersModel": dinov2_registers,
}
CNNS: dict[str, Reader] = {
    "ResNetForImageClassification": resnet,
    "ConvNextForImageClassification": convnext,
}
