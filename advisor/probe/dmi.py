"""The firmware's own tables (SMBIOS): memory modules without `dmidecode`. No probe of its own.

Layout: DMTF DSP0134 (SMBIOS reference specification), section 7.18 "Memory Device (Type 17)". Serial
numbers are in these tables too; they are not read.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from advisor.probe.linux import look

MAX_TABLE_BYTES = 1 << 20
MEMORY_DEVICE = 17
NON_VOLATILE = 0x1F  # persistent memory in a memory slot: no main memory
END = 127
# Table 77 "Memory Device: Type" of DSP0134
KINDS = {
    0x12: "DDR",
    0x13: "DDR2",
    0x18: "DDR3",
    0x1A: "DDR4",
    0x1B: "LPDDR",
    0x1C: "LPDDR2",
    0x1D: "LPDDR3",
    0x1E: "LPDDR4",
    0x20: "HBM",
    0x21: "HBM2",
    0x22: "DDR5",
    0x23: "LPDDR5",
    0x24: "HBM3",
}


def read_memory(root: Path) -> list[dict[str, Any]] | dict[str, str]:
    """[{"kind", "mts", "bytes"}] of the fitted modules, or why the table cannot be read (root only)."""
    path = root / "sys/firmware/dmi/tables/DMI"
    try:
        with path.open("rb") as file:
            table = file.read(MAX_TABLE_BYTES)
    except OSError:
        answer = look(path)
        return answer if isinstance(answer, dict) else {"status": "failed", "reason": "cannot be read"}
    return memory_devices(table)


def memory_devices(table: bytes) -> list[dict[str, Any]]:
    """The fitted memory modules of an SMBIOS structure table; what is cut short is left out."""
    return [
        row
        for kind, body in structures(table)
        if kind == MEMORY_DEVICE and (row := _module(body)) is not None
    ]


def structures(table: bytes) -> list[tuple[int, bytes]]:
    """(type, formatted area) of each structure, up to the end mark or the first broken one."""
    found = []
    at = 0
    while at + 4 <= len(table):
        kind, length = table[at], table[at + 1]
        if length < 4 or at + length > len(table):
            break
        found.append((kind, table[at : at + length]))
        end = table.find(b"\0\0", at + length)  # the strings of a structure end with two zero bytes
        if kind == END or end < 0:
            break
        at = end + 2
    return found


def _module(body: bytes) -> dict[str, Any] | None:
    """One Memory Device structure; None for an empty socket or persistent memory."""
    size = _word(body, 0x0C)
    kind = body[0x12] if len(body) > 0x12 else 0
    if not size or kind == NON_VOLATILE:
        return None
    if size == 0x7FFF:  # 32 GiB - 1 MiB or more: see Extended Size, in MiB
        bytes_ = (_double(body, 0x1C) & 0x7FFFFFFF) << 20
    elif size == 0xFFFF:  # unknown
        bytes_ = 0
    else:
        bytes_ = (size & 0x7FFF) << (10 if size & 0x8000 else 20)
    speed = _word(body, 0x20) or _word(body, 0x15)  # configured, else the module's own
    if speed == 0xFFFF:  # 65,535 MT/s or more: see the extended fields
        speed = _double(body, 0x58) or _double(body, 0x54)
    return {"kind": KINDS.get(kind, ""), "mts": speed or None, "bytes": bytes_ or None}


def _word(body: bytes, at: int) -> int:
    return int(struct.unpack_from("<H", body, at)[0]) if len(body) >= at + 2 else 0


def _double(body: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", body, at)[0]) if len(body) >= at + 4 else 0
