"""NVLinks of each device, and how each two devices reach each other, from NVML's raw answers."""

from __future__ import annotations

import re
from typing import Any

from advisor.probe.facts import FactDict, none, ok
from advisor.probe.nvidia_facts import fact, flag, part, value_of, whole
from advisor.probe.reading import clean, pci_address

REMOTE = {0: "gpu", 1: "cpu", 2: "switch"}  # nvmlIntNvLinkDeviceType_t; 1 is IBM's processor
# nvmlGpuTopologyLevel_t
ANCESTOR = {
    0: "same board",
    10: "pcie switch",
    20: "pcie switch",
    30: "host bridge",
    40: "numa node",
    50: "system",
}


def nvlinks(answers: dict[str, Any]) -> FactDict | None:
    """The links of one device from its answers ("link0.state", …); None when they were not asked."""
    first = answers.get("link0.state")
    if not isinstance(first, dict):
        return None
    numbers = sorted(int(key[4:-6]) for key in answers if re.fullmatch(r"link\d{1,3}\.state", key))
    rows = [row for number in numbers if (row := _link(answers, number))]
    if not rows:
        source = f"nvml:{clean(first.get('call', ''), 60)}"
        return none(str(first.get("status", "failed")), source, clean(first.get("reason") or "", 300))
    return ok(rows, "nvml:nvmlDeviceGetNvLinkState")


def _link(answers: dict[str, Any], number: int) -> dict[str, Any] | None:
    """One link; None for the number after the last, which is answered with "no such link"."""
    state = answers.get(f"link{number}.state")
    if isinstance(state, dict) and state.get("status") in ("failed", "not_supported"):
        return None
    row: dict[str, Any] = {"index": number}
    found = {
        "active": fact(state, flag),
        "version": fact(answers.get(f"link{number}.version"), whole),
        "remote_pci_address": fact(
            part(answers.get(f"link{number}.remote"), "address"), lambda value: pci_address(value) or None
        ),
        "remote_kind": fact(answers.get(f"link{number}.remote_kind"), REMOTE.get),
    }
    return row | {key: value for key, value in found.items() if value is not None}


def device_links(raw: dict[str, Any], devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each two devices: NVLink where it is active between them, else the PCIe road."""
    by_index = {device["index"]: device for device in devices}
    out = []
    for key, ancestor in raw.items():
        found = re.fullmatch(r"pair\.(\d+)\.(\d+)\.ancestor", key)
        if not found:
            continue
        a, b = by_index.get(int(found[1])), by_index.get(int(found[2]))
        names = [_identity(device) for device in (a, b) if device is not None]
        if a is None or b is None or not all(names):
            continue
        peer = fact(raw.get(f"pair.{found[1]}.{found[2]}.nvlink"), whole)
        count = _nvlink_count(a, b, peer is not None and peer["value"] == 0)
        road = fact(ancestor, ANCESTOR.get)
        if count:
            out.append({"a": names[0], "b": names[1], "kind": "nvlink", "count": count})
        elif road is not None and road["value"] is not None:
            out.append({"a": names[0], "b": names[1], "kind": road["value"]})
    return out


def _identity(device: dict[str, Any]) -> str:
    return value_of(device, "uuid") or value_of(device, "pci_address") or ""


def _active(device: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in value_of(device, "nvlinks") or [] if value_of(row, "active")]


def _nvlink_count(a: dict[str, Any], b: dict[str, Any], peer: bool) -> int:
    """Links straight from a to b; through switches, all of a's links, if the driver says they are peers."""
    there = value_of(b, "pci_address")
    straight = sum(1 for row in _active(a) if there and value_of(row, "remote_pci_address") == there)
    if straight:
        return straight
    switched = [sum(1 for row in _active(d) if value_of(row, "remote_kind") == "switch") for d in (a, b)]
    return min(switched) if peer else 0
