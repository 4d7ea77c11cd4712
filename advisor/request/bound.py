"""The most that a request may take, restarts included: time, accelerator time and money."""

from __future__ import annotations

from advisor.request.money import rents
from advisor.request.need import Need
from advisor.request.pick import Choice
from advisor.request.site import Site
from advisor.schema import Kind, Quantity
from advisor.units import show


def hours(seconds: float | None) -> str:
    """A length of time for people."""
    return show(seconds or 0.0, "s")


def total_of(segments: int, segment_s: float, wall_s: float) -> float:
    """All jobs together, each with its whole time."""
    return segments * segment_s if segments > 1 else wall_s


def bounds(  # noqa: PLR0913, PLR0917 - what the bounds are of
    choice: Choice,
    segments: int,
    segment_s: float,
    wall_s: float,
    each: str,
    price: Quantity | None = None,
) -> dict[str, Need]:
    """The most that is taken: time, accelerator time, money; and what is expected of it.

    `price` is the one of an hour where the job goes; None: that of the estimate.
    """
    total = total_of(segments, segment_s, wall_s)
    expected = choice.time.value
    found = {
        "gpu_seconds": Need(
            choice.count * total, "s", Kind.rule,
            "accelerators x the time of all jobs, restarts included: the most that can be billed",
        ),
        "gpu_seconds_expected": Need(
            None if expected is None else choice.count * expected, "s", Kind.rule,
            "accelerators x expected time",
        ),
    }  # fmt: skip
    if segments > 1:
        why = (
            f"{segments} {each} of {hours(segment_s)}: each but the first starts again, each but the last "
            "stops early to save"
        )
        found["asked"] = Need(total, "s", Kind.rule, why)
    if price is not None:
        return found | _at(price, choice, total)
    rent = choice.rent
    if rent is not None and rent.value is not None:
        most = rent.value / expected * total if expected and choice.rent_grows else None
        why = (
            "the expected rent x the time asked for over the expected one"
            if most
            else "how rent grows is not known"
        )
        found["rent_at_most"] = Need(most, "USD", Kind.rule, why, rent.source)
    return found


def _at(price: Quantity, choice: Choice, total: float) -> dict[str, Need]:
    """Money at a price, expected and at most."""
    expected, most = rents(price, choice.count, choice.time, total)
    told = {
        "rent_expected": (expected, "accelerators x expected time x the price of an hour"),
        "rent_at_most": (most, "accelerators x the time of all jobs x the price of an hour"),
    }
    return {
        name: Need(of.value, "USD", Kind.rule, of.reason or why, of.source)
        for name, (of, why) in told.items()
    }


def what_is_open(site: Site, scheduler: str, choice: Choice, wall_s: float) -> list[str]:
    """What keeps the bound from holding."""
    if scheduler != "skypilot" or site.skypilot.get("bucket"):
        return []
    loss = f"{choice.count * wall_s / 3600:,.0f}"
    return [
        "Without a bucket in [skypilot] of --site a lost machine takes the checkpoints and the count of "
        f"hours with it: each loss adds up to {loss} accelerator hours."
    ]


def chained(segments: int, limit: float | None, scheduler: str) -> list[str]:
    """That one job is too short, and what becomes of it."""
    if segments == 1:
        return []
    if scheduler == "k8s":
        return [
            f"The run is longer than the limit of {hours(limit)} for one start: one Job, whose pods are "
            f"started {segments} times, each time going on from the last checkpoint."
        ]
    return [
        f"The run is longer than the limit of {hours(limit)} for one job: {segments} jobs, each going "
        "on from the last checkpoint."
    ]
