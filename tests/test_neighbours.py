"""Neighbours: a Gaussian process, exactly, on few runs; nothing far from any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.neighbours import (
    SIZES,
    WORDS,
    Features,
    Kernel,
    Matrix,
    Neighbours,
    covariance,
    doubts,
    encode,
    vocabulary,
    widened,
)

KERNEL = Kernel()


def features(rng: np.random.Generator, count: int, kinds: int = 3) -> Features:
    """Runs with few kinds of each word, so that many are alike."""
    codes = {name: rng.integers(0, kinds, count) for name in WORDS}
    return Features(codes, rng.normal(size=(count, len(SIZES))))


def neighbours(rng: np.random.Generator, count: int) -> Neighbours:
    runs = features(rng, count)
    residuals = rng.normal(scale=0.2, size=count)
    return Neighbours(KERNEL, runs, residuals, rng.uniform(0.04, 0.2, count) ** 2)


def elementwise(kernel: Kernel, a: Features, b: Features, i: int, j: int) -> float:
    """The covariance of two runs as the kernel's parts say it, one number at a time."""
    other = {name: float(a.codes[name][i] != b.codes[name][j] or a.codes[name][i] < 0) for name in WORDS}
    apart = kernel.apart
    distance = float(((a.sizes[i] - b.sizes[j]) ** 2).sum())
    large = sum(apart[name] * other[name] for name in ("generation", "family", "method"))
    small = sum(apart[name] * other[name] for name in ("device", "network", "precision", "recompute"))
    coarse = 0.3 * sum(other[name] for name in ("family", "generation", "precision", "method"))
    strange = apart["stack"] * other["stack"] + apart["effort"] * other["effort"] + 0.5 * other["precision"]
    total = (1 - other["program"]) * kernel.fine**2 * np.exp(-kernel.fine_scale * distance - small - large)
    total += (1 - other["program"]) * kernel.program**2 * np.exp(-coarse)
    total += kernel.cross**2 * np.exp(-kernel.cross_scale * distance - large - strange)
    total += (1 - other["device"]) * kernel.device**2 * np.exp(-0.7 * other["family"])
    total += (1 - other["network"]) * kernel.network**2 * np.exp(-0.3 * other["method"])
    return float(total)


@pytest.mark.parametrize("seed", range(3))
def test_covariance_is_that_of_each_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = features(rng, 9), features(rng, 7)
    a.codes["program"][0] = a.codes["network"][3] = b.codes["device"][2] = -1
    found = covariance(KERNEL, a, b)
    expected = [[elementwise(KERNEL, a, b, i, j) for j in range(7)] for i in range(9)]
    assert found == pytest.approx(np.array(expected), rel=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_covariances_can_be_those_of_a_process(seed: int, count: int) -> None:
    runs = features(np.random.default_rng(seed), count)
    own = covariance(KERNEL, runs, runs)
    assert own == pytest.approx(own.T)
    assert np.diag(own) == pytest.approx(KERNEL.variance)
    assert np.linalg.eigvalsh(own).min() > -1e-9


@pytest.mark.parametrize(("seed", "count"), [(1, 1), (2, 5), (3, 30)])
def test_correction_and_deviation_are_those_of_the_exact_process(seed: int, count: int) -> None:
    """With fewer runs than are asked, nothing is left out: the textbook's formula must come out, its mean
    taken by the share of the variance that is explained."""
    rng = np.random.default_rng(seed)
    near, candidates = neighbours(rng, count), features(rng, 20)
    found = near.tell(candidates, count=64)
    own = covariance(KERNEL, near.features, near.features) + np.diag(near.noise)
    to = covariance(KERNEL, candidates, near.features)
    weights = np.linalg.solve(own, to.T).T
    explained = (to * weights).sum(1)
    weights *= (explained / KERNEL.variance)[:, None]
    assert found.correction == pytest.approx(weights @ near.residuals, abs=1e-10)
    variance = KERNEL.variance - explained + KERNEL.noise**2
    assert found.deviation == pytest.approx(np.sqrt(variance), rel=1e-8)
    for row in range(20):
        by_run = dict(zip(found.nearest[row].tolist(), found.weights[row].tolist(), strict=True))
        assert by_run == pytest.approx(dict(enumerate(weights[row])), abs=1e-9)


def test_the_nearest_are_those_of_largest_covariance_in_order() -> None:
    rng = np.random.default_rng(4)
    near, candidates = neighbours(rng, 50), features(rng, 6)
    found = near.tell(candidates, count=8)
    cross = covariance(KERNEL, candidates, near.features)
    for row in range(6):
        told = cross[row, found.nearest[row]]
        assert told == pytest.approx(np.sort(cross[row])[::-1][:8])


def test_far_from_all_runs_nothing_is_known() -> None:
    """No word in common and sizes far away: no correction, and the spread of all residuals."""
    near = neighbours(np.random.default_rng(5), 40)
    strange = Features({name: np.array([-1, 77]) for name in WORDS}, np.full((2, len(SIZES)), 50.0))
    found = near.tell(strange)
    assert found.correction == pytest.approx([0, 0], abs=1e-12)
    assert found.deviation == pytest.approx(np.hypot(KERNEL.variance**0.5, KERNEL.noise))


def test_the_same_run_again_is_almost_its_residual() -> None:
    rng = np.random.default_rng(6)
    runs = features(rng, 30, kinds=30)
    residuals = rng.normal(scale=0.2, size=30)
    near = Neighbours(KERNEL, runs, residuals, np.full(30, 1e-8))
    found = near.tell(runs)
    assert found.correction == pytest.approx(residuals, abs=1e-4)
    assert found.deviation == pytest.approx(KERNEL.noise, rel=1e-3)


def test_more_runs_like_it_make_surer_and_pull_farther() -> None:
    """Shrinkage by number: n equal runs with residual r give r x (n / (n + noise / covariance)) ** 2."""
    one = features(np.random.default_rng(7), 1)
    noise = 0.3**2
    corrections, deviations = [], []
    for count in (1, 2, 8):
        near = Neighbours(
            KERNEL, one.take(np.zeros(count, dtype=int)), np.full(count, 0.5), np.full(count, noise)
        )
        found = near.tell(one)
        expected = 0.5 * (count / (count + noise / KERNEL.variance)) ** 2
        assert found.correction[0] == pytest.approx(expected, rel=1e-6)
        corrections.append(found.correction[0])
        deviations.append(found.deviation[0])
    assert corrections == sorted(corrections)
    assert deviations == sorted(deviations, reverse=True)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_order_of_runs_and_candidates_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    near, candidates = neighbours(rng, 25), features(rng, 40)
    order, asked = rng.permutation(25), rng.permutation(40)
    shuffled = Neighbours(KERNEL, near.features.take(order), near.residuals[order], near.noise[order])
    found, again = near.tell(candidates), shuffled.tell(candidates.take(asked))
    assert again.correction == pytest.approx(found.correction[asked], abs=1e-9)
    assert again.deviation == pytest.approx(found.deviation[asked], rel=1e-9)


def test_candidates_do_not_know_each_other() -> None:
    """Each is told the same alone and among many (they are worked on in blocks)."""
    rng = np.random.default_rng(8)
    near, candidates = neighbours(rng, 60), features(rng, 70)
    together = near.tell(candidates)
    for row in (0, 15, 16, 69):
        alone = near.tell(candidates.take(np.array([row])))
        assert alone.correction[0] == pytest.approx(together.correction[row], abs=1e-10)
        assert alone.deviation[0] == pytest.approx(together.deviation[row], rel=1e-9)


def test_equally_near_runs_are_chosen_in_their_order() -> None:
    """Which of many equally near runs count does not hang on the last digit of a sum.

    All sizes of a candidate are the same, those of the runs the same in another order: equally near, but for
    how the sums are rounded, which changes with how many candidates are asked at once.
    """
    rng = np.random.default_rng(11)
    sizes = rng.normal(scale=0.3, size=len(SIZES))
    same = {name: np.zeros(200, dtype=int) for name in WORDS}
    runs = Features(same, np.stack([rng.permutation(sizes) for _ in range(200)]))
    near = Neighbours(KERNEL, runs, rng.normal(scale=0.2, size=200), np.full(200, 0.01))
    levels = rng.normal(size=50)[:, None]
    candidates = Features({name: codes[:50] for name, codes in same.items()}, levels * np.ones(len(SIZES)))
    together = near.tell(candidates, count=20)
    assert (together.nearest == np.arange(20)).all()
    for row in (0, 1, 17, 49):
        alone = near.tell(candidates.take(np.array([row])), count=20)
        assert alone.nearest[0].tolist() == list(range(20))


def test_no_runs_and_no_candidates() -> None:
    rng = np.random.default_rng(9)
    none = Neighbours(KERNEL, features(rng, 0), np.zeros(0), np.zeros(0))
    found = none.tell(features(rng, 3))
    assert found.correction.tolist() == [0, 0, 0]
    assert found.nearest.shape == (3, 0)
    assert neighbours(rng, 4).tell(features(rng, 0)).correction.shape == (0,)


def test_a_run_that_nothing_agrees_with_is_doubted() -> None:
    rng = np.random.default_rng(10)
    runs = features(rng, 1).take(np.zeros(9, dtype=int))
    residuals = np.array([0.1] * 8 + [1.5])
    noise = doubts(KERNEL, runs, residuals)
    assert noise[8] > 20 * noise[0]
    assert noise.min() >= KERNEL.noise**2
    trusting = Neighbours(KERNEL, runs, residuals, np.full(9, KERNEL.noise**2)).tell(runs.take(np.array([0])))
    doubting = Neighbours(KERNEL, runs, residuals, noise).tell(runs.take(np.array([0])))
    assert abs(doubting.correction[0] - 0.1) < abs(trusting.correction[0] - 0.1) / 2


def test_words_are_equal_or_not_and_unknown_ones_equal_to_none() -> None:
    words = {name: ["a", "b", "a", ""] for name in WORDS}
    known = vocabulary(words)
    found = encode(words, np.full((4, len(SIZES)), np.nan), known)
    assert found.codes["program"].tolist() == [0, 1, 0, -1]
    assert found.sizes.tolist() == np.zeros((4, len(SIZES))).tolist()
    strangers = encode({name: ["z", ""] for name in WORDS}, np.zeros((2, len(SIZES))), known)
    cross = covariance(KERNEL, strangers, strangers)
    assert cross[0, 1] == cross[0, 0] == pytest.approx(cross[1, 0])  # not even like themselves
    assert cross[0, 0] < KERNEL.variance / 10


def test_ranges_are_widened_by_slice() -> None:
    more = {"family cnn": 1.5, "vendor amd": 2.0, "method lora": 1.2}
    kernel = Kernel(widen=2.0, floor=0.3, widen_by=more, floor_by={"family cnn": 2.0, "vendor nvidia": 0.5})
    words = {
        "family": ["cnn", "decoder", "cnn"], "vendor": ["amd", "nvidia", "nvidia"],
        "method": ["full", "lora", "full"], "effort": ["tuned"] * 3,
    }  # fmt: skip
    found = widened(kernel, np.array([0.2, 0.2, 0.2]), words)
    assert found == pytest.approx(np.hypot([0.4 * 3.0, 0.4 * 1.2, 0.4 * 1.5], [0.6, 0.15, 0.3]))


def test_a_program_that_is_not_named_is_one_of_its_stack() -> None:
    """Nobody's program, a kind of program, and the program itself: each is surer than the one before."""
    words = {name: ["same"] * 4 for name in WORDS}
    words["program"] = ["a1", "a1", "a2", "b"]
    known = vocabulary(words)
    rows = encode(words, np.zeros((4, len(SIZES))), known)
    runs = Features({**rows.codes, "kin": np.array([0, 0, 0, 1])}, rows.sizes)
    kernel = Kernel(kin=0.8, unnamed=0.5)

    def asked(program: str, kin: int, stack: str = "same") -> Matrix:
        told = {**{name: ["same"] for name in WORDS}, "program": [program], "stack": [stack]}
        one = encode(told, np.zeros((1, len(SIZES))), known)
        return covariance(kernel, Features({**one.codes, "kin": np.array([kin])}, one.sizes), runs)[0]

    itself, kind, nobody, elsewhere = asked("a1", 0), asked("", 0), asked("", -1), asked("", -1, "other")
    assert itself[0] > kind[0] > nobody[0]
    assert kind[0] == kind[2] > kind[3]
    assert nobody[0] == nobody[3]
    assert itself[2] == kind[3], "another version shares nothing of what a program has to itself"
    assert elsewhere[0] < kind[3], "of another stack"


def test_floors_of_several_wide_slices_end_at_a_factor_of_two() -> None:
    kernel = Kernel(widen=1.0, floor=0.1, floor_by={"family moe": 4.0, "method lora": 5.0})
    words = {
        "family": ["moe", "moe"],
        "vendor": ["amd"] * 2,
        "method": ["full", "lora"],
        "effort": ["tuned"] * 2,
    }
    found = widened(kernel, np.zeros(2), words)
    assert found == pytest.approx(np.array([0.4, 0.6]))
