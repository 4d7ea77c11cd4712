"""Flags that several commands share, spelt once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from advisor.cli.language import of_locale
from advisor.errors import UserError
from advisor.paths import with_user_rules

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

STACK_HELP = (
    "The program that trains: a family (torch, transformers, megatron, jax, …) or one by name "
    "(nemo, megatron-lm, torchtitan, hf-trainer, maxtext, …), compared with published runs of it."
)

json_flag: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else there."
)
quiet_flag: Decorator = click.option("--quiet", "-q", is_flag=True, help="No talk and no progress on stderr.")
python_option: Decorator = click.option(
    "--python",
    metavar="PATH",
    help="Look at, and measure with, the frameworks of this Python (your CUDA, ROCm or CANN environment).",
)


def _with_own(
    _context: click.Context, _option: click.Parameter, stated: tuple[Path, ...]
) -> tuple[Path, ...]:
    return with_user_rules(stated)


rules_option: Decorator = click.option(
    "--rules",
    "rules",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,
    metavar="DIR",
    callback=_with_own,
    help="Rules and data of your own, on top of the shipped ones (repeatable).",
)
device_option: Decorator = click.option(
    "--device",
    metavar="NAME",
    help="Measure this device alone: cpu, cuda, cuda:1, xpu, mps, npu. Absent is an error, never a CPU run.",
)


lang_option: Decorator = click.option(
    "--lang",
    default=of_locale,
    show_default="from the locale",
    metavar="CODE",
    help="Language of the terminal and of reports: en or zh.",
)

redact_option: Decorator = click.option(
    "--redact",
    is_flag=True,
    help="Take host name, user, serial numbers, UUIDs, addresses and paths out of all that is written.",
)


def formats_option(default: str = "html,pdf") -> Decorator:
    """--format html,pdf as a tuple of known names."""
    return click.option(
        "--format",
        "formats",
        default=default,
        show_default=True,
        callback=_formats,
        help="Which reports to write.",
    )


def mode_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--quick and --thorough; neither is the default grid."""
    for flag, text in (
        ("--thorough", "Full grid and sustained figures: minutes."),
        ("--quick", "A reduced grid: about 10 s of measuring."),
    ):
        command = click.option(flag, is_flag=True, help=text)(command)
    return command


def here() -> Path:
    """The current folder. Raises UserError when it has been deleted under our feet."""
    try:
        return Path.cwd()
    except OSError as error:
        raise UserError("the current folder does not exist any more", "cd to another folder.") from error


def folder_for(path: Path, output: Path | None, name: str) -> Path:
    """Where to write what belongs to a file: --output, else beside it, but never over it."""
    from advisor.data.files import make_folder

    if output is None and not path.is_dir() and path.stem == name and path.suffix in (".pdf", ".html"):
        raise UserError(f"{path} would be written over itself", "Give another folder with --output.")
    return make_folder(output or (path if path.is_dir() else path.parent))


def print_json(text: str) -> None:
    """One JSON document on stdout, UTF-8 whatever the locale says, as JSON is."""
    click.echo(text.encode("utf-8"), nl=False)


def mode(quick: bool, thorough: bool) -> str:
    """The calibration mode the flags ask for."""
    if quick and thorough:
        raise click.UsageError("--quick and --thorough exclude each other")
    return "quick" if quick else "thorough" if thorough else "default"


def _formats(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(part.strip().lower() for part in value.split(",") if part.strip()))
    unknown = [name for name in wanted if name not in ("html", "pdf")]
    if unknown or not wanted:
        raise click.BadParameter(f"{', '.join(unknown) or 'nothing'} given; known are html and pdf")
    return wanted


def hub_cache() -> Path:
    """Where the huggingface_hub library keeps what it has downloaded (its own environment variables)."""
    told = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if not told:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        told = (os.environ.get("HF_HOME") or f"{base}/huggingface") + "/hub"
    return Path(os.path.expanduser(told))  # noqa: PTH111 - Path.expanduser raises where there is no home


def count(text: str | None) -> float | None:
    """'20B', '1.5T', '100e6' as a number. Raises click.BadParameter for anything else."""
    if text is None:
        return None
    scale = {"K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}
    body = text.strip().replace(",", "").replace("_", "")
    factor = scale.get(body[-1:].upper(), 0.0)
    try:
        value = float(body[:-1]) * factor if factor else float(body)
    except ValueError:
        value = float("nan")
    if 1e18 <= value < float("inf"):
        raise click.BadParameter(f"{text!r} is too large: counts end at 1e18")
    if not 1 <= value < 1e18:
        raise click.BadParameter(f"{text!r} is not a count; write for example 20B, 1.5T or 100e6")
    return value
