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
_SD3_TOKENS = 154  # 77 of CLIP and 77 of T5, arXiv:2403.03206
_FLUX_TOKENS = 512  # of T5 at most; github:black-forest-labs/flux
_FLUX_EDGE = 1024  # of an image, which its config does not tell


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
        return Built(module, _batch(module.config, name, image_size), None, [])

    return factory


def _batch(config: Any, name: str, image_size: int) -> Batch | None:
    """Inputs of the classes that are known; None for others, whose inputs --input tells."""
    make = _BATCHES.get(name)
    return None if make is None else make(config, image_size)


def _latent(config: Any, image_size: int) -> Input:
    edge = image_size // _SCALE if image_size else int(config.sample_size)
    return Input([None, int(config.in_channels), edge, edge], torch.float32)


def _numbers(*sizes: int | None) -> Input:
    return Input(list(sizes), torch.float32)


def _when() -> Input:
    return Input([None], torch.int64)


def _conditioned(config: Any, image_size: int) -> Batch:
    width = config.cross_attention_dim
    width = int(width[0] if isinstance(width, (list, tuple)) else width)
    return Batch([_latent(config, image_size), _when(), _numbers(None, _TOKENS, width)], {})


def _unconditioned(config: Any, image_size: int) -> Batch:
    return Batch([_latent(config, image_size), _when()], {})


def _labelled(config: Any, image_size: int) -> Batch:
    return Batch([_latent(config, image_size)], {"timestep": _when(), "class_labels": _when()})


def _joint(config: Any, image_size: int) -> Batch:
    """Stable Diffusion 3."""
    text = _numbers(None, _SD3_TOKENS, int(config.joint_attention_dim))
    pooled = _numbers(None, int(config.pooled_projection_dim))
    return Batch([_latent(config, image_size), text, pooled, _when()], {})


def _flux(config: Any, image_size: int) -> Batch:
    """FLUX: the latent comes as a sequence of its 2 x 2 patches, places of both sequences beside it."""
    patches = ((image_size or _FLUX_EDGE) // (2 * _SCALE)) ** 2
    named = {
        "hidden_states": _numbers(None, patches, int(config.in_channels)),
        "encoder_hidden_states": _numbers(None, _FLUX_TOKENS, int(config.joint_attention_dim)),
        "pooled_projections": _numbers(None, int(config.pooled_projection_dim)),
        "timestep": _numbers(None),
        "img_ids": _numbers(patches, 3),
        "txt_ids": _numbers(_FLUX_TOKENS, 3),
    }
    if config.guidance_embeds:
        named["guidance"] = _numbers(None)
    return Batch([], named)


_BATCHES: dict[str, Callable[[Any, int], Batch]] = {
    "UNet2DConditionModel": _conditioned,
    "UNet2DModel": _unconditioned,
    "DiTTransformer2DModel": _labelled,
    "SD3Transformer2DModel": _joint,
    "FluxTransformer2DModel": _flux,
}
