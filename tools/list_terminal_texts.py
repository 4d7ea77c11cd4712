"""Everything the terminal says, and what of it a language lacks.

python tools/list_terminal_texts.py zh          # what stands in English for want of a translation
python tools/list_terminal_texts.py zh --all    # every text, as patterns for templates/lang/terminal/zh.toml
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from string import Formatter

import click

from advisor.cli import COMMANDS, cli
from advisor.cli.help import localised
from advisor.render.texts import terminal_texts

ROOT = Path(__file__).resolve().parent.parent
_ERRORS = {
    "UserError": 2, "DataError": 2, "MissingLibrary": 2, "NothingFits": 2, "Interrupted": 2,
    "UsageError": 1, "BadParameter": 1,
}  # fmt: skip
_OF_CHILD = ("Failure", "Unable")  # status, message, hint: the child that traces and trains
_PROBLEM = 3  # DataError.at(file, key, value, problem, hint)
_NAMES = "abcdefgh"
_LEAST = 6  # letters of a pattern that is worth a translation of its own
_COMMAND = re.compile(r"(pip|apt|hwadvisor|\{a\} -m pip) ")  # to be typed as it stands


def help_texts() -> dict[str, str]:
    """Every paragraph and option of every help page -> the command."""
    found: dict[str, str] = {}
    for name, (module, line) in COMMANDS.items():
        found.setdefault(line, name)
        _help_of(localised(getattr(import_module(module), name)), name, found)
    _help_of(cli, "", found)
    return found


def _help_of(command: click.Command, name: str, found: dict[str, str]) -> None:
    for part in (command.help or "").split("\n\n"):
        kept = "\b" in part
        lines = part.replace("\b", "").splitlines() if kept else [" ".join(part.split())]
        for line in lines:
            if line.strip():
                found.setdefault(line.strip(), name)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            found.setdefault(" ".join(parameter.help.split()), name)
    for below, sub in getattr(command, "commands", {}).items():
        _help_of(sub, f"{name} {below}", found)


def error_texts() -> dict[str, str]:
    """Every message, problem and hint of an error, as a pattern -> the file."""
    found: dict[str, str] = {}
    for path, call in _calls():
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name == "at" and isinstance(call.func, ast.Attribute):
            arguments = call.args[_PROBLEM:]
        elif name in _OF_CHILD:
            arguments = call.args[1:3]
        elif name in _ERRORS:
            arguments = call.args[: _ERRORS[name]]
        else:
            continue
        more = [k.value for k in call.keywords if k.arg in ("hint", "message", "problem")]
        for argument in [*arguments, *more]:
            for text in _patterns(argument):
                if _says_something(text) and not _COMMAND.match(text):
                    found.setdefault(text, path)
    return found


def _says_something(pattern: str) -> bool:
    """Not only places with a word between them: a pattern of that would match half of all sentences."""
    letters = len(re.findall("[A-Za-z]", _literal(pattern)))
    return letters >= (_LEAST if "{" in pattern else 2)


def form_texts() -> dict[str, str]:
    """Every text given to `form` -> the file."""
    found: dict[str, str] = {}
    for path, call in _calls():
        if isinstance(call.func, ast.Name) and call.func.id == "form" and call.args:
            for text in _patterns(call.args[0], form=True):
                found.setdefault(text, path)
    return found


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted((ROOT / "advisor").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield str(path.relative_to(ROOT)), node


def _patterns(node: ast.expr, *, form: bool = False) -> list[str]:
    """The texts that an expression can be, with names in braces for what is put in."""
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, str):
            return []
        return [node.value if form else node.value.replace("{", "{{").replace("}", "}}")]
    if isinstance(node, ast.JoinedStr):
        names = iter(_NAMES + _NAMES.upper())
        return ["".join(_piece(value, names) for value in node.values)]
    if isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in _patterns(value)]
    if isinstance(node, ast.IfExp):
        return _patterns(node.body) + _patterns(node.orelse)
    return []


def _piece(value: ast.expr, names: Iterator[str]) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value).replace("{", "{{").replace("}", "}}")
    return "{" + next(names) + "}"


def _literal(pattern: str) -> str:
    return "".join(literal for literal, _, _, _ in Formatter().parse(pattern))


def missing(code: str) -> dict[str, str]:
    """Texts that a language lacks -> where they are said."""
    sentences, _, forms = terminal_texts(code)
    lacks = {text: place for text, place in form_texts().items() if text not in forms}
    shown = help_texts()
    for text, place in {**error_texts(), **shown}.items():
        is_help = text in shown
        fields = {name: "X1" for _, name, _, _ in Formatter().parse(text) if name} if not is_help else {}
        if sentences.find(text if is_help else text.format(**fields)) is None:
            lacks.setdefault(text, place)
    return lacks


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("code")
    parser.add_argument("--all", action="store_true")
    asked = parser.parse_args()
    texts = {**help_texts(), **error_texts(), **form_texts()} if asked.all else missing(asked.code)
    place = ""
    for text, where in sorted(texts.items(), key=lambda item: item[1]):
        if where != place:
            print(f"# {where}")
            place = where
        print(f'{json.dumps(text, ensure_ascii=False)} = ""')


if __name__ == "__main__":
    main()
