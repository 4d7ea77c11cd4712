"""Advices as files, and with something edited in them."""

from __future__ import annotations

from pathlib import Path

from advisor.data.advice import save_advice
from advisor.schema import Advice, Quantity


def edited(advice: Advice, **quantities: Quantity) -> Advice:
    """With other figures in the first estimate."""
    one = advice.estimates[0]
    changed = one.model_copy(update={"quantities": {**one.quantities, **quantities}})
    return advice.model_copy(update={"estimates": (changed,)})


def counted(advice: Advice, **target: object) -> Advice:
    """With another target of the first estimate."""
    one = advice.estimates[0]
    changed = one.model_copy(update={"target": one.target.model_copy(update=target)})
    return advice.model_copy(update={"estimates": (changed,)})


def at(folder: Path, advice: Advice) -> Path:
    """The advice.json of a folder."""
    folder.mkdir(exist_ok=True)
    save_advice(advice, folder / "advice.json")
    return folder / "advice.json"
