"""Which preset a published run's network is: spellings of all sources -> id of rules/models, or why none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import read_toml, shipped
from advisor.errors import DataError, did_you_mean

UNKNOWN = "no preset has this name"
_KEYS = frozenset(("pattern", "family", "preset", "reason", "image_size", "seq_len", "decoder_seq_len"))
_SIZES = ("image_size", "seq_len", "decoder_seq_len")
# What sources append to a network's name without meaning another shape.
_NOISE = re.compile(
    r"(_id\d+|\([^)]*\)|[-_ ](instruct|chat|base|hf|it|pt|replica|sft|q?lora|fa|\d+p|uncased|pre-?training"
    r"|fine-?tun\w+))$"
)


@dataclass(frozen=True)
class Named:
    """What a name means. `preset` "": none, for the `reason` given; sizes the name implies, else None."""

    preset: str = ""
    reason: str = ""
    image_size: float | None = None
    seq_len: float | None = None
    decoder_seq_len: float | None = None


@dataclass(frozen=True)
class Names:
    """Patterns in their order, and the presets' own names folded."""

    patterns: tuple[tuple[re.Pattern[str], str, Named], ...]
    folded: Mapping[str, str]

    def find(self, model: str, family: str = "") -> Named:
        """The first pattern that is found in `model` (any case), else the preset of that very name."""
        for pattern, wanted, named in self.patterns:
            if wanted in ("", family) and pattern.search(model):
                return named
        key = self.folded.get(fold(model))
        return Named(preset=key) if key else Named(reason=UNKNOWN)


def fold(name: str) -> str:
    """A name without what spellings differ in: case, organisation, punctuation, words about the run."""
    text = name.strip().casefold().rsplit("/", 1)[-1] if "/" in name.strip("/ ") else name.strip().casefold()
    if text.isdigit():  # the 2 of DiT-XL/2
        text = name.strip().casefold()
    while (shorter := _NOISE.sub("", text).strip()) != text and shorter:
        text = shorter
    return re.sub(r"[^a-z0-9]", "", re.sub(r"(?<=\d)\.(?=\d)", "p", text))  # OPT-1.3B is not OPT-13B


def read_names(path: Path, catalogue: Catalogue) -> Names:
    """The patterns of a file and the names of a catalogue. Raises DataError naming file, key and value."""
    found = []
    entries = read_toml(path).get("model", [])
    for at, raw in enumerate(entries if isinstance(entries, list) else [], 1):
        found.append(_entry(path, f"model[{at}].", raw, catalogue))
    return Names(tuple(found), _folded(catalogue))


def _entry(
    path: Path, where: str, raw: dict[str, Any], catalogue: Catalogue
) -> tuple[re.Pattern[str], str, Named]:
    for key in raw:
        if key not in _KEYS:
            raise DataError.at(path, where + key, None, "is no known key", did_you_mean(key, _KEYS))
    preset, reason = str(raw.get("preset", "")), str(raw.get("reason", ""))
    if preset and preset not in catalogue.models:
        hint = did_you_mean(preset, catalogue.models)
        raise DataError.at(path, where + "preset", preset, "is no known model", hint)
    if not preset and not reason:
        raise DataError.at(path, where + "reason", None, "is missing", "Say why there is no preset.")
    sizes: dict[str, float] = {}
    for key in _SIZES:
        value = raw.get(key)
        if value is not None and (not isinstance(value, (int, float)) or not value > 0):
            raise DataError.at(path, where + key, value, "is no number above zero", "")
        if value is not None:
            sizes[key] = float(value)
    try:
        pattern = re.compile(str(raw.get("pattern", "")), re.IGNORECASE)
    except re.error as error:
        raise DataError.at(path, where + "pattern", raw["pattern"], f"is no pattern: {error}", "") from error
    if not pattern.pattern:
        raise DataError.at(path, where + "pattern", "", "is missing", "Give a regular expression.")
    return pattern, str(raw.get("family", "")), Named(preset, reason, **sizes)


def _folded(catalogue: Catalogue) -> dict[str, str]:
    """Folded names of the presets; one that two presets share is left out."""
    found: dict[str, str] = {}
    shared: set[str] = set()

    def add(name: str, key: str) -> None:
        short = fold(name)
        if found.setdefault(short, key) != key:
            shared.add(short)

    for key, model in catalogue.models.items():
        add(key, key)
        add(model.title, key)
    for alias, key in catalogue.model_aliases.items():
        add(alias, key)
    ids = {fold(key): key for key in catalogue.models}
    return {**{short: key for short, key in found.items() if short not in shared}, **ids}


@lru_cache(maxsize=1)
def _shipped() -> Names:
    return read_names(shipped("rules") / "evidence" / "models.toml", load_catalogue())


@lru_cache(maxsize=4096)
def preset_of(model: str, family: str = "") -> Named:
    """The preset of rules/models that a published run's network is, by rules/evidence/models.toml.

    `model` is the name as its source spells it, `family` as the evidence does (decoder, cnn, …). Where there
    is none, `reason` says why: an unknown name, or one whose runs give their own shape.
    """
    return _shipped().find(model, family)


def unmatched(names: Iterable[tuple[str, str]]) -> list[str]:
    """Names that neither a pattern nor a preset covers."""
    return sorted({model for model, family in names if preset_of(model, family).reason == UNKNOWN})
