"""What is trained and how: from flags to a workload, the columns of the rules, and what the child is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from advisor.data.catalogue import Catalogue
from advisor.errors import UserError, did_you_mean
from advisor.estimate.inputs import Inputs
from advisor.schema import Kind, Model, Workload
from advisor.search import workload_from_flags
from advisor.search.inputs import of_workload

FAMILIES = ("decoder", "moe", "encoder", "vit", "cnn", "traced")
PRECISIONS = ("fp32", "tf32", "bf16_mixed", "bf16", "fp16_mixed")
METHODS = ("pretrain", "full", "lora")
OPTIMIZERS = ("adamw", "sgd")
RECOMPUTE = ("none", "full")
_OF_PICTURES = ("vit", "cnn")
_PICTURES = 8  # normalising over a batch needs more than one, and a processor can do eight
_SOURCE = "the trial's own set-up"


@dataclass(frozen=True)
class Flags:
    """The recipe as flags give it; None: the reference workload or a default of the trial says."""

    method: str | None = None
    precision: str | None = None
    optimizer: str | None = None
    seq_len: int | None = None
    image_size: int | None = None
    batch: int | None = None
    micro_batch: int | None = None
    recompute: str | None = None
    lora_rank: int | None = None


@dataclass(frozen=True)
class SetUp:
    """A workload as one device trains it. `layers`: how deep, None for networks without equal layers."""

    workload: Workload
    micro_batch: int
    accumulate: int
    recompute: str
    layers: int | None
    notes: tuple[str, ...] = ()
    code: Mapping[str, Any] | None = None  # of a network given as code: what its trace was told
    document: Mapping[str, Any] | None = None  # and the trace

    @property
    def batch(self) -> int:
        """Samples of one optimizer step."""
        return self.micro_batch * self.accumulate

    @property
    def in_tokens(self) -> bool:
        """Whether a sample is a sequence."""
        model = self.workload.model
        return model.family not in _OF_PICTURES and (self.code is None or "native_seq_len" in model.numbers)

    def with_layers(self, layers: int) -> SetUp:
        """The same, shallower. Layers that are not like the others keep their number."""
        model = self.workload.model
        numbers = {**model.numbers, "layers": float(layers)}
        if "window_layers" in numbers:
            numbers["window_layers"] = round(numbers["window_layers"] * layers / model.numbers["layers"])
        shallow = model.model_copy(update={"numbers": numbers})
        return replace(self, workload=self.workload.model_copy(update={"model": shallow}), layers=layers)

    def with_micro_batch(self, micro_batch: int) -> SetUp:
        """The same optimizer step in smaller passes."""
        return replace(self, micro_batch=micro_batch, accumulate=max(self.batch // micro_batch, 1))

    def inputs(self, accelerated: bool) -> Inputs:
        """The columns of network, recipe and layout."""
        found = of_workload(self.workload)

        def put(name: str, value: float | str) -> None:
            found.put(name, value, Kind.stated, _SOURCE)

        put("micro_batch", float(self.micro_batch))
        put("global_batch", float(self.batch))
        put("samples", float(self.batch))
        put("recompute", self.recompute)
        put("devices", 1.0)
        put("sharding", "none")
        put("flash_attention", 1.0)
        put("compiled", 0.0)
        put("foreach", float(accelerated))  # torch's AdamW goes one by one on a processor
        put("cal_decode_rate", 1e12)  # made-up pictures are not decoded
        if self.workload.model.family == "encoder":
            put("masked_head", 0.0)
        return found

    def spec(self, device: str, steps: int, need_bytes: float | None) -> dict[str, Any]:
        """What the child is told."""
        recipe = self.workload.recipe
        return {
            "family": self.workload.model.family,
            "numbers": self.workload.model.numbers,
            "device": device,
            "steps": steps,
            "need_bytes": need_bytes,
            "code": None if self.code is None else dict(self.code),
            "recipe": {
                "method": recipe.method,
                "precision": recipe.precision,
                "optimizer": recipe.optimizer,
                "seq_len": recipe.seq_len or 0,
                "image_size": recipe.numbers.get("image_size", 0.0),
                "lora_rank": recipe.numbers.get("lora_rank", 16.0),
                "micro_batch": self.micro_batch,
                "accumulate": self.accumulate,
                "recompute": self.recompute,
            },
        }


def set_up(
    catalogue: Catalogue, model: str | Model, flags: Flags, code: Mapping[str, Any] | None = None,
    samples: int | None = None,
) -> SetUp:  # fmt: skip
    """The set-up that flags describe; `code`: what the trace of a network given as code was told; `samples`
    of the example it has.

    Raises UserError for what trial cannot train (yet).
    """
    notes: list[str] = []
    micro, batch = _batches(flags)
    workload = workload_from_flags(
        catalogue, model, None, flags.method, flags.precision, flags.seq_len, batch
    )
    family, recipe = workload.model.family, workload.recipe
    builds = family in FAMILIES and (family != "traced" or code is not None)
    if not builds or (family == "cnn" and "blocks_1" not in workload.model.numbers):
        raise UserError(
            f"{workload.model.title}: trial cannot build networks of this kind yet ({family})",
            "It builds decoders, experts, encoders, vision transformers, ResNet and ConvNeXt.",
        )
    if micro is None and samples is not None:
        micro = batch = samples
        notes.append(f"A batch of {samples}, as in the example of the traced network.")
    if micro is None:
        micro = 1 if family not in _OF_PICTURES else _PICTURES
        batch = micro
        notes.append(f"A batch of {micro} is assumed: --batch and --micro-batch change it.")
    assert batch is not None  # noqa: S101 - both are given or neither
    optimizer = flags.optimizer or recipe.optimizer
    if flags.optimizer is None and optimizer not in OPTIMIZERS:
        optimizer = "adamw"
    numbers = {**recipe.numbers, "micro_batch": float(micro)}
    if family in _OF_PICTURES:
        native = workload.model.numbers.get("native_image_size")
        size = flags.image_size or numbers.get("image_size") or native
        if size is None:
            raise UserError(f"{workload.model.title}: no image size is known", "Give --image-size.")
        numbers["image_size"] = float(size)
    elif flags.image_size is not None and code is None:
        raise UserError(f"--image-size: {workload.model.title} sees no pictures", "Leave it away.")
    if flags.lora_rank is not None:
        numbers["lora_rank"] = float(flags.lora_rank)
    seq_len = _length(workload, flags, notes)
    recipe = recipe.model_copy(
        update={"optimizer": optimizer, "numbers": numbers, "seq_len": seq_len, "global_batch": float(batch)}
    )
    for what, word, known in (
        ("method", recipe.method, METHODS),
        ("precision", recipe.precision, PRECISIONS),
        ("optimizer", optimizer, OPTIMIZERS),
        ("recompute", flags.recompute or "none", RECOMPUTE),
    ):
        _check(what, word, known)
    layers = workload.model.numbers.get("layers")
    return SetUp(
        workload.model_copy(update={"recipe": recipe}), micro, batch // micro, flags.recompute or "none",
        None if layers is None else int(layers), tuple(notes), code,
    )  # fmt: skip


def _batches(flags: Flags) -> tuple[int | None, int | None]:
    """(micro-batch, batch), each as the other where one is not given."""
    micro, batch = flags.micro_batch or flags.batch, flags.batch or flags.micro_batch
    if micro and batch and batch % micro:
        raise UserError(
            f"--batch {batch} is no multiple of --micro-batch {micro}",
            f"Give for example --batch {max(batch // micro, 1) * micro}.",
        )
    return micro, batch


def _length(workload: Workload, flags: Flags, notes: list[str]) -> float | None:
    """Tokens of a sequence: no longer than the network has positions."""
    length, places = workload.recipe.seq_len, workload.model.numbers.get("positions")
    if length is None or not places or length <= places or workload.model.family in _OF_PICTURES:
        return length
    if flags.seq_len is not None:
        hint = f"--seq-len {places:g}"
        raise UserError(f"--seq-len {length:g}: {workload.model.title} has {places:g} positions", hint)
    notes.append(f"Sequences of {places:g} tokens, as many as the network has positions.")
    return places


def _check(what: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        hint = did_you_mean(word, known) or f"It is one of {', '.join(known)}."
        raise UserError(f"{what} {word!r} is not supported by trial yet", hint)
