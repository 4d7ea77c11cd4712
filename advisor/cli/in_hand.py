"""What people have in hand as flags: other trainers' recipe files, and data sets to be counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from advisor.errors import UserError

if TYPE_CHECKING:
    from advisor.dataset import Counted
    from advisor.recipes import Recipe
    from advisor.schema import Model, Notice

Command = Callable[..., Any]

_RECIPE, _NOTES = "hwadvisor.recipe", "hwadvisor.notes"
_SHOWN = 12  # keys that a notice names
_YIELDS: Mapping[str, tuple[str, ...]] = {
    "batch": ("accumulate",),
    "tokens": ("steps", "epochs", "dataset"),
    "steps": ("epochs", "dataset"),
    "dataset": ("steps",),
    "params": ("model",),
    "mean_length": ("rows",),
    "flash": ("attention",),
    "attention": ("flash",),
    "method": ("lora_rank", "lora_targets", "quant_bits", "double_quant"),
}
"""A flag of the command line, and those of a recipe that it makes moot."""

_AXES = ("tp", "pp", "cp", "ep", "offload")
_OWN: Mapping[str, tuple[str, ...]] = {"stack": ("sharding", *_AXES), "offload": ("sharding",)}
"""The same of what is the trainer's own way where its file says nothing."""

_OPTIONS: tuple[Callable[[Command], Command], ...] = (
    click.option(
        "--dataset",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="Instead of --tokens: data to count: text, JSON lines, Parquet, a folder of them or of images.",
    ),
    click.option(
        "--epochs", type=click.FloatRange(0, 1e6, min_open=True), help="Passes over --dataset (default: 1)."
    ),
    click.option(
        "--rows",
        metavar="NAME",
        help="Rows of --dataset: packed end to end, own (each in its own length, as trainers fine-tune by "
        "default) or padded to --seq-len.",
    ),
)


def data_options(command: Command) -> Command:
    """--dataset, --epochs and --rows."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


# ---- recipes ------------------------------------------------------------------------------------------


def from_recipe(context: click.Context, path: Path, known: Mapping[str, click.Parameter]) -> dict[str, Any]:
    """The flags of another trainer's recipe as defaults; what is said of it is kept for the answer."""
    from advisor.recipes import read_recipe

    recipe = read_recipe(path)
    flags, notes = dict(recipe.flags), list(recipe.notes)
    if "dataset" not in known:
        flags.pop("rows", None)  # it says nothing where no data are counted
    if "model" in flags:
        flags["model"] = _model(recipe, str(flags["model"]), notes)
    if "accumulate" not in known:
        _batch_of_all(recipe, flags, notes)
    elif recipe.devices is not None:
        notes.append(f"Its launcher starts {recipe.devices} processes; the devices are those of --hardware.")
    unused = [
        name for name in flags if name not in known and not (name in _AXES and _by_default(recipe, name))
    ]
    if unused:
        words = ", ".join(f"{name.replace('_', '-')} {flags[name]}" for name in unused)
        notes.append(f"Not stated here, but searched or left open: {words}.")
    context.meta[_RECIPE], context.meta[_NOTES] = recipe, tuple(notes)
    return {name: value for name, value in flags.items() if name in known}


def _model(recipe: Recipe, name: str, notes: list[str]) -> str:
    """What the recipe names: a folder beside it, an id in the hub's cache, or the preset of that name."""
    from advisor.cli.options import hub_cache
    from advisor.model import find_config, preset_of

    folder = recipe.path.parent / name
    try:
        if folder.is_dir() and (folder / "config.json").is_file():
            return str(folder)
        if find_config(name, hub_cache()) is not None:
            return name
    except (UserError, OSError, ValueError):
        pass
    preset = preset_of(name).preset
    if not preset:
        return name
    notes.append(f"{name[:80]} is not in the hub's cache; by its name it is the preset {preset}.")
    return preset


def _batch_of_all(recipe: Recipe, flags: dict[str, Any], notes: list[str]) -> None:
    """A plan's batch: that of all devices, whose number only a launcher tells."""
    micro, accumulate = flags.pop("micro_batch", None), flags.pop("accumulate", "1")
    steps = flags.pop("steps", None)
    if micro is None:
        return
    each = int(micro) * int(accumulate)
    if recipe.devices is None:
        notes.append(
            f"{each} samples of a step on each device; how many devices is not said, so --batch is left open."
        )
        return
    together = int(flags.get("tp", 1)) * int(flags.get("pp", 1)) * int(flags.get("cp", 1))
    copies = max(1, recipe.devices // together)
    flags["batch"] = str(each * copies)
    length = flags.get("seq_len") or (1 if "image_size" in flags else None)
    if steps is not None and length is not None:
        flags["tokens"] = str(int(steps) * each * copies * int(length))


def yield_to_the_line(context: click.Context, flags: dict[str, Any]) -> None:
    """What the command line says goes before the recipe, also where the recipe says it by another flag."""
    if _RECIPE not in context.meta:
        return
    for name, moot in _YIELDS.items():
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        for other in moot:
            if context.get_parameter_source(other) is ParameterSource.DEFAULT_MAP:
                flags[other] = None
    recipe: Recipe = context.meta[_RECIPE]
    for name, moot in _OWN.items():
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            for other in moot:
                by_file = context.get_parameter_source(other) is ParameterSource.DEFAULT_MAP
                if by_file and _by_default(recipe, other):
                    flags[other] = None


def _by_default(recipe: Recipe, name: str) -> bool:
    """Whether a flag of a recipe is what its trainer does where nothing is said."""
    from advisor.recipes import DEFAULT

    return recipe.said.get(name) == DEFAULT


def notices(context: click.Context) -> tuple[Notice, ...]:
    """What is said of the recipe: what was taken, what is not modelled, what nobody knows."""
    from advisor.schema import Notice

    recipe: Recipe | None = context.meta.get(_RECIPE)
    if recipe is None:
        return ()
    taken = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in recipe.flags.items())
    found = [f"Recipe of {recipe.trainer} ({recipe.path.name}): {taken}."]
    for told, keys in (
        ("Unknown keys, not read", recipe.unknown),
        ("Not modelled", recipe.unmodelled),
        ("Of no effect on time and memory", recipe.aside),
    ):
        if keys:
            more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
            found.append(f"{told}: {', '.join(keys[:_SHOWN])}{more}.")
    return tuple(Notice(code="recipe", message=text) for text in (*found, *context.meta[_NOTES]))


# ---- data ---------------------------------------------------------------------------------------------


def count_data(context: click.Context, flags: dict[str, Any]) -> tuple[Counted | None, tuple[Notice, ...]]:
    """--dataset counted into --tokens and rows; (None, ()) where none is given.

    Raises click.UsageError for flags that exclude each other, UserError for data that cannot be counted.
    """
    path, epochs, way = flags.pop("dataset"), flags.pop("epochs"), flags.pop("rows")
    flags["counted_rows"] = None
    if path is None:
        if way is not None and context.get_parameter_source("rows") is ParameterSource.COMMANDLINE:
            raise click.UsageError("--rows needs --dataset")
        if epochs is not None and context.get_parameter_source("epochs") is ParameterSource.COMMANDLINE:
            raise click.UsageError("--epochs needs --dataset")
        return None, _uncounted(epochs, flags)
    _check_way(way, flags)
    given = [f"--{name}" for name in ("tokens", "steps") if flags.get(name) is not None]
    if given:
        raise click.UsageError(f"--dataset and {given[0]} exclude each other")
    from advisor.cli.options import hub_cache
    from advisor.dataset import count_dataset, find_tokenizer
    from advisor.schema import Notice

    model = flags.get("model")
    tokenizer = find_tokenizer(model if isinstance(model, str) else None, hub_cache())
    counted = count_dataset(path, tokenizer)
    rows = counted.lengths
    if not (rows and rows.lengths) and context.get_parameter_source("rows") is ParameterSource.COMMANDLINE:
        raise UserError(f"--rows {way}: {path.name or path} has no rows of text", "Leave --rows away.")
    passes = 1.0 if epochs is None else float(epochs)
    flags["tokens"] = counted.amount * passes
    if rows is not None:
        together = flags.get("micro_batch") or 1
        flags["counted_rows"] = rows._replace(way=way or "", together=together, passes=passes)
    return counted, (Notice(code="dataset", message=_sentence(path, counted, passes)),)


def _check_way(way: str | None, flags: Mapping[str, Any]) -> None:
    """Raise for a word that --rows does not know, or that goes against what else is said."""
    from advisor.dataset.rows import OWN, WAYS
    from advisor.errors import did_you_mean

    if way is not None and way not in WAYS:
        hint = did_you_mean(way[:40], WAYS) or "Give one of them."
        raise UserError(f"--rows {way[:40]!r} is none of {', '.join(WAYS)}", hint)
    if way not in (None, OWN) and flags.get("mean_length") is not None:
        raise click.UsageError(f"--rows {way} and --mean-length exclude each other")


def _uncounted(epochs: float | None, flags: Mapping[str, Any]) -> tuple[Notice, ...]:
    """A recipe's epochs of data that are not here."""
    if epochs is None or flags.get("tokens") is not None or flags.get("steps") is not None:
        return ()
    from advisor.schema import Notice

    text = f"Epochs ({epochs:g}) need the recipe's data to be counted: give --dataset or --tokens."
    return (Notice(code="dataset", message=text),)


def _sentence(path: Path, counted: Counted, passes: float) -> str:
    from advisor.units import show, show_ranged

    if counted.exact:
        amount, spread = show(counted.amount, counted.unit), ""
    else:
        amount, spread, _, _ = show_ranged(counted.amount, counted.low, counted.high, counted.unit)
        spread = f" (80 % range {spread})" if spread else ""
    rows = "" if counted.rows is None or counted.unit == "images" else f" in {counted.rows:,.0f} rows"
    times = "" if passes == 1 else f", times {passes:g} epochs"
    told = f"{path.name or path} holds {amount}{spread}{rows}{times}, as counted."
    return " ".join((told, f"{counted.how}.", *counted.notes))


def check_unit(counted: Counted | None, model: Model) -> None:
    """Raise UserError where text was counted for a network that sees images, or the other way round."""
    if counted is None:
        return
    sees = model.family in ("cnn", "vit", "diffusion")
    if sees == (counted.unit == "images") or model.family in ("stated", "traced"):
        return
    wanted = "images" if sees else "text"
    raise UserError(
        f"--dataset holds {counted.unit}, {model.title} is trained on {wanted}",
        "Give data of its kind, or --tokens.",
    )
