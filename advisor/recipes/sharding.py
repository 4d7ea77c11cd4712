"""How states are cut over devices: files of DeepSpeed and accelerate, and FSDP's words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from advisor.errors import AdvisorError
from advisor.recipes.source import read_mapping
from advisor.recipes.taken import Taking

_STAGES = {0: "none", 1: "zero1", 2: "zero2", 3: "fsdp"}
_STRATEGIES = {
    "full_shard": "fsdp", "shard_grad_op": "zero2", "no_shard": "none", "hybrid_shard": "hsdp",
    "hybrid_shard_zero2": "hsdp", "1": "fsdp", "2": "zero2", "3": "none", "4": "hsdp", "5": "hsdp",
}  # fmt: skip
_OFF = ("false", "none", "no")
_STAGE_IN_NAME = re.compile(r"(?:z|zero)[-_]?(?:stage)?[-_]?([0-3])(?!\d)", re.I)
_NAMED = {
    "single_gpu": "none", "multi_gpu": "none", "zero1": "zero1", "zero2": "zero2", "zero3": "fsdp",
    "fsdp1": "fsdp", "fsdp2": "fsdp", "fsdp_qlora": "fsdp",
}  # fmt: skip
_CUT = {"sharding", "offload"}
_DEGREES = {"tp": "1", "pp": "1", "cp": "1", "ep": "1", "offload": "none"}
_UP = 3  # folders above the recipe in which a file is looked for: trainers are started from their own


def put_deepspeed(taking: Taking, *keys: str) -> None:
    """The configuration that a recipe names or holds."""
    told = taking.get(*keys)
    key = taking.key(*keys)
    if told is None or told == "":
        return
    if isinstance(told, dict):
        put_deepspeed_config(taking, told, key)
        return
    name = str(told)
    path = find_beside(taking.path, name)
    if path is not None:
        try:
            put_deepspeed_config(taking, read_mapping(path), key)
            return
        except AdvisorError as error:
            taking.notes.append(f"{name} cannot be read: {error.message}.")
    match = _STAGE_IN_NAME.search(Path(name).name)
    if match is None:
        taking.miss(key, "the file is not here, and its name does not tell the stage")
        taking.left_open |= _CUT
        return
    taking.put("sharding", _STAGES[int(match[1])], key)
    if "offload" in name.lower() or "cpu" in name.lower():
        taking.put("offload", "params" if match[1] == "3" else "optimizer", key)
    taking.notes.append(f"{name} is not here; ZeRO stage {match[1]} is read from its name.")


def put_deepspeed_config(taking: Taking, config: dict[str, Any], key: str) -> None:
    """ZeRO's stage and offloading, and number formats that the recipe leaves to it."""
    zero = config.get("zero_optimization")
    zero = zero if isinstance(zero, dict) else {}
    stage = zero.get("stage", 0)
    if isinstance(stage, bool) or stage not in _STAGES:
        raise taking.wrong(f"{key} zero_optimization.stage", stage, "is none of 0, 1, 2, 3")
    taking.put("sharding", _STAGES[stage], key)
    if _device(zero, "offload_param") or zero.get("cpu_offload_params"):
        taking.put("offload", "params", key)
    elif _device(zero, "offload_optimizer") or zero.get("cpu_offload"):
        taking.put("offload", "optimizer", key)
    for name, precision in (("bf16", "bf16_mixed"), ("fp16", "fp16_mixed")):
        part = config.get(name)
        if isinstance(part, dict) and part.get("enabled") is True and "precision" not in taking.flags:
            taking.put("precision", precision, key)


def _device(zero: dict[str, Any], name: str) -> bool:
    part = zero.get(name)
    return isinstance(part, dict) and str(part.get("device", "none")).lower() not in ("none", "")


def put_fsdp(taking: Taking, words_key: str = "fsdp", config_key: str = "fsdp_config") -> None:
    """FSDP as the Trainer's words (full_shard auto_wrap offload) and its table of options."""
    words = [word.lower() for word in taking.words(words_key) if word.lower() not in _OFF]
    if taking.get(words_key) is True:  # as the Trainer has it since transformers 5
        words = ["full_shard"]
    config = taking.get(config_key)
    if isinstance(config, str):
        path = find_beside(taking.path, config)
        if path is None and not words:
            taking.miss(config_key, "the file is not here")
            taking.left_open |= _CUT
        config = read_mapping(path) if path is not None else None
    config = {str(k).removeprefix("fsdp_"): v for k, v in config.items()} if isinstance(config, dict) else {}
    version = str(config.get("version", taking.get("fsdp_version") or "1"))
    if not words and not config:
        return
    strategy = str(config.get("sharding_strategy", "")).lower()
    named = next((word for word in words if word in _STRATEGIES), strategy)
    found = _STRATEGIES.get(named, "fsdp")
    if version == "2" and config.get("reshard_after_forward") is False:
        found = "zero2"
    taking.put("sharding", found, words_key, config_key)
    if "offload" in words or str(config.get("offload_params", "")).lower() == "true":
        taking.put("offload", "params", words_key, config_key)
    if str(config.get("activation_checkpointing", "")).lower() == "true":
        taking.put("recompute", "full", config_key)


def put_plain_layout(taking: Taking) -> None:
    """What nothing says of the layout is the trainer's own: each device has all, and nothing is cut.

    A search may find a better one, but that is not what these files start.
    """
    told = "sharding" in taking.flags
    for name, value in {"sharding": "none", **_DEGREES}.items():
        if name not in taking.flags and name not in taking.left_open:
            taking.put(name, value)
    if not told and "sharding" in taking.flags:
        taking.notes.append(
            "Neither DeepSpeed nor FSDP is named: each device holds all weights and states, as the trainer "
            "starts; --sharding says otherwise."
        )


def put_named(taking: Taking, key: str) -> None:
    """One of TRL's own configurations of accelerate by its name (zero3, fsdp2), or a file."""
    name = taking.text(key)
    if name is None:
        return
    path = find_beside(taking.path, name)
    if path is not None:
        put_launcher(taking, path)
    elif name in _NAMED:
        taking.put("sharding", _NAMED[name], key)
    else:
        taking.miss(key, "the file is not here")
        taking.left_open |= _CUT


def put_mesh(taking: Taking, shard: str, replicate: str, tp: str, cp: tuple[str, ...]) -> None:
    """Sizes of a mesh of devices as axolotl and accelerate have them."""
    for name, keys in (("tp", (tp,)), ("cp", cp)):
        if (count := taking.whole(*keys)) is not None and count > 1:
            taking.put(name, count, *keys)
    cut, copies = taking.whole(shard), taking.whole(replicate)
    if cut is None and copies is None:
        return
    if cut == 1:
        taking.put("sharding", "none", shard)
    elif copies is not None and copies > 1:
        taking.put("sharding", "hsdp", replicate)
        taking.notes.append(f"{replicate} {copies}: HSDP is counted as cut within a server.")
    elif cut is not None and taking.flags.get("sharding") in (None, "none"):
        taking.put("sharding", "fsdp", shard)
    if cut is not None and taking.devices is None:
        taking.devices = cut * (copies or 1) * int(taking.flags.get("tp", 1)) * int(taking.flags.get("cp", 1))


def put_launcher(taking: Taking, path: Path) -> None:
    """accelerate's configuration: how many processes, which way of cutting, which format."""
    config = read_mapping(path)
    kind = str(config.get("distributed_type", "NO")).upper()
    count = config.get("num_processes")
    if taking.devices is None and isinstance(count, int) and count > 0:
        taking.devices = count
    inner = Taking(path, config)
    if kind == "FSDP":
        put_fsdp(inner)
    if kind == "MEGATRON_LM":
        inner.left_open |= {"sharding", *_DEGREES}
        inner.notes.append("accelerate's Megatron-LM is not read: give --stack megatron with --tp, --pp.")
    part = config.get("deepspeed_config")
    if kind == "DEEPSPEED" and isinstance(part, dict):
        if part.get("deepspeed_config_file"):
            put_deepspeed(Taking(path, {}), "deepspeed_config_file")
            inner = Taking(path, {"deepspeed_config_file": part["deepspeed_config_file"]})
            put_deepspeed(inner, "deepspeed_config_file")
        else:
            zero = {
                "stage": part.get("zero_stage", 0),
                "offload_optimizer": {"device": part.get("offload_optimizer_device", "none")},
                "offload_param": {"device": part.get("offload_param_device", "none")},
            }
            put_deepspeed_config(inner, {"zero_optimization": zero}, "deepspeed_config")
    formats = {"bf16": "bf16_mixed", "fp16": "fp16_mixed", "fp8": "fp8_mixed"}
    precision = formats.get(str(config.get("mixed_precision", "")))
    if precision is not None:
        inner.put("precision", precision, "mixed_precision")
    taking.notes += inner.notes
    taking.left_open |= inner.left_open
    for name, value in inner.flags.items():
        if name not in taking.flags:
            taking.flags[name] = value
            taking.said[name] = f"{path.name}: {inner.said[name]}"


def find_beside(recipe: Path, name: str) -> Path | None:
    """A file that a recipe names: from its own folder, from those above it, or from here."""
    try:
        folder = recipe.resolve().parent
        places = [folder, *list(folder.parents)[:_UP], Path.cwd()]
        named = Path(name).expanduser()
        return next((place / named for place in places if (place / named).is_file()), None)
    except (OSError, ValueError, RuntimeError):
        return None
