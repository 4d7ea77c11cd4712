"""Plans of several jobs: written, drawn in both languages, made again; forged figures are found."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from held import at

from advisor.app_knowledge import Knowledge
from advisor.app_several import SeveralOptions, plan_several
from advisor.compare import compare
from advisor.errors import UserError
from advisor.render import render_report
from advisor.render.attach_fleet import fleet_files
from advisor.render.html import render_html
from advisor.render.texts import full_texts
from advisor.request import pick
from advisor.schema import Advice, FleetPlan, PlanLimits
from advisor.verify import verify

JOBS = """
[[job]]
model = "llama-3-8b"
method = "lora"
tokens = "100M"
deadline = "2d"
per_year = 20
title = "Weekly <b>adapters</b>"

[[job]]
model = "gpt2-124m"
tokens = "1B"
method = "pretrain"
per_year = 3
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Advice:
    """Two jobs on H100 or A100."""
    path = tmp_path_factory.mktemp("jobs") / "jobs.toml"
    path.write_text(JOBS)
    limits = PlanLimits(
        only=("nvidia-h100-sxm5-80gb", "nvidia-a100-sxm4-80gb"), max_devices=8, as_of="2026-11-21"
    )
    return plan_several(SeveralOptions(path, limits))[1]


def fleet_of(advice: Advice) -> FleetPlan:
    assert advice.fleet is not None
    return advice.fleet


def figure(of: Any, name: str) -> float:
    value = of.quantities[name].value
    assert isinstance(value, float)
    return value


def test_the_jobs_add_up_to_the_first_machines_with_their_ranges(planned: Advice) -> None:
    fleet = fleet_of(planned)
    first, runs = fleet.options[0], [job.option for job in fleet.jobs]
    for name in ("busy_s", "rent_usd", "energy_j"):
        of_job = f"year_{name}"
        assert figure(first, name) == pytest.approx(sum(figure(run, of_job) for run in runs))
        whole = first.quantities[name]
        parts = [run.quantities[of_job] for run in runs if run is not None]
        assert whole.low == pytest.approx(sum(part.low or 0 for part in parts))
        assert whole.high == pytest.approx(sum(part.high or 0 for part in parts))
        assert (
            whole.low is not None and whole.high is not None and whole.low < figure(first, name) < whole.high
        )
    assert {job.workload for job in fleet.jobs} == {"job-1", "job-2"} == {w.id for w in planned.workloads}
    assert [job.due for job in fleet.jobs] == [bool(job.title) for job in fleet.jobs], (
        "one deadline is stated"
    )


def test_it_is_sound_and_a_forged_figure_is_not(
    planned: Advice, knowledge: Knowledge, tmp_path: Path
) -> None:
    verdict = verify(at(tmp_path, planned), knowledge)
    assert verdict.sound and verdict.again is not None and verdict.again.figures > 20
    fleet = fleet_of(planned)
    first = fleet.options[0]
    rent = first.quantities["rent_usd"]
    cheap = rent.model_copy(update={"value": figure(first, "rent_usd") * 0.9, "low": 0.0})
    forged: list[dict[str, Any]] = [
        {"options": (first.model_copy(update={"quantities": {**first.quantities, "rent_usd": cheap}}),)},
        {"options": (first.model_copy(update={"price_note": "list price of today"}), *fleet.options[1:])},
        {"jobs": (fleet.jobs[0].model_copy(update={"per_year": 1.0}), *fleet.jobs[1:])},
        {"miss": "Nothing else does it."},
    ]
    for update in forged:
        advice = planned.model_copy(update={"fleet": fleet.model_copy(update=update)})
        assert verify(at(tmp_path, advice), knowledge).false, update
    stopped = planned.model_copy(update={"fleet": fleet.model_copy(update={"counted": 1})})
    assert verify(at(tmp_path, stopped), knowledge).judged == "could not be checked"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_is_sound_complete_and_foreign_names_are_text(
    planned: Advice, knowledge: Knowledge, tmp_path: Path, lang: str
) -> None:
    result = render_report(planned, tmp_path, formats=("html",), lang=lang)
    assert not result.notices, "all of it is told in the language"
    (path,) = result.written
    page = path.read_text(encoding="utf-8")
    assert "Weekly &lt;b&gt;adapters" in page and "<b>adapters" not in page
    assert page.count('class="chart"') >= 2 and "machines.csv" in page and "jobs.csv" in page
    verdict = verify(path, knowledge)
    assert verdict.sound and verdict.printed is not None and verdict.printed.exact
    if lang == "en":  # once is enough
        path.write_text(page.replace("GPT-2", "GPT-3"), encoding="utf-8")
        assert not verify(path, knowledge).sound


def test_the_first_page_answers_with_machines_money_and_share(planned: Advice) -> None:
    page = render_html(planned, full_texts("en"), {})
    fleet = fleet_of(planned)
    first = page.partition('class="legend"')[0]
    title = next(a.title for a in planned.accelerators if a.id == fleet.options[0].accelerator_id)
    assert title in first and "Rent a year" in first and "In use, of the year" in first
    assert first.count('class="rng"') >= 3, "three figures with ranges"


def test_the_tables_have_every_machine_and_job(planned: Advice) -> None:
    files = {
        name: list(csv.DictReader(io.StringIO(text))) for name, (_, text) in fleet_files(planned).items()
    }
    fleet = fleet_of(planned)
    assert len(files["machines.csv"]) == len(fleet.options) + len(fleet.left_out)
    assert [row["job"] for row in files["jobs.csv"]] == [job.workload for job in fleet.jobs]
    due = {row["title"]: row["deadline_s"] for row in files["jobs.csv"]}
    assert float(due["Weekly <b>adapters</b>"]) == 2 * 86400
    assert not fleet_files(planned.model_copy(update={"fleet": None}))


def test_a_request_is_for_the_job_that_is_named(planned: Advice) -> None:
    with pytest.raises(UserError, match="2 jobs") as caught:
        pick(planned)
    assert "job-1" in caught.value.hint
    for job in fleet_of(planned).jobs:
        choice = pick(planned, job.workload)
        assert choice.workload.id == job.workload == choice.key
        assert pick(planned, None, choice.key).workload.id == job.workload, "as a request's page asks again"
        assert choice.sizes["params"] > 1e8
    with pytest.raises(UserError, match="no job 'job-9'"):
        pick(planned, "job-9")


def test_two_of_them_compare_by_machines_and_by_job(planned: Advice) -> None:
    rows = {row.label: row for row in compare(planned, planned).of("plan")}
    assert rows["several jobs: machines"].judged == "alike" == rows["several jobs: rent a year"].judged
    fleet = fleet_of(planned)
    other = fleet.model_copy(update={"options": fleet.options[1:]})
    rows = {
        row.label: row for row in compare(planned, planned.model_copy(update={"fleet": other})).of("plan")
    }
    assert rows["several jobs: machines"].judged == "other"


def test_prices_of_a_region_are_those_of_the_file(knowledge: Knowledge, tmp_path: Path) -> None:
    path = tmp_path / "jobs.toml"
    path.write_text('[[job]]\nmodel = "gpt2-124m"\ntokens = "1B"\n')
    limits = PlanLimits(vendors=("huawei",), region="cn", max_devices=8, as_of="2026-11-21")
    found = plan_several(SeveralOptions(path, limits))[1]
    assert fleet_of(found).options and verify(at(tmp_path, found), knowledge).sound


def test_where_nothing_keeps_the_limits_the_page_says_what_would(tmp_path: Path) -> None:
    path = tmp_path / "jobs.toml"
    path.write_text('[[job]]\nmodel = "gpt2-124m"\ntokens = "1B"\n')
    limits = PlanLimits(only=("nvidia-h100-sxm5-80gb",), budget_usd=0.01, max_devices=8, as_of="2026-11-21")
    found = plan_several(SeveralOptions(path, limits))[1]
    assert not fleet_of(found).options
    page = render_html(found, full_texts("en"), {})
    assert "Nothing keeps the limits." in page and "It would do with --budget" in page
