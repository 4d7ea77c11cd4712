"""Hardware as the search sees it: its columns, and what of layouts makes sense on it."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.data.accelerator import Accelerator
from advisor.estimate.inputs import Inputs, of_accelerator
from advisor.schema import Kind
from advisor.search.inputs import usual_stack

_OFFLOADING = frozenset(("nvidia", "amd"))
"""Vendors whose devices DeepSpeed and PyTorch unload to the host's memory as published (arXiv:2101.06840)."""


@dataclass(frozen=True)
class Site:
    """A kind of device: of the catalogue, or of a machine that was probed."""

    id: str  # of the catalogue; "" is none
    inputs: Inputs
    entry: Accelerator | None = None
    mobile: bool = False
    single: bool = False  # one whole alone: nothing is known that joins two of them
    whole: float = 0.0  # devices of a system that is had in whole pieces alone; 0: of a package

    @property
    def card(self) -> bool:
        """Whether it is a card in a PCIe slot."""
        return self.inputs.values.get("hw_card") == 1

    @property
    def per_package(self) -> float:
        """Devices the framework sees of one package."""
        return float(self.inputs.values.get("hw_devices_per_package") or 1.0)

    @property
    def stack(self) -> str:
        """The program that trains on it, where nobody says another."""
        return usual_stack(self.inputs)

    @property
    def offloads(self) -> bool:
        """Whether its host has a memory of its own to put states into."""
        unified = self.inputs.values.get("hw_memory_unified") == 1
        return not unified and self.inputs.values.get("vendor") in _OFFLOADING


def site_of(entry: Accelerator) -> Site:
    """An entry of the catalogue with what a package costs when bought."""
    inputs = of_accelerator(entry).update(_purchase_of(entry))
    return Site(entry.id, inputs, entry, entry.form_factor == "mobile")


def _purchase_of(entry: Accelerator) -> Inputs:
    found = Inputs()
    price = entry.bought
    source = f"{price.told if price else 'list price'}: {entry.file.name}"
    found.put("hw_purchase", price.usd if price else None, Kind.published, source, "no list price")
    if price is not None and entry.form_factor == "SoC":
        found.put("hw_system_price", price.usd, Kind.published, f"{source}; of the computer that it is in")
    return found
