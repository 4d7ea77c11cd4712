"""NVIDIA devices through NVML: asks each field by itself, so that one that fails costs itself alone.

All calls are made in `advisor.nvml`; raw answers become devices in `nvidia_device`, links in
`nvidia_links`, what the reader should know in `nvidia_notices`. NVML never decides alone whether CUDA is
here (Jetson has little of it): the frameworks are asked as well, in the software probe.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor import nvml
from advisor.paths import there
from advisor.probe import nvidia_device, nvidia_facts, nvidia_links, nvidia_notices
from advisor.probe.facts import CallSkipped, none, ok
from advisor.probe.reading import children, clean, keyed, not_found, pci_functions, read_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from advisor.probe.facts import Say

NAME = "nvidia"
GROUP = "nvidia"
DEADLINE_S = 5.0
# "1-3 second startup cost per GPU" where nothing keeps the GPUs initialised: NVIDIA, Driver Persistence,
# Overview (docs.nvidia.com/deploy/driver-persistence/overview.html). The deadline itself covers the first.
START_S_PER_GPU = 3.0
MAX_PATIENCE_S = 7 * START_S_PER_GPU  # as for eight; more of them hang rather than start

VENDOR_ID = "10de"
IDENTITY = ("name", "uuid", "pci", "memory")  # of all devices first: it survives whatever comes after
MAX_DEVICES = 256
MAX_MIG = 16


def present(root: Path) -> str:
    """The first sign of an NVIDIA device or driver under `root`, or ""."""
    for node in sorted(path.name for path in children(root / "dev")):
        if node == "nvidiactl" or (node.startswith("nvidia") and node[6:].isdigit()):
            return f"/dev/{node}"
        if node in ("dxg", "nvmap"):  # WSL2's door to whatever GPU Windows has; Jetson's memory
            return f"/dev/{node}"
    for folder in ("sys/module/nvidia", "proc/driver/nvidia"):
        if there(root / folder):
            return f"/{folder}"
    address = next((function["address"] for function in pci_functions(root) if _display(function)), "")
    return f"PCI {address}" if address else nvml.hint_of_library(root) or not_found(root)


def _display(function: dict[str, str]) -> bool:
    """A display or 3D controller of NVIDIA: neither its sound nor its USB function, nor an NVSwitch."""
    return function["vendor"] == VENDOR_ID and function["class"].startswith("03")


def patience_s(root: Path) -> float:
    """What the driver may take to start its GPUs beyond DEADLINE_S: none for one GPU."""
    nodes = [path for path in children(root / "dev") if re.fullmatch(r"nvidia\d+", path.name)]
    count = max(len(nodes), sum(_display(function) for function in pci_functions(root)))
    return min(max(count - 1, 0) * START_S_PER_GPU, MAX_PATIENCE_S)


def read(root: Path, say: Say) -> None:
    """Report what lies on the PCI bus and who owns the binding, then all that NVML tells."""
    say("pci", [function for function in pci_functions(root) if _display(function)])
    say("kernel_module", read_text(root / "sys/module/nvidia/version", 100))
    say("binding", nvml.binding_owner(sys.path))
    started = time.monotonic()
    try:
        with nvml.opened(lambda call, needed: say.begin(call, needed=needed)) as library:
            say("init", {"value": None, "status": "ok", "call": "nvmlInit", "reason": ""})
            _Asking(library, say, started).everything()
    except nvml.Unavailable as unavailable:
        say("init", unavailable.answer._asdict())


class _Asking:
    """Asks one library and reports each answer at once."""

    def __init__(self, library: nvml.Library, say: Say, started: float) -> None:
        self._library = library
        self._say = say
        self._started = started
        self._lost: set[int] = set()

    def everything(self) -> None:
        """The system, then each device, then what lies between them."""
        for question in ("driver_version", "nvml_version", "cuda_version"):
            self._tell(question, question)
        count = self._tell("count", "count").value
        handles = {}
        for index in range(min(count, MAX_DEVICES) if isinstance(count, int) else 0):
            answer = self._ask("handle", index, where=f"device {index}: ")
            if answer.status == "ok":
                handles[index] = answer.value
                answer = answer._replace(value=None)
            self._say(f"{index}.handle", answer._asdict())
        # Some drivers start a device in nvmlInit, others when its handle is asked for
        self._say("started_s", round(time.monotonic() - self._started, 2))
        later = tuple(name for name in nvml.DEVICE_QUESTIONS if name not in IDENTITY)
        for index, handle in handles.items():
            self._device(index, handle, IDENTITY)
        for index, handle in handles.items():
            self._device(index, handle, later)
            self._instances(index, handle)
            self._links(index, handle)
        self._pairs(handles)

    def _ask(self, question: str, *arguments: Any, where: str = "") -> nvml.Answer:
        """One question; a call that the runner wants left out is answered with the reason for it."""
        try:
            return self._library.ask(question, *arguments, where=where)
        except CallSkipped as skipped:
            return nvml.Answer(None, skipped.status, question, skipped.reason)

    def _tell(
        self,
        key: str,
        question: str,
        *arguments: Any,
        where: str = "",
        change: Callable[[Any], Any] | None = None,
    ) -> nvml.Answer:
        answer = self._ask(question, *arguments, where=where)
        if change is not None and answer.value is not None:
            answer = answer._replace(value=change(answer.value))
        self._say(key, answer._asdict())
        return answer

    def _device(self, index: int, handle: Any, questions: tuple[str, ...]) -> None:
        """Some questions to one device; after it is lost it is left in peace."""
        changes: dict[str, Callable[[Any], Any]] = {
            "processes": self._named,
            "architecture": self._library.architecture,
        }
        for question in questions:
            if index in self._lost:
                return
            answer = self._tell(
                f"{index}.{question}",
                question,
                handle,
                where=f"device {index}: ",
                change=changes.get(question),
            )
            if answer.status == "lost":
                self._lost.add(index)
                self._say(f"{index}.lost", answer._asdict())

    def _named(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Processes with their names, those that hwadvisor itself started marked as its own."""
        for row in rows[:256]:
            name = self._ask("process_name", row["pid"]).value
            row["name"] = Path(name).name if isinstance(name, str) and name else _comm(row["pid"])
            row["own"] = _is_own(row["pid"])
        return rows[:256]

    def _instances(self, index: int, handle: Any) -> None:
        """MIG instances: a container may ask these while their parent refuses."""
        if index in self._lost:
            return
        where = f"device {index}: "
        count = self._tell(f"{index}.mig_count", "mig_count", handle, where=where).value
        for slot in range(min(count, MAX_MIG) if isinstance(count, int) else 0):
            answer = self._ask("mig_handle", handle, slot, where=where)
            if answer.status != "ok":
                if answer.status != "absent":  # an empty slot is no failure
                    self._say(f"{index}.mig{slot}.handle", answer._asdict())
                continue
            for question in ("uuid", "name", "memory", "attributes"):
                key = f"{index}.mig{slot}.{question}"
                self._tell(key, question, answer.value, where=f"device {index} MIG {slot}: ")

    def _links(self, index: int, handle: Any) -> None:
        """NVLinks, until the first number that the device does not know."""
        if index in self._lost:
            return
        for link in range(nvml.MAX_LINKS):
            where = f"device {index} link {link}: "
            answer = self._tell(f"{index}.link{link}.state", "link_state", handle, link, where=where)
            if answer.status != "ok":
                return
            if answer.value:
                for question in ("link_version", "link_remote", "link_remote_kind"):
                    key = f"{index}.link{link}.{question.removeprefix('link_')}"
                    self._tell(key, question, handle, link, where=where)

    def _pairs(self, handles: dict[int, Any]) -> None:
        """How each two devices reach each other."""
        there = {index: handle for index, handle in handles.items() if index not in self._lost}
        for a, first in there.items():
            for b, second in there.items():
                if a < b:
                    where = f"devices {a} and {b}: "
                    self._tell(f"pair.{a}.{b}.ancestor", "common_ancestor", first, second, where=where)
                    self._tell(f"pair.{a}.{b}.nvlink", "p2p", first, second, nvml.P2P_NVLINK, where=where)


def _comm(pid: int) -> str:
    return read_text(Path(f"/proc/{pid}/comm"), 100) or ""


def _is_own(pid: int) -> bool:
    """Whether hwadvisor started the process: torch, asked in another child, holds memory for a moment."""
    above = os.getppid()
    for _ in range(64):
        if pid <= 1:
            return False
        parent = _parent(pid)
        if parent == above:
            return True
        pid = parent
    return False


def _parent(pid: int) -> int:
    status = keyed(read_text(Path(f"/proc/{pid}/status"), 4096) or "", ":")
    try:
        return int(status.get("PPid", "0"))
    except ValueError:
        return 0


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """Raw answers -> devices, links, driver, notices and skipped of a Machine."""
    devices = nvidia_device.devices(raw)
    listed = {device["pci_address"]["value"] for device in devices if "pci_address" in device}
    nvidia_device.place_the_lost(raw, devices, listed)
    unlisted = nvidia_device.unlisted(raw, listed, len(devices))
    return {
        "devices": [*devices, *unlisted],
        "device_links": nvidia_links.device_links(raw, devices),
        "drivers": [_driver(raw)],
        "notices": nvidia_notices.notices(raw, devices),
        "skipped": nvidia_notices.skipped(raw, unlisted, listed),
    }


def _driver(raw: dict[str, Any]) -> dict[str, Any]:
    binding = raw.get("binding") if isinstance(raw.get("binding"), dict) else {}
    package = f"{binding.get('package', '')} {binding.get('version', '')}".strip() if binding else ""
    driver: dict[str, Any] = {
        "vendor": "nvidia",
        "driver_version": nvidia_facts.fact(raw.get("driver_version"), nvidia_facts.text),
        "runtime_version": nvidia_facts.fact(raw.get("cuda_version"), _cuda),
        "binding": ok(clean(package), "*.dist-info")
        if package
        else none("lib_missing", "*.dist-info", "module pynvml not found: pip install nvidia-ml-py"),
    }
    init, module = raw.get("init"), raw.get("kernel_module")
    failed = nvidia_facts.fact(init, nvidia_facts.text)
    for key in ("driver_version", "runtime_version"):
        if driver[key] is None:
            driver[key] = failed or nvidia_facts.ended(raw)
    if driver["driver_version"]["value"] is None and isinstance(module, str) and module:
        driver["driver_version"] = ok(clean(module, 60), "/sys/module/nvidia/version")
    return driver


def _cuda(value: Any) -> str | None:
    """12040 -> "12.4" (cudaDriverGetVersion's form: 1000 x major + 10 x minor)."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1000 <= value < 100_000:
        return None
    return f"{value // 1000}.{value % 1000 // 10}"
