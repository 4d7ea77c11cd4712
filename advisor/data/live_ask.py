"""Today's prices as the library gpuhunt (the extra `prices`) gathers them."""

from __future__ import annotations

import datetime
import importlib
import logging
import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.data.live import Row
from advisor.errors import MissingLibrary, UserError

LIBRARY = "gpuhunt"
_PATIENCE_S = 30.0
"""For a server that does not answer; the library itself sets no limit to its downloads."""


@dataclass
class Answer:
    """Rows by the library's provider, where they are from and of which day, and who did not answer."""

    rows: list[Row] = field(default_factory=list)
    dated: dict[str, tuple[datetime.date, str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def ask(providers: Sequence[str], today: datetime.date) -> Answer:
    """Everything with an accelerator that these providers (the library's names) offer.

    Raises MissingLibrary without the library and UserError where nobody can be reached; a provider that alone
    does not answer is in `failed`.
    """
    library = _library()
    with _quiet():
        catalogue = _catalogue(library)
        answer = Answer()
        for name in providers:
            try:
                items = catalogue.query(provider=name, min_gpu_count=1)
            except ValueError:  # "Provider is not loaded": those that are asked themselves want an account
                answer.failed[name] = "it asks for an account of yours, which the library did not find"
                continue
            except Exception as error:  # a provider's own code: whatever it raises, the others count
                answer.failed[name] = _reason(error)
                continue
            rows = [row for item in items if (row := _row(item)) is not None]
            if not rows:
                answer.failed[name] = "it gave no prices"
                continue
            answer.rows += rows
            answer.dated[name] = _dated(library, catalogue, name, today)
    return answer


def _library() -> Any:
    try:
        return importlib.import_module(LIBRARY)
    except ImportError as error:
        raise MissingLibrary(
            "live prices need the package gpuhunt, which is not installed", 'pip install "hwadvisor[prices]"'
        ) from error


def _catalogue(library: Any) -> Any:
    """The library's catalogue, loaded; a folder of files that it is told of needs no network."""
    if _folder() is not None:
        return library.Catalog(auto_reload=False)
    try:
        return library.default_catalog()
    except (library.GPUHuntError, OSError) as error:
        raise UserError(
            f"no prices: {_reason(error)}",
            "Is there a network here? Nothing was written; the shipped prices count.",
        ) from error


def _folder() -> Path | None:
    """Where the library is told to read files instead of asking the network."""
    stated = os.environ.get("GPUHUNT_CATALOG_DIR", "")
    return Path(stated) if stated else None


def _row(item: Any) -> Row | None:
    """One item of the library's as a row; None for one without a figure that counts."""
    try:
        memory = None if item.gpu_memory is None else float(item.gpu_memory)
        return Row(
            provider=str(item.provider), instance=str(item.instance_name)[:120],
            region=str(item.location or "")[:60],
            usd_per_hour=float(item.price), gpus=int(item.gpu_count), name=str(item.gpu_name or "")[:60],
            memory_gb=memory, spot=bool(item.spot), flags=tuple(map(str, item.flags or ())),
        )  # fmt: skip
    except (TypeError, ValueError):
        return None


def _dated(library: Any, catalogue: Any, name: str, today: datetime.date) -> tuple[datetime.date, str]:
    """Day and source of a provider's rows: the day its file was made, or today where it was asked itself."""
    version = str(getattr(library, "__version__", "") or _installed())
    told = f"gpuhunt {version}".strip()
    if (own := _folder()) is not None and (own / f"{name}.csv").is_file():
        day = datetime.datetime.fromtimestamp((own / f"{name}.csv").stat().st_mtime, datetime.UTC).date()
        return min(day, today), f"{told}, {name}.csv of {day}"
    held = getattr(catalogue, "catalog", {}).get(name)
    made = str(getattr(held, "version", ""))
    if found := re.match(r"(20\d\d)-?(\d\d)-?(\d\d)", made):
        try:
            day = datetime.date(*map(int, found.groups()))
        except ValueError:
            day = today
        if day <= today:
            return day, f"{told}, its file {made} of {name}"
    return today, f"{told}, asked {today}"


def _installed() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(LIBRARY)
    except PackageNotFoundError:
        return ""


def _reason(error: BaseException) -> str:
    """The root of an error in one short line."""
    while error.__cause__ is not None:
        error = error.__cause__
    told = str(error) or type(error).__name__
    return " ".join(told.split())[:160]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's log, whose traceback of each failed download would bury the one line; with a
    limit to waiting."""
    log, patience = logging.getLogger(LIBRARY), socket.getdefaulttimeout()
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    socket.setdefaulttimeout(_PATIENCE_S)
    try:
        yield
    finally:
        log.setLevel(level)
        socket.setdefaulttimeout(patience)
