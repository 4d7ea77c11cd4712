"""The shipped published runs as neighbours: descriptions, residuals and what each measured, in one JSON file.

Written by tools/fit.py with the constants of the time rules, so that an estimate needs neither to read nor to
evaluate the evidence. They are residuals of the shipped rules: under time rules of a user's own they are not
used (`own_time_rules` in advisor/search/nearby.py tells which those are).
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from advisor.data.files import read_text, write_atomic
from advisor.data.programs import PILOT, program_names, program_of
from advisor.errors import DataError
from advisor.neighbours import (
    SCALES,
    SIZES,
    WORDS,
    Features,
    Kernel,
    Matrix,
    Neighbours,
    Told,
    Vector,
    doubts,
    encode,
    vocabulary,
    widened,
)

FILE = Path("evidence") / "residuals.json"
_DIGITS = 5
_ERA, _LENGTH = SIZES.index("era"), SIZES.index("length")
OWN_RUN = "Own run"
"""How the label of a run of the user's own begins."""

_LAYERS = frozenset(("cnn", "stated", "diffusion"))  # known as a whole, layer by layer
_ADAPTERS = frozenset(("lora", "qlora"))

UNLIKE: Mapping[str, float] = {"generation": 0.4, "kind": 0.25, "family": 0.2, "device": 0.15, "": 0.0}
"""What of a candidate no run is published of, and the standard deviation of ln(time) that comes with it:
no device of its generation (the spread of the generations' own constants, rules/constants/time.toml:
prior_spread of generation_share and its like); on its generation networks of the other kind alone (that of
`generation_counted` and of `published_family`); on its generation no network of its family, and nothing of
this very product: what left-out sources are off by where nobody else has such a run, beyond what is told of
them (426 and 295 rows, held 75 % before)."""

BEYOND = 0.3
"""Standard deviation of ln(time) of sequences twice as long as in any published run, growing with the root of
the doublings: with the four runs above 65,536 tokens left out, they were off by 0.37 where 0.24 was told."""


PILOT_NOISE = 0.01
"""Standard deviation of ln(time) of a pilot run again: by which medians of steps of one machine differ."""


@dataclass(frozen=True)
class Published:
    """Published runs ready to be compared with candidates."""

    neighbours: Neighbours
    known: Mapping[str, Mapping[str, int]]  # word -> code, by name of the word
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    labels: tuple[str, ...]  # "Llama 3 8B on 8 x nvidia-h100-sxm5-80gb (fp8, 2024)"
    measured_s: Vector  # seconds of a step, or of one sample on one device
    families: tuple[str, ...]
    rules: str  # the file of constants the residuals were made with
    own: frozenset[int] = frozenset()  # rows that are the user's own runs, not published

    def tell(self, words: Mapping[str, Sequence[str]], sizes: Matrix) -> Told:
        """What the published runs say of candidates, with standard deviations true on left-out runs.

        Of a generation of devices without any run they are wider still: its constants are guesses. So are
        those of one that ran no network of this kind.
        """
        found = self.neighbours.tell(self.dated(with_kin(encode(words, sizes, self.known), words["program"])))
        deviation = widened(self.neighbours.kernel, found.deviation, words)
        more = np.array([UNLIKE[word] for word in self.unlike(words)])
        longer = BEYOND * np.sqrt(self.beyond(words, sizes))
        return replace(found, deviation=np.hypot(np.hypot(deviation, more), longer))

    def beyond(self, words: Mapping[str, Sequence[str]], sizes: Matrix) -> Vector:
        """Doublings by which each candidate's sequences are longer than those of any run; 0: they are not."""
        if self.longest <= 1:  # no run has any
            return np.zeros(len(sizes))
        blocks = np.array([_kind(family) == "blocks" for family in words["family"]])
        return np.where(blocks, np.maximum(sizes[:, _LENGTH] - math.log2(self.longest), 0.0), 0.0)

    @functools.cached_property
    def longest(self) -> float:
        """Tokens of the longest sequence of a run of networks of blocks."""
        blocks = [_kind(family) == "blocks" for family in self.families]
        lengths = self.neighbours.features.sizes[:, _LENGTH] * SCALES[_LENGTH]
        return float(round(2.0 ** float(np.max(lengths, where=blocks, initial=0.0))))

    def dated(self, asked: Features) -> Features:
        """No date after the last published run on such devices, nor after the program's last.

        What nobody has published since is compared as of when somebody last did: with today's date an old
        device, or a program of some years ago, would have no neighbours at all.
        """
        sizes = asked.sizes.copy()
        for name, last in self._last.items():
            sizes[:, _ERA] = np.minimum(sizes[:, _ERA], last[asked.codes[name]])
        return Features(asked.codes, sizes)

    @functools.cached_property
    def _last(self) -> Mapping[str, Vector]:
        """By code, when the last run of each generation of devices and kind of program was published.

        Infinite for what no published run has; negative codes, of what nobody knows, end there too.
        """
        rows = np.array([row for row in range(len(self.ids)) if row not in self.own], dtype=np.int64)
        runs = self.neighbours.features.take(rows)
        found: dict[str, Vector] = {}
        for name, words in (("generation", self.known["generation"]), ("kin", program_names())):
            last = np.full(len(words) + 1, -math.inf)
            np.maximum.at(last, runs.codes[name], runs.sizes[:, _ERA])
            last[-1] = math.inf
            found[name] = np.where(np.isneginf(last), math.inf, last)
        return found

    def unlike(self, words: Mapping[str, Sequence[str]]) -> list[str]:
        """What of each candidate no run is published of, a key of `UNLIKE`."""
        return [
            "generation" if generation not in self.known["generation"]
            else "kind" if not self.ran(generation, family)
            else "family" if (generation, family) not in self._ran
            else "device" if device not in self.known["device"]
            else ""
            for generation, family, device in zip(
                words["generation"], words["family"], words["device"], strict=True
            )
        ]  # fmt: skip

    def ran(self, generation: str, family: str, method: str = "") -> bool:
        """Whether a network of this kind is among the runs on this generation of devices; of a method also
        whether weights were trained there alike (all of them, or adapters) of any network."""
        alike = not method or (generation, method in _ADAPTERS) in self._trained
        return alike and (generation, _kind(family)) in self._ran

    @functools.cached_property
    def _trained(self) -> set[tuple[str, bool]]:
        """On which generations networks were trained whole, and on which adapters alone."""
        codes = self.neighbours.features.codes
        generations = {code: word for word, code in self.known["generation"].items()}
        methods = {code: word for word, code in self.known["method"].items()}
        return {
            (generations.get(one, ""), methods.get(method, "") in _ADAPTERS)
            for one, method in zip(codes["generation"].tolist(), codes["method"].tolist(), strict=True)
        }

    @functools.cached_property
    def _ran(self) -> set[tuple[str, str]]:
        """Which families and kinds of network ran on which generation of devices."""
        words = {code: word for word, code in self.known["generation"].items()}
        codes = self.neighbours.features.codes["generation"].tolist()
        runs = [(words.get(code, ""), family) for code, family in zip(codes, self.families, strict=True)]
        return {*runs, *((generation, _kind(family)) for generation, family in runs)}

    def of_own(self) -> Published:
        """The user's own runs alone, whose residuals are of the rules in use."""
        rows = np.array(sorted(self.own), dtype=np.int64)
        near = self.neighbours
        codes = {name: values[rows] for name, values in near.features.codes.items()}
        kept = Neighbours(
            near.kernel, Features(codes, near.features.sizes[rows]), near.residuals[rows], near.noise[rows]
        )
        return replace(
            self,
            neighbours=kept,
            ids=tuple(self.ids[row] for row in rows),
            sources=tuple(self.sources[row] for row in rows),
            labels=tuple(self.labels[row] for row in rows),
            measured_s=self.measured_s[rows],
            families=tuple(self.families[row] for row in rows),
            own=frozenset(range(len(rows))),
        )

    def without_runs(self, words: Mapping[str, Sequence[str]]) -> Vector:
        """Standard deviations of ln(time) where no run says anything."""
        kernel = self.neighbours.kernel
        deviation = np.full(len(words["generation"]), math.sqrt(kernel.variance))
        return widened(kernel, deviation, words)

    def joined_by(  # noqa: PLR0913 - the columns, by name
        self,
        *,
        words: Mapping[str, Sequence[str]],
        sizes: Matrix,
        residuals: Vector,
        measured_s: Vector,
        ids: Sequence[str],
        sources: Sequence[str],
        labels: Sequence[str],
    ) -> Published:
        """These runs with the user's own after them, whose words are known from then on."""
        near, count = self.neighbours, len(self.ids)
        known = {name: dict(codes) for name, codes in self.known.items()}
        for name in WORDS:
            for word in filter(None, words[name]):
                known[name].setdefault(word, len(known[name]))
        own = with_kin(encode(words, sizes, known), words["program"])
        old = near.features
        codes = {name: np.concatenate([values, own.codes[name]]) for name, values in old.codes.items()}
        # compared as of the dates that candidates get (`dated`): the same set-up is the same run again
        own = replace(self, known=known).dated(own)
        # a pilot is of what it stands for in all that nobody tells of published runs
        again = replace(near.kernel, noise=min(near.kernel.noise, PILOT_NOISE))
        kernel = again if all(word == PILOT for word in words["program"]) else near.kernel
        joined = Neighbours(
            near.kernel,
            Features(codes, np.concatenate([old.sizes, own.sizes])),
            np.concatenate([near.residuals, residuals]),
            # a single run of one's own is believed; several that contradict each other less
            np.concatenate([near.noise, doubts(kernel, own, residuals)]),
        )
        return replace(
            self,
            neighbours=joined,
            known=known,
            ids=(*self.ids, *ids),
            sources=(*self.sources, *sources),
            labels=(*self.labels, *labels),
            measured_s=np.concatenate([self.measured_s, measured_s]),
            families=(*self.families, *words["family"]),
            own=self.own | frozenset(range(count, count + len(ids))),
        )


def load_published(path: Path) -> Published:
    """The file's runs. Raises DataError naming the file when it is not what tools/fit.py writes."""
    try:
        raw = json.loads(read_text(path))
        words = {name: raw["words"][name] for name in WORDS}
        sizes = np.array(raw["sizes"], dtype=np.float64).reshape(-1, len(SIZES))
        known = vocabulary(words)
        neighbours = Neighbours(
            Kernel(**raw["kernel"]),
            with_kin(encode(words, sizes, known), words["program"]),
            np.array(raw["residuals"], dtype=np.float64),
            np.array(raw["noise"], dtype=np.float64),
        )  # fmt: skip
        measured = np.array(raw["measured_s"], dtype=np.float64)
        _check(raw, neighbours, measured)
        return Published(
            neighbours, known, tuple(raw["ids"]), tuple(raw["sources"]), tuple(raw["labels"]),
            measured, tuple(raw["words"]["family"]), raw["rules"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise DataError.at(
            path, "", None, f"is not a file of residuals ({error})", "Run tools/fit.py."
        ) from error


def _kind(family: str) -> str:
    """Networks of equal transformer blocks and all others load other parts of a device."""
    return "layers" if family in _LAYERS else "blocks"


def with_kin(features: Features, programs: Sequence[str]) -> Features:
    """Runs with the kind of program that trains them (rules/evidence/programs.toml)."""
    names = {name: at for at, name in enumerate(program_names())}
    kin = np.array([names.get(program_of(word), -1) for word in programs], dtype=np.int64)
    return Features({**features.codes, "kin": kin}, features.sizes)


def _check(raw: Mapping[str, Any], neighbours: Neighbours, measured: Vector) -> None:
    """Raises ValueError or TypeError unless all columns are there, finite and of one length."""
    rows = neighbours.residuals.shape
    for column in (neighbours.noise, measured, neighbours.features.sizes[:, 0]):
        if column.shape != rows:
            raise ValueError("columns differ in length")
    texts = [raw[name] for name in ("ids", "sources", "labels")] + [raw["words"][name] for name in WORDS]
    for texts_ in texts:
        if (len(texts_),) != rows or not all(isinstance(text, str) for text in texts_):
            raise ValueError("columns differ in length, or are no texts")
    if not all(np.isfinite(c).all() for c in (neighbours.residuals, neighbours.noise, measured)):
        raise ValueError("a figure is not finite")
    if not math.isfinite(neighbours.kernel.variance):
        raise ValueError("the kernel is not finite")


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
