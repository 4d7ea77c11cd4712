"""`hwadvisor plan`: what to buy, rent or ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from advisor.cli.currency import tell_in
from advisor.cli.estimate import from_file
from advisor.cli.in_hand import check_unit, count_data, data_options, notices, yield_to_the_line
from advisor.cli.options import STACK_HELP, count, hub_cache, json_flag, print_json, quiet_flag, rules_option
from advisor.cli.quick import quick
from advisor.cli.quotes import quote_options
from advisor.cli.recipe import details_of, recipe_options
from advisor.cli.several import several_options
from advisor.cli.text import paragraph
from advisor.errors import EXIT_NOTHING_FITS

_RECIPE = ("model", "params", "tokens", "method", "precision", "seq_len", "batch", "stack")

_LIMITS = (
    "max_devices", "only", "objective", "acquire", "confidence", "max_rack_units", "region", "destination",
)  # fmt: skip

_Callback = Callable[[click.Context, click.Parameter, str | None], float | None]


def _count(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    return count(text)


def amount(unit: str, plain: str, example: str) -> _Callback:
    """A flag's text as SI; a plain number is in the unit `plain`."""

    def read(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
        if text is None:
            return None
        from advisor.errors import UserError
        from advisor.units import parse_as

        body = text.strip().replace(",", "")
        if unit == "USD" and body[-1:].lower() in ("k", "m") and not body[:1].isalpha():
            scale = 1e3 if body[-1:].lower() == "k" else 1e6
            body = f"{_float(body[:-1].lstrip('$')) * scale:f}"
        try:
            value = parse_as(body if _float(body) != _float(body) else f"{body} {plain}", unit)
        except UserError as error:
            raise click.BadParameter(f"{text!r}: {error.message}; write for example {example}") from error
        if not value > 0:
            raise click.BadParameter(f"{text!r} is not above zero; write for example {example}")
        return value

    return read


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _names(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip().lower() for part in (text or "").split(",") if part.strip()))


def _pairs(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise click.BadParameter(f"{text!r} is not NAME=VALUE")
        found[name.strip()] = value.strip()
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
    help="A model that `hwadvisor models` lists, a config.json, or an id in the local Hugging Face cache.",
)
@click.option("--params", metavar="N", callback=_count, help="Instead of --model: only its size, e.g. 7B.")
@click.option("--tokens", metavar="N", callback=_count, help="Tokens or images of the run, e.g. 20B.")
@data_options
@click.option("--method", metavar="NAME", help="pretrain, full, lora, qlora, dpo or dpo-lora.")
@click.option("--precision", metavar="NAME", help="fp32, bf16_mixed, bf16, fp16_mixed, fp8_mixed, …")
@click.option("--seq-len", type=click.IntRange(1), help="Tokens per sequence.")
@click.option("--batch", type=click.IntRange(1), help="Sequences or images per optimizer step.")
@click.option("--optimizer", metavar="NAME", help="adamw, adamw_8bit, sgd, adafactor, lion, muon, lamb.")
@recipe_options
@click.option("--compile/--no-compile", "compiled", default=None, help="A compiled step, or eager.")
@click.option("--stack", metavar="NAME", help=STACK_HELP)
@click.option(
    "--deadline", metavar="TIME", callback=amount("s", "day", "7d"),
    help="From start to last step, e.g. 7d or '2 weeks'; by default the horizon of a reference workload.",
)  # fmt: skip
@click.option(
    "--budget", metavar="USD", callback=amount("USD", "USD", "50000"),
    help="For renting the devices, US dollars.",
)  # fmt: skip
@click.option(
    "--max-power", metavar="POWER", callback=amount("W", "W", "40kW"),
    help="Of everything at its limit with the building's overhead; hosts are counted of named systems.",
)  # fmt: skip
@click.option("--max-devices", type=click.IntRange(1), help="At most so many, up to 16,384.")
@click.option("--vendor", metavar="A,B", callback=_names, help="Of these vendors alone.")
@click.option("--only", metavar="ID,ID", callback=_names, help="These accelerators alone.")
@click.option(
    "--objective", default="cost", show_default=True, metavar="NAME", help="What is best: cost, time, energy."
)
@click.option(
    "--acquire", default="rent", show_default=True, metavar="NAME",
    help="Whose cost ranks and meets the budget: rent, buy (this job's share of owning; the purchase), both.",
)  # fmt: skip
@click.option(
    "--assume", multiple=True, metavar="NAME=VALUE", callback=_pairs,
    help="Another value for a constant of the cost rules, e.g. electricity_price=0.25 (repeatable).",
)  # fmt: skip
@click.option(
    "--confidence", type=float, default=0.9, show_default=True,
    help="Probability with which deadline and budget are kept.",
)  # fmt: skip
@click.option(
    "--owned", type=click.Path(path_type=Path), metavar="FILE",
    help="advice.json of a machine that is there already: what it would take is told beside the rest.",
)  # fmt: skip
@click.option(
    "--why-not", multiple=True, metavar="ID", help="Why this accelerator is not the answer (repeatable)."
)
@several_options
@quote_options
@rules_option
@json_flag
@quiet_flag
@click.pass_context
def plan(context: click.Context, /, as_json: bool, quiet: bool, **flags: Any) -> None:
    """What to get for a job: which accelerators, how many, in which layout, at what time and cost.

    Every accelerator of the catalogue with every count and layout. Exit code 1: nothing keeps the limits;
    what comes nearest is shown, and what to relax.
    """
    with quick(whole=True):
        _plan(context, as_json, quiet, flags)


def _plan(context: click.Context, as_json: bool, quiet: bool, flags: dict[str, Any]) -> None:
    from advisor.app_options import WorkloadFlags
    from advisor.app_plan import PlanOptions, run_plan
    from advisor.cli.several import tell_sensitivity
    from advisor.cli.tell_plan import tell_answers, tell_plan
    from advisor.schema import PlanLimits
    from advisor.search.grid import Stated
    from advisor.units import DAY_S

    yield_to_the_line(context, flags)
    rate = tell_in(context, flags["currency"], flags["rate"], flags["rules"])
    if rate and not (as_json or quiet):
        paragraph(rate)
    counted, told = count_data(context, flags)
    deadline = flags["deadline"]
    limits = PlanLimits(
        deadline_days=None if deadline is None else deadline / DAY_S,
        budget_usd=flags["budget"],
        max_power_w=flags["max_power"],
        vendors=flags["vendor"],
        **{name: flags[name] for name in _LIMITS},
    )
    workload = WorkloadFlags(
        hub=hub_cache(),
        details=details_of(flags, "optimizer", "compiled", "counted_rows"),
        **{name: flags[name] for name in _RECIPE},
    )
    stated = Stated(stack=flags["stack"])
    if flags["workloads"]:
        from advisor.cli import several

        several.run(context, flags, limits, stated, as_json, quiet)
        return
    if flags["quotes"] or flags["more_quotes"]:
        if not flags["quotes"]:
            raise click.UsageError(f"unexpected argument {str(flags['more_quotes'][0])!r}")
        from advisor.cli import quotes

        quotes.run(context, flags, workload, limits, stated, as_json)
        return
    result = run_plan(
        PlanOptions(
            workload=workload,
            limits=limits,
            owned=flags["owned"],
            why_not=flags["why_not"],
            assume=flags["assume"],
            rules=flags["rules"],
            sensitivity=flags["sensitivity"],
            notices=(*notices(context), *told),
        )
    )
    check_unit(counted, result.advice.workloads[0].model)
    if as_json:
        from advisor.data.advice import dump_advice

        print_json(dump_advice(result.advice))
        tell_answers(result.answers, stderr=True, quiet=quiet)
    else:
        if not quiet or not result.answers:
            tell_plan(result.advice)
            tell_sensitivity(result.advice)
        tell_answers(result.answers)
    assert result.advice.plan is not None  # noqa: S101 - run_plan puts it there
    if not result.advice.plan.options:
        context.exit(EXIT_NOTHING_FITS)
