"""Published runs near a candidate: what they measured, what the rules would have said of them, and what that
says about the candidate.

The residuals ln(measured / rules) of published runs are a Gaussian process over what describes a run:
program, network, device, number format, set-up, sizes. From the nearest runs a candidate gets a correction,
shrunk by their distance and number, and a standard deviation, which is small beside runs like it and that of
all residuals far from any. Plain arrays in and out: files, rules and devices are other rooms' business.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

WORDS = (
    "program", "network", "device", "generation", "vendor", "stack", "family", "method", "precision",
    "recompute", "effort",
)  # fmt: skip
"""What is the same or not of two runs."""


SLICES = ("family", "method", "effort", "vendor")
"""Kinds of runs whose ranges are made true each by itself."""

SIZES = ("work", "weights", "length", "batch", "devices", "tensor", "pipeline", "experts", "era", "repeats")
"""What is more or less alike: base-2 logarithms (era: years)."""

SCALES = np.array([4.0, 3.0, 3.0, 4.0, 5.0, 2.0, 3.0, 3.0, 2.0, 6.0])
"""Differences of `SIZES` that count as one, before the kernel's own scales."""

NEAREST = 40
"""Runs that a correction is made from; more hardly change it."""

_HIGHEST = 0.6
"""No floor is above this, a factor of 2.2 either way: slices overlap, and several that are wide for the same
runs would count them more than once."""

_TIE = 1e-12  # a covariance that matters is larger, a rounding error smaller
_TOLD_AT_ONCE = 16  # candidates whose matrices stay in the processor's cache
_COMPARED_AT_ONCE = 512  # bounds memory
_AMONG_AT_ONCE = 512  # runs: up to here all covariances among them are made once


@dataclass(frozen=True)
class Kernel:
    """How alike two runs' residuals are. Amplitudes are standard deviations of a logarithm."""

    fine: float = 0.10  # within a program, falling with every difference
    program: float = 0.15  # one program against others, whatever it trains
    cross: float = 0.12  # runs of different programs that resemble each other
    device: float = 0.08  # one product against its generation
    network: float = 0.08  # one network against its family
    noise: float = 0.04  # the same run again
    fine_scale: float = 1.0
    cross_scale: float = 0.5
    apart: Mapping[str, float] = field(
        default_factory=lambda: {
            "device": 0.5, "network": 0.7, "precision": 0.5, "recompute": 0.6, "stack": 1.5,
            "generation": 1.0, "family": 1.5, "method": 0.7, "effort": 1.0,
        }
    )  # fmt: skip
    widen: float = 1.0  # standard deviations as told over those of the process, from left-out residuals
    floor: float = 0.0  # no prediction is surer than this
    kin: float = 0.85  # of what a program has to itself: shared by runs of its kind, where no more is told
    unnamed: float = 0.75  # and by runs of the same stack, where nobody says what program it is
    widen_by: Mapping[str, float] = field(default_factory=dict)  # "family cnn": how much more of its rows
    floor_by: Mapping[str, float] = field(default_factory=dict)  # and how much higher their floor

    @property
    def variance(self) -> float:
        """Of a run with nothing known near it."""
        parts = (self.fine, self.program, self.cross, self.device, self.network)
        return float(sum(part**2 for part in parts))


@dataclass(frozen=True)
class Features:
    """What describes runs: codes of words (equal or not; negative: equal to none) and sizes (rows, SIZES)."""

    codes: Mapping[str, Codes]
    sizes: Matrix

    def __len__(self) -> int:
        """Number of runs."""
        return len(self.sizes)

    def take(self, rows: Codes) -> Features:
        """Some of the runs; rows of shape (m, k) give m stacked parts of k runs each."""
        return Features({name: values[rows] for name, values in self.codes.items()}, self.sizes[rows])


def encode(
    words: Mapping[str, Sequence[str]], sizes: Matrix, known: Mapping[str, Mapping[str, int]]
) -> Features:
    """Features of runs described by words; a word that is not `known`, or none, is equal to no other."""
    codes = {
        name: np.array([known[name].get(word, -1) if word else -1 for word in words[name]], dtype=np.int64)
        for name in WORDS
    }
    return Features(codes, np.where(np.isfinite(sizes), sizes, 0.0) / SCALES)


def vocabulary(words: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    """A number for each word."""
    return {
        name: {word: at for at, word in enumerate(sorted({w for w in words[name] if w}))} for name in WORDS
    }


def covariance(kernel: Kernel, a: Features, b: Features) -> Matrix:
    """Covariance of the residuals of runs `a` with those of runs `b`, shape (len(a), len(b))."""
    differs = _differing(a, b)
    return _covariance(kernel, _apart(a.sizes, b.sizes), differs, _shared(kernel, a, b, differs))


def _apart(a: Matrix, b: Matrix) -> Matrix:
    """Squares of how far each of the sizes `a` is from each of `b`."""
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    return np.asarray(np.maximum(square, 0.0))


def _differing(a: Features, b: Features) -> dict[str, npt.NDArray[np.bool_]]:
    """Whether each word of each of `a` is another than that of each of `b`."""
    return {
        name: (a.codes[name][:, None] != b.codes[name][None, :]) | (a.codes[name] < 0)[:, None]
        for name in WORDS
    }


def _shared(kernel: Kernel, a: Features, b: Features, differs: Mapping[str, npt.NDArray[np.bool_]]) -> Matrix:
    """How far runs `a` are of the programs of runs `b`: wholly, as one of a kind, or as one of a stack's.

    Who does not name a program trains with one all the same: the expectation over those it may be.
    """
    share = np.where(differs["program"], 0.0, 1.0)
    own, other = a.codes.get("kin"), b.codes.get("kin")
    unknown = (a.codes["program"] < 0)[:, None]
    if own is None or other is None or not unknown.any():
        return share
    told = (own >= 0)[:, None]
    share[unknown & told & (own[:, None] == other[None, :])] = kernel.kin
    share[unknown & ~told & ~differs["stack"]] = kernel.unnamed
    return share


def _among(kernel: Kernel, features: Features, chosen: Codes) -> Matrix:
    """Covariances among each row of chosen runs, shape (rows, k, k) for `chosen` of shape (rows, k)."""
    sizes = features.sizes[chosen]
    length = (sizes**2).sum(2)
    square = length[:, :, None] + length[:, None, :] - 2 * sizes @ sizes.transpose(0, 2, 1)
    differs = {}
    for name in WORDS:
        codes = features.codes[name][chosen]
        differs[name] = (codes[:, :, None] != codes[:, None, :]) | (codes < 0)[:, :, None]
    return _covariance(kernel, np.maximum(square, 0.0), differs, np.where(differs["program"], 0.0, 1.0))


class _ByWords(NamedTuple):
    """What words alone make of a covariance: fine * exp(-fine_scale d) + cross * exp(-cross_scale d) + flat
    for runs whose sizes are d apart."""

    fine: Matrix
    cross: Matrix
    flat: Matrix

    def at(self, kernel: Kernel, distance: Matrix) -> Matrix:
        """The covariances."""
        out = self.fine * np.exp(-kernel.fine_scale * distance)
        out += self.cross * np.exp(-kernel.cross_scale * distance)
        out += self.flat
        return np.asarray(out)

    def take(self, rows: Codes) -> _ByWords:
        """Of some rows."""
        return _ByWords(self.fine[rows], self.cross[rows], self.flat[rows])


def _covariance(
    kernel: Kernel, distance: Matrix, differs: Mapping[str, npt.NDArray[np.bool_]], program: Matrix
) -> Matrix:
    """Covariances from distances of sizes and words that differ, elementwise."""
    return _by_words(kernel, differs, program).at(kernel, distance)


def _by_words(kernel: Kernel, differs: Mapping[str, npt.NDArray[np.bool_]], program: Matrix) -> _ByWords:
    apart = kernel.apart

    def added(names: Sequence[str], weights: Mapping[str, float]) -> Matrix:
        total = np.zeros(program.shape)
        for name in names:
            total += weights[name] * differs[name]
        return total

    large = added(("generation", "family", "method"), apart)
    small = added(("device", "network", "precision", "recompute"), apart)
    coarse = added(("family", "generation", "precision", "method"), _COARSE)
    strange = added(("stack", "effort"), apart) + 0.5 * differs["precision"]
    flat = program * (kernel.program**2 * np.exp(-coarse))
    flat += np.where(differs["device"], 0.0, kernel.device**2 * np.exp(-0.7 * differs["family"]))
    flat += np.where(differs["network"], 0.0, kernel.network**2 * np.exp(-0.3 * differs["method"]))
    return _ByWords(
        program * (kernel.fine**2 * np.exp(-small - large)),
        kernel.cross**2 * np.exp(-large - strange),
        flat,
    )


_COARSE = {"family": 0.3, "generation": 0.3, "precision": 0.3, "method": 0.3}
"""How fast what a program has to itself is lost between kinds of runs."""


def doubts(
    kernel: Kernel, features: Features, residuals: Vector, rounds: int = 3, own: Matrix | None = None
) -> Vector:
    """Variance of the noise of each run: larger for runs that nothing like them agrees with. Shape (n,).

    `own`: their covariances, where they are known already.
    """
    own = covariance(kernel, features, features) if own is None else own
    noise = np.full(len(features), kernel.noise**2)
    for _ in range(rounds):
        weights = np.linalg.solve(own + np.diag(noise), residuals)
        unexplained = noise * weights
        noise = kernel.noise**2 * np.maximum(1.0, (unexplained / kernel.noise) ** 2 / 2.0)
    return noise


def _together(factors: Mapping[str, float], words: Mapping[str, Sequence[str]]) -> Vector:
    """What the slices of each run multiply to."""
    each = [[factors.get(f"{name} {word}", 1.0) for word in words[name]] for name in SLICES]
    return np.asarray(np.prod(each, axis=0))


def widened(kernel: Kernel, deviation: Vector, words: Mapping[str, Sequence[str]]) -> Vector:
    """Standard deviations as they are told: those of the process, made true on left-out runs."""
    more, higher = _together(kernel.widen_by, words), _together(kernel.floor_by, words)
    return np.asarray(np.hypot(kernel.widen * deviation * more, np.minimum(kernel.floor * higher, _HIGHEST)))


def _alike(features: Features) -> tuple[Codes, Codes] | None:
    """The first of runs that are described alike, and which of these each is; None where none are."""
    columns = [*(values.astype(np.float64) for values in features.codes.values()), *features.sizes.T]
    order = np.lexsort(columns)
    new = np.zeros(len(order), dtype=bool)
    new[:1] = True
    for values in columns:
        new[1:] |= values[order][1:] != values[order][:-1]
    if new.all():
        return None
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.cumsum(new) - 1
    return order[new], back


@dataclass(frozen=True)
class Told:
    """What the neighbours say of each candidate: shapes (m,), (m,), (m, k), (m, k)."""

    correction: Vector  # ln(measured / rules) to be expected
    deviation: Vector  # its standard deviation, noise of a single run included
    nearest: Codes  # rows of the evidence, most telling first
    weights: Matrix  # what each contributes to the correction per unit of its residual


@dataclass(frozen=True)
class Neighbours:
    """Published runs with their residuals ln(measured / rules) and doubts."""

    kernel: Kernel
    features: Features
    residuals: Vector
    noise: Vector

    def tell(self, candidates: Features, count: int = NEAREST) -> Told:
        """What the nearest runs say of each candidate."""
        count = min(count, len(self.features))
        out = Told(
            np.zeros(len(candidates)), np.full(len(candidates), self.kernel.variance**0.5),
            np.zeros((len(candidates), count), dtype=np.int64), np.zeros((len(candidates), count)),
        )  # fmt: skip
        if not count or not len(candidates):
            return out
        same = _alike(candidates)
        if same is not None:  # candidates that differ in nothing that is looked at are told once
            once, back = same
            told = self.tell(candidates.take(once), count)
            return Told(told.correction[back], told.deviation[back], told.nearest[back], told.weights[back])
        _, first, kind = np.unique(
            np.stack([candidates.codes[name] for name in candidates.codes], axis=1), axis=0,
            return_index=True, return_inverse=True,
        )  # fmt: skip
        # of candidates that no word tells apart the words are compared with each run once
        order = np.argsort(kind, kind="stable")
        for start in range(0, len(order), _COMPARED_AT_ONCE):
            rows = order[start : start + _COMPARED_AT_ONCE]
            used, at = np.unique(kind[rows], return_inverse=True)
            self._tell_some(candidates.take(rows), candidates.take(first[used]), at, rows, out)
        return out

    @functools.cached_property
    def among_all(self) -> Matrix:
        """Covariances among all runs. Once asked for it is kept and used: for whoever asks for thousands."""
        every = np.arange(len(self.features))
        rows = [self.features.take(every[at : at + 64]) for at in range(0, len(every), 64)]
        parts = []
        for some in rows:
            differs = _differing(some, self.features)
            same = np.where(differs["program"], 0.0, 1.0)
            distance = _apart(some.sizes, self.features.sizes)
            parts.append(_covariance(self.kernel, distance, differs, same))
        return np.concatenate([*parts, np.zeros((0, len(every)))])

    def _tell_some(self, candidates: Features, words: Features, kind: Codes, rows: Codes, out: Told) -> None:
        """Of candidates with the words that `kind` points to."""
        kernel, runs = self.kernel, self.features
        differs = _differing(words, runs)
        by_words = _by_words(kernel, differs, _shared(kernel, words, runs, differs))
        count = out.nearest.shape[1]
        near, to = np.zeros((len(rows), count), dtype=np.int64), np.zeros((len(rows), count))
        tie = _TIE * np.arange(len(runs))
        for start in range(0, len(rows), _TOLD_AT_ONCE):
            part = slice(start, start + _TOLD_AT_ONCE)
            cross = by_words.take(kind[part]).at(kernel, _apart(candidates.sizes[part], runs.sizes))
            # runs that are equally near are chosen in their order, whatever the last digit of a sum is
            far = tie - cross
            best = np.argpartition(far, count - 1, axis=1)[:, :count]
            best = np.take_along_axis(best, np.argsort(np.take_along_axis(far, best, 1), axis=1), 1)
            near[part], to[part] = best, np.take_along_axis(cross, best, 1)
        weights = self._solved(near, to)
        explained = np.clip((to * weights).sum(1), 0.0, kernel.variance)
        out.deviation[rows] = np.sqrt(kernel.variance - explained + kernel.noise**2)
        # Once more by the share that is explained: far from all runs the rules alone were right more often.
        weights *= (explained / kernel.variance)[:, None]
        out.correction[rows] = (weights * self.residuals[near]).sum(1)
        out.nearest[rows], out.weights[rows] = near, weights

    def _solved(self, near: Codes, to: Matrix) -> Matrix:
        """What each of the nearest runs weighs for each candidate."""
        count = near.shape[1]
        used, at = np.unique(near, return_inverse=True)
        at = at.reshape(near.shape)
        among = None
        if "among_all" in self.__dict__:
            at, among = near, self.among_all
        elif len(used) <= _AMONG_AT_ONCE:
            among = _among(self.kernel, self.features, used[None, :])[0]
        weights = np.empty(near.shape)
        for start in range(0, len(near), _TOLD_AT_ONCE):
            part = slice(start, start + _TOLD_AT_ONCE)
            if among is None:
                own = _among(self.kernel, self.features, near[part])
            else:
                own = among[at[part][:, :, None], at[part][:, None, :]]
            own[:, np.arange(count), np.arange(count)] += self.noise[near[part]]
            weights[part] = np.linalg.solve(own, to[part][:, :, None])[:, :, 0]
        return weights
