"""The machine as text for a terminal: a screenful, with reasons for what is not known."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from advisor.schema import Cpu, Device, Fact, Machine
from advisor.units import show

ACCELERATOR_PROBES = frozenset({"amd", "apple", "ascend", "intel", "nvidia", "other", "tpu"})
NAME_LIMIT = 80  # names come from drivers and hosts: a 10 kB name must not flood a terminal


def tell_machine(machine: Machine, out: Console) -> None:
    """The machine in about a dozen lines; what is not known says why."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for label, text in _machine_lines(machine):
        grid.add_row(label, text)
    out.print(grid)
    for skipped in machine.skipped:
        if skipped.status.value not in ("absent", "not_asked"):
            out.print(f"  {skipped.probe}: {skipped.reason}" + hint_of(skipped.hint))
    for notice in machine.notices:
        out.print(f"  ! {notice.message}" + hint_of(notice.hint))


def _machine_lines(machine: Machine) -> Iterable[tuple[str, str]]:
    host, cpu, memory, storage = machine.host, machine.cpu, machine.memory, machine.storage
    inside = [
        f"{word} {fact.value}"
        for word, fact in (("container", host.container), ("VM", host.vm), ("WSL", host.wsl))
        if fact.value not in (None, "none")
    ]
    yield "Host", " · ".join([clean(host.hostname), clean(host.os_name), *inside])
    clock = cpu.clock_measured_hz if cpu.clock_measured_hz.known else cpu.clock_reported_hz
    yield (
        "CPU",
        f"{clean(cpu.model)}, {clean(cpu.cores)} cores, {clean(cpu.threads)} threads, "
        f"{show(clock.value, 'Hz')}; this process may use {clean(cpu.budget_threads)} threads",
    )
    known = cpu.instruction_sets.value or {}
    yield "", "instruction sets: " + (", ".join(name for name, has in known.items() if has) or "unknown")
    yield "", ", ".join(_topology(cpu))
    yield (
        "Memory",
        f"{show(memory.total_bytes.value, 'B')}, usable here {show(memory.usable_bytes.value, 'B')}",
    )
    yield (
        "Storage",
        f"{clean(storage.filesystem)} on {clean(storage.kind)}, "
        f"{show(storage.free_bytes.value, 'B')} free of {show(storage.size_bytes.value, 'B')}",
    )
    yield from _network_lines(machine)
    if host.slurm.in_allocation or host.slurm.login_node.value:
        yield "Slurm", _slurm_line(machine)
    for device in machine.devices:
        yield f"{device.vendor} {device.kind}", _device_line(device)
        extra = _device_state(device)
        if extra:
            yield "", ", ".join(extra)
    if not machine.devices:
        unanswered = unanswered_probes(machine)
        yield "Accelerator", f"not known: no answer from {unanswered}" if unanswered else "none found"
    for framework in machine.software.frameworks:
        sees = framework.sees
        if sees.known:
            seen = "sees " + (", ".join(d.name for d in sees.value or ()) or "no accelerator")
        else:
            seen = f"what it sees is unknown: {sees.reason}"
        if framework.version.known:
            yield framework.name, f"{clean(framework.version)} (built for {clean(framework.build)}); {seen}"


def unanswered_probes(machine: Machine) -> str:
    """Accelerator probes that could not tell whether there is a device ("nvidia, amd"), or ""."""
    untold = ("timeout", "failed", "lost", "no_permission", "version_mismatch")
    names = (one.probe.partition(" ")[0] for one in machine.skipped if one.status.value in untold)
    return ", ".join(name for name in dict.fromkeys(names) if name in ACCELERATOR_PROBES)


def _device_line(device: Device) -> str:
    if device.status.value != "ok":
        return f"{clean(device.name)}: {device.status.value} {device.name.reason}"
    parts = [clean(device.name), show(device.memory_total_bytes.value, "B")]
    if device.compute_capability.known:
        parts.append(f"compute capability {device.compute_capability.value}")
    if device.pcie_gen_max.known:
        parts.append(f"PCIe gen {device.pcie_gen_max.value} x{clean(device.pcie_width_max)}")
    if device.power_limit_w.known:
        parts.append(f"power limit {show(device.power_limit_w.value, 'W')}")
    if device.framework_name.known:
        parts.append(f"= {device.framework_name.value}")
    return ", ".join(parts)


def _topology(cpu: Cpu) -> Iterable[str]:
    yield f"{clean(cpu.sockets)} socket{'s' if (cpu.sockets.value or 1) > 1 else ''}"
    yield f"SMT {'on' if (cpu.threads_per_core.value or 1) > 1 else 'off'}"
    if cpu.performance_cores.known:
        yield f"{cpu.performance_cores.value} P + {clean(cpu.efficiency_cores)} E cores"
    yield f"{clean(cpu.numa_nodes)} NUMA node{'s' if (cpu.numa_nodes.value or 1) > 1 else ''}"
    for cache in cpu.caches.value or ():
        if cache.kind != "instruction":
            times = f" x {cache.count}" if cache.count else ""
            yield f"L{cache.level} {show(cache.size_bytes, 'B')}{times}"
    if cpu.quota_threads.known:
        yield f"quota of {cpu.quota_threads.value:g} CPUs"


def _network_lines(machine: Machine) -> Iterable[tuple[str, str]]:
    ports = [
        i for i in machine.network.interfaces.value or () if i.kind not in ("loopback", "virtual", "bridge")
    ]
    if ports:
        shown = [f"{p.name} {p.kind}, speed {show(p.speed_bits_per_s.value, 'bit/s')}" for p in ports[:6]]
        yield "Network", ", ".join(shown) + (f" and {len(ports) - 6} more" if len(ports) > 6 else "")
    rdma = machine.network.rdma_ports.value or ()
    if rdma:
        kinds = [
            f"{p.device}/{p.port} {'RoCE' if p.link_layer == 'Ethernet' else p.link_layer} "
            f"{show(p.rate_bits_per_s.value, 'bit/s')} {p.state}"
            for p in rdma[:8]
        ]
        yield "RDMA", ", ".join(kinds)


def _slurm_line(machine: Machine) -> str:
    slurm = machine.host.slurm
    if not slurm.in_allocation:
        return f"login node ({slurm.login_node.reason})"
    asked = [
        f"job {slurm.job_id}",
        f"{slurm.cpus_per_task} CPUs per task" if slurm.cpus_per_task else "",
        f"{show(slurm.memory_per_node_bytes, 'B')} a node" if slurm.memory_per_node_bytes else "",
        f"GPUs {slurm.gpus}" if slurm.gpus else "",
    ]
    return ", ".join(part for part in asked if part)


def _device_state(device: Device) -> list[str]:
    """What is worth a second line: links, memory errors, slices, whoever else is on it."""
    active = [link for link in device.nvlinks.value or () if link.active.value]
    parts = [f"{len(active)} NVLinks active"] if active else []
    if device.ecc_enabled.known:
        parts.append(f"ECC {'on' if device.ecc_enabled.value else 'off'}")
    if device.ecc_uncorrected.value:
        parts.append(f"{device.ecc_uncorrected.value} uncorrected memory errors")
    if device.mig_enabled.value:
        slices = [f"{clean(m.name)} {show(m.memory_total_bytes.value, 'B')}" for m in device.mig_instances]
        parts.append("MIG: " + ("; ".join(slices) or "no instance visible"))
    if device.processes.value:
        parts.append(f"{len(device.processes.value)} processes hold memory")
    if device.throttle_reasons.value:
        parts.append("slowed by " + ", ".join(device.throttle_reasons.value))
    return parts


def clean(fact: Fact[str] | Fact[int] | Fact[float]) -> str:
    """A fact as one short printable line; 'unknown' when there is no value."""
    if fact.value is None:
        return "unknown"
    text = "".join(c if c.isprintable() else "?" for c in str(fact.value))
    return text if len(text) <= NAME_LIMIT else text[: NAME_LIMIT - 1] + "…"


def hint_of(hint: str) -> str:
    """' (do this)' or nothing."""
    return f" ({hint})" if hint else ""
