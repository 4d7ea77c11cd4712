"""Processors of recorded machines: topology, names, instruction sets, clocks, the thread budget."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import ask, plant, plant_text, value

from advisor.data.files import shipped
from advisor.probe import cpu, cpu_names
from advisor.probe.facts import none, ok
from advisor.schema import Machine

KIB, MIB = 1024, 1024**2


def _facts(case: str, root: Path) -> dict[str, Any]:
    return ask(cpu, plant(case, root))[0]["cpu"]


def test_two_sockets_with_smt_and_an_offline_core(tmp_path: Path) -> None:
    facts = _facts("epyc-2s", tmp_path)
    assert value(facts["model"]) == "AMD EPYC 9534 64-Core Processor"
    assert value(facts["sockets"]) == 2
    assert value(facts["cores"]) == 127
    assert value(facts["threads"]) == 254
    assert value(facts["threads_per_core"]) == 2
    assert value(facts["numa_nodes"]) == 8
    assert value(facts["affinity_threads"]) == 254  # allowed 0-255, two of them offline
    assert value(facts["budget_threads"]) == 254
    assert value(facts["load_average"]) == 3.25
    sets = value(facts["instruction_sets"])
    assert sets["avx512_bf16"] and sets["avx512_vnni"] and not sets["amx_tile"] and not sets["avx512_fp16"]


def test_caches_are_counted_once_for_all_that_share_them(tmp_path: Path) -> None:
    caches = value(_facts("epyc-2s", tmp_path)["caches"])
    told = {(c["level"], c["kind"], c["size_bytes"], c["shared_by_threads"]): c["count"] for c in caches}
    assert told == {
        (1, "data", 32 * KIB, 2): 127,
        (1, "instruction", 32 * KIB, 2): 127,
        (2, "unified", 1 * MIB, 2): 127,
        (3, "unified", 32 * MIB, 16): 15,
        (3, "unified", 32 * MIB, 14): 1,  # the complex with the offline core
    }


def test_hybrid_cores_are_told_apart(tmp_path: Path) -> None:
    facts = _facts("intel-hybrid", tmp_path)
    assert value(facts["performance_cores"]) == 8
    assert value(facts["efficiency_cores"]) == 16
    assert value(facts["cores"]) == 24
    assert value(facts["threads"]) == 32
    assert facts["threads_per_core"]["reason"] == "not all cores: 1, 2"
    shared = {(c["level"], c["shared_by_threads"]): c["count"] for c in value(facts["caches"])}
    assert shared == {(1, 2): 8, (1, 1): 16, (2, 2): 8, (2, 4): 4, (3, 32): 1}


def test_arm_without_a_model_name_and_memory_only_numa_nodes(tmp_path: Path) -> None:
    facts = _facts("grace-hopper", tmp_path)
    assert value(facts["model"]) == "NVIDIA Grace (Neoverse-V2)"
    assert value(facts["vendor"]) == "Arm"
    assert value(facts["numa_nodes"]) == 1
    assert "8 of memory alone" in facts["numa_nodes"]["reason"]
    assert value(facts["clock_max_hz"]) == 3.456e9
    assert value(facts["clock_reported_hz"]) == 3.402e9
    sets = value(facts["instruction_sets"])
    assert sets["sve2"] and sets["bf16"] and sets["i8mm"] and not sets["sme"]
    assert "tell no size" in facts["caches"]["reason"]
    assert value(facts["performance_cores"]) is None


def test_unknown_sockets_stay_unknown(tmp_path: Path) -> None:
    facts = _facts("graviton3", tmp_path)
    assert value(facts["model"]) == "AWS Graviton3 (Neoverse-V1)"
    assert value(facts["sockets"]) is None
    assert "-1" in facts["sockets"]["reason"]
    assert value(facts["cores"]) == 16
    assert value(facts["clock_reported_hz"]) is None
    assert value(facts["caches"]) is None


def test_big_and_little_by_capacity(tmp_path: Path) -> None:
    facts = _facts("big-little", tmp_path)
    assert value(facts["model"]) == "Cortex-A725 + Cortex-X925"
    assert (value(facts["performance_cores"]), value(facts["efficiency_cores"])) == (10, 10)


def test_a_sandbox_with_an_empty_sys(tmp_path: Path) -> None:
    facts = _facts("gvisor", tmp_path)
    assert value(facts["model"]) is None and "hides" in facts["model"]["reason"]
    assert value(facts["threads"]) == 2
    assert value(facts["cores"]) is None
    assert value(facts["budget_threads"]) == 2
    assert "affinity is not known" in facts["budget_threads"]["source"]


@pytest.mark.parametrize(
    ("case", "budget", "source"),
    [
        ("cgroup-quota-half", 1, "quota of 0.5"),
        ("cgroup-none", 4, "affinity"),
        ("docker", 6, "quota of 6"),
        ("slurm-v2", 8, "SLURM_CPUS_PER_TASK"),
    ],
)
def test_the_budget_is_the_least_of_all_limits(case: str, budget: int, source: str, tmp_path: Path) -> None:
    fact = _facts(case, tmp_path)["budget_threads"]
    assert value(fact) == budget
    assert source in fact["source"]


@given(
    st.integers(1, 4096),
    st.one_of(st.none(), st.floats(0.01, 5000)),
    st.one_of(st.none(), st.integers(0, 512)),
)
def test_the_budget_is_never_over_a_limit_and_never_zero(
    affinity: int, quota: float | None, tasks: int | None
) -> None:
    quota_fact = ok(quota, "q") if quota is not None else none("absent", "q", "unlimited")
    told = {"SLURM_CPUS_PER_TASK": str(tasks)} if tasks is not None else {}
    threads = value(cpu.budget(ok(affinity, "a"), quota_fact, ok(9999, "t"), told))
    assert 1 <= threads <= affinity
    assert quota is None or threads <= max(1, quota)
    assert not tasks or threads <= tasks


def _with_clock(hz: list[float], **more: Any) -> dict[str, Any]:
    block = "processor\t: 0\nmodel name\t: AMD EPYC\ncpu family\t: 25\ncpu MHz\t: 2596.150\nflags\t: avx2"
    return cpu.parse({"cpuinfo": block, "clock": {"hz": hz}, **more})["cpu"]


def test_a_reported_clock_that_is_not_the_real_one_is_a_contradiction() -> None:
    facts = _with_clock([3.9e9, 4.0e9, 4.0e9])
    assert facts["clock_reported_hz"]["status"] == "contradiction"
    assert facts["clock_reported_hz"]["others"][0]["value"] == 4.0e9
    assert value(facts["clock_measured_hz"]) == 4.0e9
    assert "hides the exact model" in facts["model"]["reason"]


def test_a_momentary_clock_is_no_contradiction() -> None:
    policies = [{"cpuinfo_max_freq": "4500000", "scaling_cur_freq": "1500000"}]
    facts = _with_clock([4.4e9], cpufreq=policies)
    assert facts["clock_reported_hz"]["status"] == "ok"
    above = _with_clock([4.4e9], cpufreq=[{"cpuinfo_max_freq": "3000000"}])
    assert above["clock_reported_hz"]["status"] == "contradiction"


@pytest.mark.parametrize("hz", [[1e6], [5e11], []])
def test_an_impossible_clock_is_not_believed(hz: list[float]) -> None:
    fact = _with_clock(hz)["clock_measured_hz"]
    assert fact["value"] is None and fact["status"] == "failed"


def test_two_counts_of_threads_that_differ_are_both_kept(tmp_path: Path) -> None:
    """lxcfs: /proc/cpuinfo shows the container's two processors, sysfs the host's eight."""
    plant_text(
        """
=== proc/cpuinfo
processor	: 0
model name	: Some CPU
flags	: avx2

processor	: 1
model name	: Some CPU
flags	: avx2
=== sys/devices/system/cpu/online
0-7
=== proc/self/status
Cpus_allowed_list:	0-1
""",
        tmp_path,
    )
    facts = ask(cpu, tmp_path)[0]["cpu"]
    assert facts["threads"]["status"] == "contradiction"
    assert facts["threads"]["others"] == [{"value": 2, "source": "/proc/cpuinfo"}]
    assert value(facts["budget_threads"]) == 2


def test_condensing_keeps_what_differs() -> None:
    blocks = [f"processor\t: {n}\nflags\t: a b\ncore id\t: {n // 2}" for n in range(4)]
    condensed = cpu.condensed("\n\n".join(blocks) + "\n")
    assert condensed.count("flags") == 1
    assert [b["core id"] for b in cpu.processors(condensed)] == ["0", "0", "1", "1"]
    assert all(b["flags"] == "a b" for b in cpu.processors(condensed))


@given(st.text(max_size=300))
def test_no_cpuinfo_breaks_the_parser(info: str) -> None:
    part = cpu.parse({"cpuinfo": cpu.condensed(info)})
    Machine.model_validate({"probed_at": "x", **part})


def test_nothing_at_all_is_unknown_with_reasons() -> None:
    facts = cpu.parse({})["cpu"]
    assert all(value(fact) is None for fact in facts.values())


@pytest.mark.parametrize(
    ("info", "model"),
    [
        (
            "processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 3800.0MHz",
            "POWER9, altivec supported",
        ),
        ("processor\t: 0\nhart\t: 1\nisa\t: rv64imafdcv\nuarch\t: sifive,p550", "sifive,p550"),
        (
            "vendor_id : IBM/S390\nprocessor 0: version = 00,  machine = 3931\nprocessor 1: version = 00",
            None,
        ),
        ("processor\t: 0\nCPU implementer\t: 0x99\nCPU part\t: 0xabc", "0x99 part 0xabc"),
    ],
)
def test_other_architectures(info: str, model: str | None) -> None:
    facts = cpu.parse({"cpuinfo": info})["cpu"]
    assert facts["model"]["value"] == model
    assert facts["instruction_sets"]["value"] is None


def test_the_table_of_arm_parts_names_its_source_and_repeats_nothing() -> None:
    table = tomllib.loads((shipped("rules") / cpu_names.PARTS_FILE).read_text(encoding="utf-8"))
    assert table["source"]
    ids = [row["id"] for row in table["implementer"]]
    assert len(ids) == len(set(ids))
    for chip in table["chip"]:
        assert "vendor" in chip or "soc_id" in chip
        parts = {part for row in table["implementer"] for part in row["parts"]}
        assert chip["part"] in parts
