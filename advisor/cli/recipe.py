"""Flags for the details of a recipe, shared by the commands that estimate one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

Command = Callable[..., Any]

_OPTIONS: tuple[Callable[[Command], Command], ...] = (
    click.option("--ema", type=click.IntRange(0, 16), metavar="N", help="Moving averages of the weights."),
    click.option(
        "--train-only", metavar="N",
        help="Weights trained: number, share or blocks (20M, 10%, 8layers); the rest is frozen.",
    ),
    click.option(
        "--frozen", metavar="WHERE",
        help="Where the frozen part stands: below all that is trained (default), or between.",
    ),
    click.option("--loss", metavar="NAME", help="plain, chunked or fused (with the output layer)."),
    click.option("--attention", metavar="NAME", help="flash, sdpa or eager (scores in memory)."),
    click.option(
        "--sequence-parallel/--no-sequence-parallel", default=None,
        help="Norms cut over tensor-parallel devices too, or repeated on each.",
    ),
    click.option(
        "--optimizer-kernel", metavar="NAME", help="AdamW: fused, or foreach (single operations, one copy)."
    ),
    click.option(
        "--step-in-backward/--no-step-in-backward", default=None,
        help="Weights updated during the backward pass: gradients never stand together.",
    ),
    click.option(
        "--offload-activations/--no-offload-activations", default=None,
        help="Inputs of recomputed blocks wait in the host's memory.",
    ),
    click.option(
        "--fused-kernels/--no-fused-kernels", default=None, help="Norms, gated blocks fused (Liger, Unsloth)."
    ),
    click.option("--fp8-weights/--no-fp8-weights", default=None, help="Trained weights held in fp8 too."),
    click.option("--lora-targets", metavar="NAME", help="all linear layers, or attention (queries, values)."),
    click.option("--quant-bits", metavar="N", help="Bits of a quantised base: 4 or 8."),
    click.option("--double-quant/--no-double-quant", default=None, help="QLoRA: scales quantised too."),
    click.option("--channels-last/--no-channels-last", default=None, help="Layout of images in memory."),
    click.option("--image-size", type=click.IntRange(1, 65536), metavar="N", help="Edge of an image."),
    click.option(
        "--eval-share", type=click.FloatRange(0, 100), metavar="SHARE",
        help="Samples evaluated for each sample trained (500 every 1,000 steps of 8: 0.0625).",
    ),
    click.option(
        "--mean-length", type=click.IntRange(1), metavar="N",
        help="Mean tokens of a sample, each trained in its own length (--seq-len: of the longest).",
    ),
    click.option("--decoder-seq-len", type=click.IntRange(1), metavar="N", help="Tokens of the decoder."),
    click.option(
        "--latent-size", type=click.IntRange(1, 8192), metavar="N", help="Diffusion: edge of the latent."
    ),
    click.option(
        "--frames", type=click.IntRange(1, 65536), metavar="N", help="Video: latent frames of a sample."
    ),
    click.option(
        "--cached-latents/--no-cached-latents", default=None,
        help="Diffusion: latents made once (default), or by the autoencoder in each step.",
    ),
    click.option(
        "--cached-text/--no-cached-text", default=None,
        help="Diffusion: text embeddings made once (default), or in each step.",
    ),
)  # fmt: skip

DETAILS = (
    "ema", "train_only", "frozen", "loss", "attention", "sequence_parallel", "optimizer_kernel",
    "step_in_backward", "offload_activations", "fused_kernels", "fp8_weights", "lora_targets", "quant_bits",
    "double_quant", "decoder_seq_len", "channels_last", "image_size", "latent_size", "frames",
    "cached_latents", "cached_text", "eval_share", "mean_length",
)  # fmt: skip
"""Names of these flags' values, and of the keys of a file given with --workload."""


def recipe_options(command: Command) -> Command:
    """All of these flags, in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def details_of(flags: Mapping[str, Any], *more: str) -> dict[str, Any]:
    """What was said of the recipe's details; `more` names other flags of the command that are details too."""
    return {name: flags[name] for name in (*DETAILS, *more) if flags[name] is not None}
