"""`hwadvisor scan`: everything, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.estimate import from_file
from advisor.cli.in_hand import check_unit, count_data, data_options, notices, yield_to_the_line
from advisor.cli.options import (
    STACK_HELP,
    count,
    device_option,
    formats_option,
    hub_cache,
    json_flag,
    lang_option,
    mode,
    mode_options,
    print_json,
    python_option,
    quiet_flag,
    redact_option,
    rules_option,
)
from advisor.cli.recipe import DETAILS, details_of, recipe_options
from advisor.cli.stop import Stop

if TYPE_CHECKING:
    from advisor.app_options import WorkloadFlags
    from advisor.calibrate import Event
    from advisor.cli.screen import CalibrationProgress
    from advisor.schema import Advice, Model

_OWN = ("tokens", "method", "precision", "seq_len", "batch", "stack")


@click.command()
@mode_options
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Folder that gets <date>-<host>/ with advice.json, report.html, report.pdf.",
)
@click.option(
    "--recipe",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    is_eager=True,
    callback=from_file,
    help="Add a workload of your own: a recipe of LLaMA-Factory, TRL, axolotl, the Trainer or diffusers.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="Add a workload of your own: a model that `hwadvisor models` lists, the path of a config.json, or "
    "an id in the local Hugging Face cache.",
)
@click.option(
    "--params",
    metavar="N",
    callback=lambda _c, _p, v: count(v),
    help="Instead of --model: a network of which only the number of parameters is known, e.g. 7B.",
)
@click.option(
    "--tokens", metavar="N", callback=lambda _c, _p, v: count(v), help="Tokens or images, e.g. 20B."
)
@data_options
@click.option("--method", metavar="NAME", help="pretrain, full, lora, qlora, dpo or dpo-lora.")
@click.option("--precision", metavar="NAME", help="fp32, bf16_mixed, bf16, fp16_mixed, …")
@click.option("--seq-len", type=click.IntRange(1), help="Tokens per sequence.")
@click.option("--batch", type=click.IntRange(1), help="Sequences or images per optimizer step.")
@click.option("--optimizer", metavar="NAME", help="adamw, adamw_8bit, sgd, adafactor, lion, muon, lamb.")
@recipe_options
@click.option("--stack", metavar="NAME", help=STACK_HELP)
@click.option(
    "--calibrate/--no-calibrate",
    "measure",
    default=None,
    help="Measure here (default: yes, except on a cluster's login node).",
)
@click.option(
    "--reuse",
    is_flag=True,
    help="Use the figures of the newest report in --output that is of this machine, unchanged and under 30 "
    "days old, instead of measuring again.",
)
@python_option
@device_option
@rules_option
@formats_option()
@lang_option
@redact_option
@json_flag
@quiet_flag
def scan(as_json: bool, quiet: bool, quick: bool, thorough: bool, **flags: Any) -> None:
    """Probe and measure this machine, say what it can train and what to get instead, write a report.

    A first verdict comes within a second or two, before anything is measured; Ctrl-C during the
    measuring keeps what is done and writes the report from it.
    """
    from advisor.app import ScanOptions, WorkloadFlags
    from advisor.app import scan as run
    from advisor.cli.screen import CalibrationProgress, console
    from advisor.cli.tell import tell_bottlenecks, tell_calibration, tell_rendered, tell_verdict

    context = click.get_current_context()
    del flags["recipe"]
    yield_to_the_line(context, flags)
    counted, said = count_data(context, flags)
    own = {name: flags.pop(name) for name in _OWN}
    details = details_of(flags, "optimizer", "counted_rows")
    for name in (*DETAILS, "optimizer", "counted_rows"):
        del flags[name]
    model, params = flags.pop("model"), flags.pop("params")
    if model is not None and params is not None:
        raise click.UsageError("--model and --params exclude each other")
    named = model is not None or params is not None
    if not named and (details or any(value is not None for value in own.values())):
        raise click.UsageError(
            "--tokens, --method, --precision, --seq-len, --batch, --stack and other details need --model or "
            "--params"
        )
    workload = WorkloadFlags(model, params, hub_cache(), details=details, **own) if named else None
    options = ScanOptions(mode=mode(quick, thorough), workload=workload, **flags)
    if workload is not None and counted is not None:
        check_unit(counted, _network(workload, options.rules))
    stop = Stop()
    out = console(stderr=as_json, quiet=quiet)
    for notice in (*notices(context), *said):
        out.print(notice.message, markup=False)
    with CalibrationProgress(quiet=quiet) as progress:
        result = run(options, _Screen(out, progress, stop))
    advice = result.advice
    if advice.calibration is not None and advice.calibration.measurements:
        tell_calibration(advice.calibration, out)
        out.print()
        tell_verdict(advice, out, measured=True)
    tell_bottlenecks(advice, out)
    out.print()
    if as_json:
        from advisor.data.advice import dump_advice

        print_json(dump_advice(advice))
    paths = console(stderr=as_json)
    paths.print(str(result.folder / "advice.json"), soft_wrap=True)
    tell_rendered(result.rendered, paths, console(stderr=True), asked=options.formats, fatal=False)


def _network(flags: WorkloadFlags, rules: tuple[Path, ...]) -> Model:
    """The network that flags name."""
    from advisor.app import load_knowledge, network_of
    from advisor.data.catalogue import find_model

    catalogue = load_knowledge(rules).catalogue
    found = network_of(flags, catalogue)
    return find_model(catalogue, found) if isinstance(found, str) else found


class _Screen:
    """What the terminal shows while `scan` runs."""

    def __init__(self, out: Any, progress: CalibrationProgress, stop: Stop) -> None:
        self._out = out
        self._progress = progress
        self._stop = stop
        self._told: dict[str, str] | None = None

    def verdict(self, advice: Advice) -> None:
        """The first verdict in full; later ones as a line of what the new figures changed."""
        from advisor.cli.tell import tell_verdict, times_here
        from advisor.cli.tell_machine import tell_machine

        before, self._told = self._told, times_here(advice)
        if before is not None:
            new = [f"{name} {text}" for name, text in self._told.items() if before.get(name) != text]
            if new:
                self._progress.say("  refined: " + "; ".join(new))
            return
        if advice.machine is not None:
            tell_machine(advice.machine, self._out)
            self._out.print()
        tell_verdict(advice, self._out, measured=False)
        self._out.print()

    def event(self, event: Event) -> None:
        self._stop.check()
        self._progress.event(event)

    def say(self, text: str) -> None:
        self._progress.say(text)
