"""What /proc and /sys look like: small readers below a root, and the parsers that several probes share.

Standard library only. A file that cannot be read becomes `{"status": ..., "reason": ...}` instead of its
text, so that a raw answer always says why it is missing. The environment, the affinity and the working
folder are read from /proc/self, never from this process by another road: a fixture tree then stands in
for a whole machine.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

from advisor.probe.facts import contradiction, none, ok

MAX_BYTES = 8 * 1024 * 1024  # /proc/cpuinfo of a 2-socket server is about 1 MB
MAX_CPUS = 1 << 16  # NR_CPUS of the largest kernels is 8192

Answer = str | dict[str, str]
"""The text of a file, or why there is none."""

_STATUS = {
    errno.ENOENT: "absent",
    errno.ENOTDIR: "absent",
    errno.EACCES: "no_permission",
    errno.EPERM: "no_permission",
    errno.EINVAL: "not_supported",
    errno.EOPNOTSUPP: "not_supported",
    errno.ENODATA: "not_supported",
    errno.ENODEV: "lost",
}
_OCTAL = re.compile(r"\\([0-7]{3})")
_SIZE = re.compile(r"\s*(\d{1,20}(?:\.\d{1,20})?)\s*([KMGTPE]?)(I?B?)\s*", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


def look(path: Path, limit: int = 65536) -> Answer:
    """The stripped text of a file, or `{"status", "reason"}` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace").strip()
    except OSError as error:
        status = _STATUS.get(error.errno or 0, "failed")
        return {"status": status, "reason": error.strerror or str(error)}


def look_all(folder: Path, names: tuple[str, ...] | list[str]) -> dict[str, str]:
    """Those of the named small files in a folder that could be read."""
    answers = {name: look(folder / name) for name in names}
    return {name: answer for name, answer in answers.items() if isinstance(answer, str)}


def link(path: Path) -> str:
    """Where a symbolic link points, without following it; "" when it is none."""
    try:
        return os.readlink(path)  # noqa: PTH115 - Path.readlink() cannot return a bare text
    except OSError:
        return ""


def text(answer: object) -> str | None:
    """The text of an answer, or None."""
    return answer if isinstance(answer, str) else None


def whole(answer: object) -> int | None:
    """The decimal whole number in an answer, or None."""
    found = text(answer)
    try:
        return int(found) if found is not None else None
    except ValueError:
        return None


def missing(answer: object, source: str, otherwise: str = "") -> dict[str, Any]:
    """The fact for an answer that holds no value: its own status and reason, or `otherwise`."""
    if isinstance(answer, dict):
        reason = str(answer.get("reason", ""))
        joined = f"{otherwise} ({reason})" if otherwise and reason else otherwise or reason
        return none(str(answer.get("status", "failed")), source, joined)
    if answer is None:
        return none("not_asked", source, otherwise or "the probe ended before it came to this")
    return none("failed", source, otherwise or f"answered {str(answer)[:80]!r}")


def unless_closed(facts: dict[str, Any], answer: object, folder: str) -> dict[str, Any]:
    """The same facts, none of them called absent below `folder` where `answer` says that it is closed."""
    if not isinstance(answer, dict) or answer.get("status") != "no_permission":
        return facts
    why = f"this user may not read {folder}, so nothing is ruled out"
    return {
        name: none("no_permission", fact["source"], why)
        if fact["status"] == "absent" and fact["source"].startswith(folder)
        else fact
        for name, fact in facts.items()
    }


def compared(
    value: float, source: str, others: list[tuple[float | None, str]], reason: str, tolerance: float = 0.02
) -> dict[str, Any]:
    """The fact of a figure that several sources give: a contradiction where one is off by more than 2 %."""
    differing = [
        (other, who)
        for other, who in others
        if other is not None and abs(other - value) > tolerance * max(abs(other), abs(value))
    ]
    return contradiction(value, source, differing, reason) if differing else ok(value, source)


def live(root: Path) -> bool:
    """Whether `root` is this machine itself and not a recorded tree."""
    return root == Path("/")


def cpu_list(listed: str) -> frozenset[int]:
    """{0, 1, 2, 8} from the kernel's "0-2,8"; also strides "0-10:2/4". ValueError on anything else."""
    cpus: set[int] = set()
    for part in listed.strip().split(","):
        if not part.strip():
            continue
        span, _, stride = part.partition(":")
        low_text, dash, high_text = span.partition("-")
        low = int(low_text)
        high = int(high_text) if dash else low
        if low < 0 or high < low or high >= MAX_CPUS:
            raise ValueError(f"{part!r} is no range of CPUs")
        if not stride:
            cpus.update(range(low, high + 1))
            continue
        used, group = _groups(stride)
        cpus.update(cpu for cpu in range(low, high + 1) if (cpu - low) % group < used)
    return frozenset(cpus)


def _groups(stride: str) -> tuple[int, int]:
    """(2, 4) from "2/4": the first two CPUs of each group of four."""
    used, _, group = stride.partition("/")
    if not 0 < int(used) <= int(group):
        raise ValueError(f"{stride!r} is no stride of CPUs")
    return int(used), int(group)


def cpus_in(answer: object) -> frozenset[int] | None:
    """The CPUs of an answer that holds a CPU list, or None."""
    found = text(answer)
    if found is None:
        return None
    try:
        return cpu_list(found)
    except ValueError:
        return None


def size_bytes(written: str, unit: str = "") -> int | None:
    """Bytes from the kernel's or Slurm's "32K", "32768 kB", "1.5G", "4096"; powers of 1024 throughout.

    `unit` is the unit of a bare number ("M" for Slurm's megabytes). None for anything else.
    """
    found = _SIZE.fullmatch(written)
    if not found:
        return None
    number, prefix, _ = found.groups()
    power = _POWERS[(prefix or ("" if found.group(3) else unit)).upper()]
    return int(float(number) * 1024**power) if "." in number else int(number) * 1024**power


def mounts(mountinfo: str) -> list[dict[str, Any]]:
    """The rows of /proc/self/mountinfo in order (see proc_pid_mountinfo(5)); rows cut short are left out.

    Each row: id, parent, device ("major:minor"), root, point, kind (file system), source, options (of the
    super block, a list). Octal escapes ("\\040" for a space) are undone.
    """
    rows = []
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        head, tail = before.split(" "), after.split(" ")
        if not dash or len(head) < 6 or len(tail) < 2:
            continue
        rows.append(
            {
                "id": head[0],
                "parent": head[1],
                "device": head[2],
                "root": unescape(head[3]),
                "point": unescape(head[4]),
                "kind": unescape(tail[0]),
                "source": unescape(tail[1]),
                "options": unescape(tail[2]).split(",") if len(tail) > 2 else [],
            }
        )
    return rows


def unescape(written: str) -> str:
    """Undo the kernel's octal escapes of space, tab, newline, backslash and '#' in mount tables."""
    return _OCTAL.sub(lambda found: chr(int(found.group(1), 8) & 0xFF), written)


def environment(root: Path) -> dict[str, str]:
    """The environment of this process as /proc/self/environ has it; `os.environ` where that is closed."""
    try:
        raw = (root / "proc/self/environ").read_bytes()
    except OSError:
        return dict(os.environ) if live(root) else {}
    pairs = (item.partition(b"=") for item in raw.split(b"\0") if b"=" in item)
    return {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, _, value in pairs}


SLURM_KEYS = (
    "SLURM_JOB_ID",
    "SLURM_JOBID",
    "SLURM_STEP_ID",
    "SLURM_JOB_PARTITION",
    "SLURM_JOB_NUM_NODES",
    "SLURM_NNODES",
    "SLURM_JOB_NODELIST",
    "SLURMD_NODENAME",
    "SLURM_CPUS_PER_TASK",
    "SLURM_CPUS_ON_NODE",
    "SLURM_MEM_PER_NODE",
    "SLURM_MEM_PER_CPU",
    "SLURM_MEM_PER_GPU",
    "SLURM_JOB_GPUS",
    "SLURM_STEP_GPUS",
    "SLURM_GPUS",
    "SLURM_GPUS_ON_NODE",
    "SLURM_GPUS_PER_NODE",
)


def slurm(root: Path) -> dict[str, str]:
    """What Slurm told this process, by a fixed list of variables: the rest of the environment is private."""
    told = environment(root)
    return {key: told[key] for key in SLURM_KEYS if key in told}
