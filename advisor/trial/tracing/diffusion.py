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
_FLUX_EDGE = 1024  # of an image, which its config does not tell (nor Qwen-Image's)
_TIME_IDS = 6  # of SDXL: size, crop and target of the picture, arXiv:2307.01952
_PIXART_TOKENS = 120  # of T5, arXiv:2310.00426
_SIZED_EDGE = 128  # of the latent from which PixArt is told sizes; github:huggingface/diffusers
_SANA_TOKENS = 300  # of its text model; github:huggingface/diffusers pipeline_sana.py
_SANA_SCALE = 32  # of its autoencoder, arXiv:2410.10629
_QWEN_TOKENS = (
    512  # of its text model at most, by default; github:huggingface/diffusers pipeline_qwenimage.py
)


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
    named = _added(config)
    return Batch([_latent(config, image_size), _when(), _numbers(None, _TOKENS, width)], named)


def _added(config: Any) -> dict[str, Any]:
    """What SDXL's U-Net is told beside its text: the pooled text and six sizes of the picture."""
    if config.addition_embed_type != "text_time":
        return {}
    text = int(config.projection_class_embeddings_input_dim) - _TIME_IDS * int(config.addition_time_embed_dim)
    return {"added_cond_kwargs": {"text_embeds": _numbers(None, text), "time_ids": _numbers(None, _TIME_IDS)}}


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


def _pixart(config: Any, image_size: int) -> Batch:
    """PixArt; the larger one is told the picture's size too, as its module decides."""
    sized = config.use_additional_conditions
    sized = int(config.sample_size) == _SIZED_EDGE if sized is None else bool(sized)
    named = {
        "encoder_hidden_states": _numbers(None, _PIXART_TOKENS, int(config.caption_channels)),
        "timestep": _when(),
        "added_cond_kwargs": {
            "resolution": _numbers(None, 2) if sized else None,
            "aspect_ratio": _numbers(None, 1) if sized else None,
        },
    }
    return Batch([_latent(config, image_size)], named)


def _sana(config: Any, image_size: int) -> Batch:
    """Sana, whose encoder makes pictures 32 times smaller."""
    edge = image_size // _SANA_SCALE if image_size else int(config.sample_size)
    text = _numbers(None, _SANA_TOKENS, int(config.caption_channels))
    named = {"encoder_hidden_states": text, "timestep": _numbers(None)}
    if config.guidance_embeds:
        named["guidance"] = _numbers(None)
    return Batch([_numbers(None, int(config.in_channels), edge, edge)], named)


def _qwen(config: Any, image_size: int) -> Batch:
    """Qwen-Image: 2 x 2 patches of the latent as a sequence, and how many there are along each edge."""
    edge = (image_size or _FLUX_EDGE) // (2 * _SCALE)
    named = {
        "hidden_states": _numbers(None, edge**2, int(config.in_channels)),
        "encoder_hidden_states": _numbers(None, _QWEN_TOKENS, int(config.joint_attention_dim)),
        "timestep": _numbers(None),
        "img_shapes": [[(1, edge, edge)]],
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
    "PixArtTransformer2DModel": _pixart,
    "SanaTransformer2DModel": _sana,
    "QwenImageTransformer2DModel": _qwen,
}
