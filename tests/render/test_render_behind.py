"""What stands behind an answer: prices with days, runs nearby, errors of its kind, numbered sources."""

from __future__ import annotations

import re

import pytest
import sample
from test_render_choice import base, estimated, option, planned, q, text

from advisor.render import behind, charts
from advisor.render.html import render_html
from advisor.render.marks import Marks
from advisor.render.texts import Texts, full_texts
from advisor.schema import Kind, Quantity, TraceStep

PRICE = "somecloud h100, 2026-09-17: a list"


def priced():
    """A plan whose first option has a price, published runs and steps behind its memory."""
    advice = planned()
    first = option("amd-mi300x-192gb", 8, 90_000, 300).model_copy(update={"near": ("A run", "Another run")})
    rent = first.quantities["rent_usd"].model_copy(update={"source": PRICE})
    memory = q(4e10, "B", "memory-steps")
    first = first.model_copy(
        update={"quantities": first.quantities | {"rent_usd": rent, "memory_bytes": memory}}
    )
    steps = tuple(
        TraceStep(quantity=name, value=value, unit="B", kind="rule", rule="r", expr="1")
        for name, value in (("weights_bytes", 1e10), ("activation_bytes", 3e10))
    )
    plan = advice.plan.model_copy(update={"options": (first, *advice.plan.options[1:])})
    return advice.model_copy(update={"plan": plan, "trace": {"memory-steps": steps}})


@pytest.mark.parametrize("paged", [True, False])
def test_a_plan_prints_its_prices_runs_and_memory(paged):
    page = text(render_html(priced(), Texts(), charts.draw(priced(), Texts()), paged=paged))
    assert "Prices and their dates" in page and PRICE in page
    assert "A run" in page and "Another run" in page and "No estimate in this file names" not in page
    assert "What fills the memory of a device" in page and "26–56 GiB" in page


def test_the_price_of_an_option_is_what_its_rent_comes_to():
    (first, *_) = behind.prices(priced(), 5, Texts(), paged=True)
    assert first.price.source == PRICE
    assert first.price.value == pytest.approx(300 / 8 / 25)  # USD, packages, hours


def test_each_rent_of_an_estimate_has_its_price_and_an_old_one_its_age():
    advice = estimated()
    spot = Quantity(value=0.8, unit="USD/h", kind=Kind.published, source="verda H100, 2026-05-20: a page")
    (one,) = advice.estimates
    device = next(a for a in advice.accelerators if a.id == one.target.accelerator_id)
    device = device.model_copy(update={"figures": device.figures | {"spot_usd_per_h": spot}})
    others = tuple(a for a in advice.accelerators if a.id != device.id)
    one = one.model_copy(update={"quantities": one.quantities | {"calendar_spot_usd": q(100, "USD")}})
    advice = advice.model_copy(update={"estimates": (one,), "accelerators": (*others, device)})
    page = text(render_html(advice, Texts(), {}))
    line = re.search(r"Spot: USD 0\.80/h.{0,80}", page)
    assert line and "verda H100, 2026-05-20" in line[0] and "184 days old" in line[0]
    assert "NVIDIA H100 SXM5 80GB, spot" in page


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_error_of_the_kind_is_told_with_its_count(lang):
    told, few = behind.errors(estimated(), full_texts(lang))
    whole = behind._errors()["source"]
    assert [one.rows for one in told][:2] == [whole["all"]["n"], whole["vendor: nvidia"]["n"]]
    assert told[1].alone == (
        f"{whole['vendor: nvidia']['median']:.0%}",
        f"{whole['vendor: nvidia']['p90']:.0%}",
    )
    assert not few


def test_a_kind_of_which_too_little_is_published_says_so():
    _, few = behind.errors(planned(), Texts())
    assert few == ["on accelerators of AMD"]


def test_sources_on_paper_are_whole_and_numbered():
    long = "a source " + "of many words " * 12 + "and its end"
    marks = Marks(base(), Texts(), numbered=True)
    shown = marks.sourced(Kind.published, "first") + marks.sourced(Kind.published, long)
    assert ">L1<" in shown and ">L2<" in shown and marks.sourced(Kind.published, "first").count(">L1<")
    assert [source.text for source, _ in marks.lines(600)][1] == long
    assert ">L<" in Marks(base(), Texts()).sourced(Kind.published, "first")


def test_a_bound_never_breaks_between_number_and_unit():
    disturbed = (
        sample.cpu_machine()
        .calibration.measurements[0]
        .model_copy(update={"value": None, "low": 134e9, "high": None, "unit": "FLOP/s"})
    )
    shown = Marks(base(), Texts()).measured(disturbed)
    assert 'class="fig bound">at least <span class="nw">134 GFLOP/s</span>' in shown
