"""Reading npu-smi's text: the device table, the chip mapping, the board's key-value list.

The table has two lines a chip, and two header lines that name what stands in them. Columns come and go
(HBM-Usage, Phy-ID, Device), so each cell is split by the names of its own header, never by position in
the line. Values of the form "3414 / 65536" or "62336/ 65536" are one value.
"""

from __future__ import annotations

import re
from typing import Any

from advisor.probe.reading import absent, clean, number, whole

MB = 1024 * 1024  # npu-smi's MB: 65536 of them are the 64 GiB of a 910B
_USAGE = re.compile(r"(\d+|-|NA)\s*/\s*(\d+|-|NA)")
_MAPPING_COLUMNS = ("NPU ID", "Chip ID", "Chip Logic ID", "Chip Phy-ID", "Slot ID", "Device ID", "Chip Name")
MAX_ROWS = 1024


def told(value: object) -> bool:
    """Whether npu-smi gave a value, not "NA" or "-"."""
    return not absent(value)


def parse_table(text: str) -> dict[str, Any]:
    """{"version", "rows", "processes"}; `processes` is None when there is no process table.

    A row: npu, chip, phy_id, name, health, bus, power_w, power_text, temperature_c, aicore_percent,
    memory_column, memory_total_bytes, memory_used_bytes.
    """
    version = ""
    rows: list[dict[str, Any]] = []
    processes: list[dict[str, Any]] | None = None
    upper: list[list[str]] = []  # header cells of a chip's first and second line
    section, first = "", None
    for line in str(text).splitlines():
        cells = _cells(line)
        if not cells:
            found = re.search(r"Version:\s*(\S+)", line)
            version = version or (clean(found.group(1), 60) if found else "")
            continue
        kind = _header_kind(cells)
        if kind == "devices":
            section, upper, first = "devices", [[c.strip() for c in cells]], None
        elif kind == "chips" and section == "devices":
            upper = [*upper[:1], [c.strip() for c in cells]]
        elif kind == "processes":
            section, upper, processes = "processes", [[c.strip() for c in cells]], processes or []
        elif section == "devices" and len(upper) == 2 and len(rows) < MAX_ROWS:
            first, row = _device_line(cells, upper, first)
            rows += [row] if row else []
        elif section == "processes" and processes is not None and len(processes) < MAX_ROWS:
            processes += _process_line(cells)
    return {"version": version, "rows": rows, "processes": processes}


def parse_mapping(text: str) -> dict[tuple[int, int], dict[str, str]]:
    """{(npu, chip): {"logic", "phy", "slot", "name"}} of `npu-smi info -m`, MCUs left out."""
    out: dict[tuple[int, int], dict[str, str]] = {}
    columns: list[str] = []
    for line in str(text).splitlines():
        if "NPU ID" in line and "Chip" in line:
            at = sorted((line.find(name), name) for name in _MAPPING_COLUMNS if name in line)
            columns = [name for _, name in at]
            continue
        values = line.split(None, max(len(columns) - 1, 0))
        if not columns or len(values) != len(columns):
            continue
        row = dict(zip(columns, (value.strip() for value in values), strict=True))
        npu, chip = whole(row.get("NPU ID")), whole(row.get("Chip ID"))
        name = row.get("Chip Name", "")
        if npu is None or chip is None or name.lower() == "mcu":
            continue
        out[npu, chip] = {
            "logic": row.get("Chip Logic ID", ""),
            "phy": row.get("Chip Phy-ID", ""),
            "slot": row.get("Slot ID", ""),
            "name": clean(name, 60),
        }
    return out


def parse_board(text: str) -> dict[str, str]:
    """{"Serial Number": "…"} of `npu-smi info -t board`, lines of "key : value"; the first of a key wins."""
    out: dict[str, str] = {}
    for line in str(text).splitlines()[:500]:
        key, found, value = line.partition(":")
        if found and key.strip():
            out.setdefault(clean(key, 60), clean(value))
    return out


def _cells(line: str) -> list[str]:
    stripped = line.strip()
    if not stripped.startswith("|"):
        return []
    cells = stripped.strip("|").split("|")
    return cells if len(cells) >= 3 else []


def _header_kind(cells: list[str]) -> str:
    words, rest = cells[0].split(), " ".join(cells[1:])
    if words[:1] == ["NPU"] and "Process" in rest:
        return "processes"
    if words[:2] == ["NPU", "Name"] and "Health" in rest:
        return "devices"
    if words[:1] == ["Chip"] and "Bus-Id" in rest:
        return "chips"
    return ""


def _device_line(
    cells: list[str], upper: list[list[str]], first: dict[str, str] | None
) -> tuple[dict[str, str] | None, dict[str, Any] | None]:
    """(values of a first line kept for the next call, a whole row once its second line is there)."""
    if first is None or _is_first_line(cells):
        values = _by_header(cells, upper[0])
        return (values, None) if whole(values.get("NPU")) is not None else (None, None)
    second = _by_header(cells, upper[1])
    chip, npu = whole(second.get("Chip")), whole(first.get("NPU"))
    if chip is None or npu is None:
        return None, None
    column = next((c for c in ("HBM-Usage(MB)", "Memory-Usage(MB)") if _usage(second.get(c))[1]), "")
    used, total = _usage(second.get(column))
    return None, {
        "npu": npu,
        "chip": chip,
        "phy_id": whole(second.get("Phy-ID", second.get("Device"))),
        "name": clean(first.get("Name", ""), 60),
        "health": clean(first.get("Health", ""), 40),
        "bus": clean(second.get("Bus-Id", ""), 40),
        "power_text": clean(first.get("Power(W)", ""), 20),
        "power_w": number(first.get("Power(W)")),
        "temperature_c": number(first.get("Temp(C)")),
        "aicore_percent": number(second.get("AICore(%)")),
        "memory_column": column,
        "memory_used_bytes": used * MB if used is not None else None,
        "memory_total_bytes": total * MB if total else None,
    }


def _is_first_line(cells: list[str]) -> bool:
    """A chip's first line names it; its second has numbers alone in the first cell."""
    return any(not word.isdigit() for word in cells[0].split())


def _by_header(cells: list[str], header: list[str]) -> dict[str, str]:
    """{"Power(W)": "178.5", "Hugepages-Usage(page)": "0/0"} from the cells under their headers."""
    out: dict[str, str] = {}
    for cell, names_text in zip(cells, header, strict=False):
        names = names_text.split()
        values = _USAGE.sub(r"\1/\2", cell).split()
        if len(names) == 1:
            out[names[0]] = " ".join(values)
        elif len(values) > len(names) and names[-1] == "Name":
            out |= dict(
                zip(names, [*values[: len(names) - 1], " ".join(values[len(names) - 1 :])], strict=True)
            )
        elif len(values) == len(names):
            out |= dict(zip(names, values, strict=True))
        else:
            out |= _uneven(names, values)
    return out


def _uneven(names: list[str], values: list[str]) -> dict[str, str]:
    """Values that are fewer or more than their headers: "a/b" go to usage columns, the rest in order."""
    usage = [value for value in values if "/" in value]
    plain = [value for value in values if "/" not in value]
    pairs = list(zip([n for n in names if "-Usage" in n][::-1], usage[::-1], strict=False))
    pairs += list(zip([n for n in names if "-Usage" not in n], plain, strict=False))
    return dict(pairs)


def _usage(text: str | None) -> tuple[int | None, int | None]:
    found = re.fullmatch(r"(\d{1,12})/(\d{1,12})", (text or "").strip())
    return (int(found.group(1)), int(found.group(2))) if found else (None, None)


def _process_line(cells: list[str]) -> list[dict[str, Any]]:
    """A line of "NPU Chip | Process id | Process name | Process memory(MB) […]"."""
    where = cells[0].split()
    pid = whole(cells[1].strip())
    if len(where) != 2 or pid is None or len(cells) < 4:
        return []
    npu, chip, memory = whole(where[0]), whole(where[1]), number(cells[3])
    if npu is None or chip is None:
        return []
    used = int(memory * MB) if memory is not None else None
    return [{"npu": npu, "chip": chip, "pid": pid, "name": clean(cells[2]), "memory_bytes": used}]
