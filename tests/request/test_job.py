"""What a job asks for follows from the estimate, the site and what was measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import made

from advisor.errors import NothingFits, UserError
from advisor.request import Options, build, checked, pick, site_of
from advisor.request.defaults import load_defaults
from advisor.schema import Kind
from advisor.units import GIB

SITE = {
    "name": "Example", "account": "proj", "folder": "/scratch/proj",
    "node": [
        {"name": "big", "accelerator": made.H100, "gpus": 4, "cpus": 96, "memory": "1 TB", "gres": "gpu:h100"}
    ],
    "partition": [
        {"name": "short", "nodes": ["big"], "max_wall": "8 h", "max_nodes": 64},
        {"name": "gpu", "nodes": ["big"], "max_wall": "2 days", "max_nodes": 8, "qos": "normal"},
    ],
}  # fmt: skip


def job(advice=None, site=None, options=None, **changes):
    held = advice or made.advice()
    return build(
        pick(held), site_of(Path("site.toml"), site or {}), options or Options(), held.calibration, **changes
    )


def test_time_is_the_upper_end_and_headroom():
    asked = job(options=Options(headroom=0.2))
    assert asked.wall_s == pytest.approx(2 * 1.5 * made.DAY * 1.2)
    assert asked.segments == 1 and asked.needs["wall"].kind is Kind.stated
    assert asked.needs["gpu_seconds"].value == pytest.approx(16 * asked.wall_s)


def test_a_plan_s_own_promise_counts_where_it_is_later():
    choice = pick(made.plan())
    assert choice.upper_s == 4 * 1.6 * made.DAY and "90%" in choice.upper_why
    assert pick(made.plan(), target="mi300x").devices == 4


@pytest.mark.parametrize(
    ("devices", "per_node", "nodes"), [(16, 8, 2), (8, 8, 1), (3, 3, 1), (12, 6, 2), (9, 3, 3)]
)
def test_devices_are_spread_evenly(devices, per_node, nodes):
    asked = job(made.advice(estimate=made.estimate(devices)))
    assert (asked.gpus_per_node, asked.nodes) == (per_node, nodes)


def test_the_site_gives_nodes_partition_account_and_cores():
    asked = job(site=SITE)
    assert (asked.nodes, asked.gpus_per_node, asked.partition.name) == (4, 4, "gpu")
    assert asked.cpus_per_gpu == 24 and "needed are" in asked.needs["cpus"].why
    assert asked.folder == f"/scratch/proj/{asked.run}" and asked.run.startswith("tiny-1b-pretrain-")


def test_a_node_taken_whole_is_taken_with_its_memory():
    whole = job(site=SITE)
    assert whole.whole_nodes and whole.memory_gib == 1e12 // GIB
    assert whole.needs["memory"].kind is Kind.stated and "taken whole" in whole.needs["memory"].why
    part = job(made.advice(estimate=made.estimate(2)), site=SITE)
    assert not part.whole_nodes and part.memory_gib < 100
    pods = job(site=SITE, scheduler="k8s")  # a pod that asks for all is never placed
    # of 931 GiB: 1 of the first four, 0.8 of the next, 0.8, 6.72 up to 128, a fiftieth above, and 100 MiB
    assert pods.memory_gib == 905 and "kubelet" in pods.needs["memory"].why
    untold = {**SITE, "node": [{k: v for k, v in SITE["node"][0].items() if k != "memory"}]}
    assert "taken whole" in job(site=untold).needs["memory"].why
    assert job(site=untold, scheduler="k8s").memory_gib < 100, "nobody says how much there is"


def test_a_pod_never_asks_for_every_core_of_a_node():
    asked = job(site=SITE, scheduler="k8s")
    assert asked.cpus_per_gpu * asked.gpus_per_node < 96 and "own programs" in asked.needs["cpus"].why


def test_a_run_longer_than_the_limit_is_chained_and_no_shorter_than_asked():
    asked, known = job(site=SITE), load_defaults()
    assert asked.segments == 2 and asked.segment_s == 2 * made.DAY
    between = known["restart_s"] + asked.lead_s  # what a further job costs
    assert asked.segments * asked.segment_s - (asked.segments - 1) * between >= asked.wall_s
    for hours in (0.75, 1, 6):
        short = job(wall_limit_s=hours * 3600)
        one_less, enough = (
            n * hours * 3600 - (n - 1) * (known["restart_s"] + short.lead_s)
            for n in (short.segments - 1, short.segments)
        )
        assert one_less < short.wall_s <= enough


def test_a_chain_of_short_jobs_is_not_charged_the_slowest_start_each_time():
    """4.2 h in jobs of 1 h: five, not the nine that half an hour of starting each would make of it."""
    held = made.advice(estimate=made.estimate(days=4.2 / 24 / 1.1 / 1.5))
    assert job(held, wall_limit_s=3600.0).segments == 5


def test_no_other_run_has_the_same_folder_and_more_time_goes_on():
    runs = {
        job().run,
        job(options=Options(command=("train.py", "--lr", "1"))).run,
        job(made.advice(estimate=made.estimate(8))).run,
        job(made.advice(made.workload(seq_len=8192))).run,
    }
    assert len(runs) == 4 and all(run.startswith("tiny-1b-pretrain-") for run in runs)
    assert job(options=Options(headroom=1.0), wall_limit_s=made.DAY).run == job(site=SITE).run == job().run


def test_the_bound_is_of_all_jobs_and_money_of_the_same_hours():
    one = made.estimate()
    rented = {**one.quantities, "calendar_rent_usd": made.quantity(2000.0, unit="USD")}
    held = made.advice(estimate=one.model_copy(update={"quantities": rented}))
    asked = job(held, wall_limit_s=made.DAY)
    assert asked.total_s == asked.segments * made.DAY > asked.wall_s
    assert asked.needs["gpu_seconds"].value == 16 * asked.total_s
    assert asked.needs["gpu_seconds_expected"].value == 16 * 2 * made.DAY
    assert asked.needs["rent_at_most"].value == pytest.approx(2000.0 / 2 * asked.segments)
    assert job().needs["rent_at_most"].value is None  # the rent there is of another time


def test_partitions_are_slurm_s_and_the_least_limit_counts():
    both = {**SITE, "kubernetes": {"max_wall": "1 day"}}
    assert job(site=both, scheduler="k8s").partition is None
    assert job(site=both, scheduler="k8s").segment_s == made.DAY
    cloud = job(site=both, scheduler="skypilot", wall_limit_s=made.DAY)
    assert cloud.segments == 1 and any("--wall-limit is not kept" in note for note in cloud.notes)
    assert job(site=SITE, wall_limit_s=12 * 3600.0).segment_s == 12 * 3600


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"site": {**SITE, "partition": [{"name": "tiny", "nodes": ["big"], "max_nodes": 2}]}},
            "4 nodes .*tiny: 2",
        ),
        (
            {"site": {**SITE, "node": [{**SITE["node"][0], "accelerator": "amd-mi300x-192gb"}]}},
            "has no nvidia",
        ),
        ({"site": {**SITE, "node": [{**SITE["node"][0], "memory": "40 GB"}]}}, "main memory"),
        ({"wall_limit_s": 1800.0}, "is over before"),
        ({"advice": made.advice(estimate=made.estimate(fits=False, why="Too small."))}, "Too small"),
    ],
)
def test_what_cannot_be_given_is_said(change, words):
    with pytest.raises(NothingFits, match=words):
        job(**change)


def test_a_count_is_no_part_of_a_larger_one():
    many = [made.estimate(count) for count in (128, 18, 8)]
    held = made.advice().model_copy(update={"estimates": tuple(many)})
    assert pick(held, target="8 x nvidia-h100").devices == 8
    assert pick(held, target="128 x nvidia-h100-sxm5-80gb").devices == 128
    assert pick(held, target=f"18 x {made.H100}").devices == 18


def test_an_unknown_time_is_no_zero():
    one = made.estimate()
    blind = one.model_copy(update={"quantities": {**one.quantities, "calendar_s": made.quantity(None)}})
    with pytest.raises(NothingFits, match="made up"):
        pick(made.advice(estimate=blind))


def test_pictures_are_fed_by_as_many_cores_as_were_measured_to_need():
    held = made.advice(made.workload(family="cnn"))
    slow = job(held.model_copy(update={"calibration": made.decoding(100.0)}))
    fast = job(held.model_copy(update={"calibration": made.decoding(500.0)}))
    assert (
        slow.cpus_per_gpu == 2 + 10 and fast.cpus_per_gpu == 2 + 2
    )  # at the fast end, 1,000 pictures a second
    assert slow.needs["cpus"].kind is Kind.measured and slow.needs["cpus"].source == "image_decode.cpu"
    assert job(held).needs["cpus"].kind is Kind.assumed


def test_a_checkpoint_holds_weights_masters_and_states():
    assert job().needs["checkpoint"].value == 14e9
    assert job(made.advice(made.workload(precision="fp32"))).needs["checkpoint"].value == 12e9
    assert job(made.advice(made.workload(optimizer="sgd"))).needs["checkpoint"].value == 10e9
    assert job().disk_gib == -(-3 * 14e9 // GIB)


def test_adapters_have_small_checkpoints_or_unknown_ones():
    held = made.advice(made.workload(method="lora"))
    assert job(held).needs["checkpoint"].value is None and job(held).disk_gib is None
    one = held.estimates[0]
    trained = {**one.quantities, "trainable_params": made.quantity(1e6, unit="1")}
    known = held.model_copy(update={"estimates": (one.model_copy(update={"quantities": trained}),)})
    assert job(known).needs["checkpoint"].value == 14e6


def test_memory_grows_with_devices_of_a_node_and_offload():
    one, four = (job(made.advice(estimate=made.estimate(n))).needs["memory"].value for n in (1, 4))
    assert four > one
    away = made.estimate(4, choices={"offload": "optimizer"})
    assert job(made.advice(estimate=away)).needs["memory"].value > four


def test_a_target_that_is_none_is_answered_with_those_there_are():
    two = made.advice(estimates=(made.estimate(16), made.estimate(8), made.estimate(4, fits=False)))
    with pytest.raises(UserError, match="no estimate on 'nope'") as caught:
        pick(two, target="nope")
    labels = [f"'{count} x {made.H100}'" for count in (16, 8, 4)]
    assert caught.value.hint == f"There is: {', '.join(labels)}."
    assert pick(two, target="16 x nvidia-h100-sxm").devices == 16
    many = made.advice(estimates=tuple(made.estimate(count) for count in range(1, 21)))
    with pytest.raises(UserError) as caught:
        pick(many, target="nope")
    assert caught.value.hint.count(made.H100) == 6 and caught.value.hint.endswith("and 14 more.")
    with pytest.raises(UserError) as caught:
        pick(made.plan(), target="8 x nvidia-h100-sxm5-80gbb")
    assert caught.value.hint.startswith(f"Did you mean 8 x {made.H100}")
    assert "'4 x amd-mi300x-192gb'" in caught.value.hint


def test_words_that_are_near_none():
    with pytest.raises(UserError, match="no estimate on"):
        pick(made.advice(), target="cerebras")
    with pytest.raises(UserError, match="no option"):
        pick(made.plan(), target="cerebras")
    with pytest.raises(UserError, match="headroom"):
        checked(Options(headroom=-1))
    for image in ("file:///etc/passwd", "/etc/passwd", "a b"):
        with pytest.raises(UserError, match="--image"):
            checked(Options(image=image))
    assert checked(Options(image="nvcr.io:443/nvidia/pytorch:25.10-py3@sha256:" + "0" * 64))
    with pytest.raises(UserError, match="holds no estimate"):
        pick(made.advice(estimates=()))
