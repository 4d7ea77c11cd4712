"""Which of an advice's estimates or options is asked for, in one shape."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from advisor.errors import NothingFits, UserError, did_you_mean
from advisor.schema import (
    Accelerator,
    Advice,
    Estimate,
    FleetPlan,
    Kind,
    PlanOption,
    Quantity,
    Target,
    Workload,
)
from advisor.schema.leading import leading

_LISTED = 6  # set-ups that a hint names


@dataclass(frozen=True)
class Choice:
    """A workload on so many devices, as the advice estimates it."""

    workload: Workload
    accelerator_id: str
    label: str
    devices: int
    packages: float
    layout: dict[str, str]
    time: Quantity  # from the start of the job to its end
    upper_s: float
    upper_why: str
    quantities: dict[str, Quantity] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)  # params, trainable_params where they are known
    accelerator: Accelerator | None = None
    estimate: Estimate | None = None  # None: an option of a plan
    key: str = ""  # what names it in its advice: its label, of several jobs the job
    server: int | None = None  # devices of one server, where the estimate was asked for such servers

    @property
    def rent(self) -> Quantity | None:
        """What it is expected to cost, rented."""
        return self.quantities.get("calendar_rent_usd") or self.quantities.get("rent_usd")

    @property
    def rent_grows(self) -> bool:
        """Whether that rent is of the same time as `time` is: then it grows with it."""
        of = "calendar_s" if self.estimate is None or "calendar_rent_usd" in self.quantities else "time_s"
        return self.quantities.get(of) is self.time

    @property
    def count(self) -> int:
        """Accelerators as they are sold and billed: a package of several devices is taken whole."""
        return max(1, math.ceil(self.packages - 1e-9))

    @property
    def each(self) -> int:
        """Devices that a framework sees of one of them."""
        told = self.accelerator.devices_per_package if self.accelerator else self.devices / self.count
        return max(1, round(told))

    @property
    def title(self) -> str:
        """The accelerator's name for people."""
        return self.accelerator.title if self.accelerator else self.accelerator_id or self.label


def pick(advice: Advice, workload: str | None = None, target: str | None = None) -> Choice:
    """The plan's best option, the only estimate, or the one that `workload` and `target` name.

    `target` is part of a label ("8 x nvidia-h100"). Raises UserError when nothing or too much is meant,
    NothingFits when what is meant does not fit or its time is not known.
    """
    if advice.fleet is not None:
        return _of_fleet(advice, advice.fleet, workload, target)
    if advice.plan is not None and advice.plan.options and not advice.estimates:
        return _of_option(advice, _option(advice, target))
    if advice.plan is not None and not advice.plan.options and not advice.estimates:
        raise NothingFits(
            "this plan found nothing that keeps its limits", advice.plan.relax or advice.plan.miss
        )
    if not advice.estimates:
        raise UserError(
            "this file holds no estimate", "Write one with `hwadvisor estimate --json` or `plan --json`."
        )
    if advice.plan is not None and advice.plan.options and target is None:
        return _of_option(advice, advice.plan.options[0])
    return of_estimate(advice, _estimate(advice, workload, target))


def _of_fleet(advice: Advice, fleet: FleetPlan, workload: str | None, target: str | None) -> Choice:
    """One of several jobs, on its part of the machines that the plan found best."""
    told = [job for job in fleet.jobs if job.option is not None]
    if not fleet.options:
        raise NothingFits("this plan found nothing that keeps its limits", fleet.relax or fleet.miss)
    if not told:
        raise UserError(
            "this plan does not tell how each of its jobs runs: they are too many, or it was stopped",
            "Plan the job alone: hwadvisor plan --model … --json > plan.json",
        )
    job = next((one for one in told if target == one.workload), told[0])
    if target == job.workload:
        target = None
    elif workload is not None:
        named = [one for one in told if workload in (one.workload, one.title)]
        if not named:
            ids = [one.workload for one in told]
            hint = did_you_mean(workload, ids) or _listed(ids)
            raise UserError(f"no job '{workload[:80]}' in this plan", hint)
        job = named[0]
    elif len(told) > 1:
        raise UserError(
            f"this plan has {len(told)} jobs, and a request is for one",
            f"Name it with --workload. {_listed([one.workload for one in told])}",
        )
    option = job.option
    assert option is not None  # noqa: S101 - of those that are told
    if target is not None and not names(target, option.label):
        raise UserError(f"no option '{target[:80]}' in this plan", _there_is(target, [option.label]))
    return replace(_priced(advice, job.workload, option, fleet.limits.confidence), key=job.workload)


def _listed(labels: list[str]) -> str:
    more = f" and {len(labels) - _LISTED} more" if len(labels) > _LISTED else ""
    return "There is: " + ", ".join(f"'{label}'" for label in labels[:_LISTED]) + more + "."


def _option(advice: Advice, target: str | None) -> PlanOption:
    assert advice.plan is not None  # noqa: S101 - the caller looked
    plan = advice.plan
    if target is None:
        return plan.options[0]
    told = [*plan.options, *(step.option for step in plan.scaling), *plan.front]
    return _one(told, target, [option.label for option in told])


def names(target: str, label: str) -> bool:
    """Whether `target` is part of a label: "8 x nvidia-h100" is none of "128 x nvidia-h100-sxm5-80gb"."""
    return re.search(r"(?<!\d)" + re.escape(target.casefold()), label.casefold()) is not None


def _one(options: Iterable[PlanOption], target: str, labels: list[str]) -> PlanOption:
    found = [o for o in options if target == o.accelerator_id or names(target, o.label)]
    if found:
        return next((o for o in found if o.label == target), found[0])
    raise UserError(f"no option '{target[:80]}' in this plan", _there_is(target, labels))


def _there_is(target: str, labels: Iterable[str]) -> str:
    """What may be named instead: the nearest, and what there is, in the order given."""
    every = list(dict.fromkeys(labels))
    listed = _listed(every)
    near = did_you_mean(target, every)
    return f"{near} {listed}" if near else listed


def _estimate(advice: Advice, workload: str | None, target: str | None) -> Estimate:
    known = {estimate.workload for estimate in advice.estimates}
    if workload is not None and workload not in known:
        hint = did_you_mean(workload, known) or _listed(sorted(known))
        raise UserError(f"no workload '{workload[:80]}' here", hint)
    wanted = workload or (advice.workloads[0].id if advice.workloads else "")
    found = [e for e in advice.estimates if e.workload == wanted]
    if target is not None:
        named = [e for e in found if names(target, e.target.label)]
        exact = [e for e in named if e.target.label == target]
        named = exact or named
        if not named:
            best = sorted(found, key=lambda e: (not e.fits, _rent(e)))  # those to be asked for first
            hint = _there_is(target, [e.target.label for e in best])
            raise UserError(f"no estimate on '{target[:80]}' for {wanted}", hint)
        return next((e for e in named if e.fits), named[0])
    if len(found) == 1:
        return found[0]
    lead = leading(e for e in found if e.purpose == "deadline" and _rent(e) < math.inf)
    if lead is None:
        raise UserError(
            f"{len(found)} set-ups are estimated for {wanted}, and none is the cheapest in time",
            "Name one with --target, for example: --target '8 x nvidia-h100-sxm5-80gb'.",
        )
    return lead


def _rent(estimate: Estimate) -> float:
    rent = estimate.rent
    return math.inf if rent is None or rent.value is None else rent.value


def of_estimate(advice: Advice, estimate: Estimate) -> Choice:
    """An estimate in the shape of a choice. Raises NothingFits where it cannot be asked for."""
    if estimate.fits is False:
        raise NothingFits(
            f"{estimate.target.label} cannot do it: {estimate.why}", "Take another with --target."
        )
    if estimate.target.device == "cpu":
        raise UserError(
            "this estimate is of processors, and a request is for accelerators",
            "Estimate with --hardware, or name another set-up with --target.",
        )
    time = estimate.quantities.get("calendar_s") or estimate.quantities.get("time_s") or Quantity()
    target = estimate.target
    return _choice(
        advice, estimate.workload, target, estimate.choices, estimate.quantities,
        (_upper(time, target.label), _UPPER), estimate,
    )  # fmt: skip


_UPPER = "upper end of the time's 80 % range"


def _of_option(advice: Advice, option: PlanOption) -> Choice:
    assert advice.plan is not None  # noqa: S101 - the caller looked
    return _priced(advice, advice.plan.workload, option, advice.plan.limits.confidence)


def _priced(advice: Advice, workload: str, option: PlanOption, confidence: float) -> Choice:
    """An option in the shape of a choice, for the longer of what it keeps to and the range's upper end."""
    upper = _upper(option.quantities.get("calendar_s") or Quantity(), option.label), _UPPER
    kept = option.quantities.get("calendar_at_s")
    if kept is not None and kept.value is not None and kept.value > upper[0]:
        upper = kept.value, f"kept to with {confidence:.0%} probability"
    return _choice(advice, workload, option, option.choices, option.quantities, upper)


def _choice(  # noqa: PLR0913, PLR0917 - what an estimate and an option have in common
    advice: Advice,
    workload: str,
    of: Target | PlanOption,
    layout: Mapping[str, str],
    quantities: Mapping[str, Quantity],
    upper: tuple[float, str],
    estimate: Estimate | None = None,
) -> Choice:
    time = quantities.get("calendar_s") or (quantities.get("time_s") if estimate else None) or Quantity()
    return Choice(
        workload=_workload(advice, workload),
        accelerator_id=of.accelerator_id,
        label=of.label,
        devices=of.devices,
        packages=of.packages,
        layout=dict(layout),
        time=time,
        upper_s=upper[0],
        upper_why=upper[1],
        quantities=dict(quantities),
        sizes=_sizes(advice, dict(quantities)),
        accelerator=_accelerator(advice, of.accelerator_id),
        estimate=estimate,
        key=of.label,
        server=_server(advice, quantities),
    )


def _server(advice: Advice, quantities: Mapping[str, Quantity]) -> int | None:
    """Devices of one server as flags told them: its trace says so."""
    keys = {quantity.trace for quantity in quantities.values() if quantity.trace in advice.trace}
    for step in (step for key in sorted(keys) for step in advice.trace[key]):
        if step.quantity == "hw_domain_devices" and step.kind == Kind.stated and step.value:
            return round(step.value)
    return None


def _upper(time: Quantity, label: str) -> float:
    upper = time.high if time.high is not None else time.value
    if upper is None or not 0 < upper < math.inf:
        why = time.reason or "nothing is known of it"
        raise NothingFits(
            f"the time on {label} is not known: {why}", "Without it no wall time can be asked for."
        )
    return upper


def _workload(advice: Advice, name: str) -> Workload:
    for workload in advice.workloads:
        if workload.id == name:
            return workload
    raise UserError(
        f"this file lacks the workload '{name[:80]}' it speaks of", "It was edited; write it again."
    )


def _accelerator(advice: Advice, name: str) -> Accelerator | None:
    return next((a for a in advice.accelerators if a.id == name), None)


def _sizes(advice: Advice, quantities: dict[str, Quantity]) -> dict[str, float]:
    """Parameters, all and trained: of the figures, else of any trace, for all are of one network."""
    found: dict[str, float] = {}
    for name in ("params", "trainable_params"):
        quantity = quantities.get(name)
        if quantity is not None and quantity.value is not None:
            found[name] = quantity.value
            continue
        for steps in advice.trace.values() if len(advice.workloads) == 1 else ():
            value = next((s.value for s in steps if s.quantity == name and s.value is not None), None)
            if value is not None:
                found[name] = value
                break
    return found
