"""Control group limits on recorded trees, and the parsers on anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import plant, plant_text, value

from advisor.probe import cgroup

GIB = 1024**3

# case -> mode, quota in CPUs, memory limit, used at the same level
TREES = {
    "cgroup-v1": ("v1", 2.5, 4 * GIB, 1 * GIB),
    "cgroup-v1-hidden-parent": ("v1", 4.0, 2 * GIB, 734003200 - 209715200),
    "cgroup-v2": ("v2", None, None, 104857600 - 20971520),
    "cgroup-v2-nested": ("v2", 3.5, 8 * GIB, 5 * GIB),
    "cgroup-hybrid": ("hybrid", None, 12 * GIB, 1288490188),
    "cgroup-quota-half": ("v2", 0.5, None, 67108864),
    "cgroup-none": ("none", None, None, None),
    "docker": ("v2", 6.0, 24 * GIB, 536870912),
    "slurm-v2": ("v2", None, 120 * GIB, 4 * GIB),
    "slurm-v1-login": ("v1", 2.0, 16 * GIB, 1 * GIB),
}


@pytest.mark.parametrize("case", TREES)
def test_limits_of_recorded_trees(case: str, tmp_path: Path) -> None:
    mode, quota, limit, used = TREES[case]
    raw = cgroup.gather(plant(case, tmp_path))
    limit_fact, used_fact = cgroup.memory(raw)
    assert value(cgroup.mode(raw)) == mode
    assert value(cgroup.quota(raw)) == quota
    assert value(limit_fact) == limit
    assert value(used_fact) == used


def test_the_source_names_the_level_that_limits(tmp_path: Path) -> None:
    raw = cgroup.gather(plant("cgroup-v2-nested", tmp_path))
    limit, used = cgroup.memory(raw)
    assert limit["source"] == "/sys/fs/cgroup/jobs.slice/memory.max"
    assert used["source"].startswith("/sys/fs/cgroup/jobs.slice/memory.current")
    assert cgroup.quota(raw)["source"] == "/sys/fs/cgroup/jobs.slice/cpu.max"


def test_a_path_that_climbs_out_of_the_namespace_falls_back_to_the_mount(tmp_path: Path) -> None:
    plant_text(
        """
=== proc/self/cgroup
0::/../../system.slice/other
=== proc/self/mountinfo
30 1 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
=== sys/fs/cgroup/memory.max
1073741824
=== sys/fs/cgroup/memory.current
1048576
=== sys/system.slice/other/memory.max
1
""",
        tmp_path,
    )
    limit, _ = cgroup.memory(cgroup.gather(tmp_path))
    assert value(limit) == GIB


def test_without_mountinfo_the_usual_folders_are_tried(tmp_path: Path) -> None:
    plant_text(
        "=== sys/fs/cgroup/cgroup.controllers\ncpu memory\n=== sys/fs/cgroup/cpu.max\n200000 50000", tmp_path
    )
    assert value(cgroup.quota(cgroup.gather(tmp_path))) == 4.0


@pytest.mark.parametrize("written", ["", "max", "max 0", "abc def", "-1 100000", "100000 0", "0 100000"])
def test_nonsense_in_cpu_max_is_no_limit(written: str, tmp_path: Path) -> None:
    plant_text(f"=== sys/fs/cgroup/cgroup.controllers\ncpu\n=== sys/fs/cgroup/cpu.max\n{written}", tmp_path)
    assert value(cgroup.quota(cgroup.gather(tmp_path))) is None


_TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=60)
_NAMES = [name for names in cgroup._FILES.values() for name in names]
_FILES = st.dictionaries(st.sampled_from(_NAMES), st.one_of(_TEXT, st.integers(-(10**30), 10**30).map(str)))
_LEVELS = st.lists(
    st.fixed_dictionaries(
        {
            "controller": st.sampled_from(["cpu", "memory"]),
            "version": st.sampled_from([1, 2]),
            "path": _TEXT,
            "files": _FILES,
        }
    ),
    max_size=5,
)


@given(_LEVELS)
def test_no_content_of_the_files_breaks_the_facts(levels: list[dict[str, object]]) -> None:
    raw = {"self": "0::/", "mounts": [], "levels": levels}
    quota = value(cgroup.quota(raw))
    limit, used = cgroup.memory(raw)
    assert quota is None or quota > 0
    assert value(limit) is None or 0 < limit["value"] < cgroup.NO_LIMIT_BYTES
    assert value(used) is None or isinstance(used["value"], int)


@given(st.integers(1, 10**9), st.integers(1, 10**6), st.sampled_from([1, 2]))
def test_a_quota_survives_the_round_trip(quota: int, period: int, version: int) -> None:
    files = (
        {"cpu.max": f"{quota} {period}"}
        if version == 2
        else {"cpu.cfs_quota_us": str(quota), "cpu.cfs_period_us": str(period)}
    )
    level = {"controller": "cpu", "version": version, "path": "/x", "files": files}
    assert value(cgroup.quota({"levels": [level]})) == quota / period
