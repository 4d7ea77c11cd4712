"""Measured speeds that no device can reach: told as such, and not judged."""

from __future__ import annotations

import numpy as np

from advisor.estimate import Table
from advisor.evidence.inputs import Run
from advisor.evidence.table import Asked
from advisor.rulebook import RuleBook

NEEDED = ("model_flops_per_sample", "compute_peak", "step_batch", "has_blocks")
"""Quantities of the rules that tell the work of a sample and the peak of a device."""

_BEYOND = 1.2
"""Times the peak from which on a figure is a mistake: boards clock somewhat above what vendors print."""

_BEYOND_MATRIX = 0.9
"""The same of matrix units: the best products reach 0.87 of what vendors print (github:stas00/ml-engineering,
maximum achievable matmul FLOPS), and a step is more than products."""

_VECTOR_FORMATS = ("fp32",)


def needed(book: RuleBook) -> list[str]:
    """Those of them that the rules have."""
    return [name for name in NEEDED if name in book.quantities]


def beyond_peak(table: Table, run: Run, at: int, asked: Asked) -> str:
    """Why a step is too short to be true, or ''. `table` holds the needed quantities in row `at`.

    Asked of networks of blocks alone: the work of a sample of others hangs on sizes that rows do not give.
    """
    if asked.quantity != "step_time_s" or any(name not in table.columns for name in NEEDED):
        return ""
    work, peak, batch, blocks = (float(table.columns[name][at]) for name in NEEDED)
    if "global_batch" not in run.inputs.values:  # the time of one sample on one accelerator
        batch = run.record.number("num_accelerators") or np.nan
    told = run.record.number("tflops_per_device")
    shares = {
        "the row's TFLOP/s are": (told or np.nan) * 1e12 * _each(run) / peak,
        "its speed would be": work * batch / (asked.measured * run.devices * peak) if blocks > 0 else np.nan,
    }
    matrix = run.inputs.values.get("precision") not in _VECTOR_FORMATS and run.entry.vendor == "nvidia"
    limits = dict.fromkeys(shares, _BEYOND)
    if matrix:
        limits["its speed would be"] = _BEYOND_MATRIX
    for what, share in shares.items():
        if share > limits[what]:
            return (
                f"suspicious: {what} {share:.3g} times the dense peak of {run.entry.title} "
                "(see units, batch, sequence length and precision)"
            )
    return ""


def _each(run: Run) -> float:
    """Accelerators as the source counts them, for each device of the catalogue's entry."""
    return (run.record.number("num_accelerators") or run.devices) / run.devices
