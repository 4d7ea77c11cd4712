"""Recipes, data sets, pilots and own records on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.cli import cli
from advisor.cli.failures import run_guarded

Ran = Callable[..., str]
Advised = Callable[..., dict[str, Any]]

RECIPES = Path(__file__).resolve().parent.parent / "fixtures" / "recipes"
ON = ("--hardware", "8 x nvidia-h100-sxm5-80gb")
PILOT = {
    "id": "pilot-1", "source_date": "2026-10", "vendor": "nvidia", "accelerator": "A100-SXM4-80GB",
    "num_accelerators": 8, "framework": "PyTorch 2.6", "family": "decoder", "model": "llama-2-7b",
    "precision": "bf16_mixed", "method": "full", "optimizer": "adamw", "seq_len": 4096, "global_batch": 128,
    "micro_batch": 2, "sharding": "fsdp", "recompute": "full", "step_time_s": 42.0,
}  # fmt: skip


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ran:
    """Runs a command line; gives what stands on stdout, or on stderr where it fails."""

    def run(*words: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["hwadvisor", *words])
        capsys.readouterr()
        found = run_guarded(cli)
        printed = capsys.readouterr()
        assert found == code, printed.out + printed.err
        return printed.err if code else printed.out

    return run


@pytest.fixture
def advice(ran: Ran) -> Advised:
    """The envelope of an estimate."""
    return lambda *words: dict(json.loads(ran("estimate", *words, "--json")))


def said(document: dict[str, Any]) -> str:
    return " ".join(notice["message"] for notice in document["notices"])


def test_a_recipe_is_a_workload(advice: Advised) -> None:
    document = advice("--recipe", str(RECIPES / "llamafactory_lora_sft.yaml"), *ON)
    recipe, choices = document["workloads"][0]["recipe"], document["estimates"][0]["choices"]
    assert (recipe["method"], recipe["seq_len"], recipe["global_batch"]) == ("lora", 4096, 2 * 8 * 8)
    assert recipe["numbers"]["lora_rank"] == 16
    assert (choices["recompute"], choices["micro_batch"]) == ("full", "2")
    told = said(document)
    assert "Unknown keys, not read: my_own_switch." in told
    assert "by its name it is the preset llama-3-8b" in told
    assert "notes.jsonl" in told, "its data lie beside it and are counted"


def test_the_command_line_goes_before_a_recipe(advice: Advised) -> None:
    words = (
        "--workload",
        str(RECIPES / "llamafactory_lora_sft.yaml"),
        *ON,
        "--batch",
        "64",
        "--tokens",
        "1B",
    )
    recipe = advice(*words, "--model", "gpt2-124m", "--method", "full")["workloads"][0]["recipe"]
    assert (recipe["method"], recipe["global_batch"]) == ("full", 64)
    assert recipe["samples"] == pytest.approx(1e9 / 4096)


def test_a_recipe_without_a_layout_is_what_its_trainer_starts(
    tmp_path: Path, advice: Advised, ran: Ran
) -> None:
    """Weights, gradients and AdamW's states of 8 B in fp32 are 128 GB on each device: nothing cuts them."""
    job = tmp_path / "job.yaml"
    job.write_text(
        "model_name_or_path: llama-3-8b\nstage: sft\nfinetuning_type: full\ncutoff_len: 2048\n"
        "per_device_train_batch_size: 1\nbf16: true\n",
        "utf-8",
    )
    words = ("--recipe", str(job), *ON)
    ran("estimate", *words, code=1)  # does not fit
    fits = advice(*words, "--sharding", "fsdp")["estimates"][0]
    assert fits["fits"] is True and fits["choices"]["sharding"] == "fsdp"
    other = advice(*words, "--stack", "megatron")["estimates"][0]["choices"]
    assert other["sharding"] != "none" or other["tp"] != "1", "another trainer has its own ways"


def test_steps_are_samples_of_the_devices_at_hand(advice: Advised) -> None:
    document = advice("--recipe", str(RECIPES / "trl_sft.sh"), "--hardware", "4 x nvidia-h100-sxm5-80gb")
    recipe = document["workloads"][0]["recipe"]
    assert recipe["global_batch"] == 4 * 4 * 4
    assert recipe["samples"] == 1000 * 4 * 4 * 4
    assert "starts 8 processes" in said(document)


def test_a_plan_takes_the_launchers_batch(ran: Ran) -> None:
    words = ("plan", "--recipe", str(RECIPES / "trl_sft.sh"), "--only", "nvidia-h100-sxm5-80gb")
    printed = ran(*words, "--deadline", "9d", "--max-devices", "8", "--json")
    recipe = json.loads(printed)["workloads"][0]["recipe"]
    assert recipe["global_batch"] == 4 * 4 * 8
    assert recipe["samples"] == pytest.approx(1000 * 4 * 4 * 8)


def test_epochs_of_a_data_set(tmp_path: Path, advice: Advised) -> None:
    path = tmp_path / "a.txt"
    path.write_text("word " * 10_000, "utf-8")
    document = advice(
        "--model", "gpt2-124m", *ON, "--seq-len", "1024", "--dataset", str(path), "--epochs", "3"
    )
    assert document["workloads"][0]["recipe"]["samples"] == pytest.approx(3 * 50_000 / 3.94 / 1024)
    assert "times 3 epochs" in said(document)


LLAMA = ("--model", "llama-3-8b", "--hardware", "4 x nvidia-h100-sxm5-80gb", "--micro-batch", "2")
LORA = (*LLAMA, "--batch", "64", "--seq-len", "2048", "--method", "lora", "--recompute", "full")


def of_rows(advice: Advised, path: Path, *words: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    document = advice(*LORA, "--dataset", str(path), *words)
    return document["workloads"][0]["recipe"], document["estimates"][0]["quantities"], said(document)


def test_rows_of_a_data_set_packed_own_and_padded(tmp_path: Path, advice: Advised) -> None:
    """Short rows: packed they cost their tokens, padded a sequence each, and in their own length they make
    the allocator keep more."""
    path = tmp_path / "chat.jsonl"
    rows = [json.dumps({"text": "word " * (100 + 900 * (at % 2))}) for at in range(200)]
    path.write_text("\n".join(rows), "utf-8")
    packed, own, padded = (of_rows(advice, path, "--rows", way) for way in ("packed", "own", "padded"))
    assert "Text is packed into sequences of 2,048" in packed[2] and "padded to one length" in padded[2]
    assert "trained each in its own length" in own[2]
    samples = [found[0]["samples"] for found in (packed, own, padded)]
    assert samples[0] < samples[1] < samples[2] == 200, "padding of a pass, and of all"
    shares = [found[0]["numbers"].get("mean_length_share") for found in (packed, own, padded)]
    assert shares[0] is shares[2] is None and 0 < shares[1] < 1
    reserved = [found[1]["memory_bytes"] for found in (packed, own, padded)]
    assert reserved[0]["value"] == reserved[2]["value"] < reserved[1]["value"]
    assert own[1]["time_s"]["value"] < padded[1]["time_s"]["value"]
    stated = of_rows(advice, path, "--rows", "own", "--mean-length", "1024")
    assert stated[0]["numbers"]["mean_length_share"] == 0.5


def test_a_recipes_packing_holds_for_data_of_the_command_line(tmp_path: Path, advice: Advised) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps({"text": "word " * 100}) + "\n", "utf-8")
    recipe = tmp_path / "job.yaml"
    for key, told in (("packing: true", "packed into"), ("packing: false", "each in its own length")):
        recipe.write_text(f"model_name_or_path: meta-llama/Meta-Llama-3-8B\nstage: sft\n{key}\n", "utf-8")
        words = ("--recipe", str(recipe), *ON, "--dataset", str(path), "--batch", "64")
        assert told in said(advice(*words))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--model", "resnet-50", "--dataset", "TEXT"),
            "--dataset holds tokens, ResNet-50 is trained on images",
        ),
        (
            ("--model", "gpt2", "--dataset", "TEXT", "--tokens", "1B"),
            "--dataset and --tokens exclude each other",
        ),
        (("--model", "gpt2", "--epochs", "3"), "--epochs needs --dataset"),
        (("--model", "gpt2", "--rows", "own"), "--rows needs --dataset"),
        (("--model", "gpt2", "--dataset", "TEXT", "--rows", "pack"), "--rows 'pack' is none of packed, own"),
        (("--model", "gpt2", "--dataset", "TEXT", "--rows", "own"), "--rows own: a.txt has no rows of text"),
        (
            ("--model", "gpt2", "--dataset", "TEXT", "--rows", "packed", "--mean-length", "9"),
            "--rows packed and --mean-length exclude each other",
        ),
        (("--model", "gpt2", "--dataset", "nowhere.txt"), "there is no file nowhere.txt"),
        (("--model", "gpt2", "--like", "nowhere.jsonl"), "there is no file nowhere.jsonl"),
    ],
)
def test_what_does_not_go_together(ran: Ran, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("word " * 100, "utf-8")
    found = ran("estimate", *ON, *(str(path) if word == "TEXT" else word for word in words), code=2)
    assert told in " ".join(found.split())


def test_a_pilot_corrects_and_stands_in_the_trace(tmp_path: Path, advice: Advised) -> None:
    path = tmp_path / "pilot.jsonl"
    path.write_text(json.dumps(PILOT) + "\n", "utf-8")
    words = (
        *("--model", "llama-2-7b", "--hardware", "8 x nvidia-a100-sxm4-80gb", "--tokens", "1B"),
        *("--method", "full", "--batch", "128", "--seq-len", "4096", "--micro-batch", "2"),
        *("--sharding", "fsdp", "--recompute", "full", "--tp", "1", "--pp", "1"),
    )
    plain, like = advice(*words), advice(*words, "--like", str(path))
    step = "optimizer_step_s"
    before, after = (one["estimates"][0]["quantities"][step] for one in (plain, like))
    assert before["high"] < 42.0
    assert after["low"] < 42.0 < after["high"]
    assert after["high"] / after["low"] <= before["high"] / before["low"] * 1.01
    assert "Pilot pilot-1: measured 42 s" in said(like)
    steps = next(iter(like["trace"].values()))
    factor = next(one for one in steps if one["quantity"] == "neighbour_factor")
    assert factor["source"].startswith("own run pilot-1: x 1.9")
    assert like["estimates"][0]["near"][0]["id"] == "pilot-1"


def test_a_pilot_of_another_kind_has_no_say_and_is_told(tmp_path: Path, advice: Advised) -> None:
    path = tmp_path / "pilot.jsonl"
    path.write_text(json.dumps(PILOT) + "\n", "utf-8")
    words = ("--model", "resnet-50", "--hardware", "nvidia-h100-sxm5-80gb", "--tokens", "1M")
    plain, like = advice(*words), advice(*words, "--like", str(path))
    assert "not among the runs nearest to this one" in said(like)
    before, after = (one["estimates"][0]["quantities"]["time_s"]["value"] for one in (plain, like))
    assert after == pytest.approx(before, rel=0.01)
    near = ("--model", "llama-2-7b", "--hardware", "8 x nvidia-a100-sxm4-80gb", "--tokens", "1B")
    assert "not among the runs" not in said(advice(*near, "--method", "full", "--like", str(path)))


def test_validate_with_own_evidence(tmp_path: Path, ran: Ran) -> None:
    rows = [PILOT, PILOT | {"id": "pilot-2", "global_batch": 64, "step_time_s": 21.0}]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    alone = json.loads(ran("validate", str(path), "--json", "--quiet"))["rows"]
    beside = json.loads(ran("validate", str(path), "--evidence", str(tmp_path), "--json", "--quiet"))["rows"]
    for before, after in zip(alone, beside, strict=True):
        assert abs(after["error"]) < 0.5 * abs(before["error"])
    ran("validate", str(path), "--evidence", str(tmp_path), "--leave-out", "source", code=2)


@pytest.mark.usefixtures("few")
def test_a_scan_takes_a_recipe(tmp_path: Path, ran: Ran) -> None:
    words = ("scan", "--no-calibrate", "--format", "html", "--output", str(tmp_path), "--json")
    recipe = str(RECIPES / "llamafactory_lora_sft.yaml")
    document = json.loads(ran(*words, "--recipe", recipe))
    own = next(one for one in document["workloads"] if one["id"] == "own")
    assert (own["model"]["id"], own["recipe"]["method"]) == ("llama-3-8b", "lora")
    assert own["recipe"]["samples"] < 10, "its data are counted"
    text = tmp_path / "a.txt"
    text.write_text("word " * 100, "utf-8")
    ran(*words, "--model", "resnet-50", "--dataset", str(text), code=2)


def test_what_is_left_open_of_a_set_up_is_the_pilots(advice: Advised, tmp_path: Path) -> None:
    """At its own set-up a pilot says nearly its own figure, whichever layout a search would find better."""
    path = tmp_path / "pilot.jsonl"
    path.write_text(json.dumps(PILOT | {"tp": 1, "pp": 1, "micro_batch": 1, "step_time_s": 60.0}) + "\n")
    job = ("--model", "llama-2-7b", "--hardware", "8 x nvidia-a100-sxm4-80gb", "--seq-len", "4096",
           "--method", "full", "--tokens", "1e9", "--like", str(path))  # fmt: skip
    same = advice(*job, "--batch", "128")
    assert "As in the pilot, since nothing else is said: micro-batch 1, recompute full" in said(same)
    assert same["estimates"][0]["quantities"]["optimizer_step_s"]["value"] == pytest.approx(60, rel=0.03)
    for other in (("--batch", "64"), ("--batch", "128", "--recompute", "none")):
        assert "As in the pilot" not in said(advice(*job, *other))
