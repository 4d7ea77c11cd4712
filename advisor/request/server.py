"""The largest server known of an accelerator (rules/systems): what a node can have where no site tells.

Shipped files alone are read, so that a page is made again the same from what rides in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from advisor.data.files import read_toml, shipped

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
