"""What describes a row of the rules' table to its neighbours, and the quantities that takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from advisor.estimate.table import Table

QUANTITIES = (
    "model_flops_per_sample", "params", "tokens_per_sample", "local_batch", "tp_degree", "pp_degree",
    "ep_degree", "accumulations", "era_here",
)  # fmt: skip
"""Of the rules, beside the table's own columns."""

_SAME_WORK = {"pretrain": "full"}
"""Training all weights is the same work from the first step on; published runs do not tell the two apart."""

_NOISE = re.compile(r"[^a-z0-9.]+")


def plain(name: str) -> str:
    """A name as it is compared: lower case, letters and digits only."""
    return _NOISE.sub("", name.lower())


def sizes_of(table: Table) -> npt.NDArray[np.float64]:
    """The sizes of each row, shape (rows, len(neighbours.SIZES)). The table holds `QUANTITIES`."""

    def log2(name: str) -> npt.NDArray[np.float64]:
        values = table.columns.get(name)
        if values is None:
            return np.zeros(table.rows)
        with np.errstate(all="ignore"):
            return np.where(values > 0, np.log2(values), 0.0)

    era = table.columns.get("era_here")  # of who says nothing: today
    years = np.zeros(table.rows) if era is None else np.nan_to_num(era - 2020.0)
    names = (
        "model_flops_per_sample", "params", "tokens_per_sample", "local_batch", "devices", "tp_degree",
        "pp_degree", "ep_degree",
    )  # fmt: skip
    columns = [log2(name) for name in names]
    return np.stack([*columns, years, log2("accumulations")], axis=1)


def words_of(
    table: Table, programs: Sequence[str], networks: Sequence[str], devices: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """The words of each row; program, network and device are told, the rest are categories of the table."""
    found: dict[str, Sequence[str]] = {"program": programs, "network": networks, "device": devices}
    for name in ("generation", "vendor", "stack", "family", "method", "precision", "recompute", "effort"):
        found[name] = _words(table, f"{name}_")
    found["method"] = [_SAME_WORK.get(word, word) for word in found["method"]]
    return found


def _words(table: Table, prefix: str) -> list[str]:
    """The value of a category by its flags; "none" where it is not known."""
    flags = {
        name.removeprefix(prefix): values > 0
        for name, values in table.columns.items()
        if name.startswith(prefix) and name not in table.computed  # family_traffic is a quantity
    }
    words = np.full(table.rows, "none", dtype=object)
    for word, holds in flags.items():
        words[holds] = word
    return [str(word) for word in words]
