"""The price of an accelerator hour where the job goes: of the cloud and the kind that a site's file names."""

from __future__ import annotations

from collections.abc import Iterable

from advisor.data.accelerator import Price
from advisor.request.pick import Choice
from advisor.request.site import Site
from advisor.schema import Quantity

_OWN = ("k8s", "kubernetes", "slurm", "ssh", "local")
_NAMES = {"do": "digitalocean", "gcp": "gcp", "oci": "oracle", "lambda": "lambda"}
"""SkyPilot's names of clouds that are called otherwise here."""


ASKED = "asked_usd_per_h"
"""The figure of an accelerator that holds such a price, in the advice, where `verify` looks it up."""


def asks_for_a_price(site: Site, scheduler: str) -> bool:
    """Whether the site's file names a cloud or a kind of price, so that another seller's says nothing."""
    return scheduler == "skypilot" and bool(site.skypilot.get("infra") or site.skypilot.get("use_spot"))


def chosen(offers: Iterable[Price], packages: float, site: Site) -> Price | None:
    """The cheapest offer of the cloud, region and kind named that joins so many, else of all."""
    cloud, region = where(site)
    kind = "spot" if site.skypilot.get("use_spot") else "on_demand"
    found = [
        one
        for one in offers
        if one.kind == kind
        and cloud in ("", one.provider)
        and (not region or not one.region or region.startswith(one.region))
    ]
    sure = [one for one in found if one.sure >= packages]
    return min(sure or found, key=lambda one: one.usd_per_s, default=None)


def where(site: Site) -> tuple[str, str]:
    """Cloud and region of SkyPilot's `infra` ("aws/us-east-1"); "" for what is left open."""
    parts = [("" if part == "*" else part) for part in str(site.skypilot.get("infra", "")).split("/")]
    cloud = parts[0].lower()
    return _NAMES.get(cloud, cloud), parts[1] if len(parts) > 1 else ""


def asked_price(choice: Choice, site: Site, scheduler: str) -> Quantity | None:
    """The price of an hour in the advice, where it is of the cloud that the site names; else unknown.

    None: the site names neither cloud nor kind, and the estimate's own price counts.
    """
    if not asks_for_a_price(site, scheduler):
        return None
    cloud, _ = where(site)
    held = choice.accelerator.figures.get(ASKED) if choice.accelerator else None
    if held is not None and held.value is not None and held.source.startswith(f"{cloud} " if cloud else ""):
        return held
    return Quantity(unit="USD/h", reason=_unknown(choice.title, site))


def _unknown(title: str, site: Site) -> str:
    cloud, region = where(site)
    if cloud in _OWN:
        return f"what machines of {cloud} cost is not known"
    of = " ".join(part for part in (cloud, region) if part) or "any cloud"
    if site.skypilot.get("use_spot"):
        return f"no spot price of {of} for the {title} is known"
    return f"no price on demand of {of} for the {title} is known"


def rents(price: Quantity, count: int, expected: Quantity, total_s: float) -> tuple[Quantity, Quantity]:
    """What so many packages cost at that price: as long as is expected, and at most."""
    if price.value is None:
        nothing = Quantity(unit="USD", reason=price.reason)
        return nothing, nothing
    each = count * price.value / 3600
    ends = (None if s is None else s * each for s in (expected.value, expected.low, expected.high))
    value, low, high = ends
    reason = "the time is not known" if value is None else ""
    return (
        Quantity(value=value, low=low, high=high, unit="USD", source=price.source, reason=reason),
        Quantity(value=total_s * each, unit="USD", source=price.source),
    )
