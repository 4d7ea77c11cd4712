"""Names for what the report lists: benches, parameters, devices, warnings."""

from __future__ import annotations

from markupsafe import Markup

from advisor.render import select
from advisor.render.clean import slug
from advisor.render.marks import Marks, foreign, number
from advisor.render.texts import Texts
from advisor.schema import (
    Advice,
    Cache,
    Device,
    Estimate,
    Fact,
    FrameworkDevice,
    Kind,
    Machine,
    Measurement,
    NetworkInterface,
    NvLink,
    Skipped,
    TraceStep,
    Workload,
)

_HIDDEN = {
    "flops",
    "bytes",
    "batch",
    "pinned",
    "threads",
    "where",
    "op",
    "dtype",
    "family",
    "kind",
    "direction",
}


def bench(t: Texts, name: str) -> Markup:
    """What a bench measures, in a few words; an unknown name stands as it is."""
    names = {
        "matmul": t("bench.matmul", "Matrix product"),
        "memory_bandwidth": t("bench.memory_bandwidth", "Memory bandwidth"),
        "host_device_copy": t("bench.host_device_copy", "Copy between host and device"),
        "launch_latency": t("bench.launch_latency", "Starting one kernel"),
        "attention": t("bench.attention", "Attention"),
        "disk_read": t("bench.disk_read", "Reading from disk"),
        "image_decode": t("bench.image_decode", "Decoding and augmenting images, one core"),
        "tokenize": t("bench.tokenize", "Turning text into tokens, one core"),
        "optimizer_step": t("bench.optimizer_step", "Optimizer step"),
        "train_step": t("bench.train_step", "Small training step"),
        "train_rate": t("bench.train_rate", "Training rate"),
        "serial_task": t("bench.serial_task", "Serial task: one chain of steps"),
        "parallel_task": t("bench.parallel_task", "Parallel task"),
    }
    return names.get(name) or foreign(name.replace("_", " "), 60)


def measurement(t: Texts, m: Measurement) -> Markup:
    """One line for a measurement: bench and the parameters that tell it from its like."""
    first = [
        str(m.params[key]).replace("_", " ")
        for key in ("op", "family", "dtype", "kind", "direction", "where")
        if key in m.params
    ]
    rest = [f"{key} {_plain(value)}" for key, value in m.params.items() if key not in _HIDDEN]
    if "bytes" in m.params and m.bench != "train_step":
        rest.append(number(float(m.params["bytes"]), "B"))
    if "threads" in m.params:
        rest.append(t.plain("measurement.threads", "threads {count}", count=m.params["threads"]))
    if m.phase != "burst":
        rest.append(m.phase)
    tail = ", ".join([*first, *rest])
    return Markup('{} <span class="param">{}</span>').format(
        bench(t, m.bench), foreign(tail, 120) if tail else ""
    )


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def device(t: Texts, name: str, named: dict[str, str]) -> Markup:
    """A torch device name with the product behind it."""
    fixed = {
        "disk": t("device.disk", "Disk"),
        "host": t("device.host", "Host"),
        "cpu": t("device.cpu", "CPU"),
    }
    title = fixed.get(name) or foreign(name, 40)
    return (
        Markup('{} <span class="param">{}</span>').format(title, foreign(named[name], 80))
        if named.get(name)
        else title
    )


def device_title(t: Texts, device: Device) -> Markup:
    """An accelerator's name, or its vendor when the driver gives none."""
    if device.name.value:
        return foreign(device.name.value, 80)
    return t(
        "device.nameless",
        "{vendor} {kind}, no name given",
        vendor=foreign(device.vendor),
        kind=foreign(device.kind),
    )


def code(name: str) -> Markup:
    """A code of a closed list as words."""
    return foreign(name.replace("_", " "), 80)


def choices(estimate: Estimate) -> Markup:
    """What the estimate took for granted about the set-up: precision, micro-batch, recompute."""
    return foreign(
        ", ".join(f"{key} {value}".replace("_", " ") for key, value in estimate.choices.items()), 200
    )


def joined(*figures: Markup) -> Markup:
    """Figures beside each other."""
    return Markup(" · ").join(figures)


def caches(found: tuple[Cache, ...] | None, t: Texts) -> Markup:
    """ "L1 48 KiB, L2 1 MiB, L3 32 MiB", one instance each, instruction caches left out."""
    parts = [
        t(
            "cache.level",
            "L{level} {size}{count}",
            level=cache.level,
            size=number(float(cache.size_bytes), "B"),
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


def seen(fact: Fact[tuple[FrameworkDevice, ...]], t: Texts) -> Markup:
    """The accelerators that a framework names, or that it names none and why."""
    if fact.value:
        return foreign(", ".join(f"{device.name} {device.device_name}" for device in fact.value), 200)
    none = t("software.sees_none", "no accelerator")
    return (
        none + Markup(' <span class="why">({})</span>').format(foreign(fact.reason, 160))
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


def warnings(m: Measurement) -> Markup:
    """Warnings and the reason why there is no figure, in words."""
    parts = [code(name) for name in m.warnings if not m.reason.startswith(name.replace("_", " "))]
    if m.reason:
        parts.append(foreign(m.reason, 160))
    return Markup("; ").join(parts)


def recipe(workload: Workload, t: Texts) -> Markup:
    """Method, precision, optimizer, and the sizes of batch and sequence."""
    of = workload.recipe
    parts = [of.method, of.precision, of.optimizer]
    if of.samples:
        parts.append(t.plain("recipe.samples", "{count} samples", count=number(of.samples, "1")))
    if of.seq_len:
        parts.append(t.plain("recipe.seq", "{count} tokens each", count=number(of.seq_len, "1")))
    if of.global_batch:
        parts.append(t.plain("recipe.batch", "batches of {count}", count=number(of.global_batch, "1")))
    parts += [f"{key.replace('_', ' ')} {value:g}" for key, value in of.numbers.items()]
    return foreign(", ".join(part.replace("_", " ") for part in parts), 300)


def old(advice: Advice, t: Texts, estimate: Estimate) -> Markup:
    """A remark on a price older than half a year; nothing otherwise."""
    age = select.old_rent(advice, estimate)
    if age is None:
        return Markup()
    return Markup('<span class="below warn">{}</span>').format(
        t("price.old", "price is {days} days old", days=age)
    )


def code_text(text: str) -> Markup:
    """A digest or an expression, as it stands."""
    return Markup('<span class="code">{}</span>').format(foreign(text, 200))


def step_mark(step: TraceStep, advice: Advice, marks: Marks) -> Markup:
    """The mark of a step of a trace: to the measurement it names, if it names one."""
    kind = step.kind if step.kind in set(Kind) else Kind.rule
    measured = {m.id for m in advice.calibration.measurements} if advice.calibration else set()
    return marks.mark(kind, slug("m", step.source) if step.source in measured else "", step.source)


def step_origin(step: TraceStep) -> Markup:
    """Rule, file and source of a step."""
    parts = [part for part in (step.rule, step.file, step.source) if part]
    return foreign(" · ".join(parts), 240) if parts else Markup()


def trace_title(advice: Advice, key: str, t: Texts) -> Markup:
    """Whose trace it is: the workload and the target of the first estimate that rests on it."""
    titles = {workload.id: workload.title for workload in advice.workloads}
    for estimate in advice.estimates:
        for name, quantity in estimate.quantities.items():
            if quantity.trace == key:
                several = len({q.trace for q in estimate.quantities.values()}) > 1
                what = foreign(titles.get(estimate.workload, estimate.workload), 90)
                where = foreign(estimate.target.label, 80)
                title = t("trace.title", "{workload} on {target}", workload=what, target=where)
                return Markup("{}: {}").format(title, quantity_name(t, name)) if several else title
    return foreign(key, 120)


def quantity_name(t: Texts, name: str) -> Markup:
    """A quantity of an estimate in words."""
    names = {
        "time_s": t("quantity.time", "time"),
        "memory_bytes": t("quantity.memory", "memory"),
        "rent_usd": t("quantity.rent", "rent"),
    }
    return names.get(name) or code(name)


def skipped(machine: Machine) -> list[tuple[Markup, Skipped]]:
    """Probes that gave nothing, those with the same outcome on one line."""
    groups: dict[tuple[str, str, str], list[Skipped]] = {}
    for probe in machine.skipped:
        groups.setdefault((probe.status.value, probe.reason, probe.hint), []).append(probe)
    return [(foreign(", ".join(probe.probe for probe in group), 200), group[0]) for group in groups.values()]
