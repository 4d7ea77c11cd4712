"""Denoisers of the diffusers library from a config.json, with random weights and the latents of an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .batch import Batch, Input
from .build import Built
from .failure import Failure

_TOKENS = 77  # of a CLIP text encoder, arXiv:2112.10752
_SCALE = 8  # edge of an image over that of its latent, arXiv:2112.10752


def of_diffusers(raw: dict[str, Any], image_size: int) -> Callable[[], Built]:
    """A factory of the class that the config names."""
    name = str(raw["_class_name"])
    try:
        import diffusers
    except ModuleNotFoundError:
        raise Failure(
            "missing", f"{name} needs the diffusers library", "pip install diffusers under that Python."
        ) from None
    made = getattr(diffusers, name, None)
    if made is None:
        raise Failure(
            "missing", f"diffusers {diffusers.__version__} has no {name}", "pip install -U diffusers"
        )

    def factory() -> Built:
        module = made.from_config(raw)
        return Built(module, _batch(module, name, image_size), None, [])

    return factory


def _batch(module: Any, name: str, image_size: int) -> Batch | None:
    config = module.config
    edge = image_size // _SCALE if image_size else int(config.sample_size)
    latent = Input([None, int(config.in_channels), edge, edge], torch.float32)
    when = Input([None], torch.int64)
    if name == "UNet2DConditionModel":
        width = config.cross_attention_dim
        width = int(width[0] if isinstance(width, (list, tuple)) else width)
        return Batch([latent, when, Input([None, _TOKENS, width], torch.float32)], {})
    if name == "UNet2DModel":
        return Batch([latent, when], {})
    if name == "DiTTransformer2DModel":
        return Batch([latent], {"timestep": when, "class_labels": when})
    return None
