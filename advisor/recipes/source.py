"""The text of a recipe file as keys and values: YAML, JSON, or the command line that starts a training."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.data.files import read_text
from advisor.errors import DataError

MOST_BYTES = 1_000_000
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))")
_ASSIGNED = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=(.*)", re.S)
_STARTERS = re.compile(
    r"^(accelerate|torchrun|deepspeed|trl|llamafactory-cli|axolotl|python[\d.]*|.+\.py|llamafactory)$"
)
_DEVICES = ("num_processes", "num_gpus")  # of all machines; torchrun counts those of one


@dataclass
class Command:
    """One command: what it runs, the launcher's options, its own options and plain words."""

    program: str
    launcher: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    unset: list[str] = field(default_factory=list)  # variables of the shell that the file does not set

    @property
    def devices(self) -> int | None:
        """Processes that the launcher starts, where it says."""
        for name in _DEVICES:
            if (count := _whole(self.launcher.get(name))) is not None:
                return count
        each, nodes = self.launcher.get("nproc_per_node"), self.launcher.get("nnodes", 1)
        count, machines = _whole(each), _whole(nodes)
        return None if count is None or machines is None else count * machines


def _whole(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isdigit() and 0 < int(text[:9]) == int(text) else None


def read_mapping(path: Path, text: str | None = None) -> dict[str, Any]:
    """A YAML or JSON file of keys and values. Raises DataError naming file and line for anything else."""
    text = read_text(path, limit_bytes=MOST_BYTES) if text is None else text
    found = _json(path, text) if path.suffix.lower() == ".json" else _yaml(path, text)
    if not isinstance(found, dict):
        raise DataError.at(path, "", None, "holds no keys and values", "Give a trainer's YAML or JSON file.")
    return {str(key): value for key, value in found.items()}


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError.at(path, "", None, f"is not valid JSON: {str(error)[:200]}", "Mend it.") from error


def _yaml(path: Path, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        told = " ".join(str(error).split())[:200]
        raise DataError.at(path, "", None, f"is not valid YAML: {told}", "Mend it.") from error


def is_command(text: str) -> bool:
    """Whether a text is a shell's rather than YAML: some line starts a training or a script."""
    if text.startswith("#!"):
        return True
    for line in text.replace("\\\n", " ").split("\n"):
        words = line.split()
        while words and (_ASSIGNED.fullmatch(words[0]) or words[0] in ("export", "srun", "sudo", "env")):
            words.pop(0)
        if len(words) > 1 and _STARTERS.match(words[0].rsplit("/", 1)[-1]) and not words[0].endswith(":"):
            return True
    return text.lstrip().startswith("--")


def read_commands(path: Path, text: str) -> list[Command]:
    """The commands of a shell script that start programs, their variables filled in. Nothing is run."""
    variables: dict[str, str] = {}
    found = []
    for number, line in enumerate(_joined(text), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            told = f"cannot be read: {error}"
            raise DataError.at(path, f"line {number}", None, told, "Mend the quotes.") from error
        unset: list[str] = []
        words = [_filled(word, variables, unset) for word in words]
        while words and (match := _ASSIGNED.fullmatch(words[0])):
            variables[match[1]] = match[2]
            words.pop(0)
        if words[:1] == ["export"]:
            for word in words[1:]:
                if match := _ASSIGNED.fullmatch(word):
                    variables[match[1]] = match[2]
            continue
        if words and (command := _command(words)) is not None:
            command.unset = unset
            found.append(command)
    return found


def _joined(text: str) -> list[str]:
    """Lines, those continued by a backslash as one."""
    return re.sub(r"\\[ \t]*\n", " ", text).split("\n")


def _filled(word: str, variables: dict[str, str], unset: list[str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3]
        if name in variables:
            return variables[name]
        if match[2] is not None:
            return match[2]
        unset.append(name)
        return match[0]

    return _VARIABLE.sub(value, word)[:4096]


def _command(words: list[str]) -> Command | None:
    """A launcher's options, the script it starts, and the script's options."""
    words = [word for word in words if word not in ("srun", "sudo", "env", "time")]
    if words and words[0].startswith("--"):
        return Command("", {}, *_options(words))
    at = next((n for n, word in enumerate(words) if _is_program(words, n)), None)
    if at is None:
        return None
    launcher, _ = _options(words[:at])
    program = words[at].rsplit("/", 1)[-1]
    return Command(program, launcher, *_options(words[at + 1 :]))


def _is_program(words: list[str], at: int) -> bool:
    word = words[at].rsplit("/", 1)[-1]
    if word in ("trl", "llamafactory-cli", "axolotl", "llamafactory"):
        return True
    return word.endswith(".py") or (words[at - 1] == "-m" and at > 0)


def _options(words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """`--key value`, `--key=value` and bare `--key` (true); the other words."""
    found: dict[str, Any] = {}
    plain: list[str] = []
    name = ""
    for word in words:
        if word.startswith("--") and len(word) > 2:
            name, sign, value = word[2:].partition("=")
            name = name.replace("-", "_")
            found[name] = value if sign else True
            name = "" if sign else name
        elif name and not (word.startswith("-") and not _is_number(word)):
            found[name] = word if found[name] is True else f"{found[name]} {word}"
        else:
            plain.append(word)
    return found, plain


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
