"""Huawei Ascend NPUs: `npu-smi` and the driver's version files.

npu-smi prints tables whose columns move between releases and products, so they are read by their
headers (see `npu_smi`). `-c` is never passed: the 950's npu-smi has dropped it. What torch_npu says of
memory is preferred over npu-smi's; it comes from the software probe.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.probe import npu_smi
from advisor.probe.facts import none, ok
from advisor.probe.reading import (
    children,
    clean,
    find_tool,
    keyed,
    left_out,
    not_found,
    output,
    pci_address,
    pci_functions,
    read_text,
    rows,
    section,
    tell_tool,
)

if TYPE_CHECKING:
    from advisor.probe.facts import Say

NAME = "ascend"
GROUP = "ascend"
DEADLINE_S = 5.0

VENDOR_ID = "19e5"  # Huawei; class 1200 = processing accelerator, its BMC's display is class 0300
TOOL_FOLDERS = ("usr/local/sbin", "usr/local/bin", "usr/local/Ascend/driver/tools")
CANN_PLACES = (
    "ascend-toolkit/latest/version.info",
    "ascend-toolkit/latest/runtime/version.info",
    "ascend-toolkit/latest/*/version.info",
    "ascend-toolkit/latest/*-linux/ascend_toolkit_install.info",
    "nnae/latest/*-linux/ascend_nnae_install.info",
    "cann/version.info",
    "cann-*/version.info",
    "cann-*/*-linux/ascend_toolkit_install.info",
)


def sign(root: Path) -> str:
    """The first sign of an Ascend NPU itself under `root`, or "": its tool may be there without one."""
    for node in sorted(children(root / "dev")):
        if node.name.startswith("davinci") and node.name[7:].isdigit():
            return f"/dev/{node.name}"
    for function in pci_functions(root):
        if function["vendor"] == VENDOR_ID and function["class"].startswith("1200"):
            return f"PCI {function['address']}"
    return ""


def present(root: Path) -> str:
    """What makes it worth asking: an NPU's sign, or the tool."""
    tool = find_tool("npu-smi", *(root / folder for folder in TOOL_FOLDERS)) if root == Path("/") else ""
    return sign(root) or tool or not_found(root)


def read(root: Path, say: Say) -> None:
    """Report PCI functions, version files, the table, the mapping, then the board of each NPU."""
    until = time.monotonic() + DEADLINE_S - 0.3
    say("pci", [f for f in pci_functions(root) if f["vendor"] == VENDOR_ID and f["class"].startswith("1200")])
    say("driver_info", read_text(root / "usr/local/Ascend/driver/version.info", 4096))
    say("cann", cann_versions(root / "usr/local/Ascend"))
    tool = find_tool("npu-smi", *(root / folder for folder in TOOL_FOLDERS))
    say("tool", tool)
    if not tool:
        return
    table = _ask(say, "info", [tool, "info"], until)
    _ask(say, "mapping", [tool, "info", "-m"], until)
    numbers = sorted({row["npu"] for row in npu_smi.parse_table(table)["rows"]})
    for npu in numbers:
        if time.monotonic() + 0.5 > until:  # boards are a nicety: eight of them may not cost the rest
            break
        _ask(say, f"board:{npu}", [tool, "info", "-t", "board", "-i", str(npu)], until)


def _ask(say: Say, key: str, argv: list[str], until: float) -> str:
    left = until - time.monotonic()
    return tell_tool(say, key, argv, left) if left > 0.1 else ""


def cann_versions(base: Path) -> dict[str, str]:
    """{file: version} of the CANN toolkits below `base`."""
    found: dict[str, str] = {}
    for pattern in CANN_PLACES:
        try:
            files = sorted(base.glob(pattern))
        except OSError:
            continue
        for file in files:
            values = {k.lower(): v for k, v in keyed(read_text(file, 4096) or "", "=").items()}
            if values.get("version"):
                found["/usr/local/Ascend/" + str(file.relative_to(base))] = clean(values["version"], 60)
    return found


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """Raw answers -> devices and driver of a Machine."""
    info = section(raw, "info")
    table = npu_smi.parse_table(info.get("out", ""))
    mapping = npu_smi.parse_mapping(output(raw, "mapping"))
    boards = {
        key.removeprefix("board:"): npu_smi.parse_board(output(raw, key))
        for key in raw
        if key.startswith("board:")
    }
    pci = rows(raw, "pci")
    devices = [_device(row, mapping, boards, pci, table["processes"]) for row in table["rows"]]
    skipped: list[dict[str, str]] = []
    if not devices:
        devices = [_bare_device(function) for function in pci]
        skipped = _why_no_table(raw, info, bool(devices))
    for index, device in enumerate(devices):
        device["index"] = index
    return {
        "devices": devices,
        "drivers": _drivers(raw, table, boards) if devices or table["version"] else [],
        "notices": _health_notices(table["rows"]),
        "skipped": skipped,
    }


def _why_no_table(raw: dict[str, Any], info: dict[str, Any], any_device: bool) -> list[dict[str, str]]:
    if not raw.get("tool"):
        if not any_device:
            return []
        status, reason = "lib_missing", "npu-smi is not installed"
    elif info.get("status", "ok") != "ok":
        status, reason = str(info["status"]), clean(info.get("reason", ""), 300)
    elif left_out(raw, "info")[0]:
        status, reason = left_out(raw, "info")
    else:
        status, reason = "failed", "npu-smi printed no device table that could be read"
    hint = "Install the Ascend driver, or mount npu-smi and /usr/local/Ascend/driver into the container."
    return [{"probe": NAME, "status": status, "reason": reason, "hint": hint}]


def _health_notices(chips: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [
        {
            "code": "device_unhealthy",
            "message": f"npu-smi reports health {row['health']} for NPU {row['npu']} chip {row['chip']}.",
            "hint": f"npu-smi info -t health -i {row['npu']} names the fault.",
        }
        for row in chips
        if row["health"] and row["health"].upper() != "OK"
    ]


def _device(
    row: dict[str, Any],
    mapping: dict[tuple[int, int], dict[str, str]],
    boards: dict[str, dict[str, str]],
    pci: list[dict[str, Any]],
    processes: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    address = pci_address(row["bus"])
    board = boards.get(str(row["npu"]), {})
    function = next((f for f in pci if f.get("address") == address), None)
    chip = _chip_name(row, mapping.get((row["npu"], row["chip"]), {}))
    power, celsius, busy = row["power_w"], row["temperature_c"], row["aicore_percent"]
    out: dict[str, Any] = {
        "vendor": "huawei",
        "kind": "npu",
        "name": ok(chip, "npu-smi info") if chip else none("not_supported", "npu-smi info", "no name"),
        "architecture": ok(chip, "npu-smi info") if chip else none("not_supported", "npu-smi info", ""),
        "pci_address": ok(address, "npu-smi info Bus-Id")
        if address
        else none("not_supported", "npu-smi info Bus-Id", f"npu-smi prints {row['bus'] or 'nothing'}"),
        "pci_id": ok(f"{function['vendor']}:{function['device']}", "sysfs vendor, device")
        if function
        else none("not_supported", "sysfs", "not among the PCI functions seen here"),
        "serial": ok(board["Serial Number"], "npu-smi info -t board")
        if npu_smi.told(board.get("Serial Number"))
        else none("not_supported", "npu-smi info -t board", "not told"),
        "power_w": _reading(
            power, "npu-smi info Power(W)", f"npu-smi prints {row['power_text']!r} for this chip"
        ),
        "temperature_c": _reading(celsius, "npu-smi info Temp(C)", "not told"),
        "utilization": ok(busy / 100, "npu-smi info AICore(%)")
        if busy is not None and 0 <= busy <= 100
        else none("not_supported", "npu-smi info AICore(%)", "not told"),
    }
    mine = [p for p in processes or [] if (p["npu"], p["chip"]) == (row["npu"], row["chip"])]
    out["processes"] = (
        ok([{k: p[k] for k in ("pid", "name", "memory_bytes")} for p in mine], "npu-smi info")
        if processes is not None
        else none("not_supported", "npu-smi info", "no process table")
    )
    return out | _memory(row)


def _chip_name(row: dict[str, Any], mapped: dict[str, str]) -> str:
    """ "Ascend910B3" from "910B3": the suffix is the chip's grade and says nothing of A2 or A3 servers."""
    named = clean(row["name"] or mapped.get("name", ""), 60)
    if not named:
        return ""
    joined = named.replace(" ", "")
    return joined if joined.lower().startswith("ascend") else f"Ascend{joined}"


def _reading(value: float | None, source: str, reason: str) -> dict[str, Any]:
    # a running chip neither draws 0 W nor sits at 0 °C: that is how npu-smi shows a sensor it cannot read
    return ok(value, source) if value else none("not_supported", source, reason)


def _memory(row: dict[str, Any]) -> dict[str, Any]:
    column = row["memory_column"]
    total, used = row["memory_total_bytes"], row["memory_used_bytes"]
    if not total:
        blank = none("not_supported", "npu-smi info", "npu-smi shows no memory figure for this chip")
        return dict.fromkeys(("memory_total_bytes", "memory_used_bytes", "memory_free_bytes"), blank)
    source = f"npu-smi info {column}"
    out = {"memory_total_bytes": ok(total, source)}
    if used is None or used > total:
        blank = none("failed", source, f"used {used} of {total} bytes")
        return out | {"memory_used_bytes": blank, "memory_free_bytes": blank}
    return out | {"memory_used_bytes": ok(used, source), "memory_free_bytes": ok(total - used, source)}


def _bare_device(function: dict[str, Any]) -> dict[str, Any]:
    """An NPU of which only the PCI bus tells: no driver tool answered."""
    return {
        "vendor": "huawei",
        "kind": "npu",
        "pci_address": ok(str(function.get("address", "")), "sysfs"),
        "pci_id": ok(f"{function.get('vendor')}:{function.get('device')}", "sysfs vendor, device"),
        "name": none("lib_missing", "npu-smi info", "npu-smi gave no answer"),
        "memory_total_bytes": none("lib_missing", "npu-smi info", "npu-smi gave no answer"),
    }


def _drivers(
    raw: dict[str, Any], table: dict[str, Any], boards: dict[str, dict[str, str]]
) -> list[dict[str, Any]]:
    told = keyed(str(raw.get("driver_info") or ""), "=").get("Version", "")
    board = next(
        (b["Software Version"] for b in boards.values() if npu_smi.told(b.get("Software Version"))), ""
    )
    first = next(iter(section(raw, "cann").items()), None)
    version, source = next(
        (
            (value, where)
            for value, where in (
                (told, "/usr/local/Ascend/driver/version.info"),
                (board, "npu-smi info -t board"),
                (table["version"], "npu-smi info"),
            )
            if value
        ),
        ("", ""),
    )
    return [
        {
            "vendor": "huawei",
            "driver_version": ok(clean(version, 60), source)
            if version
            else none("lib_missing", "/usr/local/Ascend/driver/version.info", "no driver version found"),
            "runtime_version": ok(f"CANN {first[1]}", str(first[0]))
            if first
            else none("absent", "/usr/local/Ascend/ascend-toolkit", "no CANN toolkit found"),
            "binding": ok(f"npu-smi {table['version']}", "npu-smi info")
            if table["version"]
            else none("lib_missing", "npu-smi", "no version line"),
        }
    ]
