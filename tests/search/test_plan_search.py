"""The search of a plan: as right as the plain evaluator, as good as trying everything."""

from __future__ import annotations

import numpy as np
import pytest

from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.estimate import evaluate
from advisor.published import FILE, Published, load_published
from advisor.rulebook import RuleBook, load_book
from advisor.schema import Workload
from advisor.search import workload_from_flags
from advisor.search.grid import Stated
from advisor.search.layouts import Index, Mask
from advisor.search.nearby import with_neighbours
from advisor.search.plan_groups import fastest
from advisor.search.plan_memory import LEAN, TRIED, WORTH_TRYING, shares_of
from advisor.search.plan_product import Array
from advisor.search.plan_search import inputs_of, search
from advisor.search.plan_set_ups import CODES
from advisor.search.plan_space import Space
from advisor.search.plan_taste import Taste

FEW = ("nvidia-h100-sxm5-80gb", "nvidia-rtx-4090-24gb", "aws-trainium2")


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_book([shipped("rules")])


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def published() -> Published:
    return load_published(shipped("rules") / FILE)


def job_of(catalogue: Catalogue, model: str, method: str = "pretrain", **flags: float) -> Workload:
    return workload_from_flags(catalogue, model, tokens=1e10, method=method, **flags)  # type: ignore[arg-type]


def space_of(book: RuleBook, catalogue: Catalogue, job: Workload, most: int, *names: str) -> Space:
    return Space(book, job, [catalogue.accelerators[name] for name in names or FEW], most)


def shares(space: Space) -> Array:
    """Of every pair the share of its device's memory."""
    every = np.arange(len(space.set_ups))
    return shares_of(space, space.product, space.device, every, space.set_up)


@pytest.mark.parametrize(("model", "method"), [("llama-3-8b", "lora"), ("mixtral-8x7b", "full")])
def test_what_is_computed_on_one_side_is_what_the_evaluator_says(
    book: RuleBook, catalogue: Catalogue, model: str, method: str
) -> None:
    space = space_of(book, catalogue, job_of(catalogue, model, method), 16)
    every = np.arange(0, len(space.device), 7)
    device, set_up = space.device[every], space.set_up[every]
    wanted = ("memory_bytes", "time_s")
    plain = evaluate(book, inputs_of(space, device, set_up), wanted)
    quick = space.product.evaluate(wanted, device, set_up)
    for name in wanted:
        np.testing.assert_allclose(quick[name], plain.columns[name], rtol=1e-12)


def taken(need: Array, sure: Mask, offloads: Mask, time: Array, groups: Index) -> Mask:
    """What may compete of each group: what surely fits unless the rest is much faster, else the leaner;
    offloading only where all must."""
    out = np.zeros(len(need), dtype=bool)
    for group in np.unique(groups):
        rows = np.flatnonzero((groups == group) & (need <= 1))
        rows = rows[~offloads[rows]] if (~offloads[rows]).any() else rows
        tight = rows[~sure[rows] & (need[rows] <= TRIED) & ~offloads[rows]]
        if sure[rows].any():
            rows = rows[sure[rows]]
        elif len(rows):
            rows = rows[need[rows] <= LEAN * need[rows].min()]
        if len(tight) and WORTH_TRYING * time[tight].min() <= time[rows].min():
            rows = tight
        out[rows] = True
    return out


@pytest.mark.parametrize(("model", "method"), [("llama-3-8b", "lora"), ("mixtral-8x7b", "full")])
def test_nothing_better_is_lost_than_one_per_cent(
    book: RuleBook, catalogue: Catalogue, published: Published, model: str, method: str
) -> None:
    job = job_of(catalogue, model, method)
    devices = [catalogue.accelerators[name] for name in FEW]
    found = search(book, job, devices, published, 8, taste=Taste(1.0, 1.0, 1.0))
    got = evaluate(book, found.near.table, ("calendar_s",)).columns["calendar_s"]
    space = found.space
    everything = inputs_of(space, space.device, space.set_up)
    share, worst = (
        evaluate(book, everything, ("memory_bytes", "memory_usable", "time_s"), scenario).columns
        for scenario in ("middle", "pessimistic")
    )
    need = share["memory_bytes"] / share["memory_usable"]
    sure = worst["memory_bytes"] <= worst["memory_usable"]
    every_group = space.group_of(space.device, space.set_up)
    offloads = space.set_ups["offload"][space.set_up] > 0
    fits = np.flatnonzero(taken(need, sure, offloads, share["time_s"], every_group))
    names = [space.devices[row].id for row in space.device[fits]]
    near = with_neighbours(book, published, everything.take(fits), [job.model.id] * len(fits), names)
    all_times = evaluate(book, near.table, ("calendar_s",)).columns["calendar_s"]
    groups = space.group_of(space.device[fits], space.set_up[fits])
    best = fastest(groups, all_times)
    np.testing.assert_array_equal(space.group_of(found.device, found.set_up), groups[best])
    assert (got >= all_times[best] * (1 - 1e-12)).all()
    assert (got <= all_times[best] * 1.01).all()


def test_more_devices_never_get_a_larger_batch(book: RuleBook, catalogue: Catalogue) -> None:
    space = space_of(book, catalogue, job_of(catalogue, "llama-3-8b", batch=64), 4096)
    found = space.set_ups
    together = found.replicas * found["micro_batch"]
    assert len(found) > 100
    assert (64 % together == 0).all()
    told = evaluate(book, inputs_of(space, space.device, space.set_up), ("step_batch",))
    assert set(told.columns["step_batch"]) == {64.0}


def test_counts_stay_within_published_scale_and_whole_packages(book: RuleBook, catalogue: Catalogue) -> None:
    job = job_of(catalogue, "llama-3-8b")
    names = ("nvidia-rtx-4090-24gb", "aws-trainium2", "nvidia-rtx-4090-laptop-16gb", "nvidia-h100-sxm5-80gb")
    space = space_of(book, catalogue, job, 16384, *names)
    found = space.set_ups
    for row, name in enumerate(names):
        mine = space.set_up[space.device == row]
        counts = set(found["devices"][mine])
        if name == "nvidia-rtx-4090-24gb":  # cards are not cut over, and no more than a server holds
            assert counts == {1.0, 2.0, 3.0, 4.0, 6.0, 8.0}
            assert set(found["tp"][mine] * found["pp"][mine]) == {1.0}
        elif name == "aws-trainium2":
            assert min(counts) == catalogue.accelerators[name].devices_per_package
        elif "laptop" in name:
            assert counts == {1.0}
        else:
            assert max(counts) == 8192
            assert max(found["tp"][mine]) == 8


def rank_of(  # noqa: PLR0917 - a layout's parts
    book: RuleBook, catalogue: Catalogue, job: Workload, name: str, devices: int, tp: int, pp: int, micro: int
) -> float:
    """Share of the layouts of a published run's time that our own estimate puts before the published one.

    Of its time: Megatron with full recomputation, no interleaving, states whole or cut over replicas.
    """
    space = Space(book, job, [catalogue.accelerators[name]], counts=[devices])
    memory = space.product.evaluate(("memory_bytes",), space.device, space.set_up)["memory_bytes"]
    found = {key: values[space.set_up] for key, values in space.set_ups.columns.items()}
    of_its_time = (found["stack"] == 1) & (found["vpp"] == 1) & (found["sharding"] < 2)
    of_its_time &= found["recompute"] == CODES["recompute"].index("full")
    of_its_time &= memory <= space.product.on_device("memory_usable")[0]
    time = space.product.evaluate(("time_s",), space.device, space.set_up)["time_s"]
    mine = of_its_time & (found["tp"] == tp) & (found["pp"] == pp) & (found["micro_batch"] == micro)
    assert mine.sum() == 1, "the published layout is among those tried, and fits"
    assert of_its_time.sum() > 40
    return float((time[of_its_time] < time[mine][0]).mean())


@pytest.mark.parametrize(
    ("model", "name", "devices", "batch", "layout"),
    [
        # arXiv:2211.05100 section 3.4.1 and the topology search before it
        ("bloom-176b", "nvidia-a100-sxm4-80gb", 384, 2048, (4, 12, 2)),
        # arXiv:2205.05198 and arXiv:2104.04473: 175 B on 1,024 A100
        ("gpt-3-175b", "nvidia-a100-sxm4-80gb", 1024, 1536, (8, 8, 1)),
        # the two fastest of the sweep of VIA-Research/vTrain on 512 A100
        ("gpt-3-175b", "nvidia-a100-sxm4-80gb", 512, 1536, (4, 32, 2)),
        ("gpt-3-175b", "nvidia-a100-sxm4-80gb", 512, 1536, (4, 16, 2)),
        # arXiv:2204.06745 section 2.3: 96 A100 40 GB
        ("gpt-neox-20b", "nvidia-a100-sxm4-40gb", 96, 1536, (2, 4, 4)),
    ],
)
def test_published_layouts_of_large_runs_rank_high(  # noqa: PLR0917 - a run's description
    book: RuleBook,
    catalogue: Catalogue,
    model: str,
    name: str,
    devices: int,
    batch: int,
    layout: tuple[int, int, int],
) -> None:
    job = job_of(catalogue, model, precision="fp16_mixed", seq_len=2048, batch=batch)  # type: ignore[arg-type]
    assert rank_of(book, catalogue, job, name, devices, *layout) <= 0.2


@pytest.mark.parametrize(
    ("model", "devices", "batch", "seq_len", "layout"),
    [
        # tp, pp, cp, ep of NVIDIA/dgxc-benchmarking on H100, bf16: all interleaved where there is a pipeline
        ("llama-3-70b", 128, 256, 8192, (4, 4, 2, 1)),
        ("llama-3-70b", 2048, 4096, 8192, (4, 4, 2, 1)),
        ("nemotron-4-340b", 256, 64, 4096, (8, 8, 1, 1)),
        ("nemotron-4-340b", 1024, 256, 4096, (8, 8, 1, 1)),
        ("llama-3.1-405b", 2304, 1008, 8192, (8, 9, 2, 1)),
        ("grok-1", 512, 1024, 8192, (4, 8, 2, 8)),
    ],
)
def test_layouts_that_nvidia_publishes_rank_high(  # noqa: PLR0917 - a run's description
    book: RuleBook,
    catalogue: Catalogue,
    model: str,
    devices: int,
    batch: int,
    seq_len: int,
    layout: tuple[int, int, int, int],
) -> None:
    job = job_of(catalogue, model, precision="bf16_mixed", seq_len=seq_len, batch=batch)  # type: ignore[arg-type]
    h100 = [catalogue.accelerators[FEW[0]]]
    space = Space(book, job, h100, counts=[devices], stated=Stated(stack="megatron", program="nemo"))
    fits = shares(space) <= 1
    found = {key: values[space.set_up] for key, values in space.set_ups.columns.items()}
    time = space.product.evaluate(("time_s",), space.device, space.set_up)["time_s"]
    mine = fits & (found["micro_batch"] == 1) & (found["vpp"] > 1)
    for name, degree in zip(("tp", "pp", "cp", "ep"), layout, strict=True):
        mine &= found[name] == degree
    assert mine.any(), "the published layout is among those tried, and fits"
    assert fits.sum() > 40
    assert (time[fits] < time[mine].min()).mean() <= 0.2


def test_a_larger_micro_batch_is_not_asked_where_a_smaller_needs_too_much(
    book: RuleBook, catalogue: Catalogue
) -> None:
    """The bound drops nothing that fits, and leaves the least need of all as it is."""
    space = space_of(book, catalogue, job_of(catalogue, "llama-3-8b"), 16)
    quick = shares(space)
    memory = space.product.evaluate(("memory_bytes",), space.device, space.set_up)["memory_bytes"]
    plain = memory / space.product.on_device("memory_usable")[space.device]
    assert np.isinf(quick).any()
    np.testing.assert_array_equal(quick <= 1, plain <= 1)
    for row in range(len(space.sites)):
        mine = space.device == row
        assert quick[mine].min() == pytest.approx(plain[mine].min())


def test_only_decoders_are_cut(book: RuleBook, catalogue: Catalogue) -> None:
    for model, cut in (("llama-3-8b", True), ("bert-base", False), ("resnet-50", False)):
        found = Space(book, job_of(catalogue, model), [catalogue.accelerators[FEW[0]]], 64).set_ups
        assert (found["tp"] * found["pp"] > 1).any() == cut, model


@pytest.mark.parametrize(("model", "method"), [("llama-3-8b", "full"), ("mixtral-8x7b", "lora")])
def test_what_the_devices_hold_together_is_a_bound_of_every_layout(
    book: RuleBook, catalogue: Catalogue, model: str, method: str
) -> None:
    """What is left out by it never fits, so that the search finds what it finds without."""
    space = space_of(book, catalogue, job_of(catalogue, model, method), 16)
    memory = space.product.evaluate(("memory_bytes",), space.device, space.set_up)["memory_bytes"]
    together = memory * space.set_ups["devices"][space.set_up]
    weights, states = space.floors()
    offloads = space.set_ups["offload"][space.set_up] > 0
    floor = np.where(offloads, weights[space.device], states[space.device])
    assert (together >= floor).all()
    usable = space.product.on_device("memory_usable")[space.device]
    out = floor > usable * space.set_ups["devices"][space.set_up]
    assert out.any() and not out.all(), "it leaves out some"
