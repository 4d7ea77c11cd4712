"""Set-ups tried for one workload on given devices: what is stated holds, each sensible choice of the rest."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from advisor.errors import UserError
from advisor.estimate.inputs import Inputs
from advisor.schema import Kind, Workload

TEXT_FAMILIES = ("decoder", "moe", "encoder", "encoder_decoder", "size_only")
_BLOCKS = (*TEXT_FAMILIES, "vit")  # networks that can be cut by width and depth
_DEGREES = ("tp", "pp", "cp", "ep")
_LARGEST_MICRO_BATCH = 1024
_USUAL_DOMAIN = 8  # devices of a server, where the catalogue does not say
RECOMPUTE = ("none", "selective", "full")
SHARDING = ("none", "zero1", "zero2", "fsdp", "hsdp")
"""Simplest first."""


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


@dataclass(frozen=True)
class SetUp:
    """One way to lay the work out."""

    devices: int
    micro_batch: float = 1.0
    recompute: str = "none"
    sharding: str = "none"
    tp: int = 1
    pp: int = 1
    cp: int = 1
    ep: int = 1
    offload: str = "none"

    def inputs(self, stated: Stated) -> Inputs:
        """The columns of the rules, each stated, found or the plain case."""
        found = Inputs()
        given = asdict(stated)
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            number = float(value) if isinstance(value, (int, float)) else value
            if name == "devices":
                found.put(name, number, Kind.stated, "the hardware asked for")
            elif given.get(name) is not None:
                found.put(name, number, Kind.stated, "flags")
            else:
                plain = value in (1, "none") and name not in ("micro_batch", "recompute", "sharding")
                source = (
                    "not asked for, and not needed"
                    if plain
                    else "found: the fastest that fits, else what needs least"
                )
                found.put(name, number, Kind.assumed, source)
        if stated.vpp is not None:
            found.put("vpp", float(stated.vpp), Kind.stated, "flags")
        for name, flag in (("flash_attention", stated.flash), ("compiled", stated.compiled)):
            if flag is not None:
                found.put(name, float(flag), Kind.stated, "flags")
        for name, word in (("stack", stated.stack), ("effort", stated.effort)):
            if word is not None:
                found.put(name, word, Kind.stated, "flags")
        return found

    def words(self, devices: int) -> dict[str, str]:
        """What was chosen, as words for a reader."""
        found = {"micro_batch": f"{self.micro_batch:g}", "recompute": self.recompute}
        if devices > 1:
            found["sharding"] = self.sharding
        found |= {name: str(getattr(self, name)) for name in _DEGREES if getattr(self, name) > 1}
        if self.offload != "none":
            found["offload"] = self.offload
        return found


@dataclass(frozen=True)
class Grid:
    """Set-ups to be compared."""

    rows: tuple[SetUp, ...]

    def columns(self) -> dict[str, list[Any]]:
        """The columns of the rules in which the set-ups differ."""
        return {field.name: [getattr(row, field.name) for row in self.rows] for field in fields(SetUp)}

    def simplest(self, among: Sequence[int] | None = None) -> SetUp:
        """The set-up with least parallelism, recomputation, sharding and memory, in this order."""
        rows = self.rows if among is None else [self.rows[at] for at in among]
        return min(
            rows,
            key=lambda row: (
                row.tp * row.pp * row.ep,
                RECOMPUTE.index(row.recompute),
                SHARDING.index(row.sharding),
                row.micro_batch,
            ),
        )


def first_grid(workload: Workload, inputs: Inputs, devices: int, stated: Stated) -> Grid:
    """Without tensor, pipeline and expert parallelism, except where they are stated."""
    degrees = (stated.tp or 1, stated.pp or 1, stated.ep or 1)
    return Grid(tuple(_with_degrees(workload, inputs, devices, stated, degrees)))


def wider_grid(workload: Workload, inputs: Inputs, devices: int, stated: Stated) -> Grid:
    """With tensor parallelism within a scale-up domain, pipelines, and experts spread over devices."""
    numbers, family = workload.model.numbers, workload.model.family
    if family not in _BLOCKS or devices == 1:
        return Grid(())
    domain = inputs.values.get("hw_domain_devices") or _USUAL_DOMAIN
    inside = int(min(devices, domain if domain > 1 else _USUAL_DOMAIN))
    heads = numbers.get("heads")
    tps = [stated.tp] if stated.tp else [n for n in _powers(inside) if not heads or heads % n == 0]
    pps = [stated.pp] if stated.pp else _powers(int(min(devices, numbers.get("layers", devices))))
    eps = [stated.ep] if stated.ep else [1]
    if family == "moe" and not stated.ep:
        eps += [n for n in _powers(inside) if n > 1 and numbers.get("experts", 1) % n == 0][-1:]
    rows: list[SetUp] = []
    for tp, pp, ep in itertools.product(tps, pps, eps):
        rows += _with_degrees(workload, inputs, devices, stated, (tp, pp, ep))
    return Grid(tuple(rows))


def _with_degrees(
    workload: Workload, inputs: Inputs, devices: int, stated: Stated, degrees: tuple[int, int, int]
) -> Iterator[SetUp]:
    tp, pp, ep = degrees
    cp = stated.cp or 1
    replicas, rest = divmod(devices, tp * pp * cp)
    if rest or not replicas or ep > replicas * cp * tp:
        return
    batch = workload.recipe.global_batch
    each = None if batch is None else batch / replicas
    if each is not None and each < 1:
        return
    domain = inputs.values.get("hw_domain_devices")
    for sharding in _shardings(stated, devices, replicas * cp, domain):
        for micro_batch in _micro_batches(stated, each, workload):
            for recompute in _recomputes(stated, workload):
                yield SetUp(
                    devices, micro_batch, recompute, sharding, tp, pp, cp, ep, stated.offload or "none"
                )


def _shardings(stated: Stated, devices: int, group: int, domain: float | None) -> tuple[str, ...]:
    if stated.sharding is not None:
        return (stated.sharding,)
    if devices == 1 or group == 1:
        return ("none",)
    if stated.stack == "megatron":
        return ("none", "zero1", "fsdp")
    return ("none", "zero2", "fsdp") if not domain or group <= domain else ("none", "zero2", "fsdp", "hsdp")


def _micro_batches(stated: Stated, each: float | None, workload: Workload) -> list[float]:
    if stated.micro_batch is not None:
        return [stated.micro_batch]
    if each is None:
        return [workload.recipe.numbers.get("micro_batch", 1.0)]
    found = [float(n) for n in _powers(min(int(each), _LARGEST_MICRO_BATCH))]
    if each not in found and each == int(each) <= _LARGEST_MICRO_BATCH:
        found.append(each)
    return found


def _recomputes(stated: Stated, workload: Workload) -> tuple[str, ...]:
    if stated.recompute is not None:
        return (stated.recompute,)
    return RECOMPUTE if workload.model.family in _BLOCKS else ("none", "full")


def _powers(most: int) -> list[int]:
    """1, 2, 4 … up to `most`."""
    return [2**n for n in range(max(1, most).bit_length())]


# ---- what cannot be -----------------------------------------------------------------------------------


def check_stated(workload: Workload, inputs: Inputs, devices: int, stated: Stated) -> None:
    """Raise UserError for a layout that cannot be, with what could."""
    _check_degrees(workload, devices, stated)
    replicas = devices // ((stated.tp or 1) * (stated.pp or 1) * (stated.cp or 1))
    batch, micro = workload.recipe.global_batch, stated.micro_batch or 1
    if batch is not None and batch < replicas * micro:
        roads = "Raise --batch" + ("" if stated.micro_batch is None else ", lower --micro-batch")
        if stated.tp is None and stated.pp is None and stated.micro_batch is None and _any(
            workload, inputs, devices, stated
        ):  # fmt: skip
            return  # devices can share a sample
        raise UserError(
            f"a batch of {batch:g} is smaller than one step needs: {replicas} replicas of the network with "
            f"{micro:g} each",
            f"{roads} or use fewer devices.",
        )


def _any(workload: Workload, inputs: Inputs, devices: int, stated: Stated) -> bool:
    return bool(wider_grid(workload, inputs, devices, stated).rows)


def _check_degrees(workload: Workload, devices: int, stated: Stated) -> None:
    numbers, family = workload.model.numbers, workload.model.family
    given = {name: getattr(stated, name) for name in _DEGREES if (getattr(stated, name) or 1) > 1}
    if given and family not in _BLOCKS:
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
    if heads and heads % given.get("tp", 1):
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
