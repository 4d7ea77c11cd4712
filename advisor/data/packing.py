"""Advice to the short form that is stored (advisor/schema/packed.py tells how to read it)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from advisor.schema import SCHEMA_VERSION, Accelerator, Advice, Estimate, TraceStep
from advisor.schema.packed import FIGURES, MARK, SHARED

_OWN = (*FIGURES, "weight")
"""What differs from one quantity, step or run to the next; the rest of them is shared."""

_ALIKE = ("workload", "purpose", "fits", "limit", "choices", "calibrated", "notes")
"""What many estimates of one workload have in common."""

_LONG = 16  # characters of a text that is worth a place of its own


class Packer:
    """Packs an advice again and again while it grows: what has not changed is not packed again.

    Nothing is taken out of what is shared. The end is packed by a fresh one, so that nothing is left over.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._done: dict[int, tuple[object, str]] = {}  # by identity: the object, kept alive, and its text

    def text(self, advice: Advice) -> str:
        """The advice as JSON text, an estimate a line."""
        whole = advice.model_dump(mode="json", exclude={"estimates", "accelerators", "trace"})
        whole["schema_version"] = SCHEMA_VERSION
        parts = {key: _text(value) for key, value in whole.items()}
        parts["estimates"] = _lines(self._once(one, self._estimate) for one in advice.estimates)
        parts["accelerators"] = _lines(self._once(one, self._accelerator) for one in advice.accelerators)
        traces = (f"{_text(key)}:{self._once(steps, self._trace)}" for key, steps in advice.trace.items())
        parts["trace"] = "{" + ",\n".join(traces) + "}"
        shared = _lines(self._numbers)
        return (
            "{"
            + ",\n".join(f"{_text(key)}:{text}" for key, text in (*parts.items(), (SHARED, shared)))
            + "}\n"
        )

    def _once(self, value: Any, pack: Any) -> str:
        known = self._done.get(id(value))
        if known is None:
            known = self._done[id(value)] = (value, _text(pack(value)))
        return known[1]

    def _shared(self, value: Any) -> dict[str, Any]:
        """A reference to the value."""
        return {MARK: self._numbers.setdefault(_text(value), len(self._numbers))}

    def _laid_over(self, value: dict[str, Any]) -> dict[str, Any]:
        """What differs, laid over a reference to the rest."""
        rest = {key: one for key, one in value.items() if key not in _OWN}
        if isinstance(rest.get("source"), str) and len(rest["source"]) >= _LONG:
            rest["source"] = self._shared(rest["source"])
        own = {key: value[key] for key in _OWN if key in value}
        reference = self._shared(rest)
        figures = FIGURES[: len(own)]
        if own and tuple(own) == figures:
            return {MARK: [reference[MARK], *own.values()]}
        return {**reference, **own}

    def _estimate(self, estimate: Estimate) -> dict[str, Any]:
        told = estimate.model_dump(mode="json", exclude_defaults=True)
        for name in ("target", "choices", "why"):
            if name in told:
                told[name] = self._shared(told[name])
        if "quantities" in told:
            told["quantities"] = {k: self._laid_over(one) for k, one in told["quantities"].items()}
        if "near" in told:
            told["near"] = [self._laid_over(run) for run in told["near"]]
        if "notes" in told:
            told["notes"] = [self._shared(note) for note in told["notes"]]
        alike = {name: told.pop(name) for name in _ALIKE if name in told}
        return {**self._shared(alike), **told}

    def _accelerator(self, accelerator: Accelerator) -> dict[str, Any]:
        told = accelerator.model_dump(mode="json", exclude_defaults=True)
        if "figures" in told:
            told["figures"] = {name: self._laid_over(one) for name, one in told["figures"].items()}
        return told

    def _trace(self, steps: tuple[TraceStep, ...]) -> list[dict[str, Any]]:
        return [self._shared(self._laid_over(self._step(step))) for step in steps]

    def _step(self, step: TraceStep) -> dict[str, Any]:
        """A step in which long texts, of which one rule makes many steps, are references."""
        told = step.model_dump(mode="json", exclude_defaults=True)
        return {
            key: self._shared(one) if key == "inputs" or (isinstance(one, str) and len(one) >= _LONG) else one
            for key, one in told.items()
        }


def _lines(texts: Iterable[str]) -> str:
    return "[" + ",\n".join(texts) + "]"


def _encoder() -> Callable[[Any], str]:
    """JSON text of a value, by an encoder made once.

    `json.dumps` makes one for each of a hundred thousand short texts, and so does `JSONEncoder.encode` of the
    inner one: half of packing's time.
    """
    whole = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
    make = getattr(json.encoder, "c_make_encoder", None)  # not there in every Python
    if make is None:
        return whole.encode
    quoted = json.encoder.encode_basestring
    inner = make({}, whole.default, quoted, None, ":", ",", False, False, True)

    def text(value: Any) -> str:
        return quoted(value) if isinstance(value, str) else "".join(inner(value, 0))

    return text


_text = _encoder()
