"""What a reader stumbles over: flags cut in two, "1 times", commands of files that are not there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "request"))
import made

from advisor.render import _attached, dated, why
from advisor.render.describe import command
from advisor.render.html import render_html
from advisor.render.request_page import attached, request_html
from advisor.render.texts import full_texts
from advisor.request import Options, Site, build, pick
from advisor.schema import Advice, Quantity

RENT = Quantity(value=3479.0, unit="USD", source="nebius gpu-h100-sxm of 8, rented whole, 2026-09-25: list")


def estimated() -> Advice:
    one = made.estimate()
    return made.advice(
        estimate=one.model_copy(update={"quantities": {**one.quantities, "calendar_rent_usd": RENT}})
    )


def words(page: str) -> str:
    bare = re.sub(r"(?s)<(style|script).*?</\1>", "", page)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", bare))


def test_a_flag_is_not_cut_in_two() -> None:
    assert '<span class="nw">--slurm</span>' in command("hwadvisor request report.pdf --slurm")
    assert "nw" not in command("hwadvisor request " + "a-long-name-" * 9)  # wider than a telephone


@pytest.mark.parametrize(("paged", "name"), [(True, "report.pdf"), (False, "report.html")])
def test_commands_name_the_page_itself(paged: bool, name: str) -> None:
    shown = words(render_html(estimated(), full_texts("en"), {}, paged=paged))
    assert f"hwadvisor request {name}" in shown and "advice.json --slurm" not in shown


@pytest.mark.parametrize(
    ("lang", "told"),
    [("en", "price of nebius gpu-h100-sxm, 2026-09-25"), ("zh", "nebius gpu-h100-sxm，2026-09-25 的价格")],
)
def test_an_estimate_s_rent_names_its_seller_and_day(lang: str, told: str) -> None:
    assert told in words(render_html(estimated(), full_texts(lang), {}))


def test_a_factor_of_one_is_no_factor() -> None:
    t = full_texts("en")
    assert why.times(1.01, t) == "as fast as one core" and why.times(12.0, t) == "12 times one core"


def test_one_process_is_told_as_one() -> None:
    held = made.advice(estimate=made.estimate(devices=1))
    page = words(request_html(held, build(pick(held), Site(), Options()), attached(held, {}, {})))
    assert "one process of train.py" in page and "1 processes" not in page


def test_a_request_says_that_what_was_typed_stands_in_it() -> None:
    held = made.advice()
    job = build(pick(held), Site(), Options(command=("train.py", "--key", "s3cret")))
    for lang, told in (("en", "as it was typed, with any name, path or key"), ("zh", "路径和口令也在内")):
        assert told in words(request_html(held, job, attached(held, {}, {}), lang))


def test_from_when_to_when_is_told_as_days_and_minutes() -> None:
    told = dated.span("2026-11-22T05:00:00+00:00", "2026-11-22T05:01:30+00:00", full_texts("zh"))
    assert told == "2026-11-22 05:00 – 2026-11-22 05:01（UTC）"
    assert "2026-11-22T05" in dated.span("2026-11-22T05:00:00+00:00", "", full_texts("en"))


def test_what_no_language_changes_is_said_at_the_end_of_other_languages() -> None:
    assert "都保持原样" in words(render_html(estimated(), full_texts("zh"), {}))[-2500:]
    assert "in every language" not in words(render_html(estimated(), full_texts("en"), {}))


def test_files_that_ride_along_are_described_in_the_page_s_language() -> None:
    pytest.importorskip("weasyprint")
    found = _attached(estimated(), "{}", full_texts("zh"))
    assert found and all(re.search("[一-鿿]", one.description) for one in found)
