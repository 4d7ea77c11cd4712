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
    Calibration,
    Device,
    Estimate,
    Fact,
    FrameworkDevice,
    Kind,
    Measurement,
    NetworkInterface,
    NvLink,
    Quantity,
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


def task(t: Texts, name: str) -> Markup:
    """The tasks of the chapter "why a GPU"."""
    names = {
        "serial_task": t("task.serial", "Serial: each step needs the one before"),
        "image_filter": t("task.image_filter", "Parallel: filter an image, pixel by pixel"),
        "matrix_product": t("task.matrix_product", "Parallel: multiply two matrices"),
    }
    return names.get(name) or foreign(name, 60)


def place(t: Texts, name: str) -> Markup:
    """Where a task ran."""
    names = {
        "one_core": t("place.one_core", "one CPU core"),
        "all_cores": t("place.all_cores", "all CPU cores"),
        "device": t("place.device", "accelerator"),
    }
    return names.get(name) or foreign(name, 60)


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
        rest.append(t.plain("measurement.threads", "{count} threads", count=m.params["threads"]))
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
        ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in estimate.choices.items()), 200
    )


def task_unit(t: Texts, name: str) -> Markup:
    """What a task's figure counts."""
    units = {
        "serial_task": t("unit.steps", "steps of one chain"),
        "image_filter": t("unit.pixels", "pixels"),
        "matrix_product": t("unit.operations", "operations"),
    }
    return units.get(name) or Markup()


def ratio(value: float | None) -> str:
    """How many times, to two or three figures."""
    if value is None:
        return "?"
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


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
    parts = [code(name) for name in m.warnings]
    if m.reason:
        parts.append(foreign(m.reason, 160))
    return Markup("; ").join(parts)


def device_memory(advice: Advice, marks: Marks, name: str) -> Markup:
    """The memory of a torch device: the accelerator's own, or main memory for the CPU."""
    machine = advice.machine
    if machine is None:
        return marks.unknown()
    if name == "cpu":
        return marks.fact(machine.memory.usable_bytes, "B")
    for found in machine.devices:
        if found.framework_name.value == name:
            return marks.fact(found.memory_total_bytes, "B")
    return marks.unknown(
        marks.t("device.unmatched", "the driver's list has no device that is surely this one")
    )


def framework_lines(advice: Advice, marks: Marks) -> list[Markup]:
    """One sentence for each installed framework."""
    t, lines = marks.t, []
    for framework in advice.machine.software.frameworks if advice.machine else ():
        if framework.version.known:
            lines.append(
                t(
                    "why.framework.line",
                    "{name} {version}, built for {build}, sees: {seen}.",
                    name=foreign(framework.name, 40),
                    version=marks.fact(framework.version),
                    build=marks.fact(framework.build),
                    seen=marks.fact(framework.sees, "", seen(framework.sees, t)),
                )
            )
    return lines


def why_missing(calibration: Calibration | None, name: str) -> str:
    """Why a bench gave no figure, as its failure says."""
    failures = calibration.failures if calibration else ()
    return next((failure.reason for failure in failures if failure.bench == name), "")


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


def old(advice: Advice, t: Texts, quantity: Quantity | None) -> Markup:
    """A remark on a price older than half a year; nothing otherwise."""
    age = select.old_price(advice, quantity)
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
                return Markup("{}: {}").format(title, code(name)) if several else title
    return foreign(key, 120)
