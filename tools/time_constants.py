"""Fitted values into rules/constants/time.toml, in place: texts, priors and sources stay as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from advisor.evidence.fit import Problem

_ENTRY = re.compile(r"^\[\[(constant|constant_by)\]\]$", re.M)
_SHARE = 0.02  # values closer than this to what was believed are not written for a category


def write_constants(path: Path, constants: Mapping[str, float], problem: Problem) -> None:
    """Set `value` of each fitted constant, and `values` of each that goes by a category."""
    text = path.read_text("utf-8")
    starts = [match.start() for match in _ENTRY.finditer(text)]
    parts = [text[: starts[0]]]
    for start, stop in zip(starts, [*starts[1:], len(text)], strict=True):
        parts.append(_entry(text[start:stop], constants, problem))
    path.write_text("".join(parts), encoding="utf-8")


def _entry(entry: str, constants: Mapping[str, float], problem: Problem) -> str:
    found = re.search(r'^id = "(.*)"$', entry, re.M)
    if not found:
        return entry
    id_ = found[1]
    if entry.startswith("[[constant]]"):
        if id_ not in constants:
            return entry
        return re.sub(r"^value = .*$", f"value = {constants[id_]:.4g}", entry, count=1, flags=re.M)
    own = {
        name.partition("__")[2]: value for name, value in constants.items() if name.partition("__")[0] == id_
    }
    priors = dict(zip(problem.names, np.exp(problem.prior), strict=True))
    moved = {word: value for word, value in own.items() if abs(value / priors[f"{id_}__{word}"] - 1) > _SHARE}
    listed = ", ".join(f"{word} = {value:.4g}" for word, value in sorted(moved.items()))
    line = f"values = {{ {listed} }}"
    if re.search(r"^values = .*$", entry, re.M):
        return re.sub(r"^values = .*$", line, entry, count=1, flags=re.M)
    return entry.rstrip("\n") + f"\n{line}\n\n"
