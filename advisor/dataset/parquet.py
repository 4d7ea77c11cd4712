"""Parquet, where pyarrow is installed: rows by its footer, text by a sample of row groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advisor.dataset.counted import Sums
from advisor.dataset.text import add_record
from advisor.errors import DataError, MissingLibrary

_GROUPS = 8  # row groups of a file that are read
_ROWS = 2_000  # rows of a group
_IMAGE = frozenset(("image", "img", "jpg", "png", "pixel_values"))


def read_parquet(path: Path) -> tuple[list[Sums], int, bool]:
    """Sums of sampled row groups, rows of the file, and whether the rows are images.

    Raises MissingLibrary without pyarrow, DataError for a file that it cannot read.
    """
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingLibrary(
            f"{path}: reading Parquet needs the package pyarrow", "pip install 'hwadvisor[data]' (or pyarrow)"
        ) from error
    try:
        file = ParquetFile(path)
        names = list(file.schema_arrow.names)
        rows = int(file.metadata.num_rows)
        if any(name.lower() in _IMAGE for name in names):
            return [], rows, True
        return _sampled(file, rows), rows, False
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        told = f"cannot be read: {' '.join(str(error).split())[:150]}"
        raise DataError.at(path, "", None, told, "Is it a Parquet file, and may you read it?") from error


def _sampled(file: Any, rows: int) -> list[Sums]:
    groups = file.metadata.num_row_groups
    parts = []
    for group in _even(groups, _GROUPS):
        sums = Sums(limit=100_000)
        batch = next(file.iter_batches(batch_size=_ROWS, row_groups=[group]), None)
        for row in [] if batch is None else batch.to_pylist():
            add_record(sums, row)
        if sums.rows:
            parts.append(sums)
    return parts if rows else []


def _even(count: int, most: int) -> Sequence[int]:
    if count <= most:
        return range(count)
    return sorted({at * (count - 1) // (most - 1) for at in range(most)})
