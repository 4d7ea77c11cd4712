"""What a device does while something runs on it: clock, power, temperature, what holds it back."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from advisor.nvml.session import opened

# Bits of nvmlClocksEventReasons (nvml.h); bit 0 says that the device is idle, which is no fault
THROTTLE = {
    0x001: "gpu_idle",
    0x002: "applications_clocks_setting",
    0x004: "sw_power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal_slowdown",
    0x040: "hw_thermal_slowdown",
    0x080: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
    0x200: "board_limit",
    0x400: "reliability",
}


def throttle_names(mask: int) -> list[str]:
    """The names of the bits in a mask of clock event reasons, idle left out; unknown bits by number."""
    bits = [1 << bit for bit in range(64) if mask >> bit & 1 and bit != 0]
    return [THROTTLE.get(bit, f"bit_{bit:#x}") for bit in bits]


def live_reader() -> Callable[[str], dict[str, Any]]:
    """A function from a UUID to what that device does now, for as long as the process lives.

    Gives "clock_hz", "temperature_c", "power_w", "utilization" and "memory_used" (0..1), "pcie_gen",
    "pcie_width" and "throttle_reasons" (names), each None when not told. Raises Unavailable when there is
    no NVML. To be used in a process of its own: any of these calls may hang.
    """
    stack = ExitStack()
    library = stack.enter_context(opened())
    atexit.register(stack.close)
    handles: dict[str, Any] = {}

    def scaled(question: str, handle: Any, factor: float) -> float | None:
        value = library.ask(question, handle).value
        return value * factor if isinstance(value, (int, float)) else None

    def memory_used(handle: Any) -> float | None:
        memory = library.ask("memory", handle).value or {}
        total = memory.get("total") or 0
        return memory["used"] / total if total > 0 else None

    def whole(question: str, handle: Any) -> int | None:
        value = library.ask(question, handle).value
        return value if isinstance(value, int) and value > 0 else None

    def read(uuid: str) -> dict[str, Any]:
        if uuid not in handles:
            handles[uuid] = library.ask("handle_by_uuid", uuid).value
        handle = handles[uuid]
        if handle is None:
            return {}
        mask = library.ask("throttle", handle).value
        return {
            "clock_hz": scaled("clock_sm", handle, 1e6),
            "temperature_c": scaled("temperature", handle, 1.0),
            "power_w": scaled("power", handle, 1e-3),
            "utilization": scaled("utilization", handle, 1e-2),
            "memory_used": memory_used(handle),
            "pcie_gen": whole("pcie_gen_current", handle),
            "pcie_width": whole("pcie_width_current", handle),
            "throttle_reasons": throttle_names(mask) if isinstance(mask, int) else None,
        }

    return read
