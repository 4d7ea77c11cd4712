"""What of an Advice stands where: picks and orders, computes nothing.

The only arithmetic here compares figures that are there (is the time within the deadline, which is the
largest).
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.render.dated import old_rent
from advisor.render.figures import compute_devices, ends, or_inf, point
from advisor.render.remembered import remembered
from advisor.schema import (
    Accelerator,
    Advice,
    Device,
    Estimate,
    NearRun,
    Quantity,
    Status,
    Workload,
)
from advisor.schema.leading import leading, rank_of

DAY_S = 86400.0
TABLES_PAGED = 2


def main_device(advice: Advice) -> str:
    """The device a training job would use here: the first accelerator measured or seen, else "cpu"."""
    for name in compute_devices(advice.calibration):
        return name
    for device in usable_devices(advice):
        if device.framework_name.value:
            return device.framework_name.value
    return "cpu"


# --- devices and catalogue --------------------------------------------------------------------


def usable_devices(advice: Advice) -> tuple[Device, ...]:
    """Accelerators that answered."""
    if advice.machine is None:
        return ()
    return tuple(d for d in advice.machine.devices if d.status == Status.ok)


def unseen_devices(advice: Advice) -> tuple[Device, ...]:
    """Accelerators that the driver has and no framework sees, where a framework was asked."""
    machine = advice.machine
    if machine is None or not any(f.sees.known for f in machine.software.frameworks):
        return ()
    return tuple(d for d in usable_devices(advice) if d.framework_name.value is None)


def references(advice: Advice, count: int = 3) -> tuple[Accelerator, ...]:
    """Catalogue devices to compare with, slowest first: those the report recommends, then priced ones."""
    known = {a.id: a for a in advice.accelerators if point(a.figures.get("matmul_bf16_flops"))}

    def speed(name: str) -> float:
        return point(known[name].figures["matmul_bf16_flops"]) or 0.0

    choices = [cheapest(advice, workload) for workload in advice.workloads]
    named = dict.fromkeys(choice.target.accelerator_id for choice in choices if choice)
    chosen = [name for name in named if name in known][:count]
    rest = [name for name in known if name not in chosen and "rent_usd_per_h" in known[name].figures]
    rest.sort(key=lambda name: (speed(name), name))
    missing = count - len(chosen)
    if missing > 0 and rest:
        places = [round(step * (len(rest) - 1) / max(1, missing - 1)) for step in range(missing)]
        chosen += dict.fromkeys(rest[place] for place in places)
    return tuple(known[name] for name in sorted(chosen, key=lambda name: (speed(name), name)))


# --- estimates --------------------------------------------------------------------------------


def deadline_s(workload: Workload) -> float | None:
    """The workload's time limit in seconds."""
    return None if workload.deadline_days is None else workload.deadline_days * DAY_S


def state(estimate: Estimate | None, workload: Workload) -> str:
    """in_time, perhaps, slow, fits (time or limit unknown), no, or unknown.

    A deadline is met where nine runs in ten end before it (what is kept to on the calendar, else the upper
    end of the time's 80 % range), missed where the lower end is beyond it, and between these open: "perhaps".
    """
    if estimate is None or estimate.fits is None:
        return "unknown"
    if not estimate.fits:
        return "no"
    time, limit = run_time(estimate), deadline_s(workload)
    if point(time) is None or limit is None:
        return "fits"
    early, late = ends(time)
    kept = point(estimate.quantities.get("calendar_at_s"))
    late = late if kept is None else kept
    return "in_time" if late <= limit else "slow" if early > limit else "perhaps"


def run_time(estimate: Estimate) -> Quantity | None:
    """How long a run takes: from its start to its last step where that is known, else its steps alone."""
    calendar = estimate.quantities.get("calendar_s")
    return calendar if point(calendar) is not None else estimate.quantities.get("time_s")


_STATES = ("in_time", "fits", "perhaps", "slow", "unknown", "no")


@remembered
def here(advice: Advice, workload: Workload) -> tuple[Estimate, ...]:
    """Estimates of a workload on this machine's devices, the best first."""
    found = [e for e in advice.estimates if e.workload == workload.id and e.target.here]
    return tuple(sorted(found, key=lambda e: (_STATES.index(state(e, workload)), _time(e), e.target.device)))


def best_here(advice: Advice, workload: Workload) -> Estimate | None:
    """The best this machine can do for a workload."""
    found = here(advice, workload)
    return found[0] if found else None


REFUSALS = ("framework", "precision", "memory", "unknown")


def refusal(advice: Advice, workload: Workload) -> Estimate | None:
    """The estimate that says why a workload cannot run here, the nearest to mending first.

    None when some device here can run it. `Estimate.limit` of what is returned names the reason; a
    device that no framework sees comes before one whose memory is too small, for software can be had.
    """
    found = here(advice, workload)
    if not found or any(e.fits for e in found):
        return None
    return min(found, key=lambda e: REFUSALS.index(refused_by(e)))


def refused_by(estimate: Estimate) -> str:
    """One of REFUSALS; only a plain "memory" (or a reason nobody gave) counts as memory."""
    if estimate.fits is None:
        return "unknown"
    return estimate.limit if estimate.limit in REFUSALS else "memory"


def _time(estimate: Estimate) -> float:
    return or_inf(point(run_time(estimate)))


def behind(advice: Advice, estimate: Estimate) -> tuple[str, ...]:
    """Why its cost leads nothing: as the search said; of files from before it did, that its price is old."""
    old = not estimate.behind and old_rent(advice, estimate) is not None
    return ("old",) if old else estimate.behind


def _rank(advice: Advice, estimate: Estimate | None) -> tuple[float, float]:
    """What does what is asked before what does not, then as `leading` has it."""
    if estimate is None or not estimate.fits:
        return float("inf"), float("inf")
    return rank_of(estimate, lambda one: behind(advice, one))


@dataclass(frozen=True)
class CatalogueRow:
    """One accelerator for one workload: fewest that hold it, and fewest that meet its deadline."""

    accelerator_id: str
    title: str
    fit: Estimate | None
    deadline: Estimate | None


@remembered
def catalogue(advice: Advice, workload: Workload) -> tuple[CatalogueRow, ...]:
    """Catalogue estimates of a workload: what leads first, then those that meet the deadline in the order of
    a plan (`advisor/schema/leading.py`).
    """
    lead = cheapest(advice, workload)
    titles = {a.id: a.title for a in advice.accelerators}
    rows: dict[str, dict[str, Estimate]] = {}
    for estimate in advice.estimates:
        if estimate.workload == workload.id and not estimate.target.here:
            key = estimate.target.accelerator_id or estimate.target.label
            rows.setdefault(key, {})[estimate.purpose] = estimate
    found = [
        CatalogueRow(key, titles.get(key, key), pair.get("fit"), pair.get("deadline"))
        for key, pair in rows.items()
    ]
    return tuple(
        sorted(
            found,
            key=lambda r: (
                lead is None or lead is not r.deadline,
                _rank(advice, r.deadline),
                _rank(advice, r.fit),
                r.title,
            ),
        )
    )


def room(advice: Advice, estimate: Estimate) -> float | None:
    """Memory of one device of an estimate's target in bytes: what is usable, else what is listed."""
    usable = point(estimate.quantities.get("memory_usable"))
    if usable is not None:
        return usable
    for accelerator in advice.accelerators:
        if accelerator.id == estimate.target.accelerator_id:
            return point(accelerator.figures.get("memory_bytes"))
    return None


def tight(advice: Advice, estimate: Estimate) -> bool:
    """Whether it fits by the estimate and would not by the upper end of its range."""
    need, there = estimate.quantities.get("memory_bytes"), room(advice, estimate)
    if not estimate.fits or need is None or need.high is None or there is None:
        return False
    return need.high > there


@remembered
def cheapest(advice: Advice, workload: Workload) -> Estimate | None:
    """The catalogue's choice that meets the deadline (or, with none, just fits) and leads by cost.

    By the rule of a plan: where such a network is known to run, by a price of the last half year, for the
    least rent of the whole run, and of those as good the fewest.
    """
    mine = [e for e in advice.estimates if e.workload == workload.id and not e.target.here]
    for purpose in ("deadline", "fit"):
        found = leading(
            (e for e in mine if e.purpose == purpose and point(e.rent) is not None),
            lambda one: behind(advice, one),
        )
        if found is not None:
            return found
    return None


def nearest(advice: Advice, count: int) -> list[tuple[Estimate, NearRun]]:
    """Estimates of this machine and of the cheapest choices, each with the published run nearest to it.

    At most `count`, and no published run twice: what stands behind several estimates is told once.
    """
    found: list[tuple[Estimate, NearRun]] = []
    for workload in advice.workloads:
        for estimate in (best_here(advice, workload), cheapest(advice, workload)):
            for run in estimate.near[:1] if estimate else ():
                if run.id not in {other.id for _, other in found} and estimate is not None:
                    found.append((estimate, run))
    return found[:count]


def tabled(advice: Advice, *, paged: bool) -> tuple[Workload, ...]:
    """The workloads whose devices are listed: all on screen; on paper the first ones beyond it."""
    if not paged:
        return advice.workloads
    beyond = [w for w in advice.workloads if state(best_here(advice, w), w) not in ("in_time", "fits")]
    return tuple((beyond or list(advice.workloads))[:TABLES_PAGED])
