"""What the chapter "Why a GPU?" says, with this machine's figures, and only what they bear out."""

from __future__ import annotations

from markupsafe import Markup

from advisor.render import figures
from advisor.render.describe import command
from advisor.render.marks import Marks, foreign
from advisor.render.parts import seen
from advisor.render.texts import Texts
from advisor.schema import Accelerator, Advice, Calibration

CLEARLY = 1.2
"""How many times faster something must be before a sentence calls it faster."""


def task(t: Texts, name: str) -> Markup:
    """The tasks of the chapter "why a GPU"."""
    names = {
        "serial_task": t("task.serial", "Serial: each step needs the one before"),
        "image_filter": t("task.image_filter", "Parallel: filter an image, pixel by pixel"),
        "matrix_product": t("task.matrix_product", "Parallel: multiply two matrices"),
    }
    return names.get(name) or foreign(name, 60)


def catalogue_name(accelerator: Accelerator, t: Texts) -> Markup:
    """A device of the catalogue; where what one rents is several devices, figures are those of one."""
    name, count = foreign(accelerator.title, 60), accelerator.devices_per_package
    if count <= 1:
        return name
    return t("why.one_of", "{name}, one of its {count} devices", name=name, count=t.number(count, "1"))


def place(t: Texts, name: str) -> Markup:
    """Where a task ran."""
    names = {
        "one_core": t("place.one_core", "one CPU core"),
        "all_cores": t("place.all_cores", "all CPU cores"),
        "device": t("place.device", "accelerator"),
    }
    return names.get(name) or foreign(name, 60)


def task_unit(t: Texts, name: str) -> Markup:
    """What a task's figure counts."""
    units = {
        "serial_task": t("unit.steps", "steps of one chain"),
        "image_filter": t("unit.pixels", "pixels"),
        "matrix_product": t("unit.operations", "operations"),
    }
    return units.get(name) or Markup()


def ratio(value: float | None, t: Texts) -> str:
    """How many times, to two or three figures."""
    if value is None:
        return "?"
    return t.number(float(f"{value:.2g}" if value < 10 else f"{value:.3g}"), "1")


def times(value: float, t: Texts) -> Markup:
    """How many times as fast as one core; a factor that prints as one is no factor."""
    told = ratio(value, t)
    if told == "1":
        return t("why.same", "as fast as one core")
    return t("why.times", "{ratio} times one core", ratio=told)


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


KINDS = (
    ("gaming", ("nvidia-rtx-5090-32gb", "nvidia-rtx-4090-24gb")),
    ("training_gpu", ("nvidia-h100-sxm5-80gb", "nvidia-h200-sxm-141gb", "nvidia-a100-sxm4-80gb")),
    ("npu", ("huawei-ascend-910b3-64gb", "huawei-ascend-910b2-64gb", "google-tpu-v5p")),
    ("wafer", ("cerebras-wse3", "cerebras-wse2")),
)
"""Kinds of devices, and the catalogue entries that stand for each, the first that is there."""


def kinds_of_devices(advice: Advice) -> list[tuple[str, Accelerator]]:
    """One device of each kind, as far as the advice holds figures of one."""
    known = {a.id: a for a in advice.accelerators}
    found = []
    for kind, names in KINDS:
        entry = next((known[name] for name in names if name in known), None)
        if entry is not None:
            found.append((kind, entry))
    return found


def kind_name(kind: str, t: Texts) -> Markup:
    """What a kind of device is called."""
    names = {
        "gaming": t("kinds.gaming", "graphics card, GDDR"),
        "training_gpu": t("kinds.training_gpu", "GPU for training, HBM"),
        "npu": t("kinds.npu", "accelerator without graphics, HBM"),
        "wafer": t("kinds.wafer", "a whole wafer, memory on the chip"),
        "cpu": t("kinds.cpu", "processor, main memory"),
        "accelerator": t("kinds.accelerator", "accelerator, its own memory"),
    }
    return names[kind]


def kind_here(name: str, t: Texts) -> Markup:
    """What kind this machine's own device is: the processors, or an accelerator."""
    return kind_name("cpu" if name == "cpu" else "accelerator", t)


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


def reading(advice: Advice, t: Texts) -> list[Markup]:
    """How to read the table of tasks: a sentence for each thing that its figures really show."""
    rows = {row.task: row for row in figures.tasks(advice.calibration)}
    serial = rows.pop("serial_task", None)
    parallel = list(rows.values())
    said = []
    if (serial or parallel) and not any(
        "all_cores" in row.places for row in (*parallel, *([serial] if serial else []))
    ):
        said.append(
            t(
                "why.read.no_cores",
                "How all cores together do was not measured in this run; a full {command} measures it.",
                command=command("hwadvisor scan"),
            )
        )
    split = serial.ratio("all_cores") if serial else None
    if split is not None and split < CLEARLY:
        said.append(t("why.read.chain", "In the chain, more cores gain nothing."))
    chain = serial.ratio("device") if serial else None
    if chain is not None and chain < 1:
        said.append(t("why.read.chain_device", "The accelerator is slower at it than a single CPU core."))
    many = [ratio for row in parallel if (ratio := row.ratio("all_cores")) is not None]
    if many and min(many) > CLEARLY:
        said.append(t("why.read.piles", "In the piles, all cores together beat one."))
    both = [(row.ratio("device"), row.ratio("all_cores")) for row in parallel]
    pairs = [(device, cores) for device, cores in both if device is not None and cores is not None]
    if pairs and all(device > cores * CLEARLY for device, cores in pairs):
        said.append(t("why.read.device", "There the accelerator beats all cores together."))
    elif pairs:
        said.append(t("why.read.weak", "This accelerator does not clearly beat all cores together."))
    return said
