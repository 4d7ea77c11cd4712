# ruff: noqa: SIM905 - lists of words read better as words
"""Which catalogue entry the device name of a published run means, or why none: by the map, then word by word.

    resolve_device("nvidia", "A100-SXM4-40GB").id == "nvidia-a100-sxm4-40gb"

The map (rules/evidence/map.toml) says what bare and odd names stand for. Unlike `match_device`, which sees a
device's driver, this reads what people wrote: it may have to choose a variant, and then names the others.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import read_toml, shipped
from advisor.data.processors import load_processors
from advisor.errors import DataError, did_you_mean

_LONGEST = 300  # characters of a name that are read; the longest published ones have 60
_MEMORY_TOLERANCE = 0.12  # as in match.py: sizes of one product differ by half or more
_GIB_PER_GB = 2**30 / 1e9

_VENDORS = {
    "habana": "intel", "habana labs": "intel", "amazon": "aws", "annapurna": "aws", "ascend": "huawei",
    "nvidia corporation": "nvidia", "advanced micro devices": "amd", "moore threads": "moore_threads",
    "host": "cpu",
}  # fmt: skip
_SEPARATORS = re.compile(r"[\s\-_/,;:()\[\]@®™\"']+|\(r\)|\(tm\)")
_PARTED = re.compile(r"\b(rtx|gtx|gaudi|ascend|tpu|ipu|wse|cs|titan)(?=v?\d)")
_ENDING = re.compile(r"(?<=\d{4})(ti|super|ada|d)\b")
_MEMORY = re.compile(r"\b(\d+(?:\.\d+)?) ?g(i?)b?\b")
_FORM = re.compile(r"\b(sxm|pcie|oam)\d?\b")
_NOISE = frozenset(
    """nvidia amd intel huawei google aws apple cerebras graphcore cambricon hygon metax biren iluvatar
    geforce tesla instinct radeon gpu generation edition graphics tm r oam pcie sxm sxm2 sxm3 sxm4 sxm5 sxm6
    apu chip wafer unified up to per of mb sram hbm3 hbm3e superchip cpu processor""".split()
)
_OTHER_PRODUCT = frozenset(
    """ti super d laptop mobile max maxq q ultra pro ada xt xtx gre nvl se ve dual edge server
    workstation""".split()
)
"""Words that make another product of a name; a text that has one more than the entry is not that entry."""


@dataclass(frozen=True, slots=True)
class DeviceMatch:
    """What a device name means. `why` is one sentence either way; `id` None: no entry, for that reason.

    `devices`: how many of the entry's devices (as a framework counts) one accelerator of a published run is.
    `others`: variants that the name could mean as well.
    """

    id: str | None
    why: str
    devices: int = 1
    others: tuple[str, ...] = ()


class DeviceNames:
    """The names of one catalogue and one map, ready to be looked up."""

    def __init__(self, entries: Mapping[str, Accelerator], raw: Mapping[str, Any], path: Path) -> None:
        self._entries = entries
        self._counted = {str(key): int(value) for key, value in raw.get("devices_counted", {}).items()}
        self._left_out = [(_compiled(path, p), str(why)) for p, why in raw.get("left_out", [])]
        self._devices = [(_compiled(path, p), tuple(ids)) for p, ids in raw.get("devices", [])]
        for key in [*self._counted, *(one for _, ids in self._devices for one in ids)]:
            if key not in entries:
                raise DataError.at(path, "devices", key, "is no known entry", did_you_mean(key, entries))
        makers = {entry.vendor for entry in entries.values()}
        # processors go with every maker: sources say "intel" or "amd" of them as well as "cpu"
        self._of_maker = {m: {k for k, e in entries.items() if e.vendor in (m, "cpu")} for m in makers}
        self._all = set(entries)
        self._exact: dict[str, list[str]] = {}
        self._words: list[tuple[frozenset[str], str]] = []
        for entry in entries.values():
            names = {_plain(name) for name in (entry.id, entry.title, *entry.aliases)}
            for name in names:
                self._exact.setdefault(name, []).append(entry.id)
            self._words += [(words, entry.id) for name in names for words in _bases(name)]

    def resolve(self, vendor: str | None, text: object) -> DeviceMatch:
        """The entry of a device name; `vendor` (any case) only narrows the choice."""
        if not isinstance(text, str) or not text.strip():
            return DeviceMatch(None, "the row names no device")
        text = text[:_LONGEST]
        maker = (vendor or "").strip().casefold()
        maker = _VENDORS.get(maker, maker)
        ids = self._of_maker.get(maker, self._all)
        whole = _plain(text)
        exact = [key for key in self._exact.get(whole, []) if key in ids]
        if len(exact) == 1:
            return self._found(exact[0], f"{text!r} is its name")
        before, size = _plain(text.split("(")[0]), _MEMORY.search(whole)
        if size and size[0] not in before:
            before = f"{before} {size[0]}"
        tries = [before, whole] if re.search(r"\d", text.split("(")[0]) and before != whole else [whole]
        refused = DeviceMatch(None, f"{text!r} is not in the catalogue")
        for name in tries:
            found = self._of_name(text, name, whole, ids)
            if found is not None and found.id is not None:
                return found
            refused = found or refused
        return refused

    def _of_name(self, text: str, name: str, whole: str, ids: set[str]) -> DeviceMatch | None:
        """What this much of the name means; None where nothing knows it."""
        why = next((why for pattern, why in self._left_out if pattern.search(name)), None)
        if why:
            return DeviceMatch(None, why)
        for pattern, variants in self._devices:
            if pattern.search(name) and ids.issuperset(variants):
                return self._variant(text, whole, variants)
        alike = self._by_words(name, ids)
        return self._variant(text, whole, alike, sure=False) if alike else None

    def _by_words(self, name: str, ids: set[str]) -> tuple[str, ...]:
        """Entries whose every word is in the name, those with most words; none where the name says more."""
        said = frozenset(name.split())
        found = [(len(words), words, key) for words, key in self._words if words <= said and key in ids]
        most = max((count for count, _, _ in found), default=0)
        return tuple(
            dict.fromkeys(
                key for count, words, key in found if count == most and not (said & _OTHER_PRODUCT) - words
            )
        )

    def _variant(self, text: str, whole: str, variants: tuple[str, ...], *, sure: bool = True) -> DeviceMatch:
        """The variant whose form and memory the name prints; the map's first where it prints neither."""
        if len(variants) == 1 and sure:
            return self._found(variants[0], f"{text!r} stands for it")
        entries = [self._entries[key] for key in variants]
        form = _FORM.search(whole)
        if form and any(_of_form(e, form[1]) for e in entries):
            entries = [e for e in entries if _of_form(e, form[1])]
        size = _MEMORY.search(whole)
        if size:
            printed = float(size[1]) * 1e9 * (_GIB_PER_GB if size[2] else 1.0)
            entries = [e for e in entries if _of_size(e, printed)]
        if not entries:
            return DeviceMatch(None, f"{text!r}: no variant in the catalogue has that memory")
        if len(entries) > 1 and not sure:
            titles = " or ".join(entry.title for entry in entries)
            return DeviceMatch(None, f"{text!r} fits {titles}: which of them is not said")
        others = tuple(entry.id for entry in entries[1:])
        why = f"{text!r} stands for it" + (", variant not printed" if others else "")
        return self._found(entries[0].id, why, others)

    def _found(self, key: str, why: str, others: tuple[str, ...] = ()) -> DeviceMatch:
        return DeviceMatch(key, why, self._counted.get(key, 1), others)


def _compiled(path: Path, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise DataError.at(path, "devices", pattern, f"is no regular expression: {error}", "") from error


def _plain(text: str) -> str:
    """'A100-SXM4-80GB' -> 'a100 sxm4 80gb', 'RTX 2080Ti' -> 'rtx 2080 ti'."""
    plain = " ".join(_SEPARATORS.sub(" ", text.casefold()).split())
    return _ENDING.sub(r" \1", _PARTED.sub(r"\1 ", plain))


def _bases(name: str) -> Iterable[frozenset[str]]:
    """The words that name a product: without maker, memory and form; a GeForce number also without 'rtx'."""
    words = frozenset(_MEMORY.sub(" ", name).split()) - _NOISE
    if len(words) > 2 or any(any(letter.isdigit() for letter in word) for word in words):
        yield words
        series = words & {"rtx", "gtx"}
        if series and any(re.fullmatch(r"[1-5]0[5-9]0", word) for word in words):
            yield words - series


def _of_form(entry: Accelerator, form: str) -> bool:
    return entry.form_factor.casefold().startswith(form)


def _of_size(entry: Accelerator, printed: float) -> bool:
    """Whether the printed memory is the package's or one device's; unified memory comes in many sizes."""
    if entry.memory_bytes is None or entry.unified:
        return True
    sizes = (entry.memory_bytes, entry.memory_bytes / entry.devices_per_package)
    return any(abs(printed / size - 1) <= _MEMORY_TOLERANCE for size in sizes)


def device_names(catalogue: Catalogue | None = None) -> DeviceNames:
    """The shipped map over a catalogue (None: the shipped one)."""
    path = shipped("rules") / "evidence" / "map.toml"
    return DeviceNames(evidence_entries(catalogue), read_toml(path), path)


def evidence_entries(catalogue: Catalogue | None = None) -> dict[str, Accelerator]:
    """Everything a name can mean: the catalogue's accelerators (None: the shipped ones) and processors."""
    return {**(catalogue or load_catalogue()).accelerators, **_processors()}


_processors = functools.cache(load_processors)


def entry_of(entry_id: str, catalogue: Catalogue) -> Accelerator:
    """The entry of an id that `resolve_device` gave: an accelerator of the catalogue, or a processor."""
    found = catalogue.accelerators.get(entry_id)
    return found if found is not None else _processors()[entry_id]


_shipped_names = functools.lru_cache(maxsize=1)(device_names)


@functools.lru_cache(maxsize=8192)
def _resolved(vendor: str | None, text: str) -> DeviceMatch:
    return _shipped_names().resolve(vendor, text)


def resolve_device(vendor: str | None, text: str | None) -> DeviceMatch:
    """The shipped entry of a device as a published run names it, or the reason why there is none.

    Never raises on what a row may hold; the same question costs one look-up the second time.
    """
    if not isinstance(text, str):
        return DeviceMatch(None, "the row names no device")
    return _resolved(vendor if isinstance(vendor, str) else None, text)
