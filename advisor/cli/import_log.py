"""`hwadvisor import`: a trainer's own log as a record of evidence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from advisor.cli.language import told
from advisor.cli.options import hub_cache, print_json, rules_option


@click.command("import")
@click.argument("log", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--model", metavar="NAME", help="A preset, a config.json, or an id in the hub's cache.")
@click.option("--accelerator", metavar="NAME", help="What it ran on, e.g. 'H100-SXM5-80GB'.")
@click.option("--num-accelerators", type=click.IntRange(1), metavar="N", help="How many of them.")
@click.option("--batch", "global_batch", type=click.IntRange(1), help="Samples of a step over all devices.")
@click.option("--micro-batch", type=click.IntRange(1), help="Samples per device and pass.")
@click.option("--seq-len", type=click.IntRange(1), help="Tokens per sequence.")
@click.option("--image-size", type=click.IntRange(1), help="Edge of an image, pixels.")
@click.option("--precision", metavar="NAME", help="bf16, fp16, fp32, tf32, fp8, …")
@click.option("--method", metavar="NAME", help="full (default), lora or qlora.")
@click.option("--optimizer", metavar="NAME", help="adamw, sgd, …")
@click.option("--sharding", metavar="NAME", help="none, zero1, zero2, fsdp or hsdp.")
@click.option(
    "--recompute", type=click.Choice(["none", "selective", "full"]), help="Activation checkpointing."
)
@click.option("--tp", type=click.IntRange(1), help="Tensor-parallel degree.")
@click.option("--pp", type=click.IntRange(1), help="Pipeline-parallel degree.")
@click.option("--date", "source_date", metavar="YYYY-MM", help="When it ran (default: now).")
@click.option(
    "--save", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.jsonl",
    help="Append the record to this file instead of printing it.",
)  # fmt: skip
@rules_option
def import_log(log: Path, model: str | None, save: Path | None, rules: tuple[Path, ...], **said: Any) -> None:
    """Turn a trainer's own LOG into a record that `validate` reads.

    Knows trainer_state.json of Hugging Face's Trainer, metrics.csv of Lightning, and the text logs of
    Megatron-LM, torchtitan, nanoGPT and llm.c. What the log does not say is asked for by flag; a flag
    wins over the log.
    """
    from advisor.app import WorkloadFlags, load_knowledge, network_of
    from advisor.errors import UserError
    from advisor.trial.from_log import Said, record_of_log
    from advisor.trial.record import append

    date = said["source_date"]
    if date is not None and not _is_month(date):
        raise UserError(f"--date {date}: is no month", "Write it as 2026-05.")
    catalogue = load_knowledge(rules).catalogue
    network = None if model is None else network_of(WorkloadFlags(model, None, hub_cache()), catalogue)
    record = record_of_log(log, Said(network, said), catalogue)
    if save is None:
        print_json(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
        return
    append(save, [record])
    click.echo(told(f"1 record appended to {save}."), err=True)


def _is_month(text: str) -> bool:
    year, _, month = text.partition("-")
    return year.isdigit() and month.isdigit() and len(year) == 4 and 1 <= int(month) <= 12 and len(month) == 2


setattr(sys.modules[__name__], "import", import_log)  # the command's name is a word of Python's own
