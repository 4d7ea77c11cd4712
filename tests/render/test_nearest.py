"""A plan that nothing keeps: the nearest is told in figures and drawn, and what to relax is told once."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "request"))
import made

from advisor.render.charts import draw
from advisor.render.html import render_html
from advisor.render.plots_nearest import nearest
from advisor.render.texts import full_texts
from advisor.schema import Advice, PlanLimits, PlanStep


def missed(named: str = "8 x nvidia-h100-sxm5-80gb") -> Advice:
    held = made.plan()
    assert held.plan is not None
    steps = tuple(PlanStep(option=option) for option in held.plan.options)
    plan = held.plan.model_copy(
        update={
            "options": (),
            "scaling": steps,
            "limits": PlanLimits(deadline_days=1.0),
            "miss": f"The nearest of 9 layouts that fit, {named}: with 90% probability it takes at most "
            "6.4 days, 6.4 times the deadline of 1 day.",
            "relax": "It would do with --deadline 6.4d. Or with --max-devices 1024, on nvidia-gb300-288gb.",
        }
    )
    return held.model_copy(update={"plan": plan})


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_first_page_has_figures_a_chart_and_what_to_relax_once(lang: str) -> None:
    t = full_texts(lang)
    page = render_html(missed(), t, draw(missed(), t))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", re.sub(r"(?s)<(style|script).*?</\1>", "", page)))
    first = text[: text.index("--max-devices 1024") + 60]
    assert ("Nearest: 8" if lang == "en" else "最接近：8") in first
    assert re.search("4 days|4 天", first) and "<svg" in page
    assert first.count("--deadline 6.4d") == 1
    assert lang == "en" or ("Or with" not in text and "It would do" not in text)


def test_what_is_not_among_the_known_options_has_no_figures() -> None:
    plan = missed("9 x another").plan
    assert plan is not None and nearest(plan) is None
    assert nearest(made.plan().plan) is None  # type: ignore[arg-type]
