"""Estimates on the catalogue: the fewest devices that end in time in nine runs of ten, not in five."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from few import little_knowledge

from advisor.render.select import state
from advisor.schema import Estimate, PlanLimits
from advisor.schema.leading import leading
from advisor.search import estimates_catalogue
from advisor.search.elsewhere import _Corrected
from advisor.search.elsewhere_space import Candidate, CatalogueSpace, fewest_in_time
from advisor.search.grid import NOTHING_STATED
from advisor.search.layouts import Index, layouts_of
from advisor.search.nearby import FACTOR
from advisor.search.one import estimate_one, place_of
from advisor.search.plan import plan
from advisor.search.plan_product import Array
from advisor.units import DAY_S

KNOWN = little_knowledge()


def searched(
    late: list[list[float]], guess: list[int], limit: float = 10.0
) -> tuple[list[int], list[float], int]:
    """What is found in such times (0: no candidate there), from such guesses, and how many were asked."""
    times = np.array(late)
    steps = np.where(times > 0, np.arange(times.size).reshape(times.shape), -1)
    asked: list[int] = []

    def late_of(rows: Index, at: Index) -> Array:
        asked.extend(at.tolist())
        assert (steps[rows] == at[:, None]).any(axis=1).all()
        return times.ravel()[at]

    guessed = np.zeros(times.shape, dtype=bool)
    for row, place in enumerate(guess):
        guessed[row, place:] = place >= 0
    found, how_late = fewest_in_time(steps, guessed, np.full(len(late), limit), late_of)
    assert len(asked) == len(set(asked)), "nothing is asked twice"
    return [int(one) % times.shape[1] for one in found], how_late.tolist(), len(asked)


@pytest.mark.parametrize(
    ("late", "guess", "place"),
    [
        ([40, 20, 9, 5], 2, 2), ([40, 20, 9, 5], 0, 2), ([40, 20, 9, 5], 3, 2), ([9, 5, 3, 1], 3, 0),
        ([40, 30, 20, 11], 1, 3), ([40, 30, 20, 11], -1, 3), ([0, 40, 0, 9], 1, 3), ([0, 9, 0, 5], 3, 1),
        ([40, float("nan"), 9, 5], 0, 2),
    ],
)  # fmt: skip
def test_the_fewest_in_time_are_found_from_any_guess(late: list[float], guess: int, place: int) -> None:
    found, how_late, asked = searched([late], [guess])
    assert found == [place] and how_late == [late[place]]
    assert asked <= sum(one != 0 for one in late)


def test_pairs_are_searched_side_by_side() -> None:
    found, _, _ = searched([[40, 20, 9, 5], [9, 5, 3, 1], [40, 30, 20, 11]], [0, 2, -1])
    assert found == [2, 0, 3]


@pytest.fixture(scope="module")
def everywhere() -> list[Estimate]:
    return estimates_catalogue(KNOWN.book, KNOWN.catalogue, KNOWN.catalogue.workloads, KNOWN.published)[0]


def test_in_time_is_what_nine_runs_of_ten_keep(everywhere: list[Estimate]) -> None:
    jobs = {job.id: job for job in KNOWN.catalogue.workloads}
    due = [one for one in everywhere if one.purpose == "deadline"]
    assert due
    for one in due:
        late, limit = one.quantities["calendar_at_s"].value, jobs[one.workload].deadline_days
        assert late is not None and limit is not None
        assert bool(one.fits) == (late <= limit * DAY_S)
        assert not one.fits or state(one, jobs[one.workload]) == "in_time"
        assert late > (one.quantities["time_s"].value or 0.0)


def test_a_limit_between_the_middle_and_the_late_end_takes_more_devices() -> None:
    job = KNOWN.catalogue.workloads[0]
    only = {"nvidia-h100-sxm5-80gb": KNOWN.catalogue.accelerators["nvidia-h100-sxm5-80gb"]}
    catalogue = dataclasses.replace(KNOWN.catalogue, accelerators=only)

    def within(days: float) -> Estimate:
        asked = job.model_copy(update={"deadline_days": days})
        found = estimates_catalogue(KNOWN.book, catalogue, [asked], KNOWN.published)[0]
        return next(one for one in found if one.purpose == "deadline")

    loose = within(1000.0)
    assert loose.target.devices == 1
    middle = (loose.quantities["time_s"].value or 0.0) / DAY_S
    late = (loose.quantities["calendar_at_s"].value or 0.0) / DAY_S
    assert within(1.01 * late).target.devices == 1
    tight = within((middle + late) / 2)
    assert tight.target.devices > 1 and tight.fits
    none = within(1e-6)
    assert none.fits is False and none.limit == "time" and "nine runs of ten up to" in none.why


def test_rows_corrected_in_parts_are_those_corrected_at_once() -> None:
    devices = tuple(KNOWN.catalogue.accelerators.values())
    space = CatalogueSpace(KNOWN.book, KNOWN.catalogue.workloads, devices)
    pairs = [(row, int(space.job[row]), int(space.device[row])) for row in (0, 45, 90, 135)]
    some = [Candidate(*pair, "fit", True) for pair in pairs]
    once = _Corrected(KNOWN.book, space, space.table, KNOWN.published).of(some)
    parts = _Corrected(KNOWN.book, space, space.table, KNOWN.published)
    parts.of(some[2:])
    again = parts.of(some)
    assert len(parts.place) == len(some), "each is asked once"
    for at in range(len(some)):
        assert again.runs(at) == once.runs(at) and again.notes(at) == once.notes(at)
        assert again.table.sources[FACTOR][at] == once.table.sources[FACTOR][at]
    np.testing.assert_allclose(again.table.columns[FACTOR], once.table.columns[FACTOR])
    for mine, whole in zip(again.table.ranges[FACTOR], once.table.ranges[FACTOR], strict=True):
        np.testing.assert_allclose(mine, whole)


def test_what_the_stated_micro_batch_is_too_much_for_is_halved_before_recomputation() -> None:
    """GPT-2 in batches of 8 is too much for 10 GB; single samples would make a quarter more of its time."""
    job = next(one for one in KNOWN.catalogue.workloads if one.id == "gpt2-124m-10b")
    tried = [(one.micro_batch, one.recompute) for one in layouts_of(job)]
    assert tried == [(8, "none"), (4, "none"), (2, "none"), (1, "none"), (1, "full")]


def test_a_scan_says_what_an_estimate_says_of_the_same_devices(everywhere: list[Estimate]) -> None:
    """Micro-batches of the reference recipes had made a scan up to half as slow again."""
    jobs = {job.id: job for job in KNOWN.catalogue.workloads}
    asked = [one for one in everywhere if one.purpose == "deadline" and one.fits]
    assert len(asked) == 8
    for one in asked:
        entry = KNOWN.catalogue.accelerators[one.target.accelerator_id]
        place = place_of(entry, int(one.target.packages))
        alone = estimate_one(KNOWN.book, jobs[one.workload], place, NOTHING_STATED, KNOWN.published).estimate
        assert one.choices["micro_batch"] == alone.choices["micro_batch"], one.target.label
        for name in ("time_s", "calendar_s", "calendar_rent_usd"):
            mine, other = one.quantities[name], alone.quantities[name]
            assert mine.value == pytest.approx(other.value, rel=0.01), (one.target.label, name)
            assert mine.high == pytest.approx(other.high, rel=0.02), (one.target.label, name)


def test_what_leads_a_scan_leads_a_plan(everywhere: list[Estimate]) -> None:
    """An accelerator on which nobody published such a run was rented for ResNet-50, and by a plan was not."""
    for job in KNOWN.catalogue.workloads:
        limits = PlanLimits(deadline_days=job.deadline_days)
        planned = plan(KNOWN.book, KNOWN.catalogue, job, limits, KNOWN.published)
        mine = [one for one in everywhere if one.workload == job.id and one.purpose == "deadline"]
        best = leading(mine)
        assert best is not None and best.target.label == planned.options[0].label
        flags = {one.accelerator_id: one.untried for one in planned.options}
        for one in mine:
            if one.target.accelerator_id in flags:
                assert ("untried" in one.behind) == flags[one.target.accelerator_id]
    untried = [one for one in everywhere if "untried" in one.behind and one.workload == "resnet50-imagenet"]
    assert {one.target.accelerator_id for one in untried} == {"amd-mi300x-192gb"}


def test_what_fits_at_its_upper_end_goes_before_what_may_not(everywhere: list[Estimate]) -> None:
    card = [one for one in everywhere if one.target.accelerator_id == "nvidia-rtx-4090-24gb"]
    room = KNOWN.catalogue.accelerators["nvidia-rtx-4090-24gb"].memory_bytes or 0.0
    assert card and all((one.quantities["memory_bytes"].high or 0.0) <= room for one in card if one.fits)
