"""One AMD card's figures out of its sysfs files: clocks, power, temperature, PCIe link, memory errors."""

from __future__ import annotations

import re
from typing import Any

from advisor.probe.facts import none, ok
from advisor.probe.reading import keyed, number, pcie_gen, whole


def figures(card: dict[str, Any]) -> dict[str, Any]:
    """The fields of a schema.Device that `card`, {file name: text}, tells."""
    return _clocks(card) | _power(card) | _pcie(card) | _health(card)


def dpm_levels(text: object) -> tuple[list[float], float | None]:
    """Levels and the current one, in Hz, of a pp_dpm_* file: lines of "1: 2100Mhz *"."""
    levels, now = [], None
    for line in str(text or "").splitlines()[:64]:
        found = re.match(r"\s*(\S+):\s*(\d+(?:\.\d+)?)\s*MHz\s*(\*)?", line, re.IGNORECASE)
        if found:
            hertz = float(found.group(2)) * 1e6
            if found.group(1).isdigit():  # "S:" is the deep-sleep level, no clock to work at
                levels.append(hertz)
            if found.group(3):
                now = hertz
    return levels, now


def _clocks(card: dict[str, Any]) -> dict[str, Any]:
    levels, now = dpm_levels(card.get("pp_dpm_sclk"))
    memory, _ = dpm_levels(card.get("pp_dpm_mclk"))
    missing = none("not_supported", "sysfs pp_dpm_sclk", "the kernel does not tell")
    return {
        "clock_hz": ok(now, "sysfs pp_dpm_sclk") if now else missing,
        "clock_max_hz": ok(max(levels), "sysfs pp_dpm_sclk") if levels else missing,
        "memory_clock_max_hz": ok(max(memory), "sysfs pp_dpm_mclk")
        if memory
        else none("not_supported", "sysfs pp_dpm_mclk", "the kernel does not tell"),
    }


def _scaled(card: dict[str, Any], names: tuple[str, ...], scale: float) -> dict[str, Any]:
    for name in names:
        value = number(card.get(name))
        if value is not None and value > 0:  # 0 is how a sensor that is off shows itself
            return ok(value * scale, f"sysfs hwmon {name}")
    return none("not_supported", f"sysfs hwmon {names[0]}", "the kernel does not tell")


def _power(card: dict[str, Any]) -> dict[str, Any]:
    busy = number(card.get("gpu_busy_percent"))
    return {
        "power_w": _scaled(card, ("power1_average", "power1_input"), 1e-6),
        "power_limit_w": _scaled(card, ("power1_cap",), 1e-6),
        "power_limit_default_w": _scaled(card, ("power1_cap_default",), 1e-6),
        "power_limit_max_w": _scaled(card, ("power1_cap_max",), 1e-6),
        "temperature_c": _scaled(card, ("temp1_input",), 1e-3),
        "utilization": ok(busy / 100, "sysfs gpu_busy_percent")
        if busy is not None and 0 <= busy <= 100
        else none("not_supported", "sysfs gpu_busy_percent", "the kernel does not tell"),
    }


def _pcie(card: dict[str, Any]) -> dict[str, Any]:
    out = {}
    for field, name, convert in (
        ("pcie_gen_max", "max_link_speed", pcie_gen),
        ("pcie_width_max", "max_link_width", whole),
        ("pcie_gen_current", "current_link_speed", pcie_gen),
        ("pcie_width_current", "current_link_width", whole),
    ):
        value = convert(card.get(name))
        out[field] = (
            ok(value, f"sysfs {name}")
            if value
            else none("not_supported", f"sysfs {name}", "the kernel does not tell")
        )
    return out


def _health(card: dict[str, Any]) -> dict[str, Any]:
    errors = keyed(str(card.get("ras/umc_err_count", "")), ":")
    uncorrected = whole(errors.get("ue"))
    missing = none("not_supported", "sysfs ras/umc_err_count", "no RAS counters for this card")
    return {
        "ecc_uncorrected": ok(uncorrected, "sysfs ras/umc_err_count") if uncorrected is not None else missing,
        "ecc_enabled": ok(True, "sysfs ras/umc_err_count is kept") if uncorrected is not None else missing,
    }
