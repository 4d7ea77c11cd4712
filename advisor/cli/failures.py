"""From exceptions to exit codes: one line and a hint for users, a file to send for bugs."""

from __future__ import annotations

import errno
import io
import os
import sys
import tempfile
import traceback
from pathlib import Path

import click

from advisor import __version__
from advisor.cli.language import glued, told_error
from advisor.errors import EXIT_DONE, EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_USER, AdvisorError, did_you_mean


def run_guarded(command: click.Command) -> int:
    """Run a click command and return its exit code; nothing ends in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a Latin-1 or ASCII terminal shows \\u… and does not crash
            stream.reconfigure(errors="backslashreplace")
    try:
        result = command.main(standalone_mode=False)
    except AdvisorError as error:
        return _tell(error.message, error.hint, error.exit_code)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message())
        return EXIT_DONE
    except click.UsageError as error:
        return _tell(*_usage(error), EXIT_USER)
    except click.ClickException as error:
        return _tell(error.format_message(), "", EXIT_USER)
    except (click.Abort, KeyboardInterrupt):
        return _tell("interrupted", "", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader (head, less) went away: not our failure, and Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            return _bug(error)
        return _tell("cannot write the output: no space left on the disk", "Free some space.", EXIT_USER)
    except Exception as error:
        return _bug(error)
    return result if isinstance(result, int) else EXIT_DONE


def _usage(error: click.UsageError) -> tuple[str, str]:
    """Message and hint. A mistyped option is told in our own words: those of click differ between its
    versions, and stand in no order of likeness."""
    help_of = f"See `{error.ctx.command_path} --help`." if error.ctx else ""
    if not isinstance(error, click.NoSuchOption):
        return error.format_message(), help_of
    near = did_you_mean(error.option_name, error.possibilities or ())
    return f"no such option '{error.option_name}'", " ".join(part for part in (near, help_of) if part)


def _tell(message: str, hint: str, code: int) -> int:
    line = told_error(" ".join(message.split()))
    click.echo(f"hwadvisor: {line}", err=True)
    if hint:
        click.echo(f"  {glued('hint:')}{told_error(' '.join(hint.split()))}", err=True)
    return code


def _bug(error: Exception) -> int:
    """Write what a developer needs into a file and say where it is."""
    text = "".join(
        [
            f"hwadvisor {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n",
            f"command: {' '.join(sys.argv)}\n\n",
            *traceback.format_exception(error),
        ]
    )
    try:
        handle, name = tempfile.mkstemp(prefix="hwadvisor-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        where = f"details are in {Path(name)}"
    except OSError as unwritable:
        where = f"details could not be written ({unwritable.strerror})"
    return _tell(
        f"internal error: {type(error).__name__}: {error}",
        f"This is a bug in hwadvisor; please send the file: {where}",
        EXIT_INTERNAL,
    )
