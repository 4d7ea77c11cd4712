"""`hwadvisor estimate`: time, memory and cost of one workload on one set-up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from advisor.cli.in_hand import check_unit, count_data, data_options, from_recipe, notices, yield_to_the_line
from advisor.cli.options import STACK_HELP, count, here, hub_cache, json_flag, print_json, rules_option
from advisor.cli.quick import quick
from advisor.cli.recipe import details_of, recipe_options
from advisor.cli.trace import other_lengths, trace_options, traced
from advisor.errors import EXIT_NOTHING_FITS, DataError, did_you_mean

_RECIPE = ("model", "params", "tokens", "method", "precision", "seq_len", "batch")
_SET_UP = (
    "micro_batch", "recompute", "sharding", "offload", "tp", "pp", "vpp", "cp", "ep", "flash", "compiled",
    "stack", "effort",
)  # fmt: skip
_NOT_IN_A_FILE = ("workload", "recipe", "output", "as_json", "explain", "depth", "rules", "why_not", "inputs")
_LARGEST_FILE = 100_000  # bytes of a workload's flags
_Degree = click.IntRange(1, 1_000_000)


def _count(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    return count(text)


def from_file(context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """The file's keys as defaults of the flags: what stands on the command line goes before it."""
    if path is not None:
        from advisor.recipes import is_recipe

        known = {p.name: p for p in context.command.params if p.name and p.name not in _NOT_IN_A_FILE}
        found = from_recipe(context, path, known) if is_recipe(path) else _read(path, tuple(known))
        context.default_map = {**(context.default_map or {}), **found}
    return path


def _read(path: Path, known: tuple[str, ...]) -> dict[str, Any]:
    from advisor.data.files import parse_toml, read_text

    raw = parse_toml(path, read_text(path, limit_bytes=_LARGEST_FILE))
    found = {}
    for key, value in raw.items():
        name = key.replace("-", "_")
        if name not in known:
            hint = did_you_mean(name, known) or f"Known are {', '.join(known)}."
            raise DataError.at(path, key, None, "is no known flag", hint)
        if not isinstance(value, (str, int, float, bool)):
            raise DataError.at(path, key, value, "is no text or number", "Write one value for a flag.")
        found[name] = value if isinstance(value, bool) else str(value)
    return found


@click.command()
@click.option(
    "--workload",
    "--recipe",
    "workload",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    is_eager=True,
    callback=from_file,
    help='A TOML file with any of these flags, e.g. `model = "llama-3-8b"`, or a recipe of LLaMA-Factory, '
    "TRL, axolotl, the Trainer or diffusers (YAML, JSON, script); the command line goes before it.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="A model that `hwadvisor models` lists, a config.json, an id in the local Hugging Face cache, or "
    "code: file.py:factory or package.module:factory, which is RUN to trace the network it returns.",
)
@click.option("--params", metavar="N", callback=_count, help="Instead of --model: only its size, e.g. 7B.")
@click.option(
    "--hardware",
    metavar="TEXT",
    help="'8 x nvidia-h100-sxm5-80gb', '2 x 8 x …' (servers x packages), one id, or a product's name; "
    "by default this machine.",
)
@click.option("--tokens", metavar="N", callback=_count, help="Tokens or images of the run, e.g. 20B.")
@data_options
@click.option("--steps", type=click.IntRange(1, 10**12), help="Optimizer steps of the run, instead.")
@click.option("--method", metavar="NAME", help="pretrain, full, lora, qlora, dpo or dpo-lora.")
@click.option("--precision", metavar="NAME", help="fp32, bf16_mixed, bf16, fp16_mixed, fp8_mixed, …")
@click.option("--seq-len", type=click.IntRange(1), help="Tokens per sequence.")
@click.option("--batch", type=click.IntRange(1), help="Sequences or images per optimizer step.")
@click.option("--micro-batch", type=click.IntRange(1), help="Of them in one pass on one device.")
@click.option("--accumulate", type=click.IntRange(1, 1_000_000), help="Micro-batches of one step.")
@click.option("--optimizer", metavar="NAME", help="adamw, adamw_8bit, sgd, adafactor, lion, muon, lamb.")
@click.option("--lora-rank", type=click.IntRange(1, 65536), help="Rank of the adapters.")
@trace_options
@recipe_options
@click.option("--recompute", metavar="NAME", help="none, selective or full.")
@click.option("--tp", type=_Degree, help="Tensor-parallel degree.")
@click.option("--pp", type=_Degree, help="Pipeline stages.")
@click.option("--vpp", type=_Degree, help="Interleaved stages on each device of a pipeline.")
@click.option("--cp", type=_Degree, help="Context-parallel degree.")
@click.option("--ep", type=_Degree, help="Expert-parallel degree.")
@click.option("--sharding", metavar="NAME", help="none, zero1, zero2, fsdp or hsdp.")
@click.option("--offload", metavar="NAME", help="none, optimizer or params.")
@click.option("--flash/--no-flash", default=None, help="Fused attention, or scores in memory.")
@click.option("--compile/--no-compile", "compiled", default=None, help="A compiled step, or eager.")
@click.option("--stack", metavar="NAME", help=STACK_HELP)
@click.option("--effort", metavar="NAME", help="ordinary (as most people run it) or tuned (as vendors do).")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Figures measured on this machine: advice.json of `scan` or `calibrate`.",
)
@click.option(
    "--like", type=click.Path(path_type=Path), metavar="RECORD.jsonl",
    help="A pilot run, as `trial --save` or `import --save` kept it: what it took beyond the rules is "
    "carried over to this size and hardware, as far as they are alike.",
)  # fmt: skip
@click.option(
    "--evidence", type=click.Path(path_type=Path), metavar="DIR",
    help="Own records (a file, or a folder of *.jsonl) beside the published runs.",
)  # fmt: skip
@click.option(
    "--explain",
    metavar="QUANTITY",
    is_flag=False,
    flag_value="time_s",
    help="Also print how a figure came about (time_s where none is named).",
)
@click.option(
    "--largest",
    is_flag=True,
    help="Also the largest micro-batch, sequence and network of the family that fit on one device, remedy by "
    "remedy, the cheapest in time first.",
)
@click.option(
    "--devices", type=click.IntRange(2, 16384), multiple=True, metavar="N",
    help="Devices to share the network in that table (repeatable); else those of --hardware, or 2 and 8.",
)  # fmt: skip
@click.option("--depth", type=click.IntRange(0, 99), default=4, show_default=True, help="Of that tree.")
@rules_option
@json_flag
@click.pass_context
def estimate(context: click.Context, /, as_json: bool, explain: str | None, depth: int, **flags: Any) -> None:
    """Time, memory and cost of one workload on one set-up, each with its 80 % range.

    What of the layout is not given is found: first what fits into memory, then the fastest. Exit code 1:
    it does not fit; the nearest is shown, and what would help.
    """
    with quick(whole=as_json or explain is not None or flags["hardware"] is None):
        _estimate(context, as_json, explain, depth, flags)


def _estimate(
    context: click.Context, as_json: bool, explain: str | None, depth: int, flags: dict[str, Any]
) -> None:
    from advisor.app_estimate import EstimateOptions, run_estimate
    from advisor.app_options import WorkloadFlags
    from advisor.search.grid import Stated

    yield_to_the_line(context, flags)
    counted, told = count_data(context, flags)
    if flags["flash"] is not None and flags["attention"] is not None:
        raise click.UsageError("--flash/--no-flash and --attention exclude each other")
    recipe, document = traced(flags, {name: flags[name] for name in _RECIPE})
    options = EstimateOptions(
        workload=WorkloadFlags(
            hub=hub_cache(), details=details_of(flags, "optimizer", "counted_rows"), **recipe
        ),
        hardware=flags["hardware"],
        stated=Stated(**{name: flags[name] for name in _SET_UP}),
        optimizer=flags["optimizer"],
        lora_rank=flags["lora_rank"],
        accumulate=flags["accumulate"],
        calibration=flags["calibration"],
        like=flags["like"],
        evidence=flags["evidence"],
        steps=flags["steps"],
        notices=(*notices(context), *told),
        rules=flags["rules"],
        traced=as_json or explain is not None,
        document=document,
        largest=flags["largest"],
        shared=flags["devices"],
        lengths=other_lengths(str(flags["model"]), flags, document) if flags["largest"] else (),
        workdir=here(),
    )
    result = run_estimate(options)
    check_unit(counted, result.workload.model)
    if as_json:
        from advisor.data.advice import dump_advice

        print_json(dump_advice(result.advice))
    else:
        from advisor.cli.tell_estimate import tell_estimate

        tell_estimate(result)
        if options.largest:
            from advisor.cli.screen import console
            from advisor.cli.tell_largest import tell_largest

            target, own = result.one.estimate.target, result.workload.recipe
            device = target.accelerator_id or target.label
            family = result.workload.model.family
            tell_largest(
                result.largest, f"one {device}", own.seq_len, console(), family=family, host=result.host_bytes
            )
        if explain is not None:
            from advisor.cli.explain import show_tree

            show_tree(result.advice, result.one.estimate, explain, depth)
    if result.one.estimate.fits is False:
        context.exit(EXIT_NOTHING_FITS)
