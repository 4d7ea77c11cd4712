"""Help pages in the language in use: click's own layout, with every text told as it is written."""

from __future__ import annotations

from collections.abc import Iterable

import click

from advisor.cli.language import ENGLISH, glued, spoken, told
from advisor.cli.text import cells, folded, left

_GAP = 2
_WIDEST_NAME = 30


class Formatter(click.HelpFormatter):
    """click's formatter where text is English; else one that translates and knows wide characters."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The line of usage; its words are names, only its title is told."""
        if spoken() == ENGLISH:
            super().write_usage(prog, args, prefix)
        else:
            self.write(folded(f"{prog} {args}", self.width, glued("Usage:"), " " * 6) + "\n")

    def write_heading(self, heading: str) -> None:
        """A heading such as "Options"."""
        super().write_heading(told(heading))

    def write_text(self, text: str) -> None:
        """Paragraphs; one that begins with \\b keeps its lines."""
        if spoken() == ENGLISH:
            super().write_text(text)
            return
        indent = " " * self.current_indent
        told_ones = []
        for part in text.split("\n\n"):
            if part.lstrip(" ").startswith("\b"):
                lines = [line.strip() for line in part.replace("\b", "").splitlines() if line.strip()]
                told_ones.append("\n".join(indent + told(line) for line in lines))
            else:
                told_ones.append(folded(told(" ".join(part.split())), self.width, indent, indent))
        self.write("\n\n".join(told_ones) + "\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Names with their meaning."""
        rows = list(rows)
        if spoken() == ENGLISH:
            super().write_dl(rows, col_max, col_spacing)
            return
        wide = min(max(cells(name) for name, _ in rows), _WIDEST_NAME) + _GAP
        indent = " " * self.current_indent
        for name, text in rows:
            body = _meaning(" ".join(text.split()))
            start, further = indent + left(name, wide), indent + " " * wide
            if cells(name) + _GAP > wide:
                self.write(f"{indent}{name}\n")
                start = further
            self.write(folded(body, self.width, start, further).rstrip() + "\n")


def _meaning(text: str) -> str:
    """An option's text and what click adds to it: "…  [default: 4; required]"."""
    body, bracket, more = text.rpartition("[")
    if not bracket or not more.endswith("]"):
        return told(text)
    parts = "；".join(told(part.strip()) for part in more[:-1].split(";"))
    return f"{told(body.rstrip())} [{parts}]" if body.strip() else f"[{parts}]"


class Context(click.Context):
    """A context whose help pages are written by our formatter."""

    formatter_class = Formatter


def localised(command: click.Command) -> click.Command:
    """The command, whose help speaks the language in use and which takes --lang."""
    command.context_class = Context
    if not any(parameter.name == "lang" for parameter in command.params):
        command.params.append(
            click.Option(
                ["--lang"], metavar="CODE", expose_value=False, callback=known_language,
                help="Language of the terminal: en or zh.",
            )
        )  # fmt: skip
    for below in getattr(command, "commands", {}).values():
        localised(below)
    return command


def known_language(context: click.Context, _parameter: click.Parameter, code: str | None) -> None:
    """Refuse a language that there is not. What is spoken was found before anything was parsed.

    Given before the command it holds for the command too: what it writes is in that language.
    """
    if code is None:
        return
    if code != ENGLISH:
        from advisor.render.texts import terminal_texts

        terminal_texts(code)
    if isinstance(context.command, click.Group):
        names = context.command.list_commands(context)
        context.default_map = {name: {"lang": code} for name in names}
