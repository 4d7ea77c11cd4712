"""Why an accelerator is no option: short of memory or late by how much, and what would change it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue, find_accelerator
from advisor.estimate import said_plainly, why_unknown
from advisor.estimate.inputs import table_of
from advisor.schema import LeftOut, Plan, PlanOption
from advisor.search.formats import instead_of
from advisor.search.lack import PRECISION
from advisor.search.plan_option import option_of
from advisor.search.plan_options import HOST, Options
from advisor.search.plan_space import Space
from advisor.units import DAY_S, HOUR_S, show

_NAMES = {
    "deadline": "--deadline", "budget": "--budget", "power": "--max-power", "space": "--max-rack-units",
    HOST: "a host memory of",
}  # fmt: skip

_MORE = " More than {}, which no published run has, are planned only where nothing keeps the limits."


def flag_of(limit: str) -> str:
    """The flag that sets a limit."""
    return _NAMES[limit]


def left_out(options: Options, chosen: Iterable[int]) -> tuple[LeftOut, ...]:
    """Every accelerator that was asked for and is no option."""
    found, kept = options.found, set(chosen)
    rows_of: dict[int, list[int]] = {}
    for row, device in enumerate(options.device):
        rows_of.setdefault(int(device), []).append(row)
    out, untimed = [], []
    for number, entry in enumerate(found.space.devices):
        if number in kept:
            continue
        if number in rows_of:
            out.append(_over_limits(options, entry, rows_of[number]))
        elif found.least_need[number] > 1:
            out.append(_short_of_memory(options, number, entry))
        else:
            untimed.append(number)
    out += _unsupported(found.space)
    return tuple(sorted((*out, *_unknown(options, untimed)), key=lambda one: one.accelerator_id))


def _unsupported(space: Space) -> list[LeftOut]:
    """Accelerators that have not the method, format or program asked for, or hold no network so large."""
    changes = {"stack": "Another --stack.", "size": "A smaller network."}
    found = []
    for site, lack in space.unsupported:
        if site.entry is None:
            continue
        change = changes.get(lack.what, "Another --method.")
        if lack.what == PRECISION:
            change = f"Try --precision {instead_of(lack.name, site.inputs)}."
        why = f"{lack.name} does not run on it: that needs {lack.needs}."
        found.append(LeftOut(accelerator_id=site.entry.id, code="unsupported", why=why, change=change))
    return found


def _over_limits(options: Options, entry: Accelerator, rows: list[int]) -> LeftOut:
    row = rows[int(np.argmin(options.worst[rows]))]
    broken = options.breaks(row)
    if not broken:
        return _unchecked(options, entry, row)
    told = "; ".join(_over(options, row, name) for name in broken) + "."
    limit = options.found.space.limits[options.device[row]]
    single = options.found.space.sites[int(options.device[row])].single
    capped = "deadline" in broken and 2 * options.counts[row] > limit and not single
    more = _MORE.format(f"{limit:g}") if capped else ""
    return LeftOut(
        accelerator_id=entry.id,
        code=broken[0],
        times=float(options.worst[row]),
        why=f"Its nearest, {option_of(options, row).label}: {told}{more}",
        change=_enough(options, row, broken),
        nearest=option_of(options, row),
    )


def _unchecked(options: Options, entry: Accelerator, row: int) -> LeftOut:
    """Nothing is known to be broken, and not all can be held to the limits."""
    reasons = {
        "budget": "no public price of it is known",
        "power": "no TDP of it is known",
        "space": "of no system of it the height is known",
    }
    lacks = [(name, reasons[name]) for name, unknown in options.unknown.items() if unknown[row]]
    return LeftOut(
        accelerator_id=entry.id,
        code="unchecked",
        why=f"Whether it keeps {' and '.join(_NAMES[name] for name, _ in lacks)} cannot be checked: "
        f"{'; '.join(reason for _, reason in lacks)}.",
        change="A figure of your own, in a file given with --rules, or no such limit.",
        nearest=option_of(options, row),
    )


def _over(options: Options, row: int, name: str) -> str:
    limits, excess = options.limits, options.excess[name][row]
    many = f"{excess:,.0f}" if excess >= 100 else f"{excess:.1f}"
    times = f"{many} times" if excess >= 2 else f"{excess - 1:.0%} over"
    if name == "deadline":
        return (
            f"with {limits.confidence:.0%} probability it takes at most {show(options.late[row], 's')}, "
            f"{times} the deadline of {_days(limits.deadline_days)}"
        )
    if name == "budget":
        cost = show(options.spent[row], "USD")
        verb = "may cost" if limits.acquire == "rent" else "costs"
        return f"it {verb} {cost}, {times} the budget of {show(limits.budget_usd, 'USD')}"
    if name == "space":
        units = options.rack_units[row]
        return f"it fills {units:g} rack units, {times} the {limits.max_rack_units:g} there are"
    if name == HOST:
        need, has = options.host_bytes[row], options.host_ram[row]
        return (
            f"its host must hold {show(need, 'B')} of what is offloaded, {times} the {show(has, 'B')} it has"
        )
    power = show(options.told["power_w"][row], "W")
    return f"it needs {power}, {times} the {show(limits.max_power_w, 'W')} there are"


def _enough(options: Options, row: int, broken: Iterable[str]) -> str:
    """'It would do with --deadline 12d.'"""
    enough = {
        "deadline": _until(float(options.late[row])),
        "budget": f"{np.ceil(options.spent[row]):.0f}" if options.spent[row] > 0 else "",
        "power": _watts(float(options.told["power_w"][row])),
        "space": f"{options.rack_units[row]:g}",
        HOST: show(options.host_bytes[row], "B"),
    }
    return f"It would do with {' and '.join(f'{_NAMES[name]} {enough[name]}' for name in broken)}."


def _watts(power: float) -> str:
    """A limit on power that holds so much, as the flag reads it."""
    return f"{np.ceil(power / 10) * 10:g}W" if power < 1e4 else f"{np.ceil(power / 100) / 10:g}kW"


def _until(seconds: float) -> str:
    """A deadline that holds so long, as the flag reads it."""
    for unit, size, most in (("min", 60.0, 3 * HOUR_S), ("h", HOUR_S, 2 * DAY_S)):
        if seconds <= most:
            return f"{np.ceil(seconds / size):g}{unit}"
    return f"{np.ceil(seconds / DAY_S * 10) / 10:g}d"


def _days(days: float | None) -> str:
    return show((days or 0.0) * DAY_S, "s")


def _short_of_memory(options: Options, number: int, entry: Accelerator) -> LeftOut:
    found = options.found
    space, at = found.space, int(found.least_at[number])
    has = float(space.product.on_device("memory_usable")[number])
    need = has * float(found.least_need[number])
    count = int(space.set_ups["devices"][at])
    lean = _lean(space, at)
    limit = space.limits[number]
    most = _MORE.format(f"{limit:g}") if 2 * count > limit else ""
    asked = options.limits.max_devices
    more = f"More than {asked} devices (--max-devices), a" if asked and 2 * asked <= limit else "A"
    return LeftOut(
        accelerator_id=entry.id,
        code="memory",
        times=float(found.least_need[number]),
        why=f"Short of memory by {show(need - has, 'B')} on each device: the leanest layout tried "
        f"({lean}) needs {show(need, 'B')} of {show(has, 'B')}.{most}",
        change=f"{more} method that holds less (lora, qlora), or shorter sequences.",
    )


def _lean(space: Space, at: int) -> str:
    """'8 devices, tp 8, fsdp, recompute full'."""
    found = space.set_ups
    count = int(found["devices"][at])
    parts = [f"{count} device{'s' if count > 1 else ''}"]
    parts += [f"{name} {found[name][at]:g}" for name in ("tp", "pp", "cp", "ep") if found[name][at] > 1]
    if found.word("sharding", at) != "none":
        parts.append(found.word("sharding", at))
    parts += [f"{name} {found.word(name, at)}" for name in ("recompute", "offload") if found[name][at] > 0]
    return ", ".join(parts)


def _unknown(options: Options, numbers: list[int]) -> list[LeftOut]:
    """Accelerators whose memory or time is not known, with the reason, asked of all at once."""
    space = options.found.space
    if not numbers or not len(space.set_ups):
        return []
    first = int(np.argmin(space.set_ups["devices"]))
    table = table_of(space.book, [space.inputs(number, first) for number in numbers])
    out = []
    for row, number in enumerate(numbers):
        entry = space.devices[number]
        unsized = bool(np.isnan(space.product.on_device("memory_usable")[number]))
        quantity = "memory_usable" if unsized else "calendar_s"
        what = "Its memory" if unsized else "Its time"
        reason = said_plainly(why_unknown(space.book, table, row, quantity))
        told, whole = f"{what} is not known: {reason}.", space.sites[number].whole
        change = "A published figure, in a file of your own given with --rules."
        if not reason and whole:  # nothing lacks: there is no machine of so few
            told = (
                f"It is sold {whole:g} devices at a time, and at most {space.limits[number]:g} are planned."
            )
            change = "Another accelerator."
        out.append(
            LeftOut(
                accelerator_id=entry.id,
                code="unknown",
                why=told,
                change=change,
            )
        )
    return out


def nearest_miss(options: Options) -> tuple[str, str]:
    """Where nothing keeps the limits: what comes nearest, and what to relax."""
    found = options.found
    if not len(options):
        return _no_memory(options)
    row = options.nearest
    broken = options.breaks(row)
    told = "; ".join(_over(options, row, name) for name in broken) + "."
    pair = contradiction(options)
    relax = _enough(options, row, broken)
    miss = f"The nearest of {found.fitting:,} layouts that fit, {option_of(options, row).label}: {told}"
    return (f"{pair} {miss}" if pair else miss), relax


def contradiction(options: Options) -> str:
    """Two limits that can be kept alone and not together, in a sentence; or ''."""
    kept = np.ones(len(options), dtype=bool) if options.unchecked.all() else ~options.unchecked
    alone = {name: (excess <= 1) & kept for name, excess in options.excess.items() if name != HOST}
    for one, other in itertools.combinations(alone, 2):
        if alone[one].any() and alone[other].any() and not (alone[one] & alone[other]).any():
            return f"{_NAMES[one]} and {_NAMES[other]} contradict each other: either alone can be kept."
    return ""


def _no_memory(options: Options) -> tuple[str, str]:
    found = options.found
    if not found.space.sites and found.space.unsupported:
        first = left_out(options, ())[0]
        return f"Nothing that was asked for runs it. {first.accelerator_id}: {first.why}", first.change
    if np.isnan(found.least_need).all():
        first = left_out(options, ())[0]
        return f"Of none is memory and time known. {first.accelerator_id}: {first.why}", first.change
    if not np.nanmin(found.least_need) > 1:
        return "Layouts fit, but no time is known for any of them.", "Ask for other accelerators."
    number = int(np.nanargmin(found.least_need))
    short = _short_of_memory(options, number, found.space.devices[number])
    return f"Nearest is {short.accelerator_id}. {short.why}", short.change


def why_not(plan: Plan, catalogue: Catalogue, name: str) -> str:
    """Why an accelerator is not the answer. Raises UserError for an unknown id, with the nearest."""
    entry = find_accelerator(catalogue, name)
    for place, option in enumerate(plan.options, start=1):
        if option.accelerator_id == entry.id:
            if place == 1:
                return f"{entry.id} is the best option: {option.label}."
            first, count = plan.options[0].label, len(plan.options)
            why = behind(plan, option)
            return f"{entry.id} is option {place} of {count} ({option.label}), after {first}: {why}."
    for one in plan.left_out:
        if one.accelerator_id == entry.id:
            return f"{entry.id}: {one.why} {one.change}".strip()
    return f"{entry.id} was not asked for: --vendor or --only leaves it out."


def behind(plan: Plan, option: PlanOption) -> str:
    """Why an option comes after the first."""
    first, buys = plan.options[0], plan.limits.acquire == "buy"
    name = {"time": "calendar_at_s", "energy": "energy_j"}.get(plan.limits.objective)
    name = name or ("own_usd" if buys else "rent_usd")
    mine, best = (one.quantities[name].value for one in (option, first))
    parts = []
    if option.unrated and not first.unrated:
        parts.append("no 16-bit peak of it is known here, so that it is computed in 32 bits")
    if mine is None:
        lacks = {"energy_j": "no TDP of it is known", "own_usd": "it has no list price"}
        return "; ".join([*parts, lacks.get(name, "it has no public price")])
    if name.endswith("usd"):
        if option.price_old and not first.price_old:
            parts.append("its price is older than 180 days")
        if option.price_unsure and not first.price_unsure:
            parts.append("its provider is not known to join as many")
        if option.untried and not first.untried:
            parts.append("no published run of such a network is on its generation")
    if option.beyond and not first.beyond:
        parts.append("it needs a layout that a stock trainer has not")
    words = {"calendar_at_s": "takes", "energy_j": "needs"}.get(name, "costs")
    if best is not None and (mine > best or not parts):
        alike = "it is as good within what estimates can tell, on more accelerators"
        much = f"{mine / best - 1:.0%} more than that"
        if mine >= 2 * best:
            much = f"{mine / best:.1f} times as much"
        told = f"it {words} {show(mine, option.quantities[name].unit)}, {much}"
        parts.append(told if mine > best else alike)
    return "; ".join(parts)
