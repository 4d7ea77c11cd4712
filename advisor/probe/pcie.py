"""PCIe: graphics cards, accelerators, network adapters and NVMe disks, and the slots they sit in.

A card's own figures are not the slot's: the link is as narrow as the narrowest bridge above. The current
speed of an idle card drops to Gen 1 to save power, so the maximum is the figure to use.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.paths import there
from advisor.probe.facts import CallSkipped, none, ok
from advisor.probe.linux import Answer, link, look, missing, text, whole
from advisor.probe.reading import listed, number, pci_address

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict, Say

NAME = "pcie"
GROUP = "system"
DEADLINE_S = 5.0

DEVICES = "/sys/bus/pci/devices"
# PCI class codes (PCI Code and ID Assignment Specification): base class, or base and sub-class
KINDS = {"03": "gpu", "12": "accelerator", "02": "network", "0108": "storage"}
LINK = ("max_link_speed", "max_link_width", "current_link_speed", "current_link_width")
# Bridges that hypervisors emulate (Red Hat/QEMU, VMware, virtio): their links are made up
EMULATED_VENDORS = frozenset({"1b36", "15ad", "1af4"})
EMULATED_BRIDGES = frozenset({"8086:3420"})  # QEMU's ioh3420 root port
# Width words of the kernel: 0 no link, 63 and 255 PCIE_LNK_WIDTH_UNKNOWN and an unreadable register
UNKNOWN_WIDTHS = frozenset({0, 63, 255})


def present(root: Path) -> str:
    """The folder of PCI devices, or "" (Arm boards, some sandboxes)."""
    return DEVICES if there(root / "sys/bus/pci/devices") is not False else ""


def read(root: Path, say: Say) -> None:
    """Report each device of interest, then its link: that asks the hardware, and a dead card may hang."""
    found, closed = [], 0
    for entry in sorted(listed(root / "sys/bus/pci/devices")):
        told = look(entry / "class")
        closed += isinstance(told, dict) and told["status"] == "no_permission"
        class_code = (text(told) or "").removeprefix("0x")[:4]
        kind = kind_of(class_code)
        # Hundreds of virtual functions of one network card say nothing that the card does not say
        if not kind or (kind == "network" and there(entry / "physfn")):
            continue
        found.append(entry)
        say(f"device {entry.name.lower()}", _read_device(entry, class_code))
    say("devices", [entry.name.lower() for entry in found])
    if closed:
        say("closed", closed)
    for entry in found:
        try:
            say.begin(f"{DEVICES}/{entry.name}: link")
            said = _read_link(entry)
        except CallSkipped as left_out:
            said = {name: {"status": left_out.status, "reason": left_out.reason} for name in LINK}
        say(f"link {entry.name.lower()}", said)


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """{"pcie": ...} in the shape of schema.Machine.pcie from the raw answers."""
    rows = [value | raw.get(f"link {value['address']}", {}) for key, value in raw.items() if _is_device(key)]
    if rows:
        cut = "" if "devices" in raw else "the list was cut short: the probe ended before its time"
        cut = cut or (f"{raw['closed']} more may not be read" if raw.get("closed") else "")
        return {"pcie": ok([_device(row) for row in rows], DEVICES, cut)}
    if raw.get("closed"):
        return {"pcie": none("no_permission", DEVICES, f"this user may not read its {raw['closed']} devices")}
    if "devices" in raw:
        return {"pcie": none("absent", DEVICES, "no graphics, accelerator, network or NVMe device on PCI")}
    return {"pcie": missing(None, DEVICES)}


def _is_device(key: str) -> bool:
    return key.startswith("device ")


def kind_of(class_code: str) -> str:
    """gpu, accelerator, network, storage, or "" for what is of no interest here; `class_code` is "0302"."""
    return KINDS.get(class_code[:2]) or KINDS.get(class_code[:4], "")


def _read_device(entry: Path, class_code: str) -> dict[str, Any]:
    """What the kernel holds in memory of a device: no access to the hardware."""
    return {
        "address": entry.name.lower(),
        "class": class_code,
        **_ids(entry),
        "driver": Path(link(entry / "driver")).name,
        "numa_node": look(entry / "numa_node"),
    }


def _read_link(entry: Path) -> dict[str, Any]:
    """The link registers of a device and of the bridges above it, nearest first, up to the root complex."""
    bridges = []
    for parent in Path(os.path.realpath(entry)).parents:
        address = pci_address(parent.name)
        if not address:
            break
        bridges.append(
            {"address": address, **_ids(parent), **{name: look(parent / name) for name in LINK[:2]}}
        )
    return {**{name: look(entry / name) for name in LINK}, "bridges": bridges}


def _ids(folder: Path) -> dict[str, str]:
    return {
        name: (text(look(folder / name)) or "").removeprefix("0x").lower() for name in ("vendor", "device")
    }


def _device(row: dict[str, Any]) -> dict[str, Any]:
    folder = f"{DEVICES}/{row['address']}"
    if "bridges" in row:
        slot_speed, slot_width = slot(row["bridges"])
    else:
        slot_speed = slot_width = missing(row.get("max_link_speed"), f"{folder}: bridges above")
    return {
        "address": row["address"],
        "class_code": row["class"],
        "vendor_id": row.get("vendor", ""),
        "device_id": row.get("device", ""),
        "kind": kind_of(row["class"]),
        "driver": row.get("driver", ""),
        "numa_node": _numa(row.get("numa_node"), f"{folder}/numa_node"),
        "max_speed_gts": _speed(row.get("max_link_speed"), f"{folder}/max_link_speed"),
        "max_width": _width(row.get("max_link_width"), f"{folder}/max_link_width"),
        "current_speed_gts": _speed(row.get("current_link_speed"), f"{folder}/current_link_speed"),
        "current_width": _width(row.get("current_link_width"), f"{folder}/current_link_width"),
        "slot_speed_gts": slot_speed,
        "slot_width": slot_width,
    }


def slot(bridges: list[dict[str, Any]]) -> tuple[FactDict, FactDict]:
    """Facts: speed in GT/s and width of the least capable bridge above a device.

    The least by speed x width, and both figures of that one bridge: a Gen 5 x8 port below a Gen 4 x16 one
    is no Gen 4 x8 slot.
    """
    source = "max_link_speed, max_link_width of the bridges above"
    links = []
    emulated = 0
    for bridge in bridges:
        if _is_emulated(bridge):
            emulated += 1
            continue
        speed = _speed(bridge.get("max_link_speed"), "")["value"]
        width = _width(bridge.get("max_link_width"), "")["value"]
        if speed and width:
            links.append((speed * width, speed, width, bridge["address"]))
    if not links:
        why = (
            "the bridges above are emulated by the hypervisor"
            if emulated
            else "the bridges above tell no link"
            if bridges
            else "no bridge above: on the root bus, or part of the chip"
        )
        blank = none("not_supported", source, why)
        return blank, blank
    _, speed, width, address = min(links)
    where = f"bridge {address}"
    return ok(speed, f"{DEVICES}/{address}/max_link_speed", where), ok(
        width, f"{DEVICES}/{address}/max_link_width", where
    )


def _is_emulated(bridge: dict[str, Any]) -> bool:
    vendor = str(bridge.get("vendor", "")).lower()
    return vendor in EMULATED_VENDORS or f"{vendor}:{bridge.get('device', '')}".lower() in EMULATED_BRIDGES


def _speed(answer: Answer | None, source: str) -> FactDict:
    """GT/s from "32.0 GT/s PCIe" or "8 GT/s"; "Unknown" is no speed."""
    written = text(answer)
    if written is None:
        return missing(answer, source, "no PCIe link: a virtual or built-in device")
    speed = number(written) if "GT/s" in written else None
    if speed is None or speed <= 0:
        return none("not_supported", source, f"the kernel says {written!r}")
    return ok(speed, source)


def _width(answer: Answer | None, source: str) -> FactDict:
    """Lanes; 0, 63 and 255 are the kernel's and the bus's ways to say that they do not know."""
    written = text(answer)
    if written is None:
        return missing(answer, source, "no PCIe link: a virtual or built-in device")
    width = whole(written.lower().removeprefix("x"))
    if width is None or width in UNKNOWN_WIDTHS or width < 0:
        return none("not_supported", source, f"the kernel says {written!r}")
    return ok(width, source)


def _numa(answer: Answer | None, source: str) -> FactDict:
    node = whole(answer)
    if node is None:
        return missing(answer, source)
    if node < 0:
        return none("not_supported", source, "-1: the firmware does not say, or there is one node only")
    return ok(node, source)
