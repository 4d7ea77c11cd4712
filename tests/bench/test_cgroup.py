"""Quota counters and memory limits of control groups, from trees of our own."""

from __future__ import annotations

import pytest

from advisor.bench import cgroup
from advisor.bench.cgroup import Quota

MIB = 1 << 20


@pytest.fixture
def tree(tmp_path):
    """Write files below a root: tree({"proc/self/cgroup": "..."}) gives the root."""

    def write(files: dict[str, str]) -> str:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(tmp_path)

    return write


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nr_periods 10\nnr_throttled 3\nthrottled_usec 500000\n", Quota(10.0, 3.0, 0.5)),
        ("nr_periods 10\nnr_throttled 3\nthrottled_time 500000000\n", Quota(10.0, 3.0, 0.5)),
        ("nr_periods 10\nnr_throttled 3\n", Quota(10.0, 3.0, None)),
        ("nr_periods 10\nnr_throttled many\n", None),
        ("usage_usec 1\n", None),
        ("", None),
    ],
)
def test_the_counters_of_v1_and_v2(tmp_path, text, expected):
    (tmp_path / "cpu.stat").write_text(text)
    assert cgroup.quota_of(tmp_path) == expected


def test_the_quota_of_an_ancestor_counts(tree):
    """A pod has the quota, the container in it has none."""
    root = tree(
        {
            "proc/self/cgroup": "0::/pod/container\n",
            "sys/fs/cgroup/pod/container/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
            "sys/fs/cgroup/pod/cpu.stat": "nr_periods 100\nnr_throttled 0\nthrottled_usec 0\n",
        }
    )
    before = cgroup.quotas(root)
    tree({"sys/fs/cgroup/pod/cpu.stat": "nr_periods 110\nnr_throttled 8\nthrottled_usec 600000\n"})
    periods, time = cgroup.cut_between(before, cgroup.quotas(root), core_s=2.0)
    assert periods == pytest.approx(0.8)
    assert time == pytest.approx(0.3)


def test_without_counters_nothing_is_known(tree):
    assert cgroup.cut_between({}, cgroup.quotas(tree({"proc/self/cgroup": "0::/\n"})), 1.0) == (None, None)


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"proc/self/cgroup": "0::/\n"}, None),
        (  # v2; page cache that nobody uses can go; the parent is tighter than the leaf
            {
                "proc/self/cgroup": "0::/job/step\n",
                "sys/fs/cgroup/job/step/memory.max": "max\n",
                "sys/fs/cgroup/job/step/memory.current": f"{300 * MIB}\n",
                "sys/fs/cgroup/job/memory.max": f"{1000 * MIB}\n",
                "sys/fs/cgroup/job/memory.current": f"{900 * MIB}\n",
                "sys/fs/cgroup/job/memory.stat": f"anon 1\ninactive_file {200 * MIB}\n",
            },
            300 * MIB,
        ),
        (  # v1, its way of saying "no limit", and a limit above it
            {
                "proc/self/cgroup": "4:memory:/a\n0::/\n",
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "5\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{64 * MIB}\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{100 * MIB}\n",
            },
            0,
        ),
    ],
)
def test_memory_left_under_the_tightest_limit(tree, files, left):
    assert cgroup.memory_left(tree(files)) == left
