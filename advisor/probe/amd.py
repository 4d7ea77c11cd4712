"""AMD GPUs: sysfs and the KFD topology first, `amd-smi` for what the kernel does not tell, `rocm-smi` last.

amdsmi is never imported: it may be absent, newer than the driver, or clash with the copy inside torch.
APUs (Strix Halo, MI300A) share main memory, and every source has its own idea of "total": all are kept.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.paths import there
from advisor.probe import amd_device, amd_tools
from advisor.probe.facts import none, ok
from advisor.probe.reading import (
    children,
    clean,
    find_tool,
    keyed,
    left_out,
    may_ask,
    not_found,
    parsed_json,
    pci_address,
    read_text,
    rows,
    section,
    tell_tool,
    tool_failures,
    whole,
)

if TYPE_CHECKING:
    from advisor.probe.facts import Say

NAME = "amd"
GROUP = "amd"
DEADLINE_S = 5.0

VENDOR_ID = "0x1002"
IO_LINK_KINDS = {2: "pcie", 11: "xgmi"}  # HSA_IOLINKTYPE_* in the kernel's kfd_crat.h

CARD_FILES = """
vendor device unique_id product_name product_number serial_number gpu_busy_percent
mem_info_vram_total mem_info_vram_used mem_info_gtt_total mem_info_gtt_used current_link_speed
current_link_width max_link_speed max_link_width pp_dpm_sclk pp_dpm_mclk current_compute_partition
current_memory_partition ras/umc_err_count uevent
""".split()  # noqa: SIM905
HWMON_FILES = """
power1_cap power1_cap_default power1_cap_max power1_average power1_input temp1_input temp1_label
""".split()  # noqa: SIM905
SMI_STATIC = ("static", "--json")
ROCM_SMI = """
--showproductname --showmeminfo vram gtt --showuniqueid --showbus --showdriverversion --json
""".split()  # noqa: SIM905


def sign(root: Path) -> str:
    """The first sign of an AMD GPU itself under `root`, or "": driver and tools may be there without one."""
    if there(root / "dev/kfd"):
        return "/dev/kfd"
    for card in _cards(root):
        if read_text(card / "device/vendor", 64) == VENDOR_ID:
            return f"/sys/class/drm/{card.name}"
    return ""


def present(root: Path) -> str:
    """What makes it worth asking: a GPU's sign, the kernel's module, or a tool."""
    found = sign(root)
    if found or there(root / "sys/module/amdgpu"):
        return found or "/sys/module/amdgpu"
    folder = Path("/opt/rocm/bin")
    tool = find_tool("amd-smi", folder) or find_tool("rocm-smi", folder) if root == Path("/") else ""
    return tool or not_found(root)


def read(root: Path, say: Say) -> None:
    """Report each card, each KFD node, the driver's versions, then what the tools say."""
    until = time.monotonic() + DEADLINE_S - 0.5
    _read_versions(root, say)
    for card in _cards(root):
        if read_text(card / "device/vendor", 64) == VENDOR_ID:
            say(f"card:{card.name}", _identity_of(card))  # kept when the driver hangs in what follows
            if may_ask(say, f"card:{card.name}", f"/sys/class/drm/{card.name}/device"):
                say(f"card:{card.name}", _read_card(card))
    for node in sorted(children(root / "sys/class/kfd/kfd/topology/nodes"), key=lambda p: p.name):
        if may_ask(say, f"kfd:{node.name}", f"/sys/class/kfd/kfd/topology/nodes/{node.name}"):
            say(f"kfd:{node.name}", _read_node(node))
    _read_tools(root, say, until)


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """Raw answers -> devices, links, driver and notices of a Machine."""
    nodes = {key[4:]: value for key, value in raw.items() if key.startswith("kfd:") and _is_gpu(value)}
    tools = amd_tools.by_address(raw)
    devices: list[dict[str, Any]] = []
    notices: list[dict[str, str]] = []
    names: dict[str, str] = {}
    for key in sorted((key for key in raw if key.startswith("card:")), key=_card_order):
        card = raw[key]
        if not isinstance(card, dict):
            continue
        address = pci_address(card.get("address"))
        here = {name: node for name, node in nodes.items() if node_address(node) == address}
        said = tools.pop(address, {})
        made = amd_device.devices_of_card(card, here, said, notices)
        status, _ = left_out(raw, key)
        for device in made:
            device["status"] = status or "ok"
        names |= {name: amd_device.identity(device) for (name, device) in zip(here, made, strict=False)}
        devices += made
    devices += [amd_tools.device_without_sysfs(address, said) for address, said in tools.items()]
    for index, device in enumerate(devices):
        device["index"] = index
    return {
        "devices": devices,
        "device_links": _links(nodes, names),
        "drivers": _drivers(raw, bool(devices)),
        "notices": notices,
        "skipped": [] if amd_tools.by_address(raw) else tool_failures(raw, NAME, "amd-smi", "rocm-smi"),
    }


# --- asking -------------------------------------------------------------------------------------------


def _cards(root: Path) -> list[Path]:
    found = [path for path in children(root / "sys/class/drm") if re.fullmatch(r"card\d+", path.name)]
    return sorted(found, key=lambda path: int(path.name[4:]))


def _card_order(key: str) -> int:
    return whole(key.removeprefix("card:card")) or 0


def _read_versions(root: Path, say: Say) -> None:
    say("module_version", read_text(root / "sys/module/amdgpu/version", 256))
    say("module_loaded", bool(there(root / "sys/module/amdgpu")))
    found = {}
    for folder in sorted(children(root / "opt")):
        if folder.name.startswith("rocm"):
            version = read_text(folder / ".info/version", 256)
            if version:
                found["/opt/" + folder.name] = version
    say("rocm_versions", found)


def _identity_of(card: Path) -> dict[str, Any]:
    """What the PCI core knows of a card: no driver call is behind these files."""
    uevent = keyed(read_text(card / "device/uevent") or "", "=")
    names = ("vendor", "device")
    out: dict[str, Any] = {name: read_text(card / "device" / name, 64) for name in names}
    return {**out, "address": uevent.get("PCI_SLOT_NAME", "")}


def _read_card(card: Path) -> dict[str, Any]:
    device = card / "device"
    out: dict[str, Any] = {name: read_text(device / name) for name in CARD_FILES}
    out["address"] = keyed(out["uevent"] or "", "=").get("PCI_SLOT_NAME", "")
    for hwmon in sorted(children(device / "hwmon")):
        out |= {name: read_text(hwmon / name, 4096) for name in HWMON_FILES}
        break
    return {key: value for key, value in out.items() if value is not None}


def _read_node(node: Path) -> dict[str, Any]:
    out: dict[str, Any] = dict(keyed(read_text(node / "properties") or "", " "))
    banks = [keyed(read_text(bank / "properties") or "", " ") for bank in children(node / "mem_banks")]
    # heap types 1 and 2 are the device's own memory, 0 is main memory (HSA_HEAPTYPE_* in kfd_crat.h)
    sizes = [whole(bank.get("size_in_bytes")) for bank in banks if bank.get("heap_type") in {"1", "2"}]
    out["own_memory_bytes"] = sum(size for size in sizes if size)
    links = []
    for kind in ("io_links", "p2p_links"):
        links += [keyed(read_text(link / "properties") or "", " ") for link in children(node / kind)]
    out["links"] = [{key: link.get(key) for key in ("type", "node_from", "node_to")} for link in links]
    return out


def _read_tools(root: Path, say: Say, until: float) -> None:
    """amd-smi; rocm-smi only when it gives nothing. A tool hangs for its own seconds, not for ours."""
    folders = [root / "opt/rocm/bin"]
    for name, arguments in (("amd-smi", SMI_STATIC), ("rocm-smi", ROCM_SMI)):
        tool = find_tool(name, *folders)
        left = until - time.monotonic()
        if not tool or left < 0.2:
            continue
        if parsed_json(tell_tool(say, name, [tool, *arguments], min(left, 3.0))) is not None:
            return


# --- the KFD topology ---------------------------------------------------------------------------------


def _is_gpu(node: Any) -> bool:
    return isinstance(node, dict) and (whole(node.get("simd_count")) or 0) > 0


def node_address(node: dict[str, Any]) -> str:
    """PCI address of a KFD node: location_id holds bus, device and function in 16 bits."""
    location, domain = whole(node.get("location_id")), whole(node.get("domain")) or 0
    if location is None or not 0 < location <= 0xFFFF or not 0 <= domain <= 0xFFFFFFFF:
        return ""
    return f"{domain:04x}:{location >> 8:02x}:{location >> 3 & 0x1F:02x}.{location & 7}"


def _links(nodes: dict[str, dict[str, Any]], names: dict[str, str]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str, str], int] = {}
    for node in nodes.values():
        for link in rows(node, "links"):
            kind = IO_LINK_KINDS.get(whole(link.get("type")) or 0)
            ends = sorted({names.get(str(link.get(key)), "") for key in ("node_from", "node_to")})
            if kind and len(ends) == 2 and all(ends):
                key = (ends[0], ends[1], kind)
                found[key] = found.get(key, 0) + 1
    # each link stands in the folder of both its ends
    return [
        {"a": a, "b": b, "kind": kind, "count": max(count // 2, 1)} for (a, b, kind), count in found.items()
    ]


def _drivers(raw: dict[str, Any], any_device: bool) -> list[dict[str, Any]]:
    if not any_device and not raw.get("module_loaded"):
        return []
    module = clean(raw.get("module_version") or "", 60)
    rocm = section(raw, "rocm_versions")
    newest = (
        max(rocm.items(), key=lambda item: [whole(n) or 0 for n in re.findall(r"\d+", str(item[1]))[:4]])
        if rocm
        else None
    )
    return [
        {
            "vendor": "amd",
            "driver_version": ok(module, "/sys/module/amdgpu/version")
            if module
            else none("not_supported", "/sys/module/amdgpu/version", "the driver is the kernel's own"),
            "runtime_version": ok(f"ROCm {clean(newest[1], 60)}", f"{clean(newest[0], 60)}/.info/version")
            if newest
            else none("absent", "/opt/rocm*/.info/version", "no ROCm under /opt"),
        }
    ]
