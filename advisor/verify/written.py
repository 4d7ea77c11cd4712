"""How a file is written: by which command, each key once, and no steps that no figure stands on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from advisor.data.page_files import GZIP, unpacked
from advisor.schema import Advice, Quantity

_OF_A_MACHINE = ("scan", "probe", "calibrate", "why")
_COMMANDS = (*_OF_A_MACHINE, "estimate", "plan")


def doubled(text: bytes) -> list[str]:
    """Keys that stand twice in one table of the JSON: readers take one of them, and not all the same one."""
    found: list[str] = []

    def pairs(told: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in told]
        if len(set(names)) < len(names):
            found.extend(name for name in dict.fromkeys(names) if names.count(name) > 1)

    plain = unpacked(text) if text.startswith(GZIP) else text
    json.loads(plain.decode("utf-8-sig"), object_pairs_hook=pairs)
    return [f"the key '{name[:80]}' stands twice in one table of it" for name in dict.fromkeys(found)]


def by_command(advice: Advice) -> Iterator[str]:
    """What the file holds against the command that is said to have written it."""
    told, planned = advice.command, advice.plan is not None or advice.fleet is not None
    if not told:
        return
    if told not in _COMMANDS:
        yield f"it is said to be written by '{told[:40]}', which writes no such file"
    elif told in _OF_A_MACHINE and advice.machine is None:
        yield f"it is said to be written by {told}, and holds no machine"
    elif planned != (told == "plan"):
        lacks = f"it is said to be written by {told}, and holds no plan"
        yield f"it is said to be written by {told}, and holds a plan" if planned else lacks


def idle(advice: Advice) -> Iterator[str]:
    """Stored steps that stand behind no figure: nobody computes them again."""
    if not advice.trace:
        return
    cited = {one for part in (advice.estimates, advice.plan, advice.fleet) for one in _cited(part)}
    for key in advice.trace:
        if key not in cited:
            yield f"{key[:120]}: steps are stored that stand behind no figure"


def _cited(value: object) -> Iterator[str]:
    if isinstance(value, Quantity):
        yield value.trace
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _cited(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _cited(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _cited(item)
