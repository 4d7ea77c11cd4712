"""The parsers of kernel text formats: round trips, and nothing breaks them."""

from __future__ import annotations

from pathlib import Path

import pytest
from closed import as_nobody, open_folder
from hypothesis import given
from hypothesis import strategies as st

from advisor.probe import linux


def _listed(cpus: list[int]) -> str:
    """The kernel's way to write a set of CPUs."""
    spans: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if spans and cpu == spans[-1][1] + 1:
            spans[-1][1] = cpu
        else:
            spans.append([cpu, cpu])
    return ",".join(f"{a}-{b}" if a != b else str(a) for a, b in spans)


@given(st.lists(st.integers(0, 4096), max_size=80))
def test_a_cpu_list_survives_the_round_trip(cpus: list[int]) -> None:
    assert linux.cpu_list(_listed(cpus)) == frozenset(cpus)


@pytest.mark.parametrize(
    ("written", "cpus"),
    [
        ("0-3,8", {0, 1, 2, 3, 8}),
        ("", set()),
        ("0-10:2/4", {0, 1, 4, 5, 8, 9}),
        ("7\n", {7}),
        (" 1 , 3 ", {1, 3}),
    ],
)
def test_cpu_lists(written: str, cpus: set[int]) -> None:
    assert linux.cpu_list(written) == cpus


@pytest.mark.parametrize("written", ["a", "3-1", "-1", "0-99999999", "1-2-3", "0-3:0/0", "0-3:5/4", "0-3:x"])
def test_what_is_no_cpu_list_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        linux.cpu_list(written)


@given(st.text(max_size=80))
def test_no_text_breaks_the_parsers(written: str) -> None:
    cpus = linux.cpus_in(written)
    assert cpus is None or all(cpu >= 0 for cpu in cpus)
    size = linux.size_bytes(written)
    assert size is None or size >= 0
    assert isinstance(linux.mounts(written), list)
    assert isinstance(linux.unescape(written), str)


@given(st.integers(0, 2**60), st.sampled_from(["", "K", "M", "G", "kB", "KiB", "MB", "GiB", " kB"]))
def test_sizes(number: int, suffix: str) -> None:
    power = {"": 0, "k": 1, "m": 2, "g": 3}[suffix.strip()[:1].lower()]
    assert linux.size_bytes(f"{number}{suffix}") == number * 1024**power


def test_a_bare_number_takes_the_unit_of_its_source() -> None:
    assert linux.size_bytes("122880", "M") == 120 * 1024**3
    assert linux.size_bytes("120G", "M") == 120 * 1024**3
    assert linux.size_bytes("1.5G") == 3 * 512 * 1024**2
    assert linux.size_bytes("minus one") is None


_PATH = st.text(alphabet=st.characters(codec="ascii", exclude_characters="\n"), min_size=1, max_size=30)


def _escaped(path: str) -> str:
    """What the kernel's mangle() does: space, tab, newline, backslash, # as octal."""
    return "".join(f"\\{ord(c):03o}" if c in " \t\n\\#\x0b\x0c\r\x1c\x1d\x1e\x85" else c for c in path)


@given(point=_PATH, source=_PATH)
def test_mount_points_survive_the_round_trip(point: str, source: str) -> None:
    line = f"36 35 98:0 / /{_escaped(point)} rw,noatime master:1 - ext3 {_escaped(source)} rw,errors=continue"
    row = linux.mounts(line)[0]
    assert (row["point"], row["source"]) == (f"/{point}", source)
    assert (row["device"], row["kind"], row["options"]) == ("98:0", "ext3", ["rw", "errors=continue"])


def test_mounts_without_optional_fields_or_with_many() -> None:
    rows = linux.mounts(
        "22 27 0:21 / /proc rw - proc proc rw\n"
        "cut short\n"
        "23 27 0:22 / /sys rw shared:1 master:2 propagate_from:3 unbindable - sysfs sysfs rw\n"
    )
    assert [row["point"] for row in rows] == ["/proc", "/sys"]


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert linux.look(tmp_path / "nowhere") == {"status": "absent", "reason": "No such file or directory"}
    assert linux.look(tmp_path)["status"] == "failed"  # type: ignore[index]
    (tmp_path / "bytes").write_bytes(b"caf\xff\n")
    assert linux.look(tmp_path / "bytes") == "caf�"


def test_a_closed_file_says_so() -> None:
    with open_folder() as folder:
        (folder / "closed").write_text("x")
        (folder / "closed").chmod(0)
        with as_nobody():
            assert linux.look(folder / "closed")["status"] == "no_permission"  # type: ignore[index]


def test_slurm_takes_its_own_variables_and_no_secrets(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/environ").write_bytes(b"SLURM_JOB_ID=7\0SLURM_CONF_TOKEN=x\0PASSWORD=y\0broken\0")
    assert linux.slurm(tmp_path) == {"SLURM_JOB_ID": "7"}


def test_two_sources_that_disagree_are_both_kept() -> None:
    near = linux.compared(100, "a", [(101, "b"), (None, "c")], "why")
    assert (near["status"], near["others"]) == ("ok", [])
    far = linux.compared(100, "a", [(103, "b"), (100, "c")], "why")
    assert (far["value"], far["status"], far["reason"]) == (100, "contradiction", "why")
    assert far["others"] == [{"value": 103, "source": "b"}]
