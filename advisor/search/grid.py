"""What a user states of a layout, one way to lay the work out, and what cannot be."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace

from advisor.errors import UserError
from advisor.estimate.inputs import Inputs
from advisor.schema import Kind, Recipe, Workload

TEXT_FAMILIES = ("decoder", "moe", "encoder", "encoder_decoder", "size_only")
BLOCKS = (*TEXT_FAMILIES, "vit")
"""Networks that can be cut by width and depth."""

_DEGREES = ("tp", "pp", "vpp", "cp", "ep")
RECOMPUTES = ("none", "selective", "full")
SHARDINGS = ("none", "zero1", "zero2", "fsdp", "hsdp")
OFFLOADS = ("none", "optimizer", "params")
"""Simplest first."""

_PARTS = "the largest below the recipe's that parts evenly over the replicas"
_FOUND = "found by the search: the fastest that fits, else what needs least"


@dataclass(frozen=True)
class Stated:
    """What the user says of the set-up; None is found, or counts as the plain case."""

    micro_batch: float | None = None
    recompute: str | None = None
    sharding: str | None = None
    offload: str | None = None
    tp: int | None = None
    pp: int | None = None
    vpp: int | None = None
    cp: int | None = None
    ep: int | None = None
    flash: bool | None = None
    compiled: bool | None = None
    stack: str | None = None
    effort: str | None = None
    program: str = ""  # who trains, as published runs name it; "" is not known

    @property
    def cuts(self) -> bool:
        """Whether the user cuts the network over devices."""
        return any((getattr(self, name) or 1) > 1 for name in _DEGREES)

    @property
    def degrees(self) -> bool:
        """Whether the user says anything of how the network is cut."""
        return any(getattr(self, name) is not None for name in _DEGREES)

    def of_recipe(self, recipe: Recipe) -> Stated:
        """With the program that the workload states, and what its details need.

        Raises UserError where they do not go with what is stated here.
        """
        told = self
        if self.stack is None and recipe.stack:
            told = replace(told, stack=recipe.stack, program=recipe.program)
        if not recipe.numbers.get("offload_activations"):
            return told
        if told.recompute not in (None, "full"):
            raise UserError(
                "--offload-activations is of the inputs of recomputed blocks; "
                f"--recompute {told.recompute} has none",
                "Give --recompute full, or leave one of the two away.",
            )
        return replace(told, recompute="full")

    def columns(self) -> dict[str, float | str]:
        """Columns of the rules that no search chooses."""
        flags = {"flash_attention": self.flash, "compiled": self.compiled}
        found: dict[str, float | str] = {k: float(v) for k, v in flags.items() if v is not None}
        return found if self.effort is None else {**found, "effort": self.effort}


NOTHING_STATED = Stated()


@dataclass(frozen=True)
class SetUp:
    """One way to lay the work out."""

    devices: int
    micro_batch: float = 1.0
    recompute: str = "none"
    sharding: str = "none"
    tp: int = 1
    pp: int = 1
    vpp: int = 1
    cp: int = 1
    ep: int = 1
    offload: str = "none"
    stack: str = "torch"
    batch: float | None = None  # samples of a step, where they are not the job's

    @property
    def replicas(self) -> float:
        """Data-parallel degree."""
        return self.devices / (self.tp * self.pp * self.cp)

    @property
    def parts(self) -> int:
        """Devices that share one network in any way but copying it."""
        return self.tp * self.pp * self.cp * self.ep

    def inputs(self, stated: Stated = NOTHING_STATED) -> Inputs:
        """The columns of the rules, each stated, found or the plain case."""
        found, given = Inputs(), asdict(stated)
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if name == "batch":
                continue
            number = float(value) if isinstance(value, (int, float)) else value
            if name == "devices":
                found.put(name, number, Kind.stated, "the hardware asked for")
            elif given.get(name) is not None:
                found.put(name, number, Kind.stated, "flags")
            else:
                plain = value in (1, "none") and name not in ("micro_batch", "recompute", "sharding")
                found.put(name, number, Kind.assumed, "not asked for, and not needed" if plain else _FOUND)
        if self.batch is not None:
            found.put("global_batch", self.batch, Kind.assumed, _PARTS)
        if self.tp > 1:
            found.put("sequence_parallel", 1.0, Kind.assumed, "usual with tensor parallelism")
        for name, told in stated.columns().items():
            found.put(name, told, Kind.stated, "flags")
        return found

    def words(self, stated: Stated = NOTHING_STATED) -> dict[str, str]:
        """What was chosen, as words for a reader."""
        found = {"dp": f"{self.replicas:g}"} if self.devices > 1 else {}
        found |= {name: str(getattr(self, name)) for name in _DEGREES if getattr(self, name) > 1}
        found |= {"batch": f"{self.batch:g}"} if self.batch is not None else {}
        found["micro_batch"] = f"{self.micro_batch:g}"
        found |= {"sharding": self.sharding} if self.devices > 1 else {}
        found["recompute"] = self.recompute
        found |= {"offload": self.offload} if self.offload != "none" else {}
        return found | {"stack": self.stack} | ({"program": stated.program} if stated.program else {})


def joined(job: Inputs, place: Inputs, set_up: SetUp, stated: Stated = NOTHING_STATED) -> Inputs:
    """The columns of one candidate, each with its source; what the recipe says of a set-up holds."""
    row = job.update(place).update(set_up.inputs(stated))
    told = "sequence_parallel"
    if told in job.values:
        row.put(told, job.values[told], Kind(job.sources[told][0]), job.sources[told][1])
    return row


# ---- what cannot be -----------------------------------------------------------------------------------


def no_layout(workload: Workload, devices: int, stated: Stated) -> UserError:
    """The error of a batch too small for so many devices in every layout that is left open."""
    replicas = devices // ((stated.tp or 1) * (stated.pp or 1) * (stated.cp or 1))
    roads = "Raise --batch" + ("" if stated.micro_batch is None else ", lower --micro-batch")
    return UserError(
        f"a batch of {workload.recipe.global_batch or 0:g} is smaller than one step needs: "
        f"{replicas} replicas of the network with {stated.micro_batch or 1:g} each",
        f"{roads} or use fewer devices.",
    )


def check_stated(workload: Workload, devices: int, stated: Stated) -> None:
    """Raise UserError for degrees that cannot be, with what could."""
    numbers, family = workload.model.numbers, workload.model.family
    given = {name: getattr(stated, name) for name in _DEGREES if (getattr(stated, name) or 1) > 1}
    if given and family not in BLOCKS:
        raise UserError(
            f"--{next(iter(given))} does not go with a network of family {family}",
            "Tensor, pipeline, context and expert parallelism are for transformers.",
        )
    product = math.prod(given.get(name, 1) for name in ("tp", "pp", "cp"))
    told = " x ".join(f"--{name} {given[name]}" for name in ("tp", "pp", "cp") if name in given)
    if product > devices:
        raise UserError(
            f"{told} needs {product} devices, there {'is' if devices == 1 else 'are'} {devices}",
            "Lower them or name more devices with --hardware.",
        )
    if devices % product:
        near = product * math.ceil(devices / product)
        raise UserError(
            f"{devices} devices cannot be parted into groups of {product} ({told})",
            f"Use {near - product} or {near} devices.",
        )
    heads, layers = numbers.get("heads"), numbers.get("layers")
    if heads and "tp" in given and heads % given["tp"]:
        raise UserError(
            f"--tp {given['tp']} does not divide the {heads:g} heads of {workload.model.title}",
            f"Try {', '.join(str(n) for n in range(1, int(heads) + 1) if heads % n == 0)}.",
        )
    stages = given.get("pp", 1) * (stated.vpp or 1)
    if stated.vpp is not None and stated.vpp > 1 and given.get("pp", 1) == 1:
        raise UserError("--vpp needs a pipeline", "Give --pp above 1.")
    if layers and stages > layers:
        raise UserError(
            f"{stages} pipeline stages are more than the {layers:g} blocks of {workload.model.title}",
            "Lower --pp or --vpp.",
        )
    if layers and (stated.vpp or 1) > 1 and layers % stages and stated.stack in (None, "megatron"):
        pp = given.get("pp", 1)
        fit = [n for n in range(1, int(layers) // pp + 1) if layers % (n * pp) == 0]
        raise UserError(
            f"--pp {pp} --vpp {stated.vpp}: the {layers:g} blocks of {workload.model.title} do not part into "
            f"{stages} equal stages, and interleaved stages of Megatron are equal",
            f"Try --vpp {' or '.join(map(str, fit))}." if fit else "Give another --pp.",
        )
    _check_experts(workload, devices, stated, given.get("ep", 1))


def _check_experts(workload: Workload, devices: int, stated: Stated, ep: int) -> None:
    if ep == 1:
        return
    experts = workload.model.numbers.get("experts")
    if workload.model.family != "moe" or not experts:
        raise UserError(f"--ep {ep}: {workload.model.title} has no experts", "Leave --ep away.")
    group = devices // (stated.pp or 1)
    if ep > group or experts % ep:
        fit = [n for n in range(1, min(int(experts), group) + 1) if experts % n == 0]
        raise UserError(
            f"--ep {ep} does not go with {experts:g} experts on {group} devices of a pipeline stage",
            f"Try {', '.join(map(str, fit))}.",
        )
