"""What a request takes where nothing else says: `templates/request/defaults.toml`, read and checked once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from advisor.data.files import read_toml, shipped
from advisor.units import GIB

MIB = GIB / 1024


@dataclass(frozen=True)
class Value:
    """One default: SI, with why it is asked for and whence it comes."""

    id: str
    value: float
    unit: str
    why: str
    source: str


@dataclass(frozen=True)
class DeviceNames:
    """How those who hand out accelerators of a kind name and count them."""

    prefix: str
    gpus_per_node: int
    resource: str  # Kubernetes
    image: str
    gres: str  # Slurm
    torchrun: bool
    source: str
    counted: str = "device"  # or package: of which of these gpus_per_node, resource and gres are a number
    note: str = ""
    cores: int = 0  # of a package whose cores a variable makes devices of; 0: none does
    cores_variable: str = ""


@dataclass(frozen=True)
class NodeMemory:
    """What a node of Kubernetes keeps of its memory for kubelet and system, and leaves free."""

    shares: tuple[tuple[float, float], ...]  # up to so many bytes, this share
    rest: float
    free_bytes: float
    source: str

    def allocatable(self, whole: float) -> float:
        """What pods may have of a node with so much."""
        kept, below = self.free_bytes, 0.0
        for upto, share in self.shares:
            kept += share * max(0.0, min(whole, upto) - below)
            below = upto
        return max(0.0, whole - kept - self.rest * max(0.0, whole - below))


@dataclass(frozen=True)
class Defaults:
    """The whole file."""

    values: dict[str, Value]
    states: dict[str, float]  # optimizer -> bytes of its states for each trained parameter
    devices: tuple[DeviceNames, ...]
    skypilot: dict[str, str]
    node_memory: NodeMemory

    def __getitem__(self, name: str) -> float:
        return self.values[name].value

    def names_of(self, accelerator_id: str) -> DeviceNames | None:
        """How that accelerator is named; None: nobody has told."""
        return next((d for d in self.devices if accelerator_id.startswith(d.prefix)), None)


@lru_cache(maxsize=1)
def load_defaults() -> Defaults:
    """The shipped defaults."""
    raw: dict[str, Any] = read_toml(shipped("templates") / "request" / "defaults.toml")
    values = [Value(**{**entry, "value": float(entry["value"])}) for entry in raw["value"]]
    return Defaults(
        values={value.id: value for value in values},
        states={name: float(size) for name, size in raw["states"].items()},
        devices=tuple(DeviceNames(**entry) for entry in raw["device"]),
        skypilot=dict(raw["skypilot"]),
        node_memory=_node_memory(raw["kubernetes_memory"]),
    )


def _node_memory(raw: dict[str, Any]) -> NodeMemory:
    return NodeMemory(
        shares=tuple((float(gib) * GIB, float(share)) for gib, share in raw["shares"]),
        rest=float(raw["rest"]),
        free_bytes=float(raw["free_mib"]) * MIB,
        source=str(raw["source"]),
    )
