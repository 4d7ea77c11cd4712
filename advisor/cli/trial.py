"""`hwadvisor trial`: train for real, briefly, and set what is measured beside the estimate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.options import (
    here,
    hub_cache,
    json_flag,
    print_json,
    quiet_flag,
    rules_option,
)
from advisor.cli.stop import Stop
from advisor.cli.trace import of_processors, trace_named, trace_options

if TYPE_CHECKING:
    from rich.console import Console

    from advisor.schema import Calibration, Model
    from advisor.trial.result import Figure, Trial
    from advisor.trial.setup import SetUp


@click.command()
@click.option(
    "--model", required=True, metavar="NAME",
    help="A preset, a config.json, an id in the hub's cache, or code: file.py:factory, which is RUN.",
)  # fmt: skip
@click.option(
    "--steps", type=click.IntRange(3, 100_000), default=20, show_default=True, help="Steps to time."
)
@click.option("--method", metavar="NAME", help="pretrain, full or lora.")
@click.option("--precision", metavar="NAME", help="fp32, tf32, bf16_mixed, bf16 or fp16_mixed.")
@click.option("--optimizer", metavar="NAME", help="adamw or sgd.")
@click.option("--seq-len", type=click.IntRange(1), help="Tokens per sequence.")
@click.option("--image-size", type=click.IntRange(1), help="Edge of an image, pixels.")
@click.option(
    "--batch", type=click.IntRange(1), help="Samples per optimizer step (default: the micro-batch)."
)
@click.option("--micro-batch", type=click.IntRange(1), help="Samples per forward pass (default: the batch).")
@click.option("--recompute", metavar="NAME", help="none (default) or full.")
@click.option("--lora-rank", type=click.IntRange(1), help="Rank of the adapters.")
@click.option(
    "--layers",
    type=click.IntRange(1),
    metavar="K",
    help="Train only K and 2K layers, and extrapolate to the whole network.",
)
@click.option(
    "--device", metavar="NAME", help="cpu, cuda, cuda:1, xpu, mps, npu (default: the first torch sees)."
)
@click.option(
    "--deadline",
    type=click.FloatRange(1),
    metavar="S",
    help="Longest wait for one step, and for the network to be built, seconds.",
)
@click.option(
    "--calibration",
    "calibrated",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Estimate with the figures of this advice.json.",
)
@click.option(
    "--save", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.jsonl",
    help="Append the result as a record of evidence.",
)  # fmt: skip
@trace_options
@rules_option
@json_flag
@quiet_flag
def trial(as_json: bool, quiet: bool, **flags: Any) -> None:
    """Train for real on this machine with made-up data; measured beside estimated.

    Step time as median of undisturbed steps with a noise grade, throughput, and peak memory. A trial
    that may not fit in what is free is not begun (exit 1). Ctrl-C keeps what was measured.
    """
    from advisor.app import load_knowledge
    from advisor.cli.screen import console
    from advisor.probe import detect
    from advisor.probe.software import check_python
    from advisor.trial.record import append
    from advisor.trial.setup import Flags, set_up
    from advisor.trial.told import Knows
    from advisor.trial.walk import Options, check, run_trial

    known = load_knowledge(flags["rules"])
    recipe = Flags(**{name: flags[name] for name in Flags.__dataclass_fields__})
    if flags["python"] is not None:
        check_python(flags["python"])
    model, code, document = _network(flags, known.catalogue)
    if code is not None and not isinstance(model, str):
        recipe = replace(recipe, seq_len=_length(flags, model))
    setup = set_up(known.catalogue, model, recipe, code, None if document is None else document["samples"])
    options = Options(flags["steps"], flags["device"], flags["python"], flags["layers"], flags["deadline"])
    check(options, setup)
    calibration = _calibration(flags["calibrated"])
    setup = replace(setup, document=document or _operators(setup, calibration, flags))
    if flags["save"] is not None:
        append(flags["save"], [])  # an unwritable place is found before anything is trained
    machine = detect(python=flags["python"], ask_frameworks=False, workdir=here())
    knows = Knows(known.book, known.catalogue, known.published, calibration)
    talk, stop = console(stderr=True, quiet=quiet), Stop()

    def say(text: str) -> None:
        stop.check()
        talk.print(text, soft_wrap=True)

    done = run_trial(knows, machine, setup, options, say)
    done, records = _recorded(done, saved=flags["save"] is not None)
    if as_json:
        print_json(json.dumps(_document(done, records), ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    else:
        _tell(done, console())
    if flags["save"] is not None:
        append(flags["save"], records)
        talk.print(f"{len(records)} record(s) appended to {flags['save']}.", soft_wrap=True)


def _length(flags: dict[str, Any], model: Model) -> int | None:
    """Tokens of a sequence as they were traced. Raises UserError where others are asked for."""
    from advisor.errors import UserError

    traced, asked = model.numbers.get("native_seq_len"), flags["seq_len"]
    if asked and traced and asked != traced:
        raise UserError(
            f"--seq-len {asked}: the batch of {flags['model']} has {traced:g} tokens",
            "Leave --seq-len away, or give other shapes with --input.",
        )
    return int(traced) if traced else asked


def _recorded(done: Trial, *, saved: bool) -> tuple[Trial, list[dict[str, Any]]]:
    """The records of a trial. Where none can be made of it that is said, and no reason to lose its figures.

    Raises UserError for that where records are to be saved, once the figures have been told.
    """
    from advisor.cli.screen import console
    from advisor.errors import UserError
    from advisor.trial.record import records_of

    try:
        return done, records_of(done)
    except UserError as error:
        if saved:
            _tell(done, console(stderr=True))
            raise
        return replace(done, notes=(*done.notes, f"No record can be made of it: {error.message}.")), []


def _network(
    flags: dict[str, Any], catalogue: Any
) -> tuple[Model | str, dict[str, Any] | None, dict[str, Any] | None]:
    """What --model means, as `scan` reads it, or a trace of code: what it was told, and what it tells."""
    from advisor.app import WorkloadFlags, network_of
    from advisor.trial.trace import is_factory

    name = flags["model"]
    if is_factory(name) or flags["trace"]:
        found, told = trace_named(name, flags)
        return found.model, told, found.document
    return network_of(WorkloadFlags(name, None, hub_cache()), catalogue), None, None


def _operators(setup: SetUp, calibration: Calibration | None, flags: dict[str, Any]) -> Any:
    """The operators of a preset, where a calibration can time them; None where they cannot be had."""
    from advisor.errors import AdvisorError
    from advisor.trial.trace import trace_preset

    if calibration is None or not calibration.find("operators") or setup.recompute != "none":
        return None
    try:
        return trace_preset(setup.workload, flags["python"], own=of_processors(flags))
    except AdvisorError:  # the estimate falls back to rates of whole steps
        return None


def _calibration(path: Path | None) -> Calibration | None:
    from advisor.data.advice import load_advice
    from advisor.errors import DataError

    if path is None:
        return None
    found = load_advice(path).calibration
    if found is None:
        hint = "Write one with `hwadvisor calibrate --output FILE`."
        raise DataError.at(path, "calibration", None, "is missing", hint)
    return found


def _document(done: Trial, records: list[dict[str, Any]]) -> dict[str, Any]:
    """What --json prints."""
    from advisor import __version__

    setup = done.setup
    return {
        "command": "trial",
        "tool": __version__,
        "torch": done.torch,
        "measured_at": done.measured_at,
        "device": {"name": done.place.name, "title": done.place.title, "id": done.place.accelerator_id},
        "workload": setup.workload.model_dump(mode="json"),
        "set_up": {
            "micro_batch": setup.micro_batch,
            "batch": setup.batch,
            "recompute": setup.recompute,
            "layers": setup.layers,
        },
        "grade": done.grade.value,
        "stopped": done.stopped,
        "extrapolated": done.extrapolated,
        "figures": {name: figure.as_json() for name, figure in done.figures.items()},
        "depths": [
            {
                "layers": depth.setup.layers,
                "parameters": depth.parameters,
                "trainable": depth.trainable,
                "memory": dict(depth.memory),
                "groups": dict(depth.groups),
                "step": depth.step.model_dump(mode="json"),
                "undisturbed": {"steps": depth.undisturbed[0], "median_s": depth.undisturbed[1]},
                "loss": [value if abs(value) < float("inf") else None for value in depth.loss],
            }
            for depth in done.depths
        ],
        "records": records,
        "notes": list(done.notes),
    }


_NAMES = {
    "step_s": "Step time",
    "samples_per_s": "Samples",
    "tokens_per_s": "Tokens",
    "allocated_bytes": "Peak, allocated",
    "reserved_bytes": "Peak, reserved",
    "process_bytes": "Peak, process",
}


def _tell(done: Trial, out: Console) -> None:
    from rich.table import Table

    from advisor.cli.language import form, told

    recipe, setup = done.setup.workload.recipe, done.setup
    tokens = f"{recipe.seq_len:g}" if setup.in_tokens and recipe.seq_len else ""
    out.print(
        form(
            "{model} on {device}: {method}, {precision}, {optimizer}, batch {batch} in passes of "
            "{micro}{length}, recompute {recompute}",
            model=setup.workload.model.title,
            device=done.place.title,
            method=told(recipe.method),
            precision=recipe.precision,
            optimizer=recipe.optimizer,
            batch=setup.batch,
            micro=setup.micro_batch,
            recompute=told(setup.recompute),
            length=form(", {count} tokens", count=tokens) if tokens else "",
        ),
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "measured", "10–90 %", "estimated", "80 % range", "error"):
        table.add_column(
            heading,
            justify="left" if not heading else "right",
            no_wrap=heading in ("", "error"),
            overflow="fold",
        )
    for name, figure in done.figures.items():
        if figure.value is not None or figure.high is not None or figure.low is not None:
            table.add_row(_NAMES[name], *_row(figure))
    out.print(table)
    step, depths = done.figures["step_s"], done.depths
    kept = form(" and ").join(
        form("{kept} of {count}", kept=depth.step.kept, count=depth.step.samples) for depth in depths
    )
    out.print(form("Grade {grade}: {kept} steps were undisturbed.", grade=done.grade.value, kept=kept))
    if step.value is None:
        out.print(form("  no figure of the step time: {why}", why=told(step.reason)), soft_wrap=True)
    other = step.estimate
    if other is not None and other.value is None:
        out.print(form("  no estimate of the step time: {why}", why=told(other.reason)), soft_wrap=True)
    if done.stopped:
        out.print("Interrupted: what was measured is kept.")
    for note in done.notes:
        out.print(f"  {note}", soft_wrap=True)


def _row(figure: Figure) -> tuple[str, ...]:
    from advisor.cli.language import show_ranged

    told = figure.estimate
    value, spread = show_ranged(figure.value, figure.low, figure.high, figure.unit)
    value = "no figure" if figure.value is None else value
    if told is None or told.value is None:
        return value, spread, "" if told is None else "unknown", "", ""
    error = "" if figure.error is None else f"{figure.error:+.0%}"
    return (
        value, spread, *show_ranged(told.value, told.low, told.high, figure.unit), error,
    )  # fmt: skip
