"""Plain text for a terminal, without a library: what strangers named made harmless, long lines folded."""

from __future__ import annotations

import shutil
import textwrap

import click

WIDTH_WITHOUT_TERMINAL = 110
_LEAST, _MOST = 50, 120


def plain(text: str) -> str:
    """The text with every character that is not printable, except line ends and tabs, made visible."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def text_width() -> int:
    """Columns to fold text to: the terminal's (or COLUMNS), within what reads well."""
    wide = shutil.get_terminal_size((WIDTH_WITHOUT_TERMINAL, 24)).columns
    return max(_LEAST, min(wide, _MOST))


def say(line: str = "") -> None:
    """One line of whatever length; the file may be a stranger's, so nothing but text gets through."""
    click.echo(plain(line))


def paragraph(text: str, first: str = "", rest: str | None = None) -> None:
    """A text in the width there is; further lines start with `rest`, by default under its first word."""
    further = " " * len(first) if rest is None else rest
    say(
        textwrap.fill(
            plain(text), text_width(), initial_indent=first, subsequent_indent=further,
            break_on_hyphens=False, break_long_words=False,
        )
    )  # fmt: skip
