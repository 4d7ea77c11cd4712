"""Hugging Face Trainer: trainer_state.json of a finished run, or its train_results.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from advisor.trial.logs.log import Fields, Log, Steps

TITLE = "trainer_state.json of Hugging Face's Trainer"
WHERE = "Only the file of a finished run has train_runtime, not a checkpoint's; so has train_results.json."
_RUNTIME = "train_runtime"
MOST = 1e9  # samples of a step
_WHOLE = 0.02  # samples over steps may miss a whole number by so much: both rates are rounded


def looks_like(text: str) -> bool:
    """Whether it is JSON with what the Trainer writes."""
    found = _load(text)
    return found is not None and ("log_history" in found or _RUNTIME in found)


def parse(text: str) -> Log:
    """Mean step time of the whole run, and the batch."""
    found = _load(text) or {}
    history = found.get("log_history")
    entries = [e for e in history if isinstance(e, dict)] if isinstance(history, list) else []
    last: Mapping[str, Any] = next((e for e in reversed(entries) if _RUNTIME in e), found)
    runtime, steps_s = _figure(last, _RUNTIME), _figure(last, "train_steps_per_second")
    samples_s = _figure(last, "train_samples_per_second")
    steps = _figure(last, "step") or _figure(found, "global_step")
    step_s = runtime / steps if runtime and steps else 1.0 / steps_s if steps_s else None
    fields: Fields = {}
    if samples_s and step_s:
        batch = samples_s * step_s
        if 0.5 <= batch <= MOST and abs(batch - round(batch)) <= _WHOLE * batch:
            fields["global_batch"] = round(batch)
    micro = _figure(found, "train_batch_size")
    if micro and micro.is_integer():
        fields["micro_batch"] = int(micro)
    notes = ("Mean over the whole run: start, evaluation and saving are in it.",)
    return Log("transformers Trainer", fields, Steps.of([step_s]), notes=notes)


def _load(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _figure(source: Mapping[str, Any], name: str) -> float | None:
    """A finite number above zero, or None."""
    value = source.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number > 0 else None
