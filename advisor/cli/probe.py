"""`hwadvisor probe`: what this machine is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from advisor.cli.options import here, json_flag, print_json, python_option, quiet_flag


@click.command()
@json_flag
@quiet_flag
@python_option
@click.option(
    "--frameworks/--no-frameworks",
    "ask_frameworks",
    default=None,
    help="Import the frameworks in a child process and ask what they see (default: when a device is found).",
)
@click.option(
    "--save-raw",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also keep the raw answers, for a bug report or a test.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Read raw answers from a file instead of asking this machine.",
)
def probe(
    as_json: bool,
    quiet: bool,
    python: str | None,
    ask_frameworks: bool | None,
    save_raw: Path | None,
    replay: Path | None,
) -> None:
    """What this machine is: each fact with its status and source; nothing is set or changed."""
    from advisor.probe import detect

    if python is not None:
        from advisor.probe.software import check_python

        check_python(python)
    kept: list[dict[str, Any]] = []
    machine = detect(
        python=python,
        ask_frameworks=ask_frameworks,
        workdir=here(),
        replay=_load_raw(replay) if replay else None,
        keep_raw=kept.append if save_raw else None,
    )
    if save_raw:
        from advisor.data.files import write_atomic

        write_atomic(save_raw, json.dumps(kept[-1], indent=1, ensure_ascii=False) + "\n", "--save-raw")
    if as_json:
        from advisor.app import advice_of_machine
        from advisor.data.advice import dump_advice

        print_json(dump_advice(advice_of_machine(machine)))
        return
    from advisor.cli.screen import console
    from advisor.cli.tell_machine import tell_machine

    tell_machine(machine, console(quiet=quiet))


def _load_raw(path: Path) -> dict[str, Any]:
    from advisor.data.files import read_text
    from advisor.errors import DataError

    try:
        raw = json.loads(read_text(path))
    except ValueError as error:
        raise DataError.at(path, "", None, f"is not JSON ({error})", "Write it with --save-raw.") from error
    if not isinstance(raw, dict):
        raise DataError.at(path, "", None, "holds no raw answers", "Write it with --save-raw.")
    return raw
