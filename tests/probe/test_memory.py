"""Main memory of recorded machines, its limits, and the firmware's table of modules."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import ask, plant, plant_text, value

from advisor.probe import dmi, memory
from advisor.schema import Machine

GIB = 1024**3
KIB = 1024


def _facts(case: str, root: Path) -> dict[str, Any]:
    return ask(memory, plant(case, root))[0]["memory"]


def test_a_container_may_use_its_limit_and_not_the_hosts_memory(tmp_path: Path) -> None:
    facts = _facts("docker", tmp_path)
    assert value(facts["total_bytes"]) == 65536000 * KIB
    assert value(facts["available_bytes"]) == 50000000 * KIB
    assert value(facts["cgroup_limit_bytes"]) == 24 * GIB
    assert value(facts["usable_bytes"]) == 24 * GIB
    assert facts["usable_bytes"]["source"] == "cgroup limit"


def test_slurm_and_cgroup_agree_and_the_least_holds(tmp_path: Path) -> None:
    facts = _facts("slurm-v2", tmp_path)
    assert value(facts["slurm_limit_bytes"]) == 120 * GIB
    assert value(facts["usable_bytes"]) == 120 * GIB
    assert value(facts["swap_bytes"]) == 0  # told as none, and not unknown


def test_no_limit_means_all_of_memory(tmp_path: Path) -> None:
    facts = _facts("epyc-2s", tmp_path)
    assert value(facts["cgroup_limit_bytes"]) is None
    assert value(facts["usable_bytes"]) == value(facts["total_bytes"]) == 792518832 * KIB
    assert value(facts["kind"]) == "DDR5"  # by the error-correction driver: no root needed
    assert value(facts["speed_mts"]) is None


def test_without_memavailable_the_parts_are_added_and_marked(tmp_path: Path) -> None:
    fact = _facts("gvisor", tmp_path)["available_bytes"]
    assert fact["status"] == "assumed"
    assert value(fact) == (3145728 + 524288) * KIB


def test_a_limit_above_main_memory_does_not_add_any(tmp_path: Path) -> None:
    plant_text(
        """
=== proc/meminfo
MemTotal:        4194304 kB
=== proc/self/cgroup
0::/
=== sys/fs/cgroup/cgroup.controllers
memory
=== sys/fs/cgroup/memory.max
17179869184
""",
        tmp_path,
    )
    facts = ask(memory, tmp_path)[0]["memory"]
    assert value(facts["usable_bytes"]) == 4 * GIB
    assert facts["usable_bytes"]["source"] == "main memory"


@pytest.mark.parametrize(
    ("told", "size"),
    [
        ({"SLURM_MEM_PER_NODE": "122880"}, 120 * GIB),
        ({"SLURM_MEM_PER_NODE": "0"}, None),
        ({"SLURM_MEM_PER_NODE": "lots"}, None),
        ({"SLURM_MEM_PER_CPU": "4096", "SLURM_CPUS_ON_NODE": "16"}, 64 * GIB),
        ({"SLURM_MEM_PER_CPU": "4G", "SLURM_CPUS_PER_TASK": "2"}, 8 * GIB),
        ({"SLURM_MEM_PER_CPU": "4096"}, None),
        ({"SLURM_MEM_PER_GPU": "65536", "SLURM_GPUS_ON_NODE": "2"}, 128 * GIB),
        ({}, None),
    ],
)
def test_slurms_memory(told: dict[str, str], size: int | None) -> None:
    assert value(memory.slurm_limit(told)) == size


def test_lxcfs_and_sysinfo_disagree_and_both_are_kept() -> None:
    raw = {"meminfo": {"MemTotal": "8388608 kB"}, "physical_bytes": 64 * GIB}
    fact = memory.parse(raw)["memory"]["total_bytes"]
    assert (fact["status"], fact["value"]) == ("contradiction", 8 * GIB)
    assert fact["others"][0]["value"] == 64 * GIB


def _module(size: int, kind: int, speed: int, configured: int, extended: int = 0) -> bytes:
    """A Memory Device structure of SMBIOS 3.3 with two strings."""
    body = bytearray(0x5C)
    struct.pack_into("<BBH", body, 0, dmi.MEMORY_DEVICE, len(body), 0x1100)
    struct.pack_into("<H", body, 0x0C, size)
    body[0x12] = kind
    struct.pack_into("<H", body, 0x15, speed)
    struct.pack_into("<I", body, 0x1C, extended)
    struct.pack_into("<H", body, 0x20, configured)
    return bytes(body) + b"DIMM_A1\0SERIAL1234\0\0"


END = bytes([127, 4, 0, 0]) + b"\0\0"
OTHER = bytes([0, 6, 0, 0, 1, 2]) + b"vendor\0\0"


def test_modules_of_the_firmware_table() -> None:
    table = (
        OTHER
        + _module(0x7FFF, 0x22, 4800, 4400, extended=64 * 1024)
        + _module(0, 0x22, 0, 0)  # an empty socket
        + _module(16384, 0x1A, 3200, 0)
        + _module(0x7FFF, dmi.NON_VOLATILE, 2666, 2666, extended=128 * 1024)
        + END
        + _module(8192, 0x18, 1333, 1333)  # after the end mark
    )
    assert dmi.memory_devices(table) == [
        {"kind": "DDR5", "mts": 4400, "bytes": 64 * GIB},
        {"kind": "DDR4", "mts": 3200, "bytes": 16 * GIB},
    ]


def test_the_slowest_module_sets_the_speed(tmp_path: Path) -> None:
    file = plant("epyc-2s", tmp_path) / "sys/firmware/dmi/tables/DMI"
    file.parent.mkdir(parents=True)
    file.write_bytes(_module(16384, 0x22, 4800, 4800) + _module(16384, 0x22, 5600, 5600) + END)
    part, raw = ask(memory, tmp_path)
    facts = part["memory"]
    assert value(facts["speed_mts"]) == 4800.0
    assert "4800, 5600" in facts["speed_mts"]["reason"]
    assert value(facts["kind"]) == "DDR5"
    assert "SERIAL" not in str(raw)


@given(st.binary(max_size=400))
def test_no_firmware_table_breaks_the_parser(table: bytes) -> None:
    for row in dmi.memory_devices(table):
        assert set(row) == {"kind", "mts", "bytes"}


@given(st.dictionaries(st.sampled_from(memory.KEYS), st.text(max_size=30)))
def test_no_meminfo_breaks_the_parser(said: dict[str, str]) -> None:
    Machine.model_validate({"probed_at": "x", **memory.parse({"meminfo": said})})


def test_nothing_at_all_is_unknown_with_reasons() -> None:
    assert all(value(fact) is None for fact in memory.parse({})["memory"].values())
