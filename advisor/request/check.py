"""Is what was written a job that the scheduler can read: syntax, directives, schemas."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from advisor.data.files import read_text, read_toml, shipped
from advisor.errors import DataError, did_you_mean
from advisor.request import yaml

_DIRECTIVE = re.compile(r"#SBATCH\s+(.*)")
_LONG = re.compile(r"--([a-z][a-z-]*)(?:(?:=|\s+)(.*))?")
_SHORT = {
    "A": "account",
    "C": "constraint",
    "J": "job-name",
    "N": "nodes",
    "c": "cpus-per-task",
    "d": "dependency",
    "e": "error",
    "G": "gpus",
    "n": "ntasks",
    "o": "output",
    "p": "partition",
    "q": "qos",
    "t": "time",
    "a": "array",
}
_BASH_S = 10


def check(name: str, text: str) -> list[str]:
    """What could not be checked here. Raises DataError for a file that is wrong, with its line."""
    if name.endswith(".yaml"):
        check_yaml(name, text)
        return []
    left = check_bash(name, text)
    if name.endswith(".sbatch"):
        check_directives(name, text)
    return left


def check_bash(name: str, text: str) -> list[str]:
    """`bash -n`: reads all of it, runs nothing."""
    bash = shutil.which("bash")
    if bash is None:
        return [f"{name} was not checked by bash: it is not installed here"]
    try:
        done = subprocess.run(
            [bash, "-n"], input=text.encode(), capture_output=True, timeout=_BASH_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"{name} was not checked by bash: {error}"]
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise DataError(f"{name}: bash cannot read it: {said[0][:200] if said else 'no reason given'}", _HINT)
    return []


_HINT = "Mend the template; without one, this is a bug: please send the file."


@lru_cache(maxsize=1)
def _directives() -> dict[str, re.Pattern[str]]:
    raw = read_toml(shipped("templates") / "request" / "sbatch.toml")
    return {name: re.compile(shape) for name, shape in raw["directives"].items()}


def check_directives(name: str, text: str) -> None:
    """Every #SBATCH line is a known directive, with a value of its shape, where sbatch still reads it."""
    known, reading = _directives(), True
    if not text.startswith("#!"):
        raise DataError(
            f"{name}: does not begin with #!, and sbatch takes no other file", "Begin with #!/bin/bash."
        )
    if not re.search(r"^#SBATCH\s", text, re.MULTILINE):
        raise DataError(f"{name}: holds no #SBATCH directive, so it asks for nothing", "Add #SBATCH lines.")
    for number, line in enumerate(text.splitlines(), 1):
        found = _DIRECTIVE.fullmatch(line.rstrip())
        if found is None:
            reading = reading and (not line.strip() or line.lstrip().startswith("#"))
            continue
        if not reading:
            raise DataError(f"{name} line {number}: sbatch reads no directive after a command", "Move it up.")
        short = re.fullmatch(r"-([A-Za-z])\s*(.*)", found[1])
        long = _LONG.fullmatch(found[1])
        if short and short[1] in _SHORT:
            option, value = _SHORT[short[1]], short[2]
        elif long:
            option, value = long[1], long[2] or ""
        else:
            raise DataError(f"{name} line {number}: '{found[1][:60]}' is no directive", _HINT)
        if option not in known:
            hint = did_you_mean(option, known) or "Known ones: templates/request/sbatch.toml."
            raise DataError(f"{name} line {number}: no directive --{option[:40]}", hint)
        if not known[option].fullmatch(value.strip().strip('"')):
            raise DataError(
                f"{name} line {number}: --{option}={value[:60]!r} is not of the right shape", _HINT
            )


@lru_cache(maxsize=1)
def _schemas() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_text(shipped("templates") / "request" / "schemas.json"))
    return found


def check_yaml(name: str, text: str) -> None:
    """YAML whose every document is of a kind that is known here and keeps to its schema."""
    try:
        found = yaml.read(text)
    except ValueError as error:
        raise DataError(f"{name}: is not YAML: {error}", _HINT) from error
    objects = [document for document in found if document is not None]
    if not objects:
        raise DataError(f"{name}: is empty", _HINT)
    for document in objects:
        check_object(name, document)
    _scripts(name, objects)


def check_object(name: str, document: Any) -> None:
    """One object against the schema of its kind."""
    import jsonschema

    schemas = _schemas()
    kind = (
        "SkyPilot" if name.startswith("sky") else document.get("kind") if isinstance(document, dict) else None
    )
    if not isinstance(kind, str) or kind not in schemas["kinds"]:
        near = did_you_mean(str(kind)[:40], schemas["kinds"]) or f"Known: {', '.join(schemas['kinds'])}."
        raise DataError(f"{name}: no object of the kind {str(kind)[:40]!r} is known here", near)
    schema = {"$schema": schemas["$schema"], "$defs": schemas["$defs"], **schemas["kinds"][kind]}
    errors = sorted(
        jsonschema.Draft202012Validator(schema).iter_errors(document), key=lambda e: [str(p) for p in e.path]
    )
    if errors:
        where = ".".join(str(part) for part in errors[0].absolute_path) or kind
        raise DataError(f"{name}: {kind}: {where}: {errors[0].message[:200]}", _HINT)


def _scripts(name: str, objects: Iterable[Any]) -> None:
    """The shell inside: `run` and `setup` of SkyPilot, what follows `bash -c` in containers."""
    for found in _texts(objects):
        check_bash(name, found)


def _texts(value: Any, key: str = "") -> Iterable[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, str(name))
    elif isinstance(value, list):
        if key == "command" and len(value) == 3 and value[:2] == ["bash", "-c"]:
            yield str(value[2])
            return
        for item in value:
            yield from _texts(item, key)
    elif isinstance(value, str) and key in ("run", "setup"):
        yield value
