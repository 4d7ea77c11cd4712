"""nanoGPT's text log: `iter 100: loss 3.12, time 150.23ms, mfu 31.22%` (github:karpathy/nanoGPT train.py)."""

from __future__ import annotations

import re

from advisor.trial.logs.log import Fields, Log, Steps, lines, number

TITLE = "nanoGPT"
WHERE = "The lines 'iter 100: loss …, time …ms' tell it."
_LINE = re.compile(r"iter (\d+): loss [^,\s]+, time ([\d.,]+) ?ms")
_TOKENS = re.compile(r"tokens per iteration will be: ([\d,]+)")
_COMPILES = "compiling the model..."
_PARAMS = re.compile(r"number of parameters: ([\d.]+)M")


def looks_like(text: str) -> bool:
    """Whether it has a nanoGPT step line."""
    return any(_LINE.search(line) for line in lines(text))


def parse(text: str) -> Log:
    """Step times, and tokens of a step."""
    # its train.py has neither checkpointing nor any parallelism but DDP
    fields: Fields = {"family": "decoder", "optimizer": "adamw", "recompute": "none", "sharding": "none"}
    fields |= {"tp": 1, "pp": 1}
    tokens = params = None
    compiles = False
    times: list[float | None] = []
    for line in lines(text):
        if step := _LINE.search(line):
            times.append(number(step[2]))
        compiles = compiles or line.startswith(_COMPILES)
        tokens, params = _TOKENS.search(line) or tokens, _PARAMS.search(line) or params
    if compiles or params:  # both are printed before the first step
        fields["compile"] = compiles
    if params and (millions := number(params[1])):
        fields["params"] = millions * 1e6
    steps = Steps.of(None if ms is None else ms / 1e3 for ms in times)
    return Log("nanoGPT", fields, steps, tokens_per_step=number(tokens[1]) if tokens else None)
