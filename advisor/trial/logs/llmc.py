"""llm.c's text log: milliseconds a step, and the table of settings before.

`step 10/19560 | loss 7.1 (+0.1z)| norm 1.2 (+0.1z)| lr 6.0e-06 | 310.12 ms | 45.2% bf16 MFU | 1691234 tok/s`
(github:karpathy/llm.c train_gpt2.cu)
"""

from __future__ import annotations

import re

from advisor.trial.logs.log import Fields, Log, Steps, lines, number, put, whole

TITLE = "llm.c"
WHERE = "The lines 'step 10/100 | loss … | … ms |' tell it."
_LINE = re.compile(r"^step\s+\d+/\d+ \| .*?\|\s*([\d.]+) ms\b")
_SETTING = re.compile(r"^\|([\w ]+)\|([^|]+)\|\s*$")
_BATCH = re.compile(
    r"batch_size B=(\d+) \* seq_len T=(\d+) \* num_processes=(\d+) and total_batch_size=(\d+)"
)
_WHOLE = {
    "sequence length T": "seq_len", "num_layers L": "layers", "channels C": "hidden", "num_heads NH": "heads",
    "num_processes": "num_accelerators", "num_parameters": "params", "micro batch size B": "micro_batch",
    "padded_vocab_size Vp": "vocab",
}  # fmt: skip

_NETWORKS = {
    (12, 768): "gpt2-124m", (24, 1024): "gpt2-355m", (36, 1280): "gpt2-774m", (48, 1600): "gpt2-1558m",
}  # fmt: skip
"""Layers and channels of what it trains unless told otherwise (-e d12, d24, d36, d48)."""


def looks_like(text: str) -> bool:
    """Whether it has an llm.c step line."""
    return any(_LINE.search(line) for line in lines(text))


def parse(text: str) -> Log:
    """Step times and set-up."""
    settings: dict[str, str] = {}
    times: list[float | None] = []
    batch = None
    mfu = False
    for line in lines(text):
        if step := _LINE.search(line):
            times.append(_seconds(step[1]))
            mfu = mfu or "bf16 MFU" in line
        elif setting := _SETTING.search(line):
            settings[setting[1].strip()] = setting[2].strip()
        else:
            batch = _BATCH.search(line) or batch
    # data parallel alone; activation checkpointing of GELU and norms at most, which the rules count as none
    fields: Fields = {"family": "decoder", "tp": 1, "pp": 1, "recompute": "none"}
    for name, field in _WHOLE.items():
        put(fields, field, whole(settings.get(name)))
    tokens = number(settings.get("total batch size"))
    if batch is not None:
        micro, length, processes, tokens_told = (whole(part) for part in batch.groups())
        for name, value in (("micro_batch", micro), ("seq_len", length), ("num_accelerators", processes)):
            put(fields, name, value)
        tokens = tokens_told or tokens
    precision = settings.get("precision", "").lower()
    if precision in ("bf16", "fp16", "fp32", "tf32"):
        fields["precision"] = precision
    elif mfu:
        fields["precision"] = "bf16"
    if settings.get("device"):
        fields["accelerator"] = settings["device"][:200]
    if settings.get("zero_stage") in ("0", "1"):
        fields["sharding"] = "zero1" if settings["zero_stage"] == "1" else "none"
    fields["optimizer"] = "adamw"
    shape = tuple(fields.get(name) for name in ("layers", "hidden"))
    if shape in _NETWORKS:
        fields["model"] = _NETWORKS[shape]
    return Log("llm.c", fields, Steps.of(times), tokens_per_step=tokens)


def _seconds(text: str) -> float | None:
    value = number(text)
    return None if value is None else value / 1e3
