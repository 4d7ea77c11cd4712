"""One AMD card's sysfs files, its KFD node and its tool's row -> devices: one, or one a partition. Pure."""

from __future__ import annotations

import re
from typing import Any

from advisor.probe import amd_card, amd_tools
from advisor.probe.facts import contradiction, none, ok
from advisor.probe.reading import clean, pci_address, whole

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


def devices_of_card(
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


def identity(device: dict[str, Any]) -> str:
    """What a link names a device by: its UUID, else its PCI address."""
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
