"""The regression behind the first shares of peak: effects, left-out residuals, ranges, errors."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from evidence_table import RULES, Run, table_of

from advisor.estimate import evaluate
from advisor.rulebook import load_book

Vector = npt.NDArray[np.float64]
WIDTHS = (768.0, 1024.0, 2048.0, 4096.0, 8192.0)
COUNTS = (1.0, 8.0, 64.0, 512.0, 4096.0)
BASE_WIDTH, BASE_COUNT = 4096.0, 1.0
MIN_SHARE, MAX_SHARE = 0.01, 0.9
GENERATIONS = (  # noqa: SIM905
    "nvidia_pascal nvidia_volta nvidia_turing nvidia_ampere nvidia_ampere_gddr nvidia_ada nvidia_hopper "
    "nvidia_blackwell nvidia_blackwell_gddr amd_cdna amd_cdna3 amd_cdna4 amd_rdna intel_gaudi intel_xe "
    "huawei_910 huawei_910b google_tpu aws_trainium apple_gpu other"
).split()
VENDORS = ("nvidia", "amd", "intel", "huawei", "google", "aws", "apple", "other")


@dataclass(frozen=True)
class Sample:
    """A run as the regression sees it."""

    run: Run
    share: float
    group: str  # transformer or cnn
    publisher: str


def samples_of(runs: list[Run]) -> tuple[list[Sample], int]:
    """Shares of peak by the product's own rules; those that cannot be true are dropped and counted."""
    book = load_book([RULES])
    table = evaluate(book, table_of(book, runs), ["flops_per_sample", "compute_peak"])
    seconds = np.array([run.seconds_per_sample for run in runs])
    shares = table.columns["flops_per_sample"] / seconds / table.columns["compute_peak"]
    kept = [
        Sample(
            run,
            float(share),
            "cnn" if run.inputs["family"] == "cnn" else "transformer",
            str(run.row["publisher"]),
        )
        for run, share in zip(runs, shares, strict=True)
        if not math.isnan(share)
        and MIN_SHARE < share < MAX_SHARE
        and run.entry.generation in GENERATIONS  # others have no rule of their own here
    ]
    return kept, len(runs) - len(kept)


def hats(value: float, knots: Sequence[float]) -> Vector:
    """Piecewise linear weights over log(value): what `curve` does with its points."""
    out = np.zeros(len(knots))
    position = np.interp(math.log(value), np.log(knots), np.arange(len(knots)))
    low = min(int(position), len(knots) - 2)
    out[low], out[low + 1] = 1 - (position - low), position - low
    return out


class Design:
    """Columns of the regression: names, penalties, and the row of a sample."""

    def __init__(self, publishers: Sequence[str]) -> None:
        self.names: list[str] = []
        self.penalty: list[float] = []

        def add(name: str, penalty: float) -> None:
            self.names.append(name)
            self.penalty.append(penalty)

        for group in ("transformer", "cnn"):
            add(f"{group}", 1e-6)
            for vendor in VENDORS:
                add(f"{group}:{vendor}", 3.0)
            for generation in GENERATIONS:
                add(f"{group}:{generation}", 2.0)
            add(f"{group}:tuned", 0.3)
        for name in ("fp8", "tf32", "fp32", "encoder", "vit", "lora", "qlora"):
            add(name, 0.3)
        for width in WIDTHS:
            add(f"width:{width:g}", 1.0)
        for count in COUNTS:
            add(f"count:{count:g}", 1.0)
        for publisher in publishers:
            add(f"publisher:{publisher}", 4.0)
        self.at = {name: index for index, name in enumerate(self.names)}

    def row(self, sample: Sample) -> Vector:
        """The regression's row of a sample."""
        x = np.zeros(len(self.names))
        inputs, group = sample.run.inputs, sample.group
        entry = sample.run.entry
        for name in (group, f"{group}:{entry.vendor}", f"{group}:{entry.generation}"):
            x[self.at[name]] = 1
        if sample.run.effort == "tuned":
            x[self.at[f"{group}:tuned"]] = 1
        for flag, name in (("fp8_mixed", "fp8"), ("tf32", "tf32"), ("fp32", "fp32")):
            if inputs["precision"] == flag:
                x[self.at[name]] = 1
        for name in ("encoder", "vit"):
            x[self.at[name]] = inputs["family"] == name
        for name in ("lora", "qlora"):
            x[self.at[name]] = inputs["method"] == name
        if group == "transformer":
            first = self.at[f"width:{WIDTHS[0]:g}"]
            x[first : first + len(WIDTHS)] = hats(inputs["hidden"], WIDTHS) - hats(BASE_WIDTH, WIDTHS)
        first = self.at[f"count:{COUNTS[0]:g}"]
        x[first : first + len(COUNTS)] = hats(inputs["devices"], COUNTS) - hats(BASE_COUNT, COUNTS)
        publisher = f"publisher:{sample.publisher}"
        if publisher in self.at:
            x[self.at[publisher]] = 1
        return x


def fit(samples: list[Sample]) -> tuple[Design, Vector]:
    """Design and coefficients of the weighted, robust ridge regression."""
    counts = Counter(sample.publisher for sample in samples)
    design = Design(sorted(counts))
    x = np.stack([design.row(sample) for sample in samples])
    y = np.log([sample.share for sample in samples])
    base = np.array([1 / math.sqrt(counts[sample.publisher]) for sample in samples])
    penalty = np.diag(np.array(design.penalty)) * 0.05
    weights = base.copy()
    beta = np.zeros(x.shape[1])
    for _ in range(12):
        weighted = x * weights[:, None]
        beta = np.linalg.solve(weighted.T @ x + penalty, weighted.T @ y)
        residual = np.abs(y - x @ beta)
        scale = max(1.4826 * float(np.median(residual)), 0.05)
        weights = base * np.minimum(1, 1.5 * scale / np.maximum(residual, 1e-9))
    return design, beta


def predict(design: Design, beta: Vector, samples: list[Sample]) -> Vector:
    """log(share) without the publisher's own effect (which nobody knows beforehand)."""
    own = np.array([name.startswith("publisher:") for name in design.names])
    return np.stack([design.row(sample) for sample in samples]) @ np.where(own, 0.0, beta)


def left_out(samples: list[Sample]) -> Vector:
    """log(measured share / predicted share) of every sample with its publisher left out of the fit."""
    out = np.zeros(len(samples))
    for publisher in sorted({sample.publisher for sample in samples}):
        held = [index for index, sample in enumerate(samples) if sample.publisher == publisher]
        design, beta = fit([sample for sample in samples if sample.publisher != publisher])
        chosen = [samples[index] for index in held]
        out[held] = np.log([sample.share for sample in chosen]) - predict(design, beta, chosen)
    return out


def quantiles(values: Vector, weights: Vector, points: Sequence[float]) -> list[float]:
    """Weighted quantiles."""
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order]) / weights.sum()
    return [
        float(values[order][min(int(np.searchsorted(cumulative, point)), len(values) - 1)])
        for point in points
    ]


def weights_of(samples: list[Sample]) -> Vector:
    """One over the square root of the publisher's number of rows."""
    counts = Counter(sample.publisher for sample in samples)
    return np.array([1 / math.sqrt(counts[sample.publisher]) for sample in samples])


def ranges(samples: list[Sample], residual: Vector) -> dict[tuple[str, str], tuple[float, float, str]]:
    """(group, generation) -> low and high factor, and what they rest on.

    Generations with fewer than three publishers take the range of all of their group.
    """
    out = {}
    weights = weights_of(samples)
    for group in ("transformer", "cnn"):
        whole = np.array([sample.group == group for sample in samples])
        low_all, high_all = quantiles(residual[whole], weights[whole], (0.1, 0.9))
        for generation in GENERATIONS:
            mine = whole & np.array([sample.run.entry.generation == generation for sample in samples])
            rows = [sample for sample, hit in zip(samples, mine, strict=True) if hit]
            sources = sorted({sample.publisher for sample in rows})
            if len(sources) >= 3 and len(rows) >= 10:
                low, high = quantiles(residual[mine], weights[mine], (0.1, 0.9))
                low, high = min(low, low_all / 2), max(high, high_all / 2)
            elif rows:
                low, high = low_all, high_all
            else:
                low, high = 1.4 * low_all, 1.4 * high_all
            named = (
                ", ".join(sources)
                if len(sources) <= 8
                else f"{len(sources)} publishers, among them {', '.join(sources[:6])}"
            )
            text = (
                f"{len(rows)} runs of {named}"
                if rows
                else "no run of this generation: vendor and family average, wider range"
            )
            out[group, generation] = (math.exp(min(low, -0.05)), math.exp(max(high, 0.05)), text)
    return out


def report(samples: list[Sample], residual: Vector) -> str:
    """Errors of the predicted time with the publisher left out, as a Markdown table."""
    spread = ranges(samples, residual)
    error = np.exp(residual) - 1  # predicted time / measured time - 1
    inside = np.array(
        [
            math.log(spread[s.group, s.run.entry.generation][0])
            <= r
            <= math.log(spread[s.group, s.run.entry.generation][1])
            for s, r in zip(samples, residual, strict=True)
        ]
    )
    groups: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        groups["all"].append(index)
        groups[f"family: {sample.run.inputs['family']}"].append(index)
        groups[f"vendor: {sample.run.entry.vendor}"].append(index)
        groups[f"effort: {sample.run.effort}"].append(index)
        if sample.run.inputs["method"] != "full":
            groups[f"method: {sample.run.inputs['method']}"].append(index)
    lines = [
        "| rows | n | publishers | median error | 90 % below | median signed | in the 80 % range |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    every = weights_of(samples)
    for name in sorted(groups, key=lambda key: (key != "all", key)):
        rows = np.array(groups[name])
        middle, far = quantiles(np.abs(error[rows]), every[rows], (0.5, 0.9))
        signed = quantiles(error[rows], every[rows], (0.5,))[0]
        share = float((inside[rows] * every[rows]).sum() / every[rows].sum())
        publishers = len({samples[index].publisher for index in rows})
        lines.append(
            f"| {name} | {len(rows)} | {publishers} | {middle:.0%} | {far:.0%} "
            f"| {signed:+.0%} | {share:.0%} |"
        )
    return "\n".join(lines)
