"""Megatron-LM's text log: a line an iteration, and the arguments it prints before.

`iteration 100/ 500 | consumed samples: 25600 | elapsed time per iteration (ms): 1234.5 | … |`
(github:NVIDIA/Megatron-LM megatron/training/training.py training_log)
"""

from __future__ import annotations

import re

from advisor.trial.logs.log import Fields, Log, Steps, lines, number, put, whole

TITLE = "Megatron-LM"
WHERE = "The lines with 'elapsed time per iteration (ms)' tell it."
_LINE = re.compile(r"iteration\s+(\d+)/\s*\d+\s*\|(.*)")
_ELAPSED = re.compile(r"elapsed time per iteration \(ms\):\s*([\d.,]+)")
_BATCH = re.compile(r"global batch size:\s*(\d+)")
_CONSUMED = re.compile(r"consumed samples:\s*(\d+)")
_ARGUMENT = re.compile(r"(\w+) \.{3,} (\S+)\s*$")
_MEMORY = re.compile(r"max allocated:\s*([\d.]+)")
_IN_MB = "memory (MB)"
_WHOLE = {
    "micro_batch_size": "micro_batch", "seq_length": "seq_len", "num_layers": "layers",
    "hidden_size": "hidden", "num_attention_heads": "heads", "ffn_hidden_size": "ffn_hidden",
    "padded_vocab_size": "vocab", "world_size": "num_accelerators", "tensor_model_parallel_size": "tp",
    "pipeline_model_parallel_size": "pp", "context_parallel_size": "cp", "expert_model_parallel_size": "ep",
    "data_parallel_size": "dp", "num_experts": "num_experts", "moe_router_topk": "top_k",
    "kv_channels": "head_dim",
}  # fmt: skip
_MIB_PER_GIB = 1024.0


def looks_like(text: str) -> bool:
    """Whether it has a Megatron iteration line."""
    return any(_ELAPSED.search(line) for line in lines(text))


def parse(text: str) -> Log:
    """Step times, batch and set-up."""
    steps: list[float | None] = []
    batch = consumed = None
    arguments: dict[str, str] = {}
    memory = 0.0
    for line in lines(text):
        iteration = _LINE.search(line)
        if iteration:
            elapsed = _ELAPSED.search(iteration[2])
            steps.append(None if elapsed is None else _seconds(elapsed[1]))
            told, counted = _BATCH.search(iteration[2]), _CONSUMED.search(iteration[2])
            batch = whole(told[1]) if told else batch
            if counted and whole(iteration[1]):
                consumed = (number(counted[1]) or 0.0) / int(iteration[1])
        elif argument := _ARGUMENT.search(line):
            arguments[argument[1]] = argument[2]
        elif _IN_MB in line and (most := _MEMORY.search(line)):
            memory = max(memory, number(most[1]) or 0.0)
    fields = _fields(arguments)
    if batch is None and consumed and consumed.is_integer() and consumed >= 1:
        batch = int(consumed)
    put(fields, "global_batch", batch)
    if memory:
        fields |= {"peak_mem_gib": memory / _MIB_PER_GIB, "memory_kind": "allocated"}
    return Log("Megatron-LM", fields, Steps.of(steps))


def _seconds(text: str) -> float | None:
    value = number(text)
    return None if value is None else value / 1e3


def _fields(arguments: dict[str, str]) -> Fields:
    found: Fields = {}
    for name, field in _WHOLE.items():
        put(found, field, whole(arguments.get(name)))
    if arguments.get("group_query_attention") == "True":
        put(found, "kv_heads", whole(arguments.get("num_query_groups")))
    for name in ("fp8", "bf16", "fp16"):
        if "precision" not in found and arguments.get(name, "None") not in ("None", "False"):
            found["precision"] = name
    if "bf16" in arguments and "precision" not in found:
        found["precision"] = "fp32"
    if arguments.get("optimizer") in ("adam", "sgd"):
        found["optimizer"] = arguments["optimizer"]
    if arguments.get("use_distributed_optimizer") == "True":
        found["sharding"] = "zero1"
    if "recompute_granularity" in arguments:
        told = arguments["recompute_granularity"]
        found["recompute"] = told if told in ("full", "selective") else "none"
    if arguments.get("sequence_parallel") in ("True", "False"):
        found["sequence_parallel"] = arguments["sequence_parallel"] == "True"
    return found
