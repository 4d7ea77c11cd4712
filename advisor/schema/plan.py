"""Plan: what to buy, rent or ask for, for one workload under limits."""

from __future__ import annotations

from advisor.schema.base import Frozen, Quantity


class PlanLimits(Frozen):
    """What the plan must keep to. None: no such limit."""

    deadline_days: float | None = None
    deadline_assumed: str = ""  # whose horizon it is, where nobody stated a deadline
    budget_usd: float | None = None
    max_power_w: float | None = None
    max_devices: int | None = None
    max_rack_units: float | None = None
    vendors: tuple[str, ...] = ()
    only: tuple[str, ...] = ()  # accelerators, or systems with their network and in whole pieces
    region: str = ""  # prices of this region or area alone
    destination: str = ""  # without what export rules ask a licence for there
    confidence: float = 0.9  # probability with which deadline and budget must be kept
    objective: str = "cost"  # cost, time, energy
    acquire: str = "rent"  # whose cost ranks options and meets the budget: rent, buy
    assumed: dict[str, Quantity] = {}  # constants of the cost and calendar rules set by the user
    as_of: str = ""  # date on which prices are judged old or not


class PlanOption(Frozen):
    """One accelerator, device count and the layout found for it.

    `quantities`: "calendar_s" with its 80 % range, "calendar_at_s" (kept to with the plan's confidence),
    "rent_usd", "rent_at_usd", "spot_usd", "energy_j", "power_w", "step_s", "memory_bytes", and where the
    accelerator has a purchase price "own_usd" (this job's share of owning it), "purchase_usd" and
    "break_even_s" (use after which buying has cost less than renting). Memory has a range too.
    `breaks` names the limits it does not keep: deadline, budget, power, space.
    """

    accelerator_id: str
    label: str  # "64 x nvidia-h100-sxm5-80gb"
    system: str = ""  # "8 x dgx-h100": as what it is bought, where that was asked for or space is short
    rack_units: float | None = None
    devices: int
    packages: float
    choices: dict[str, str] = {}  # tp, pp, …, sharding, micro_batch, recompute, stack
    quantities: dict[str, Quantity] = {}
    chance: float | None = None  # of meeting the deadline
    price_note: str = ""  # which price, and whether it is old; or that there is none
    untried: bool = False  # no published run of such a network on this generation of devices
    price_old: bool = False
    unrated: bool = False  # computed in 32 bits, as nobody here knows its rate in 16
    price_unsure: bool = False  # more than the provider is known to join to one cluster
    beyond: bool = False  # pipelines or experts over devices: a stock trainer has no such layout
    far: bool = False  # more devices than any published run of their generation has
    beside: str = ""  # of the best option: what the best layout of the other kind, stock or not, would gain
    tight: bool = False  # the upper end of its memory's range does not fit
    breaks: tuple[str, ...] = ()
    near: tuple[str, ...] = ()  # published runs that correct the time


class PlanStep(Frozen):
    """A row of the scaling table: what more devices of the best accelerator buy."""

    option: PlanOption
    usd_per_day_saved: float | None = None  # over the row before; None: no price, or no day saved


class PlanScenario(Frozen):
    """What leads when one thing is otherwise, and what it then takes."""

    name: str
    label: str = ""  # the option that leads then; "": none keeps the limits
    same: bool = True  # as before
    calendar_s: float | None = None
    cost_usd: float | None = None
    note: str = ""


class LeftOut(Frozen):
    """An accelerator that is no option, and why.

    `code`: not_asked, memory, unknown, unsupported, deadline, budget, power, space, "host memory", export,
    rented, unchecked. `change` says what would make it one. `times`: how many times over its worst limit, or
    its memory, the nearest layout is; None where that is not the reason, or not known.
    """

    accelerator_id: str
    title: str = ""
    times: float | None = None
    code: str
    why: str
    change: str = ""
    nearest: PlanOption | None = None


class Plan(Frozen):
    """The answer: options that keep all limits, the best first, one for each accelerator."""

    workload: str
    limits: PlanLimits
    options: tuple[PlanOption, ...] = ()
    lead: float | None = None  # by how much the first option's cost may rise until the second's is lower
    best: dict[str, PlanOption] = {}  # by cost, time, energy, and "knee" of the front of time and cost
    front: tuple[PlanOption, ...] = ()  # no other option is better in time, cost and energy at once
    scaling: tuple[PlanStep, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    sensitivity: tuple[PlanScenario, ...] = ()  # where it was asked for
    miss: str = ""  # where nothing keeps the limits: what comes nearest
    relax: str = ""  # and what to relax
    tried: int = 0  # layouts whose memory was computed
    fitting: int = 0  # of those, layouts whose memory suffices

    def cheaper(self) -> dict[str, PlanOption]:
        """Where cost ranks, options that cost less than the first, of each reason to stand behind it the
        cheapest: "old" (an old price), "unsure" (more than the provider is known to join), "untried",
        "beyond", "unrated", "alike" (as good, on more accelerators)."""
        name = "own_usd" if self.limits.acquire == "buy" else "rent_usd"
        costs = [
            option.quantities[name].value if name in option.quantities else None for option in self.options
        ]
        if self.limits.objective != "cost" or not costs or costs[0] is None:
            return {}
        first, found = self.options[0], dict[str, tuple[float, PlanOption]]()
        for option, cost in zip(self.options, costs, strict=True):
            if cost is None or cost >= costs[0]:
                continue
            flags = {
                "unrated": option.unrated and not first.unrated,
                "old": option.price_old and not first.price_old,
                "unsure": option.price_unsure and not first.price_unsure,
                "untried": option.untried and not first.untried,
                "beyond": option.beyond and not first.beyond,
            }
            why = next((word for word, holds in flags.items() if holds), "alike")
            if why not in found or cost < found[why][0]:
                found[why] = cost, option
        return {why: option for why, (_, option) in found.items()}
