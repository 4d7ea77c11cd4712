"""Intel GPUs (i915, xe) and Gaudi: sysfs first, `xpu-smi` and `hl-smi` for what the kernel does not tell.

An integrated GPU is listed but marked as unified memory: its memory is main memory, and what a job may
take of it only the framework knows.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.probe import intel_gaudi
from advisor.probe.facts import assumed, none, ok
from advisor.probe.reading import (
    children,
    clean,
    find_tool,
    keyed,
    may_ask,
    not_found,
    number,
    output,
    parsed_json,
    pci_address,
    pci_functions,
    pcie_gen,
    read_text,
    rows,
    tell_tool,
    tool_failures,
    whole,
)

if TYPE_CHECKING:
    from advisor.probe.facts import Say

NAME = "intel"
GROUP = "intel"
DEADLINE_S = 5.0

GPU_VENDOR = "8086"
NPU_DRIVER = "intel_vpu"  # the laptop NPU: no training framework uses it

# file -> (i915, xe) names of the same figure, the first that is there wins
CARD_FILES = """
device/vendor device/device device/uevent device/resource device/max_link_speed
device/max_link_width device/current_link_speed device/current_link_width lmem_total_bytes
lmem_avail_bytes device/tile0/physical_vram_size_bytes device/tile0/vram0/size_bytes gt_RP0_freq_mhz
gt_max_freq_mhz gt_act_freq_mhz device/tile0/gt0/freq0/rp0_freq device/tile0/gt0/freq0/max_freq
device/tile0/gt0/freq0/act_freq
""".split()  # noqa: SIM905
HWMON_FILES = ("name", "power1_max", "power1_rated_max", "power1_input", "temp1_input", "temp2_input")


def present(root: Path) -> str:
    """The first sign of an Intel GPU or Gaudi under `root`, or ""."""
    for card in _cards(root):
        if read_text(card / "device/vendor", 64) == f"0x{GPU_VENDOR}":
            return f"/sys/class/drm/{card.name}"
    for function in pci_functions(root):
        if function["vendor"] == intel_gaudi.VENDOR_ID:
            return f"PCI {function['address']}"
        if function["vendor"] == GPU_VENDOR and function["class"].startswith("03"):
            return f"PCI {function['address']}"
    tool = (find_tool("xpu-smi") or find_tool("hl-smi")) if root == Path("/") else ""
    return tool or not_found(root)


def read(root: Path, say: Say) -> None:
    """Report each DRM card, the Gaudi functions, then the tools."""
    until = time.monotonic() + DEADLINE_S - 0.5
    for driver in ("i915", "xe", "habanalabs"):
        say(f"module:{driver}", read_text(root / "sys/module" / driver / "version", 256))
    functions = [f for f in pci_functions(root) if f["vendor"] in {GPU_VENDOR, intel_gaudi.VENDOR_ID}]
    say(
        "pci",
        [
            f
            for f in functions
            if f["vendor"] == intel_gaudi.VENDOR_ID
            or f["class"].startswith(("03", "1200"))
            or f["driver"] == NPU_DRIVER
        ],
    )
    for card in _cards(root):
        ours = read_text(card / "device/vendor", 64) == f"0x{GPU_VENDOR}"
        if ours and may_ask(say, f"card:{card.name}", f"/sys/class/drm/{card.name}"):
            say(f"card:{card.name}", _read_card(card))
    for name, arguments in (
        ("xpu-smi", ["discovery", "-j"]),
        ("hl-smi", ["-Q", intel_gaudi.QUERY, "-f", "csv"]),
    ):
        tool, left = find_tool(name), until - time.monotonic()
        if tool and left > 0.2:
            tell_tool(say, name, [tool, *arguments], min(left, 3.0))


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """Raw answers -> devices, drivers and skipped of a Machine."""
    pci = rows(raw, "pci")
    tool = parse_xpu_smi(output(raw, "xpu-smi"))
    devices, seen = [], set()
    for key in sorted(key for key in raw if key.startswith("card:")):
        if isinstance(raw[key], dict):
            device = _device(raw[key], tool)
            seen.add(device["pci_address"]["value"])
            devices.append(device)
    for function in pci:  # no kernel driver bound: still a GPU in this machine
        address = pci_address(function.get("address"))
        gpu = function.get("vendor") == GPU_VENDOR and str(function.get("class", "")).startswith("03")
        if gpu and address and address not in seen:
            devices.append(_driverless(function, address))
    gaudi, versions = intel_gaudi.devices(output(raw, "hl-smi"), pci)
    devices += gaudi
    for index, device in enumerate(devices):
        device["index"] = index
    return {
        "devices": devices,
        "drivers": _drivers(raw, devices, versions),
        "skipped": _skipped(raw, pci),
    }


def parse_xpu_smi(text: str) -> dict[str, dict[str, Any]]:
    """{pci address: row} of `xpu-smi discovery -j`."""
    data = parsed_json(text)
    found = {}
    listed = (rows(data, "device_list") or [data]) if isinstance(data, dict) else []
    for row in listed:
        if pci_address(row.get("pci_bdf_address")):
            found[pci_address(row["pci_bdf_address"])] = row
    return found


# --- DRM cards ----------------------------------------------------------------------------------------


def _cards(root: Path) -> list[Path]:
    found = [path for path in children(root / "sys/class/drm") if re.fullmatch(r"card\d+", path.name)]
    return sorted(found, key=lambda path: int(path.name[4:]))


def _read_card(card: Path) -> dict[str, Any]:
    out: dict[str, Any] = {name: read_text(card / name, 8192) for name in CARD_FILES}
    out["address"] = keyed(out["device/uevent"] or "", "=").get("PCI_SLOT_NAME", "")
    out["driver"] = keyed(out["device/uevent"] or "", "=").get("DRIVER", "")
    for hwmon in sorted(children(card / "device/hwmon")):
        out |= {f"hwmon/{name}": read_text(hwmon / name, 4096) for name in HWMON_FILES}
        break
    return {key: value for key, value in out.items() if value is not None}


def _device(card: dict[str, Any], tool: dict[str, dict[str, Any]]) -> dict[str, Any]:
    address = pci_address(card.get("address"))
    said = tool.get(address, {})
    integrated = _integrated(card, address)
    name = clean(said.get("device_name", ""))
    uuid = clean(said.get("uuid", ""), 60)
    device: dict[str, Any] = {
        "vendor": "intel",
        "kind": "gpu",
        "name": ok(name, "xpu-smi discovery")
        if name
        else none("lib_missing", "xpu-smi discovery", "the kernel knows no names, and xpu-smi gave none"),
        "uuid": ok(uuid, "xpu-smi discovery")
        if uuid.strip("0-")
        else none("lib_missing", "xpu-smi discovery", "not told"),
        "pci_address": ok(address, "sysfs PCI_SLOT_NAME") if address else none("not_supported", "sysfs", ""),
        "pci_id": ok(
            f"{GPU_VENDOR}:{str(card.get('device/device', '')).lower().removeprefix('0x')}", "sysfs device"
        ),
        "unified_memory": integrated,
    }
    device |= _memory(card, said, bool(integrated["value"]))
    device |= _clocks_and_power(card)
    return device | (_hidden_link() if integrated["value"] else _link(card))


def _integrated(card: dict[str, Any], address: str) -> dict[str, Any]:
    """Intel's integrated GPU is always function 00:02.0; a card with memory of its own is discrete."""
    if any(whole(card.get(name)) for name in _LOCAL_MEMORY):
        return ok(False, "sysfs local memory")
    if address:
        return ok(address == "0000:00:02.0", "PCI address 0000:00:02.0 is the integrated GPU")
    return none("not_supported", "sysfs", "neither local memory nor a PCI address is told")


_LOCAL_MEMORY = ("lmem_total_bytes", "device/tile0/physical_vram_size_bytes", "device/tile0/vram0/size_bytes")


def _memory(card: dict[str, Any], said: dict[str, Any], integrated: bool) -> dict[str, Any]:
    why = "an integrated GPU has no memory of its own" if integrated else "the kernel does not tell"
    free = none("not_supported", "sysfs lmem_avail_bytes", why)
    if integrated:
        total = none("not_supported", "sysfs", why + "; the framework says what a job may take")
        return {"memory_total_bytes": total, "memory_free_bytes": free}
    for name in _LOCAL_MEMORY:
        size = whole(card.get(name))
        if size:
            available = whole(card.get("lmem_avail_bytes"))
            if available is not None and 0 <= available <= size:
                free = ok(available, "sysfs lmem_avail_bytes")
            return {"memory_total_bytes": ok(size, f"sysfs {name}"), "memory_free_bytes": free}
    size = whole(said.get("memory_physical_size_byte"))
    if size:
        return {"memory_total_bytes": ok(size, "xpu-smi discovery"), "memory_free_bytes": free}
    bar = local_memory_bar(card.get("device/resource"))
    if bar:
        reason = "size of the resizable PCI BAR that maps the card's memory"
        return {
            "memory_total_bytes": assumed(bar, "sysfs resource, BAR 2", reason),
            "memory_free_bytes": free,
        }
    return {"memory_total_bytes": none("not_supported", "sysfs", why), "memory_free_bytes": free}


def local_memory_bar(resource: object) -> int | None:
    """Size of BAR 2 (the card's memory) when it is 1 GiB or more; smaller ones show a window only."""
    lines = str(resource or "").splitlines()
    parts = lines[2].split() if len(lines) > 2 else []
    if len(parts) != 3:
        return None
    start, end = whole(parts[0]), whole(parts[1])
    size = end - start + 1 if start is not None and end is not None and end > start else 0
    return size if size >= 2**30 else None


def _first(card: dict[str, Any], names: tuple[str, ...], scale: float) -> dict[str, Any]:
    for name in names:
        value = number(card.get(name))
        if value is not None and value > 0:
            return ok(value * scale, f"sysfs {name}")
    return none("not_supported", f"sysfs {names[0]}", "the kernel does not tell")


def _clocks_and_power(card: dict[str, Any]) -> dict[str, Any]:
    freq = "device/tile0/gt0/freq0/"
    return {
        "clock_hz": _first(card, ("gt_act_freq_mhz", freq + "act_freq"), 1e6),
        "clock_max_hz": _first(
            card, ("gt_RP0_freq_mhz", freq + "rp0_freq", "gt_max_freq_mhz", freq + "max_freq"), 1e6
        ),
        "power_w": _first(card, ("hwmon/power1_input",), 1e-6),
        "power_limit_w": _first(card, ("hwmon/power1_max",), 1e-6),
        "power_limit_default_w": _first(card, ("hwmon/power1_rated_max",), 1e-6),
        "temperature_c": _first(card, ("hwmon/temp1_input", "hwmon/temp2_input"), 1e-3),
    }


def _link(card: dict[str, Any]) -> dict[str, Any]:
    out = {}
    for field, name, convert in (
        ("pcie_gen_max", "max_link_speed", pcie_gen),
        ("pcie_width_max", "max_link_width", whole),
        ("pcie_gen_current", "current_link_speed", pcie_gen),
        ("pcie_width_current", "current_link_width", whole),
    ):
        value = convert(card.get(f"device/{name}"))
        out[field] = (
            ok(value, f"sysfs {name}") if value else none("not_supported", f"sysfs {name}", "not told")
        )
    return out


def _hidden_link() -> dict[str, Any]:
    blank = none("not_supported", "sysfs", "an integrated GPU sits on no PCIe link")
    return {f"pcie_{field}": blank for field in ("gen_max", "width_max", "gen_current", "width_current")}


def _driverless(function: dict[str, Any], address: str) -> dict[str, Any]:
    why = f"no DRM device; kernel driver: {clean(function.get('driver') or 'none', 40)}"
    return {
        "vendor": "intel",
        "kind": "gpu",
        "pci_address": ok(address, "sysfs"),
        "pci_id": ok(f"{GPU_VENDOR}:{function.get('device')}", "sysfs vendor, device"),
        "name": none("lib_missing", "sysfs", why),
        "unified_memory": ok(address == "0000:00:02.0", "PCI address 0000:00:02.0 is the integrated GPU"),
        "memory_total_bytes": none("lib_missing", "sysfs", why),
    }


# --- drivers and what was left out --------------------------------------------------------------------


def _drivers(raw: dict[str, Any], devices: list[dict[str, Any]], gaudi: list[str]) -> list[dict[str, Any]]:
    if not devices:
        return []
    names = {
        str(raw[key].get("driver")) for key in raw if key.startswith("card:") and isinstance(raw[key], dict)
    }
    kernel = sorted(name for name in names if name in {"i915", "xe"})
    version = clean(gaudi[0], 60) if gaudi else ""
    source = "hl-smi driver_version"
    if not version:
        for driver in ("xe", "i915", "habanalabs"):
            version, source = clean(raw.get(f"module:{driver}") or "", 60), f"/sys/module/{driver}/version"
            if version:
                break
    return [
        {
            "vendor": "intel",
            "driver_version": ok(version, source)
            if version
            else none("not_supported", "/sys/module", "the driver is the kernel's own"),
            "binding": ok(", ".join(kernel), "sysfs DRIVER")
            if kernel
            else none("absent", "sysfs DRIVER", "neither i915 nor xe drives a card"),
        }
    ]


def _skipped(raw: dict[str, Any], pci: list[dict[str, Any]]) -> list[dict[str, str]]:
    out = []
    if any(f.get("driver") == NPU_DRIVER for f in pci):
        out.append(
            {
                "probe": "intel",
                "status": "not_supported",
                "reason": "an Intel NPU (intel_vpu) is here; no training framework runs on it",
                "hint": "",
            }
        )
    return out + tool_failures(raw, NAME, "xpu-smi", "hl-smi")
