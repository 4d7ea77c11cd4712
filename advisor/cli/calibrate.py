"""`hwadvisor calibrate`: measure this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from advisor.cli.options import (
    device_option,
    here,
    json_flag,
    mode,
    mode_options,
    print_json,
    python_option,
    quiet_flag,
)
from advisor.cli.stop import Stop
from advisor.errors import UserError

if TYPE_CHECKING:
    from advisor.calibrate import Event
    from advisor.cli.screen import CalibrationProgress


@click.command()
@mode_options
@python_option
@device_option
@click.option("--only", multiple=True, metavar="BENCH", help="Only this bench, e.g. matmul (repeatable).")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the result as advice.json, after every figure.",
)
@json_flag
@quiet_flag
def calibrate(
    quick: bool,
    thorough: bool,
    python: str | None,
    device: str | None,
    only: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure arithmetic, memory, disk and small training steps; each figure with range and grade.

    Grade C means that something else was running: then there is a range and no figure.
    """
    from advisor.app import advice_of_machine, measure
    from advisor.calibrate import CalibrateOptions
    from advisor.calibrate.options import check_options
    from advisor.cli.screen import CalibrationProgress, console
    from advisor.cli.tell import tell_calibration
    from advisor.data.advice import Keeper, dump_advice, save_advice
    from advisor.probe import detect
    from advisor.probe.software import check_python

    options = CalibrateOptions(
        mode=mode(quick, thorough), python=python, device=device, workdir=here(), only=only
    )
    if python is not None:
        check_python(python)
    check_options(options)
    advice = advice_of_machine(detect(python=python, workdir=here()), command="calibrate")
    stop = Stop()
    if output is not None:
        save_advice(advice, output)  # an unwritable place is found before anything is measured
    with CalibrationProgress(quiet=quiet) as progress:
        keeper = None if output is None else Keeper(output, progress.say)
        for snapshot in measure(advice, options, _Listener(progress, stop)):
            advice = snapshot
            if keeper is not None:
                keeper.snapshot(snapshot)
    if as_json:
        print_json(dump_advice(advice))
    elif advice.calibration is not None:
        tell_calibration(advice.calibration, console())
    if keeper is not None:
        keeper.finish(advice)  # after the figures stand in the terminal: a full disk must not cost them
    done = advice.calibration
    if done is None or not (done.measurements or done.failures):
        raise UserError(
            "nothing was measured" + (f": {', '.join(only)} has no part in this run" if only else ""),
            "Leave --quick or --only away; copies to a device need an accelerator.",
        )


class _Listener:
    """Shows progress, and acts on a wish to stop that Python dropped."""

    def __init__(self, progress: CalibrationProgress, stop: Stop) -> None:
        self._progress, self._stop = progress, stop

    def event(self, event: Event) -> None:
        self._stop.check()
        self._progress.event(event)

    def say(self, text: str) -> None:
        self._progress.say(text)
