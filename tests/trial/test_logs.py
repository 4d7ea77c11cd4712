"""Trainers' logs become records; whatever else is given ends in one line, never in a traceback."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from few import shipped_knowledge
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.errors import AdvisorError, DataError, UserError
from advisor.evidence.validate import judge
from advisor.trial.from_log import Said, record_of_log
from advisor.trial.logs import KINDS, read_log
from advisor.trial.logs.log import Steps

REPO = Path(__file__).parents[2]
KNOWN = shipped_knowledge()

# Lines as the programs print them (their sources are named in advisor/trial/logs); the figures are made up.
MEGATRON = (
    """------------------------ arguments ------------------------
  bf16 ............................................ True
  hidden_size ..................................... 4096
  micro_batch_size ................................ 1
  num_attention_heads ............................. 32
  num_layers ...................................... 32
  seq_length ...................................... 4096
  tensor_model_parallel_size ...................... 2
  recompute_granularity ........................... None
  use_distributed_optimizer ....................... True
  world_size ...................................... 8
"""
    + "".join(
        f" [2026-05-01 10:00:{i:02d}] iteration {i:8d}/     100 | consumed samples: {128 * i:12d} | "
        f"elapsed time per iteration (ms): {9000.0 if i == 1 else 5000.0 + i:.1f} | learning rate: 1.0E-06 | "
        f"global batch size:   128 | lm loss: 9.1E+00 |\n"
        for i in range(1, 21)
    )
    + "[Rank 0] (after 2 iterations) memory (MB) | allocated: 1.0 | max allocated: 51200.0 | reserved: 2.0\n"
)
TITAN = (
    "[rank0]:[titan] 2026-05-01 - root - INFO - CUDA capacity: NVIDIA H100 80GB HBM3 with 79.10GiB memory\n"
    "[rank0]:[titan] 2026-05-01 - root - INFO - Building 1-D device mesh with ['dp_shard'], [8]\n"
    "[rank0]:[titan] 2026-05-01 - root - INFO - Training starts at step 1, with local batch size 1, "
    "global batch size 8, sequence length 8192, total steps 100 (warmup 2).\n"
    + "".join(
        f"[rank0]:[titan] 2026-05-01 - root - INFO - \x1b[31mstep: {i:2d}  \x1b[32mloss:  7.1  "
        f"\x1b[33mmemory: 40.00GiB(50.57%)  \x1b[34mtps: {'900' if i == 1 else '6,000'}  "
        f"\x1b[36mtflops: 339.16  mfu: 34.29%\n"
        for i in range(1, 10)
    )
)
LLMC = (
    "| device                | NVIDIA A100-SXM4-40GB                              |\n"
    "| precision             | BF16                                               |\n"
    "| num_layers L          | 12                                                 |\n"
    "| channels C            | 768                                                |\n"
    "batch_size B=64 * seq_len T=1024 * num_processes=8 and total_batch_size=524288\n"
    + "".join(
        f"step {i:4d}/19560 | loss 10.1 (+nanz)| norm 15.1 (+nanz)| lr 8.57e-07 | "
        f"{900 if i == 1 else 310}.25 ms | 45.2% bf16 MFU | 1691234 tok/s\n"
        for i in range(1, 9)
    )
)
NANOGPT = (
    "tokens per iteration will be: 491,520\nnumber of parameters: 123.59M\n"
    "step 0: train loss 10.9, val loss 10.9\n"
    + "".join(f"iter {i}: loss 9.1, time {9000 if i == 0 else 250}.00ms, mfu 31.22%\n" for i in range(9))
)
STATE = json.dumps(
    {
        "global_step": 100, "train_batch_size": 4,
        "log_history": [
            {"loss": 2.0, "step": 50},
            {"step": 100, "train_runtime": 200.0, "train_samples_per_second": 16.0,
             "train_steps_per_second": 0.5},
        ],
    }
)  # fmt: skip
MONITOR = "epoch,step,train_loss,train|device|samples_per_sec,val_loss\n" + "".join(
    f"0,{i},1.0,{10 if i == 0 else 400},\n" for i in range(9)
)
LITGPT = "loss,iter,step,epoch,iter_time\n" + "".join(
    f"1.0,{i},{i // 4},0,{5.0 if i == 1 else 0.5}\n" for i in range(1, 41)
)
CLOCK = "time,step,loss\n" + "".join(f"{100 + 2.5 * i},{i * 5},1.0\n" for i in range(9))
MEGATRON_FLAGS = {"accelerator": "H100-SXM5-80GB", "model": None, "family": "decoder"}
FULL = {"accelerator": "A100-SXM4-80GB", "num_accelerators": 8, "precision": "bf16", "global_batch": 64,
        "seq_len": 1024}  # fmt: skip


def record(tmp_path: Path, text: str, model: str | None = None, **fields: object) -> dict[str, object]:
    """The record of a log of this text."""
    path = tmp_path / "log"
    path.write_text(text, encoding="utf-8")
    return record_of_log(path, Said(model, fields), KNOWN.catalogue)


def test_megatron(tmp_path: Path) -> None:
    found = record(tmp_path, MEGATRON, "llama-2-7b", accelerator="H100-SXM5-80GB")
    assert found["step_time_s"] == pytest.approx(5.0115)  # the first tenth, two slow ones, left out
    expected = {
        "global_batch": 128, "micro_batch": 1, "seq_len": 4096, "tp": 2, "num_accelerators": 8,
        "precision": "bf16", "sharding": "zero1", "recompute": "none", "peak_mem_gib": 50.0,
        "memory_kind": "allocated", "model": "llama-2-7b", "vendor": "nvidia",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_torchtitan_with_its_colours(tmp_path: Path) -> None:
    found = record(tmp_path, TITAN, "llama-3-8b", precision="bf16")
    expected = {
        "tokens_per_s_per_device": 6000.0, "accelerator": "NVIDIA H100 80GB HBM3", "num_accelerators": 8,
        "global_batch": 8, "seq_len": 8192, "peak_mem_gib": 40.0, "memory_kind": "reserved",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_runs_of_one_set_up_have_ids_of_their_own(tmp_path: Path) -> None:
    """The second log of a month would otherwise be refused as the first; the same log stays the same."""
    ids = [
        record(tmp_path, text, "llama-3-8b", precision="bf16")["id"]
        for text in (TITAN, TITAN.replace("6,000", "6,100"), TITAN)
    ]
    assert ids[0] == ids[2] != ids[1]


def test_torchtitan_numbers_its_device(tmp_path: Path) -> None:
    """`(0)` is which one of the server it is, no part of its name."""
    text = TITAN.replace("80GB HBM3 with", "80GB HBM3 (0) with")
    assert "(0)" in text
    found = record(tmp_path, text, "llama-3-8b", precision="bf16")
    assert found["accelerator"] == "NVIDIA H100 80GB HBM3"


def test_llm_c_says_all_of_its_set_up(tmp_path: Path) -> None:
    found = record(tmp_path, LLMC)
    assert found["step_time_s"] == pytest.approx(0.31025)
    expected = {
        "global_batch": 512,
        "seq_len": 1024,
        "layers": 12,
        "num_accelerators": 8,
        "precision": "bf16",
    }
    assert {name: found[name] for name in expected} == expected


def test_llm_c_is_a_gpt_2_on_replicas(tmp_path: Path) -> None:
    found = record(tmp_path, LLMC)
    assert (found["model"], found["tp"], found["pp"], found["recompute"]) == ("gpt2-124m", 1, 1, "none")
    assert record(tmp_path, LLMC.replace("| 768 ", "| 512 "))["model"] == "12l-512h"


def test_nanogpt_and_its_tokens(tmp_path: Path) -> None:
    known = {"accelerator": "A100-SXM4-40GB", "num_accelerators": 8, "precision": "bf16", "seq_len": 1024}
    found = record(tmp_path, NANOGPT, "gpt2-124m", **known)
    assert found["step_time_s"] == pytest.approx(0.25)
    assert found["global_batch"] == 480
    assert found["compile"] is False and found["recompute"] == "none", "it says so at the start"
    compiled = record(tmp_path, "compiling the model... (takes a ~minute)\n" + NANOGPT, "gpt2-124m", **known)
    assert compiled["compile"] is True
    cut = "\n".join(line for line in NANOGPT.splitlines() if line.startswith("iter"))
    assert "compile" not in record(tmp_path, cut, "gpt2-124m", **known, global_batch=480)


def test_the_trainer_of_a_finished_run(tmp_path: Path) -> None:
    known = {"accelerator": "RTX 4090", "num_accelerators": 1, "precision": "bf16", "seq_len": 512}
    found = record(tmp_path, STATE, "bert-base", **known)
    assert found["step_time_s"] == pytest.approx(2.0)
    assert (found["global_batch"], found["micro_batch"]) == (32, 4)
    checkpoint = json.dumps({"global_step": 50, "log_history": [{"loss": 2.0, "step": 50}]})
    with pytest.raises(DataError, match="tells no speed"):
        record(tmp_path, checkpoint)


def test_lightning_in_three_ways(tmp_path: Path) -> None:
    assert record(tmp_path, MONITOR, "gpt2-124m", **FULL)["samples_per_s_per_device"] == 400
    assert record(tmp_path, LITGPT, "gpt2-124m", **FULL)["step_time_s"] == pytest.approx(2.0)
    assert record(tmp_path, CLOCK, "gpt2-124m", **FULL)["step_time_s"] == pytest.approx(0.5)
    with pytest.raises(DataError, match="tells no speed"):
        record(tmp_path, "epoch,step,train_loss\n0,1,2.0\n")


def test_torchtitan_says_what_it_applies(tmp_path: Path) -> None:
    known = {"precision": "bf16_mixed"}
    head = "[titan] - Applied {} activation checkpointing to the model\n"
    model = (
        "[titan] - Compiling each TransformerBlock with torch.compile\n[titan] - Applied FSDP to the model\n"
    )
    told = record(tmp_path, head.format("selective") + model + TITAN, "llama-3-8b", **known)
    expected = {"recompute": "selective", "compile": True, "sharding": "fsdp", "tp": 1, "pp": 1, "cp": 1}
    assert {name: told.get(name) for name in expected} == expected
    assert "Not said" not in str(told["notes"])
    plain = record(tmp_path, "[titan] - Applied HSDP to the model\n" + TITAN, "llama-3-8b", **known)
    assert (plain["recompute"], plain["compile"], plain["sharding"]) == ("none", False, "hsdp")
    mesh = "Building 2-D device mesh with ['dp_shard', 'tp'], [4, 2]"
    both = TITAN.replace("Building 1-D device mesh with ['dp_shard'], [8]", mesh)
    assert (record(tmp_path, both, "llama-3-8b", **known)["tp"], both.count(mesh)) == (2, 1)


def test_what_neither_log_nor_flags_say_is_told(tmp_path: Path) -> None:
    notes = str(record(tmp_path, TITAN, "llama-3-8b", precision="bf16_mixed")["notes"])
    assert "Not said is recompute, none is counted: --recompute would say it." in notes
    assert "Not said is compile" in notes
    said = {"precision": "bf16_mixed", "recompute": "full", "compile": False}
    assert "Not said" not in str(record(tmp_path, TITAN, "llama-3-8b", **said)["notes"])
    assert "Not said is compile" not in str(record(tmp_path, MEGATRON, **MEGATRON_FLAGS)["notes"])


def test_formats_are_those_of_estimate(tmp_path: Path) -> None:
    """bf16 of a flag keeps weights in bf16, as everywhere; that of a log or a paper is autocast."""
    from advisor.evidence.inputs import shipped_reading

    reading = shipped_reading()
    for flag in ("bf16", "bf16_mixed", "fp16_mixed", "fp32", "tf32", "fp8_mixed"):
        written = record(tmp_path, MEGATRON, **{**MEGATRON_FLAGS, "precision": flag})["precision"]
        assert reading.word("precisions", str(written)) == flag
    assert reading.word("precisions", str(record(tmp_path, LLMC)["precision"])) == "bf16_mixed"


def test_accumulation_tells_the_samples_of_a_pass(tmp_path: Path) -> None:
    known = {
        "accelerator": "A100-SXM4-40GB",
        "num_accelerators": 8,
        "precision": "bf16_mixed",
        "seq_len": 1024,
    }
    assert record(tmp_path, NANOGPT, "gpt2-124m", **known, accumulate=5)["micro_batch"] == 12
    with pytest.raises(UserError, match="--accumulate 7: a batch of 480 on 8 devices"):
        record(tmp_path, NANOGPT, "gpt2-124m", **known, accumulate=7)


def test_a_flag_wins_over_the_log(tmp_path: Path) -> None:
    assert record(tmp_path, LLMC, num_accelerators=4)["num_accelerators"] == 4


def test_what_is_missing_is_asked_for_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        record(tmp_path, NANOGPT)
    for flag in ("--accelerator", "--num-accelerators", "--precision", "--model", "--seq-len"):
        assert flag in caught.value.hint
    with pytest.raises(UserError, match="H1000"):
        record(tmp_path, LLMC, accelerator="H1000")
    with pytest.raises(UserError, match="micro_batch"):
        record(tmp_path, LLMC, micro_batch=100_000)


@pytest.mark.parametrize(
    ("text", "model"), [(MEGATRON, "llama-2-7b"), (TITAN, "llama-3-8b"), (LLMC, None), (LITGPT, "gpt2-124m")]
)
def test_validate_takes_the_record(tmp_path: Path, text: str, model: str | None) -> None:
    known = {} if model is None else {"accelerator": "H100-SXM5-80GB", "precision": "bf16"}
    if text is LITGPT:
        known = FULL
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(record(tmp_path, text, model, **known)) + "\n", encoding="utf-8")
    rows = {row.quantity: row for row in judge(KNOWN.book, KNOWN.published, [path])}
    assert not rows["step_time_s"].refused
    assert rows["step_time_s"].predicted > 0


ANY_LOG = st.sampled_from([MEGATRON, TITAN, LLMC, NANOGPT, STATE, MONITOR, LITGPT, CLOCK])


@given(data=st.data(), text=ANY_LOG)
@settings(max_examples=150, deadline=None)
def test_a_damaged_log_gives_a_record_or_one_line(tmp_path_factory, data: st.DataObject, text: str) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    junk = data.draw(
        st.one_of(st.text(max_size=40), st.sampled_from(["9" * 400, "-1", "1e999", "nan", "{", "\0"]))
    )
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes((text[:start] + junk + text[end:]).encode("utf-8", "surrogatepass"))
    try:
        found = record_of_log(path, Said("gpt2-124m", FULL), KNOWN.catalogue)
    except AdvisorError as error:
        assert error.hint or error.message
        assert "\n" not in error.message
    else:
        assert any(
            name in found for name in ("step_time_s", "tokens_per_s_per_device", "samples_per_s_per_device")
        )


@given(text=st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_no_kind_is_upset_by_any_text(text: str) -> None:
    for kind in KINDS:
        kind.looks_like(text)
        kind.parse(text)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40))
def test_the_middle_lies_among_the_plausible(values: list[float]) -> None:
    steps = Steps.of(values)
    middle = steps.middle()
    assert (middle is None) == (not steps.values)
    if middle is not None:
        assert min(steps.values) <= middle <= max(steps.values)


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("binary", bytes(range(256)) * 50), ("prose", b"hello\nworld\n")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"no log that is known|is empty"):
            read_log(path)
    with pytest.raises(UserError):
        read_log(tmp_path)


def test_long_lines_cost_no_time(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_text("step: 1 " + "memory: 1GiB " * 100_000 + "\n|" + " " * 1_000_000 + "\n")
    with pytest.raises(DataError):
        read_log(path)


def test_the_command_prints_or_appends(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "advisor", "import", *arguments], capture_output=True, text=True,
            check=False, cwd=REPO,
        )  # fmt: skip

    log, out = tmp_path / "main.log", tmp_path / "own.jsonl"
    log.write_text(LLMC)
    done = run(str(log))
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)
    out.write_text('{"id": "before"}')  # without a line end
    assert run(str(log), "--save", str(out), "--date", "2026-05").returncode == 0
    before, line = (json.loads(line) for line in out.read_text().splitlines())
    assert before == {"id": "before"}
    assert line["step_time_s"] == first["step_time_s"]
    assert line["source_date"] == "2026-05"
    done = run(str(log), "--model", "gpt2-124")
    assert done.returncode == 2
    assert "gpt2-124m" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "is empty"),
        ('{"log_history": [{"step": 1', "is not valid JSON"),
        ("hello", "no log that is known"),
    ],
)
def test_what_is_no_log_is_told_apart(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "a.log"
    path.write_text(text)
    with pytest.raises(DataError, match=word) as caught:
        read_log(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("flag", "word"), [("precision", "bf17"), ("method", "lots"), ("sharding", "zeroth")]
)
def test_a_word_that_validate_would_not_know_is_refused(tmp_path: Path, flag: str, word: str) -> None:
    path = tmp_path / "a.log"
    path.write_text(MEGATRON)
    said = Said("llama-3-8b", {"accelerator": "H100-SXM5-80GB", flag: word})
    with pytest.raises(UserError, match=f"--{flag} '{word}' is not known here"):
        record_of_log(path, said, KNOWN.catalogue)


def test_a_log_in_utf_16_is_read_and_a_packed_one_told(tmp_path: Path) -> None:
    text = "tokens per iteration will be: 1,024\n" + "".join(
        f"iter {at}: loss 3.1, time 250.0ms, mfu 30%\n" for at in range(9)
    )
    path = tmp_path / "train.log"
    path.write_text(text, "utf-16")
    found = read_log(path)
    assert (found.framework, found.count, found.tokens_per_step) == ("nanoGPT", 9, 1024)
    path.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(DataError, match="is packed") as caught:
        read_log(path)
    assert "gunzip" in caught.value.hint
