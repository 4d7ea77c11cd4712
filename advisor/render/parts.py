"""What a machine consists of, in words: caches, links, networks, frameworks."""

from __future__ import annotations

from markupsafe import Markup

from advisor.render.describe import joined, said
from advisor.render.marks import Marks, foreign, number
from advisor.render.texts import Texts
from advisor.schema import (
    Cache,
    Cpu,
    Fact,
    Framework,
    FrameworkDevice,
    Kind,
    Machine,
    NetworkInterface,
    NvLink,
    Skipped,
    Software,
    Status,
)  # fmt: skip


def caches(found: tuple[Cache, ...] | None, t: Texts) -> Markup:
    """ "L1 48 KiB, L2 1 MiB, L3 32 MiB", one instance each, instruction caches left out."""
    parts = [
        t(
            "cache.level",
            "L{level} {size}{count}",
            level=cache.level,
            size=t.number(float(cache.size_bytes), "B"),
            count=f" × {cache.count}" if cache.count and cache.count > 1 else "",
        )
        for cache in found or ()
        if cache.kind != "instruction"
    ]
    return Markup(", ").join(parts)


def instruction_sets(found: dict[str, bool] | None, t: Texts) -> Markup:
    """Those that are there; and that the others were looked for."""
    have = [name for name, is_there in (found or {}).items() if is_there]
    lack = [name for name, is_there in (found or {}).items() if not is_there]
    text = foreign(", ".join(have), 200) if have else t("isa.none", "none that matter")
    if lack:
        text += Markup(' <span class="why">{}</span>').format(
            t("isa.without", "(without {names})", names=foreign(", ".join(lack), 200))
        )
    return text


def nvlinks(found: tuple[NvLink, ...] | None, t: Texts) -> Markup:
    """How many links are up."""
    links = found or ()
    return t(
        "nvlink.count",
        "{up} of {count} links up",
        up=sum(bool(link.active.value) for link in links),
        count=len(links),
    )


def pcie(generation: Fact[int], width: Fact[int], marks: Marks) -> Markup:
    """A PCIe link: "gen 5 x16", one mark for both when both are known."""
    if generation.value is None or width.value is None:
        return joined(marks.fact(generation), marks.fact(width))
    return marks.fact(
        generation,
        "",
        marks.t("pcie.link", "gen {generation} x{width}", generation=generation.value, width=width.value),
    )


def reported_clock(cpu: Cpu, marks: Marks) -> tuple[Markup, Markup]:
    """The clock that the system reports, named for what it is: nominal where nothing there governs clocks."""
    t, fact = marks.t, cpu.clock_reported_hz
    if cpu.clock_max_hz.known:
        return t("machine.cpu.clock_reported", "Clock, as reported"), marks.fact(fact, "Hz")
    name = t("machine.cpu.clock_nominal", "Clock, nominal")
    return name, marks.fact(fact, "Hz", kind=Kind.vendor)


def seen(fact: Fact[tuple[FrameworkDevice, ...]], t: Texts) -> Markup:
    """The accelerators that a framework names, or that it names none and why."""
    if fact.value:
        return foreign(", ".join(f"{device.name} {device.device_name}" for device in fact.value), 200)
    none = t("software.sees_none", "no accelerator")
    return (
        none
        + Markup(' <span class="why">{}</span>').format(
            t("unknown.reason", "({why})", why=said(t, fact.reason, 160))
        )
        if fact.reason
        else none
    )


def packages(found: dict[str, str] | None) -> Markup:
    """Packages with their versions."""
    return foreign(", ".join(f"{name} {version}" for name, version in sorted((found or {}).items())), 400)


def shown_interfaces(found: tuple[NetworkInterface, ...]) -> list[NetworkInterface]:
    """Interfaces that lead somewhere, at most 16; the others only when there is nothing else."""
    real = [i for i in found if i.kind in ("ethernet", "wifi", "infiniband")]
    return (real or list(found))[:16]


def bits(fact: Fact[float]) -> str:
    """A line rate in bits, as networks print it."""
    return "" if fact.value is None else number(fact.value, "bit/s")


def skipped(machine: Machine) -> list[tuple[Markup, Skipped]]:
    """Probes that gave nothing, those with the same outcome on one line."""
    groups: dict[tuple[str, str, str], list[Skipped]] = {}
    for probe in machine.skipped:
        groups.setdefault((probe.status.value, probe.reason, probe.hint), []).append(probe)
    return [(foreign(", ".join(probe.probe for probe in group), 200), group[0]) for group in groups.values()]


def not_installed(software: Software) -> tuple[Framework, ...]:
    """Frameworks that are merely not there, which fill one line; none where it is but one."""
    found = tuple(
        framework
        for framework in software.frameworks
        if framework.version.status == Status.absent and "not installed" in framework.version.reason
    )
    return found if len(found) > 1 else ()
