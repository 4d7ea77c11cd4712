"""Flags for a network that is traced: code of the user's own, or a config.json lowered by its library."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from advisor.units import show

if TYPE_CHECKING:
    from advisor.schema import Model
    from advisor.trial.trace import Traced, TraceFlags

Command = Callable[..., Any]
_FIGURES = ("Count", "FLOPs", "Moved", "Saved")
_UNITS = {"flops": "FLOP", "bytes": "B", "saved": "B"}
_PHASES = ("forward", "backward", "optimizer")
_SHORTEST = 16  # tokens of a sequence of which another length is traced too
_LONGEST_S = 10.0  # of a trace, if others of its kind are to follow: they take up to eight times as long
_SHOWN = 40  # rows of the table, those with most work first

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


def traced(flags: dict[str, Any], recipe: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The recipe with the network itself in place of its name, where that is traced; the trace's document.

    A trace is of one number format, method and length, so these stand in the recipe then. Raises UserError
    for a network that cannot be traced.
    """
    name = recipe["model"]
    if not flags["trace"] and ":" not in (name or ""):  # no code has a name like that: nothing more is loaded
        _check_unused(flags)
        return recipe, None
    from advisor.errors import UserError
    from advisor.trial.trace import METHOD, PRECISION, is_factory

    if not (is_factory(name) or (flags["trace"] and name)):
        _check_unused(flags)
        return recipe, None
    precision = recipe["precision"] or PRECISION
    found, _ = trace_named(name, {**flags, **recipe, "precision": precision})
    if recipe["seq_len"] and found.seq_len and recipe["seq_len"] != found.seq_len:
        raise UserError(
            f"--seq-len {recipe['seq_len']}: the batch of {name} has {found.seq_len} tokens",
            "Leave --seq-len away, or give other shapes with --input.",
        )
    told = {
        **recipe,
        "model": found.model,
        "precision": precision,
        "method": recipe["method"] or METHOD,
        "seq_len": found.seq_len,
    }
    return told, found.document


def other_lengths(name: str, flags: dict[str, Any], document: dict[str, Any] | None) -> tuple[Model, ...]:
    """A traced network at three lengths, shortest first, of which its own is the last where it takes none
    above; () where it has no length, or takes none but its own."""
    from advisor.errors import AdvisorError
    from advisor.model.traced import model_of_trace
    from advisor.trial.trace import at_length, trace_network

    if document is None:
        return ()
    own = model_of_trace(name, document)
    length = int(own.numbers.get("native_seq_len") or 0)
    if length < _SHORTEST or float(document["seconds"]) > _LONGEST_S:
        return ()
    name, asked = _asked(name, flags)

    def at(tokens: int) -> Model | None:
        try:
            return trace_network(name, at_length(asked, document["inputs"], length, tokens)).model
        except AdvisorError:
            return None

    # what the weights hold as many of as there are tokens (positions) is not there for longer ones
    bound = length in document["sizes"]
    found: list[Model] = []
    for tokens in (length // 4, length // 2) if bound else (2 * length, 4 * length, 8 * length):
        one = at(tokens)
        if one is None:
            return ()
        found.append(one)
    return (*found, own) if bound else tuple(found)


def trace_named(name: str, flags: dict[str, Any]) -> tuple[Traced, dict[str, Any]]:
    """Trace what `name` means, and say on stderr what was traced; beside it what the child was told."""
    from advisor.cli.screen import console
    from advisor.trial.trace import spec_of, trace_network

    name, own = _asked(name, flags)
    talk = console(stderr=True)
    found = trace_network(name, own)
    for note in (found.model.source[:1].upper() + found.model.source[1:] + ".", *found.notes):
        talk.print(note, soft_wrap=True, markup=False, highlight=False)
    return found, spec_of(name, own)


def _asked(name: str, flags: dict[str, Any]) -> tuple[str, TraceFlags]:
    """What to trace, and how. Raises UserError for a name that is neither code nor a config.json."""
    from advisor.cli.options import here, hub_cache
    from advisor.errors import UserError
    from advisor.model import find_config
    from advisor.probe.software import check_python
    from advisor.trial.trace import (
        METHOD,
        PRECISION,
        SEQ_LEN,
        TraceFlags,
        is_factory,
    )

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
        precision=flags["precision"] or PRECISION,
        method=_trained(flags.get("method")) or METHOD,
        optimizer=flags.get("optimizer") or "adamw",
        lora_rank=flags.get("lora_rank") or 16,
        seq_len=flags["seq_len"] or SEQ_LEN,
        image_size=flags.get("image_size") or 0,
        own=of_processors(flags),
        folder=here(),
    )
    return name, own


def of_processors(flags: dict[str, Any]) -> bool:
    """Whether the network is to be trained on the processors here: a trace has their kernels then."""
    if flags.get("hardware") is not None:
        return False
    if flags.get("device") is not None:
        return bool(flags["device"] == "cpu")
    path = flags.get("calibration") or flags.get("calibrated")
    if path is None:
        return False
    from advisor.data.advice import load_advice

    calibration = load_advice(path).calibration
    return calibration is not None and {m.device for m in calibration.find("operators")} == {"cpu"}


def tell_trace(name: str, flags: dict[str, Any], as_json: bool) -> None:
    """Print the operator table of a network and what lives in each phase of a step."""
    from advisor.errors import UserError
    from advisor.trial.trace import is_factory

    if not (is_factory(name) or flags["trace"]):
        raise UserError(
            f"{name} is no code", "Give file.py:factory, a config.json with --trace, or no name for the list."
        )
    found, _ = trace_named(name, flags)
    if as_json:
        document = {**found.document, "numbers": found.model.numbers, "notes": list(found.notes)}
        click.echo(json.dumps({key: value for key, value in document.items() if key != "event"}))
        return
    from rich.table import Table

    from advisor.cli.screen import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Phase", "Kind", "Operator", "Format", "Count", "FLOPs", "Moved", "Saved", "Shape"):
        table.add_column(heading, justify="right" if heading in _FIGURES else "left", no_wrap=True)
    rows = sorted(found.document["operators"], key=_weight, reverse=True)
    for row in sorted(rows[:_SHOWN], key=lambda row: _PHASES.index(row["phase"])):
        table.add_row(*_cells(row))
    out = console()
    out.print(f"One training step, per sample ({len(rows)} kinds of operators; {_SHOWN} at most shown):")
    out.print(table)
    for phase, lines in found.document["phases"].items():
        out.print(f"Highest memory beside the weights, {phase}: {_pieces(lines)}", highlight=False)


def _weight(row: dict[str, Any]) -> tuple[float, float]:
    return sum(row["flops"]), sum(row["bytes"])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    shape = row["shape"]
    sizes = (
        "" if not shape else " x ".join(f"{fixed:g}" if not more else f"{more:g} b" for fixed, more in shape)
    )
    return (
        row["phase"], row["kind"], row["operator"][:34], row["dtype"], str(row["count"]),
        *(show(sum(row[name]), unit) if sum(row[name]) > 0 else "" for name, unit in _UNITS.items()), sizes,
    )  # fmt: skip


def _pieces(lines: list[list[float]]) -> str:
    told = [f"{show(max(fixed, 0.0), 'B')} + {show(more, 'B')} x batch" for fixed, more in lines]
    return told[0] if len(told) == 1 else "the largest of " + "; ".join(told)


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
