"""Tokens of text: by the network's own tokenizer where it is at hand, else by bytes of a token."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.data.files import read_toml, shipped
from advisor.dataset.counted import Sums, spread_of

_NAME = "tokenizer.json"
_SAMPLE = 400_000  # characters that are tokenised
_PIECE = 20_000
_Z80 = 1.2816


@dataclass(frozen=True)
class Ratio:
    """Bytes of text that a token stands for, with an 80 % range, and whence."""

    value: float
    low: float
    high: float
    source: str


def find_tokenizer(model: str | None, hub: Path | None) -> Path | None:
    """The tokenizer.json of a network: beside its config.json, or in the hub's cache, where it is."""
    if not model:
        return None
    from advisor.errors import UserError
    from advisor.model import find_config

    try:
        config = find_config(model, hub)
    except UserError:
        return None
    if config is None or not (config.parent / _NAME).is_file():
        return None
    return config.parent / _NAME


def ratio_of(parts: Sequence[Sums], tokenizer: Path | None) -> tuple[Ratio, str]:
    """Bytes of a token for this text, and why no tokenizer counted it ('' where one did)."""
    text = [sample for part in parts for sample in part.samples]
    if tokenizer is None:
        return _by_bytes(parts), "no tokenizer of the network is at hand"
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return _by_bytes(parts), "the package tokenizers is missing (pip install 'hwadvisor[hf]')"
    try:
        return _by_tokens(Tokenizer.from_file(str(tokenizer)), text, tokenizer), ""
    except Exception as error:  # the library raises plain Exception for files it cannot read
        return _by_bytes(parts), f"{tokenizer} cannot be read: {str(error)[:100]}"


def _by_tokens(tokenizer: Any, text: Sequence[str], path: Path) -> Ratio:
    pieces: list[str] = []
    left = _SAMPLE
    step = max(1, sum(len(one) for one in text) // _SAMPLE)
    for one in text[::step]:
        part = one[: min(left, _PIECE)]
        if part:
            pieces.append(part)
            left -= len(part)
    sizes = [len(piece.encode("utf-8", "replace")) for piece in pieces]
    counts = [len(found.ids) for found in tokenizer.encode_batch(pieces, add_special_tokens=False)]
    if not sum(counts):
        raise ValueError("it makes no tokens of this text")
    value = sum(sizes) / sum(counts)
    each = [size / count for size, count in zip(sizes, counts, strict=True) if count]
    half = _Z80 * spread_of(each)
    source = f"{path.parent.name}/{path.name} on a sample of {sum(sizes) / 1000:.0f} kB"
    return Ratio(value, value / (1 + half), value * (1 + half), source)


@functools.cache
def _scripts() -> dict[str, dict[str, Any]]:
    raw = read_toml(shipped("rules") / "evidence" / "tokens.toml")
    return {one["name"]: one for one in raw["script"]}


def _by_bytes(parts: Sequence[Sums]) -> Ratio:
    """By the script: text of several is weighed by its bytes outside ASCII."""
    total = sum(part.text_bytes for part in parts)
    wide = sum(part.wide_bytes for part in parts) / total if total else 0.0
    latin, other = _scripts()["latin"], _scripts()["other"]

    def mixed(end: str) -> float:
        return 1.0 / ((1 - wide) / float(latin[end]) + wide / float(other[end]))

    source = str(latin["source"] if wide < 0.5 else other["source"])
    return Ratio(mixed("value"), mixed("low"), mixed("high"), source)
