"""What a block device is, from sysfs: flash or platters, local or over the network. No probe of its own.

Partitions lead to their disk; device mapper, RAID and bcache to the disks below (the slowest counts).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.paths import there
from advisor.probe.facts import none, ok
from advisor.probe.linux import look, missing, text
from advisor.probe.reading import children, clean

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict

MAX_DEPTH = 8
SLOWEST_FIRST = ("hdd", "network", "virtual", "ssd", "nvme", "memory")
# Network volumes that clouds show as NVMe disks; model names as the providers document them
REMOTE_NVME = ("Amazon Elastic Block Store", "nvme_card-pd", "MSFT NVMe Accelerator")
# Vendors that emulate SCSI disks: "rotational" is made up there
EMULATED = frozenset({"qemu", "vmware", "msft", "vbox", "google", "virtual", "aliyun", "xen"})
NETWORK_PREFIXES = ("nbd", "rbd", "drbd")


def read_disk(root: Path, number: str, source: str) -> list[dict[str, Any]] | dict[str, str]:
    """The disks below a mount as raw rows, or why there are none.

    `number`: "major:minor" of the mount. btrfs and others mount under an anonymous number (major 0); then
    the device named in `source` ("/dev/nvme0n1p2") is taken.
    """
    entry = root / "sys/dev/block" / number
    if number.startswith("0:") or not there(entry):
        entry = root / "sys/class/block" / Path(source).name if source.startswith("/dev/") else entry
        mapped = _mapper(root, source)
        entry = mapped or entry
    if not there(entry):
        if there(root / "sys/dev/block" / number) is None:
            return {"status": "no_permission", "reason": "this user may not look at /sys/dev/block"}
        return {"status": "absent", "reason": f"no block device {number} ({source}) in sysfs"}
    top = Path(os.path.realpath(root))
    return _disks(Path(os.path.realpath(entry)), top, MAX_DEPTH)


def _mapper(root: Path, source: str) -> Path | None:
    """/dev/mapper/NAME -> its dm device: sysfs keeps the name in dm/name."""
    if not source.startswith("/dev/mapper/"):
        return None
    wanted = source.removeprefix("/dev/mapper/")
    for entry in children(root / "sys/class/block"):
        if entry.name.startswith("dm-") and text(look(entry / "dm/name")) == wanted:
            return entry
    return None


def _disks(folder: Path, top: Path, depth: int) -> list[dict[str, Any]]:
    if there(folder / "partition"):
        folder = folder.parent
    below = children(folder / "slaves")
    if below and depth > 0:
        return [
            row for slave in sorted(below) for row in _disks(Path(os.path.realpath(slave)), top, depth - 1)
        ]
    parent = folder / "device"
    answers = {
        "rotational": look(folder / "queue/rotational"),
        "model": look(parent / "model"),
        "vendor": look(parent / "vendor"),
        "transport": look(parent / "transport"),
        "card": look(parent / "name"),
        "backing_file": look(folder / "loop/backing_file"),
    }
    place = str(folder).removeprefix(str(top)) if str(top) != "/" else str(folder)
    return [{"name": folder.name, "place": place} | {k: v for k, v in answers.items() if isinstance(v, str)}]


def kind_of(said: Any) -> tuple[FactDict, FactDict]:
    """Facts: kind ("nvme", "ssd", "hdd", "network", "memory", "virtual") and model of the disks below."""
    if not isinstance(said, list) or not said:
        blank = missing(said, "/sys/dev/block", "no disk is visible below this mount")
        return blank, blank
    kinds = [(*_one(row), row) for row in said]
    known = [item for item in kinds if item[0]]
    names = ", ".join(row["name"] for row in said)
    source = f"/sys/block: {names}"
    models = sorted({name for row in said if (name := clean(row.get("model") or row.get("card") or ""))})
    model = (
        ok(" + ".join(models), source) if models else none("not_supported", source, "the disk tells no model")
    )
    if not known:
        return none("not_supported", source, kinds[0][1]), model
    kind, reason, _ = min(known, key=lambda item: SLOWEST_FIRST.index(item[0]))
    several = f"{len(said)} disks: {', '.join(sorted({item[0] for item in known}))}" if len(said) > 1 else ""
    return ok(kind, source, "; ".join(part for part in (reason, several) if part)), model


def _one(row: dict[str, Any]) -> tuple[str, str]:
    """(kind or "", what there is to say about it) of one disk."""
    name, place = row["name"], row.get("place", "")
    model, vendor = row.get("model", ""), row.get("vendor", "").strip().lower()
    if name.startswith(("zram", "ram")):
        return "memory", "a disk in main memory"
    if name.startswith(NETWORK_PREFIXES):
        return "network", "a network block device"
    if "/session" in place or "/rport-" in place:
        return "network", "a volume of a storage network (iSCSI or Fibre Channel)"
    if name.startswith("nvme"):
        if row.get("transport", "pcie") not in ("pcie", "apple-nvme"):
            return "network", f"NVMe over {row['transport']}"
        if model.startswith(REMOTE_NVME):
            return "network", f"{model}: a network volume shown as NVMe"
        return "nvme", ""
    if name.startswith("loop"):
        return "virtual", f"a file as a disk: {row.get('backing_file', 'unknown')}"
    if name.startswith(("vd", "xvd")) or "/virtio" in place or vendor in EMULATED:
        return "virtual", "the hypervisor's disk; what lies under it is not told"
    if name.startswith("mmcblk"):
        return "ssd", "a memory card or eMMC"
    rotational = row.get("rotational")
    if rotational not in ("0", "1"):
        return "", f"{name} does not say whether it rotates"
    return ("hdd", "") if rotational == "1" else ("ssd", "")
