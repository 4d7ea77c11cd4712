"""Fleet: machines of one kind for several jobs with counts per year."""

from __future__ import annotations

from advisor.schema.base import Frozen, Quantity
from advisor.schema.plan import LeftOut, PlanLimits, PlanOption


class FleetJob(Frozen):
    """A job of the file and how one run of it goes on the first fleet's machines.

    `option` has the devices of the part of a machine that a run takes, its layout, and for one run
    "calendar_s" with its 80 % range, "calendar_at_s" (kept to with the plan's confidence), "rent_usd",
    "energy_j" and "memory_bytes"; for all runs of a year "year_busy_s" (time that whole machines have it),
    "year_rent_usd" and "year_energy_j". None: there is no fleet, or too many jobs to tell of each.
    `option.breaks` names the deadline that is missed.
    """

    workload: str
    title: str = ""  # as the file calls it; "": it says nothing
    per_year: float = 1.0
    due: bool = False  # whether the file says when a run is due; else it is the horizon of a reference
    option: PlanOption | None = None


class FleetOption(Frozen):
    """So many machines of one kind that do all the work of a year.

    `quantities`: "busy_s" (of one machine, by all jobs of a year), "used" (share of the year in which each
    machine has jobs), "rent_usd" a year for the hours used, "own_usd" a year for all machines,
    "purchase_usd", "energy_j" a year, "power_w", and the price of one accelerator, "rent_usd_per_h". Ranges
    are of the times: all jobs to one side, as errors on devices of one kind are mostly alike.
    """

    accelerator_id: str
    label: str  # of one machine: "8 x nvidia-h100-sxm5-80gb"
    system: str = ""  # "dgx-h100": as what it is bought, where that was asked for or space is short
    packages: float
    devices: int
    machines: int
    quantities: dict[str, Quantity] = {}
    price_note: str = ""
    price_old: bool = False
    unrated: bool = False  # some job in 16 bits is computed in 32, as nobody here knows its rate in 16
    offloads: int = 0  # different jobs that keep states or weights in the host's memory
    rack_units: float | None = None


class FleetPlan(Frozen):
    """The answer for several jobs: fleets that keep all limits, the best first, one for each accelerator."""

    limits: PlanLimits
    stack: str = ""  # the family of programs, or the program, that was stated for all
    jobs: tuple[FleetJob, ...] = ()  # as they were searched: what needs most memory first
    counted: int = 0  # of the jobs; fewer than there are where it was stopped
    runs: float = 0.0  # a year
    options: tuple[FleetOption, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    miss: str = ""  # where nothing keeps the limits: what comes nearest
    relax: str = ""
