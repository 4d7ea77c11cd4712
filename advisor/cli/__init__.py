"""The command line: the only room that prints, exits and reads the environment.

Commands live in one file each and are imported when called, so that `--help` answers at once.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from importlib import import_module
from typing import Any

import click

from advisor import __version__
from advisor.cli.help import Context, known_language, localised
from advisor.cli.language import asked, speak
from advisor.errors import did_you_mean

COMMANDS: dict[str, tuple[str, str]] = {
    "scan": ("advisor.cli.scan", "Everything: probe, calibrate, what this machine can train, a report."),
    "probe": ("advisor.cli.probe", "What this machine is: CPU, memory, accelerators, links, frameworks."),
    "calibrate": ("advisor.cli.calibrate", "Measure this machine: arithmetic, memory, disk, training steps."),
    "estimate": ("advisor.cli.estimate", "Time, memory and cost of one workload on one set-up."),
    "plan": ("advisor.cli.plan", "What to get for a job: accelerators, how many, at what time and cost."),
    "trial": ("advisor.cli.trial", "Train briefly for real: measured step time and memory beside estimated."),
    "import": ("advisor.cli.import_log", "Turn a trainer's own log into a record that `validate` reads."),
    "request": ("advisor.cli.request", "A job to ask a cluster for: Slurm, Kubernetes or SkyPilot, and why."),
    "verify": ("advisor.cli.verify", "Is a report whole, and does it say what its own data says?"),
    "compare": ("advisor.cli.compare", "Two machines, or one at two dates, side by side."),
    "report": ("advisor.cli.report", "Render advice.json again as HTML and PDF, with no probing."),
    "why": ("advisor.cli.why", "Why training wants a GPU, told with this machine's own figures."),
    "explain": ("advisor.cli.explain", "Where a figure in advice.json comes from, rule by rule."),
    "models": ("advisor.cli.catalogue", "The models that --model knows."),
    "hardware": ("advisor.cli.hardware", "The accelerators, systems and offers in the catalogue."),
    "validate": ("advisor.cli.validate", "How right the rules are: published runs predicted and compared."),
    "rules": ("advisor.cli.rules", "List, show and check the rules behind the estimates."),
    "doctor": ("advisor.cli.doctor", "Check what hwadvisor needs on this system, and say what to install."),
}


class _Commands(click.Group):
    """Shows every command without importing it."""

    context_class = Context

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        """The language is found before anything is parsed: help and errors speak it too."""
        speak(asked(args))
        return super().make_context(info_name, args, *rest, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - our own table, checked by a test
        return localised(command)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            hint = did_you_mean(args[0], COMMANDS) or "See `hwadvisor --help`."
            raise click.UsageError(f"no command '{args[0]}'. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--lang", metavar="CODE", expose_value=False, callback=known_language,
    help="Language of the terminal: en or zh.",
)  # fmt: skip
@click.version_option(__version__, "-V", "--version", prog_name="hwadvisor")
def cli() -> None:
    """What hardware does a training job need? Measured on this machine, with ranges and sources.

    \b
    hwadvisor scan            probe, calibrate (about 40 s) and write a report to reports/
    hwadvisor scan --quick    the same in about 10 s of measuring
    hwadvisor probe --json    what this machine is, as JSON

    Exit codes: 0 done, 1 nothing fits the limits, 2 a flag, file or library is wrong, 3 a bug in
    hwadvisor (with a file to send), 4 could not be checked (verify).
    """


def main() -> None:
    """Entry point: run a command; every way to fail ends in one line, a hint and an exit code."""
    from advisor.cli.failures import run_guarded

    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this: what is said goes nowhere
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - until the end
    atexit.register(gc.freeze)  # looking for garbage once more on the way out takes a tenth of the time
    sys.exit(run_guarded(cli))
