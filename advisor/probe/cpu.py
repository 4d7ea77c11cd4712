"""The processors: what they are, how they hang together, how much of them this process may use.

On Linux /proc and /sys are read directly (9 ms where py-cpuinfo takes 1.1 s and is wrong in VMs). The
topology is in `cpu_topology`, names and instruction sets in `cpu_names`, the measured clock in `clock`.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.paths import there
from advisor.probe import cgroup, clock, cpu_names, cpu_topology, darwin, windows
from advisor.probe.facts import CallSkipped, assumed, contradiction, none, ok
from advisor.probe.linux import (
    compared,
    cpus_in,
    live,
    look,
    look_all,
    missing,
    slurm,
    text,
    unless_closed,
    whole,
)
from advisor.probe.reading import children, keyed, number

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict, Say

NAME = "cpu"
GROUP = "system"
DEADLINE_S = 5.0

CPUINFO = "/proc/cpuinfo"
# Slurm's hints in the order of trust: what one task was given, what the job was given on this node
SLURM_CPUS = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")


def present(root: Path) -> str:
    """Every machine has a CPU; the hint is where it is read from."""
    return CPUINFO if there(root / "proc") is not False else sys.platform if live(root) else ""


def read(root: Path, say: Say) -> None:
    """Report the raw files, the least certain (the timing loop) last."""
    if there(root / "proc") is False:
        if live(root) and sys.platform == "darwin":
            say("darwin", darwin.gather())
        elif live(root) and sys.platform == "win32":
            say("windows", windows.gather())
            say.begin("py-cpuinfo")
            say("windows", windows.gather(flags=True))
        return
    info = look(root / "proc/cpuinfo", 8 << 20)
    say("cpuinfo", condensed(info) if isinstance(info, str) else info)
    folder = root / "sys/devices/system/cpu"
    for name in ("online", "present"):
        say(name, look(folder / name))
    online = cpus_in(look(folder / "online")) or frozenset(range(_processors(info)))
    say("topology", cpu_topology.read(root, online))
    say("caches", cpu_topology.read_caches(root, online))
    say("hybrid", {name: look(root / f"sys/devices/{name}/cpus") for name in ("cpu_core", "cpu_atom")})
    say("numa", look_all(root / "sys/devices/system/node", ["has_cpu", "online", "has_memory"]))
    say("cpufreq", _read_cpufreq(folder))
    say("machine", _read_machine(root))
    say("allowed", keyed(text(look(root / "proc/self/status")) or "", ":").get("Cpus_allowed_list"))
    say("cgroup", cgroup.gather(root))
    say("slurm", slurm(root))
    say("loadavg", look(root / "proc/loadavg"))
    if live(root):
        allowed = cpus_in(keyed(text(look(root / "proc/self/status")) or "", ":").get("Cpus_allowed_list"))
        fast = cpus_in(look(root / "sys/devices/cpu_core/cpus"))
        try:
            say.begin("dependent-add loop")
            said = clock.measure((fast & allowed) if fast and allowed else None)
        except CallSkipped as left_out:
            said = {"hz": [], "status": left_out.status, "reason": left_out.reason}
        say("clock", said)


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """{"cpu": ...} in the shape of schema.Cpu from the raw answers, however few there are."""
    if "darwin" in raw:
        return {"cpu": darwin.cpu(raw["darwin"])}
    if "windows" in raw:
        return {"cpu": windows.cpu(raw["windows"])}
    info = raw.get("cpuinfo")
    blocks = processors(info) if isinstance(info, str) else []
    if not blocks:
        reason = missing(info, CPUINFO, "no processor is listed")
        first: dict[str, str] = {}
    else:
        reason, first = {}, blocks[0]
    model, vendor = cpu_names.model(blocks, raw.get("machine") or {}) if blocks else (reason, reason)
    facts = cpu_topology.facts(raw, blocks)
    budget = _budget(raw, facts["threads"])
    return {
        "cpu": {
            "model": model,
            "vendor": vendor,
            **unless_closed(facts | _clocks(raw, blocks), raw.get("online"), "/sys/"),
            "instruction_sets": cpu_names.instruction_sets(first) if blocks else reason,
            **budget,
            "load_average": _load(raw),
        }
    }


def condensed(info: str) -> str:
    """/proc/cpuinfo with the lines left out that repeat the first processor's: 400 kB become 40."""
    blocks = [block for block in info.split("\n\n") if block.strip()]
    first = set(blocks[0].splitlines()) if blocks else set()
    kept = blocks[:1] + [
        "\n".join(line for line in block.splitlines() if line.startswith("processor") or line not in first)
        for block in blocks[1:]
    ]
    return "\n\n".join(kept)


def processors(info: str) -> list[dict[str, str]]:
    """One dict per processor of a (condensed) /proc/cpuinfo; keys that a block lacks are the first one's."""
    found = [keyed(block, ":") for block in info.split("\n\n")]
    numbered = [block for block in found if block.get("processor", "").isdigit()]
    if not numbered:
        # s390x: one block for all, then "processor 0: version = ..." lines
        shared = found[0] if found else {}
        count = sum(1 for key in shared if key.startswith("processor "))
        return [shared] * count
    # Arm's older kernels name the model in a block of its own
    rest = {k: v for block in found if block not in numbered for k, v in block.items()}
    return [{**rest, **numbered[0], **block} for block in numbered]


def _processors(info: object) -> int:
    return sum(line.startswith("processor") for line in info.splitlines()) if isinstance(info, str) else 0


def _read_cpufreq(folder: Path) -> list[dict[str, str]]:
    names = ["cpuinfo_max_freq", "scaling_cur_freq", "base_frequency", "related_cpus"]
    return [
        files
        for policy in sorted(children(folder / "cpufreq"))
        if policy.name.startswith("policy") and (files := look_all(policy, names))
    ]


def _read_machine(root: Path) -> dict[str, str]:
    """What tells the seller's name of an Arm chip: vendor of the machine, SoC id."""
    dmi = look_all(root / "sys/class/dmi/id", ["sys_vendor", "product_name"])
    soc = look_all(root / "sys/devices/soc0", ["soc_id", "family", "machine"])
    tree = look(root / "proc/device-tree/model")
    return {**dmi, **soc, **({"device_tree": tree.strip("\0")} if isinstance(tree, str) else {})}


def _clocks(raw: dict[str, Any], blocks: list[dict[str, str]]) -> dict[str, FactDict]:
    """Reported, largest and measured clock; the measured one is the one to trust in a VM."""
    policies = raw.get("cpufreq") or []
    most = [hz for policy in policies if (hz := _khz(policy.get("cpuinfo_max_freq")))]
    out = {
        "clock_max_hz": ok(max(most), "/sys/devices/system/cpu/cpufreq cpuinfo_max_freq")
        if most
        else none("absent", "/sys/devices/system/cpu/cpufreq", "the kernel manages no clock here"),
        "clock_measured_hz": _measured(raw.get("clock")),
    }
    out["clock_reported_hz"] = _reported(blocks, policies, max(most, default=None), out["clock_measured_hz"])
    return out


def _measured(said: Any) -> FactDict:
    source = "dependent-add loop"
    if not isinstance(said, dict):
        return none("not_asked", source, "not measured")
    rates = sorted(float(rate) for rate in said.get("hz") or () if isinstance(rate, (int, float)))
    if not rates:
        return none(said.get("status", "failed"), source, said.get("reason", ""))
    best, middle = rates[-1], rates[len(rates) // 2]
    if not clock.PLAUSIBLE_HZ[0] <= best <= clock.PLAUSIBLE_HZ[1]:
        return none("failed", source, f"measured {best / 1e9:.3g} GHz, which no core runs at (emulated CPU?)")
    spread = (
        "" if middle > 0.9 * best else f"; the middle run saw {middle / 1e9:.3g} GHz: the core was shared"
    )
    return ok(best, f"{source}, best of {len(rates)} runs of about 1 ms", f"one core, light load{spread}")


def _reported(
    blocks: list[dict[str, str]], policies: list[dict[str, str]], most: float | None, measured: FactDict
) -> FactDict:
    """What the system says the clock is, set against the measured one where it ought to be the same."""
    told = [mhz * 1e6 for block in blocks if (mhz := number(block.get("cpu MHz") or block.get("clock")))]
    source = f"{CPUINFO} cpu MHz"
    if not told:
        told = [hz for policy in policies if (hz := _khz(policy.get("scaling_cur_freq")))]
        source = "/sys/devices/system/cpu/cpufreq scaling_cur_freq"
    if not told:
        return none("absent", CPUINFO, "neither /proc/cpuinfo nor cpufreq tells a clock")
    value, real = max(told), measured["value"]
    if real is None:
        return ok(value, source, "a momentary figure" if most else "")
    loop = [(real, measured["source"])]
    if most is None:
        reason = "the reported clock is not the one the core runs at; trust the measured one"
        return compared(value, source, loop, reason)
    if real > most * 1.02:
        return contradiction(
            value, source, loop, f"measured above the stated maximum of {most / 1e9:.3g} GHz"
        )
    return ok(value, source, "a momentary figure: idle cores clock down")


def _khz(written: object) -> float | None:
    found = number(written)
    return found * 1e3 if found and found > 0 else None


def _budget(raw: dict[str, Any], threads: FactDict) -> dict[str, FactDict]:
    """Affinity, quota, and the number of threads to start: the least of them, rounded down, at least 1."""
    allowed = cpus_in(raw.get("allowed"))
    online = cpus_in(raw.get("online"))
    usable = allowed & online if allowed and online else allowed
    affinity = (
        ok(len(usable), "/proc/self/status Cpus_allowed_list")
        if usable
        else missing(raw.get("allowed"), "/proc/self/status Cpus_allowed_list")
    )
    quota = cgroup.quota(raw.get("cgroup") or {})
    return {"affinity_threads": affinity, "quota_threads": quota} | {
        "budget_threads": budget(affinity, quota, threads, raw.get("slurm") or {})
    }


def budget(affinity: FactDict, quota: FactDict, threads: FactDict, told: dict[str, str]) -> FactDict:
    """Threads worth starting. One thread over the quota makes the kernel stop all of them (CFS bandwidth)."""
    limits: list[tuple[int, str]] = []
    if affinity["value"] is not None:
        limits.append((affinity["value"], "affinity"))
    elif threads["value"] is not None:
        limits.append((threads["value"], "all threads, the affinity is not known"))
    if quota["value"] is not None:
        limits.append((math.floor(quota["value"]), f"cgroup quota of {quota['value']:g} CPUs"))
    for key in SLURM_CPUS:
        count = whole(told.get(key))
        if count:
            limits.append((count, f"{key}={count}"))
            break
    if not limits:
        return none("failed", "affinity, cgroup, Slurm", "neither affinity nor thread count is known")
    least, why = min(limits)
    if quota["status"] == "no_permission":
        return assumed(max(1, least), why, f"whether a quota allows less is not known: {quota['reason']}")
    return ok(max(1, least), why, "; ".join(f"{name}: {count}" for count, name in limits))


def _load(raw: dict[str, Any]) -> FactDict:
    first = (text(raw.get("loadavg")) or "").split()
    load = number(first[0]) if first else None
    return missing(raw.get("loadavg"), "/proc/loadavg") if load is None else ok(load, "/proc/loadavg, 1 min")
