"""The file system of the working folder on recorded machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import Ear, ask, plant, plant_text, value

from advisor.probe import disk, storage
from advisor.probe.linux import mounts

# folder -> mount point, file system, kind, model
FOLDERS = {
    "/opt/work": ("/", "xfs", "hdd", "ST4000NM0035-1V4"),
    "/scratch/me": ("/scratch", "ext4", "nvme", "SAMSUNG MZQL23T8HCLS-00A07"),
    "/scratchy": ("/", "xfs", "hdd", "ST4000NM0035-1V4"),
    "/home/me/project": ("/home", "btrfs", "nvme", "WD_BLACK SN850X 4000GB"),
    "/dev/shm": ("/dev/shm", "tmpfs", "memory", None),
    "/mnt/big disk/run 1": ("/mnt/big disk", "nfs4", "network", None),
    "/mnt/bucket/data": ("/mnt/bucket", "fuse.gcsfuse", "network", None),
    "/ebs": ("/ebs", "xfs", "network", "Amazon Elastic Block Store"),
}


def _facts(root: Path) -> dict[str, Any]:
    return ask(storage, root)[0]["storage"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_lies_under_a_folder(folder: str, tmp_path: Path) -> None:
    plant("disks", tmp_path)
    plant_text(f"=== proc/self/cwd -> {folder}\n=== {folder[1:]}/", tmp_path)
    point, filesystem, kind, model = FOLDERS[folder]
    facts = _facts(tmp_path)
    assert value(facts["path"]) == folder
    assert value(facts["mount_point"]) == point
    assert value(facts["filesystem"]) == filesystem
    assert value(facts["kind"]) == kind
    assert value(facts["model"]) == model
    assert value(facts["size_bytes"]) >= value(facts["free_bytes"]) >= 0


def test_raid_says_how_many_disks(tmp_path: Path) -> None:
    plant("disks", tmp_path)
    fact = _facts(tmp_path)["kind"]
    assert "2 disks" in fact["reason"] and "sda, sdb" in fact["source"]


def test_a_containers_layers_are_assumed_beside_etc_hosts(tmp_path: Path) -> None:
    facts = _facts(plant("docker", tmp_path))
    assert (facts["kind"]["status"], value(facts["kind"])) == ("assumed", "nvme")
    assert value(facts["model"]) == "Samsung SSD 990 PRO 2TB"
    assert value(facts["filesystem"]) == "overlay"


def test_a_shared_in_file_system_is_virtual(tmp_path: Path) -> None:
    facts = _facts(plant("gvisor", tmp_path))
    assert value(facts["kind"]) == "virtual"
    assert value(facts["device"]) is None


def test_a_cluster_file_system_is_network(tmp_path: Path) -> None:
    facts = _facts(plant("slurm-v2", tmp_path))
    assert (value(facts["filesystem"]), value(facts["kind"])) == ("lustre", "network")


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"name": "vda", "rotational": "1"}, "virtual"),
        ({"name": "sda", "rotational": "1", "vendor": "QEMU"}, "virtual"),
        ({"name": "sda", "rotational": "0", "vendor": "ATA"}, "ssd"),
        ({"name": "sdc", "rotational": "1", "place": "/devices/platform/host3/session1/x"}, "network"),
        ({"name": "nvme0n1", "transport": "rdma"}, "network"),
        ({"name": "nvme0n1", "model": "Amazon EC2 NVMe Instance Storage"}, "nvme"),
        ({"name": "mmcblk0", "rotational": "0"}, "ssd"),
        ({"name": "zram0", "rotational": "0"}, "memory"),
        ({"name": "loop3", "rotational": "0"}, "virtual"),
        ({"name": "rbd0", "rotational": "0"}, "network"),
        ({"name": "sdz"}, None),
    ],
)
def test_kinds_of_disks(row: dict[str, str], kind: str | None) -> None:
    assert value(disk.kind_of([row])[0]) == kind


def test_the_free_space_is_asked_last_and_named_before(tmp_path: Path) -> None:
    ear = Ear()
    storage.read(plant("disks", tmp_path), ear)
    assert list(ear.raw)[-1] == "space"
    assert ear.calls[-1].startswith("statvfs ")


def test_a_hang_in_the_free_space_leaves_the_rest_known(tmp_path: Path) -> None:
    facts = ask(storage, plant("disks", tmp_path), "statvfs /")[0]["storage"]
    assert value(facts["filesystem"]) == "xfs"
    assert value(facts["free_bytes"]) is None
    assert facts["free_bytes"]["status"] == "timeout"


def test_a_child_killed_in_the_free_space_leaves_the_rest_known(tmp_path: Path) -> None:
    _, raw = ask(storage, plant("disks", tmp_path))
    del raw["space"]
    facts = storage.parse(raw)["storage"]
    assert value(facts["kind"]) == "hdd"
    assert value(facts["free_bytes"]) is None


def test_the_folder_asked_for_wins_over_the_current_one(tmp_path: Path) -> None:
    plant("disks", tmp_path)
    (tmp_path / "proc/self/environ").write_bytes(b"HWADVISOR_WORKDIR=/scratch/asked\0")
    assert value(_facts(tmp_path)["path"]) == "/scratch/asked"


_POINT = st.lists(st.sampled_from(["a", "b", "c d", "ü"]), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


@given(st.lists(_POINT, max_size=8), _POINT)
def test_the_longest_mount_point_above_holds_the_folder(points: list[str], folder: str) -> None:
    rows = [{"point": point, "number": n} for n, point in enumerate(points)]
    found = storage.holding(rows, folder)
    above = [p for p in points if p in ("/", folder) or folder.startswith(f"{p}/")]
    if not above:
        assert found is None
    else:
        assert found is not None and found["point"] == max(above, key=len)
        assert found["number"] == max(n for n, p in enumerate(points) if p == found["point"])


@given(st.text(max_size=200))
def test_no_mount_table_breaks_the_parser(info: str) -> None:
    rows = mounts(info)
    assert storage.holding(rows, "/x") is None or rows


def test_here_the_figures_are_those_of_the_system() -> None:
    import shutil

    ear = Ear()
    storage.read(Path("/"), ear)
    facts = storage.parse(ear.raw)["storage"]
    assert value(facts["size_bytes"]) == shutil.disk_usage(value(facts["path"])).total
