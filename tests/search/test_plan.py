"""What a plan answers: sense, limits, prices with dates, reasons for what is left out."""

from __future__ import annotations

import datetime
import itertools

import numpy as np
import pytest

from advisor.data.accelerator import is_old
from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.errors import UserError
from advisor.published import FILE, Published, load_published
from advisor.rulebook import RuleBook, load_book
from advisor.schema import Plan, PlanLimits, PlanOption, Workload
from advisor.search import workload_from_flags
from advisor.search.grid import Stated
from advisor.search.plan import Question, assumed, knee_of, plan, plan_traced
from advisor.search.plan_left import why_not
from advisor.search.plan_time import Calendar
from advisor.units import DAY_S

TODAY = "2026-11-21"
SERVERS = ("nvidia-h100-sxm5-80gb", "nvidia-a100-sxm4-80gb", "nvidia-h800-sxm5-80gb", "nvidia-gh200-96gb")


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_book([shipped("rules")])


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def published() -> Published:
    return load_published(shipped("rules") / FILE)


@pytest.fixture(scope="module")
def large(catalogue: Catalogue) -> Workload:
    return workload_from_flags(catalogue, "llama-3-70b", tokens=2e12, method="pretrain")


@pytest.fixture(scope="module")
def everything(book: RuleBook, catalogue: Catalogue, published: Published, large: Workload) -> Plan:
    limits = PlanLimits(deadline_days=60, max_devices=4096, as_of=TODAY)
    return plan(book, catalogue, large, limits, published)


def few(book: RuleBook, catalogue: Catalogue, job: Workload, **limits: object) -> Plan:
    """A plan over some servers, up to 2,048 devices."""
    given: dict[str, object] = {"only": SERVERS, "max_devices": 2048, "as_of": TODAY, **limits}
    return plan(book, catalogue, job, PlanLimits(**given))


def days(option: PlanOption, name: str = "calendar_s") -> float:
    value = option.quantities[name].value
    assert value is not None
    return value / DAY_S


def test_large_pretraining_never_lands_on_cards(everything: Plan, catalogue: Catalogue) -> None:
    assert len(everything.options) > 5
    assert not [o.label for o in everything.options if catalogue.accelerators[o.accelerator_id].card]
    assert "nvidia-rtx-4090-24gb" in {
        one.accelerator_id for one in everything.left_out if one.code == "memory"
    }


def test_lora_of_8b_fits_one_card_of_24_gb_and_full_training_does_not(
    book: RuleBook, catalogue: Catalogue
) -> None:
    for method, fits_one in (("lora", True), ("full", False)):
        job = workload_from_flags(catalogue, "llama-3-8b", tokens=1e6, method=method)
        found = few(book, catalogue, job, only=("nvidia-rtx-4090-24gb",), deadline_days=3650)
        counts = [step.option.devices for step in found.scaling]
        assert (1 in counts) == fits_one, method


def test_every_accelerator_is_an_option_or_left_out_with_a_reason(
    everything: Plan, catalogue: Catalogue
) -> None:
    told = [option.accelerator_id for option in everything.options]
    told += [one.accelerator_id for one in everything.left_out]
    assert sorted(told) == sorted(catalogue.accelerators)
    assert all(one.why.endswith(".") for one in everything.left_out)


def test_options_keep_the_deadline_with_the_stated_probability(everything: Plan) -> None:
    for option in everything.options:
        assert days(option, "calendar_at_s") <= 60
        assert option.chance is not None
        assert option.chance >= 0.9
        assert not option.breaks
    for one in everything.left_out:
        if one.code == "deadline" and one.nearest is not None:
            assert days(one.nearest, "calendar_at_s") > 60


def test_a_surer_plan_needs_more_or_quicker_devices(
    book: RuleBook, catalogue: Catalogue, large: Workload
) -> None:
    only = ("nvidia-h100-sxm5-80gb",)
    steps = few(book, catalogue, large, only=only, deadline_days=3650).scaling
    some = next(step.option for step in steps if step.option.devices == 1024)
    between = (days(some) * days(some, "calendar_at_s")) ** 0.5
    counts = [
        few(book, catalogue, large, only=only, deadline_days=between, confidence=p).options[0].devices
        for p in (0.5, 0.9)
    ]
    assert counts[0] <= some.devices < counts[1]


def test_old_prices_and_no_prices_come_after_young_ones(everything: Plan) -> None:
    kinds = [
        2 if option.quantities["rent_usd"].value is None else int(option.price_old or option.price_unsure)
        for option in everything.options
    ]
    assert kinds == sorted(kinds)
    assert set(kinds) == {0, 1, 2}
    assert everything.best["cost"].label == everything.options[0].label, "one rule for what leads by cost"
    without = [o for o in everything.options if o.quantities["rent_usd"].value is None]
    assert all(o.price_note == "no public price" and o.quantities["calendar_s"].value for o in without)


def test_a_price_is_old_after_180_days_or_without_a_date() -> None:
    today = datetime.date(2026, 11, 21)
    assert not is_old(datetime.date(2026, 5, 25), today)
    assert is_old(datetime.date(2026, 5, 24), today)
    assert is_old(None, today)


def test_the_front_is_what_nothing_else_beats(everything: Plan) -> None:
    def figures(option: PlanOption) -> list[float]:
        names = ("calendar_at_s", "rent_usd", "energy_j")
        return [option.quantities[name].value or np.inf for name in names]

    front = [figures(option) for option in everything.front]
    assert len(front) > 3
    for option in everything.options:
        mine = figures(option)
        if mine in front or np.isinf(mine).any():
            continue
        assert any(all(a <= b for a, b in zip(one, mine, strict=True)) for one in front), option.label
    known = [np.array(one) for one in front if not np.isinf(one).any()]
    for a, b in itertools.permutations(known, 2):
        assert not (a <= b).all()


def test_the_scaling_table_says_what_a_day_costs(everything: Plan) -> None:
    steps = everything.scaling
    assert len({step.option.accelerator_id for step in steps}) == 1
    for before, after in itertools.pairwise(steps):
        assert after.option.devices > before.option.devices
        cost = [step.option.quantities["rent_usd"].value or 0.0 for step in (before, after)]
        saved = days(before.option) - days(after.option)
        each = pytest.approx((cost[1] - cost[0]) / saved) if saved > 0 else None
        assert after.usd_per_day_saved == each


@pytest.mark.parametrize("deadline", [20, 60, 300])
@pytest.mark.parametrize("device", ["nvidia-h100-sxm5-80gb", "nvidia-b200-sxm-180gb"])
def test_so_many_times_the_devices_are_no_quicker_than_so_many_times(  # noqa: PLR0917 - cases
    book: RuleBook, catalogue: Catalogue, published: Published, large: Workload, device: str, deadline: int
) -> None:
    """One kind of layout along the table: at no count a way opens that those before were denied."""
    limits = PlanLimits(only=(device,), deadline_days=deadline, max_devices=4096, as_of=TODAY)
    steps = [step.option for step in plan(book, catalogue, large, limits, published).scaling]
    several = [option for option in steps if option.devices >= 64]  # fewer have no room for what speeds it
    assert len(several) > 3
    for before, after in itertools.pairwise(several):
        quicker = days(before) / days(after)
        assert 1.03 < quicker < 1.2 * after.devices / before.devices, (before.label, after.label)


def test_the_knee_lies_farthest_below_the_line_between_the_ends() -> None:
    time, cost = np.array([1.0, 2.0, 4.0, 16.0]), np.array([80.0, 12.0, 10.0, 9.0])
    assert knee_of(time, cost) == 1
    assert knee_of(time[:2], cost[:2]) is None


def test_limits_that_contradict_each_other_are_named(
    book: RuleBook, catalogue: Catalogue, large: Workload
) -> None:
    only = ("nvidia-h100-sxm5-80gb",)
    quick = few(book, catalogue, large, only=only, deadline_days=25)
    assert quick.options
    found = few(book, catalogue, large, only=only, deadline_days=25, max_power_w=5e5)
    assert not found.options
    assert "--deadline and --max-power contradict each other" in found.miss
    assert "--deadline" in found.relax or "--max-power" in found.relax


def test_what_comes_nearest_would_do_with_what_is_said(
    book: RuleBook, catalogue: Catalogue, large: Workload
) -> None:
    only = ("nvidia-h100-sxm5-80gb",)
    found = few(book, catalogue, large, only=only, deadline_days=2)
    assert not found.options
    enough = float(found.relax.split("--deadline ")[1].split("d")[0])
    assert few(book, catalogue, large, only=only, deadline_days=enough).options


def test_a_budget_is_kept_with_the_probability_too(
    book: RuleBook, catalogue: Catalogue, large: Workload
) -> None:
    only = ("nvidia-h100-sxm5-80gb",)
    free = few(book, catalogue, large, only=only, deadline_days=365).options[0]
    cost, late = (free.quantities[name].value or 0.0 for name in ("rent_usd", "rent_at_usd"))
    assert cost < late
    assert few(book, catalogue, large, only=only, deadline_days=365, budget_usd=late * 1.01).options
    tight = few(book, catalogue, large, only=only, deadline_days=365, budget_usd=cost)
    assert free.label not in [option.label for option in tight.options]
    assert all((option.quantities["rent_at_usd"].value or 0.0) <= cost for option in tight.options)
    steps = few(book, catalogue, large, only=only, deadline_days=365, budget_usd=cost / 100).scaling
    assert steps and all("budget" in step.option.breaks for step in steps)


def test_a_stock_trainer_leads_where_it_gives_away_little_and_what_it_gives_away_is_told(
    book: RuleBook, catalogue: Catalogue, published: Published, large: Workload
) -> None:
    """Fine-tunes are set up so by nearly all; of pre-training it may cost a quarter more, and no more
    devices than that."""
    limits = PlanLimits(only=("nvidia-h100-sxm5-80gb",), deadline_days=40, max_devices=4096, as_of=TODAY)
    tune = workload_from_flags(catalogue, "llama-3-8b", tokens=1e8, method="full")
    stock = plan(book, catalogue, tune, limits, published).options[0]
    assert stock.choices["stack"] == "torch" and not stock.beyond
    assert "Megatron" in stock.beside and "quicker" in stock.beside
    best = plan(book, catalogue, large, limits, published).options[0]
    assert best.choices["stack"] == "megatron" and "pp" not in best.choices
    assert "a stock trainer alone" in best.beside and "slower" in best.beside
    stated = Question(book, catalogue, large, limits, published, Stated(stack="torch"))
    slow = plan_traced(stated)[0].options[0]
    assert best.devices < slow.devices, "what the taste had cost"


def test_a_limit_is_kept_by_whatever_layout_keeps_it(
    book: RuleBook, catalogue: Catalogue, published: Published
) -> None:
    """A stock trainer's layout keeps a deadline of 20 days on twice as many devices alone, whose power is
    too much: these limits do not contradict each other."""
    job = workload_from_flags(catalogue, "llama-3-70b", tokens=2e12, method="pretrain")
    limits = PlanLimits(only=("nvidia-h100-sxm5-80gb",), deadline_days=20, max_power_w=2.5e6, as_of=TODAY)
    found = plan(book, catalogue, job, limits, published)
    assert found.options and found.options[0].devices == 2048


def test_racks_of_72_take_a_batch_that_parts_over_them(
    book: RuleBook, catalogue: Catalogue, published: Published, large: Workload
) -> None:
    only = ("nvidia-gb200-186gb",)
    limits = PlanLimits(only=only, deadline_days=365, max_devices=288, as_of=TODAY)
    steps = {
        step.option.devices: step.option for step in plan(book, catalogue, large, limits, published).scaling
    }
    racks = [option for count, option in steps.items() if count % 72 == 0]
    assert racks and not any(option.beyond for option in racks)
    for option in racks:
        batch, replicas = float(option.choices["batch"]), float(option.choices["dp"])
        assert batch % replicas == 0 and 7 / 8 * 2048 <= batch < 2048
    told = large.recipe.model_copy(update={"stated": ("global_batch",)})
    held = large.model_copy(update={"recipe": told})
    asked = plan(book, catalogue, held, limits, published)
    assert not any("batch" in step.option.choices for step in asked.scaling), "a stated batch holds"


def test_wrong_names_and_numbers_are_user_errors(
    book: RuleBook, catalogue: Catalogue, large: Workload
) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"only": ("nvidia-h100-sxm9-80gb",)}, "unknown accelerator"),
        ({"only": ("nvidia-h100",)}, "start of several"),
        ({"vendors": ("nvdia",), "only": ()}, "unknown vendor"),
        ({"vendors": ("amd",)}, "contradict each other"),
        ({"budget_usd": -1.0}, "not above zero"),
        ({"deadline_days": 0.0}, "not above zero"),
        ({"confidence": 1.0}, "not between"),
        ({"objective": "speed"}, "unknown objective"),
    ]
    for limits, said in cases:
        with pytest.raises(UserError, match=said) as caught:
            few(book, catalogue, large, **limits)
        assert caught.value.hint


def test_why_not_answers_for_options_left_out_and_not_asked_for(
    everything: Plan, catalogue: Catalogue
) -> None:
    first = everything.options[0].accelerator_id
    assert "best option" in why_not(everything, catalogue, first)
    assert "after" in why_not(everything, catalogue, everything.options[1].accelerator_id)
    assert "Short of memory by" in why_not(everything, catalogue, "nvidia-rtx-4090-24gb")
    assert "is not known" in why_not(everything, catalogue, "cerebras-wse3")
    with pytest.raises(UserError):
        why_not(everything, catalogue, "nvidia-h999")
    narrowed = everything.model_copy(update={"left_out": ()})
    assert "not asked for" in why_not(narrowed, catalogue, "nvidia-rtx-4090-24gb")


def test_what_may_befall_a_run_widens_its_time(book: RuleBook) -> None:
    """Every constant of the calendar with a range moves P90, those that take no side among them."""
    from advisor.search.plan_time import _own_constants

    own = _own_constants(book)
    assert {"whole_run", "hours_between_failures", "restart_hours", "aside_share"} <= set(own)
    assert book.constants["hours_between_failures"].better == "none"


def test_quantiles_and_chances_agree() -> None:
    calendar = Calendar(np.array([10.0]), np.array([8.0]), np.array([16.0]))
    assert calendar.at(0.9)[0] == pytest.approx(16)
    assert calendar.at(0.5)[0] == pytest.approx(10)
    assert calendar.at(0.1)[0] == pytest.approx(8)
    for p in (0.3, 0.8, 0.95):
        assert calendar.chance(float(calendar.at(p)[0]))[0] == pytest.approx(p)


def test_owning_follows_the_price_of_electricity_and_breaks_even(
    book: RuleBook, catalogue: Catalogue, large: Workload
) -> None:
    only = ("nvidia-a100-sxm4-80gb", "nvidia-h100-sxm5-80gb", "nvidia-b200-sxm-180gb")

    def own(*told: tuple[str, str]) -> dict[str, PlanOption]:
        found = few(
            book,
            catalogue,
            large,
            only=only,
            deadline_days=90,
            acquire="buy",
            assumed=assumed(book, dict(told)),
        )
        return {option.accelerator_id: option for option in found.options}

    plain, dear = own(), own(("electricity_price", "0.50 USD/kWh"))
    free = own(("electricity_price", "0"))
    known = [name for name in only if catalogue.accelerators[name].bought is not None]
    assert known
    for name in known:
        quantities = [one[name].quantities for one in (free, plain, dear)]
        costs = [q["own_usd"].value or 0.0 for q in quantities]
        energy_kwh = (plain[name].quantities["energy_j"].value or 0.0) / 3.6e6
        assert costs[2] - costs[0] == pytest.approx(0.5 * energy_kwh)
        assert costs[1] - costs[0] == pytest.approx(0.11 * energy_kwh)
        assert (plain[name].quantities["purchase_usd"].value or 0.0) > 1e6
        assert plain[name].price_note.startswith("list price")
    for option in plain.values():
        if option.accelerator_id not in known:
            assert option.quantities["own_usd"].value is None
            assert option.quantities["own_usd"].reason == "no list price"


def test_assumptions_are_checked(book: RuleBook) -> None:
    assert assumed(book, {"pue": "1.1"})["pue"].value == pytest.approx(1.1)
    assert assumed(book, {"electricity_price": "0.36"})["electricity_price"].value == pytest.approx(1e-7)
    for told, said in (
        ({"electricty_price": "1"}, "no assumption"),
        ({"electricity_price": "1 kg"}, "kg"),
        ({"pue": "-1"}, "below zero"),
        ({"launch_seconds": "1"}, "no assumption"),
    ):
        with pytest.raises(UserError, match=said):
            assumed(book, told)


def test_the_best_option_can_be_traced_to_its_sources(
    book: RuleBook, catalogue: Catalogue, published: Published, large: Workload
) -> None:
    limits = PlanLimits(only=SERVERS, max_devices=2048, as_of=TODAY, deadline_days=60)
    found, trace = plan_traced(Question(book, catalogue, large, limits, published))
    best = found.options[0].quantities
    for name in ("calendar_s", "memory_bytes", "rent_usd", "energy_j"):
        steps = {step.quantity: step for step in trace[best[name].trace]}
        values = [step.value for step in steps.values() if step.value is not None]
        assert any(value == pytest.approx(best[name].value) for value in values), name
    told = {step.quantity: step for step in trace[best["calendar_s"].trace]}
    assert told["neighbour_factor"].source
    assert told["micro_batch"].source.startswith("found by the search")


def test_the_lead_is_what_the_price_may_rise(
    book: RuleBook, catalogue: Catalogue, large: Workload, everything: Plan
) -> None:
    only = ("nvidia-h100-sxm5-80gb", "nvidia-a100-sxm4-80gb")
    two = few(book, catalogue, large, only=only, deadline_days=365)
    first, second = (option.quantities["rent_usd"].value or 0.0 for option in two.options)
    assert two.lead is not None and two.lead == pytest.approx(second / first - 1) and two.lead > 0
    assert (everything.lead is None) == bool(everything.cheaper()), "then it is not the cheapest"


def test_an_options_memory_has_a_range_and_tight_is_its_upper_end(
    catalogue: Catalogue, everything: Plan
) -> None:
    for option in everything.options:
        need = option.quantities["memory_bytes"]
        assert need.value and need.low and need.high and need.low < need.value < need.high, option.label
        entry = catalogue.accelerators[option.accelerator_id]
        if option.tight:  # usable is a little less than the vendor's
            assert need.high > 0.9 * (entry.memory_bytes or 0.0) / entry.devices_per_package, option.label
