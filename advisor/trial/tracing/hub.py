"""Networks of the transformers library from a config.json, with random weights and a batch that fits them."""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import torch

from .batch import Batch, Input, real
from .build import Built
from .failure import Failure
from .vision import pictured

_PIXELS = 224
_CHANNELS = 3
_FILMED = ("videomae", "timesformer", "vivit")  # their pixels come as frames
_CHANCE = {
    "layerdrop": (0.0, "layers that are skipped (layerdrop), so that all count"),
    "apply_spec_augment": (False, "masks over sound (SpecAugment)"),
}
_SCANNED = ("mamba", "jamba", "bamba", "zamba")  # state spaces, which transformers scans in PyTorch on a CPU


def of_transformers(raw: dict[str, Any], seq_len: int, image_size: int) -> Callable[[], Built]:
    """A factory of the architecture that the config names."""
    try:
        import transformers
    except ModuleNotFoundError:
        raise Failure(
            "missing", "--trace of a config.json needs the transformers library",
            "pip install 'hwadvisor[trace]', or leave --trace away: most are known in closed form.",
        ) from None  # fmt: skip
    kind, names = raw.get("model_type"), raw.get("architectures") or []
    if not kind or not names:
        raise Failure("input", "the config.json names no model_type or no architectures", "Check the file.")
    made = getattr(transformers, str(names[0]), None)
    if made is None:
        raise Failure(
            "missing",
            f"transformers {transformers.__version__} has no {names[0]}",
            "pip install -U transformers",
        )
    config = transformers.AutoConfig.for_model(**raw)
    config.use_cache = False
    left_out = _without_chance(config)

    if (
        getattr(config, "is_encoder_decoder", False)
        and getattr(config, "decoder_start_token_id", None) is None
    ):
        config.decoder_start_token_id = 0
    _without_looking()

    def factory() -> Built:
        with contextlib.nullcontext() if real() else _without_values(transformers):
            module = _made(made, config)
        batch, notes = _batch(module, config, seq_len, image_size)
        return Built(module, batch, None, [*left_out, *notes])

    return factory


def _without_chance(config: Any) -> list[str]:
    """Take out what chance decides in a step, which is nothing to trace; and what is to be said of it."""
    told = [told for name, (_, told) in _CHANCE.items() if getattr(config, name, None)]
    for name, (value, _) in _CHANCE.items():
        if getattr(config, name, None):
            setattr(config, name, value)
    return [f"Left out, as chance decides it in each step: {' and '.join(told)}."] if told else []


@contextlib.contextmanager
def _without_values(transformers: Any) -> Iterator[None]:
    """Weights that hold nothing are given no first values."""
    before = transformers.PreTrainedModel.initialize_weights
    transformers.PreTrainedModel.initialize_weights = lambda *_: None
    try:
        yield
    finally:
        transformers.PreTrainedModel.initialize_weights = before


def _without_looking() -> None:
    """What the library decides by numbers: whether sequences are packed (no)."""
    masks = importlib.import_module("transformers.masking_utils")
    if hasattr(masks, "find_packed_sequence_indices"):
        setattr(masks, "find_packed_sequence_indices", lambda *_: None)  # noqa: B010


def _made(made: Any, config: Any) -> Any:
    """The network with fused attention, as far as its parts (a backbone) have it."""
    sdpa = "sdpa" if getattr(made, "_supports_sdpa", True) else "eager"
    try:
        return made._from_config(deepcopy(config), attn_implementation=sdpa)  # which writes it into all parts
    except ValueError as error:
        if "attn_implementation" not in str(error):
            raise
        return made._from_config(config)


def _batch(module: Any, config: Any, seq_len: int, image_size: int) -> tuple[Batch, list[str]]:
    """Inputs by the names that the network's forward takes."""
    takes = inspect.signature(module.forward).parameters
    name, text = module.main_input_name, getattr(config, "text_config", config)
    places = getattr(text, "max_position_embeddings", None) or getattr(text, "n_positions", None)
    if places and not getattr(config, "is_encoder_decoder", False):
        seq_len = min(seq_len, int(places))
    words = Input([None, seq_len], torch.int64)
    given, assumed = pictured(config, takes, seq_len, image_size)
    if name == "pixel_values" or {"pixel_values", "return_loss"} <= set(takes):
        vision = getattr(config, "vision_config", config)
        edge = image_size or _edge(vision)
        channels = getattr(vision, "num_channels", _CHANNELS)
        frames = [int(vision.num_frames)] if vision.model_type in _FILMED else []
        given["pixel_values"] = Input([None, *frames, channels, edge, edge], torch.float32)
    if "input_ids" in takes and name != "pixel_values":
        places = (
            getattr(text, "max_position_embeddings", None) or getattr(text, "n_positions", None) or seq_len
        )
        if {"return_loss", "pixel_values"} <= set(takes):
            words = Input([None, min(seq_len, places)], torch.int64)
        given.setdefault("input_ids", words)
    if name == "input_features" and getattr(config, "num_mel_bins", None):
        given["input_features"] = _spectrogram(config)
        words = Input(
            [None, min(seq_len, int(getattr(config, "max_target_positions", seq_len)))], torch.int64
        )
    if name == "input_values":
        given["input_values"] = Input([None, 160 * seq_len], torch.float32)
    if not given:
        raise Failure("input", f"{type(module).__name__} takes {name}", "Give its shape with --input.")
    if "return_loss" in takes:
        given["return_loss"] = True
    if "labels" in takes:
        labels = _labels(type(module).__name__, given, words)
        if "SemanticSegmentation" in type(module).__name__ and "pixel_values" in given:
            labels = Input([None, *given["pixel_values"].sizes[2:]], torch.int64)  # a class for each pixel
        if labels is not None:
            given["labels"] = labels
    if (
        "labels" not in given
        and getattr(config, "is_encoder_decoder", False)
        and "decoder_input_ids" in takes
    ):
        given["decoder_input_ids"] = words
    return Batch([], given), [*assumed, *_notes(takes, given, config)]


def _notes(takes: Any, given: dict[str, Any], config: Any) -> list[str]:
    """What the step leaves out, or counts otherwise than accelerators do it."""
    notes = []
    if "pixel_values" in takes and "pixel_values" not in given:
        notes.append(
            "Only the text part was run, without images: a factory that returns (module, batch) runs both."
        )
    if any(word in str(config.model_type) for word in _SCANNED):
        told = "Its scan over the sequence counts as written out in PyTorch"
        notes.append(f"{told}; fused kernels (mamba-ssm) take less.")
    return notes


def _spectrogram(config: Any) -> Input:
    """Sound as an encoder of speech sees it: twice as many frames as it has positions (its convolutions)."""
    frames = 2 * int(getattr(config, "max_source_positions", None) or 1500)
    return Input([None, int(config.num_mel_bins), frames], torch.float32)


def _labels(architecture: str, given: dict[str, Any], words: Input) -> Input | None:
    if "Classification" in architecture and "Token" not in architecture:
        return Input([None], torch.int64)
    spoken = "input_features" in given and "Generation" in architecture
    if spoken or ("input_ids" in given and any(w in architecture for w in ("LM", "Generation", "Token"))):
        return words
    return None


def _edge(config: Any) -> int:
    size = getattr(config, "image_size", None) or _PIXELS
    return int(size[0] if isinstance(size, (list, tuple)) else size)
