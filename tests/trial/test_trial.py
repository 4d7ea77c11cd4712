"""Trials that really train, small ones on the processors; and those that are refused before they begin."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from few import shipped_knowledge
from rich.console import Console

from advisor.cli.trial import _document, _length, _tell
from advisor.errors import NothingFits, UserError
from advisor.evidence.validate import judge
from advisor.probe import detect
from advisor.schema import Cpu, Fact, Machine, Model, Status
from advisor.trial.record import append, records_of
from advisor.trial.setup import Flags, SetUp, set_up
from advisor.trial.told import Knows
from advisor.trial.walk import Options, check, run_trial

REPO = Path(__file__).parents[2]
needs_torch = pytest.mark.skipif(
    not any((Path(p) / "torch").is_dir() for p in sys.path), reason="training needs torch"
)
DECODER = Model(
    id="tiny", title="Tiny", family="decoder",
    numbers={"layers": 4, "hidden": 32, "heads": 4, "kv_heads": 2, "head_dim": 8, "ffn_hidden": 48,
             "ffn_matrices": 3, "norm_vectors": 1, "vocab": 64, "tied": 1, "positions": 0, "qkv_bias": 0,
             "linear_bias": 0},
)  # fmt: skip
CNN = Model(
    id="tiny-cnn", title="Tiny CNN", family="cnn",
    numbers={**{f"blocks_{i}": 1.0 for i in (1, 2, 3, 4)}, **{f"width_{i}": 8.0 * i for i in (1, 2, 3, 4)},
             "classes": 10, "native_image_size": 32, "unlike_resnet": 1},
)  # fmt: skip


@pytest.fixture(scope="module")
def knows() -> Knows:
    known = shipped_knowledge()
    return Knows(known.book, known.catalogue, known.published)


@pytest.fixture(scope="module")
def machine() -> Machine:
    """This machine, of which one thread is used: threads that spin for each other slow tests down."""
    found = detect(ask_frameworks=False)
    one = found.cpu.model_copy(update={"budget_threads": Fact(value=1, status=Status.ok)})
    return found.model_copy(update={"cpu": one})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("advisor.trial.run.GATE_S", 0.0)
    yield


def setup_of(knows: Knows, model: Model, **flags: object) -> SetUp:
    return set_up(knows.catalogue, model, Flags(**{"precision": "fp32", "batch": 2, **flags}))


@pytest.mark.slow
@needs_torch
def test_a_decoder_is_trained_and_measured_beside_its_estimate(
    knows: Knows, machine: Machine, tmp_path: Path
) -> None:
    setup = setup_of(knows, DECODER, seq_len=8)
    said: list[str] = []
    done = run_trial(knows, machine, setup, Options(steps=4, device="cpu"), said.append)
    [depth] = done.depths
    assert depth.step.samples == 4
    assert depth.parameters == 64 * 32 + 32 + 4 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32 + 64)
    assert depth.memory["process"] > 50e6
    assert depth.loss[1] < depth.loss[0]
    step, process = done.figures["step_s"], done.figures["process_bytes"]
    assert step.estimate is not None
    assert step.estimate.value is not None
    assert process.error is not None
    assert done.figures["allocated_bytes"].value is None
    assert done.figures["allocated_bytes"].reason
    if step.value is not None:
        assert done.figures["tokens_per_s"].value == pytest.approx(16 / step.value)
    assert any("Tiny" in text for text in said)

    document = json.loads(json.dumps(_document(done, records_of(done)), allow_nan=False))
    assert document["figures"]["process_bytes"]["value"] == depth.memory["process"]
    out = io.StringIO()
    _tell(done, Console(width=80, file=out))
    text = out.getvalue()
    assert "Peak, process" in text
    assert "…" not in text, "nothing is cut off at 80 columns"
    assert f"Grade {done.grade.value}" in text

    path = tmp_path / "own" / "r.jsonl"
    append(path, records_of(done))
    judged = {row.quantity: row for row in judge(knows.book, knows.published, [path])}
    assert not judged["peak_mem_gib"].refused
    assert judged["peak_mem_gib"].measured == pytest.approx(depth.memory["process"] / 2**30)
    assert ("step_time_s" in judged) == (depth.step.value is not None)


@pytest.mark.slow
@needs_torch
def test_a_cnn_is_trained(knows: Knows, machine: Machine) -> None:
    setup = setup_of(knows, CNN, image_size=32, recompute="full", optimizer="sgd")
    done = run_trial(knows, machine, setup, Options(steps=3, device="cpu"), lambda _text: None)
    assert done.depths[0].step.samples == 3
    assert "tokens_per_s" not in done.figures
    assert records_of(done)[0]["image_size"] == 32


@pytest.mark.slow
@needs_torch
def test_two_depths_are_trained_and_no_extrapolated_figure_becomes_a_record(
    knows: Knows, machine: Machine
) -> None:
    setup = setup_of(knows, DECODER, seq_len=8)
    options = Options(steps=3, device="cpu", layers=1)
    done = run_trial(knows, machine, setup, options, lambda _text: None)
    assert [depth.setup.layers for depth in done.depths] == [1, 2]
    assert done.depths[1].parameters > done.depths[0].parameters
    assert done.extrapolated
    assert any("extrapolated" in note for note in done.notes)
    assert {record["layers"] for record in records_of(done)} == {1, 2}


def small(machine: Machine, free: int) -> Machine:
    """The same machine with little memory left."""
    memory = machine.memory.model_copy(update={"available_bytes": Fact(value=free, status=Status.ok)})
    return machine.model_copy(update={"memory": memory})


@pytest.mark.slow
@needs_torch
def test_what_may_not_fit_is_not_begun_and_a_smaller_trial_is_offered(knows: Knows, machine: Machine) -> None:
    model = knows.catalogue.models["gpt2-1558m"]
    setup = set_up(knows.catalogue, model, Flags(precision="fp32", batch=64, seq_len=1024))
    said: list[str] = []
    with pytest.raises(NothingFits, match="may take up to") as caught:
        run_trial(knows, small(machine, 8 << 30), setup, Options(device="cpu"), said.append)
    assert caught.value.exit_code == 1
    assert "--layers" in caught.value.hint
    assert not said, "nothing was begun"


@pytest.mark.slow
@needs_torch
def test_the_child_looks_at_the_memory_itself(knows: Knows, machine: Machine, monkeypatch) -> None:
    setup = setup_of(knows, DECODER, seq_len=8)
    monkeypatch.setattr("advisor.trial.walk.require_room", lambda *_: 1e15)
    with pytest.raises(NothingFits, match="are free"):
        run_trial(knows, machine, setup, Options(steps=3, device="cpu"), lambda _text: None)


def test_flags_that_cannot_be(knows: Knows) -> None:
    def wrong(model: str, words: str, **flags: object) -> None:
        with pytest.raises(UserError, match=words) as caught:
            set_up(knows.catalogue, model, Flags(**flags))
        assert caught.value.hint

    wrong("gpt2-124m", "no multiple", batch=3, micro_batch=2)
    wrong("gpt2-124m", "fp8_mixed", precision="fp8_mixed")
    wrong("gpt2-124m", "qlora", method="qlora")
    wrong("gpt2-124m", "lion", optimizer="lion")
    wrong("gpt2-124m", "selective", recompute="selective")
    wrong("gpt2-124m", "1024 positions", seq_len=4096)
    wrong("gpt2-124m", "sees no pictures", image_size=224)
    wrong("gpt2-124", "unknown model")
    wrong("t5-base", "cannot build")
    wrong("densenet-121", "cannot build")


def test_depths_that_cannot_be(knows: Knows) -> None:
    decoder, cnn = setup_of(knows, DECODER, seq_len=8), setup_of(knows, CNN, image_size=32)
    for setup, layers in ((decoder, 3), (cnn, 1)):
        with pytest.raises(UserError, match="--layers"):
            check(replace(Options(), layers=layers), setup)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "advisor", "trial", *arguments], capture_output=True, text=True, check=False,
        cwd=REPO, timeout=120,
    )  # fmt: skip


def fails(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr
    assert not done.stdout
    for word in words:
        assert word in done.stderr


def test_bad_flags_on_the_command_line(tmp_path: Path) -> None:
    fails(run("--model", "gpt2-124"), "gpt2-124m")
    fails(run("--model", "gpt2-124m", "--steps", "1"), "--steps")
    fails(run("--model", "gpt2-124m", "--device", "gpux"), "no such device name")
    fails(run("--model", "gpt2-124m", "--save", str(tmp_path)), "--save")
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    bare.chmod(0o755)
    fails(run("--model", "gpt2-124m", "--python", str(bare)), "no torch")


@pytest.mark.slow
@needs_torch
def test_a_device_that_torch_does_not_see_is_an_error_never_a_cpu_run() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    done = run("--model", "gpt2-124m", "--steps", "3", "--device", "cuda")
    assert done.returncode == 2
    assert "sees no such device" in done.stderr
    assert "Training" not in done.stderr


def test_the_cpu_is_never_taken_silently_where_there_is_an_accelerator(knows: Knows) -> None:
    from advisor.schema import Device
    from advisor.trial.told import place_of

    machine = Machine(probed_at="", cpu=Cpu(), devices=(Device(vendor="nvidia"),))
    place = place_of(knows, machine, "cuda:0", "GPU-1", "Some card")
    assert place.vendor == "other"
    assert not place.is_cpu
    json.dumps(place.inputs.values)


def test_sequences_of_code_are_as_long_as_they_were_traced() -> None:
    code = Model(id="net.py:build", title="net", family="traced", numbers={"native_seq_len": 64.0})
    assert _length({"model": code.id, "seq_len": None}, code) == 64
    assert _length({"model": code.id, "seq_len": 64}, code) == 64
    with pytest.raises(UserError, match="has 64 tokens"):
        _length({"model": code.id, "seq_len": 2048}, code)
    pictures = code.model_copy(update={"numbers": {}})
    assert _length({"model": code.id, "seq_len": None}, pictures) is None
