"""A data set counted: text, JSON lines, Parquet, or a folder of images."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from advisor.dataset.counted import Counted, Sums, spread_of
from advisor.dataset.files import Found, find_files
from advisor.dataset.parquet import read_parquet
from advisor.dataset.rows import Rows, parted
from advisor.dataset.text import read_parts
from advisor.dataset.tokens import Ratio, ratio_of
from advisor.errors import DataError, UserError

_Z80 = 1.2816
_IDS = Ratio(1.0, 1.0, 1.0, "ids of tokens")
_FILES = 200  # of a folder that are opened; more are taken for alike
_LEAST_SPREAD = 0.02  # of what was sampled: blocks that happen to agree prove little


@dataclass
class _Total:
    """Bytes of text and rows of all that was looked at, carried over to all that there is."""

    text: float = 0.0
    rows: float = 0.0
    parts: list[Sums] = field(default_factory=list)
    spread: float = 0.0  # standard error of the text's bytes, as a share
    sampled: bool = False
    files: int = 0
    texts: float = 0.0  # what rows are trained as: one text each, two of a pair of answers
    lengths: list[tuple[float, list[int]]] = field(default_factory=list)  # what each stands for, and bytes

    def grow(self, parts: list[Sums], factor: float) -> None:
        """The rows of these parts, which stand for `factor` times as many."""
        self.rows += sum(part.rows for part in parts) * factor
        self.texts += sum(part.texts for part in parts) * factor
        self.lengths += [
            (factor * part.texts / len(part.lengths), part.lengths) for part in parts if part.lengths
        ]
        self.parts += parts


def count_dataset(path: Path, tokenizer: Path | None = None) -> Counted:
    """Tokens (or images) of one pass over a file or folder, with an 80 % range.

    Raises UserError or DataError that names the file for what cannot be counted.
    """
    found = find_files(path)
    texts = len(found.texts) + len(found.records)
    if found.parquet and not texts and not found.images:
        return _of_parquet(path, found, tokenizer)
    if found.images > texts:
        return _of_images(found)
    if not texts:
        raise _nothing(path, found)
    total = _read(found)
    if not total.text:
        raise DataError.at(path, "", None, "holds no text", "Is it empty, or are its fields not text?")
    return _in_tokens(total, found, tokenizer, rows=bool(found.records))


def _nothing(path: Path, found: Found) -> DataError:
    if found.first is not None:
        return DataError.at(found.first, "", None, "is packed", "Unpack it first.")
    if found.unread:
        return DataError.at(path, "", None, f"cannot be read ({found.unread[0]})", "Check its permissions.")
    told = "holds no text, JSON lines, Parquet or images"
    return DataError.at(path, "", None, told, "Give such a file or folder, or --tokens.")


def _notes(found: Found) -> tuple[str, ...]:
    notes = []
    if found.packed:
        notes.append(f"{len(found.packed)} packed files are not counted, first {found.packed[0].name}.")
    if found.unread:
        notes.append(f"{len(found.unread)} could not be read, first {found.unread[0][:150]}.")
    return tuple(notes)


def _of_images(found: Found) -> Counted:
    aside = found.other + len(found.texts) + len(found.records) + len(found.parquet)
    notes = _notes(found)
    if aside:
        notes += (f"{aside} other files are not counted.",)
    count = float(found.images)
    return Counted("images", count, count, count, count, "From image files by their names", notes)


def _read(found: Found) -> _Total:
    """All files, or of very many an even choice of them."""
    files = [(path, False) for path in found.texts] + [(path, True) for path in found.records]
    step = -(-len(files) // _FILES)
    chosen = files[::step]
    total = _Total(sampled=step > 1, files=len(files))
    errors: list[float] = []
    each: list[float] = []
    for path, records in chosen:
        parts, size = read_parts(path, records)
        seen = sum(part.file_bytes for part in parts)
        grown = size / seen if seen else 0.0
        text = sum(part.text_bytes for part in parts) * grown
        if len(parts) > 1:  # blocks of a large file
            total.sampled = True
            shares = [part.text_bytes / part.file_bytes for part in parts if part.file_bytes]
            errors.append(text * max(spread_of(shares), _LEAST_SPREAD))
        total.text += text
        total.grow(parts, grown)
        each.append(text)
    if total.text:
        total.spread = sum(error**2 for error in errors) ** 0.5 / total.text
    if step > 1:
        total.text *= len(files) / len(chosen)
        total.rows *= len(files) / len(chosen)
        total.texts *= len(files) / len(chosen)
        total.spread = (total.spread**2 + max(spread_of(each), _LEAST_SPREAD) ** 2) ** 0.5
    return total


def _of_parquet(path: Path, found: Found, tokenizer: Path | None) -> Counted:
    total, images = _Total(files=len(found.parquet)), 0
    each: list[float] = []
    for file in found.parquet:
        parts, rows, pictures = read_parquet(file)
        if pictures:
            images += rows
            continue
        seen = sum(part.rows for part in parts)
        text = sum(part.text_bytes for part in parts)
        total.text += text * rows / seen if seen else 0.0
        total.sampled = total.sampled or seen < rows
        each += [part.text_bytes / part.rows for part in parts if part.rows]
        total.grow(parts, rows / seen if seen else 0.0)
    if images:
        count = float(images)
        return Counted(
            "images",
            count,
            count,
            count,
            count,
            "From rows of Parquet with a column of images",
            _notes(found),
        )
    if not total.text:
        raise DataError.at(path, "", None, "holds no text", "Is it empty, or are its columns not text?")
    total.spread = max(spread_of(each), _LEAST_SPREAD) if total.sampled else 0.0
    return _in_tokens(total, found, tokenizer, rows=True)


def _in_tokens(total: _Total, found: Found, tokenizer: Path | None, rows: bool) -> Counted:
    ratio, missing = _ratio(total, tokenizer)
    half = _Z80 * total.spread
    # errors of the sample and of the ratio are independent, and both small or both told as ranges
    low = total.text / ratio.value * (1 - _joined(half, 1 - ratio.value / ratio.high))
    high = total.text / ratio.value * (1 + math.hypot(half, ratio.value / ratio.low - 1))
    amount = total.text / ratio.value
    looked = "From a sample of" if total.sampled else "From all of"
    files = f"{looked} {total.files} file{'s' if total.files > 1 else ''}"
    how = f"{files}, {ratio.value:.2f} bytes a token ({ratio.source})"
    if ratio is _IDS:
        how = f"{files}. They hold ids of tokens"
    notes = _notes(found)
    if missing:
        notes += (f"Tokens are counted by bytes: {missing}.",)
    if found.images or found.parquet:
        notes += (
            f"{found.images + len(found.parquet)} images and Parquet files beside the text are not counted.",
        )
    counted = total.rows if rows else None
    lengths = _lengths(total, ratio, max(low, 0.0) / amount, high / amount)
    return Counted("tokens", amount, max(low, 0.0), high, counted, how, notes, lengths)


def _ratio(total: _Total, tokenizer: Path | None) -> tuple[Ratio, str]:
    """Bytes of a token; of rows that hold ids of tokens none are guessed. Raises UserError for a mixture."""
    tokenised, rows = (sum(getattr(part, name) for part in total.parts) for name in ("tokenised", "rows"))
    if not tokenised:
        return ratio_of(total.parts, tokenizer)
    plain = any(part.text_bytes and not part.tokenised for part in total.parts)
    if plain or tokenised < rows:
        raise UserError("some rows hold ids of tokens, others text", "Give one of the two kinds at a time.")
    return _IDS, ""


def _lengths(total: _Total, ratio: Ratio, low: float, high: float) -> Rows:
    """Lengths of the rows in tokens; their range is that of the ratio, and of a sample if it is one."""
    lengths = parted(total.lengths)
    if not lengths:
        return Rows(0.0, (), 0.0, low, high)
    means = [part.text_bytes / part.texts for part in total.parts if part.texts]
    half = _Z80 * max(spread_of(means), _LEAST_SPREAD) if total.sampled else 0.0
    longest = max(max(own) for _, own in total.lengths) / ratio.value
    return Rows(
        total.texts, tuple(one / ratio.value for one in lengths), longest,
        1 - _joined(half, 1 - ratio.value / ratio.high), 1 + math.hypot(half, ratio.value / ratio.low - 1),
    )  # fmt: skip


def _joined(first: float, second: float) -> float:
    return float(min(math.hypot(first, second), 0.95))
