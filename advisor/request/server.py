"""What a node has: the site's shape, or the largest server known of an accelerator (rules/systems).

Shipped files alone are read, so that a page is made again the same from what rides in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from advisor.data.files import read_toml, shipped
from advisor.request.defaults import DeviceNames, load_defaults
from advisor.request.pick import Choice
from advisor.request.site import Node, Site

_VIRTUAL = re.compile(r"(\d+) vCPU")


@dataclass(frozen=True)
class Server:
    """Processors of a server, and the accelerators (as they are sold) that share them."""

    title: str
    accelerators: int
    cpus: int


@lru_cache(maxsize=1)
def _servers() -> dict[str, list[Server]]:
    found: dict[str, list[Server]] = {}
    for path in sorted((shipped("rules") / "systems").glob("*.toml")):
        raw = read_toml(path)
        virtual = _VIRTUAL.search(str(raw.get("cpu", "")))  # schedulers of clouds count these
        cpus = int(virtual[1]) if virtual else raw.get("cpu_cores")
        if raw.get("accelerator") and raw.get("accelerators") and cpus:
            server = Server(str(raw["title"]), int(raw["accelerators"]), int(cpus))
            found.setdefault(raw["accelerator"], []).append(server)
    return found


def server_of(accelerator_id: str) -> Server | None:
    """The one with the most processors for each accelerator; None: no server of it is known."""
    return max(_servers().get(accelerator_id, ()), key=lambda s: s.cpus / s.accelerators, default=None)


@dataclass(frozen=True)
class Shape:
    """What a node has: the site's, or the largest server that is known, of which nothing is taken whole."""

    name: str
    devices: int
    cpus: int | None
    stated: bool

    def whole(self, per_node: int) -> bool:
        """Whether so many devices are all of a node of the site."""
        return self.stated and per_node == self.devices


def counted(choice: Choice, names: DeviceNames | None) -> int:
    """Devices in one of what schedulers, sites and `--gpus-per-node` count."""
    return choice.each if names is not None and names.counted == "package" else 1


def shape_of(node: Node | None, choice: Choice, names: DeviceNames | None, site: Site) -> Shape:
    """The shape of nodes of the site; without one, of the largest server known."""
    if node is not None:
        return Shape(site.name, node.gpus * counted(choice, names), node.cpus, stated=True)
    server = server_of(choice.accelerator_id)
    if server is None:
        return Shape("", 0, None, stated=False)
    return Shape(server.title, server.accelerators * choice.each, server.cpus, stated=False)


def within(cores: int, node: Shape, per_node: int, kept: int = 0) -> tuple[int, list[str]]:
    """As many cores for a device as its node has besides `kept`; its share of a node taken whole."""
    if node.cpus is None:
        return cores, []
    share = max(1, (node.cpus - kept) // node.devices)
    if cores > share:
        return share, [
            f"{cores} cores for each device would feed it, the node has {share}: expect it to wait for data."
        ]
    return (share if node.whole(per_node) else cores), []


def memory_for(node: Node | None, scheduler: str) -> float | None:
    """What a job may have of a node's memory: on Kubernetes without what kubelet and system keep."""
    if node is None or node.memory_bytes is None:
        return None
    whole = node.memory_bytes
    return load_defaults().node_memory.allocatable(whole) if scheduler == "k8s" else whole


def environment(choice: Choice, names: DeviceNames | None) -> dict[str, str]:
    """Variables that make of a package as many devices as the estimate counts."""
    if names is None or not names.cores or names.cores % choice.each:
        return {}
    return {names.cores_variable: str(names.cores // choice.each)}


def told_cores(choice: Choice, names: DeviceNames | None) -> list[str]:
    """The same in a sentence."""
    return [
        f"A device here is {count} of the {names.cores} cores of a chip: the job sets {name}={count}."
        for name, count in environment(choice, names).items()
        if names is not None
    ]
