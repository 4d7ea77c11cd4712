"""The files of a data set: one, or those below a folder, each once, and which kind they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from advisor.errors import DataError, UserError

IMAGES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".avif", ".heic")
)
TEXTS = frozenset(
    (".txt", ".md", ".text", ".py", ".c", ".cpp", ".h", ".java", ".js", ".ts", ".rs", ".go", ".html", ".tex")
)
RECORDS = frozenset((".jsonl", ".ndjson", ".json"))
PARQUET = frozenset((".parquet", ".pq"))
PACKED = {
    b"\x1f\x8b": "gunzip", b"PK\x03\x04": "unzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz",
    b"\x28\xb5\x2f\xfd": "unzstd",
}  # fmt: skip
"""First bytes of packed files, and what unpacks them."""

_PACKED_NAMES = frozenset((".gz", ".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz"))
_INDEXES = frozenset(("dataset_info.json", "dataset_infos.json", "state.json", "README.md"))
"""Files that tell of data and are none."""

MOST_FILES = 5_000_000
MOST_BYTES = 1 << 60


@dataclass
class Found:
    """Files by kind, and what was left out."""

    images: int = 0
    texts: list[Path] = field(default_factory=list)
    records: list[Path] = field(default_factory=list)
    parquet: list[Path] = field(default_factory=list)
    packed: list[Path] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    other: int = 0

    @property
    def first(self) -> Path | None:
        """Any file that was left out because it is packed."""
        return self.packed[0] if self.packed else None


def find_files(path: Path) -> Found:
    """The files of a data set. Raises UserError where there is nothing, or nothing that may be read."""
    found = Found()
    try:
        if path.is_dir():
            for one in _walk(path, found):
                _sort(one, found)
        elif path.is_file():
            _sort(path, found, alone=True)
        elif path.is_symlink():
            raise UserError(f"{path} is a link that leads nowhere, or to itself", "Give the data themselves.")
        elif path.exists():
            raise UserError(f"{path} is no file and no folder", "Give a file or a folder of data.")
        else:
            raise UserError(f"there is no file {path}", "Check the path.")
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"cannot read {str(path)[:200]}: {told}", "Check the path.") from error
    return found


def _walk(top: Path, found: Found) -> Iterator[Path]:
    """Files below a folder in the order of their names; links are followed, but no folder twice."""
    seen: set[tuple[int, int]] = set()
    count = 0

    def failed(error: OSError) -> None:
        found.unread.append(f"{error.filename}: {error.strerror}")

    for folder, names, files in os.walk(top, followlinks=True, onerror=failed):
        place = os.stat(folder)  # noqa: PTH116 - os.walk gives texts, and there may be millions
        if (place.st_dev, place.st_ino) in seen:
            names.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                count += 1
                if count > MOST_FILES:
                    raise UserError(f"{top} has more than {MOST_FILES:,} files", "Give --tokens instead.")
                yield Path(folder, name)


def _sort(path: Path, found: Found, alone: bool = False) -> None:
    end = path.suffix.lower()
    if not alone and path.name in _INDEXES:
        found.other += 1
        return
    if end in IMAGES:
        found.images += 1
    elif end in PARQUET:
        found.parquet.append(path)
    elif end in _PACKED_NAMES:
        found.packed.append(path)
    elif not path.is_file():
        found.unread.append(f"{path}: not a file, or a link that leads nowhere")
    elif end in RECORDS:
        found.records.append(path)
    elif end in TEXTS or alone:
        found.texts.append(path)
    else:
        found.other += 1


def check_start(path: Path, start: bytes) -> None:
    """Raise DataError for what is no text by its first bytes."""
    tool = next((tool for magic, tool in PACKED.items() if start.startswith(magic)), None)
    if tool is not None:
        raise DataError.at(path, "", None, "is packed", f"Unpack it first, with {tool}.")
    if start.startswith(b"PAR1"):
        raise DataError.at(path, "", None, "is a Parquet file", "Name it .parquet.")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError.at(path, "", None, "is UTF-16 text", "Save it as UTF-8: iconv -f UTF-16 -t UTF-8.")
    if b"\0" in start:
        raise DataError.at(path, "", None, "is not text", "Give text, JSON lines, Parquet or images.")
