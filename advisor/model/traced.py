"""The document of a trace -> Model: sums of its operators by kind, and its memory as lines over the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from advisor.errors import DataError
from advisor.schema import Model

FAMILY = "traced"
KINDS = ("matrix", "attention", "convolution", "depthwise", "grouped", "recurrent")
_PIECES = 3  # lines of the backward pass's memory that the rules take
_STAGED = ("forward", "backward")
_PAIRS = (
    "count", "depth", "kept", "kept_again", "beside", "beside_line", "outside", "inside", "highest",
    "highest_line",
)  # fmt: skip
Document = Mapping[str, Any]
Row = Mapping[str, Any]


def model_of_trace(name: str, document: Document) -> Model:
    """The network that a trace describes. Raises DataError for a document that is none."""
    try:
        numbers = _numbers(document)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError.at(name, "trace", None, f"is no trace: {type(error).__name__} {error}") from error
    how = "traced" if document["mode"] == "fake" else "measured by hooks on a small real run"
    return Model(
        id=name,
        title=name,
        family=FAMILY,
        numbers=numbers,
        source=f"{how} from {name}, torch {document['torch']}, inputs {', '.join(document['inputs'])}",
    )


def _numbers(document: Document) -> dict[str, float]:
    rows: Sequence[Row] = document["operators"]
    memory = document["memory"]
    adapted = float(document["trainable"]) if document.get("adapted") else 0.0
    numbers = {
        "stated_params": float(document["parameters"]) - adapted,
        "stated_trainable": float(document["trainable"]),
    }
    for kind in KINDS:
        forward, backward = (_slope(rows, phase, (kind,), "flops") for phase in _STAGED)
        numbers[f"traced_{kind}_flops"] = forward
        numbers[f"traced_{kind}_back"] = backward / forward if forward else 0.0
    numbers |= _products([r for r in rows if r["phase"] == "forward" and r["kind"] == "matrix"])
    numbers["traced_matrix_params"] = float(document["linear_parameters"])
    numbers["traced_attention_count"] = float(_count(rows, ("attention",)))
    numbers |= _traffic(rows)
    numbers["traced_operators"] = float(_count(rows, None))
    numbers |= _memory(memory, document) | _held(document)
    numbers |= _sizes(document["inputs"])
    numbers |= _pairs(document.get("squares"), float(document["gradient_bytes"]))
    if document.get("beyond"):
        numbers["traced_most_samples"] = float(document["beyond"]["samples"])
    return numbers


def _pairs(squares: Mapping[str, Any] | None, gradients: float) -> dict[str, float]:
    """What goes over all pairs of samples, for the square of the batch; nothing where no operator does."""
    if not squares:
        return {}
    found = {f"traced_pairs_{name}": float(squares[name]) for name in _PAIRS}
    for name in ("flops", "moved"):
        forward, backward = (float(squares[f"{name}_{phase}"]) for phase in _STAGED)
        found[f"traced_pairs_{name}"] = forward
        found[f"traced_pairs_{name}_back"] = backward / forward if forward else 0.0
    found["traced_pairs_highest_fixed"] = float(squares["highest_fixed"]) - gradients
    found["traced_pairs_bytes"] = float(squares["bytes_forward"])
    return found


def at_lengths(models: Sequence[Model]) -> Callable[[float], dict[str, float]]:
    """The numbers of a network traced at three lengths, at any other: squares through the three."""
    known = [{**model.numbers, **_ends(model.numbers)} for model in models]
    (a, b, c) = (model.numbers["native_seq_len"] for model in models)

    def numbers(length: float) -> dict[str, float]:
        weights = (
            (length - b) * (length - c) / ((a - b) * (a - c)),
            (length - a) * (length - c) / ((b - a) * (b - c)),
            (length - a) * (length - b) / ((c - a) * (c - b)),
        )
        found = {}
        for name, first in known[0].items():
            values = [one.get(name, first) for one in known]
            same = max(values) == min(values)
            said = first if same else sum(w * v for w, v in zip(weights, values, strict=True))
            found[name] = said if name.endswith("_fixed") else max(said, 0.0)
        return found

    return numbers


def _ends(numbers: Mapping[str, float]) -> dict[str, float]:
    """Of the pieces of the backward pass's memory the flattest and the steepest: how many lie between them,
    and where, differs by length."""
    pieces = sorted(
        (numbers[f"traced_back_{at}"], numbers[f"traced_back_{at}_fixed"]) for at in range(1, _PIECES + 1)
    )
    found: dict[str, float] = {}
    for at, (slope, fixed) in enumerate((pieces[0], pieces[-1], pieces[-1]), 1):
        found |= {f"traced_back_{at}": slope, f"traced_back_{at}_fixed": fixed}
    return found


def _of(rows: Iterable[Row], phase: str, kinds: tuple[str, ...] | None) -> list[Row]:
    return [row for row in rows if row["phase"] == phase and (kinds is None or row["kind"] in kinds)]


def _slope(rows: Iterable[Row], phase: str, kinds: tuple[str, ...], figure: str) -> float:
    """For one more sample. Work that does not hang on the batch (a bias computed once) is one sample's."""
    found = _of(rows, phase, kinds)
    fixed, more = (max(float(sum(row[figure][at] for row in found)), 0.0) for at in (0, 1))
    return more + fixed if figure == "flops" else more


def _count(rows: Iterable[Row], kinds: tuple[str, ...] | None) -> int:
    return sum(int(row["count"]) for row in _of(rows, "forward", kinds))


def _products(rows: Sequence[Row]) -> dict[str, float]:
    """Shapes of the matrix products: harmonic means by FLOPs, as their losses go with one over the shape."""
    shaped = [row for row in rows if row["shape"]]
    weights = [row["flops"][0] + row["flops"][1] for row in shaped]
    total = sum(weights)

    def mean(at: int) -> float:
        sizes = [max(sum(row["shape"][at]), 1.0) for row in shaped]  # of one sample
        over = sum(weight / size for weight, size in zip(weights, sizes, strict=True))
        return total / over if over else 1.0

    return {
        "traced_matrix_rows": mean(0) if total else 1.0,
        "traced_matrix_columns": mean(1) if total else 1.0,
        "traced_matrix_depth": mean(2) if total else 1.0,
        "traced_matrix_count": float(sum(int(row["count"]) for row in rows)),
        "traced_matrix_bytes": max(sum(row["bytes"][1] for row in rows), 0.0),
        "traced_matrix_weights": max(sum(row["bytes"][0] for row in rows), 0.0),
    }


def _traffic(rows: Sequence[Row]) -> dict[str, float]:
    """What reads and writes and is no product."""
    others = tuple({row["kind"] for row in rows} - set(KINDS))
    forward, backward = (_slope(rows, phase, others, "bytes") for phase in _STAGED)
    fixed = max(sum(row["bytes"][0] for row in _of(rows, "forward", others)), 0.0)
    return {
        "traced_moved": forward,
        "traced_moved_fixed": fixed,
        "traced_moved_back": backward / forward if forward else 0.0,
    }


def _memory(memory: Mapping[str, Sequence[float]], document: Document) -> dict[str, float]:
    kept, inside, inputs = memory["kept"], memory["kept_inside"], memory["block_inputs"]
    found = {
        "traced_kept": kept[1],
        "traced_kept_fixed": max(kept[0], 0.0),
        "traced_kept_again": max(kept[1] - inside[1] + inputs[1], 0.0),
        "traced_kept_again_fixed": max(kept[0] - inside[0] + inputs[0], 0.0),
        "traced_block": max(memory["block"][1], 0.0),
        "traced_after": max(memory["kept_after"][1], 0.0),
    }
    beside = [most - own for most, own in zip(memory["working_all"], kept, strict=True)]
    for name, line in (
        ("beside", beside),
        ("outside", memory["working_outside"]),
        ("inside", memory["working_inside"]),
    ):
        found[f"traced_{name}"] = max(line[1], 0.0)
        found[f"traced_{name}_fixed"] = max(line[0], 0.0)
    gradients = float(document["gradient_bytes"])
    lines = [*document["phases"].get("backward", []), *[[gradients, 0.0]] * _PIECES][:_PIECES]
    for at, (fixed, slope) in enumerate(lines, 1):
        found[f"traced_back_{at}"] = slope
        found[f"traced_back_{at}_fixed"] = fixed - gradients
    return found


def _held(document: Document) -> dict[str, float]:
    """Bytes of what stands between steps: weights as the code makes them, buffers, copies autocast keeps."""
    adapters = float(document["gradient_bytes"]) if document.get("adapted") else 0.0
    trained, made = float(document["trainable"]), float(document["parameters"])
    made -= trained if adapters else 0.0
    found = {
        "traced_weight_width": (float(document["weight_bytes"]) - adapters) / made,
        "traced_buffers": float(document["buffer_bytes"]),
        "traced_copies": max(sum(document["memory"]["casts"]), 0.0),
    }
    if not adapters:  # adapters are as wide as their library makes them, which the rules know
        found["traced_trained_width"] = float(document["gradient_bytes"]) / trained
    return found


def _sizes(inputs: Sequence[str]) -> dict[str, float]:
    """Length of a sequence of whole numbers, or edge of an image: what recipes speak of."""
    found: dict[str, float] = {}
    for text in inputs:
        shape, _, dtype = text.rpartition("=")[2].partition(":")
        sizes = [int(size) for size in shape.split("x") if not size.endswith("B")]
        if dtype == "int64" and len(sizes) == 1 and "native_seq_len" not in found:
            found["native_seq_len"] = float(sizes[0])
        if dtype.startswith(("float", "bfloat")) and len(sizes) == 3 and sizes[0] <= 4 < sizes[1]:
            found["native_image_size"] = float((sizes[1] * sizes[2]) ** 0.5)
    return found
