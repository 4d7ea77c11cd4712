"""How old what a report tells is: dates of prices, and when it was made."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from markupsafe import Markup

from advisor.render.marks import foreign
from advisor.render.texts import Texts
from advisor.schema import Advice, Estimate, Quantity

PRICE_OLD_DAYS = 180

_DATE = re.compile(r"\b(20\d\d)-(\d\d)(?:-(\d\d))?\b")

_SELLER = re.compile(
    r"(.{1,80}?)(?: of \d+, rented whole)?, 20\d\d-\d\d-\d\d\b"
)  # "nebius gpu-h100-sxm, 2026-09-25: …"


def date_in(text: str) -> date | None:
    """The first date written in a text as 2026-09-17 or 2026-09 (then its first day)."""
    for year, month, day in _DATE.findall(text):
        try:
            return date(int(year), int(month), int(day or 1))
        except ValueError:  # 2026-13: no date after all, a later one in the text may be
            continue
    return None


def asked(rent: Quantity | None, t: Texts) -> Markup:
    """Whose price is behind a rent, and of which day; empty where no day is known."""
    day = date_in(rent.source) if rent is not None and rent.value is not None else None
    if rent is None or day is None:
        return Markup()
    seller = _SELLER.match(rent.source)
    if seller is None:
        return t("request.price", "price of {date}", date=day.isoformat())
    name = foreign(seller[1], 60)
    return t("request.price_of", "price of {seller}, {date}", seller=name, date=day.isoformat())


def span(start: str, end: str, t: Texts) -> Markup:
    """From when to when, in days and minutes; as it stands where it is no time."""
    try:
        told = [f"{datetime.fromisoformat(one).astimezone(UTC):%Y-%m-%d %H:%M}" for one in (start, end)]
    except ValueError:
        return foreign(f"{start} – {end or '?'}", 80)
    return t("subtitle.date", "{date} UTC", date=" – ".join(told))


def created(advice: Advice) -> datetime | None:
    """When the advice was made; None when it does not say."""
    for text in (advice.created_at, advice.machine.probed_at if advice.machine else ""):
        try:
            return datetime.fromisoformat(text)
        except ValueError:  # the next source may know
            continue
    return None


def old_price(advice: Advice, quantity: Quantity | None) -> int | None:
    """Age in days of a price older than PRICE_OLD_DAYS when the advice was made; else None."""
    if quantity is None or not quantity.unit.startswith("USD"):
        return None
    dated, now = date_in(quantity.source), created(advice)
    if dated is None or now is None:
        return None
    age = (now.date() - dated).days
    return age if age > PRICE_OLD_DAYS else None


def old_rent(advice: Advice, estimate: Estimate | None) -> int | None:
    """Age in days of the listed price behind an estimate's rent, if it is old."""
    if estimate is None:
        return None
    rent = estimate.rent
    if rent is not None and date_in(rent.source):
        return old_price(advice, rent)
    for accelerator in advice.accelerators:
        if accelerator.id == estimate.target.accelerator_id:
            return old_price(advice, accelerator.figures.get("rent_usd_per_h"))
    return None
