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
from advisor.probe import amd_card, amd_tools
from advisor.probe.facts import contradiction, none, ok
from advisor.probe.reading import (
    children,
    clean,
    find_tool,
    keyed,
    left_out,
    may_ask,
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
# Processors whose GPU has no memory of its own: the "APU" rows of LLVM's AMDGPU usage table
# (llvm.org/docs/AMDGPUUsage.html#processors); gfx942 is both, MI300A is told by its PCI id.
APU_TARGETS = frozenset(
    [
        "gfx902",
        "gfx909",
        "gfx90c",
        "gfx1013",
        "gfx1033",
        "gfx1035",
        "gfx1036",
        "gfx1037",
        "gfx1103",
        "gfx1150",
        "gfx1151",
        "gfx1152",
        "gfx1153",
    ]
)
APU_PCI_DEVICES = frozenset({"74a0"})  # MI300A (pci.ids)
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


def present(root: Path) -> str:
    """The first sign of an AMD GPU under `root`, or ""."""
    if there(root / "sys/module/amdgpu"):
        return "/sys/module/amdgpu"
    if there(root / "dev/kfd"):
        return "/dev/kfd"
    for card in _cards(root):
        if read_text(card / "device/vendor", 64) == VENDOR_ID:
            return f"/sys/class/drm/{card.name}"
    if root == Path("/"):
        return find_tool("amd-smi", Path("/opt/rocm/bin")) or find_tool("rocm-smi", Path("/opt/rocm/bin"))
    return ""


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
        made = _devices_of_card(card, here, said, notices)
        status, _ = left_out(raw, key)
        for device in made:
            device["status"] = status or "ok"
        names |= {name: _identity(device) for (name, device) in zip(here, made, strict=False)}
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


def gfx_target(node: dict[str, Any]) -> str:
    """ "gfx942" from gfx_target_version 90402: major, minor, stepping in two decimal digits each."""
    version = whole(node.get("gfx_target_version"))
    if version is None or version <= 0:
        return ""
    return f"gfx{version // 10000}{version // 100 % 100}{version % 100:x}"


def compute_units(node: dict[str, Any]) -> int | None:
    """Compute units of a node: SIMD units over SIMD units per compute unit."""
    simds, each = whole(node.get("simd_count")), whole(node.get("simd_per_cu"))
    return simds // each if simds and each and each > 0 else None


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


# --- one card -----------------------------------------------------------------------------------------


def _devices_of_card(
    card: dict[str, Any],
    nodes: dict[str, dict[str, Any]],
    said: dict[str, Any],
    notices: list[dict[str, str]],
) -> list[dict[str, Any]]:
    """One device, or one a partition: in CPX and DPX modes a GPU has several KFD nodes."""
    if len(nodes) <= 1:
        return [_device(card, next(iter(nodes.values()), {}), said, notices)]
    mode = clean(card.get("current_compute_partition", "unknown"), 20)
    memory = clean(card.get("current_memory_partition", "unknown"), 20)
    notices.append(
        {
            "code": "gpu_partitioned",
            "message": f"The GPU at {pci_address(card.get('address'))} is split into {len(nodes)} partitions"
            f" (compute {mode}, memory {memory}); each is listed as a device of its own.",
            "hint": "amd-smi set --compute-partition SPX makes it one device again.",
        }
    )
    return [_device(card, node, said, notices, parts=len(nodes)) for node in nodes.values()]


def _device(
    card: dict[str, Any],
    node: dict[str, Any],
    said: dict[str, Any],
    notices: list[dict[str, str]],
    parts: int = 1,
) -> dict[str, Any]:
    target = gfx_target(node)
    pci_device = str(card.get("device", "")).lower().removeprefix("0x")
    unified = target in APU_TARGETS or pci_device in APU_PCI_DEVICES
    device: dict[str, Any] = {
        "vendor": "amd",
        "kind": "gpu",
        "name": _name(card, said),
        "pci_address": ok(pci_address(card.get("address")), "sysfs PCI_SLOT_NAME")
        if pci_address(card.get("address"))
        else none("not_supported", "sysfs uevent", "the kernel names no PCI address"),
        "pci_id": ok(f"1002:{pci_device}", "sysfs vendor, device"),
        "uuid": _uuid(card, node),
        "unified_memory": ok(True, f"processor {target or pci_device} is an APU")
        if unified
        else ok(False, f"processor {target} has its own memory")
        if target
        else none("not_supported", "kfd gfx_target_version", "no KFD node for this card"),
        "architecture": ok(target, "kfd gfx_target_version")
        if target
        else amd_tools.fact(said, "architecture", "kfd topology", "no KFD node for this card"),
        "compute_units": ok(compute_units(node), "kfd simd_count / simd_per_cu")
        if compute_units(node)
        else amd_tools.fact(said, "compute_units", "kfd topology", "no KFD node for this card"),
    }
    device |= _memory(card, node, said, unified, parts)
    if unified and device["memory_total_bytes"]["status"] == "contradiction":
        notices.append(
            {
                "code": "unified_memory_total",
                "message": f"{device['name']['value'] or target}: "
                + (device["memory_total_bytes"]["reason"] or ""),
                "hint": "What the framework reports is what a training job gets; the carve-out is set in the"
                " firmware, the rest by the ttm.pages_limit kernel parameter.",
            }
        )
    return device | amd_card.figures(card)


def _identity(device: dict[str, Any]) -> str:
    return device["uuid"]["value"] or device["pci_address"]["value"] or ""


def _name(card: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    product = clean(card.get("product_name", ""))
    if product:
        return ok(product, "sysfs product_name")
    return amd_tools.fact(said, "name", "sysfs product_name", "this card has no FRU with a product name")


def _uuid(card: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """ "GPU-<16 hexadecimal digits>", the form of ROCm's tools; partitions have their own."""
    from_node = whole(node.get("unique_id"))
    if from_node:
        return ok(f"GPU-{from_node & 0xFFFFFFFFFFFFFFFF:016x}", "kfd unique_id")
    text = str(card.get("unique_id", "")).strip().lower().removeprefix("0x")
    if re.fullmatch(r"[0-9a-f]{1,16}", text) and int(text, 16):
        return ok(f"GPU-{int(text, 16):016x}", "sysfs unique_id")
    return none("not_supported", "sysfs unique_id", "this GPU has no unique id")


def _memory(
    card: dict[str, Any], node: dict[str, Any], said: dict[str, Any], unified: bool, parts: int
) -> dict[str, Any]:
    vram, used = whole(card.get("mem_info_vram_total")), whole(card.get("mem_info_vram_used"))
    gtt, own = whole(card.get("mem_info_gtt_total")), whole(node.get("own_memory_bytes"))
    if unified:
        return _unified_memory(vram, gtt, own, whole(said.get("memory_bytes")))
    if parts > 1:
        why = "the kernel counts use per card, not per partition"
        total = ok(own, "kfd mem_banks") if own else none("not_supported", "kfd mem_banks", why)
        blank = none("not_supported", "sysfs mem_info_vram_used", why)
        return {"memory_total_bytes": total, "memory_used_bytes": blank, "memory_free_bytes": blank}
    if not vram:
        blank = none("not_supported", "sysfs mem_info_vram_total", "the kernel does not tell")
        total = amd_tools.fact(said, "memory_bytes", "sysfs mem_info_vram_total", "the kernel does not tell")
        return {"memory_total_bytes": total, "memory_used_bytes": blank, "memory_free_bytes": blank}
    total = ok(vram, "sysfs mem_info_vram_total")
    differing = [
        (size, source)
        for size, source in (
            (own, "kfd mem_banks"),
            (whole(said.get("memory_bytes")), said.get("source", "")),
        )
        if size and abs(size - vram) > 0.02 * vram
    ]
    if differing:
        total = contradiction(vram, "sysfs mem_info_vram_total", differing, "sources differ by more than 2 %")
    if used is None or not 0 <= used <= vram:
        reason = f"mem_info_vram_used is {used}, total {vram}"
        blank = none("failed" if used is not None else "not_supported", "sysfs mem_info_vram_used", reason)
        return {"memory_total_bytes": total, "memory_used_bytes": blank, "memory_free_bytes": blank}
    return {
        "memory_total_bytes": total,
        "memory_used_bytes": ok(used, "sysfs mem_info_vram_used"),
        "memory_free_bytes": ok(vram - used, "sysfs mem_info_vram_total - mem_info_vram_used"),
    }


def _unified_memory(vram: int | None, gtt: int | None, own: int | None, tool: int | None) -> dict[str, Any]:
    """All sources of an APU's total, the largest first; free and used mean nothing here (ROCm/hip#3892)."""
    named = (
        (vram, "sysfs mem_info_vram_total (carve-out)"),
        (gtt, "sysfs mem_info_gtt_total (shared)"),
        (own, "kfd mem_banks"),
        (tool, "amd-smi"),
    )
    sources = sorted(((size, source) for size, source in named if size), key=lambda pair: -pair[0])
    why = "an APU's use is spread over carve-out and shared memory"
    out = {
        "memory_used_bytes": none("not_supported", "sysfs", why),
        "memory_free_bytes": none("not_supported", "sysfs", why),
    }
    if not sources:
        return out | {"memory_total_bytes": none("not_supported", "sysfs", "the kernel does not tell")}
    first = sources[0]
    if all(abs(size - first[0]) <= 0.02 * first[0] for size, _ in sources):
        return out | {"memory_total_bytes": ok(*first)}
    listed = ", ".join(f"{size / 2**30:.1f} GiB by {source}" for size, source in sources)
    reason = f"memory is shared with the processor and its size depends on who is asked: {listed}"
    return out | {"memory_total_bytes": contradiction(*first, sources[1:], reason)}


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
