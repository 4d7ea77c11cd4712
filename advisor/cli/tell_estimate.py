"""An estimate as text: figures with their ranges, layout, published runs near it, what was assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.cli.text import paragraph, say
from advisor.schema import Estimate, Quantity
from advisor.units import show, show_percent, show_range

if TYPE_CHECKING:
    from advisor.app_estimate import EstimateResult
    from advisor.search.one import One

_TIMES = (
    ("optimizer_step_s", "step"),
    ("tokens_per_s_per_device", "tokens/s, each device"),
    ("tokens_per_s", "tokens/s, together"),
    ("samples_per_s", "samples/s, together"),
    ("mfu", "share of peak (MFU)"),
    ("time_s", "all steps"),
    ("calendar_s", "whole run, P50"),
)
_MEMORY = (
    ("memory_bytes", "memory, each device"),
    ("weights_bytes", "  weights"),
    ("gradients_bytes", "  gradients"),
    ("optimizer_bytes", "  optimizer states"),
    ("copies_bytes", "  copies of the network"),
    ("gather_bytes", "  gathered weights"),
    ("activation_bytes", "  activations"),
    ("loss_bytes", "  loss"),
    ("peak_bytes", "  at once, at most"),
    ("reserved_bytes", "  with the allocator"),
)
_COSTS = (
    ("calendar_rent_usd", "rent of the whole run"),
    ("calendar_spot_usd", "  on spot"),
    ("calendar_energy_j", "energy"),
)


def tell_estimate(result: EstimateResult) -> None:
    """Everything a reader needs of one estimate, at 80 columns."""
    advice, one = result.advice, result.one
    estimate = one.estimate
    workload = advice.workloads[0]
    say(f"{workload.title} on {estimate.target.label}")
    fits = {True: "Fits", False: "Does not fit", None: "Not known whether it fits"}[estimate.fits]
    paragraph(f"{fits}. {estimate.why}")
    for notice in advice.notices:
        paragraph(f"! {notice.message}")
    say()
    _figures(estimate)
    _layout(estimate)
    if one.helps:
        say("What would help, each alone:")
        for text in one.helps:
            paragraph(text, "  - ")
    _near(estimate)
    _assumed(one)
    for note in estimate.notes:
        paragraph(f"Note: {note}")


def _figures(estimate: Estimate) -> None:
    say(f"{'':<24}{'estimate':>16}   {'80 % range':<22}from")
    told: set[str] = set()
    for name, label in (*_TIMES, *_MEMORY, *_COSTS):
        quantity = estimate.quantities.get(name)
        if quantity is None:
            continue
        if quantity.value is not None:
            _line(name, label, quantity, estimate)
        elif not label.startswith(" "):
            reason = "for the same reason" if quantity.reason in told else quantity.reason
            paragraph(reason, f"{label:<24}{'unknown':>16}   ")
            told.add(quantity.reason)
    say()


def _line(name: str, label: str, quantity: Quantity, estimate: Estimate) -> None:
    if label.startswith(" ") and quantity.value == 0:
        return
    figure, spread = _shown(name, quantity)
    origin = _origin(name, quantity, estimate)
    say(f"{label:<24}{figure:>16}   {spread:<22}{origin}")
    if name == "calendar_s":
        say(f"{'whole run, P90':<24}{show(quantity.high, quantity.unit):>16}   {'':<22}{origin}")


def _shown(name: str, quantity: Quantity) -> tuple[str, str]:
    if name == "mfu":
        low, high = (show_percent(end) for end in (quantity.low, quantity.high))
        return show_percent(quantity.value), f"{low}–{high}"
    unit = "1" if name.startswith(("tokens", "samples")) else quantity.unit  # the label says of what
    exact = quantity.low == quantity.high
    spread = "" if exact else show_range(quantity.low, quantity.high, unit, like=quantity.value)
    return show(quantity.value, unit), spread


def _origin(name: str, quantity: Quantity, estimate: Estimate) -> str:
    """The kind of evidence behind a figure, in a word or two."""
    timed = name in dict(_TIMES) or name in dict(_COSTS)
    if timed and estimate.calibrated:
        return "measured here"
    if timed and estimate.near:
        return "rules+published" if not quantity.source else "rules+price"
    return "rules"


def _layout(estimate: Estimate) -> None:
    words = (f"{name.replace('_', '-')} {word}" for name, word in estimate.choices.items())
    paragraph(f"Layout: {', '.join(words)}.")
    prices = (estimate.quantities.get(name) for name in ("rent_usd", "spot_usd"))
    sources = dict.fromkeys(price.source for price in prices if price is not None and price.source)
    if sources:
        paragraph(f"Prices: {'; '.join(sources)}.")


def _near(estimate: Estimate) -> None:
    if not estimate.near:
        return
    say("Nearest published runs (a step, or a sample on one device):")
    for run in estimate.near:
        ratio = run.measured_s / run.rules_s
        paragraph(
            f"{run.title}: measured {show(run.measured_s, 's')}, by the rules {show(run.rules_s, 's')} "
            f"(x {ratio:.2f}). {run.id}",
            "  - ",
        )


def _assumed(one: One) -> None:
    """What nobody stated, with its source; alike sources together."""
    if not one.assumed:
        return
    by_source: dict[str, list[str]] = {}
    for item in one.assumed:
        by_source.setdefault(item.source, []).append(f"{item.name.replace('_', ' ')} {item.value}")
    say("Assumed:")
    for source, items in by_source.items():
        paragraph(f"{', '.join(items)} ({source})", "  - ")
