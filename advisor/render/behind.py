"""What stands behind an answer: prices with their days, published runs near it, errors of its kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup

from advisor.data.files import shipped
from advisor.render import choice, dated, figures, fleet, select
from advisor.render.marks import Marks, foreign
from advisor.render.texts import Texts
from advisor.schema import Advice, Estimate, Kind, Plan, PlanOption, Quantity

ERRORS = ("evidence", "errors.json")
"""Errors on published runs that were left out, written by tools/accuracy.py with docs/accuracy.md."""
_HOUR_S = 3600.0
_RATES = (("rent_usd_per_h", "calendar_rent_usd"), ("spot_usd_per_h", "calendar_spot_usd"))


@dataclass(frozen=True)
class Priced:
    """A price that a figure rests on, and how many days old it is, where that is old."""

    title: Markup
    price: Quantity
    age: int | None


def prices(advice: Advice, rows: int, t: Texts, *, paged: bool) -> list[Priced]:
    """The prices behind the options of a plan, behind estimates asked for, and of a scan's listed devices.

    On paper those of the printed options and the cheapest choices alone.
    """
    found = list(_of_plan(advice, advice.plan, t, paged=paged)) if advice.plan is not None else []
    if advice.fleet is not None:
        found += [
            Priced(choice.title_of(advice, one.accelerator_id), price, dated.old_price(advice, price))
            for one, price in fleet.prices(advice.fleet, paged=paged)
        ]
    for estimate in choice.whole(advice):
        found += [
            Priced(name, price, dated.old_price(advice, price)) for name, price in _of(advice, estimate, t)
        ]
    found += [
        Priced(foreign(title, 60), price, age) for title, price, age in _rents(advice, rows, paged=paged)
    ]
    return list({(one.title, one.price.source): one for one in found}.values())


def _of_plan(advice: Advice, plan: Plan, t: Texts, *, paged: bool) -> Iterator[Priced]:
    """What options are rented or bought at: the price that each is computed with."""
    shown = (*choice.options(plan, paged=paged), *(option for _, option in choice.best_by(plan)))
    for option in shown:
        title = choice.title_of(advice, option.accelerator_id)
        price = _bought(option) if plan.limits.acquire == "buy" else _rented(advice, option)
        if price is not None:
            label = choice.option_label(advice, option, t) if plan.limits.acquire == "buy" else title
            yield Priced(label, price, dated.old_price(advice, price))


def _bought(option: PlanOption) -> Quantity | None:
    price = option.quantities.get("purchase_usd")
    return None if price is None or price.value is None or not price.source else price


def _rented(advice: Advice, option: PlanOption) -> Quantity | None:
    """The rent of one for an hour: as listed, or what rent and hours of the option come to."""
    rent, hours = option.quantities.get("rent_usd"), figures.point(option.quantities.get("calendar_s"))
    if rent is None or rent.value is None or not rent.source or not hours:
        return None
    listed = _listed(advice, option.accelerator_id, "rent_usd_per_h")
    if listed is not None and listed.source == rent.source:
        return listed
    each = rent.value / option.packages / hours * _HOUR_S
    return Quantity(value=each, unit="USD/h", kind=Kind.published, source=rent.source)


def _of(advice: Advice, estimate: Estimate, t: Texts) -> Iterator[tuple[Markup, Quantity]]:
    """What an estimate's rents are computed with: on demand and spot."""
    title = choice.title_of(advice, estimate.target.accelerator_id)
    for rate, rent in _RATES:
        price = _listed(advice, estimate.target.accelerator_id, rate)
        if price is not None and figures.point(estimate.quantities.get(rent)) is not None:
            spot = t("price.spot", "{device}, spot", device=title)
            yield (spot if rate == "spot_usd_per_h" else title), price


def _listed(advice: Advice, accelerator: str, rate: str) -> Quantity | None:
    figure = next((a.figures.get(rate) for a in advice.accelerators if a.id == accelerator), None)
    return None if figure is None or figure.value is None else figure


def rates(advice: Advice, estimate: Estimate, marks: Marks) -> list[Markup]:
    """ "Spot: USD 0.80/h each, verda NVIDIA H100 SXM5, 2026-05-24, 182 days old" of each rent told."""
    t = marks.t
    names = {
        "rent_usd_per_h": t("price.on_demand", "On demand"),
        "spot_usd_per_h": t("price.at_spot", "Spot"),
    }
    found = []
    for rate, rent in _RATES:
        price = _listed(advice, estimate.target.accelerator_id, rate)
        if price is None or figures.point(estimate.quantities.get(rent)) is None:
            continue
        line = t(
            "price.line",
            "{name}: {price} each, {source}",
            name=names[rate],
            price=marks.quantity(price, ranged=False),
            source=foreign(price.source.partition(": ")[0], 120),
        )
        if (age := dated.old_price(advice, price)) is not None:
            told = t("method.old", "{days} days old when this was written", days=age)
            line += Markup(' <span class="warn">{}</span>').format(told)
        found.append(line)
    return found


# --- published runs -----------------------------------------------------------------------------


def near_options(advice: Advice, t: Texts, *, paged: bool) -> list[tuple[Markup, tuple[str, ...]]]:
    """Options of a plan with the published runs that are most like them, those of the same runs together."""
    if advice.plan is None:
        return []
    found: dict[tuple[str, ...], list[Markup]] = {}
    for option in choice.options(advice.plan, paged=paged):
        if option.near:
            found.setdefault(tuple(sorted(option.near)), []).append(choice.option_label(advice, option, t))
    return [(t("list.semicolon", "; ").join(labels), runs) for runs, labels in found.items()]


def memory_parts(advice: Advice, option: PlanOption) -> dict[str, float]:
    """Part -> bytes on one device of an option, from the steps behind its memory, where these are stored."""
    memory = option.quantities.get("memory_bytes")
    steps = {s.quantity: s.value for s in advice.trace.get(memory.trace, ())} if memory else {}
    return {name: value for name in choice.PARTS if (value := steps.get(name))}


# --- errors of the kind -------------------------------------------------------------------------


@dataclass(frozen=True)
class Error:
    """Published runs of a kind that were predicted without it: how many, and how far off."""

    title: Markup
    rows: int
    known: tuple[str, str]  # half of them within, nine of ten within: runs like it are known
    alone: tuple[str, str]  # the same where nothing of its source is known
    within: str  # share that lies in the range that was told


@lru_cache(maxsize=1)
def _errors() -> dict[str, dict[str, dict[str, float]]]:
    path = shipped("rules").joinpath(*ERRORS)
    found: dict[str, dict[str, dict[str, float]]] = json.loads(path.read_text(encoding="utf-8"))["tables"]
    return found


def errors(advice: Advice, t: Texts) -> tuple[list[Error], list[Markup]]:
    """Errors on published runs of the kinds that the answer is of, and those too few to tell of."""
    group, source = _errors()["group"], _errors()["source"]
    wanted = {"all": t("trust.all", "all published runs")}
    for name, word in _kinds(advice):
        wanted[f"{name}: {word}"] = _named(name, word, t)
    told, few = [], []
    for key, title in wanted.items():
        if key in group and key in source:
            one, other = group[key], source[key]
            told.append(Error(title, int(other["n"]), _pair(one), _pair(other), f"{other['within']:.0%}"))
        else:
            few.append(title)
    return told, few


def memory_error() -> tuple[int, str, str]:
    """Of peaks of memory whose source was left out: how many, half within, nine of ten within."""
    row = _errors()["memory"]["all"]
    return int(row["n"]), *_pair(row)


def _pair(row: dict[str, float]) -> tuple[str, str]:
    return f"{row['median']:.0%}", f"{row['p90']:.0%}"


def _kinds(advice: Advice) -> Iterator[tuple[str, str]]:
    """Vendors, families of networks and methods that the answer is of."""
    vendors = {a.id: a.vendor for a in advice.accelerators}
    if advice.plan is not None:
        named = [option.accelerator_id for option in advice.plan.options[:1]]
    elif advice.fleet is not None:
        named = [option.accelerator_id for option in advice.fleet.options[:1]]
    else:
        asked = choice.whole(advice) or tuple(
            found for w in advice.workloads if (found := select.cheapest(advice, w)) is not None
        )
        named = [estimate.target.accelerator_id for estimate in asked]
    yield from dict.fromkeys(("vendor", vendors[name]) for name in named if vendors.get(name))
    yield from dict.fromkeys(("family", w.model.family) for w in advice.workloads if w.model.family)
    methods = (w.recipe.method for w in advice.workloads)
    yield from dict.fromkeys(("method", "full" if m == "pretrain" else m) for m in methods if m)


def _named(name: str, word: str, t: Texts) -> Markup:
    """A kind of run in words."""
    if name == "vendor":
        shown = {"aws": "AWS", "amd": "AMD", "nvidia": "NVIDIA"}.get(word, word.capitalize())
        return t("trust.vendor", "on accelerators of {vendor}", vendor=foreign(shown, 40))
    families = {
        "decoder": t("trust.decoder", "language models (decoders)"),
        "encoder": t("trust.encoder", "encoders"),
        "moe": t("trust.moe", "mixtures of experts"),
        "cnn": t("trust.cnn", "convolutional networks"),
        "vit": t("trust.vit", "vision transformers"),
        "size_only": t("trust.size_only", "networks known by their size alone"),
        "stated": t("trust.stated", "networks known by their work alone"),
    }
    methods = {
        "full": t("trust.full", "all weights trained"),
        "lora": t("trust.lora", "LoRA"),
        "qlora": t("trust.qlora", "QLoRA"),
    }
    return (families if name == "family" else methods).get(word) or t(
        "trust.other", "of {kind}", kind=foreign(word.replace("_", " "), 40)
    )


def _rents(advice: Advice, rows: int, *, paged: bool) -> tuple[tuple[str, Quantity, int | None], ...]:
    """(accelerator title, rent per hour, age in days if old) for the devices that a report prices.

    On paper those of the cheapest choices alone; on screen all in the printed rows.
    """
    shown = {
        e.target.accelerator_id for w in advice.workloads if (e := select.cheapest(advice, w)) is not None
    }
    for workload in () if paged else advice.workloads:
        shown |= {row.accelerator_id for row in select.catalogue(advice, workload)[:rows]}
    return tuple(
        (accelerator.title, rent, dated.old_price(advice, rent))
        for accelerator in advice.accelerators
        if accelerator.id in shown
        and (rent := accelerator.figures.get("rent_usd_per_h")) is not None
        and rent.value is not None
    )
