"""The training scripts of diffusers: their options, on a command line or in a file."""

from __future__ import annotations

from advisor.recipes.data import put_dataset
from advisor.recipes.known import DIFFUSERS
from advisor.recipes.sharding import find_beside, put_plain_layout
from advisor.recipes.taken import Taking
from advisor.recipes.trainer import put_batch, put_length_of_run

_FORMATS = {"fp16": "fp16_mixed", "bf16": "bf16_mixed", "no": "fp32", "fp8": "fp8_mixed"}
_SIZES = (("xl", 1024), ("flux", 512), ("sd3", 512), ("dreambooth", 512), ("unconditional", 64))
_TOKENS = 49_408  # the vocabulary of CLIP; the scripts give the whole table to the optimizer
_EMBEDDED = (("xl", 768 + 1280), ("stable-diffusion-2", 1024))  # widths of CLIP L with G, of H; else L
_BATCHES = (("dreambooth", 4), ("unconditional", 16), ("controlnet", 4), ("instruct_pix2pix", 16))


def read(taking: Taking, script: str = "") -> str:
    """The flags of a script's options. `script`: its file's name, which tells LoRA and the defaults."""
    name = script.lower()
    model = taking.text("pretrained_model_name_or_path")
    taking.put("model", model, "pretrained_model_name_or_path")
    rank = taking.whole("rank")
    adapters = "lora" in name or rank is not None
    if adapters:
        taking.put("method", "lora")
        taking.put("lora_rank", rank or 4, "rank")
    else:
        taking.put("method", "full")
    if "textual_inversion" in name:
        _put_embeddings(taking, (model or "").lower())
    size = taking.whole("resolution") or next((edge for word, edge in _SIZES if word in name), 512)
    taking.put("image_size", size, "resolution")
    default = next((count for word, count in _BATCHES if word in name), 16)
    pairs = 2 if taking.flag("with_prior_preservation") else 1
    put_batch(taking, "train_batch_size", "gradient_accumulation_steps", pairs)
    if "micro_batch" not in taking.flags:
        taking.put("micro_batch", default * pairs)
        taking.flags.setdefault("accumulate", "1")
    if pairs > 1:
        taking.notes.append("with_prior_preservation: each pass has as many images of the class again.")
    put_length_of_run(taking, "num_train_epochs", "max_train_steps")
    told = taking.text("mixed_precision")
    if told is not None:
        taking.put("precision", _FORMATS.get(told.lower(), "fp32"), "mixed_precision")
    elif taking.devices is None and "precision" not in taking.flags:
        taking.notes.append(
            "mixed_precision is not said: accelerate's own configuration decides; fp32 is taken."
        )
        taking.put("precision", "fp32")
    taking.put(
        "recompute", "full" if taking.flag("gradient_checkpointing") else "none", "gradient_checkpointing"
    )
    eight = taking.flag("use_8bit_adam")
    taking.put("optimizer", "adamw_8bit" if eight else "adamw", "use_8bit_adam")
    if taking.flag("use_ema"):
        taking.put("ema", 1, "use_ema")
    _put_encoders(taking)
    _put_data(taking)
    kind = (taking.text("optimizer") or "adamw").lower()
    if kind != "adamw":
        taking.miss("optimizer", "AdamW is taken instead")
    if "controlnet" in name or "adapter" in name:
        taking.notes.append("A ControlNet is counted as training the network itself: give --train-only.")
    put_plain_layout(taking)
    taking.leave(DIFFUSERS)
    return f"diffusers ({script or 'options of a script'})"


def _put_embeddings(taking: Taking, model: str) -> None:
    """Textual inversion: what is trained are the text encoders' token embeddings alone."""
    width = next((wide for word, wide in _EMBEDDED if word in model), 768)
    taking.put("train_only", _TOKENS * width)
    taking.put("frozen", "between")
    taking.notes.append(
        f"Textual inversion trains the token embeddings alone ({_TOKENS:,} of width {width}): gradients pass "
        "through the frozen network, which counts in fp32; the text encoders' own layers are not counted."
    )


def _put_encoders(taking: Taking) -> None:
    """Latents are made by the autoencoder in each step unless they are cached."""
    cached = taking.flag("cache_latents") or False
    if not cached:
        taking.notes.append(
            "The autoencoder makes latents in each step: where the rules know it, add --no-cached-latents."
        )
    if taking.flag("train_text_encoder"):
        taking.miss("train_text_encoder", "the text encoders count as frozen")


def _put_data(taking: Taking) -> None:
    for key in ("train_data_dir", "instance_data_dir"):
        name = taking.text(key)
        if name is None:
            continue
        folder = taking.path.parent / name
        if folder.is_dir():
            taking.put("dataset", str(folder), key)
        elif find_beside(taking.path, name) is None:
            taking.notes.append(f"{key} {name[:60]} is not here: give --dataset.")
    put_dataset(taking, "dataset_name")
    if taking.whole("max_train_samples"):
        taking.miss("max_train_samples", "all samples are counted")
