"""Network interfaces and InfiniBand / RoCE ports, as far as this process may see them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.paths import there
from advisor.probe.facts import CallSkipped, none, ok
from advisor.probe.linux import Answer, look, missing, text, whole
from advisor.probe.reading import clean, keyed, listed, number, pci_address

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict, Say

NAME = "network"
GROUP = "system"
DEADLINE_S = 5.0

NET = "/sys/class/net"
RDMA = "/sys/class/infiniband"
MAX_INTERFACES = 256  # a Kubernetes node can have a thousand virtual ones; the physical ones come first
# ARPHRD_* of Linux include/uapi/linux/if_arp.h
ETHERNET, INFINIBAND, LOOPBACK = "1", "32", "772"
# Virtual interfaces that pass on the speed of a real one; veth, tun and dummy make theirs up
HONEST_VIRTUAL = frozenset({"bond", "vlan", "bridge", "team"})
BITS_PER_MEGABIT = 1_000_000
UNKNOWN_SPEEDS = frozenset({-1, 0, 65535, 4294967295})  # SPEED_UNKNOWN as 32-bit, as u16 of old drivers


def present(root: Path) -> str:
    """The folder of network interfaces, or ""."""
    return NET if there(root / "sys/class/net") is not False else ""


def read(root: Path, say: Say) -> None:
    """Report every interface and every RDMA port; their drivers are asked for the speed, and may hang."""
    entries = [
        entry for entry in sorted(listed(root / "sys/class/net")) if there(entry / "type") is not False
    ]
    rows = [_read_interface(root, entry) for entry in entries]
    rows.sort(key=lambda row: (row["virtual"], row["name"]))
    say("interfaces", rows[:MAX_INTERFACES])
    for row in rows[:MAX_INTERFACES]:
        folder = root / "sys/class/net" / row["name"]
        say(f"speed {row['name']}", _asked(say, f"{NET}/{row['name']}/speed", folder, ("speed",)))
    ports = [
        port
        for device in sorted(listed(root / "sys/class/infiniband"))
        for port in sorted(listed(device / "ports"))
    ]
    say("rdma_ports", [[port.parent.parent.name, port.name] for port in ports])
    for port in ports:
        device = port.parent.parent.name
        said = _asked(say, f"{RDMA}/{device}: port {port.name}", port, ("state", "rate", "link_layer"))
        say(f"port {device} {port.name}", said)


def _asked(say: Say, call: str, folder: Path, names: tuple[str, ...]) -> dict[str, Answer]:
    """The named files of a folder, unless asking for them hung or crashed before."""
    try:
        say.begin(call)
    except CallSkipped as left_out:
        return {name: {"status": left_out.status, "reason": left_out.reason} for name in names}
    return {name: look(folder / name) for name in names}


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """{"network": ...} in the shape of schema.Network from the raw answers."""
    rows, ports = raw.get("interfaces"), raw.get("rdma_ports")
    if rows:
        speeds = {row["name"]: raw.get(f"speed {row['name']}", {}) for row in rows}
        interfaces = ok([_interface(row | speeds[row["name"]]) for row in rows], NET)
    else:
        interfaces = missing(None, NET) if rows is None else none("absent", NET, "no interface is visible")
    if ports:
        rdma = ok([_port(device, port, raw.get(f"port {device} {port}", {})) for device, port in ports], RDMA)
    elif ports is None:
        rdma = missing(None, RDMA)
    else:
        rdma = none("absent", RDMA, "no InfiniBand or RoCE adapter, or its driver is not loaded")
    return {"network": {"interfaces": interfaces, "rdma_ports": rdma}}


def _read_interface(root: Path, entry: Path) -> dict[str, Any]:
    place = os.path.realpath(entry)
    driver = entry / "device/driver"
    return {
        "name": entry.name,
        "place": place.removeprefix(os.path.realpath(root)) if str(root) != "/" else place,
        "virtual": "/devices/virtual/" in place,
        "type": text(look(entry / "type")),
        "state": text(look(entry / "operstate")),
        "driver": Path(os.path.realpath(driver)).name if there(driver) else "",
        "devtype": keyed(text(look(entry / "uevent")) or "", "=").get("DEVTYPE", ""),
        "marks": [
            name for name in ("wireless", "phy80211", "bridge", "bonding", "tun_flags") if there(entry / name)
        ],
    }


def _interface(row: dict[str, Any]) -> dict[str, Any]:
    kind = _kind(row)
    steps = str(row.get("place", "")).split("/")
    address = next((found for step in reversed(steps) if (found := pci_address(step))), "")
    return {
        "name": clean(row["name"], 60),
        "kind": kind,
        "state": clean(row.get("state") or "", 20),
        "driver": clean(row.get("driver") or "", 60),
        "speed_bits_per_s": _speed(row, kind),
        "pci_address": address,
    }


def _kind(row: dict[str, Any]) -> str:
    """ethernet, wifi, infiniband, virtual, bridge or loopback."""
    marks = row.get("marks") or ()
    if row.get("type") == LOOPBACK:
        return "loopback"
    if "bridge" in marks or row.get("devtype") == "bridge":
        return "bridge"
    if row.get("virtual"):
        return "virtual"
    if "wireless" in marks or "phy80211" in marks or row.get("devtype") == "wlan":
        return "wifi"
    return "infiniband" if row.get("type") == INFINIBAND else "ethernet"


def _speed(row: dict[str, Any], kind: str) -> FactDict:
    source = f"{NET}/{row['name']}/speed"
    made_up = kind == "virtual" and row.get("devtype") not in HONEST_VIRTUAL and "bonding" not in row["marks"]
    if kind == "loopback" or made_up:
        return none("not_supported", source, "a virtual interface: the speed its driver states means nothing")
    megabits = whole(row.get("speed"))
    if megabits is not None and megabits not in UNKNOWN_SPEEDS and megabits > 0:
        return ok(float(megabits * BITS_PER_MEGABIT), source)
    if row.get("state") not in ("up", "unknown"):
        return none("not_supported", source, f"the link is {row.get('state') or 'in an unknown state'}")
    if megabits is None:
        return missing(row.get("speed"), source, "the driver tells no speed")
    return none(
        "not_supported", source, f"the driver says {megabits}: unknown (virtual adapters tell no speed)"
    )


def _port(device: str, port: str, said: dict[str, Any]) -> dict[str, Any]:
    state = (text(said.get("state")) or "").partition(":")[2].strip()
    return {
        "device": clean(device, 60),
        "port": whole(port) or 0,
        "link_layer": clean(text(said.get("link_layer")) or "", 30),
        "state": clean(state, 30),
        "rate_bits_per_s": _rate(said.get("rate"), state, f"{RDMA}/{device}/ports/{port}/rate"),
    }


def _rate(answer: Answer | None, state: str, source: str) -> FactDict:
    """Rate of one direction; "400 Gb/sec (4X NDR)". What a port states while it is down means nothing."""
    written = text(answer) or ""
    gigabits = number(written) if "Gb/sec" in written else None
    if gigabits is None or gigabits <= 0:
        return missing(answer, source, "no rate is told")
    if state != "ACTIVE":
        return none(
            "not_supported", source, f"the port is {state or 'in an unknown state'}; it states {written}"
        )
    return ok(gigabits * 1e9, source, written.partition("(")[2].rstrip(")"))
