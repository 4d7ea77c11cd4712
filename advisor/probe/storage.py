"""The file system that holds the working folder: which, on what, how large, how much is free.

Its own child process: a dead NFS server blocks whoever asks for the free space. So the mount table and
sysfs, which never touch the file system itself, are read first, and `statvfs` comes last.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.paths import there
from advisor.probe.disk import kind_of, read_disk
from advisor.probe.facts import CallSkipped, assumed, none, ok
from advisor.probe.linux import environment, link, live, look, missing, mounts
from advisor.probe.reading import clean

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict, Say

NAME = "storage"
GROUP = "storage"
DEADLINE_S = 5.0

WORKDIR_VARIABLE = "HWADVISOR_WORKDIR"  # as run.WORKDIR_VARIABLE: set by the parent
MOUNTINFO = "/proc/self/mountinfo"

# File systems by what lies under them; names as in /proc/filesystems and after "fuse."
# fmt: off
NETWORK = frozenset({
    "nfs", "nfs3", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "mmfs", "beegfs", "ceph",
    "glusterfs", "afs", "orangefs", "pvfs2", "panfs", "wekafs", "gfs2", "ocfs2", "sshfs", "s3fs",
    "goofys", "gcsfuse", "mount-s3", "mountpoint-s3", "juicefs", "blobfuse", "blobfuse2", "rclone",
    "cvmfs", "cvmfs2", "dvs", "gvfsd-fuse", "efs", "fsx", "lizardfs", "mfs", "moosefs", "seaweedfs",
    "alluxio-fuse", "davfs", "vast",
})
# fmt: on
IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"})
# Handed in by a hypervisor, WSL or a sandbox: what lies under it is on the other side
SHARED = frozenset({"9p", "virtiofs", "drvfs", "vboxsf", "vmhgfs", "prl_fs", "gofer", "rosetta", "hostfs"})
LAYERED = frozenset({"overlay", "aufs", "fuse-overlayfs"})


def present(root: Path) -> str:
    """Every machine has a working folder; the hint is where its mount is read from."""
    told = there(root / "proc/self/mountinfo") is not False
    return MOUNTINFO if told else sys.platform if live(root) else ""


def read(root: Path, say: Say) -> None:
    """Report the folder, its mount, the disk below, and last, because it may hang, the free space."""
    folder = working_folder(root)
    say("folder", folder)
    if live(root):
        folder = _resolved(folder, say)
        say("folder", folder)
    if there(root / "proc/self/mountinfo") is not False:
        info = look(root / "proc/self/mountinfo", 4 << 20)
        rows = mounts(info) if isinstance(info, str) else []
        mount = holding(rows, folder)
        hosts = holding(rows, "/etc/hosts")
        say("mount", mount if isinstance(info, str) else info)
        say("hosts_mount", hosts if hosts and hosts["point"] == "/etc/hosts" else None)
        for name, row in (("disk", mount), ("upper_disk", _below(rows, mount)), ("hosts_disk", hosts)):
            if row:
                say(name, read_disk(root, row["device"], row["source"]))
    try:
        say.begin(f"statvfs {folder}")
        space = _space(root, folder)
    except CallSkipped as left_out:
        space = {"status": left_out.status, "reason": left_out.reason}
    say("space", space)


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """{"storage": ...} in the shape of schema.Storage from the raw answers."""
    said, folder = raw.get("mount"), raw.get("folder")
    mount: dict[str, Any] = said if isinstance(said, dict) and "point" in said else {}
    blank = missing(said, MOUNTINFO, "no mount table on this system" if said is None else "")
    kind, model = _kind(raw, mount) if mount else (blank, blank)
    size, free = _sizes(raw.get("space"))
    device = mount.get("source", "")
    if mount:
        named = device not in ("", "none", mount["kind"])
        blank = none("absent", MOUNTINFO, "the mount names no device")
    return {
        "storage": {
            "path": ok(folder, "working folder") if folder else missing(folder, "working folder"),
            "mount_point": ok(mount["point"], MOUNTINFO) if mount else blank,
            "filesystem": ok(mount["kind"], MOUNTINFO) if mount else blank,
            "device": ok(clean(device), MOUNTINFO) if mount and named else blank,
            "kind": kind,
            "model": model,
            "size_bytes": size,
            "free_bytes": free,
        }
    }


def working_folder(root: Path) -> str:
    """The folder asked for, else the kernel's own note of where this process works (touches no disk)."""
    named = environment(root).get(WORKDIR_VARIABLE) or (
        os.environ.get(WORKDIR_VARIABLE) if live(root) else ""
    )
    if named:
        return named
    noted = link(root / "proc/self/cwd")
    if noted.startswith("/") and not noted.endswith(" (deleted)"):
        return noted
    return str(Path.cwd()) if live(root) else "/"


def _resolved(folder: str, say: Say) -> str:
    """The folder without symbolic links; as it was named when following them hung before."""
    try:
        say.begin(f"realpath {folder}")
    except CallSkipped:
        return folder
    return os.path.realpath(folder)


def holding(rows: list[dict[str, Any]], folder: str) -> dict[str, Any] | None:
    """The mount that holds a folder: longest mount point above it; of several on one point, the last."""
    best: dict[str, Any] | None = None
    for row in rows:
        point = row["point"].rstrip("/")
        above = folder == point or folder.startswith(f"{point}/") or not point
        if above and (best is None or len(point) >= len(best["point"].rstrip("/"))):
            best = row
    return best


def _below(rows: list[dict[str, Any]], mount: dict[str, Any] | None) -> dict[str, Any] | None:
    """The mount that holds an overlay's writable layer, where this process can see it."""
    if mount is None or mount["kind"] not in LAYERED:
        return None
    upper = next((option[9:] for option in mount["options"] if option.startswith("upperdir=")), "")
    below = holding(rows, posixpath.normpath(upper)) if upper.startswith("/") else None
    return below if below is not None and below["kind"] not in LAYERED else None


def _space(root: Path, folder: str) -> dict[str, Any]:
    """{"size", "free"} of the file system in bytes; asks the nearest parent of a folder not there yet."""
    place = root / folder.lstrip("/") if os.name == "posix" else Path(folder)
    while there(place) is False and place != place.parent and root in place.parents:
        place = place.parent
    try:
        if hasattr(os, "statvfs"):
            told = os.statvfs(place)
            return {"size": told.f_blocks * told.f_frsize, "free": told.f_bavail * told.f_frsize}
        usage = shutil.disk_usage(place)
    except OSError as error:
        status = "no_permission" if isinstance(error, PermissionError) else "failed"
        return {"status": status, "reason": error.strerror or str(error)}
    return {"size": usage.total, "free": usage.free}


def _sizes(space: Any) -> tuple[FactDict, FactDict]:
    source = "statvfs"
    if not isinstance(space, dict) or "size" not in space:
        blank = missing(space, source)
        return blank, blank
    if not space["size"]:
        blank = none("not_supported", source, "this file system tells no size")
        return blank, blank
    return ok(space["size"], f"{source} f_blocks"), ok(
        space["free"], f"{source} f_bavail (for ordinary users)"
    )


def _kind(raw: dict[str, Any], mount: dict[str, Any]) -> tuple[FactDict, FactDict]:
    """Facts: kind and model of the disk below the mount."""
    filesystem = mount["kind"]
    name = filesystem.partition(".")[2] if filesystem.startswith("fuse.") else filesystem
    source = f"{MOUNTINFO}: {filesystem}"
    for kinds, kind in ((NETWORK, "network"), (IN_MEMORY, "memory")):
        if name in kinds:
            return ok(kind, source), none("absent", source, f"no disk of this machine: {kind}")
    if name in SHARED:
        reason = "shared in by the host; the disk is on its side"
        return ok("virtual", source, reason), none("absent", source, reason)
    if name in LAYERED:
        return _layered(raw)
    if name == "zfs":
        blank = none("not_supported", source, "a ZFS pool does not tell its disks in sysfs")
        return blank, blank
    return kind_of(raw.get("disk"))


def _layered(raw: dict[str, Any]) -> tuple[FactDict, FactDict]:
    """An overlay lies where its upper layer lies; a container sees that only by its engine's other files."""
    if raw.get("upper_disk"):
        return kind_of(raw["upper_disk"])
    hosts = raw.get("hosts_mount")
    if isinstance(hosts, dict) and raw.get("hosts_disk") and "/containers/" in hosts.get("root", ""):
        kind, model = kind_of(raw["hosts_disk"])
        reason = "a container's layers usually lie beside the /etc/hosts that its engine mounts"
        source = f"{MOUNTINFO}: /etc/hosts on {hosts['source']}"
        if kind["value"] is not None:
            kind = assumed(kind["value"], source, reason)
        if model["value"] is not None:
            model = assumed(model["value"], source, reason)
        return kind, model
    blank = none(
        "not_supported", f"{MOUNTINFO}: overlay", "the disk below the container's layers is not visible"
    )
    return blank, blank
