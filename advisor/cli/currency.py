"""`--currency`: amounts of money told in another currency than the US dollars that all is computed in."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from pathlib import Path

import click

from advisor.cli.language import form, pay_in


def tell_in(context: click.Context, code: str, stated: Mapping[str, float], rules: tuple[Path, ...]) -> str:
    """Tell amounts in `code` while the command runs; the sentence that says at which rate ('' for dollars).

    `stated`: rates of --rate, which go before those of offers/currencies.toml. Raises UserError for a
    currency without a rate, and for a rate that is none.
    """
    name = code.strip().upper()
    if name == "USD":
        return ""
    usd, source = _rate(name, stated, rules)
    pay_in(name, usd)
    context.call_on_close(lambda: pay_in("USD", 1.0))
    return form(
        "Money in {code}, at {rate} US dollars for one ({source}).", code=name, rate=f"{usd:g}", source=source
    )


def _rate(name: str, stated: Mapping[str, float], rules: tuple[Path, ...]) -> tuple[float, str]:
    from advisor.data.accelerator import OLD_DAYS, is_old
    from advisor.data.files import shipped
    from advisor.data.offers import load_currencies
    from advisor.errors import UserError, did_you_mean

    if name in stated:
        if not (math.isfinite(stated[name]) and stated[name] > 0):
            raise UserError(f"--rate {name}={stated[name]:g} is not above zero", "As EUR=1.08.")
        return stated[name], "--rate"
    known = load_currencies((shipped("rules"), *rules))
    if name not in known:
        near = did_you_mean(name, ["USD", *known]) if name.isalpha() else ""
        hint = f"Give --rate {name}=1.08 (US dollars for one {name})." if name.isalpha() else ""
        raise UserError(
            f"there is no rate of the currency {name[:20]!r}",
            f"{near} {hint}".strip() or "Give its code, as CNY.",
        )
    one = known[name]
    old = (
        f": older than {OLD_DAYS} days"
        if is_old(one.as_of, datetime.datetime.now(datetime.UTC).date())
        else ""
    )
    return one.usd, f"{one.as_of or 'undated'}{old}; {one.source}"
