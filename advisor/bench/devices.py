"""A device through torch's own name for it: "cpu", "cuda:0" (NVIDIA and ROCm), "xpu:0", "mps", "npu:0"."""

from __future__ import annotations

import gc
import importlib.util
from typing import Any, Callable

from .timing import Clock, EventClock, WallClock

KINDS = ("cuda", "xpu", "mps", "npu")  # torch's accelerator types, in the order they are looked for
SHARE_OF_FREE = 0.2  # never allocate more than this of what is free, on host or device
ASSUMED_SHARE = 0.25  # of a device's memory, where nobody tells how much of it is free
ASSUMED_BYTES = 2 << 30  # free, where not even that is known: few devices one trains on have less
# GCN before MI100 and RDNA before its third generation: their instruction sets know no bf16 arithmetic
# (LLVM's AMDGPU processor list); torch for ROCm says "supported" of every device
HIP_WITHOUT_BF16 = ("gfx6", "gfx7", "gfx8", "gfx900", "gfx902", "gfx904", "gfx906", "gfx90c", "gfx10")


class Unable(Exception):
    """A bench that cannot be run here: `status` is one of advisor's Status values."""

    def __init__(self, status: str, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.hint = hint


class Device:
    """One device: how to wait for it, time on it, and how much of its memory a bench may take."""

    def __init__(self, torch: Any, name: str) -> None:
        self.torch = torch
        self.name = name
        self.kind, _, index = name.partition(":")
        self.index = int(index or 0)
        self.is_cpu = self.kind == "cpu"
        self.module: Any = None if self.is_cpu else getattr(torch, self.kind)
        self._events: bool | None = None

    def synchronize(self) -> None:
        """Wait until everything queued on the device is done."""
        if not self.is_cpu:
            self.module.synchronize()

    def select(self) -> None:
        """Make it the current device, so that events and streams belong to it."""
        if hasattr(self.module, "set_device"):
            self.module.set_device(self.index)

    def clock(self) -> Clock:
        """Events where the device has them and they work, else the wall clock around an emptied device."""
        if self.is_cpu:
            return WallClock()
        if self._events is None:
            self._events = self._events_work()
        return EventClock(self._event, self.synchronize) if self._events else WallClock(self.synchronize)

    def _event(self) -> Any:
        maker = getattr(self.module, "Event", None)
        if maker is None:  # torch.mps.event.Event before it was lifted
            maker = self.module.event.Event
        return maker(enable_timing=True)

    def _events_work(self) -> bool:
        try:
            probe = self.torch.ones(1 << 20, device=self.name)
            clock = EventClock(self._event, self.synchronize)
            clock.block(lambda: probe.mul_(1.0), 3)
            return clock.block(lambda: probe.mul_(1.0), 10) > 0.0
        except (AttributeError, TypeError, RuntimeError, NotImplementedError):
            return False

    def free_bytes(self) -> int | None:
        """Free device memory, or None where torch does not tell. The host's is not asked here."""
        if self.is_cpu:
            return None
        try:
            if self.kind == "mps":
                used = int(self.module.driver_allocated_memory())
                return max(int(self.module.recommended_max_memory()) - used, 0)
            return int(self.module.mem_get_info(self.index)[0])
        except (AttributeError, RuntimeError, NotImplementedError):
            return None

    def release(self) -> None:
        """Give back what a bench allocated."""
        gc.collect()
        if not self.is_cpu and hasattr(self.module, "empty_cache"):
            self.module.empty_cache()

    def alive(self) -> bool:
        """Whether the device still answers after an error (a CUDA context does not survive some)."""
        if self.is_cpu:
            return True
        try:
            self.synchronize()
            return float(self.torch.ones(2, device=self.name).sum().item()) == 2.0
        except RuntimeError:
            return False

    def has_bf16(self) -> bool | None:
        """Whether the device has units for bf16; None where torch does not tell."""
        if self.is_cpu:
            return None
        try:
            if self.kind == "cuda":
                if getattr(getattr(self.torch, "version", None), "hip", None):
                    name = str(self.module.get_device_properties(self.index).gcnArchName)
                    return not name.startswith(HIP_WITHOUT_BF16)
                # torch's own answer counts emulation; the units came with compute capability 8.0
                return tuple(self.module.get_device_capability(self.index)) >= (8, 0)
            return bool(self.module.is_bf16_supported())
        except (AttributeError, TypeError, RuntimeError, NotImplementedError, AssertionError):
            return None

    def total_bytes(self) -> int | None:
        """All memory of the device, or None where torch does not tell."""
        try:
            if self.kind == "mps":
                return int(self.module.recommended_max_memory()) or None
            return int(getattr(self.module.get_device_properties(self.index), "total_memory", 0)) or None
        except (AttributeError, RuntimeError, NotImplementedError):
            return None

    def describe(self) -> dict[str, Any]:
        """Name, UUID, memory and types for the parent; "" or None where torch does not tell."""
        found: dict[str, Any] = {"name": self.name, "title": "", "uuid": "", "total_bytes": None}
        found["bf16"] = self.has_bf16()
        try:
            if self.kind == "mps":
                found["title"] = "Apple GPU (Metal)"
                found["total_bytes"] = int(self.module.recommended_max_memory())
            elif not self.is_cpu:
                props = self.module.get_device_properties(self.index)
                found["title"] = str(getattr(props, "name", "") or self.module.get_device_name(self.index))
                found["total_bytes"] = int(getattr(props, "total_memory", 0)) or None
                if not getattr(getattr(self.torch, "version", None), "hip", None):
                    # on ROCm torch's UUID is of another form than the driver's; the probe joins by address
                    found["uuid"] = _uuid(getattr(props, "uuid", ""))
        except (AttributeError, RuntimeError) as error:
            found["error"] = f"{type(error).__name__}: {error}"
        return found


def _uuid(raw: Any) -> str:
    """torch prints CUDA UUIDs without the "GPU-" that NVML puts before them."""
    text = str(raw or "").strip()
    if not text or text == "None":
        return ""
    return text if text.startswith(("GPU-", "MIG-")) else f"GPU-{text}"


def accelerators(
    torch: Any, lost: dict[str, str] | None = None, begin: Callable[[str], object] = str
) -> list[str]:
    """torch's names of all accelerators this process may use.

    A kind whose stack raises when asked is left out; its reason goes into `lost`. `begin` is told each kind
    before its driver is called, which may never return.
    """
    names: list[str] = []
    for kind in KINDS:
        begin(kind)
        try:
            names += _of_kind(torch, kind)
        except Exception as error:  # vendor stacks raise anything; one must not cost the others
            if lost is None:
                raise
            lost[kind] = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    return names


def _of_kind(torch: Any, kind: str) -> list[str]:
    """The devices of one of torch's accelerator types. Raises whatever its stack raises."""
    if kind == "npu" and not hasattr(torch, "npu"):
        if importlib.util.find_spec("torch_npu") is None:
            return []
        importlib.import_module("torch_npu")
    if kind == "mps":
        backend = getattr(torch.backends, "mps", None)
        return ["mps"] if backend is not None and backend.is_available() else []
    module = getattr(torch, kind, None)
    if module is None or not module.is_available():
        return []
    return [f"{kind}:{index}" for index in range(module.device_count())]
