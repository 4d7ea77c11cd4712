"""An estimate as text: figures with their ranges, layout, published runs near it, what was assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.cli.language import chosen, form, show, show_end, show_ranged, told
from advisor.cli.text import label, left, paragraph, right, say
from advisor.schema import Estimate, Quantity
from advisor.search.words import IF_THE_HOST

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
    ("host_bytes", "  offloaded to the host"),
)
_COSTS = (
    ("calendar_rent_usd", "rent of the whole run"),
    ("calendar_spot_usd", "  on spot"),
    ("calendar_energy_j", "energy"),
)


def titles() -> dict[str, str]:
    """Printed name (in small letters, also without what follows a comma, also as spoken) -> quantity."""
    found: dict[str, str] = {}
    for name, title in (*_TIMES, *_MEMORY, *_COSTS):
        for text in (title.strip(), title.strip().partition(",")[0], told(title).strip()):
            found.setdefault(text.casefold(), name)
    return found


def tell_estimate(result: EstimateResult) -> None:
    """Everything a reader needs of one estimate, at 80 columns."""
    one = result.one
    estimate = one.estimate
    say(form("{title} on {target}", title=told(result.workload.title), target=told(estimate.target.label)))
    fits = {True: "Fits", False: "Does not fit", None: "Not known whether it fits"}[estimate.fits]
    if estimate.why.startswith(IF_THE_HOST):
        paragraph(told(estimate.why))
    else:
        paragraph(form("{fits}. {why}", fits=told(fits), why=told(estimate.why)))
    for notice in result.notices:
        paragraph(f"! {told(notice.message)}")
    say()
    _figures(estimate)
    _layout(estimate)
    if one.helps:
        say(told("What would help, each alone:"))
        for text in one.helps:
            paragraph(told(text), "  - ")
    _near(estimate)
    _assumed(one)
    for note in estimate.notes:
        paragraph(form("Note: {note}", note=told(note)))


def _figures(estimate: Estimate) -> None:
    say(_row("", told("estimate"), told("80 % range"), told("from")))
    reasons: set[str] = set()
    for name, title in (*_TIMES, *_MEMORY, *_COSTS):
        quantity = estimate.quantities.get(name)
        if quantity is None:
            continue
        if quantity.value is not None:
            _line(name, title, quantity, estimate)
        elif not title.startswith(" "):
            reason = "for the same reason" if quantity.reason in reasons else quantity.reason
            paragraph(told(reason), label(title, 24) + right(told("unknown"), 16) + "   ")
            reasons.add(quantity.reason)
    say()


def _row(title: str, figure: str, spread: str, origin: str) -> str:
    """A line of the table, in columns of cells."""
    return f"{left(title, 24)}{right(figure, 16)}   {left(spread, 21)} {origin}"


def _line(name: str, title: str, quantity: Quantity, estimate: Estimate) -> None:
    if title.startswith(" ") and quantity.value == 0:
        return
    figure, spread = _shown(name, quantity)
    origin = _origin(name, quantity, estimate)
    say(_row(told(title), figure, spread, told(origin)))
    if name == "calendar_s":
        late = show_end(quantity.high, quantity, quantity.unit)
        say(_row(told("whole run, P90"), late, "", told(origin)))


def _shown(name: str, quantity: Quantity) -> tuple[str, str]:
    if name == "mfu":
        share, low, high = (
            None if end is None else end * 100 for end in (quantity.value, quantity.low, quantity.high)
        )
        return show_ranged(share, low, high, "%")
    unit = "1" if name.startswith(("tokens", "samples")) else quantity.unit  # the label says of what
    return show_ranged(quantity.value, quantity.low, quantity.high, unit)


def _origin(name: str, quantity: Quantity, estimate: Estimate) -> str:
    """The kind of evidence behind a figure, in a word or two."""
    timed = name in dict(_TIMES) or name in dict(_COSTS)
    if timed and estimate.calibrated:
        return "measured here"
    if timed and estimate.near:
        return "rules+published" if not quantity.source else "rules+price"
    return "rules"


def _layout(estimate: Estimate) -> None:
    words = (chosen(name.replace("_", "-"), str(word)) for name, word in estimate.choices.items())
    paragraph(form("Layout: {words}.", words=form(", ").join(words)))
    prices = (estimate.quantities.get(name) for name in ("rent_usd", "spot_usd"))
    sources = dict.fromkeys(price.source for price in prices if price is not None and price.source)
    if sources:
        paragraph(form("Prices: {sources}.", sources="; ".join(sources)))


def _near(estimate: Estimate) -> None:
    if not estimate.near:
        return
    say(told("Nearest published runs (a step, or a sample on one device):"))
    for run in estimate.near:
        ratio = run.measured_s / run.rules_s
        paragraph(
            form(
                "{run}: measured {measured}, by the rules {rules} (x {ratio}). {id}",
                run=run.title,
                measured=show(run.measured_s, "s"),
                rules=show(run.rules_s, "s"),
                ratio=f"{ratio:.2f}",
                id=run.id,
            ),
            "  - ",
        )


def _assumed(one: One) -> None:
    """What nobody stated, with its source; alike sources together."""
    if not one.assumed:
        return
    by_source: dict[str, list[str]] = {}
    for item in one.assumed:
        named = f"{told(item.name.replace('_', ' '))} {told(str(item.value))}"
        by_source.setdefault(item.source, []).append(named)
    say(told("Assumed:"))
    for source, items in by_source.items():
        paragraph(form(", ").join(items) + form(" ({hint})", hint=told(source)), "  - ")
