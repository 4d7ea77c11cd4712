"""A picture in each sequence, of networks of vision and language whose config tells how many tokens it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .batch import Input, real
from .failure import Failure

_CHANNELS = 3
_PROMPT = 2  # tokens beside the picture's at least: one to be told, one to be learned
_UNCHECKED = "TRANSFORMERS_DISABLE_TORCH_CHECK"


def _patches(config: Any) -> int:
    """Patches along an edge."""
    vision = config.vision_config
    return _one(vision.image_size) // _one(vision.patch_size)


def _llava(config: Any) -> int:
    whole = getattr(config, "vision_feature_select_strategy", "default") == "full"  # with the class token
    return int(_patches(config) ** 2 + whole)


def _pooled(config: Any) -> int:
    """Patches averaged over squares; 0 where they do not part into so many."""
    tokens = int(config.mm_tokens_per_image)
    along = round(tokens**0.5)
    return tokens if along**2 == tokens and _patches(config) % along == 0 else 0


_TOKENS: dict[str, Callable[[Any], int]] = {
    "llava": _llava,
    "paligemma": lambda config: int(_patches(config) ** 2),
    "gemma3": _pooled,
    "internvl": lambda config: int((_patches(config) * config.downsample_ratio) ** 2),
}
"""Tokens of a picture by the kind of network, as transformers' modelling code makes them of its patches."""


def _one(size: Any) -> int:
    return int(size[0] if isinstance(size, (list, tuple)) else size)


def pictured(config: Any, takes: Any, seq_len: int, image_size: int) -> tuple[dict[str, Any], list[str]]:
    """What a sequence with a picture is made of, and what is to be said; nothing where the config does not
    tell how many tokens a picture is, or a sequence is too short for it. Raises Failure for another size.
    """
    count = _TOKENS.get(str(config.model_type))
    if count is None or "pixel_values" not in takes:
        return {}, []
    tokens, edge = count(config), _one(config.vision_config.image_size)
    if not tokens or tokens + _PROMPT > seq_len:
        return {}, []
    if image_size not in (0, edge):
        raise Failure(
            "input", f"its config has pictures of {edge}x{edge}, which {tokens} tokens stand for",
            "Leave --image-size away, or change vision_config.image_size in the file.",
        )  # fmt: skip
    values = None
    if real():
        values = torch.zeros(2, seq_len, dtype=torch.int64)
        values[:, :tokens] = int(config.image_token_id)
    channels = int(getattr(config.vision_config, "num_channels", _CHANNELS))
    given = {
        "input_ids": Input([None, seq_len], torch.int64, values),
        "pixel_values": Input([None, channels, edge, edge], torch.float32),
    }
    if "token_type_ids" in takes:
        given["token_type_ids"] = Input([None, seq_len], torch.int64)
    words = f"{tokens} of its {seq_len} tokens"
    return given, [
        f"Assumed: one picture of {edge}x{edge} in each sequence, {words}, as its config has them."
    ]


@contextlib.contextmanager
def unchecked() -> Iterator[None]:
    """While this holds, transformers does not compare how many tokens are pictures' with how many there are:
    tensors that hold nothing cannot tell.
    """
    before = os.environ.get(_UNCHECKED)
    os.environ[_UNCHECKED] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_UNCHECKED]
        else:
            os.environ[_UNCHECKED] = before
