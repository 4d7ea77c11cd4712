"""Amounts of money in another currency: converted at a rate that is told, everywhere but in data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from advisor.cli import language
from advisor.cli.plan import plan
from advisor.errors import UserError

JOB = ("--model", "llama-3-8b", "--method", "lora", "--tokens", "100M", "--deadline", "2d")
ONE = (*JOB, "--only", "nvidia-l40s-48gb,nvidia-h100-sxm5-80gb")


@pytest.fixture(autouse=True)
def _dollars_in_english() -> Iterator[None]:
    language.speak("en")
    yield
    language.speak("en")
    language.pay_in("USD", 1.0)


def output(*flags: str) -> str:
    done = CliRunner().invoke(plan, [*ONE, *flags])
    assert done.exit_code == 0, done.output
    return done.output


def amounts(text: str, code: str) -> list[float]:
    return [float(one) for one in re.findall(rf"  rent +{code} ([\d.]+)", text)]


def test_amounts_are_converted_and_the_rate_is_told() -> None:
    dollars, other = output(), output("--currency", "xxx", "--rate", "XXX=0.5")
    assert "Money in XXX, at 0.5 US dollars for one (--rate)." in other
    (before,), (after,) = amounts(dollars, "USD"), amounts(other, "XXX")
    assert after == pytest.approx(2 * before, rel=0.1)
    assert "USD " not in other and "XXX" not in dollars
    assert "USD " in output(), "the next command is in dollars again"


def test_sentences_that_say_an_amount_are_converted_too() -> None:
    flags = ("--currency", "XXX", "--rate", "XXX=0.001", "--why-not", "nvidia-h100-sxm5-80gb")
    (told,) = re.findall(r"it costs\s+XXX\s([\d,.]+k?)", output(*flags))
    assert float(told.replace(",", "").rstrip("k")) * (1e3 if told.endswith("k") else 1) > 1000


def test_the_shipped_rate_is_told_with_its_day() -> None:
    told = " ".join(output("--currency", "CNY").split())
    assert re.search(r"Money in CNY, at 0\.\d+ US dollars for one \(20\d\d-\d\d-\d\d", told)


def test_chinese_has_the_currency_behind_the_number() -> None:
    language.speak("zh")
    told = output("--currency", "CNY")
    assert re.search(r"租金 +[\d.]+ 元", told) and "美元，" not in told


def test_json_stays_in_dollars() -> None:
    data = json.loads(output("--currency", "CNY", "--json"))
    assert data["plan"]["options"][0]["quantities"]["rent_usd"]["unit"] == "USD"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--currency", "EUR"), "no rate of the currency 'EUR'"),
        (("--currency", "EUR", "--rate", "EUR=0"), "not above zero"),
        (("--currency", "EUR", "--rate", "EUR=nan"), "not above zero"),
        (("--currency", "¤"), "no rate"),
    ],
)
def test_a_currency_without_a_rate_is_an_error(flags: tuple[str, ...], says: str) -> None:
    done = CliRunner().invoke(plan, [*ONE, *flags])
    assert isinstance(done.exception, UserError) and says in done.exception.message
