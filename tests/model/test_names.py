# ruff: noqa: E501 - a spelling an item
"""Names of published networks -> presets: every shipped run, other spellings, and files that are wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.errors import DataError
from advisor.estimate import Table, evaluate
from advisor.model import preset_of
from advisor.model.names import UNKNOWN, fold, read_names
from advisor.rulebook import load_book

GOLDEN = Path(__file__).with_name("names_golden.tsv")  # family, name, preset of the shipped runs, read over

# Sources whose count is another than the preset's, and why that is the same network all the same.
OTHER_COUNTS = {
    "mT5 3B": "NeMo's nominal size; its configuration has the shape of mT5-XL",
    "BERT 4B": "rounded", "BERT 4b": "rounded",
    "Grok1 314B": "cut to a few layers by its runs",
    "MiniCPM-2B": "rounded, without embedding", "Baichuan2-13B": "rounded", "baichuan2_13b": "rounded",
    "Qwen1.5-0.5B": "rounded", "Qwen1.5-7B": "rounded", "Qwen-7B": "rounded", "qwen1.5-7b": "rounded",
    "inception_v3": "with the auxiliary classifier, which the preset leaves out",
    "googlenet": "5x5 convolutions where torchvision has 3x3",
    "swin_tiny": "mindcv's variant",
    "DiT-2B patch 2x2": "rounded",
    "FLOR-6.3B (continued pre-training of BLOOM-7.1B)": "a smaller vocabulary",
    "MPT-125m": "a learned position for every token of long sequences",
    "MPT-350m": "the same", "MPT-760m": "the same", "MPT-1b": "the same",
}  # fmt: skip


def shipped_runs() -> list[dict[str, Any]]:
    found = []
    for path in sorted((shipped("rules") / "evidence").glob("*.jsonl")):
        found += [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return found


@pytest.fixture(scope="module")
def runs() -> list[dict[str, Any]]:
    return shipped_runs()


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_every_shipped_run_is_named_or_told_why_not(runs: list[dict[str, Any]]) -> None:
    pairs = {(run["model"], run["family"]) for run in runs}
    assert len(pairs) > 400
    assert [pair for pair in sorted(pairs) if preset_of(*pair).reason == UNKNOWN] == []


def test_names_mean_what_they_did_when_they_were_read_over() -> None:
    lines = [line.split("\t") for line in GOLDEN.read_text("utf-8").splitlines()]
    changed = {(name, was, preset_of(name, family).preset) for family, name, was in lines}
    assert len(lines) > 400
    assert sorted(item for item in changed if item[1] != item[2]) == []


def test_sources_print_the_presets_parameters(runs: list[dict[str, Any]], catalogue: Catalogue) -> None:
    """A name that met the wrong preset would be off by more than rounding."""
    wrong, seen = {}, 0
    for run in runs:
        key = preset_of(run["model"], run["family"]).preset
        if key and run.get("params") and run["model"] not in OTHER_COUNTS:
            ratio = run["params"] / catalogue.published_params[key]
            seen += 1
            if not 0.945 < ratio < 1.055:
                wrong[run["model"], key] = round(ratio, 3)
    assert wrong == {}
    assert seen > 1500


def test_counted_work_agrees_with_printed_multiply_adds(
    runs: list[dict[str, Any]], catalogue: Catalogue
) -> None:
    """timm prints each network's multiply-adds beside its rate; ours were counted without looking."""
    ratios = {}
    book = load_book([shipped("rules")])
    for run in runs:
        printed = re.search(r"([\d.]+) GMACs", run.get("notes", ""))
        key = preset_of(run["model"], run["family"]).preset
        if printed and key:
            model = catalogue.models[key]
            size = {"image_size": run["image_size"], "method": "pretrain"}
            row = {"family": model.family, **model.numbers, **size}
            table = evaluate(book, Table.from_rows(book, [row]), ["model_flops_per_sample"])
            ratios[run["model"]] = (table.value("model_flops_per_sample") or 0.0) / 6e9 / float(printed[1])
    assert len(ratios) >= 45
    assert {name: ratio for name, ratio in ratios.items() if not 0.95 < ratio < 1.05} == {}


@pytest.mark.parametrize(
    ("name", "family", "preset"),
    [
        ("resnet50", "cnn", "resnet-50"), ("ResNet-50 v1.5", "cnn", "resnet-50"), ("ResNet50_ID4149", "cnn", "resnet-50"),
        ("bert-large-uncased", "encoder", "bert-large"), ("google-bert/bert-base-uncased", "encoder", "bert-base"),
        ("Llama-3.1-8B", "decoder", "llama-3-8b"), ("Llama3 8B", "decoder", "llama-3-8b"),
        ("meta-llama/Llama-3.1-8B-Instruct", "decoder", "llama-3-8b"), ("LLAMA2-70B", "decoder", "llama-2-70b"),
        ("GPT-2 XL", "decoder", "gpt2-1558m"), ("gpt2", "decoder", "gpt2-124m"), ("GPT-2 small", "decoder", "gpt2-124m"),
        ("Mixtral-8x7B", "moe-decoder", "mixtral-8x7b"), ("mixtral 8x22b instruct", "moe-decoder", "mixtral-8x22b"),
        ("Qwen/Qwen2.5-7B-Instruct", "decoder", "qwen2.5-7b"), ("Qwen3-30B-A3B", "moe-decoder", "qwen3-30b-a3b"),
        ("OPT-1.3B", "decoder", "opt-1.3b"), ("opt-13b", "decoder", "opt-13b"), ("DiT-XL/2", "diffusion", "dit-xl-2"),
        ("swin_base_patch4_window7_224", "vit", "swin-b"), ("Swin-T", "vit", "swin-t"),
        ("MPT-7b", "decoder", "mpt-7b"), ("GPT-3 175B", "decoder", "gpt-3-175b"), ("t5-base", "encoder-decoder", "t5-base"),
    ],
)  # fmt: skip
def test_other_spellings(name: str, family: str, preset: str) -> None:
    assert preset_of(name, family).preset == preset


def test_sizes_that_a_name_implies() -> None:
    assert preset_of("SSD300 ResNet-50", "cnn").image_size == 300
    assert preset_of("mT5 3B", "encoder-decoder").decoder_seq_len == 128
    assert preset_of("Llama 3 8B", "decoder").seq_len is None


def test_no_preset_is_told_with_its_reason() -> None:
    own = preset_of("GPT 181B (BLOOM topology search)", "decoder")
    assert (own.preset, "shape" in own.reason) == ("", True)
    assert preset_of("a network that nobody knows", "decoder").reason == UNKNOWN


@pytest.mark.parametrize("name", ["", "/", "///", "()", "x" * 10_000, "\x00", "Llama\n3", "🦙 8B"])
def test_absurd_names_are_only_unknown(name: str) -> None:
    assert preset_of(name, "decoder").reason == UNKNOWN


def test_folding_keeps_what_tells_sizes_apart() -> None:
    assert fold("OPT-1.3B") != fold("OPT-13B")
    assert fold("org/Name-7B-Instruct") == fold("name_7b") == "name7b"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ('pattern = "x"\npreset = "resnet-05"', "is no known model"),
        ('pattern = "x"', "Say why"),
        ('pattern = "("\nreason = "y"', "is no pattern"),
        ('reason = "y"', "is missing"),
        ('pattern = "x"\nreason = "y"\nimage_size = -1', "is no number above zero"),
        ('patern = "x"\nreason = "y"', "is no known key"),
    ],
)
def test_a_wrong_entry_names_file_and_key(
    tmp_path: Path, catalogue: Catalogue, entry: str, told: str
) -> None:
    path = tmp_path / "models.toml"
    path.write_text(f"[[model]]\n{entry}\n", "utf-8")
    with pytest.raises(DataError) as caught:
        read_names(path, catalogue)
    assert told in f"{caught.value.message} {caught.value.hint}"
    assert "models.toml" in str(caught.value)
