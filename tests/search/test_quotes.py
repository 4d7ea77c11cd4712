"""Quotes side by side: the same job and terms for all, what breaks, what is missing, what must be reached."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest
from few import shipped_knowledge

from advisor.app_options import WorkloadFlags
from advisor.app_quotes import QuoteOptions, run_quotes
from advisor.data.quotes import load_acceptance, read_quote
from advisor.data.systems import load_links, load_systems
from advisor.errors import UserError
from advisor.schema import PlanLimits, Workload
from advisor.search import workload_from_flags
from advisor.search.quotes import Judged, Terms, judge
from advisor.units import DAY_S, YEAR_S

KNOWN = shipped_knowledge()
SYSTEMS, LINKS = load_systems(KNOWN.folders, KNOWN.catalogue), load_links(KNOWN.folders)
JOB = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e9, method="full")
TERMS = Terms(5, {"USD": 1.0, "EUR": 2.0}, PlanLimits(), datetime.date(2026, 11, 21),
              acceptance=load_acceptance(KNOWN.folders))  # fmt: skip
LINES = {
    "nodes": '[[item]]\nkind = "nodes"\nsystem = "dgx-h100"\ncount = 2\nunit_price = 200000\n',
    "switches": '[[item]]\nkind = "switches"\nunit_price = 1000\npower = "1 kW"\n',
    "optics": '[[item]]\nkind = "optics"\nunit_price = 1000\n',
    "storage": '[[item]]\nkind = "storage"\nunit_price = 1000\npower = "1 kW"\n',
    "support": '[[item]]\nkind = "support"\nunit_price = 1000\nyears = 5\n',
}
HEAD = 'currency = "USD"\nvat = 0.2\ndelivery = "1 week"\nvalid_until = "2026-12-31"\n'


def judged(
    tmp_path: Path, text: str = HEAD + "".join(LINES.values()), terms: Terms = TERMS, job: Workload = JOB
) -> Judged:
    path = tmp_path / "q.toml"
    path.write_text(text, encoding="utf-8")
    quote = read_quote(path, KNOWN.catalogue, SYSTEMS, LINKS)
    return judge(KNOWN.book, KNOWN.catalogue, job, quote, terms, KNOWN.published)


def test_a_whole_quote_breaks_nothing_and_misses_nothing(tmp_path: Path) -> None:
    one = judged(tmp_path)
    assert (one.broken, one.missing, one.incomplete, one.devices) == ((), (), False, 16)
    assert one.gross_usd == pytest.approx(1.2 * 404000)
    assert one.nameplate_w == 2 * 10200 + 2000
    assert one.typical_w is not None and one.typical_w < one.nameplate_w


def test_cost_of_a_unit_follows_from_price_power_and_time(tmp_path: Path) -> None:
    one = judged(tmp_path)
    value = {name: KNOWN.book.constants[name].value for name in (
        "staff_share", "hosting_price", "used_share", "pue", "power_share", "electricity_price")}  # fmt: skip
    typical = 2 * 8400 + 2000 * value["power_share"]  # measured of a DGX, of the rest a share
    power = (22400 * value["hosting_price"]
             + typical * value["used_share"] * value["pue"] * value["electricity_price"])  # fmt: skip
    cost = 404000 + 5 * YEAR_S * (404000 * value["staff_share"] + power)
    assert one.cost_usd == pytest.approx(cost)
    assert one.calendar_s is not None
    runs = 5 * value["used_share"] * YEAR_S / one.calendar_s
    assert one.cost_per_unit_usd == pytest.approx(cost / runs), "a run is a billion tokens"
    assert one.cost_per_unit_range_usd is not None
    low, high = one.cost_per_unit_range_usd
    assert low < one.cost_per_unit_usd < high


@pytest.mark.parametrize("line", ["switches", "optics", "storage", "support"])
def test_what_a_quote_leaves_out_is_told_and_counts_as_incomplete(tmp_path: Path, line: str) -> None:
    one = judged(tmp_path, HEAD + "".join(text for name, text in LINES.items() if name != line))
    assert any(text.startswith(line) for text in one.missing) and one.incomplete


@pytest.mark.parametrize("key", ["vat", "delivery", "valid_until"])
def test_terms_that_are_left_out_are_told(tmp_path: Path, key: str) -> None:
    head = "".join(f"{row}\n" for row in HEAD.splitlines() if not row.startswith(key))
    assert len(judged(tmp_path, head + "".join(LINES.values())).missing) == 1


def test_unknown_power_makes_the_cost_unknown_not_smaller(tmp_path: Path) -> None:
    text = HEAD + "".join(LINES.values()).replace("dgx-h100", "hgx-h200")
    one = judged(tmp_path, text)
    assert one.nameplate_w is None and one.cost_usd is None and one.cost_per_unit_usd is None
    assert any("power" in told for told in one.missing)


def test_limits_that_break(tmp_path: Path) -> None:
    limits = PlanLimits(budget_usd=1000, max_power_w=1000, deadline_days=0.001)
    terms = dataclasses.replace(TERMS, limits=limits, max_rack_units=4, today=datetime.date(2027, 1, 1))
    broken = judged(tmp_path, terms=terms).broken
    assert [text.partition(":")[0] for text in broken] == ["budget", "power", "space", "deadline", "validity"]


def test_a_job_that_does_not_fit_has_no_work_a_year(tmp_path: Path) -> None:
    job = workload_from_flags(KNOWN.catalogue, "llama-3.1-405b", tokens=1e9, method="full")
    text = HEAD + LINES["nodes"].replace("dgx-h100", "workstation-rtx-4090").replace("count = 2", "count = 1")
    one = judged(tmp_path, text, job=job)
    assert (
        one.fits is False and one.work_per_year is None and one.broken[0].startswith("the job does not fit")
    )


def test_a_slow_network_between_the_nodes_costs_time(tmp_path: Path) -> None:
    slow = HEAD + "".join(LINES.values()).replace("count = 2", 'count = 2\nnetwork = "ethernet-10"', 1)
    fast = judged(tmp_path)
    one = judged(tmp_path, slow)
    assert one.calendar_s is not None and fast.calendar_s is not None and one.calendar_s > fast.calendar_s


def test_the_acceptance_test_has_figures_below_the_vendors(tmp_path: Path) -> None:
    told = " ".join(judged(tmp_path).acceptance)
    assert "16 devices" in told and "715 TFLOP/s" in told and "memory_bandwidth" in told and "step" in told


def test_links_and_network_are_accepted_by_their_own_figures(tmp_path: Path) -> None:
    told = judged(tmp_path).acceptance
    assert any("8 x InfiniBand NDR" in one and "50 GB/s" in one for one in told)
    inside, every = (one for one in told if "all_reduce_perf" in one)
    assert "8 of each node" in inside and "at least 292 GB/s" in inside, "0.65 of the 450 of NVLink"
    assert "all 16" in every and "at least 292 GB/s" in every, (
        "0.65 x 50 x 15 is more than the links inside carry"
    )
    alone = judged(tmp_path, HEAD + LINES["nodes"].replace("count = 2", "count = 1")).acceptance
    assert sum("all_reduce_perf" in one for one in alone) == 1
    cards = LINES["nodes"].replace(
        'system = "dgx-h100"', 'accelerator = "nvidia-l40s-48gb"\naccelerators = 4'
    )
    slow = cards + 'network = "infiniband-ndr"\nports = 1\n'
    (only,) = (one for one in judged(tmp_path, HEAD + slow).acceptance if "all_reduce_perf" in one)
    assert "all 8" in only and "at least 56.9 GB/s" in only, "0.65 of a quarter of 50 for each, seven times"


def test_the_rate_of_a_quotes_currency_is_told_with_its_day(tmp_path: Path) -> None:
    path = tmp_path / "q.toml"
    path.write_text((HEAD + "".join(LINES.values())).replace("USD", "CNY"), encoding="utf-8")
    flags = WorkloadFlags(model="llama-3-8b", method="lora", tokens=1e8)
    shipped = dict(run_quotes(QuoteOptions((path,), flags, PlanLimits())).assumed)["CNY"]
    assert shipped.startswith("0.1488 US dollars, 2026-08-26 (reference rate")
    stated = dict(run_quotes(QuoteOptions((path,), flags, PlanLimits(), rates={"CNY": 0.2})).assumed)["CNY"]
    assert stated == "0.2 US dollars, stated"


def test_a_currency_without_a_rate_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="CNY"):
        judged(tmp_path, (HEAD + LINES["nodes"]).replace("USD", "CNY"))
    assert judged(tmp_path, (HEAD + LINES["nodes"]).replace("USD", "EUR")).net_usd == 2 * 400000


def test_a_deadline_is_kept_with_the_confidence_asked_for(tmp_path: Path) -> None:
    whole = judged(tmp_path).estimate.quantities["calendar_s"]
    assert whole.value is not None and whole.high is not None
    days = (whole.value + whole.high) / 2 / DAY_S

    def broken(confidence: float) -> str:
        limits = PlanLimits(deadline_days=days, confidence=confidence)
        return " ".join(judged(tmp_path, terms=dataclasses.replace(TERMS, limits=limits)).broken)

    assert not broken(0.55) and "deadline: kept to with 90% probability" in broken(0.9)


def test_quotes_of_one_seller_are_told_apart_by_their_files(tmp_path: Path) -> None:
    text = 'seller = "Alpha"\n' + HEAD + "".join(LINES.values())
    paths = [tmp_path / name for name in ("a.toml", "b.toml", "c.toml")]
    for path, seller in zip(paths, ("Alpha", "Alpha", "Beta"), strict=True):
        path.write_text(text.replace("Alpha", seller), encoding="utf-8")
    asked = QuoteOptions(tuple(paths), WorkloadFlags(model="gpt2-124m", tokens=1e9), PlanLimits())
    titles = {one.title for one in run_quotes(asked).judged}
    assert titles == {"Alpha (a.toml)", "Alpha (b.toml)", "Beta"}


def test_accelerators_of_an_unknown_16_bit_rate_are_told_and_come_last(tmp_path: Path) -> None:
    unrated, files = "nvidia-h800-pcie-80gb", []
    assert not {"fp16", "bf16"} & set(KNOWN.catalogue.accelerators[unrated].peaks)
    for seller, name, price in (("a", unrated, 1), ("b", "nvidia-a100-pcie-80gb", 200000)):
        text = HEAD + (
            f'seller = "{seller}"\n[[item]]\nkind = "nodes"\naccelerator = "{name}"\naccelerators = 8\n'
            f'count = 1\nunit_price = {price}\npower = "6 kW"\n'
        )
        files.append(tmp_path / f"{seller}.toml")
        files[-1].write_text(text, encoding="utf-8")
    flags = WorkloadFlags(model="llama-3-8b", tokens=1e9, method="full")
    result = run_quotes(QuoteOptions(tuple(files), flags, PlanLimits(as_of="2026-11-21")))
    assert [(one.accelerator_id, one.unrated) for one in result.judged] == [
        ("nvidia-a100-pcie-80gb", False), (unrated, True)
    ]  # fmt: skip
