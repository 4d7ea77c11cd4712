"""Details of a recipe, as flags tell them, as columns of the rules; what does not apply is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from advisor.errors import UserError, did_you_mean
from advisor.schema import Workload

_BLOCKS = ("decoder", "moe", "encoder", "encoder_decoder", "vit", "size_only")
_SCORED = ("decoder", "moe", "encoder_decoder", "size_only")
_STACKED = ("decoder", "moe", "encoder", "vit")
_READS = (*_SCORED, "encoder")
_ADAPTERS = ("lora", "qlora")
_LATENT_SCALE = 8.0  # of the autoencoders of Stable Diffusion, SDXL, FLUX and DiT (arXiv:2112.10752)
_LARGEST_EDGE = 65_536
_LIMITS = {
    "ema": (0, 16), "image_size": (1, _LARGEST_EDGE), "frames": (1, 65_536), "decoder_seq_len": (1, 10**8),
    "eval_share": (0, 100),
}  # fmt: skip

WORDS: Mapping[str, Mapping[str, float]] = {
    "loss": {"plain": 0.0, "chunked": 0.5, "fused": 1.0},
    "attention": {"flash": 1.0, "sdpa": 1.0, "eager": 0.0},
    "optimizer_kernel": {"fused": 0.0, "foreach": 1.0},
    "frozen": {"below": 1.0, "between": 0.0},
    "lora_targets": {"all": 0.0, "attention": 1.0},
    "quant_bits": {"4": 4.0, "8": 8.0},
}
"""Words of a flag, and what each is as a number of its column."""

COLUMNS: Mapping[str, str] = {
    "ema": "ema_copies", "loss": "fused_loss", "attention": "flash_attention", "optimizer_kernel": "foreach",
    "frozen": "frozen_below", "lora_targets": "adapted_attention", "quant_bits": "frozen_bits",
    "double_quant": "double_quantised", "sequence_parallel": "sequence_parallel", "compiled": "compiled",
    "channels_last": "channels_last", "image_size": "image_size", "frames": "frames",
    "cached_latents": "cached_latents", "cached_text": "cached_text", "fp8_weights": "weights_8bit",
    "step_in_backward": "step_in_backward", "offload_activations": "offload_activations",
    "fused_kernels": "fused_kernels", "decoder_seq_len": "decoder_seq_len", "eval_share": "evaluated_share",
}  # fmt: skip
"""Flag (as a Python name) -> column of rules/columns.toml."""


def flag_of(name: str) -> str:
    """'--image-size' of image_size."""
    return {"compiled": "--compile"}.get(name, "--" + name.replace("_", "-"))


def with_details(workload: Workload, details: Mapping[str, Any] | None) -> Workload:
    """The workload with these details stated. None counts as not said.

    Raises UserError, naming flag, value and what would do, for one that cannot be or that says nothing of
    this network or method.
    """
    told = {name: value for name, value in (details or {}).items() if value is not None}
    recipe, numbers, stated = workload.recipe, {}, []
    for name, value in told.items():
        if name in ("train_only", "latent_size", "mean_length", "optimizer", "counted_rows"):
            continue
        _check_about(workload, name, value, told)
        numbers[COLUMNS[name]] = _number(name, value)
    if "image_size" in numbers:
        _check_edge(workload, numbers["image_size"])
    if "latent_size" in told:
        numbers["image_size"] = _edge_of_latent(workload, told)
    if "train_only" in told:
        numbers |= _trained(workload, told)
    if "mean_length" in told:
        numbers["mean_length_share"] = _share_of_length(workload, told)
    stated = list(numbers)
    if "optimizer" in told:
        stated.append("optimizer")
    optimizer = told.get("optimizer", recipe.optimizer)
    if "optimizer_kernel" in told and optimizer != "adamw":
        raise UserError(
            f"--optimizer-kernel {told['optimizer_kernel']} says nothing of the optimizer {optimizer}",
            "It goes with --optimizer adamw.",
        )
    if not numbers and "optimizer" not in told:
        return workload
    recipe = recipe.model_copy(
        update={
            "numbers": {**recipe.numbers, **numbers},
            "optimizer": optimizer,
            "counted": {name: one for name, one in recipe.counted.items() if name not in numbers},
            "stated": tuple(dict.fromkeys((*recipe.stated, *stated))),
        }
    )
    return workload.model_copy(update={"recipe": recipe})


def _number(name: str, value: Any) -> float:
    """The column's number for a flag's value."""
    if name in WORDS:
        words = WORDS[name]
        found = words.get(str(value).strip().lower())
        if found is None:
            told = f"{flag_of(name)} {str(value)[:40]!r} is none of {', '.join(words)}"
            raise UserError(told, did_you_mean(str(value)[:40], words) or "Give one of them.")
        return found
    low, limit = _LIMITS.get(name, (0, 1))
    number = float(value)
    if not low <= number <= limit:
        raise UserError(f"{flag_of(name)} {value} is not between {low} and {limit}", "Give such a number.")
    return number


# ---- what a detail is about -----------------------------------------------------------------------------


def _is_method(*methods: str) -> Callable[[Workload], str]:
    told = f"It goes with --method {' or '.join(methods)}."
    return lambda job: "" if job.recipe.method in methods else told


def _is_family(families: tuple[str, ...], about: str) -> Callable[[Workload], str]:
    return lambda job: "" if job.model.family in families else f"It is about {about}."


def _has_image(job: Workload) -> str:
    sized = job.model.family in ("vit", "cnn", "diffusion") or "native_image_size" in job.model.numbers
    return "" if sized else "It is about networks that see images; --seq-len gives the length of a text."


def _is_video(job: Workload) -> str:
    if job.model.family == "diffusion" and "layers" in job.model.numbers:
        return ""
    return "It is about diffusion transformers whose shape is known, such as dit-xl-2."


def _is_convolutional(job: Workload) -> str:
    numbers = job.model.numbers
    if job.model.family == "cnn" or ("native_image_size" in numbers and job.model.family == "stated"):
        return ""
    if job.model.family == "diffusion" and "layers" not in numbers and numbers.get("share_matrix", 0) < 1:
        return ""
    return "It is about convolutional networks."


_ABOUT: Mapping[str, Callable[[Workload], str]] = {
    "loss": _is_family(_SCORED, "networks that score tokens against a vocabulary"),
    "attention": _is_family(_BLOCKS, "networks of transformer blocks"),
    "sequence_parallel": _is_family(_BLOCKS, "networks of transformer blocks"),
    "decoder_seq_len": _is_family(("encoder_decoder",), "networks with an encoder and a decoder"),
    "mean_length": _is_family(_READS, "networks that read sequences"),
    "offload_activations": _is_family(_STACKED, "transformers of one stack of blocks whose shape is known"),
    "channels_last": _is_convolutional,
    "image_size": _has_image,
    "frames": _is_video,
    "cached_latents": _is_family(("diffusion",), "diffusion networks"),
    "cached_text": _is_family(("diffusion",), "diffusion networks"),
    "latent_size": _is_family(("diffusion",), "diffusion networks; --image-size gives the edge of an image"),
    "lora_targets": _is_method(*_ADAPTERS),
    "quant_bits": _is_method("qlora"),
    "double_quant": _is_method("qlora"),
    "train_only": _is_method("full", "pretrain"),
}
"""Why a detail says nothing of a workload, or ''."""

_ENCODERS = {"cached_latents": ("latent_encoder_flops", "autoencoder"),
             "cached_text": ("text_encoder_flops", "text encoders")}  # fmt: skip


def _check_about(workload: Workload, name: str, value: Any, told: Mapping[str, Any]) -> None:
    problem = _ABOUT[name](workload) if name in _ABOUT else ""
    if problem:
        said = flag_of(name) if isinstance(value, bool) else f"{flag_of(name)} {str(value)[:40]}"
        raise UserError(f"{said} says nothing of {workload.model.title} ({workload.recipe.method})", problem)
    if name == "frozen" and "train_only" not in told:
        raise UserError(f"--frozen {value} needs --train-only", "Say how many weights are trained.")
    if name == "fp8_weights" and value and not workload.recipe.precision.startswith(("fp8", "mxfp8")):
        raise UserError(
            f"--fp8-weights does not go with --precision {workload.recipe.precision}",
            "Give --precision fp8_mixed or mxfp8_mixed.",
        )
    if name in _ENCODERS and not value:
        column, what = _ENCODERS[name]
        if column not in workload.model.numbers:
            raise UserError(
                f"--no-{name.replace('_', '-')}: the {what} of {workload.model.title} are not in the rules",
                "Leave it away: then what they make counts as made once, before.",
            )


def _check_edge(workload: Workload, edge: float) -> None:
    """Raise UserError for an image that does not part into whole patches, or into whole pixels of latents."""
    numbers, family = workload.model.numbers, workload.model.family
    if family == "diffusion":
        parts, what = numbers.get("latent_scale", _LATENT_SCALE), "pixels that its autoencoder makes one of"
    elif family == "vit" and numbers.get("patch"):
        parts, what = numbers["patch"], "pixels of a patch"
    else:
        return
    if edge >= parts and edge % parts == 0:
        return
    near = sorted({max(1, edge // parts) * parts, max(1, edge // parts + (edge % parts > 0)) * parts})
    raise UserError(
        f"--image-size {edge:g} is no multiple of the {parts:g} {what} in {workload.model.title}",
        f"Try {' or '.join(f'{one:g}' for one in near)}.",
    )


def _edge_of_latent(workload: Workload, told: Mapping[str, Any]) -> float:
    """The image's edge from that of its latent."""
    _check_about(workload, "latent_size", told["latent_size"], told)
    edge = float(told["latent_size"]) * workload.model.numbers.get("latent_scale", _LATENT_SCALE)
    if not 1 <= edge <= _LARGEST_EDGE:
        raise UserError(
            f"--latent-size {told['latent_size']} is not between 1 and {_LARGEST_EDGE // int(_LATENT_SCALE)}",
            "Give the edge of the latent, e.g. 64.",
        )
    if told.get("image_size") not in (None, edge):
        raise UserError(
            f"--latent-size {told['latent_size']} is an image of {edge:g}, not of {told['image_size']}",
            "Give one of --image-size and --latent-size.",
        )
    return edge


def _share_of_length(workload: Workload, told: Mapping[str, Any]) -> float:
    """How much of the longest sample the mean one has."""
    _check_about(workload, "mean_length", told["mean_length"], told)
    mean, longest = float(told["mean_length"]), workload.recipe.seq_len
    if longest is None or mean > longest:
        raise UserError(
            f"--mean-length {mean:g} is more than a sequence has ({longest or 0:g})",
            "--seq-len is the length of the longest.",
        )
    return mean / longest


def _trained(workload: Workload, told: Mapping[str, Any]) -> dict[str, float]:
    """The trained weights, as a count or a share, and where the frozen ones stand."""
    _check_about(workload, "train_only", told["train_only"], told)
    text = str(told["train_only"]).strip()
    found = {"frozen_below": _number("frozen", told.get("frozen", "below"))}
    hint = "Write a number of weights (20M, 1.5B), a share (10%) or a number of blocks (8 layers)."
    try:
        if text.lower().endswith("layers"):
            return {**found, "stated_trained_layers": _layers(workload, text)}
        if text.endswith("%"):
            share = float(text[:-1]) / 100
            if not 0 < share <= 1:
                raise UserError(f"--train-only {text!r} is not a share above 0 and up to 100%", hint)
            return {**found, "stated_trained_share": share}
        count = _count(text)
    except ValueError:
        raise UserError(f"--train-only {text[:40]!r} is no number of weights", hint) from None
    if not 1 <= count <= 1e15:
        raise UserError(f"--train-only {text[:40]!r} is not between 1 and 1e15", hint)
    return {**found, "stated_trainable": count}


def _layers(workload: Workload, text: str) -> float:
    """The count of trained blocks. ValueError for no number, UserError for more than there are."""
    count, have = int(text[: -len("layers")]), workload.model.numbers.get("layers", 0.0)
    if workload.model.family not in _STACKED or not have:
        raise UserError(
            f"--train-only {text!r}: the blocks of {workload.model.title} are not known one by one",
            "Give a number of weights (20M, 1.5B) or a share (10%).",
        )
    if not 1 <= count <= have:
        told = f"--train-only {text!r} is not between 1 and the {have:g} layers of {workload.model.title}"
        raise UserError(told, "Give a smaller number.")
    return float(count)


def _count(text: str) -> float:
    scale = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}.get(text[-1:].upper())
    return float(text[:-1].replace(",", "")) * scale if scale else float(text.replace(",", ""))
