"""Which trainer a file is of, and its reader."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.data.files import read_text
from advisor.errors import DataError
from advisor.recipes import axolotl, diffusers, llamafactory, trl
from advisor.recipes.sharding import find_beside, put_launcher
from advisor.recipes.source import MOST_BYTES, Command, is_command, read_commands, read_mapping
from advisor.recipes.taken import Recipe, Taking
from advisor.recipes.trainer import read_arguments

_LLAMA_FACTORY = ("finetuning_type", "stage", "cutoff_len", "quantization_bit", "dataset_dir")
_TRL_SCRIPTS = (
    "sft",
    "dpo",
    "reward",
    "kto",
    "orpo",
    "cpo",
    "grpo",
    "rloo",
    "ppo",
    "online_dpo",
    "sft_vlm",
    "dpo_vlm",
)
_OTHER_FILES = {
    "distributed_type": "accelerate's configuration", "zero_optimization": "DeepSpeed's configuration",
    "architectures": "a network's config.json: give it with --model",
}  # fmt: skip
_KNOWN = "LLaMA-Factory, TRL, axolotl, the Trainer of transformers, or a script of diffusers"


def is_recipe(path: Path) -> bool:
    """Whether a file given as a workload is another trainer's rather than one of flags (TOML)."""
    return path.suffix.lower() != ".toml"


def read_recipe(path: Path) -> Recipe:
    """The recipe of a file. Raises DataError for a file that no known trainer would read."""
    text = read_text(path, limit_bytes=MOST_BYTES)
    if not text.strip():
        raise DataError.at(path, "", None, "is empty", f"Give a recipe of {_KNOWN}.")
    if path.suffix.lower() not in (".yaml", ".yml", ".json") and is_command(text):
        return _of_script(path, text)
    values = read_mapping(path, text)
    return _of_mapping(path, values)


def _of_mapping(path: Path, values: Mapping[str, Any], launched: Taking | None = None) -> Recipe:
    """Keys and values by the keys that only one trainer has. `launched`: what a launcher said before."""
    taking = Taking(path, values)
    if launched is not None:
        taking.flags, taking.said = dict(launched.flags), dict(launched.said)
        taking.notes, taking.left_open = list(launched.notes), set(launched.left_open)
        taking.devices = launched.devices
    if "base_model" in values:
        return taking.done(axolotl.read(taking))
    if "pretrained_model_name_or_path" in values:
        return taking.done(diffusers.read(taking))
    if any(key in values for key in _LLAMA_FACTORY) and "model_name_or_path" in values:
        return taking.done(llamafactory.read(taking))
    if "model_name_or_path" in values:
        return taking.done(trl.read(taking))
    for key, told in _OTHER_FILES.items():
        if key in values:
            raise DataError.at(path, "", None, f"is {told}, no recipe", f"Give the recipe: {_KNOWN}.")
    if "per_device_train_batch_size" in values:
        return taking.done(read_arguments(taking))
    raise DataError.at(path, "", None, "is of no trainer that is known here", f"Known are {_KNOWN}.")


def _of_script(path: Path, text: str) -> Recipe:
    """The first command of a script that is a known trainer's."""
    commands = read_commands(path, text)
    for command in commands:
        recipe = _of_command(path, command)
        if recipe is not None:
            return recipe
    named = ", ".join(sorted({command.program for command in commands if command.program}))[:200]
    told = f"starts no trainer that is known here ({named or 'nothing that trains'})"
    raise DataError.at(path, "", None, told, f"Known are {_KNOWN}.")


def _of_command(path: Path, command: Command) -> Recipe | None:
    program, words = command.program, command.words
    taking = Taking(path, command.options, devices=command.devices)
    if command.unset:
        names = ", ".join(dict.fromkeys(f"${name}" for name in command.unset))
        taking.notes.append(f"The script does not set {names[:80]}: what needs it is read as it stands.")
    _launched(taking, command)
    stem = program.removesuffix(".py")
    if program in ("llamafactory-cli", "llamafactory") or "axolotl" in program:
        return _with_file(path, command, taking)
    if program == "trl" and words:
        return _of_trl(taking, words[0])
    if stem in _TRL_SCRIPTS:
        return _of_trl(taking, stem)
    if "pretrained_model_name_or_path" in command.options or stem == "train_unconditional":
        return taking.done(diffusers.read(taking, program))
    if "model_name_or_path" in command.options:
        if any(key in command.options for key in _LLAMA_FACTORY):
            return taking.done(llamafactory.read(taking))
        return taking.done(trl.read(taking))
    return None


def _of_trl(taking: Taking, kind: str) -> Recipe:
    """TRL's own command; the file of --config below what stands on the line."""
    told = taking.values.get("config")
    if isinstance(told, str) and (file := find_beside(taking.path, told)) is not None:
        taking.values = {**read_mapping(file), **taking.values}
    for key in ("num_processes",):
        count = taking.values.get(key)
        if isinstance(count, str) and count.isdigit():
            taking.devices = int(count)
        taking.taken.add(key)
    return taking.done(trl.read(taking, kind))


def _launched(taking: Taking, command: Command) -> None:
    """What the launcher says: its configuration file, its number format."""
    told = command.launcher.get("config_file")
    if isinstance(told, str):
        file = find_beside(taking.path, told)
        if file is not None:
            put_launcher(taking, file)
        else:
            taking.notes.append(f"accelerate's configuration {told[:60]} is not here.")
            taking.left_open |= {"sharding", "offload"}
    precision = {"bf16": "bf16_mixed", "fp16": "fp16_mixed", "fp8": "fp8_mixed"}.get(
        str(command.launcher.get("mixed_precision", ""))
    )
    if precision:
        taking.put("precision", precision)
        taking.said["precision"] = f"mixed_precision: {command.launcher['mixed_precision']}"


def _with_file(path: Path, command: Command, taking: Taking) -> Recipe:
    """`llamafactory-cli train x.yaml key=value`, `axolotl train x.yaml --key value`."""
    name = next((word for word in command.words if word.endswith((".yaml", ".yml", ".json"))), None)
    pairs = dict(word.split("=", 1) for word in command.words if "=" in word)
    overlay = {**command.options, **pairs}
    if name is None:
        return _of_mapping(path, overlay, taking)
    file = find_beside(path, name)
    if file is None:
        raise DataError.at(path, "", None, f"starts {command.program} with {name}, which is not here",
                           "Give that file itself.")  # fmt: skip
    return _of_mapping(file, {**read_mapping(file), **overlay}, taking)
