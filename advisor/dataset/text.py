"""Text and JSON lines read into sums; large files by blocks spread over them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from advisor.data.files import check_regular
from advisor.dataset.counted import Sums
from advisor.dataset.files import check_start
from advisor.errors import DataError, UserError

WHOLE = 64 << 20
"""Files up to this are read whole: a second or two."""

BLOCK, BLOCKS = 512 << 10, 64
LONGEST_LINE = 64 << 20
MOST_JSON = 512 << 20  # a .json is one value and has to be read whole

_IDS = ("input_ids", "token_ids", "chosen_input_ids", "rejected_input_ids")
"""Fields of tokenised records, as the libraries of Hugging Face name them."""

_ASIDE = frozenset(
    ("id", "role", "from", "source", "url", "lang", "language", "split", "type", "name", "created",
     "timestamp", "images", "image", "videos", "audios", "meta", "metadata", "score", "hash", "date")
)  # fmt: skip
"""Fields of a record that are not trained on."""


def text_of(value: Any, depth: int = 0) -> str:
    """All text of a record that is trained on, in its order: messages, instruction and output, …"""
    if isinstance(value, str):
        return value
    if depth > 12:
        return ""
    if isinstance(value, list):
        return "\n".join(filter(None, (text_of(one, depth + 1) for one in value)))
    if isinstance(value, dict):
        if depth == 0 and isinstance(value.get("text"), str):
            return str(value["text"])
        parts = (text_of(one, depth + 1) for key, one in value.items() if str(key).lower() not in _ASIDE)
        return "\n".join(filter(None, parts))
    return ""


def texts_of(value: Any) -> list[str]:
    """The texts that a record is trained as: one, or of a pair of answers each behind its prompt."""
    if isinstance(value, dict) and "chosen" in value and "rejected" in value:
        rest = {key: one for key, one in value.items() if key not in ("chosen", "rejected")}
        return [text_of({**rest, "answer": value[name]}) for name in ("chosen", "rejected")]
    return [text_of(value)]


def ids_of(value: Any) -> list[int]:
    """How many ids of tokens a tokenised record holds: of each text that is trained on; none in others."""
    if not isinstance(value, dict):
        return []
    return [size for name in _IDS if (size := _count(value.get(name))) is not None]


def _count(ids: Any) -> int | None:
    if not isinstance(ids, list) or not ids:
        return None
    if all(isinstance(one, list) for one in ids):  # a batch of them
        each = [_count(one) for one in ids]
        return None if None in each else sum(one or 0 for one in each)
    return len(ids) if all(type(one) is int for one in ids[:64]) else None


def add_record(sums: Sums, value: Any) -> None:
    """A record as what is trained on: its ids of tokens where it holds them, else its text."""
    if sizes := ids_of(value):
        sums.add_ids(sizes)
    else:
        sums.add_row(texts_of(value))


def read_parts(path: Path, records: bool) -> tuple[list[Sums], int]:
    """Sums of a file's parts and its size: one part where it is read whole.

    Raises DataError for what is no UTF-8 text, or JSON that is none.
    """
    check_regular(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            check_start(path, file.read(4096))
            file.seek(0)
            if records and path.suffix.lower() == ".json":
                return [_json(path, file, size)], size
            if size <= WHOLE:
                return [_whole(path, file, records)], size
            return list(_blocks(path, file, size, records)), size
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", "Check its permissions.") from error


def _json(path: Path, file: BinaryIO, size: int) -> Sums:
    """One JSON value: a list of records; or JSON lines under this name."""
    if size > MOST_JSON:
        raise DataError.at(path, "", None, f"is one JSON value of {size >> 20} MB", "Save it as JSON lines.")
    raw = file.read()
    try:
        value = json.loads(raw)
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error
    except RecursionError as error:
        raise DataError.at(path, "", None, "is nested too deeply", "Save it as JSON lines.") from error
    except ValueError as error:
        if b"\n" in raw.strip() and raw.lstrip()[:1] == b"{":
            sums = Sums()
            for number, line in enumerate(raw.splitlines(), 1):
                _line(path, line, number, sums)
            sums.file_bytes = len(raw)
            return sums
        raise DataError.at(path, "", None, f"is not valid JSON: {str(error)[:120]}", "Mend it.") from error
    if isinstance(value, dict):
        lists = [one for one in value.values() if isinstance(one, list)]
        value = max(lists, key=len) if lists else [value]
    sums = Sums(file_bytes=len(raw))
    for row in value if isinstance(value, list) else [value]:
        add_record(sums, row)
    return sums


def _whole(path: Path, file: BinaryIO, records: bool) -> Sums:
    sums = Sums()
    if not records:
        return _plain(path, file.read(), sums, 0)
    for number, line in enumerate(_lines(path, file), 1):
        sums.file_bytes += len(line)
        _line(path, line, number, sums)
    return sums


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            told = f"is longer than {LONGEST_LINE >> 20} MB"
            raise DataError.at(path, f"line {number}", None, told, "Give one record a line.")
        yield line


def _line(path: Path, line: bytes, number: int, sums: Sums) -> None:
    """One record of JSON lines."""
    if not line.strip():
        return
    try:
        value = json.loads(line)
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error, f"line {number}") from error
    except RecursionError as error:
        raise DataError.at(
            path, f"line {number}", None, "is nested too deeply", "Give one record a line."
        ) from error
    except ValueError as error:
        told = f"is not valid JSON: {str(error)[:120]}"
        raise DataError.at(path, f"line {number}", None, told, "Give one record a line.") from error
    add_record(sums, value)


def _plain(path: Path, raw: bytes, sums: Sums, cut: int) -> Sums:
    """Plain text; of a block the first `cut` bytes may be the rest of a character."""
    try:
        text = raw.decode("utf-8") if not cut else raw.decode("utf-8", "ignore")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error
    sums.file_bytes += len(raw)
    sums.add(text)
    return sums


def _blocks(path: Path, file: BinaryIO, size: int, records: bool) -> Iterator[Sums]:
    """Blocks at even distances, each from the start of a line."""
    for at in range(BLOCKS):
        start = (size - BLOCK) * at // (BLOCKS - 1)
        file.seek(start)
        sums = Sums(limit=40_000, most=128)
        if not records:
            yield _plain(path, file.read(BLOCK), sums, 1)
            continue
        if start:
            file.readline(LONGEST_LINE)  # the rest of a line that began before
        while sums.file_bytes < BLOCK and (line := file.readline(LONGEST_LINE + 1)):
            if len(line) > LONGEST_LINE:
                told = f"has a line longer than {LONGEST_LINE >> 20} MB"
                raise DataError.at(path, "", None, told, "Give one record a line.")
            sums.file_bytes += len(line)
            _line(path, line, 0, sums)
        if sums.file_bytes:
            yield sums


def _not_utf8(path: Path, error: UnicodeDecodeError, where: str = "") -> DataError:
    told = f"is not UTF-8 text ({error.reason} at byte {error.start})"
    return DataError.at(path, where, None, told, "Save it as UTF-8: iconv -f ENCODING -t UTF-8.")
