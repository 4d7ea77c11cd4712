"""Fitted values into rules/constants/time.toml, in place: texts, priors and sources stay as they are."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from advisor.evidence.fit import Problem

_ENTRY = re.compile(r"^\[\[(constant|constant_by)\]\]$", re.M)
_SHARE = 0.02  # values closer than this to what was believed are not written for a category
_NAMED = 4  # sources named beside a constant; all rows are in the side file


@dataclass(frozen=True)
class Fitted:
    """Constants by id, how sure they are (standard deviation of ln), and which rows moved them."""

    problem: Problem
    values: Mapping[str, float]
    spreads: Mapping[str, float]
    moved_by: npt.NDArray[np.bool_]  # (rows, constants)

    def from_rows(self, ids: list[str]) -> str:
        """'1,873 runs of 40 sources: A, B, C, D and others'."""
        columns = [at for at, name in enumerate(self.problem.names) if name in ids]
        rows = np.flatnonzero(self.moved_by[:, columns].any(1))
        counts = Counter(self.problem.sources[row] for row in rows)
        if not counts:
            return "no run: as believed"
        named = ", ".join(source for source, _ in counts.most_common(_NAMED))
        more = " and others" if len(counts) > _NAMED else ""
        return f"{len(rows)} runs of {len(counts)} sources: {named}{more}"


def write_constants(path: Path, fitted: Fitted) -> None:
    """Set value, spread and where from of each fitted constant, and the tables of those by category."""
    text = path.read_text("utf-8")
    starts = [match.start() for match in _ENTRY.finditer(text)]
    parts = [text[: starts[0]]]
    for start, stop in zip(starts, [*starts[1:], len(text)], strict=True):
        parts.append(_entry(text[start:stop], fitted))
    path.write_text("".join(parts), encoding="utf-8")


def write_rows(path: Path, fitted: Fitted) -> None:
    """The side file: for each constant the ids of the rows that moved it, as bits over the list of ids."""
    names = [run.record.id for run in fitted.problem.runs]
    bits = {
        name: np.packbits(fitted.moved_by[:, at]).tobytes().hex()
        for at, name in enumerate(fitted.problem.names)
    }
    about = "Written by tools/fit.py: bit k (from the left) of a constant is set where row ids[k] moved it."
    document = {"about": about, "ids": names, "constants": bits}
    path.write_text(json.dumps(document, indent=0) + "\n", encoding="utf-8")


def _entry(entry: str, fitted: Fitted) -> str:
    found = re.search(r'^id = "(.*)"$', entry, re.M)
    if not found:
        return entry
    id_ = found[1]
    if entry.startswith("[[constant]]"):
        if id_ not in fitted.values:
            return entry
        entry = _set(entry, "value", f"{fitted.values[id_]:.4g}")
        entry = _set(entry, "spread", f"{fitted.spreads[id_]:.2g}")
        return _set(entry, "fitted_from", json.dumps(fitted.from_rows([id_])))
    own = {name: value for name, value in fitted.values.items() if name.partition("__")[0] == id_}
    if not own:
        return entry
    priors = dict(zip(fitted.problem.names, np.exp(fitted.problem.prior), strict=True))
    moved = {name: value for name, value in sorted(own.items()) if abs(value / priors[name] - 1) > _SHARE}
    for key, values in (("values", moved), ("spreads", {name: fitted.spreads[name] for name in moved})):
        digits = 4 if key == "values" else 2
        listed = ", ".join(
            f"{name.partition('__')[2]} = {value:.{digits}g}" for name, value in values.items()
        )
        entry = _set(entry, key, f"{{ {listed} }}")
    return _set(entry, "fitted_from", json.dumps(fitted.from_rows(list(own))))


def _set(entry: str, key: str, value: str) -> str:
    """The entry with this key, in place or at its end."""
    line = f"{key} = {value}"
    if re.search(rf"^{key} = .*$", entry, re.M):
        return re.sub(rf"^{key} = .*$", lambda _: line, entry, count=1, flags=re.M)
    return entry.rstrip("\n") + f"\n{line}\n\n"
