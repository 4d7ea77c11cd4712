"""The machine as text for a terminal: a screenful, with reasons for what is not known."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from advisor.cli.language import form, show, told
from advisor.schema import Cpu, Device, Fact, Machine

ACCELERATOR_PROBES = frozenset({"amd", "apple", "ascend", "intel", "nvidia", "other", "tpu"})
NAME_LIMIT = 80  # names come from drivers and hosts: a 10 kB name must not flood a terminal


def tell_machine(machine: Machine, out: Console) -> None:
    """The machine in about a dozen lines; what is not known says why."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for label, text in _machine_lines(machine):
        grid.add_row(told(label), text)
    out.print(grid)
    for skipped in machine.skipped:
        if skipped.status.value not in ("absent", "not_asked"):
            out.print(f"  {skipped.probe}: {told(skipped.reason)}" + hint_of(skipped.hint))
    for notice in machine.notices:
        out.print(f"  ! {told(notice.message)}" + hint_of(notice.hint))


def _machine_lines(machine: Machine) -> Iterable[tuple[str, str]]:
    host, cpu, memory, storage = machine.host, machine.cpu, machine.memory, machine.storage
    inside = [
        f"{told(word)} {fact.value}"
        for word, fact in (("container", host.container), ("VM", host.vm), ("WSL", host.wsl))
        if fact.value not in (None, "none")
    ]
    yield "Host", " · ".join([clean(host.hostname), clean(host.os_name), *inside])
    clock = cpu.clock_measured_hz if cpu.clock_measured_hz.known else cpu.clock_reported_hz
    yield (
        "CPU",
        form(
            "{model}, {cores} cores, {threads} threads, {clock}; this process may use {budget} threads",
            model=clean(cpu.model),
            cores=clean(cpu.cores),
            threads=clean(cpu.threads),
            clock=show(clock.value, "Hz"),
            budget=clean(cpu.budget_threads),
        ),
    )
    known = cpu.instruction_sets.value or {}
    sets = ", ".join(name for name, has in known.items() if has) or told("unknown")
    yield "", form("instruction sets: {sets}", sets=sets)
    yield "", form(", ").join(_topology(cpu))
    yield (
        "Memory",
        form(
            "{total}, usable here {usable}",
            total=show(memory.total_bytes.value, "B"),
            usable=show(memory.usable_bytes.value, "B"),
        ),
    )
    yield (
        "Storage",
        form(
            "{filesystem} on {kind}, {free} free of {size}",
            filesystem=clean(storage.filesystem),
            kind=told(clean(storage.kind)),
            free=show(storage.free_bytes.value, "B"),
            size=show(storage.size_bytes.value, "B"),
        ),
    )
    yield from _network_lines(machine)
    if host.slurm.in_allocation or host.slurm.login_node.value:
        yield "Slurm", _slurm_line(machine)
    for device in machine.devices:
        yield f"{device.vendor} {device.kind}", _device_line(device)
        extra = _device_state(device)
        if extra:
            yield "", form(", ").join(extra)
    if not machine.devices:
        unanswered = unanswered_probes(machine)
        silent = form("not known: no answer from {probes}", probes=unanswered)
        yield "Accelerator", silent if unanswered else told("none found")
    for framework in machine.software.frameworks:
        sees = framework.sees
        if sees.known:
            devices = ", ".join(d.name for d in sees.value or ()) or told("no accelerator")
            seen = form("sees {devices}", devices=devices)
        else:
            seen = form("what it sees is unknown: {why}", why=told(sees.reason))
        if framework.version.known:
            yield (
                framework.name,
                form(
                    "{version} (built for {build}); {seen}",
                    version=clean(framework.version),
                    build=clean(framework.build),
                    seen=seen,
                ),
            )


def unanswered_probes(machine: Machine) -> str:
    """Accelerator probes that could not tell whether there is a device ("nvidia, amd"), or ""."""
    untold = ("timeout", "failed", "lost", "no_permission", "version_mismatch")
    names = (one.probe.partition(" ")[0] for one in machine.skipped if one.status.value in untold)
    return ", ".join(name for name in dict.fromkeys(names) if name in ACCELERATOR_PROBES)


def _device_line(device: Device) -> str:
    if device.status.value != "ok":
        return f"{clean(device.name)}: {told(device.status.value)} {told(device.name.reason)}"
    parts = [clean(device.name), show(device.memory_total_bytes.value, "B")]
    if device.compute_capability.known:
        parts.append(form("compute capability {value}", value=device.compute_capability.value))
    if device.pcie_gen_max.known:
        parts.append(f"PCIe gen {device.pcie_gen_max.value} x{clean(device.pcie_width_max)}")
    if device.power_limit_w.known:
        parts.append(form("power limit {value}", value=show(device.power_limit_w.value, "W")))
    if device.framework_name.known:
        parts.append(f"= {device.framework_name.value}")
    return form(", ").join(parts)


def _topology(cpu: Cpu) -> Iterable[str]:
    yield told(f"{clean(cpu.sockets)} socket{'s' if (cpu.sockets.value or 1) > 1 else ''}")
    yield told(f"SMT {'on' if (cpu.threads_per_core.value or 1) > 1 else 'off'}")
    if cpu.performance_cores.known:
        performance, efficiency = cpu.performance_cores.value, clean(cpu.efficiency_cores)
        yield form("{fast} P + {slow} E cores", fast=performance, slow=efficiency)
    yield told(f"{clean(cpu.numa_nodes)} NUMA node{'s' if (cpu.numa_nodes.value or 1) > 1 else ''}")
    for cache in cpu.caches.value or ():
        if cache.kind != "instruction":
            times = f" x {cache.count}" if cache.count else ""
            yield f"L{cache.level} {show(cache.size_bytes, 'B')}{times}"
    if cpu.quota_threads.known:
        yield form("quota of {count} CPUs", count=f"{cpu.quota_threads.value:g}")


def _network_lines(machine: Machine) -> Iterable[tuple[str, str]]:
    ports = [
        i for i in machine.network.interfaces.value or () if i.kind not in ("loopback", "virtual", "bridge")
    ]
    if ports:
        shown = [
            form(
                "{name} {kind}, speed {speed}",
                name=p.name,
                kind=told(p.kind),
                speed=show(p.speed_bits_per_s.value, "bit/s"),
            )
            for p in ports[:6]
        ]
        more = form(" and {count} more", count=len(ports) - 6) if len(ports) > 6 else ""
        yield "Network", ", ".join(shown) + more
    rdma = machine.network.rdma_ports.value or ()
    if rdma:
        kinds = [
            f"{p.device}/{p.port} {'RoCE' if p.link_layer == 'Ethernet' else p.link_layer} "
            f"{show(p.rate_bits_per_s.value, 'bit/s')} {told(p.state)}"
            for p in rdma[:8]
        ]
        yield "RDMA", ", ".join(kinds)


def _slurm_line(machine: Machine) -> str:
    slurm = machine.host.slurm
    if not slurm.in_allocation:
        return form("login node ({why})", why=told(slurm.login_node.reason))
    asked = [
        form("job {id}", id=slurm.job_id),
        form("{count} CPUs per task", count=slurm.cpus_per_task) if slurm.cpus_per_task else "",
        form("{memory} a node", memory=show(slurm.memory_per_node_bytes, "B"))
        if slurm.memory_per_node_bytes
        else "",
        f"GPUs {slurm.gpus}" if slurm.gpus else "",
    ]
    return ", ".join(part for part in asked if part)


def _device_state(device: Device) -> list[str]:
    """What is worth a second line: links, memory errors, slices, whoever else is on it."""
    active = [link for link in device.nvlinks.value or () if link.active.value]
    parts = [form("{count} NVLinks active", count=len(active))] if active else []
    if device.ecc_enabled.known:
        parts.append(told(f"ECC {'on' if device.ecc_enabled.value else 'off'}"))
    if device.ecc_uncorrected.value:
        parts.append(form("{count} uncorrected memory errors", count=device.ecc_uncorrected.value))
    if device.mig_enabled.value:
        slices = [f"{clean(m.name)} {show(m.memory_total_bytes.value, 'B')}" for m in device.mig_instances]
        parts.append("MIG: " + ("; ".join(slices) or told("no instance visible")))
    if device.processes.value:
        parts.append(form("{count} processes hold memory", count=len(device.processes.value)))
    if device.throttle_reasons.value:
        reasons = ", ".join(told(reason) for reason in device.throttle_reasons.value)
        parts.append(form("slowed by {reasons}", reasons=reasons))
    return parts


def clean(fact: Fact[str] | Fact[int] | Fact[float]) -> str:
    """A fact as one short printable line; 'unknown' when there is no value."""
    if fact.value is None:
        return told("unknown")
    text = "".join(c if c.isprintable() else "?" for c in str(fact.value))
    return text if len(text) <= NAME_LIMIT else text[: NAME_LIMIT - 1] + "…"


def hint_of(hint: str) -> str:
    """' (do this)' or nothing."""
    return form(" ({hint})", hint=told(hint)) if hint else ""
