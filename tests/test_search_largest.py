"""The largest that fits: what is told fits and the next size does not; remedies only ever make room."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from few import shipped_knowledge
from rich.console import Console

from advisor.cli.tell_largest import tell_largest
from advisor.data.systems import load_systems
from advisor.estimate import evaluate_ranges
from advisor.estimate.inputs import Inputs, of_accelerator, table_of
from advisor.model.size import model_of_size
from advisor.schema import Kind
from advisor.search import largest as module
from advisor.search import workload_from_flags
from advisor.search.inputs import of_workload
from advisor.search.largest import Largest, largest
from advisor.search.remedies import PLAIN, Remedy, alone, together
from advisor.search.systems import Counted, place_of_system

KNOWN = shipped_knowledge()
H100 = of_accelerator(KNOWN.catalogue.accelerators["nvidia-h100-sxm5-80gb"])


RTX_4090 = of_accelerator(KNOWN.catalogue.accelerators["nvidia-rtx-4090-24gb"])
MODELS = KNOWN.catalogue.models


def asked(model: str, place: Inputs = H100, **flags: object) -> dict[str, Largest]:
    workload = workload_from_flags(KNOWN.catalogue, model, **flags)
    return {one.remedy.name: one for one in largest(KNOWN.book, workload, place, presets=MODELS)}


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
        assert (one.micro_batch or 0) >= plain * (0.75 if one.remedy.devices > 1 else 1), name
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


def test_adapters_are_offered_to_what_has_a_base_alone() -> None:
    lora, qlora = asked("llama-3-8b", method="lora"), asked("llama-3-8b", method="qlora")
    assert "LoRA" not in lora and "QLoRA" in lora
    assert not any("LoRA" in name for name in qlora)
    assert "full recomputation" in lora and "full recomputation" in qlora
    assert not any("LoRA" in name for name in asked("llama-3-8b", method="pretrain"))


def test_what_each_costs_is_told_and_the_cheapest_is_first() -> None:
    found = list(asked("gpt2-124m", RTX_4090, method="full", seq_len=1024).values())
    costs = [one.cost for one in found]
    assert found[0].remedy == PLAIN and costs[0] == 1
    assert None not in costs[1:] and costs[1:] == sorted(cost or 0 for cost in costs[1:])
    by_name = {one.remedy.name: one for one in found}
    assert (by_name["full recomputation"].cost or 0) > 1.1
    assert (by_name["sharded over 8 devices"].cost or 0) > 1


def test_remedies_go_together() -> None:
    found = asked("gpt2-124m", RTX_4090, method="full", seq_len=1024)
    both = found["fused loss, full recomputation"]
    each = max(found[name].micro_batch or 0 for name in ("fused loss", "full recomputation"))
    assert (both.micro_batch or 0) > 2 * each


def test_whole_training_of_an_8b_on_80_gb() -> None:
    found = asked("llama-3-8b", method="full")
    sets = [one for one in found.values() if one.remedy.devices == 1 and one.remedy.change < 2]
    fit = [one for one in sets if one.micro_batch and "offload" not in one.remedy.columns]
    assert found["plain bf16 weights"] in fit
    assert any(one.remedy.columns.get("optimizer") == "adamw_8bit" for one in fit)


def test_formats_that_a_device_lacks_are_no_remedy() -> None:
    v100 = of_accelerator(KNOWN.catalogue.accelerators["nvidia-v100-sxm2-32gb"])
    workload = workload_from_flags(KNOWN.catalogue, "gpt2-124m", method="full")
    assert "plain bf16 weights" in [one.name for one in alone(workload, H100)]
    assert "plain bf16 weights" not in [one.name for one in alone(workload, v100)]


def test_as_many_devices_as_are_asked_for() -> None:
    workload = workload_from_flags(KNOWN.catalogue, "gpt2-124m", method="full")
    found = largest(KNOWN.book, workload, H100, counts=(4,))
    assert {one.remedy.devices for one in found} == {1, 4}


def test_the_largest_network_of_the_family_fits_and_larger_ones_do_not() -> None:
    found = asked("llama-3-8b", method="full", seq_len=2048)
    plain, recomputed = found["as it is"], found["full recomputation"]
    assert plain.model is not None and 3e9 < (plain.model_params or 0) < 6e9
    assert (recomputed.model_params or 0) >= (plain.model_params or 0)
    assert (found["QLoRA"].model_params or 0) > (found["LoRA"].model_params or 0) > 10e9
    assert MODELS[plain.model].family == "decoder"


def test_a_network_of_known_size_alone_grows_by_its_weights() -> None:
    workload = workload_from_flags(KNOWN.catalogue, model_of_size(7e9), method="full")
    [plain] = largest(KNOWN.book, workload, H100, remedies=[PLAIN])
    assert plain.micro_batch is None
    assert 2e9 < (plain.model_params or 0) < 6e9


def test_sets_hold_no_nonsense() -> None:
    workload = workload_from_flags(KNOWN.catalogue, "gpt2-124m", method="full")
    for one in together(alone(workload, H100)):
        assert len(one.columns) > 1
        if "method" in one.columns:
            assert "optimizer" not in one.columns
    assert together([PLAIN, Remedy("fused loss", {"fused_loss": 1.0})]) == []


def test_less_than_the_device_has_and_memory_that_is_not_known() -> None:
    workload = workload_from_flags(KNOWN.catalogue, "gpt2-124m", method="full")
    [half] = largest(KNOWN.book, workload, H100, 20e9, [PLAIN])
    [whole] = largest(KNOWN.book, workload, H100, None, [PLAIN])
    assert (half.micro_batch or 0) < (whole.micro_batch or 0)
    wafer = of_accelerator(KNOWN.catalogue.accelerators["cerebras-wse3"])
    [unknown] = largest(KNOWN.book, workload, wafer, None, [PLAIN])
    assert unknown.micro_batch is None
    assert unknown.reason


def test_the_command_prints_the_table() -> None:
    command = [sys.executable, "-m", "advisor", "estimate", "--model", "gpt2-124m", "--method", "full"]
    done = subprocess.run(
        [*command, "--hardware", "nvidia-t4-16gb", "--largest", "--json"], capture_output=True, text=True,
        check=False, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    rows = {row["remedy"]: row for row in document["largest"]}
    assert rows["full recomputation"]["micro_batch"] > rows["as it is"]["micro_batch"] >= 1
    assert document["estimates"][0]["quantities"]["memory_bytes"]["value"] > 0, "the whole answer beside it"
    assert document["workloads"] and document["trace"]


OFFLOAD = Remedy("weights and states in the host's memory", {"offload": "params"})


def test_what_is_offloaded_is_told_and_bounded_by_a_host_that_is_known() -> None:
    """States of AdamW, gradients and fp32 weights of 8 B: 128 GB and more in the host's memory."""
    workload = workload_from_flags(KNOWN.catalogue, "llama-3-8b", method="full", seq_len=512)

    def offloaded(host: float | None) -> Largest:
        [one] = largest(KNOWN.book, workload, H100, remedies=[OFFLOAD], presets=MODELS, host=host)
        return one

    unknown, small, large = offloaded(None), offloaded(100e9), offloaded(2e12)
    assert unknown.host is not None and 128e9 < unknown.host < 256e9
    assert small.micro_batch is None and large.micro_batch == unknown.micro_batch
    assert (small.model_params or 0) < (large.model_params or 0)
    assert (small.model_host or 0) <= 100e9


@pytest.mark.parametrize(("host", "told"), [(None, "The host is not known"), (2e12, "host has 1,863 GiB")])
def test_the_table_says_what_is_known_of_the_host(host: float | None, told: str) -> None:
    workload = workload_from_flags(KNOWN.catalogue, "llama-3-8b", method="full", seq_len=512)
    out = io.StringIO()
    found = largest(KNOWN.book, workload, H100, remedies=[OFFLOAD], host=host)
    tell_largest(found, "one card", 512.0, Console(file=out, width=80), host=host)
    assert told in out.getvalue() and "a server must hold" in out.getvalue()


def test_processors_have_no_other_memory_to_offload_to() -> None:
    workload = workload_from_flags(KNOWN.catalogue, "gpt2-124m", method="full")
    own = Inputs()
    own.put("vendor", "cpu", Kind.probed, "test")
    assert any("offload" in one.columns for one in alone(workload, H100))
    assert not any("offload" in one.columns for one in alone(workload, H100.update(own)))


def test_a_systems_host_is_known() -> None:
    """The table of an estimate on it is bounded by what the vendor says of one server."""
    systems = load_systems(KNOWN.folders, KNOWN.catalogue)
    place = place_of_system(KNOWN.catalogue, Counted(systems["dgx-h100"], 1))
    assert place.host_bytes == systems["dgx-h100"].ram_bytes == 2e12


def test_the_table_fits_in_80_columns_and_says_what_is_not_known() -> None:
    workload = workload_from_flags(KNOWN.catalogue, "gpt2-124m", method="full")
    out = io.StringIO()
    found = largest(KNOWN.book, workload, H100, presets=MODELS)
    tell_largest(found, "one card", 1024.0, Console(file=out, width=80))
    assert "full recomputation" in out.getvalue()
    assert "…" not in out.getvalue()
    out = io.StringIO()
    tell_largest([Largest(PLAIN, reason="memory is not known")], "one card", None, Console(file=out))
    assert "memory is not known" in out.getvalue()


@pytest.mark.parametrize("most", [1, 7, 8, 100, 4096])
def test_sizes_grow_in_small_steps(most: int) -> None:
    sizes = module._doubled(1, most)
    assert sizes[0] == 1
    assert sizes[-1] <= most < sizes[-1] * 1.25 + 1
    assert all(b - a <= max(1, a / 4) for a, b in pairwise(sizes))
