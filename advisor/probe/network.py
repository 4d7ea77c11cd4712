"""Network interfaces and InfiniBand / RoCE ports, as far as this process may see them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.probe.facts import none, ok
from advisor.probe.linux import look, missing, text, whole
from advisor.probe.reading import children, clean, keyed, number, pci_address

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
    return NET if (root / "sys/class/net").is_dir() else ""


def read(root: Path, say: Say) -> None:
    """Report every interface and every RDMA port."""
    entries = [entry for entry in children(root / "sys/class/net") if (entry / "type").exists()]
    rows = [_read_interface(root, entry) for entry in sorted(entries)]
    rows.sort(key=lambda row: (row["virtual"], row["name"]))
    say("interfaces", rows[:MAX_INTERFACES])
    ports = []
    for device in sorted(children(root / "sys/class/infiniband")):
        say.begin(f"{RDMA}/{device.name}")
        for port in sorted(children(device / "ports")):
            answers = {name: look(port / name) for name in ("state", "phys_state", "rate", "link_layer")}
            ports.append({"device": device.name, "port": port.name, **answers})
    say("rdma_ports", ports if (root / "sys/class/infiniband").is_dir() else None)


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """{"network": ...} in the shape of schema.Network from the raw answers."""
    rows = raw.get("interfaces")
    ports = raw.get("rdma_ports")
    if isinstance(rows, list) and rows:
        interfaces = ok([_interface(row) for row in rows], NET)
    else:
        interfaces = missing(None, NET) if rows is None else none("absent", NET, "no interface is visible")
    if isinstance(ports, list) and ports:
        rdma = ok([_port(row) for row in ports], RDMA)
    elif "rdma_ports" in raw:
        rdma = none("absent", RDMA, "no InfiniBand or RoCE adapter, or its driver is not loaded")
    else:
        rdma = missing(None, RDMA)
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
        "speed": look(entry / "speed"),
        "driver": Path(os.path.realpath(driver)).name if driver.exists() else "",
        "devtype": keyed(text(look(entry / "uevent")) or "", "=").get("DEVTYPE", ""),
        "marks": [
            name
            for name in ("wireless", "phy80211", "bridge", "bonding", "tun_flags")
            if (entry / name).exists()
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


def _port(row: dict[str, Any]) -> dict[str, Any]:
    state = (text(row.get("state")) or "").partition(":")[2].strip()
    return {
        "device": clean(row["device"], 60),
        "port": whole(row.get("port")) or 0,
        "link_layer": clean(text(row.get("link_layer")) or "", 30),
        "state": clean(state, 30),
        "rate_bits_per_s": _rate(row, state),
    }


def _rate(row: dict[str, Any], state: str) -> FactDict:
    """Rate of one direction; "400 Gb/sec (4X NDR)". What a port states while it is down means nothing."""
    source = f"{RDMA}/{row['device']}/ports/{row['port']}/rate"
    written = text(row.get("rate"))
    gigabits = number(written) if written and "Gb/sec" in written else None
    if gigabits is None:
        return missing(row.get("rate"), source, "no rate is told")
    if state != "ACTIVE":
        return none(
            "not_supported", source, f"the port is {state or 'in an unknown state'}; it states {written}"
        )
    return ok(gigabits * 1e9, source, (written or "").partition("(")[2].rstrip(")"))
