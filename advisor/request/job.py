"""What a job needs, from what the advice estimates: every figure with its kind, why, and whence.

The only arithmetic is rounding up, sums and shares; what the figures rest on stands beside each.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from advisor.errors import NothingFits, UserError
from advisor.request.bound import bounds, chained, hours, total_of, what_is_open
from advisor.request.defaults import Defaults, DeviceNames, load_defaults
from advisor.request.money import asked_price
from advisor.request.need import Need
from advisor.request.pick import Choice
from advisor.request.quote import job_name
from advisor.request.server import counted, environment, memory_for, shape_of, told_cores, within
from advisor.request.site import IMAGE, IMAGE_LIKE, Node, Partition, Site
from advisor.schema import Calibration, Kind
from advisor.units import GIB, show

IMAGES = ("cnn", "vit", "diffusion")
_MOST_SEGMENTS = 1000


@dataclass(frozen=True)
class Options:
    """What the user says beside the advice."""

    name: str = ""
    command: tuple[str, ...] = ("train.py",)
    folder: str = ""
    headroom: float | None = None
    image: str = ""
    gpus_per_node: int | None = None


@dataclass(frozen=True)
class Job:
    """A request before it is written down for a scheduler."""

    name: str
    choice: Choice
    options: Options
    site: Site
    names: DeviceNames | None
    node: Node | None
    partition: Partition | None
    nodes: int
    gpus_per_node: int
    cpus_per_gpu: int
    needs: dict[str, Need]
    wall_s: float  # of the whole run, headroom included
    segment_s: float  # of one job
    segments: int
    lead_s: float  # from the signal to the end of a job
    notes: tuple[str, ...] = ()
    scheduler: str = "slurm"

    @property
    def bounded(self) -> bool:
        """Whether the hours asked for hold whatever happens to machines."""
        return not what_is_open(self.site, self.scheduler, self.choice, self.wall_s)

    @property
    def total_s(self) -> float:
        """All jobs together, each with its whole time: no more can be billed, restarts included."""
        return total_of(self.segments, self.segment_s, self.wall_s)

    @property
    def run(self) -> str:
        """Name, and a digest of what is trained on what: no other run finds this one's checkpoints.

        Headroom, limits and the site are not in it: who asks again with more time goes on.
        """
        choice = self.choice
        work = choice.workload.model_dump(mode="python", exclude_defaults=True)
        told = [work, choice.label, sorted(choice.layout.items()), self.options.command]
        digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
        return f"{self.name}-{digest[:8]}"

    @property
    def memory_gib(self) -> int:
        """Main memory of one node, whole GiB."""
        return math.ceil((self.needs["memory"].value or 0.0) / GIB)

    @property
    def whole_nodes(self) -> bool:
        """Whether the site's nodes are taken with all their accelerators, so with all else they have."""
        return self.node is not None and self.counted_per_node == self.node.gpus

    @property
    def account(self) -> str:
        """Who pays, as the partition or the site says."""
        return (self.partition.account if self.partition else "") or self.site.account

    @property
    def qos(self) -> str:
        """Its quality of service, as the partition or the site says."""
        return (self.partition.qos if self.partition else "") or self.site.qos

    @property
    def counted_per_node(self) -> int:
        """Accelerators of a node as its scheduler counts them: devices, or packages of several."""
        return math.ceil(self.gpus_per_node / counted(self.choice, self.names))

    @property
    def sold_per_node(self) -> int:
        """Accelerators of a node as they are sold."""
        return math.ceil(self.gpus_per_node / self.choice.each)

    @property
    def disk_gib(self) -> int | None:
        """Room for checkpoints, whole GiB; None: not known."""
        size = self.needs["disk"].value
        return None if size is None else max(1, math.ceil(size / GIB))

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the devices need to be those of the estimate."""
        return environment(self.choice, self.names)

    @property
    def folder(self) -> str:
        """Where checkpoints go."""
        base = self.options.folder or self.site.folder
        return f"{base.rstrip('/')}/{self.run}" if base else f"checkpoints/{self.run}"


def build(  # noqa: PLR0913 - the last two have defaults
    choice: Choice,
    site: Site,
    options: Options,
    calibration: Calibration | None = None,
    *,
    wall_limit_s: float | None = None,
    scheduler: str = "slurm",
) -> Job:
    """The job. `wall_limit_s` is a limit that no partition states; partitions are Slurm's alone.

    Raises NothingFits for what the site cannot give, UserError for options that cannot be.
    """
    known = load_defaults()
    names = known.names_of(choice.accelerator_id)
    node = site.node_of(choice.accelerator_id)
    per_node, nodes, notes = _shape(choice, node, options, names)
    needs = {"gpus": Need(choice.count, "1", Kind.rule, "accelerators of the estimate", choice.label)}
    needs["cpus"], cores = _cores(choice, calibration, known)
    kept = round(known["kubernetes_cores"]) if scheduler == "k8s" else 0
    there = shape_of(node, choice, names, site)
    cpus, more = within(cores, there, per_node, kept)
    notes += more
    if cpus != cores:
        why = f"the share of a node's cores that goes with an accelerator; needed are {needs['cpus'].why}"
        if kept:
            why = (
                f"the share of a node's cores that goes with an accelerator ({kept} kept for the node's own "
                f"programs); needed are {needs['cpus'].why}"
            )
        kind = Kind.stated if there.stated else Kind.published
        needs["cpus"] = replace(needs["cpus"], value=cpus, kind=kind, why=why, source=there.name)
    needs["checkpoint"] = _checkpoint(choice, known)
    size = needs["checkpoint"].value
    needs["disk"] = _times(needs["checkpoint"], known, "checkpoints_kept")
    needs["memory"] = _memory(choice, known, per_node, nodes, min(cpus, cores), size)
    room = memory_for(node, scheduler)
    notes += _room(needs["memory"], node, room)
    if scheduler in ("slurm", "k8s") and node is not None and there.whole(per_node):
        needs["memory"] = _all_of(needs["memory"], room, site, scheduler)
    headroom = known["headroom"] if options.headroom is None else options.headroom
    wall_s = choice.upper_s * (1 + headroom)
    partition = site.partition_for(node, nodes, wall_s) if scheduler == "slurm" else None
    limit = _limit(partition, site, wall_limit_s, scheduler)
    lead = max(known["signal_lead_s"], 2 * (size or 0.0) / (known["checkpoint_rate"] * nodes))
    segments, segment = _segments(wall_s, limit, known, lead)
    kind = Kind.assumed if options.headroom is None else Kind.stated
    needs["wall"] = Need(wall_s, "s", kind, f"{choice.upper_why}, and {headroom:.0%} more")
    each, price = "starts" if scheduler == "k8s" else "jobs", asked_price(choice, site, scheduler)
    needs |= bounds(choice, segments, segment, wall_s, each, price)
    notes = [*what_is_open(site, scheduler, choice, wall_s), *notes, *chained(segments, limit, scheduler)]
    if scheduler == "skypilot" and wall_limit_s is not None and wall_s > wall_limit_s:
        notes.append("SkyPilot starts no chain of jobs: --wall-limit is not kept to.")
    if size is None:
        notes.append("The size of a checkpoint is not known, so the disk asked for is not either.")
    degree = max(_degree(choice, "tp"), 1)
    if degree > per_node and choice.server != per_node:
        notes.append(
            f"Tensor parallelism over {degree} devices spans nodes of {per_node}: expect it to be slower."
        )
    return Job(
        name=job_name(
            options.name
            or f"{choice.workload.model.id or choice.workload.id}-{choice.workload.recipe.method}"
        ),
        choice=choice,
        options=options,
        site=site,
        names=names,
        node=node,
        partition=partition,
        nodes=nodes,
        gpus_per_node=per_node,
        cpus_per_gpu=cpus,
        needs=needs,
        wall_s=wall_s,
        segment_s=segment,
        segments=segments,
        lead_s=lead,
        notes=tuple(notes),
        scheduler=scheduler,
    )


def _limit(partition: Partition | None, site: Site, told_s: float | None, scheduler: str) -> float | None:
    """The longest that one job may run: the least of what the site and the user say; None: nobody does."""
    if scheduler == "skypilot":
        return None  # one task is all that it takes
    cluster = site.kubernetes.get("max_wall_s") if scheduler == "k8s" else None
    known = [limit for limit in (told_s, partition.max_wall_s if partition else None, cluster) if limit]
    return min(known, default=None)


def _shape(
    choice: Choice, node: Node | None, options: Options, names: DeviceNames | None
) -> tuple[int, int, list[str]]:
    """Devices of a node, nodes, and remarks: full nodes where the count divides, else as even as it goes."""
    each = counted(choice, names)
    usual = names.gpus_per_node if names else 8
    told = options.gpus_per_node or (node.gpus if node else None)
    most = each * told if told else choice.server or each * usual
    least = max(1, math.ceil(choice.devices / most))
    even = [n for n in range(least, choice.devices + 1) if choice.devices % n == 0]
    # no package is parted between nodes where that can be
    nodes = next((n for n in even if choice.devices // n % each == 0), even[0])
    per_node = choice.devices // nodes
    notes = [names.note] if names is not None and names.note else []
    notes += told_cores(choice, names)
    if choice.server == per_node:
        notes.append(f"Layout and time are those of nodes of {per_node} devices.")
    if told is None and choice.server is None and nodes > 1:
        notes.append(f"Nodes of {most} devices are assumed; give --site or --gpus-per-node if yours differ.")
    if nodes > least:
        notes.append(
            f"{choice.devices} devices do not fill nodes of {most} evenly: asked for are {nodes} nodes of "
            f"{per_node}."
        )
    return per_node, nodes, notes


def _cores(choice: Choice, calibration: Calibration | None, known: Defaults) -> tuple[Need, int]:
    """Cores for each device: what its process takes, and what feeds it."""
    base = known["process_cores"]
    rate = choice.quantities.get("samples_per_s_per_device")
    fastest = None if rate is None else rate.high if rate.high is not None else rate.value
    if choice.workload.model.family not in IMAGES or not fastest:
        cores = math.ceil(base + known["loader_cores"])
        why = "process and communication, and workers that read tokens"
        return Need(cores, "1", Kind.assumed, why, known.values["loader_cores"].source), cores
    measured = [m for m in calibration.find("image_decode") if m.value] if calibration else []
    each = measured[-1].value if measured else None
    kind, source = (
        (Kind.measured, measured[-1].id) if each else (Kind.assumed, known.values["image_decode_rate"].source)
    )
    pace = each or known["image_decode_rate"]
    cores = math.ceil(base + fastest / pace)
    why = (
        f"{_number(fastest)} pictures a second for each device at {_number(pace)} a core, "
        f"and {base:g} for its process"
    )
    return Need(cores, "1", kind, why, source), cores


def _checkpoint(choice: Choice, known: Defaults) -> Need:
    """Bytes of one checkpoint from which training goes on."""
    recipe = choice.workload.recipe
    params = choice.sizes.get("params")
    adapters = recipe.method in ("lora", "qlora", "dpo-lora")
    trained = choice.sizes.get("trainable_params", None if adapters else params)
    if trained is None:
        return Need(None, "B", Kind.rule, "the number of trained parameters is not in the file")
    weights = "bytes_weights_fp32" if recipe.precision in ("fp32", "tf32") else "bytes_weights"
    states = known.states.get(recipe.optimizer, known.states["other"])
    each = known[weights] + states
    what = "adapters" if adapters else "weights"
    held = known.values[weights].why
    why = f"{show(trained, '1')} trained {what} x {each:g} B: {held}, and states of {recipe.optimizer}"
    return Need(trained * each, "B", Kind.rule, why, known.values[weights].source)


def _times(one: Need, known: Defaults, name: str) -> Need:
    if one.value is None:
        return one
    times = known[name]
    return replace(one, value=one.value * times, why=f"{times:g} checkpoints: {known.values[name].why}")


def _memory(  # noqa: PLR0913, PLR0917 - what it is the sum of
    choice: Choice, known: Defaults, per_node: int, nodes: int, cpus: int, checkpoint: float | None
) -> Need:
    """Main memory of a node: processes, workers, shared memory, its part of a checkpoint on its way out."""
    workers = max(0.0, cpus - known["process_cores"])
    parts = {
        "processes": per_node * known["process_bytes"],
        "data workers": per_node * workers * known["worker_bytes"],
        "shared memory": known["shared_bytes"],
        "a checkpoint being written": (checkpoint or 0.0) / nodes,
    }
    if choice.layout.get("offload", "none") != "none":
        parts["states kept in main memory"] = (checkpoint or 0.0) / nodes
    why = " + ".join(f"{_number(value / GIB)} GiB {name}" for name, value in parts.items() if value > 0)
    return Need(sum(parts.values()), "B", Kind.assumed, why, "templates/request/defaults.toml")


def _room(memory: Need, node: Node | None, room: float | None) -> list[str]:
    if node is None or room is None or (memory.value or 0.0) <= room:
        return []
    need, there = (memory.value or 0) / GIB, room / GIB
    if room < (node.memory_bytes or 0.0):
        raise NothingFits(
            f"a node needs {need:.0f} GiB of main memory, and {node.name} has {there:.0f} GiB besides what "
            "kubelet and system keep",
            "Take more nodes, or another layout.",
        )
    raise NothingFits(
        f"a node needs {need:.0f} GiB of main memory, and {node.name} has {there:.0f} GiB",
        "Take more nodes, or another layout.",
    )


def _all_of(needed: Need, room: float | None, site: Site, scheduler: str) -> Need:
    """The memory of a node that is taken whole: nobody else can use the rest, and running out ends a job.

    On Kubernetes less than all of it, of which nothing is known where the site does not say how much it is.
    """
    why = f"all of a node that is taken whole; needed are {needed.why}"
    if scheduler == "k8s":
        why = f"all that kubelet and system leave of a node that is taken whole; needed are {needed.why}"
    if room is None:
        return needed if scheduler == "k8s" else replace(needed, why=why)
    whole = math.floor(room / GIB) * GIB
    return replace(needed, value=float(whole), kind=Kind.stated, why=why, source=site.name)


def _segments(wall_s: float, limit: float | None, known: Defaults, lead_s: float) -> tuple[int, float]:
    """How many jobs one after the other, and the wall time of each.

    Each but the first starts again, and each but the last stops early to write a checkpoint.
    """
    if limit is None or wall_s <= limit:
        return 1, wall_s
    startup_s, between = known["startup_s"], known["restart_s"] + lead_s
    if limit <= startup_s + lead_s:
        raise NothingFits(
            f"a job of {hours(limit)} is over before it has started and written a checkpoint "
            f"({hours(startup_s + lead_s)})",
            "Ask for a queue with a longer limit.",
        )
    count = math.ceil((wall_s - between) / (limit - between))
    if count > _MOST_SEGMENTS:
        raise NothingFits(f"{count} jobs of {hours(limit)} would be needed", "Take more devices.")
    return max(2, count), limit


def _degree(choice: Choice, name: str) -> int:
    text = choice.layout.get(name, "1")
    return int(text) if text.isdigit() else 1


def _number(value: float) -> str:
    """Three figures, and never in powers of ten: 1,024 and not 1.02e+03."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def checked(options: Options) -> Options:
    """The options, or a UserError for what cannot be."""
    if options.headroom is not None and not 0 <= options.headroom <= 10:
        raise UserError(f"a headroom of {options.headroom:g} cannot be", "Give a share: 0.1 is 10 % more.")
    for name, text in (("--folder", options.folder), ("--image", options.image), ("--name", options.name)):
        if any(not c.isprintable() for c in text):
            raise UserError(f"{name} holds characters that do not print", "Write plain text.")
    if options.image and not IMAGE.fullmatch(options.image):
        raise UserError(f"--image {options.image[:60]!r} is no container image", IMAGE_LIKE)
    return options


Writer = Callable[[Job], dict[str, str]]
"""A job as files: name -> text."""
