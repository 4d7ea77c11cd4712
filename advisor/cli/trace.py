"""Flags for a network that is traced: code of the user's own, or a config.json lowered by its library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]
NAMES = ("trace", "inputs", "python", "trace_deadline")

_OPTIONS: tuple[Callable[[Command], Command], ...] = (
    click.option(
        "--trace",
        is_flag=True,
        help="Lower a config.json by transformers or diffusers, operator by operator, instead of reading it.",
    ),
    click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="[NAME=]SHAPE",
        help="Of a traced network, e.g. 8x3x224x224 or ids=Bx512:int64 (repeatable); B or the first number "
        "is the batch. Default: the factory's example.",
    ),
    click.option("--python", metavar="PATH", help="The Python that traces (has torch and what you import)."),
    click.option(
        "--trace-deadline", type=click.FloatRange(1), default=120.0, show_default=True, metavar="S",
        help="Longest wait for a trace.",
    ),
)  # fmt: skip


def trace_options(command: Command) -> Command:
    """The flags above, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def traced(flags: dict[str, Any], recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe with the network itself in place of its name, where that is traced.

    A trace is of one number format, method and length, so these stand in the recipe then. Raises UserError
    for a network that cannot be traced.
    """
    from advisor.trial.trace import is_factory

    name = recipe["model"]
    if not (is_factory(name) or (flags["trace"] and name)):
        _check_unused(flags)
        return recipe
    from advisor.cli.options import here, hub_cache
    from advisor.cli.screen import console
    from advisor.errors import UserError
    from advisor.model import find_config
    from advisor.probe.software import check_python
    from advisor.trial.trace import METHOD, PRECISION, SEQ_LEN, TraceFlags, trace_network

    if not is_factory(name):
        config = find_config(name, hub_cache())
        if config is None:
            raise UserError(
                f"--trace: {name} is neither a config.json nor code",
                "Give the path of a config.json, an id in the hub's cache, or file.py:factory.",
            )
        name = str(config)
    if flags["python"] is not None:
        check_python(flags["python"])
    own = TraceFlags(
        inputs=flags["inputs"],
        python=flags["python"],
        deadline_s=flags["trace_deadline"],
        precision=recipe["precision"] or PRECISION,
        method=_trained(recipe["method"]) or METHOD,
        optimizer=flags.get("optimizer") or "adamw",
        lora_rank=flags.get("lora_rank") or 16,
        seq_len=recipe["seq_len"] or SEQ_LEN,
        image_size=flags.get("image_size") or 0,
        folder=here(),
    )
    talk = console(stderr=True)
    found = trace_network(name, own)
    if recipe["seq_len"] and found.seq_len and recipe["seq_len"] != found.seq_len:
        raise UserError(
            f"--seq-len {recipe['seq_len']}: the batch of {name} has {found.seq_len} tokens",
            "Leave --seq-len away, or give other shapes with --input.",
        )
    for note in (found.model.source[:1].upper() + found.model.source[1:] + ".", *found.notes):
        talk.print(note, soft_wrap=True, markup=False, highlight=False)
    return {
        **recipe,
        "model": found.model,
        "precision": own.precision,
        "method": recipe["method"] or METHOD,
        "seq_len": found.seq_len,
    }


def _trained(method: str | None) -> str | None:
    """The method as the trace needs it: preference tuning trains as full or with adapters."""
    plain = (method or "").lower().replace("-", "_").removeprefix("dpo_")
    return {"": None, "dpo": "full", "pretrain": "full"}.get(plain, plain)


def _check_unused(flags: dict[str, Any]) -> None:
    from advisor.errors import UserError

    for name in ("inputs", "python"):
        if flags[name]:
            flag = "--input" if name == "inputs" else "--python"
            raise UserError(
                f"{flag} goes with a network that is traced",
                "Name code with --model file.py:factory, or give --trace with a config.json.",
            )
