"""Plans: what runs in which mode on which devices."""

from __future__ import annotations

import pytest

from advisor.calibrate import plan
from advisor.calibrate.plan import MIB, Seen
from advisor.schema import Cache, Cpu, Fact, Machine, Status

H100 = Seen("cuda:0", "NVIDIA H100", "GPU-1", 80 << 30)


def fact(value):
    return Fact(value=value, status=Status.ok)


def machine(threads=8, sets=("avx512_bf16", "avx512_vnni"), **cpu):
    return Machine(
        probed_at="",
        cpu=Cpu(budget_threads=fact(threads), instruction_sets=fact(dict.fromkeys(sets, True)), **cpu),
    )


def planned(mode="default", devices=(), **more):
    return plan.make_plan(machine(**more), mode, devices, with_cpu_grid=not devices)


@pytest.mark.parametrize("mode", ["quick", "default", "thorough"])
@pytest.mark.parametrize(
    "devices", [(), (H100,), (H100, Seen("cuda:1", "NVIDIA H100")), (Seen("mps", "Apple GPU"),)]
)
def test_ids_are_unique_and_every_test_says_what_it_does(mode, devices):
    tests = planned(mode, devices)
    ids = [test.id for test in tests]
    assert len(ids) == len(set(ids))
    assert all(test.text and test.wall_s > test.limits.get("cap_s", 0) for test in tests)
    assert {test.bench for test in tests} <= plan.bench_names() | {"pick_threads"}


@pytest.mark.parametrize(
    ("mode", "low", "high"), [("quick", 3, 10), ("default", 15, 30), ("thorough", 60, 300)]
)
def test_the_modes_take_about_the_time_they_promise(mode, low, high):
    assert low < sum(test.expected_s for test in planned(mode)) < high


def test_bandwidth_comes_first_and_last():
    tests = [test for test in planned() if test.bench != "pick_threads"]
    assert (tests[0].params["point"], tests[-1].params["point"]) == ("start", "end")


def test_two_sizes_per_type_that_the_cpu_has_and_one_where_it_is_emulated():
    def sizes(dtype, **more):
        return [t.params["n"] for t in planned(**more) if t.bench == "matmul" and t.params["dtype"] == dtype]

    assert sizes("bf16") == [1024, 2048]
    assert sizes("int8") == [2048]
    assert sizes("bf16", sets=()) == [512]
    emulated = [t for t in planned(sets=()) if t.params.get("dtype") == "bf16" and t.bench == "matmul"]
    assert [t.warnings for t in emulated] == [("emulated",)]
    assert not [t for t in planned(sets=()) if t.bench == "train_step" and t.params["dtype"] == "bf16"]


def test_a_gpu_gets_its_grid_and_the_cpu_only_what_compares():
    tests = planned(devices=(H100,))
    dtypes = {t.params["dtype"] for t in tests if t.bench == "matmul" and t.device == "cuda:0"}
    assert dtypes == {"fp32", "tf32", "bf16", "fp16", "fp8", "int8"}
    places = {t.params["where"] for t in tests if t.bench in ("serial_task", "parallel_task")}
    assert places == {"one_core", "all_cores", "device"}
    assert not [t for t in tests if t.bench == "optimizer_step" and t.device == "cpu"]


def test_types_that_a_device_kind_lacks_are_not_asked_for():
    asked = {t.params.get("dtype") for t in planned(devices=(Seen("mps", "Apple GPU"),)) if t.device == "mps"}
    assert "fp8" not in asked
    assert "tf32" not in asked


V100 = Seen("cuda:0", "Tesla V100", "GPU-7", 16 << 30, bf16=False)


def trained(mode, seen):
    return {
        t.params["dtype"] for t in planned(mode, (seen,)) if (t.bench, t.device) == ("train_step", seen.name)
    }


@pytest.mark.parametrize(
    ("mode", "with_bf16", "without"),
    [
        ("quick", {"bf16"}, {"fp16"}),
        ("default", {"fp32", "bf16"}, {"fp32", "fp16"}),
        ("thorough", {"fp32", "bf16", "fp16"}, {"fp32", "fp16"}),
    ],
)
def test_a_device_without_bf16_trains_in_fp16(mode, with_bf16, without):
    assert trained(mode, Seen("cuda:0", "NVIDIA A100", "GPU-1", bf16=True)) == with_bf16
    assert trained(mode, H100) == with_bf16  # a torch that does not tell: asked for, and refused by the bench
    assert trained(mode, V100) == without


def test_attention_and_the_long_product_are_in_the_type_one_would_train_in():
    tests = planned("thorough", (V100,))
    chosen = [t for t in tests if t.device == "cuda:0" and (t.bench == "attention" or t.phase == "sustained")]
    assert [t.params["dtype"] for t in chosen] == ["fp16", "fp16"]
    again = planned("default", (V100, Seen("cuda:1", "Tesla V100", "GPU-8", bf16=False)))
    assert [t.params["dtype"] for t in again if t.device == "cuda:1" and t.bench == "matmul"] == ["fp16"]


def test_fp16_on_a_cpu_only_where_it_has_the_arithmetic_and_else_the_reason():
    [skipped] = [t for t in planned() if t.params.get("dtype") == "fp16"]
    assert "this CPU has no fp16 arithmetic" in skipped.skip
    sets = ("avx512_bf16", "avx512_fp16")
    found = [t for t in planned(sets=sets) if t.params.get("dtype") == "fp16"]
    assert [(t.bench, t.params["n"], t.skip) for t in found] == [("matmul", n, "") for n in (1024, 2048)]
    unknown = plan.make_plan(Machine(probed_at=""), "default", (), with_cpu_grid=True)
    assert ["is not known" in t.skip for t in unknown if t.params.get("dtype") == "fp16"] == [True]
    assert not [t for t in planned("quick") if t.skip]


def test_a_cpu_with_fp16_and_no_bf16_trains_in_fp16():
    dtypes = {t.params["dtype"] for t in planned(sets=("fp16",)) if t.bench == "train_step"}
    assert dtypes == {"fp32", "fp16"}


def test_a_second_card_of_the_same_name_is_only_checked():
    tests = planned(devices=(H100, Seen("cuda:1", "NVIDIA H100", "GPU-2")))
    first, second = ([t for t in tests if t.device == name] for name in ("cuda:0", "cuda:1"))
    assert 0 < len(second) < len(first) / 3
    other = planned(devices=(H100, Seen("cuda:1", "NVIDIA A100", "GPU-2")))
    assert len([t for t in other if t.device == "cuda:1"]) == len(first)


def test_arrays_are_four_times_the_last_cache():
    caches = fact(
        (
            Cache(level=2, kind="unified", size_bytes=MIB, count=64),
            Cache(level=3, kind="unified", size_bytes=96 * MIB, count=8),
        )
    )
    [first] = [
        t for t in planned(caches=caches) if t.bench == "memory_bandwidth" and t.params["point"] == "start"
    ]
    assert first.params["bytes"] == 4 * 8 * 96 * MIB
    assert first.params["least_bytes"] == first.params["bytes"]


@pytest.mark.parametrize(
    ("threads", "cpu", "expected"),
    [
        (16, {"performance_cores": 6, "cores": 10}, [1, 6, 10, 16]),
        (16, {"cores": 8}, [1, 8, 16]),
        (8, {"cores": 8}, []),  # no SMT and no hybrid: nothing to choose
        (4, {"cores": 64}, []),  # a quota far below the cores
    ],
)
def test_thread_counts_worth_trying(threads, cpu, expected):
    facts = {name: fact(value) for name, value in cpu.items()}
    assert plan.thread_candidates(machine(threads, **facts)) == expected


def test_thorough_has_sustained_runs():
    phases = {(t.device, t.phase) for t in planned("thorough", (H100,))}
    assert ("cuda:0", "sustained") in phases
    assert {t.phase for t in planned("default", (H100,))} == {"burst"}


def test_quick_trains_the_nets_of_default():
    targets = {
        mode: {t.params["target_s"] for t in planned(mode) if t.bench == "train_step"}
        for mode in ("quick", "default")
    }
    assert targets["quick"]
    assert targets["quick"] <= targets["default"]
