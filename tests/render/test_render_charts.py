"""Charts: drawn from the advice's figures, free of what viewers draw wrongly, never fatal."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
import sample
from altair.utils.schemapi import SchemaValidationError

from advisor.render import charts, plots, plots_roofline, render_report, vega
from advisor.render.html import render_html
from advisor.render.svg import tidy
from advisor.render.texts import Texts
from advisor.schema import Advice

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn() -> dict[str, charts.Chart]:
    return charts.draw(sample.gpu_machine(), Texts())


def test_the_charts_are_drawn(drawn):
    assert {name: chart.failure for name, chart in drawn.items()} == dict.fromkeys(
        ("time", "tasks", "distance", "roofline", "front"), ""
    )


def test_paper_gets_no_chart_that_is_on_screen_alone():
    assert "distance" not in charts.draw(sample.cpu_machine(), Texts(), screen=False)


def test_a_machine_without_accelerator_has_them_too():
    found = charts.draw(sample.cpu_machine(), Texts())
    assert not [chart.failure for chart in found.values() if chart.failure]
    assert len(found) == 5


def test_nothing_that_fails_silently(drawn):
    for name, chart in drawn.items():
        root = ET.fromstring(chart.svg)
        tags = {element.tag.removeprefix(SVG) for element in root.iter()}
        assert not tags & {
            "style",
            "foreignObject",
            "script",
            "image",
            "use",
            "a",
            "linearGradient",
            "filter",
        }, name
        assert not re.search(r"var\(|@media|paint-order|\bclass=|\bstyle=|\bhref", chart.svg), name
        title = root.find(f"{SVG}title")
        assert title is not None and len(title.text or "") > 20, "the alternate text"


def test_ids_are_unique_in_the_page(drawn):
    page = render_html(sample.gpu_machine(), Texts(), drawn)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert page.count("<svg") == 10, "each for a desk and for a telephone"
    assert render_html(sample.gpu_machine(), Texts(), drawn, paged=True).count("<svg") == 4


def test_letters_of_a_chart_for_a_telephone_are_as_large_as_those_of_the_page(drawn):
    for name, chart in drawn.items():
        wide = float(ET.fromstring(chart.narrow).get("width", "0"))
        sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)(?:px)?"', chart.narrow)]
        assert sizes and min(sizes) * min(1.0, (390 - 32) / wide) >= 11, name


def test_a_long_title_leaves_room_for_why_it_does_not_run():
    advice = sample.gpu_machine()
    work = advice.workloads[0].model_copy(update={"title": "a job with a name " * 8})
    here = next(e for e in advice.estimates if e.target.here and e.workload == work.id)
    cannot = here.model_copy(update={"fits": False, "limit": "memory"})
    others = [e for e in advice.estimates if not e.target.here and e.workload == work.id]
    held = advice.model_copy(update={"workloads": (work,), "estimates": (cannot, *others)})
    chart = charts.draw(held, Texts())["time"]
    assert "…: does not fit here" in chart.svg and "…: does not fit here" in chart.narrow


def test_a_chinese_letter_takes_the_room_of_two():
    assert plots.short("中文" * 10, 21) == "中文" * 5 + "…" and plots.letters("中a") == 3


def test_paper_needs_no_second_drawing():
    found = charts.draw(sample.gpu_machine(), Texts(), screen=False)
    assert found and not [name for name, chart in found.items() if chart.narrow]


def test_charts_are_the_same_each_time(drawn):
    again = charts.draw(sample.gpu_machine(), Texts())
    assert {name: chart.svg for name, chart in again.items()} == {
        name: chart.svg for name, chart in drawn.items()
    }


def test_a_chart_drawn_again_is_the_same_to_the_byte():
    spec, _ = plots_roofline.roofline(sample.cpu_machine(), Texts())
    look = charts._look(plots.NARROW)
    again = getattr(vega.svg, "draw", vega.svg)  # not what another test drew
    assert again(spec, look) == again(spec, look)
    assert again(spec, look) != again(spec, {**look, "padding": 60})


def test_hostile_names_are_labels_and_nothing_else():
    advice = sample.gpu_machine()
    hostile = "<script>x</script>\u202e" + "B" * 500
    workloads = tuple(w.model_copy(update={"title": hostile + w.id}) for w in advice.workloads[:1])
    chart = charts.draw(advice.model_copy(update={"workloads": workloads}), Texts())["time"]
    assert (
        not chart.failure
        and "<script" not in chart.svg
        and "\u202e" not in chart.svg
        and "B" * 90 not in chart.svg
    )
    assert "&lt;script&gt;" in chart.svg


def test_a_failing_chart_leaves_a_notice_in_its_place(monkeypatch, tmp_path):
    def broken(chart, room):
        raise RuntimeError("the drawing library <broke>")

    monkeypatch.setattr(charts, "to_svg", broken)
    result = render_report(sample.cpu_machine(), tmp_path, formats=["html"])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Chart left out" in page and "the drawing library &lt;broke&gt;" in page and "<svg" not in page
    assert len(result.notices) == 5


def test_no_figures_no_chart():
    assert charts.draw(Advice(), Texts()) == {}


@pytest.mark.parametrize(
    "bad",
    [
        "<style>a{}</style>",
        "<foreignObject/>",
        "<script/>",
        '<a href="https://x.org"/>',
        '<path fill="var(--x)"/>',
        '<rect onclick="x()"/>',
        '<rect fill="url(https://x.org)"/>',
    ],
)
def test_forbidden_drawing_is_refused(bad):
    with pytest.raises(ValueError, match="the chart holds"):
        tidy(f'<svg xmlns="http://www.w3.org/2000/svg">{bad}</svg>', "x", "title")


def test_roofs_and_dots_stand_where_the_figures_are():
    advice = sample.cpu_machine()
    best = max(m.value for m in advice.calibration.find("matmul", "cpu", dtype="bf16"))
    width = max(m.value for m in advice.calibration.find("memory_bandwidth", "cpu"))
    chart, _ = plots_roofline.roofline(advice, Texts())
    spec = chart.to_dict()
    rows = [row for layer in spec["layer"] for row in layer["data"]["values"]]
    roof = [row for row in rows if row["name"].startswith("CPU")]
    assert max(row["y"] for row in roof) == best
    assert any(row["y"] == pytest.approx(width * row["x"]) for row in roof)
    # 2048 cubed in bf16: 2 n^3 operations over 3 n^2 elements of 2 bytes.
    assert any(
        row["x"] == pytest.approx(2 * 2048**3 / (3 * 2048**2 * 2)) and row["y"] == best for row in roof
    )


def test_grid_lines_are_powers_of_ten():
    assert plots.decades(0.5, 30) == pytest.approx([0.5, 1, 2, 5, 10, 20])
    assert plots.decades(3e9, 2e13) == pytest.approx([1e10, 1e11, 1e12, 1e13])


def test_fewer_elements_draw_the_same():
    drawing = """<svg xmlns="http://www.w3.org/2000/svg"><g><g transform="translate(0,0)">
    <path d="M0,0h0v0h0Z"/><path d="" display="none"/><g pointer-events="none">
    <line transform="translate(10,0)" x2="0" y2="-30.000000000000004" stroke="#dde2e6" opacity="1"/>
    <line transform="translate(20,0)" x2="0" y2="-30" stroke="#dde2e6" opacity="1"/>
    <line transform="translate(30,0)" x2="0" y2="-30" stroke="#6b7682" opacity="1"/>
    </g><text transform="translate(1,2)">t</text></g></g></svg>"""
    root = ET.fromstring(tidy(drawing, "p", "title"))
    assert [(one.tag.removeprefix(SVG), one.get("d"), one.get("stroke")) for one in root] == [
        ("title", None, None),
        ("path", "M10,0l0,-30M20,0l0,-30", "#dde2e6"),
        ("path", "M30,0l0,-30", "#6b7682"),
        ("text", None, None),
    ]
    assert root[-1].get("transform") == "translate(1,2)"


def test_a_chart_that_is_no_vega_lite_is_refused():
    chart = vega.mark("point", [{"x": 1.0}], {"x": vega.field("x:Q", scale={"type": "logarithmic"})})
    with pytest.raises(SchemaValidationError, match="logarithmic"):
        vega.svg(chart, {})
