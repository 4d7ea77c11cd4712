"""A workload of the user's own from flags, on the pattern of the nearest reference workload."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from advisor.data.catalogue import Catalogue, find_model
from advisor.errors import UserError, did_you_mean
from advisor.schema import Model, Recipe, Workload
from advisor.search.grid import Stated
from advisor.search.pretraining import size_of, usual
from advisor.search.recipe import with_details
from advisor.search.rows import with_rows
from advisor.units import show

OWN = "own"
JOB = "job"
"""Ids of the jobs of a file are this with a number."""
_SEES = ("cnn", "vit", "diffusion")
_PRETRAINED_FROM = 2e9
"""Tokens from which a run without a stated method is pre-training: fine-tuning sets are far smaller."""

# A family without a reference workload of its own takes the recipe of one like it.
_LIKE = {
    "moe": "decoder",
    "encoder_decoder": "decoder",
    "size_only": "decoder",
    "vit": "cnn",
    "diffusion": "cnn",
}


def is_own(workload: str) -> bool:
    """Whether the id is that of a workload of the user's own, alone or one of several."""
    return workload == OWN or (workload.partition("-")[0] == JOB and workload[len(JOB) + 1 :].isdigit())


def workload_from_flags(  # noqa: PLR0913, PLR0917 - one argument a flag
    catalogue: Catalogue,
    model: str | Model,
    tokens: float | None = None,
    method: str | None = None,
    precision: str | None = None,
    seq_len: float | None = None,
    batch: float | None = None,
    stack: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> Workload:
    """The workload that flags describe; what they leave open is taken from a reference workload, and said.

    `model` is a preset's id or alias, or a network read elsewhere. `tokens` counts tokens over the whole run
    (images for families that see pictures), `batch` samples per optimizer step, `details` what else flags
    say of the recipe (advisor/search/recipe.py). Raises UserError for an
    unknown model, method or precision, with the nearest names.
    """
    found = find_model(catalogue, model) if isinstance(model, str) else model
    told = method
    method, beside = PREFERENCE.get((method or "").lower().replace("-", "_"), (method, {}))
    if method is None and tokens is not None and tokens >= _PRETRAINED_FROM and _unit(found) == "tokens":
        method = "pretrain"
    like = pattern(catalogue, found, method)
    check_word(catalogue, "method", method)
    check_word(catalogue, "precision", precision)
    check_word(catalogue, "optimizer", (details or {}).get("optimizer"))
    for name, value in (("--tokens", tokens), ("--seq-len", seq_len), ("--batch", batch)):
        if value is not None and not value > 0:
            raise UserError(f"{name} {value:g} is not above zero", "Give a number above zero.")
    _check_length(found, seq_len)
    who = with_program(Stated(stack=stack), catalogue)
    recipe = like.recipe
    length = float(seq_len) if seq_len is not None else recipe.seq_len
    first = None
    if (method or recipe.method) == "pretrain" and (like.model.id, recipe.method) != (found.id, "pretrain"):
        first = usual(found, catalogue.workloads, length if seq_len is not None else None)
    length = first.seq_len if first else length
    samples = recipe.samples
    in_tokens = _unit(found) == "tokens"
    if tokens is not None:
        samples = tokens / length if in_tokens and length else tokens
    elif samples is not None and recipe.seq_len and length and _kind(found) == "decoder":
        # a decoder's recipe counts tokens, an encoder's sentences, however long they are padded
        samples = samples * recipe.seq_len / length
    flags = {
        "tokens": tokens,
        "method": told,
        "precision": precision,
        "sequence length": seq_len,
        "batch": batch,
    }
    open_ = [name for name, value in flags.items() if value is None]
    open_ += [*(["optimizer"] if not (details or {}).get("optimizer") else []), "horizon"]
    whence = ""
    if first and (seq_len is None or batch is None):
        open_ = [name for name in open_ if name not in ("sequence length", "batch")]
        whence = f"; {first.source}"
    source = f"{', '.join(open_)} as in '{like.title}'{whence}; the rest stated by flags"
    columns = {"tokens": "samples", "sequence length": "seq_len", "batch": "global_batch"}
    stated = tuple(columns.get(name, name) for name, value in flags.items() if value is not None)
    chosen = method or recipe.method
    _check_adapters(found, chosen)
    numbers = {**recipe.numbers, **beside}
    numbers, length = _sizes(found, like, numbers, length)
    if chosen in ("lora", "qlora"):
        numbers.setdefault("lora_rank", _lora_rank(catalogue))
    own = Workload(
        id=OWN,
        title=", ".join(
            [found.title, told or chosen, *([show(tokens, _unit(found))] if tokens is not None else [])]
        ),
        model=found,
        recipe=Recipe(
            method=chosen,
            precision=precision or recipe.precision,
            optimizer=_optimizer(found, recipe),
            samples=samples,
            seq_len=length,
            global_batch=float(batch) if batch is not None else first.batch if first else recipe.global_batch,
            numbers=numbers,
            source=source,
            stated=(*stated, "stack") if who.stack else stated,
            stack=who.stack or "",
            program=who.program,
        ),
        deadline_days=like.deadline_days,
        note="Your own workload." + f" Taken from '{like.title}': {', '.join(open_)}{whence}.",
    )
    return with_details(with_rows(own, (details or {}).get("counted_rows")), details)


def _check_length(model: Model, seq_len: float | None) -> None:
    """Raise UserError for a length of sequences where a network sees images alone."""
    sees = model.family in _SEES or "native_image_size" in model.numbers
    if seq_len is not None and sees and "native_seq_len" not in model.numbers:
        raise UserError(
            f"--seq-len {seq_len:g} says nothing of {model.title}: it sees images",
            "--image-size gives the edge of an image.",
        )


def _check_adapters(model: Model, method: str) -> None:
    """Raise UserError where no library puts adapters: beside convolutions alone."""
    if method in ("lora", "qlora") and model.family == "cnn":
        raise UserError(
            f"--method {method} does not go with {model.title}: adapters stand beside linear layers, and a"
            " convolutional network has none but the last",
            "Give --method full; --train-only 10% tells that only a part of the weights is trained.",
        )


def _sizes(
    model: Model, like: Workload, numbers: dict[str, float], length: float | None
) -> tuple[dict[str, float], float | None]:
    """Sizes of one sample where flags leave them open: those that the network's own figures are for."""
    native, sized = model.numbers, dict(numbers)
    if like.model.id != model.id and "native_image_size" in native:
        sized["image_size"] = native["native_image_size"]
    if "native_seq_len" in native and "native_image_size" not in native:
        sized.pop("image_size", None)
        length = native["native_seq_len"] if length is None else length
    if model.family == "encoder_decoder" and length is not None:
        sized["decoder_seq_len"] = length  # as long as the encoder's
    return sized, length


def _optimizer(model: Model, recipe: Recipe) -> str:
    """The reference workload's; where that is SGD, it is so for convolutional classifiers alone."""
    return "adamw" if recipe.optimizer == "sgd" and model.family != "cnn" else recipe.optimizer


def pattern(catalogue: Catalogue, model: Model, method: str | None) -> Workload:
    """The reference workload most like it: by family, then kind of family, model, method."""

    size = size_of(model)

    def likeness(workload: Workload) -> tuple[float, ...]:
        other = size_of(workload.model)
        pretrains = method == "pretrain" == workload.recipe.method
        return (
            workload.model.family == model.family,
            _kind(workload.model) == _kind(model),
            pretrains,  # its horizon is of another order than that of fine-tuning
            workload.model.id == model.id,
            method is not None and workload.recipe.method == method,
            -abs(math.log(other / size)) if pretrains and size and other else 0.0,
        )

    if not catalogue.workloads:
        raise UserError("no reference workload to take the recipe from", "Check the folder rules/workloads.")
    return max(catalogue.workloads, key=likeness)


def _lora_rank(catalogue: Catalogue) -> float:
    return next(
        (w.recipe.numbers["lora_rank"] for w in catalogue.workloads if "lora_rank" in w.recipe.numbers), 16.0
    )


def _kind(model: Model) -> str:
    """The kind of family; a traced network says by its inputs whether it reads or sees."""
    if model.family == "traced":
        return "decoder" if "native_seq_len" in model.numbers else "cnn"
    return _LIKE.get(model.family, model.family)


def _unit(model: Model) -> str:
    return "images" if _kind(model) == "cnn" else "tokens"


def with_program(stated: Stated, catalogue: Catalogue) -> Stated:
    """What is stated, --stack read as program and its family. Raises UserError for other words."""
    if stated.stack is None or stated.program:
        return stated
    from advisor.data.programs import find_stack

    stack, program = find_stack(stated.stack, catalogue.words.get("stack", ()))
    return replace(stated, stack=stack, program=program)


PREFERENCE = {
    "dpo": ("full", {"reference_copies": 1.0, "reference_passes": 1.0}),
    "dpo_lora": ("lora", {"reference_passes": 1.0}),
    "dpo_qlora": ("qlora", {"reference_passes": 1.0}),
}
"""Preference tuning (arXiv:2305.18290): a frozen reference is run beside the network; with adapters it is the
network itself without them. A sample is one sequence, so a pair of answers counts as two."""

_WITH_ROLLOUTS = frozenset("grpo ppo rlhf rloo reinforce online-dpo rlvr dapo gspo".split())  # noqa: SIM905


_INFERENCE = frozenset("inference infer serve serving generate generation predict".split())  # noqa: SIM905


def check_word(catalogue: Catalogue, column: str, word: str | None) -> None:
    """Raise UserError with the nearest for a word that this column of the rules does not have."""
    values = catalogue.words.get(column, ())
    if word is None or word in values:
        return
    if column == "method" and word.lower() in _INFERENCE:
        raise UserError(
            f"method {word!r} is not modelled: hwadvisor estimates training",
            "Give --method pretrain, full, lora or qlora.",
        )
    if column == "method" and word.lower().replace("_", "-") in _WITH_ROLLOUTS:
        raise UserError(
            f"method {word!r} is not modelled: most of its time goes into generating text (rollouts)",
            "Estimate its training steps alone with --method full or lora.",
        )
    if column == "method":
        values = (*values, *(name.replace("_", "-") for name in PREFERENCE))
    hint = did_you_mean(word, values) or f"It is one of {', '.join(values)}."
    raise UserError(f"unknown {column} {word!r}", hint)
