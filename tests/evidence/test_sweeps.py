"""Published layout sweeps: of one network on the same devices the layout that ran fastest is among the best
by our own estimate too."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from advisor.data.files import shipped
from advisor.neighbours import SIZES, WORDS, Codes, Vector
from advisor.published import FILE, Published, load_published

WORDS_ALIKE = tuple(word for word in WORDS if word not in ("stack", "recompute", "family", "vendor"))
AT = {name: place for place, name in enumerate(SIZES)}
CUTS = ("tensor", "pipeline", "experts")


@cache
def published() -> Published:
    return load_published(shipped("rules") / FILE)


def sweeps(least: int) -> Iterator[Codes]:
    """Rows of one source, program, network, device, format, count and samples a step, in so many layouts."""
    runs = published()
    features = runs.neighbours.features
    sizes = features.sizes * SCALES
    samples = (
        sizes[:, AT["batch"]] + sizes[:, AT["devices"]] - sizes[:, AT["tensor"]] - sizes[:, AT["pipeline"]]
    )
    alike: dict[tuple[object, ...], list[int]] = {}
    for row in np.flatnonzero(sizes[:, AT["devices"]] >= 1):
        key = (
            runs.sources[row].split("@")[0], *(int(features.codes[word][row]) for word in WORDS_ALIKE),
            *(round(float(value), 1) for value in (sizes[row, AT["devices"]], sizes[row, AT["length"]],
                                                   samples[row])),
        )  # fmt: skip
        alike.setdefault(key, []).append(int(row))
    for rows in alike.values():
        if len({tuple(sizes[row, [AT[name] for name in CUTS]].round(2)) for row in rows}) >= least:
            yield np.array(rows)


SCALES = np.array([4.0, 3.0, 3.0, 4.0, 5.0, 2.0, 3.0, 3.0, 2.0, 6.0])
"""What sizes are divided by (advisor/neighbours.py)."""


def judged(least: int, by: Vector) -> tuple[Vector, Vector]:
    """Of each sweep: which share of its layouts is better, `by` an estimate, than the one that ran fastest;
    and how much slower than that the one ran that is best by it."""
    measured = published().measured_s
    ranks, losses = [], []
    for rows in sweeps(least):
        fastest, picked = rows[np.argmin(measured[rows])], rows[np.argmin(by[rows])]
        ranks.append(float((by[rows] < by[fastest]).mean()))
        losses.append(float(measured[picked] / measured[fastest] - 1))
    return np.array(ranks), np.array(losses)


def rules_s() -> Vector:
    """Step times by the rules, uncorrected by neighbours."""
    return np.asarray(published().measured_s * np.exp(-published().neighbours.residuals))


def test_what_ran_fastest_ranks_in_the_best_fifth() -> None:
    ranks, losses = judged(5, rules_s())
    assert len(ranks) >= 5
    assert (ranks <= 0.2).mean() >= 0.8
    assert losses.mean() < 0.05


def test_what_is_taken_of_small_sweeps_is_hardly_slower() -> None:
    ranks, losses = judged(3, rules_s())
    assert len(ranks) >= 30
    assert np.median(losses) < 0.02 and losses.mean() < 0.05 and losses.max() < 0.35
    assert ranks.mean() < 0.2


@pytest.mark.parametrize("least", [3, 5])
def test_chance_does_not_pass(least: int) -> None:
    """Estimates that know nothing of layouts rank the fastest in the middle."""
    draws = np.random.default_rng(0).random((20, len(published().ids)))
    found = [judged(least, one) for one in draws]
    assert np.mean([ranks.mean() for ranks, _ in found]) > 0.3
    assert np.mean([losses.mean() for _, losses in found]) > 0.05
