"""Several workloads: sums over jobs, machines enough for a year, limits, and files that cannot be."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from few import shipped_knowledge

from advisor.app_several import SeveralOptions, read_jobs, run_several
from advisor.errors import DataError, UserError
from advisor.schema import PlanLimits
from advisor.search import workload_from_flags
from advisor.search.plan import plan
from advisor.search.plan_search import search
from advisor.search.plan_space import Space
from advisor.search.plan_taste import TASTE
from advisor.search.plan_together import search_together
from advisor.search.several import BATCH, Adder, several
from advisor.search.several_processes import add_all, processes_for
from advisor.search.several_taken import Counted
from advisor.units import YEAR_S

KNOWN = shipped_knowledge()
ONLY = "nvidia-h100-sxm5-80gb"
SMALL = workload_from_flags(KNOWN.catalogue, "gpt2-124m", tokens=1e9, method="pretrain")
LARGE = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="lora")


def adder(only: str = ONLY, **limits: object) -> Adder:
    told = PlanLimits.model_validate({"max_devices": 8, **limits})
    day = datetime.date(2026, 11, 21)
    return Adder(KNOWN.book, (KNOWN.catalogue.accelerators[only],), told, day, 8, KNOWN.published)


def test_two_jobs_take_what_each_takes() -> None:
    sums = []
    for jobs in ([Counted(SMALL, 3)], [Counted(LARGE, 5)], [Counted(SMALL, 3), Counted(LARGE, 5)]):
        one = adder()
        several(one, jobs)
        sums.append(one.sums[0, 1])
    small, large, both = sums
    assert both.jobs == 2
    assert both.busy_s == pytest.approx(small.busy_s + large.busy_s)
    assert both.rent_usd == pytest.approx(small.rent_usd + large.rent_usd)


def test_memory_is_bounded_by_devices_and_counts_not_by_jobs() -> None:
    one = adder()
    for number in range(6):
        one.add(Counted(SMALL, number + 1))
    assert len(one.sums) == 4, "1, 2, 4 and 8 devices"
    assert one.runs == 21


def test_more_work_takes_more_machines_and_none_is_used_above_its_share() -> None:
    few, many = several(adder(), [Counted(SMALL, 1)]), several(adder(), [Counted(SMALL, 100_000)])
    assert few.fleets[0].machines == 1
    fleets = (few.fleets[0], *many.fleets)
    share = KNOWN.book.constants["used_share"].value
    assert all(fleet.used <= share + 1e-9 for fleet in fleets)
    assert all(fleet.busy_s == pytest.approx(fleet.used * fleet.machines * YEAR_S) for fleet in fleets)


def test_limits_are_told_with_the_nearest() -> None:
    found = several(adder(budget_usd=0.01), [Counted(SMALL, 1)])
    assert not found.fleets and "USD" in found.miss
    enough = float(found.relax.removeprefix("It would do with --budget ").rstrip("."))
    assert several(adder(budget_usd=enough), [Counted(SMALL, 1)]).fleets, "what is said to do does"
    late = several(adder(deadline_days=1e-6, max_power_w=1.0), [Counted(SMALL, 1)])
    assert not late.fleets and "deadline" in late.miss
    assert late.relax.startswith("It would do with later deadlines and --max-power ")


def test_a_job_that_fits_nowhere_is_named() -> None:
    huge = workload_from_flags(KNOWN.catalogue, "llama-3.1-405b", tokens=1e9, method="full")
    found = several(adder("google-tpu-v5e"), [Counted(SMALL, 1), Counted(huge, 1)])
    assert not found.fleets and huge.title in found.miss
    hosted = several(adder(), [Counted(SMALL, 1), Counted(huge, 1)])
    assert not hosted.fleets and "1 of 2 jobs miss" in hosted.miss, "weights in the hosts' memory"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "jobs.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_ten_thousand_alike_jobs_are_one(tmp_path: Path) -> None:
    text = '[[job]]\nmodel = "gpt2-124m"\ntokens = "1B"\nper_year = 2\n' * 10_000
    jobs = read_jobs(write(tmp_path, text))
    assert len(jobs) == 1 and jobs[0]["per_year"] == 20_000


def test_a_file_of_jobs_is_planned_and_each_is_ticked(tmp_path: Path) -> None:
    text = "".join(f'[[job]]\nmodel = "gpt2-124m"\ntokens = "{at}B"\n' for at in (1, 2, 3))
    done: list[tuple[int, int]] = []
    found = run_several(
        SeveralOptions(
            write(tmp_path, text), PlanLimits(only=(ONLY,), max_devices=1),
            tick=lambda at, whole: done.append((at, whole)),
        )
    )  # fmt: skip
    assert done == [(3, 3)] and found.jobs == 3 and found.fleets, "a tick for each batch of searches"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no jobs"), ("[job]\nmodel = 1\n", "has no jobs"), ("jobs = 1\n", "jobs"),
        ('[[job]]\nmodl = "x"\n', "model"), ('[[job]]\nmodel = "gpt2-124m"\nper_year = -1\n', "per_year"),
        ('[[job]]\nmodel = "gpt2-124m"\nper_year = nan\n', "per_year"),
        ('[[job]]\nmodel = "gpt2-12m"\ntokens = "1B"\n', "job[0]"),
        ('[[job]]\nmodel = "gpt2-124m"\ntokens = "-1B"\n', "job[0]"),
        ('[[job]]\nmodel = "gpt2-124m"\nseq_len = 0\n', "seq_len"),
        ('[[job]]\nmodel = "gpt2-124m"\ndeadline = "-1d"\n', "deadline"),
        ("[[job]]\nper_year = 1\n", "no network"),
    ],
)  # fmt: skip
def test_a_wrong_file_names_the_job(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DataError) as error:
        run_several(SeveralOptions(write(tmp_path, text), PlanLimits(only=(ONLY,), max_devices=1)))
    assert told in error.value.message + error.value.hint and "jobs.toml" in error.value.message


def test_space_and_export_hold_for_all_machines_together(tmp_path: Path) -> None:
    path = write(tmp_path, '[[job]]\nmodel = "gpt2-124m"\ntokens = "1B"\nper_year = 200000\n')
    limits = PlanLimits(only=("dgx-h100",), max_devices=4096, max_rack_units=1000)
    found = run_several(SeveralOptions(path, limits))
    fleet = found.fleets[0]
    assert fleet.packages % 8 == 0
    assert fleet.rack_units == fleet.machines * fleet.packages
    tight = run_several(SeveralOptions(path, limits.model_copy(update={"max_rack_units": 8.0})))
    assert not tight.fleets and "rack units" in tight.miss
    with pytest.raises(UserError, match="leaves nothing"):
        run_several(SeveralOptions(path, limits.model_copy(update={"destination": "cn"})))


def test_jobs_that_differ_in_work_alone_share_a_search_and_have_their_own_figures() -> None:
    more = workload_from_flags(KNOWN.catalogue, "gpt2-124m", tokens=1.9e9, method="pretrain")
    shared, apart = adder(), adder()
    shared.add(Counted(SMALL, 1), Counted(more, 1))
    assert shared.searches == 1
    apart.add(Counted(SMALL, 1))
    apart.add(Counted(more, 1))
    assert apart.searches == 2, "the layout of a larger job is not that of a smaller"
    for key, one in apart.sums.items():
        assert shared.sums[key].busy_s == pytest.approx(one.busy_s, rel=TASTE.simpler - 1)
        assert shared.sums[key].rent_usd == pytest.approx(one.rent_usd, rel=TASTE.simpler - 1)
    assert shared.sums[0, 1].busy_s == pytest.approx(apart.sums[0, 1].busy_s, rel=1e-6)
    shared.add(Counted(SMALL, 2))
    assert shared.searches == 1, "known from before"
    shared.add(Counted(LARGE, 1))
    assert shared.searches == 2, "another network is searched for"


def test_one_job_takes_what_its_own_plan_says() -> None:
    one = adder(objective="time", deadline_days=30)
    one.add(Counted(LARGE, 2))
    limits = PlanLimits(only=(ONLY,), max_devices=8, objective="time", deadline_days=30)
    found = plan(KNOWN.book, KNOWN.catalogue, LARGE, limits, KNOWN.published).options[0]
    held = one.sums[0, found.devices]
    assert held.busy_s == pytest.approx(2 * (found.quantities["calendar_s"].value or 0.0), rel=1e-6)
    assert held.rent_usd == pytest.approx(2 * (found.quantities["rent_usd"].value or 0.0), rel=1e-6)


def test_small_jobs_run_beside_each_other_on_a_large_machine() -> None:
    one = adder()
    one.add(Counted(SMALL, 1))
    alone, whole = one.sums[0, 1], one.sums[0, 8]
    assert whole.busy_s <= alone.busy_s / 8 * (1 + 1e-9), "eight at a time on eight devices"


def test_a_job_of_few_samples_and_one_that_needs_many_devices_share_a_machine() -> None:
    tiny = workload_from_flags(KNOWN.catalogue, "gpt2-124m", tokens=1e8, method="full", batch=1)
    large = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="full")
    fleet = several(adder(), [Counted(tiny, 1), Counted(large, 1)]).fleets[0]
    assert fleet.packages > 1, "the large one needs several; a batch of one sample cannot use them"


def test_what_a_method_does_not_run_on_shifts_nobody_elses_figures() -> None:
    """Devices that a search leaves out must not lend their names to those that follow."""
    adapters = workload_from_flags(KNOWN.catalogue, "llama-3-8b", tokens=1e8, method="qlora")
    known = KNOWN.catalogue.accelerators
    one = adder()
    one = replace(one, devices=(known["google-tpu-v4"], known[ONLY]))
    fleets = several(one, [Counted(adapters, 1)]).fleets
    assert [fleet.accelerator_id for fleet in fleets] == [ONLY]


def test_a_stopped_run_tells_what_it_has(tmp_path: Path) -> None:
    def stop(_done: int, _whole: int) -> None:
        raise KeyboardInterrupt

    text = "".join(
        f'[[job]]\nmodel = "gpt2-124m"\ntokens = "1B"\nseq_len = {256 + at}\n' for at in range(2 * BATCH)
    )
    limits = PlanLimits(only=(ONLY,), max_devices=1)
    found = run_several(SeveralOptions(write(tmp_path, text), limits, tick=stop))
    assert found.jobs == BATCH and found.whole == 2 * BATCH and found.fleets


def test_a_job_without_a_deadline_may_take_longer_the_more_work_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, '[[job]]\nmodel = "llama-3-8b"\nmethod = "lora"\ntokens = "100B"\n')
    assert run_several(SeveralOptions(path, PlanLimits(only=(ONLY,), max_devices=1))).fleets
    late = PlanLimits(only=(ONLY,), max_devices=1, deadline_days=7)
    assert not run_several(SeveralOptions(path, late)).fleets


def three() -> list[Counted]:
    """Jobs of three shapes, one of which needs more than eight devices on some kinds."""
    large = workload_from_flags(KNOWN.catalogue, "llama-3-70b", tokens=1e7, method="lora")
    return [Counted(large, 2), Counted(LARGE, 5), Counted(SMALL, 3)]


def of_kinds(*names: str) -> Adder:
    day, limits = datetime.date(2026, 11, 21), PlanLimits(max_devices=64)
    devices = tuple(KNOWN.catalogue.accelerators[name] for name in names)
    return Adder(KNOWN.book, devices, limits, day, 64, KNOWN.published)


KINDS = (ONLY, "nvidia-rtx-4090-24gb", "google-tpu-v5e")


def test_jobs_searched_side_by_side_have_the_layouts_of_searches_of_their_own() -> None:
    together = of_kinds(*KINDS)
    together.add(*three())
    apart = [of_kinds(*KINDS) for _ in three()]
    for one, job in zip(apart, three(), strict=True):
        one.add(job)
    assert {at for at, _ in together.sums} == {0, 2}
    for key, sums in together.sums.items():
        each = [one.sums[key] for one in apart if key in one.sums]
        assert sums.jobs == len(each)
        assert sums.busy_s == pytest.approx(sum(one.busy_s for one in each), rel=1e-9)
        assert sums.rent_usd == pytest.approx(sum(one.rent_usd for one in each), rel=1e-9, nan_ok=True)


def test_a_search_side_by_side_is_that_of_a_plan() -> None:
    jobs = [one.job for one in three()]
    devices = [KNOWN.catalogue.accelerators[name] for name in KINDS]
    spaces = [Space(KNOWN.book, job, devices, 64) for job in jobs]
    for job, layouts in zip(jobs, search_together(spaces, KNOWN.published), strict=True):
        own = search(KNOWN.book, job, devices, KNOWN.published, 64)
        np.testing.assert_array_equal(layouts.site, own.device)
        np.testing.assert_array_equal(layouts.devices, own.space.set_ups["devices"][own.set_up])
        for name in ("tp", "pp", "micro_batch", "recompute_full", "sharding_fsdp"):
            np.testing.assert_array_equal(layouts.table.columns[name], own.near.table.columns[name])
        factor = layouts.table.columns["neighbour_factor"]
        np.testing.assert_allclose(factor, own.near.table.columns["neighbour_factor"], rtol=1e-9)


def test_processes_find_what_one_finds() -> None:
    one, many = of_kinds(*KINDS), of_kinds(*KINDS)
    parts = [[[job]] for job in three()]
    assert list(add_all(one, iter(parts), 1)) == [1, 2, 3]
    assert list(add_all(many, iter(parts), 2))[-1] == 3
    assert many.runs == one.runs
    assert [fleet.as_json() for fleet in many.result().fleets] == [
        {name: value if isinstance(value, (str, bool, tuple)) or value is None else pytest.approx(value)
         for name, value in fleet.as_json().items()}
        for fleet in one.result().fleets
    ]  # fmt: skip
    assert processes_for(3) == 1


def test_what_does_not_do_all_jobs_is_told_with_the_job() -> None:
    adder = of_kinds(*KINDS)
    adder.add(*three())
    found = adder.result()
    kept, told = {fleet.accelerator_id for fleet in found.fleets}, dict(found.left_out)
    assert kept | set(told) == set(KINDS) and not kept & set(told)
    assert told and any(job.job.title in why for why in told.values() for job in three())


def test_what_is_computed_at_another_formats_rate_is_marked_and_last() -> None:
    unrated = "nvidia-h800-pcie-80gb"
    assert not {"fp16", "bf16"} & set(KNOWN.catalogue.accelerators[unrated].peaks)
    adder = of_kinds(unrated, *KINDS)
    adder.add(Counted(SMALL, 3))
    fleets = adder.result().fleets
    assert [fleet.unrated for fleet in fleets] == [False] * (len(fleets) - 1) + [True]
    assert fleets[-1].accelerator_id == unrated
    free = replace(fleets[-1], rent_usd=0.0, price_old=False)
    assert adder.judge._rank(free) > adder.judge._rank(fleets[0]), "however little it costs"
    plain = workload_from_flags(KNOWN.catalogue, "gpt2-124m", tokens=1e9, method="pretrain", precision="fp32")
    adder = of_kinds(unrated, *KINDS)
    adder.add(Counted(plain, 3))
    assert not any(fleet.unrated for fleet in adder.result().fleets), "who asks for 32 bits compares alike"
