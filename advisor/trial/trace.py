"""Tracing a network of the user's own: which names mean one, the child that runs it, what it tells."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from advisor.calibrate.guard import Child, Deadline, Message
from advisor.calibrate.start import HIDDEN
from advisor.errors import AdvisorError, MissingLibrary, UserError
from advisor.model.traced import model_of_trace
from advisor.schema import Model, Workload

FOLDER = Path(__file__).resolve().parent / "tracing"
DEADLINE_S = 120.0
SEQ_LEN = 2048  # tokens of a sequence where nobody says and the network has no fewer places
PRESETS = ("decoder", "encoder", "vit", "cnn")  # experts look at their data: not followed without them
PRECISION, METHOD, OPTIMIZER = "bf16_mixed", "full", "adamw"
_FACTORY = re.compile(r"^(?P<where>[^:\s]+\.py|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):[A-Za-z_]\w*(?:\.\w+)*$")
_DOING = {
    "import torch": "importing torch",
    "import": "importing what the factory is in",
    "factory": "building the network (the factory did not return)",
    "trace": "one training step under fake tensors",
    "real run": "one small training step for real",
}
Say = Callable[[str], object]


@dataclass(frozen=True)
class TraceFlags:
    """How to trace. The recipe's words, as the trace is of one number format and one method."""

    inputs: tuple[str, ...] = ()
    python: str | None = None
    deadline_s: float = DEADLINE_S
    precision: str = PRECISION
    method: str = METHOD
    optimizer: str = OPTIMIZER
    lora_rank: int = 16
    seq_len: int = SEQ_LEN
    image_size: int = 0
    own: bool = False  # the kernels of the processors here, not those of accelerators
    folder: Path = field(default_factory=Path)


@dataclass(frozen=True)
class Traced:
    """A network as traced. `document`: the operator table and the memory, as the child tells them."""

    model: Model
    document: Message
    notes: tuple[str, ...]

    @property
    def seq_len(self) -> int | None:
        """Tokens of a sequence in the trace; None where it has no sequences."""
        length = self.model.numbers.get("native_seq_len")
        return None if length is None else int(length)


def is_factory(name: str | None) -> bool:
    """Whether `--model` names code: file.py:factory or package.module:factory."""
    return name is not None and _FACTORY.match(name) is not None


def refuse_code(name: str) -> None:
    """Raise UserError for code, where a command knows networks by name alone."""
    if is_factory(name):
        raise UserError(
            f"{name} is code, which this command does not run",
            f"hwadvisor estimate --model {name} traces it; hwadvisor models {name} shows its operators.",
        )


def trace_network(name: str, flags: TraceFlags, say: Say = lambda _: None) -> Traced:
    """Trace the factory or the config.json `name`. This runs code of the user's own.

    Raises UserError or MissingLibrary saying what was tried and what to change.
    """
    document = _run(name, flags, say)
    model = model_of_trace(name, document)
    notes = [f"Batch and loss of the trace: {', '.join(document['inputs'])}; {document['loss']}."]
    if not document["alike"]:
        notes.append(
            "Its operators differ with the batch: figures between the two batches are a straight line."
        )
    return Traced(model, document, (*notes, *map(str, document["notes"])))


def at_length(flags: TraceFlags, inputs: Sequence[str], length: int, tokens: int) -> TraceFlags:
    """The same with sequences of `tokens` in place of `length`: every dimension of that size is one."""
    told = []
    for text in inputs:
        name, equals, rest = text.rpartition("=")
        shape, _, dtype = rest.partition(":")
        sizes = [str(tokens) if size == str(length) else size for size in shape.split("x")]
        told.append(f"{name}{equals}{'x'.join(sizes)}:{dtype}")
    return replace(flags, inputs=tuple(told), seq_len=tokens)


def trace_preset(workload: Workload, python: str | None, *, own: bool) -> Message:
    """The document of the network that a trial trains for a preset (or a config.json read as one).

    Raises UserError or MissingLibrary where trial does not build it, or it cannot be traced.
    """
    model, recipe = workload.model, workload.recipe
    flags = TraceFlags(
        python=python,
        precision=recipe.precision,
        method="lora" if recipe.method in ("lora", "qlora") else METHOD,
        optimizer=recipe.optimizer,
        lora_rank=int(recipe.numbers.get("lora_rank", 16)),
        seq_len=int(recipe.seq_len or 0),
        image_size=int(recipe.numbers.get("image_size", 0)),
        own=own,
    )
    if model.family not in PRESETS or (model.family == "cnn" and "blocks_1" not in model.numbers):
        raise UserError(f"{model.title}: trial builds no network of this kind ({model.family})")
    spec = {**spec_of(model.id, flags), "kind": "preset", "family": model.family, "numbers": model.numbers}
    return _run(model.id, flags, lambda _: None, spec)


def _run(name: str, flags: TraceFlags, say: Say, spec: Mapping[str, Any] | None = None) -> Message:
    python = flags.python or sys.executable
    try:
        child = Child([python, str(FOLDER)], None, HIDDEN)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--python {python}: cannot be started: {reason}") from error
    try:
        child.send(dict(spec) if spec else spec_of(name, flags))
        return _listen(child, name, python, Deadline(flags.deadline_s), flags.deadline_s, say)
    finally:
        child.kill()


def spec_of(name: str, flags: TraceFlags) -> dict[str, Any]:
    """What the child is told: of a trace, and of a trial of the same network."""
    factory = is_factory(name)
    return {
        "kind": "factory" if factory else "config",
        "name": name if factory else str(Path(name).expanduser().resolve()),
        "folder": str(flags.folder.resolve()),
        "inputs": list(flags.inputs),
        "precision": flags.precision,
        "method": flags.method,
        "lora_rank": flags.lora_rank,
        "optimizer": flags.optimizer,
        "seq_len": flags.seq_len,
        "image_size": flags.image_size,
        "own": flags.own,
    }


def _listen(  # noqa: PLR0913, PLR0917 - who, what, until when
    child: Child, name: str, python: str, deadline: Deadline, limit_s: float, say: Say
) -> Message:
    """Messages of the child until it has traced, failed or run out of time."""
    doing = "import torch"
    while True:
        try:
            message = child.receive(deadline.left_s())
        except TimeoutError as error:
            raise UserError(
                f"{name}: {_DOING.get(doing, doing)} took longer than {limit_s:.0f} s and was ended",
                "If it is not stuck, give it longer with --trace-deadline.",
            ) from error
        if message is None:
            raise UserError(
                f"{name}: the tracing process {child.how_it_ended()}", "Run the factory by itself."
            )
        event = message["event"]
        if event == "stage":
            doing = str(message["stage"])
            say(f"{name}: {doing}")
        elif event == "hello" and not message["torch"]:
            raise MissingLibrary(
                f"torch cannot be used under {python}: {message['trouble']}",
                "pip install 'hwadvisor[torch]', or name a Python that has it with --python",
            )
        elif event == "failure":
            raise _failure(name, message)
        elif event == "traced":
            return message


def _failure(name: str, message: Message) -> AdvisorError:
    reason, hint = str(message["reason"]), str(message["hint"])
    text = reason if reason.startswith(name) else f"{name}: {reason}"
    return (MissingLibrary if message["status"] == "missing" else UserError)(text, hint)
