"""Recorded machines as /proc and /sys trees, one text file each, planted below a temporary root.

One file instead of thousands: a 2-socket server has some 4,000 of interest, and PCI addresses hold
colons, which no checkout on Windows can have in a file name. Grammar of tests/fixtures/<case>/tree.txt:

    anything before the first mark is a comment
    === path               a file; its text follows up to the next mark
    === path/              an empty folder
    === path -> target     a symbolic link, as it is in sysfs
    === cpu{0-7}/x         once for each number; {n}, {n%4}, {n//2+1} in text and target are reckoned
                           from it, left to right
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from advisor.probe.facts import CallSkipped
from advisor.schema import Machine

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
_RANGE = re.compile(r"\{(\d+)-(\d+)\}")
_TERM = re.compile(r"\{n((?:(?:%|//|\+|-|\*)\d+)*)\}")
_STEP = re.compile(r"(%|//|\+|-|\*)(\d+)")


class Ear:
    """Hears what a probe says, as JSON would carry it; `deaf` to calls that "hung" before."""

    def __init__(self, *deaf: str) -> None:
        self.raw: dict[str, Any] = {}
        self.calls: list[str] = []
        self.deaf = deaf

    def __call__(self, key: str, value: Any) -> None:
        self.raw[key] = json.loads(json.dumps(value))

    def begin(self, call: str, *, needed: bool = False) -> None:
        if call in self.deaf:
            raise CallSkipped("timeout", f"{call} gave no answer within 5 s")
        self.calls.append(call)


def plant(case: str, root: Path) -> Path:
    """Plant a recorded machine below `root` and return it."""
    text = (FIXTURES / case / "tree.txt").read_text(encoding="utf-8")
    return plant_text(text, root)


def plant_text(text: str, root: Path) -> Path:
    """Plant a tree given as text."""
    for section in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        header, _, content = section.partition("\n")
        for path, body in _repeated(header.strip(), content.strip("\n")):
            _write(root, path, body)
    return root


def ask(probe: ModuleType, root: Path, *deaf: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read and parse: (partial Machine, raw answers). The part must satisfy the schema."""
    ear = Ear(*deaf)
    probe.read(root, ear)
    part = probe.parse(ear.raw)
    Machine.model_validate({"probed_at": "2026-01-01T00:00:00Z", **part})
    return part, ear.raw


def value(fact: dict[str, Any]) -> Any:
    """The value of a fact, which must follow the rule: no value without a good status, else a reason."""
    good = fact["status"] in ("ok", "assumed", "contradiction")
    assert (fact["value"] is not None) == good, fact
    assert good or fact["reason"], f"unknown without a reason: {fact}"
    return fact["value"]


def _repeated(header: str, content: str) -> list[tuple[str, str]]:
    found = _RANGE.search(header)
    if not found:
        return [(header, content)]
    low, high = int(found.group(1)), int(found.group(2))
    return [
        (_reckoned(_RANGE.sub(str(n), header, count=1), n), _reckoned(content, n))
        for n in range(low, high + 1)
    ]


def _reckoned(text: str, n: int) -> str:
    def one(term: re.Match[str]) -> str:
        number = n
        for sign, operand in _STEP.findall(term.group(1)):
            k = int(operand)
            number = {"%": lambda a, b: a % b, "//": lambda a, b: a // b, "+": int.__add__}.get(
                sign, int.__sub__ if sign == "-" else int.__mul__
            )(number, k)
        return str(number)

    return _TERM.sub(one, text)


def _write(root: Path, path: str, body: str) -> None:
    place, arrow, target = path.partition(" -> ")
    spot = root / place
    if arrow:
        spot.parent.mkdir(parents=True, exist_ok=True)
        spot.symlink_to(target)
    elif place.endswith("/"):
        spot.mkdir(parents=True, exist_ok=True)
    else:
        spot.parent.mkdir(parents=True, exist_ok=True)
        if spot.name == "environ":
            spot.write_bytes(b"".join(line.encode() + b"\0" for line in body.splitlines()))
        else:
            spot.write_text(f"{body}\n" if body else "", encoding="utf-8")
