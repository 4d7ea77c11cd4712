"""Records that cannot be: figures that contradict each other, their device or their network."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from advisor.data.accelerator import Accelerator

LONGEST_STEP_S = 1e5
"""Seconds of a step from which on a figure is a mistake: the longest published one takes some hundreds."""

_FIRST_YEAR = 2012  # of training on accelerators as it is done since AlexNet
_WRITTEN = (2026, 12)  # a clock that stands before these rules is wrong
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:[/ -]+(\d{4})(?:-\d\d(?:-\d\d)?)?)?")
_MOST_SHARING: Mapping[str, float] = {"tp": 8.0, "pp": 32.0, "cp": 16.0}
"""Ways in which devices share a sample where a record does not say it: the most of published runs."""

_PLAIN_SHARDING = re.compile(r"ddp|fsdp|zero.?[23]", re.I)
"""Words for data parallelism alone; a distributed optimizer (ZeRO 1) goes with any layout."""

_CORES = 8.0  # TPU and Trainium cores, chips and dies are counted differently; images are cut over some
_COUNTED_OTHERWISE = frozenset({"google", "aws", "cerebras", "graphcore"})
_ROUNDED = 1.001

_MEMORY_OVER = 1.05
"""Memory beyond the printed one that tools may show: units are rounded."""

_PARAMS_OFF = 0.10
_PARAMS_OFF_IMAGES = 0.20  # heads for training alone and constant tables are counted or not
_MOST_ROUNDED = 0.25  # "2B" may be 2.4e9
_TEXT = ("decoder", "moe", "encoder", "encoder_decoder")


def impossible(values: Mapping[str, Any]) -> str:
    """Which of a record's checked values cannot be true together, or ''."""
    return _heads(values) or _date(str(values.get("source_date") or "")) or _step(values)


def _heads(values: Mapping[str, Any]) -> str:
    hidden, heads = values.get("hidden"), values.get("heads")
    if not hidden or not heads or "head_dim" in values or hidden % heads == 0:
        return ""
    return f"heads = {heads:g} do not part hidden = {hidden:g}, and no head_dim is given"


def _date(text: str) -> str:
    """Why this is no date of a published run, or ''."""
    if not text:
        return ""
    found = _DATE.fullmatch(text)
    month, day = (int(found[at] or 1) for at in (2, 3)) if found else (0, 0)
    if not found or not 1 <= month <= 12 or not 1 <= day <= 31:
        return f"source_date = {text[:40]!r} is no date (YYYY, YYYY-MM or YYYY-MM-DD)"
    year = int(found[1])
    now = datetime.datetime.now(datetime.UTC)
    latest = max(_WRITTEN, (now.year, now.month))
    if year < _FIRST_YEAR:
        return f"source_date = {text[:40]!r} is before {_FIRST_YEAR}"
    if (year, month) > latest or (found[4] and int(found[4]) > latest[0]):
        return f"source_date = {text[:40]!r} is in the future"
    return ""


def _step(values: Mapping[str, Any]) -> str:
    """A step told by a speed may not last for days either."""
    rate, each = values.get("samples_per_s_per_device"), "samples_per_s_per_device"
    if rate is None and {"tokens_per_s_per_device", "seq_len"} <= values.keys():
        rate, each = values["tokens_per_s_per_device"] / values["seq_len"], "tokens_per_s_per_device"
    if not rate or not {"global_batch", "num_accelerators"} <= values.keys():
        return ""
    seconds = values["global_batch"] / values["num_accelerators"] / rate
    if seconds <= LONGEST_STEP_S:
        return ""
    return (
        f"{each} = {values[each]:g} and global_batch = {values['global_batch']:g} are a step of "
        f"{seconds:.3g} s, more than {LONGEST_STEP_S:g} s"
    )


def too_small_batch(values: Mapping[str, Any]) -> str:
    """Why a record's batch is too small for its devices, or '': each replica has a sample of its own."""
    devices, batch = values.get("num_accelerators"), values.get("global_batch")
    if devices is None or batch is None:
        return ""
    shared, only = 1.0, _data_parallel_only(values)
    for name, most in _MOST_SHARING.items():
        told = values.get(name) or (1.0 if only else None)
        known = values.get({"tp": "heads", "pp": "layers", "cp": "seq_len"}[name], most)
        shared *= told if told is not None else min(most, known)
    if str(values.get("vendor") or "").lower() in _COUNTED_OTHERWISE:
        shared *= _CORES
    replicas = max(devices / shared, values.get("dp") or 1.0)
    if replicas <= batch * _ROUNDED:
        return ""
    at_least = "" if only or all(name in values for name in _MOST_SHARING) else "at least "
    return (
        f"global_batch = {batch:g} is less than one sample for each of {at_least}{replicas:.6g} replicas "
        f"on {devices:g} devices"
    )


def _data_parallel_only(values: Mapping[str, Any]) -> bool:
    """Whether the degrees that a row does not give are one: it gives tensor and pipeline parallelism, or says
    that whole replicas or their weights are what its devices share out, and nothing beside."""
    if values.get("tp") and values.get("pp"):
        return True
    plain = _PLAIN_SHARDING.search(str(values.get("sharding") or ""))
    return bool(plain) and not any(values.get(name) for name in (*_MOST_SHARING, "ep"))


def beyond_memory(peak_gib: float | None, entry: Accelerator, devices: float) -> str:
    """Why a peak cannot be of one accelerator that counts as so many devices of `entry`, or ''.

    Vendors print some memory in GB and some in GiB; the larger unit counts.
    """
    printed = entry.memory_bytes if entry.own_memory_bounds else None
    if peak_gib is None or printed is None:
        return ""
    have = printed / 1e9 / entry.devices_per_package * devices
    if peak_gib <= have * _MEMORY_OVER:
        return ""
    return f"peak_mem_gib = {peak_gib:g} is more than the {have:g} GB of {entry.title}"


def other_params(told: float | None, known: float, family: str, learned_positions: float, title: str) -> str:
    """Why a printed parameter count is not of the network that the record names, or ''.

    What is printed may be rounded, and count learned positions that the reference network has not.
    """
    if told is None or not np.isfinite(known) or known <= 0:
        return ""
    over = told - known
    if over > 0:
        over = max(0.0, over - learned_positions)
    miss = max(0.0, abs(over) - min(_half_digit(told), _MOST_ROUNDED * told))
    if miss <= (_PARAMS_OFF if family in _TEXT else _PARAMS_OFF_IMAGES) * known:
        return ""
    return f"params = {told:.4g} contradict the network named, {title}, which has {known:.4g}"


def _half_digit(number: float) -> float:
    """Half of the last digit that is printed: 7e9 may be 6.5e9 to 7.5e9."""
    digits = f"{number:.12e}".split("e")
    shown = len(digits[0].rstrip("0").replace(".", ""))
    return float(0.5 * 10.0 ** (int(digits[1]) - shown + 1))
