"""The shipped published runs as neighbours: descriptions, residuals and what each measured, in one JSON file.

Written by tools/fit.py with the constants of the time rules, so that an estimate needs neither to read nor to
evaluate the evidence. With other rules than those it was made with, residuals may not be those of the rules:
`matches` tells.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from advisor.data.files import read_text, write_atomic
from advisor.errors import DataError
from advisor.neighbours import SIZES, WORDS, Features, Kernel, Matrix, Neighbours, Vector, encode, vocabulary

FILE = Path("evidence") / "residuals.json"
_DIGITS = 5


@dataclass(frozen=True)
class Published:
    """Published runs ready to be compared with candidates."""

    neighbours: Neighbours
    known: Mapping[str, Mapping[str, int]]  # word -> code, by name of the word
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    labels: tuple[str, ...]  # "Llama 3 8B on 8 x nvidia-h100-sxm5-80gb (fp8)"
    measured_s: Vector  # seconds of a step, or of one sample on one device
    families: tuple[str, ...]
    rules: str  # digest of the constants the residuals were made with

    def describe(self, words: Mapping[str, Sequence[str]], sizes: Matrix) -> Features:
        """Features of candidates in this file's codes."""
        return encode(words, sizes, self.known)


def load_published(path: Path) -> Published:
    """The file's runs. Raises DataError naming the file when it is not what tools/fit.py writes."""
    try:
        raw = json.loads(read_text(path))
        words = {name: raw["words"][name] for name in WORDS}
        sizes = np.array(raw["sizes"], dtype=np.float64).reshape(-1, len(SIZES))
        known = vocabulary(words)
        neighbours = Neighbours(
            Kernel(**raw["kernel"]),
            encode(words, sizes, known),
            np.array(raw["residuals"], dtype=np.float64),
            np.array(raw["noise"], dtype=np.float64),
        )  # fmt: skip
        rows = len(neighbours.residuals)
        if not (rows == len(sizes) == len(raw["ids"]) == len(neighbours.noise)):
            raise ValueError("columns differ in length")
        return Published(
            neighbours, known, tuple(raw["ids"]), tuple(raw["sources"]), tuple(raw["labels"]),
            np.array(raw["measured_s"], dtype=np.float64), tuple(raw["words"]["family"]), raw["rules"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise DataError.at(
            path, "", None, f"is not a file of residuals ({error})", "Run tools/fit.py."
        ) from error


def save_published(  # noqa: PLR0913 - the file's columns, by name
    path: Path,
    *,
    kernel: Kernel,
    words: Mapping[str, Sequence[str]],
    sizes: Matrix,
    residuals: Vector,
    noise: Vector,
    measured_s: Vector,
    ids: Sequence[str],
    sources: Sequence[str],
    labels: Sequence[str],
    rules: str,
) -> None:
    """Write the file; figures to five digits, which is finer than any measurement."""
    raw: dict[str, Any] = {
        "about": "Written by tools/fit.py; see advisor/published.py.",
        "rules": rules,
        "kernel": asdict(kernel),
        "ids": list(ids),
        "sources": list(sources),
        "labels": list(labels),
        "words": {name: list(words[name]) for name in WORDS},
        "sizes": [[_short(value) for value in row] for row in sizes.tolist()],
        "residuals": [_short(value) for value in residuals.tolist()],
        "noise": [_short(value) for value in noise.tolist()],
        "measured_s": [_short(value) for value in measured_s.tolist()],
    }
    parts = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in raw.items())
    write_atomic(path, "{\n" + ",\n".join(parts) + "\n}\n")


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else 0.0
