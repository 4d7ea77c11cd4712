"""`hwadvisor import`: a trainer's own log as a record of evidence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.language import told
from advisor.cli.options import hub_cache, print_json, rules_option
from advisor.cli.trace import trace_options, traced

if TYPE_CHECKING:
    from advisor.schema import Model

_TRACED = ("precision", "method", "optimizer", "lora_rank", "seq_len", "image_size")


@click.command("import")
@click.argument("log", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--model", metavar="NAME", help="A preset, a config.json, an id in the hub's cache, file.py:factory."
)
@click.option("--accelerator", metavar="NAME", help="What it ran on, e.g. 'H100-SXM5-80GB'.")
@click.option("--num-accelerators", type=click.IntRange(1), metavar="N", help="How many of them.")
@click.option("--batch", "global_batch", type=click.IntRange(1), help="Samples of a step over all devices.")
@click.option("--micro-batch", type=click.IntRange(1), help="Samples per device and pass.")
@click.option("--seq-len", type=click.IntRange(1), help="Tokens per sequence.")
@click.option("--image-size", type=click.IntRange(1), help="Edge of an image, pixels.")
@click.option(
    "--precision",
    metavar="NAME",
    help="As in estimate: bf16_mixed (autocast, or fp32 master weights), bf16 (weights too), fp32, …",
)
@click.option("--method", metavar="NAME", help="full (default), lora or qlora.")
@click.option("--optimizer", metavar="NAME", help="adamw, sgd, …")
@click.option("--sharding", metavar="NAME", help="none, zero1, zero2, fsdp (ZeRO-3 too) or hsdp.")
@click.option(
    "--recompute", type=click.Choice(["none", "selective", "full"]), help="Activation checkpointing."
)
@click.option("--compile/--no-compile", "compile", default=None, help="A compiled step, or eager.")
@click.option(
    "--offload", type=click.Choice(["none", "optimizer", "params"]), help="What lay in the host's memory."
)
@click.option("--accumulate", type=click.IntRange(1), help="Passes of a step on each replica.")
@click.option("--lora-rank", type=click.IntRange(1), help="Rank of the adapters.")
@click.option("--tp", type=click.IntRange(1), help="Tensor-parallel degree.")
@click.option("--pp", type=click.IntRange(1), help="Pipeline-parallel degree.")
@click.option("--cp", type=click.IntRange(1), help="Context-parallel degree.")
@click.option("--ep", type=click.IntRange(1), help="Expert-parallel degree.")
@click.option("--date", "source_date", metavar="YYYY-MM", help="When it ran (default: now).")
@click.option(
    "--save", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.jsonl",
    help="Append the record to this file instead of printing it.",
)  # fmt: skip
@trace_options
@rules_option
def import_log(log: Path, model: str | None, save: Path | None, rules: tuple[Path, ...], **said: Any) -> None:
    """Turn a trainer's own LOG into a record that `validate` reads.

    Knows trainer_state.json of Hugging Face's Trainer, metrics.csv of Lightning, and the text logs of
    Megatron-LM, torchtitan, nanoGPT and llm.c. What the log does not say is asked for by flag; a flag
    wins over the log.
    """
    from advisor.app import WorkloadFlags, load_knowledge, network_of
    from advisor.errors import UserError
    from advisor.trial.from_log import Said, record_of_log, untold
    from advisor.trial.record import append

    date = said["source_date"]
    if date is not None and not _is_month(date):
        raise UserError(f"--date {date}: is no month", "Write it as 2026-05.")
    catalogue = load_knowledge(rules).catalogue
    own = {name: said.pop(name) for name in ("trace", "inputs", "python", "trace_deadline")}
    flags, _ = traced({**own, "device": "cuda"}, {"model": model, **{name: said[name] for name in _TRACED}})
    network: Model | str | None = flags["model"]
    if network is not model:  # code, or a config.json lowered by its library: its trace says how long
        said["seq_len"] = flags["seq_len"]
    elif model is not None:
        network = network_of(WorkloadFlags(model, None, hub_cache()), catalogue)
    record = record_of_log(log, Said(network, said), catalogue)
    for note in untold(record):
        click.echo(told(note), err=True)
    if save is None:
        print_json(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
        return
    append(save, [record])
    click.echo(told(f"1 record appended to {save}."), err=True)


def _is_month(text: str) -> bool:
    year, _, month = text.partition("-")
    return year.isdigit() and month.isdigit() and len(year) == 4 and 1 <= int(month) <= 12 and len(month) == 2


setattr(sys.modules[__name__], "import", import_log)  # the command's name is a word of Python's own
