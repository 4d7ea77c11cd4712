"""From a name to the document of a trace: under fake tensors where that goes, else on a small real run."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ..child.memory import resident
from . import lines, squares
from .adapting import OWN, adapt, has_adapters, targets
from .batch import of_example, of_flags
from .build import Built, Undo, call, converting, factory_of, failure_of, of_config, place, replace, running
from .failure import Failure
from .flexible import TOLD, flex_as_fused
from .held import buffer_bytes, formats_told
from .limits import check_size, hint_of, unknown_batch
from .record import NotOnCpu, Recorder
from .step import MIXED, blocks_of, run
from .vision import unchecked

FAKE_BATCHES = (2, 4)  # normalising over a batch needs more than one
REAL_BATCHES = (2, 3)
FAKE_MORE, REAL_MORE = (8, 16), (5, 8)  # where something may grow faster than the batch (squares.py)
_FEW = " and ".join(map(str, REAL_BATCHES))
_DATA = ("DataDependent", "DynamicOutputShape", "GuardOnDataDependent", "UnsupportedFakeTensor")
Send = Callable[[dict[str, object]], None]


def trace(spec: dict[str, Any], send: Send) -> None:
    """All of it; a failure is an event too."""
    try:
        send({"event": "traced", **_trace(spec, send)})
    except Failure as failure:
        send(
            {"event": "failure", "status": failure.status, "reason": str(failure), "hint": failure.hint}
        )  # fmt: skip


def _trace(spec: dict[str, Any], send: Send) -> dict[str, Any]:
    def stage(name: str) -> None:
        send({"event": "stage", "stage": name})

    began = time.perf_counter()
    stage("import")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # a network that looks at its data sees the same each time
        make = _imported(spec)
        notes: list[str] = []
        undo = Undo()
        unreal: Built | None = None
        try:
            stage("factory")
            with _fake():
                unreal = built = _prepared(_build_fake(make, notes), spec, undo)
                stage("trace")
                traces, told = _both(built, spec, FAKE_BATCHES)
                faster = _faster(built, spec, traces, (*FAKE_BATCHES, *FAKE_MORE))
            mode, batches, before = "fake", FAKE_BATCHES, resident()
        except (Failure, MemoryError):
            raise
        except Exception as error:  # whatever a module cannot do with tensors that hold nothing
            why = _why_not(error)
            stage("factory")
            undo()
            notes.clear()  # of a factory run in vain
            check_size(unreal, error, why, hangs_on_data(error))
            gc.collect()
            before = resident()  # with all imported, before anything is held for real
            built = _prepared(make(), spec)
            check_size(built, error, why, hangs_on_data(error))
            stage("real run")
            notes.append(
                f"Not traceable ({why}): hooks on a small real run of {_FEW} samples instead, {_seen(built)}."
            )
            try:
                traces, told = _both(built, spec, REAL_BATCHES)
                faster = _faster(built, spec, traces, (*REAL_BATCHES, *REAL_MORE))
            except Failure:
                raise
            except Exception as real:
                failed = failure_of("its training step", real)
                alike = type(real) is type(error) and str(real) == str(error)
                reason = str(failed) if alike else f"neither traceable ({why}) nor run for real: {failed}"
                raise Failure(failed.status, reason, hint_of(spec, built.module, failed)) from real
            mode, batches = "real", REAL_BATCHES
    found = _document(built, traces, batches)
    found["own"] = {
        "rows": lines.own_rows(traces[0].events, traces[1].events, batches),
        "views": traces[1].views,
        "process": before,
    }
    found |= faster
    found["notes"] = [*notes, *built.notes, *TOLD, *filter(None, [squares.note_of(faster)])]
    found.update(mode=mode, loss=told, torch=str(torch.__version__), seconds=time.perf_counter() - began)
    return found


def _imported(spec: dict[str, Any]) -> Callable[[], Built]:
    """What makes the network, once all that it needs is imported."""
    flex_as_fused()
    make = _maker(spec)
    gc.freeze()  # what was imported is there to stay: looking through it again takes a tenth of a trace
    gc.enable()
    return make


def _maker(spec: dict[str, Any]) -> Callable[[], Built]:
    name = str(spec["name"])
    if spec["kind"] == "preset":
        return lambda: _of_preset(spec)
    if spec["kind"] == "config":
        of = of_config(name, int(spec["seq_len"]), int(spec["image_size"]))
        return lambda: running("building the network", of)
    factory = factory_of(name, str(spec["folder"]))
    return lambda: call(factory, name)


def _of_preset(spec: dict[str, Any]) -> Built:
    """The network that a trial trains for the numbers of a preset, with its own loss."""
    from ..child.training import FAMILIES

    numbers = {str(name): float(value) for name, value in spec["numbers"].items()}
    size = spec["image_size"] if spec["family"] in ("vit", "cnn") else spec["seq_len"]
    network: Any = FAMILIES[str(spec["family"])](numbers, int(size), False)
    return Built(network, of_example(network.data(2, "cpu")), None, [])


@contextlib.contextmanager
def _fake() -> Iterator[None]:
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cpu"), converting(), unchecked():
        yield


def _build_fake(make: Callable[[], Built], notes: list[str]) -> Built:
    """With weights that hold nothing; where the factory looks at numbers, with less of them unreal."""
    from torch.utils._python_dispatch import _disable_current_modes

    try:
        return make()
    except Failure as failure:
        if failure.status != "raised":
            raise
    except Exception:  # noqa: S110 - tried again below, where it is told
        pass
    with _disable_current_modes():
        try:
            with torch.device("meta"):
                return make()
        except Exception:  # noqa: S110
            pass
        with torch.device("cpu"):
            built = make()
    notes.append("The factory looks at its weights: it was run with real ones.")
    return built


def _prepared(built: Built, spec: dict[str, Any], undo: Undo | None = None) -> Built:
    """With the batch of --input, adapters, and the weights' format of the recipe. `undo` learns how to put
    the network back: a factory may return the same one again.
    """
    if undo is not None:
        undo.learn(built.module)
    if spec["inputs"]:
        built.batch = of_flags([str(text) for text in spec["inputs"]])
    if built.batch is None:
        raise unknown_batch(built.module)
    _set_training(built)
    named = targets(built.module, blocks_of(built.module))
    built.linear = sum(w.numel() for name in named for w in built.module.get_submodule(name).parameters())
    precision = str(spec["precision"])
    lora = spec["method"] in ("lora", "qlora")
    owns = lora and has_adapters(built.module)
    built.notes += [OWN] if owns else []
    if lora and not owns:
        replace(built.module, torch.bfloat16 if precision in ("bf16", *MIXED) else None)
        built.module, told = adapt(built.module, blocks_of(built.module), int(spec["lora_rank"]))
        built.adapted = True
        built.notes += told
    else:
        replace(built.module, torch.bfloat16 if precision == "bf16" else None)
        built.notes += filter(None, [formats_told(built.module) if precision != "bf16" else ""])
    return built


def _set_training(built: Built) -> None:
    """Training mode, but for parts that the factory has set to evaluate (frozen normalisations)."""
    if not built.module.training:
        built.module.train()
        return
    fixed = [part for part in built.module.modules() if not part.training and not any(part.children())]
    if fixed:
        kinds = ", ".join(sorted({type(part).__name__ for part in fixed})[:4])
        built.notes.append(f"{len(fixed)} layers are in evaluation mode and stay in it: {kinds}.")


def _seen(built: Built) -> str:
    """What the network looked at in a real run."""
    if built.batch is not None and built.batch.known():
        return "with the factory's own weights and example"
    return "on made-up numbers, as no example tells others"


def _both(
    built: Built, spec: dict[str, Any], batches: tuple[int, int]
) -> tuple[tuple[Recorder, Recorder], str]:
    """Traces of two batches. Where tensors with several rows of each sample (patches of pictures) do not go
    with the others at other batches than the example's, they grow with the samples too.
    """
    assert built.batch is not None  # noqa: S101 - _prepared sees to it
    try:
        return _pair(built, spec, batches)
    except (Failure, MemoryError):
        raise
    except Exception as error:
        plain, packed = built.batch, built.batch.packed()
        if packed is None or type(error).__name__.startswith(_DATA):
            raise
        built.batch = packed
        built.module.zero_grad()
        try:
            return _pair(built, spec, batches)
        except Exception:
            built.batch = plain
            raise error from None


def _pair(
    built: Built, spec: dict[str, Any], batches: tuple[int, int]
) -> tuple[tuple[Recorder, Recorder], str]:
    blocks = blocks_of(built.module)
    assert built.batch is not None  # noqa: S101
    found: list[Recorder] = []
    told = ""
    precision, optimizer = str(spec["precision"]), str(spec["optimizer"])
    for samples in (*batches, batches[0]):
        if len(found) == len(batches) and lines.alike(found[0].events, found[1].events):
            break  # else what was made once and kept (a table of places) may be all that differs
        torch.manual_seed(0)  # what hangs on chance falls alike at each batch
        try:
            recorder, told = run(
                built.module, blocks, built.batch, samples, precision, optimizer, built.loss,
                own=bool(spec.get("own")), known=found[0] if found else None,
            )  # fmt: skip
        except NotOnCpu as error:
            hint = "Leave tensors on the device of its inputs (x.device), not on a named one."
            raise Failure("cuda", f"its forward pass puts tensors on {error}", hint) from error
        except AssertionError as error:
            failure = failure_of("its training step", error)
            if failure.status == "cuda":
                raise failure from error
            raise
        found.append(recorder)
        gc.collect()
    again = found.pop() if len(found) > len(batches) else None
    if again is not None and lines.alike(again.events, found[1].events):
        found[0] = again
    return (found[0], found[1]), told


def _faster(
    built: Built, spec: dict[str, Any], traces: tuple[Recorder, Recorder], batches: squares.Batches
) -> dict[str, Any]:
    """What grows faster than the batch, taken off the traces where the document can tell it."""
    if not squares.suspected(traces[0].events, traces[1].events, batches[:2]):
        return {}
    more, _ = _both(built, spec, batches[2:])
    return squares.told([*traces, *more], batches, fake=batches[2:] == FAKE_MORE)


def hangs_on_data(error: Exception) -> bool:
    """Whether it is for want of numbers that a step under fake tensors failed."""
    return type(error).__name__.startswith(_DATA) or "meta tensors" in str(error)


def _why_not(error: Exception) -> str:
    name = type(error).__name__
    if hangs_on_data(error):
        return f"control flow or shapes hang on the data{place(error)}: {name}"
    return f"{name}: {str(error).strip().partition(chr(10))[0][:200]}"


def _document(built: Built, traces: tuple[Recorder, Recorder], batches: tuple[int, int]) -> dict[str, Any]:
    first, second = (t.events for t in traces)
    weights = list(built.module.parameters())
    assert built.batch is not None  # noqa: S101

    def of(figure: Callable[[Recorder], float]) -> list[float]:
        return lines.line(figure(traces[0]), figure(traces[1]), batches)

    return {
        "batches": list(batches),
        "inputs": built.batch.told(),
        "samples": built.batch.samples,
        "alike": lines.alike(first, second),
        "parameters": sum(w.numel() for w in weights),
        "trainable": sum(w.numel() for w in weights if w.requires_grad),
        "gradient_bytes": sum(w.numel() * w.element_size() for w in weights if w.requires_grad),
        "adapted": built.adapted,
        "weight_bytes": sum(w.numel() * w.element_size() for w in weights),
        "buffer_bytes": buffer_bytes(built.module),
        "blocks": len(blocks_of(built.module)),
        "sizes": sorted({size for w in [*weights, *built.module.buffers()] for size in w.shape}),
        "linear_parameters": built.linear,
        "operators": lines.table(first, second, batches),
        "phases": lines.phases(first, second, batches),
        "memory": {
            "kept": of(lambda t: t.kept),
            "kept_inside": of(lambda t: sum(t.kept_inside.values())),
            "block": of(lambda t: max(t.kept_inside.values(), default=0)),
            "kept_after": of(lambda t: t.kept - t.kept_so_far),
            "block_inputs": of(lambda t: t.block_inputs),
            "casts": of(lambda t: t.casts_peak),
            **{f"working_{k}": v for k, v in lines.working(first, second, batches).items()},
        },
    }
