"""The largest that fits: what is told fits and the next size does not; remedies only ever make room."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from advisor.app import load_knowledge
from advisor.cli.tell_largest import tell_largest
from advisor.estimate import evaluate_ranges
from advisor.estimate.inputs import of_accelerator, table_of
from advisor.search import largest as module
from advisor.search import workload_from_flags
from advisor.search.inputs import of_workload
from advisor.search.largest import REMEDIES, Largest, largest

KNOWN = load_knowledge()
H100 = of_accelerator(KNOWN.catalogue.accelerators["nvidia-h100-sxm5-80gb"])


def asked(model: str, **flags: object) -> dict[str, Largest]:
    workload = workload_from_flags(KNOWN.catalogue, model, **flags)
    return {one.remedy.name: one for one in largest(KNOWN.book, workload, H100)}


def test_what_is_told_fits_and_the_next_size_does_not() -> None:
    workload = workload_from_flags(KNOWN.catalogue, "gpt2-1558m", method="full", seq_len=1024)
    base = of_workload(workload).update(H100)
    sizes = module._doubled(1, module.MOST_SAMPLES)
    for one in largest(KNOWN.book, workload, H100):
        if one.micro_batch is None or one.micro_batch == sizes[-1]:
            continue
        following = sizes[sizes.index(one.micro_batch) + 1]
        rows = [
            module._row(KNOWN.book, base, one.remedy, float(n), None) for n in (one.micro_batch, following)
        ]
        found = evaluate_ranges(KNOWN.book, table_of(KNOWN.book, rows), ["memory_bytes", "memory_usable"])
        need, usable = found["memory_bytes"].value, found["memory_usable"].value
        assert need[0] <= usable[0] < need[1]


def test_remedies_make_room_and_the_sure_size_is_no_larger() -> None:
    found = asked("gpt2-1558m", method="full", seq_len=1024)
    plain = found["as it is"].micro_batch
    assert plain is not None
    for name, one in found.items():
        assert (one.micro_batch or 0) >= plain, name
        assert (one.sure_micro_batch or 0) <= (one.micro_batch or 0)
        assert (one.sure_seq_len or 0) <= (one.seq_len or 0)


def test_an_8b_needs_a_remedy_on_80_gb() -> None:
    found = asked("llama-3-8b", method="full")
    assert found["as it is"].micro_batch is None
    assert (found["LoRA"].micro_batch or 0) >= 1
    assert (found["sharded over 8 devices"].micro_batch or 0) >= 1


def test_positions_bound_the_length_and_pictures_have_none() -> None:
    found = asked("gpt2-124m", method="full")
    assert found["as it is"].seq_len == 1024
    assert found["as it is"].capped
    pictures = asked("resnet-50")
    assert all(one.seq_len is None for one in pictures.values())
    assert "LoRA" not in pictures
    assert "8-bit optimizer" not in pictures, "its recipe takes SGD"


def test_a_remedy_that_changes_nothing_is_left_out() -> None:
    found = asked("llama-3-8b", method="lora")
    assert "LoRA" not in found
    assert "LoRA, full recomputation" not in found
    assert "full recomputation" in found


def test_less_than_the_device_has_and_memory_that_is_not_known() -> None:
    workload = workload_from_flags(KNOWN.catalogue, "gpt2-124m", method="full")
    [half] = largest(KNOWN.book, workload, H100, 20e9, REMEDIES[:1])
    [whole] = largest(KNOWN.book, workload, H100, None, REMEDIES[:1])
    assert (half.micro_batch or 0) < (whole.micro_batch or 0)
    wafer = of_accelerator(KNOWN.catalogue.accelerators["cerebras-wse3"])
    [unknown] = largest(KNOWN.book, workload, wafer, None, REMEDIES[:1])
    assert unknown.micro_batch is None
    assert unknown.reason


def test_the_command_prints_the_table() -> None:
    command = [sys.executable, "-m", "advisor", "estimate", "--model", "gpt2-124m", "--method", "full"]
    done = subprocess.run(
        [*command, "--hardware", "nvidia-t4-16gb", "--largest", "--json"], capture_output=True, text=True,
        check=False, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {row["remedy"]: row for row in json.loads(done.stdout)["largest"]}
    assert rows["full recomputation"]["micro_batch"] > rows["as it is"]["micro_batch"] >= 1


def test_the_table_fits_in_80_columns_and_says_what_is_not_known() -> None:
    workload = workload_from_flags(KNOWN.catalogue, "gpt2-124m", method="full")
    out = io.StringIO()
    tell_largest(largest(KNOWN.book, workload, H100), "one card", 1024.0, Console(file=out, width=80))
    assert "full recomputation" in out.getvalue()
    assert "…" not in out.getvalue()
    out = io.StringIO()
    tell_largest([Largest(REMEDIES[0], reason="memory is not known")], "one card", None, Console(file=out))
    assert "memory is not known" in out.getvalue()


@pytest.mark.parametrize("most", [1, 7, 8, 100, 4096])
def test_sizes_grow_in_small_steps(most: int) -> None:
    sizes = module._doubled(1, most)
    assert sizes[0] == 1
    assert sizes[-1] <= most < sizes[-1] * 1.25 + 1
    assert all(b - a <= max(1, a / 4) for a, b in pairwise(sizes))
