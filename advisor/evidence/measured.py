"""What a record measured, in the quantities that `validate` names."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.evidence.record import Record

MEMORY_KINDS: Mapping[str, str] = {
    "allocated": "allocated_bytes", "reserved": "reserved_bytes", "nvml": "nvml_bytes",
    "unknown": "reserved_bytes", "": "reserved_bytes", "process": "memory_bytes",
}  # fmt: skip
"""The rules' quantity that a record's memory_kind names; an unknown one counts as what is reserved."""


def highest_kind(kind: str) -> str:
    """The quantity whose upper end a figure of this kind may reach: one that may be a tool's, or the
    allocator's own, that of the tool."""
    return "nvml_bytes" if kind in ("unknown", "") else MEMORY_KINDS[kind]


def measured_of(record: Record) -> dict[str, float]:
    """quantity -> measured value. step_time_s of one optimizer step; of one sample on one device where the
    global batch is not known. Throughputs are turned into it: they are printed per accelerator."""
    found: dict[str, float] = {}
    step = _step_seconds(record)
    if step is not None:
        found["step_time_s"] = step
    for name in ("total_time_h", "peak_mem_gib"):
        value = record.number(name)
        if value is not None:
            found[name] = value
    fits = record.flag("fits")
    if fits is not None:
        found["fits"] = float(fits)
    return found


_RATES = ("tokens_per_s_per_device", "samples_per_s_per_device", "step_time_s")
_FLOPS = ("tflops_per_device", "mfu")


def unused_of(record: Record, measured: Mapping[str, float]) -> str:
    """Why a speed that a record gives is not among what it measured, or it measured nothing; '' else."""
    if "step_time_s" in measured:
        return ""
    if record.number("step_time_s") is not None:
        return "the row gives seconds of a step, but not how many samples it has"
    if any(record.number(name) is not None for name in _RATES):
        return "the row gives no sequence length, so its tokens a second are not the time of a step"
    if measured:
        return ""
    if any(record.number(name) is not None for name in _FLOPS):
        return "the row gives no speed but in FLOP/s, which sources count differently"
    return "the row gives no measured time, speed or memory"


def _step_seconds(record: Record) -> float | None:
    batch, count = record.number("global_batch"), record.number("num_accelerators")
    step = record.number("step_time_s")
    if step is not None and batch is not None:
        return step  # seconds of a step of unknown size say nothing
    samples, tokens = record.number("samples_per_s_per_device"), record.number("tokens_per_s_per_device")
    length = record.number("seq_len")
    if samples is None and tokens is not None and length is not None:
        samples = tokens / length
    if samples is None:
        return None
    if batch is None or count is None:
        return 1.0 / samples
    return batch / (samples * count)
