"""Sequence length and batch of a pre-training run that flags leave open, from published recipes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from advisor.schema import Model, Workload

_GPT3 = "arXiv:2005.14165 table 2.1"
_BATCHES = (
    (1.25e8, 0.5e6, _GPT3), (3.5e8, 0.5e6, _GPT3), (7.6e8, 0.5e6, _GPT3), (1.3e9, 1e6, _GPT3),
    (2.7e9, 1e6, _GPT3), (6.7e9, 2e6, _GPT3), (1.3e10, 2e6, _GPT3), (1.75e11, 3.2e6, _GPT3),
    (4.05e11, 16e6, "arXiv:2407.21783 section 3.4.1"),
)  # fmt: skip
"""Weights of a decoder, tokens of one step and where it is published: GPT-3, and Llama 3 405B, whose batch
grew from 4 to 16 million tokens."""
_USUAL_LENGTH = (4096.0, "4096 as Llama 2, arXiv:2307.09288")
_OTHERS = {
    "encoder": (512.0, 256.0, "BERT, arXiv:1810.04805 appendix A.2"),
    "encoder_decoder": (512.0, 128.0, "T5, arXiv:1910.10683 section 3.1.2"),
}
"""Tokens of a sequence and sequences of a step."""
_DECODERS = ("decoder", "moe", "size_only")


class Usual(NamedTuple):
    """What is usual, with its source."""

    seq_len: float
    batch: float
    source: str


def usual(model: Model, workloads: Sequence[Workload], seq_len: float | None) -> Usual | None:
    """Length and batch of pre-training such a network; None of families without published recipes here.

    A stated `seq_len` holds, and the tokens of a step stay the same.
    """
    native = model.numbers.get("positions") or model.numbers.get("native_seq_len")
    if model.family in _OTHERS:
        length, sequences, source = _OTHERS[model.family]
        own = min(native, length) if native else length
        taken = seq_len or own
        return Usual(taken, _even(sequences * length / taken), f"length and batch of {source}")
    if model.family not in _DECODERS:
        return None
    kin = _same_series(model, workloads)
    length, told = (native, "its own positions") if native else _USUAL_LENGTH
    if not native and kin is not None and kin.recipe.seq_len:
        length, told = kin.recipe.seq_len, f"{kin.recipe.seq_len:g} as in '{kin.title}'"
    size = size_of(model)
    near = min(_BATCHES, key=lambda one: abs(math.log(one[0] / size))) if size else _BATCHES[3]
    tokens, source = near[1:]
    taken = seq_len or length
    told = f"length {told}, batch of about {tokens:,.0f} tokens as {source}"
    return Usual(taken, _even(tokens / taken), told)


def _even(sequences: float) -> float:
    """The nearest power of two, which parts evenly over devices."""
    return float(2 ** max(0, round(math.log2(sequences))))


def size_of(model: Model) -> float | None:
    """The weights, roughly: twelve squares of the width in each block; of experts about the active ones."""
    numbers = model.numbers
    stated = numbers.get("stated_params")
    if stated:
        return stated
    layers, hidden = numbers.get("layers"), numbers.get("hidden")
    if not layers or not hidden:
        return None
    return 12 * layers * hidden**2 + 2 * numbers.get("vocab", 0.0) * hidden


def _same_series(model: Model, workloads: Sequence[Workload]) -> Workload | None:
    """The pre-training of another size of the same series: llama-3-70b for llama-3-8b and llama-3.1-405b."""
    series = _series(model)
    alike = (w for w in workloads if w.recipe.method == "pretrain" and _series(w.model) == series)
    return next(alike, None) if "-" in series else None


def _series(model: Model) -> str:
    """'llama-3': releases of one series (3.1 of 3) had the same pre-training."""
    return model.id.rpartition("-")[0].partition(".")[0]
