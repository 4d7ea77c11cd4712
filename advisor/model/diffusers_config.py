"""A config.json of diffusers, which names its class: the preset of that shape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.errors import UserError

_KNOWN: tuple[tuple[str, tuple[str, ...], Mapping[str, Any]], ...] = (
    ("sd-1.5", ("UNet2DConditionModel",),
     {"block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768}),
    ("sd-2.1", ("UNet2DConditionModel",),
     {"block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 1024}),
    ("sdxl", ("UNet2DConditionModel",),
     {"block_out_channels": [320, 640, 1280], "cross_attention_dim": 2048}),
    ("flux.1-dev", ("FluxTransformer2DModel",), {"num_layers": 19, "num_single_layers": 38}),
    ("dit-xl-2", ("DiTTransformer2DModel", "Transformer2DModel"),
     {"num_layers": 28, "num_attention_heads": 16, "attention_head_dim": 72, "patch_size": 2}),
)  # fmt: skip
"""Presets, the classes that write them and the fields that tell them apart: unet/config.json and
transformer/config.json of the models' own repositories."""


def preset_of(raw: Mapping[str, Any], path: Path) -> str:
    """The preset that a file with a `_class_name` describes; '' for a file without.

    Raises UserError for a class or a shape that is none of them.
    """
    kind = raw.get("_class_name")
    if not isinstance(kind, str) or raw.get("architectures"):
        return ""
    for preset, classes, fields in _KNOWN:
        if kind in classes and all(raw.get(name) == value for name, value in fields.items()):
            return preset
    shapes = [preset for preset, classes, _ in _KNOWN if kind in classes]
    what = (
        f"a {kind[:60]} of another shape than {', '.join(shapes)}" if shapes else f"the class {kind[:60]!r}"
    )
    raise UserError(
        f"{path}: _class_name: {what} is not covered by the rules",
        "`estimate --trace` lowers it by diffusers (hwadvisor[trace]), or give code that builds it (--model "
        "file.py:factory), or its size with --params.",
    )
