"""Google TPUs: the PCI bus, the device nodes and the environment of a TPU VM.

The metadata server of Google Compute Engine is never contacted: the tool works offline. Memory is left
to jax, whose answer comes with the software probe.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.probe.facts import none, ok
from advisor.probe.reading import children, clean, not_found, pci_address, pci_functions, rows, section

if TYPE_CHECKING:
    from advisor.probe.facts import Say

NAME = "tpu"
GROUP = "tpu"
DEADLINE_S = 3.0

VENDOR_ID = "1ae0"  # Google; its network card and disks share the vendor id, so devices are listed by id
# device id -> generation, as jax tells them apart (jax-ml/jax, jax/_src/hardware_utils.py)
GENERATIONS = {
    "0027": "TPU v2 or v3",
    "005e": "TPU v4",
    "0062": "TPU v5p",
    "0063": "TPU v5e",
    "006f": "TPU v6e",
    "0076": "TPU7x",
}
ENVIRONMENT = (
    "TPU_ACCELERATOR_TYPE",
    "TPU_WORKER_ID",
    "TPU_TOPOLOGY",
    "TPU_CHIPS_PER_HOST_BOUNDS",
    "TPU_HOST_BOUNDS",
    "TPU_VISIBLE_CHIPS",
    "TPU_SKIP_MDS_QUERY",
)


def sign(root: Path) -> str:
    """The first sign of a TPU under `root`, or ""."""
    for function in pci_functions(root):
        if _is_tpu(function):
            return f"PCI {function['address']}"
    return "TPU_ACCELERATOR_TYPE" if root == Path("/") and os.environ.get("TPU_ACCELERATOR_TYPE") else ""


def present(root: Path) -> str:
    """As `sign`."""
    return sign(root) or not_found(root)


def read(root: Path, say: Say) -> None:
    """Report PCI functions, device nodes and environment; no library is loaded."""
    say("pci", [function for function in pci_functions(root) if _is_tpu(function)])
    nodes = [f"/dev/{p.name}" for p in children(root / "dev") if re.fullmatch(r"accel\d+", p.name)]
    nodes += [f"/dev/vfio/{p.name}" for p in children(root / "dev/vfio") if p.name.isdigit()]
    say("nodes", sorted(nodes))
    say("environment", {name: os.environ[name] for name in ENVIRONMENT if name in os.environ})


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """Raw answers -> devices and notices of a Machine."""
    pci = rows(raw, "pci")
    environment = section(raw, "environment")
    devices = [_device(index, function) for index, function in enumerate(pci)]
    notices, skipped = [], []
    kind = clean(environment.get("TPU_ACCELERATOR_TYPE", ""), 60)
    if kind and devices:
        worker = clean(environment.get("TPU_WORKER_ID", "not told"), 20)
        notices.append(
            {
                "code": "tpu_slice",
                "message": f"This machine is one host of a TPU slice of type {kind} (worker {worker});"
                f" it holds {len(devices)} chip(s) of it.",
                "hint": "",
            }
        )
    if devices and not raw.get("nodes"):
        skipped.append(
            {
                "probe": NAME,
                "status": "no_permission",
                "reason": "TPU chips are on the PCI bus, but neither /dev/accel* nor /dev/vfio/* is here",
                "hint": "In a container, pass the devices through (docker run --privileged --net=host).",
            }
        )
    if kind and not devices:
        skipped.append(
            {
                "probe": NAME,
                "status": "absent",
                "reason": f"TPU_ACCELERATOR_TYPE is {kind}, but no TPU is on the PCI bus",
                "hint": "",
            }
        )
    return {"devices": devices, "notices": notices, "skipped": skipped}


def _is_tpu(function: dict[str, str]) -> bool:
    known = function["device"] in GENERATIONS
    return function["vendor"] == VENDOR_ID and (known or function["class"].startswith("1200"))


def _device(index: int, function: dict[str, Any]) -> dict[str, Any]:
    device = str(function.get("device", ""))
    address = pci_address(function.get("address"))
    generation = GENERATIONS.get(device)
    unknown = none("not_supported", "PCI id", f"no TPU generation is known for device {clean(device, 20)}")
    return {
        "vendor": "google",
        "kind": "tpu",
        "index": index,
        "name": ok(f"Google {generation}", "PCI id") if generation else unknown,
        "architecture": ok(generation, "PCI id") if generation else unknown,
        "pci_address": ok(address, "sysfs") if address else none("not_supported", "sysfs", ""),
        "pci_id": ok(f"{VENDOR_ID}:{clean(device, 20)}", "sysfs vendor, device"),
        "memory_total_bytes": none("not_asked", "sysfs", "jax tells it: device.memory_stats()"),
    }
