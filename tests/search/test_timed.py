"""A traced network from its operators' times: sums, what is beside them, and refusals with their reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest
from few import shipped_knowledge

from advisor.schema import Calibration, Grade, Measurement
from advisor.search.timed import (
    BATCHES,
    COLUMNS,
    PROCESS_COLUMNS,
    Untimed,
    grid_of,
    pass_of,
    process_inputs,
    timed_inputs,
    timed_of,
    timed_parts,
)

BOOK = shipped_knowledge().book
SHARE, BESIDE = (BOOK.constants[name].value for name in ("fresh_share", "calls_beside"))
POINTS = {
    "moves": [
        ("mul", (1e3, 12e3), 1e-6), ("mul", (1e6, 12e6), 1e-3), ("calls", (100.0, 0.0), 5e-4),
        ("fill_", (1e3, 4e3), 1e-6), ("fill_", (1e6, 4e6), 1e-3), ("fresh", (1e7, 4e7), 2e-2),
    ],
    "products": [("product.nt", (1.0, m, 64.0, 64.0), 2.0 * m * 64 * 64 / 1e9) for m in (8.0, 64.0, 512.0)],
}  # fmt: skip
DOCUMENT = {
    "trainable": 1000,
    "memory": {"kept": [0.0, 4e6], "casts": [0.0, 0.0]},
    "phases": {"forward": [[0.0, 1e6]], "backward": [[2e6, 1e6]], "optimizer": [[9e9, 0.0]]},
    "own": {
        "process": 3e8,
        "views": {"forward": 10, "backward": 10, "optimizer": 0},
        "rows": [
            ["forward", "product.nt", "float32", 2, [[1, 0], [0, 64], [64, 0], [64, 0]], [0, 16384]],
            ["backward", "mul", "float32", 1, [[0, 1e6], [0, 12e6]], [0, 4e6]],
            ["optimizer", "mul", "float32", 4, [[1000, 0], [12e3, 0]], [0, 0]],
        ],
    },
}


def calibration(*leave_out, grade=Grade.B):
    sets = [
        Measurement(id=f"operators.{name}", bench="operators", device="cpu", unit="s", value=1.0, grade=grade,
                    params={"dtype": "fp32", "set": name}, points=tuple(points))
        for name, points in POINTS.items() if name not in leave_out
    ]  # fmt: skip
    moved = Measurement(id="m", bench="memory_bandwidth", device="cpu", unit="B/s", value=1e10, grade=grade)
    return Calibration(started_at="2026-11-21T20:00:00+00:00", measurements=(*sets, moved))


def test_a_pass_is_the_sum_of_its_operators_calls_and_memory():
    one = timed_of(calibration(), "cpu", BOOK).one(DOCUMENT, 2)
    assert one.groups["products"] == pytest.approx(2 * 2 * 128 * 64 * 64 / 1e9, rel=0.02)
    assert one.groups["traffic"] == pytest.approx(2e-3)  # 2e6 numbers
    assert one.groups["calls"] == pytest.approx(23 * 5e-6 * BESIDE - 3 * 1e-6)
    fresh = (2e-2 - 1e-2) / 4e7
    # half of 2e6 + 2 x 1e6 is new; what was kept, and the weights forward and back, come from memory
    assert one.groups["memory"] == pytest.approx(SHARE * 4e6 * fresh + (8e6 + 2 * 4000) / 1e10)
    assert one.update == pytest.approx(4e-6 + 4 * 5e-6 - 4 * 1e-6 + 16 * 1000 / 1e10)
    assert one.seconds == pytest.approx(sum(one.groups.values()))


def test_results_too_large_to_be_kept_by_the_allocator_are_new_each_time():
    few, many = (timed_of(calibration(), "cpu", BOOK).one(DOCUMENT, n) for n in (8, 9))
    fresh = (2e-2 - 1e-2) / 4e7
    more = many.groups["memory"] - few.groups["memory"]  # 36 MB at 9 samples, 32 MB at 8
    assert more == pytest.approx(
        SHARE * (1e6 + 9 * 4e6) * fresh + 4e6 / 1e10
    )  # 36 MB at 9 samples, 32 MB at 8


def test_fewer_points_widen_the_range_and_it_is_said_where_and_what_helps():
    def only(*rows):
        """What was timed, with products at those rows alone, as slow as no line through them tells."""
        found = calibration("products")
        slow = {8.0: 3.0, 16.0: 1.0, 32.0: 2.0, 64.0: 1.0, 128.0: 2.5, 256.0: 1.0, 512.0: 2.0}
        points = tuple(("product.nt", (1.0, m, 64.0, 64.0), slow[m] * 2.0 * m * 64 * 64 / 1e9) for m in rows)
        grid = "coarse" if len(rows) < 5 else "full"
        more = Measurement(id="operators.products", bench="operators", device="cpu", unit="s", value=1.0,
                           grade=Grade.B, params={"dtype": "fp32", "grid": grid}, points=points)  # fmt: skip
        return found.model_copy(update={"measurements": (*found.measurements, more)})

    few, many = only(8.0, 512.0, 256.0), only(8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
    ranges = [timed_inputs(one, "cpu", DOCUMENT, BOOK).ranges["timed_pass_1"] for one in (few, many)]
    assert ranges[0][1] / ranges[0][0] > ranges[1][1] / ranges[1][0] > 1.0
    told = grid_of(few, "cpu", DOCUMENT, 1.0, BOOK)
    assert "a coarse grid of shapes" in told
    assert "product.nt" in told
    assert "--thorough" in told
    told = grid_of(many, "cpu", DOCUMENT, 1.0, BOOK)
    assert "the full grid" in told
    assert "--thorough" not in told
    assert grid_of(None, "cpu", DOCUMENT, 1.0, BOOK) == grid_of(many, "cpu", None, 1.0, BOOK) == ""


def test_results_of_the_update_are_new_memory_where_the_pass_left_no_hole_for_them():
    rows = [["optimizer", "sqrt", "float32", 1, [[1e5, 0], [8e5, 0]], [4e5, 0]]]
    pieces = {"forward": [[0.0, 1e6]], "backward": [[4e6, 1e5]], "optimizer": [[9e9, 0.0]]}
    document = {**DOCUMENT, "trainable": 1e6, "phases": pieces}
    without = {**document, "own": {**DOCUMENT["own"], "rows": DOCUMENT["own"]["rows"][:2]}}
    document["own"] = {**DOCUMENT["own"], "rows": DOCUMENT["own"]["rows"][:2] + rows}
    fresh = (2e-2 - 1e-2) / 4e7
    for samples, more in ((1, 4e5 * fresh), (32, 0.0)):  # 1e5 and 28e6 bytes beside the gradients
        one, other = (timed_of(calibration(), "cpu", BOOK).one(d, samples) for d in (document, without))
        assert one.groups["memory"] - other.groups["memory"] == pytest.approx(more, abs=1e-9)


def test_on_a_device_calls_and_work_overlap():
    here = replace(timed_of(calibration(), "cpu", BOOK), host=False)
    one = pass_of(here, DOCUMENT, 2)
    work = one.groups["products"] + one.groups["traffic"]
    assert one.groups["memory"] == 0.0
    assert work < one.seconds < work + 23 * 5e-6 * BESIDE


def test_columns_for_every_micro_batch_and_what_is_beside_them():
    found = timed_inputs(calibration(), "cpu", DOCUMENT, BOOK)
    assert set(found.values) == {*COLUMNS, *PROCESS_COLUMNS}
    times = [found.values[f"timed_pass_{n}"] for n in BATCHES]
    assert times == sorted(times)
    assert found.values["timed_process"] == 3e8
    assert (found.values["block_fixed"], found.values["block_each"]) == (0.0, 4e6)
    assert 0 < found.values["timed_forward_part"] < 1


@pytest.mark.parametrize(
    ("given", "document", "word"),
    [
        (None, DOCUMENT, "not calibrated"),
        (calibration(), None, "traced"),
        (Calibration(), DOCUMENT, "no operators were timed"),
        (calibration("products"), DOCUMENT, "product.nt"),
    ],
)
def test_unknown_has_a_reason(given, document, word):
    found = timed_inputs(given, "cpu", document, BOOK)
    assert set(found.values) == {*COLUMNS, *PROCESS_COLUMNS}
    assert not any(found.values[name] is not None for name in COLUMNS)
    assert all(word in found.reasons[name] for name in COLUMNS)
    assert (found.values["timed_process"] is None) == (document is None)
    assert timed_parts(timed_of(given, "cpu", BOOK), document, 1.0, 1) == {}


def test_a_network_of_operators_never_timed_is_not_guessed():
    rows = [["forward", "sort", "float32", 9, [[1e6, 0], [12e6, 0]], [0, 0]], *DOCUMENT["own"]["rows"]]
    document = {**DOCUMENT, "own": {**DOCUMENT["own"], "rows": rows}}
    found = timed_inputs(calibration(), "cpu", document, BOOK)
    assert "sort" in found.reasons["timed_pass_1"]
    one = timed_of(calibration(), "cpu", BOOK).one(document, 1)
    assert one.guessed > 0.5 * one.seconds


def test_what_an_optimizer_calls_its_operators_makes_no_guess():
    rows = [
        ["optimizer", "_foreach_add_", "float32", 9, [[1e6, 0], [12e6, 0]], [0, 0]],
        *DOCUMENT["own"]["rows"],
    ]
    one = timed_of(calibration(), "cpu", BOOK).one({**DOCUMENT, "own": {**DOCUMENT["own"], "rows": rows}}, 1)
    assert one.guessed == 0.0
    assert one.update > 9e-3


def test_a_format_never_timed_is_refused():
    rows = [["forward", "product.nt", "bfloat16", 1, [[1, 0], [0, 64], [64, 0], [64, 0]], [0, 0]]]
    document = {**DOCUMENT, "own": {**DOCUMENT["own"], "rows": rows}}
    with pytest.raises(Untimed, match="bfloat16"):
        timed_of(calibration(), "cpu", BOOK).one(document, 1)


def test_the_groups_of_a_step_of_several_passes():
    one = timed_of(calibration(), "cpu", BOOK).one(DOCUMENT, 2)
    parts = timed_parts(timed_of(calibration(), "cpu", BOOK), DOCUMENT, 2.0, 3)
    assert sum(parts.values()) == pytest.approx(3 * one.seconds + one.update)


def test_results_too_large_for_the_heap_are_new_in_every_update():
    rows = [["optimizer", "sqrt", "float32", 1, [[1e7, 0], [8e7, 0]], [4e7, 0]]]
    with_it = {**DOCUMENT, "own": {**DOCUMENT["own"], "rows": DOCUMENT["own"]["rows"] + rows}}
    wide = {**with_it, "phases": {**DOCUMENT["phases"], "forward": [[0.0, 1e9]]}}  # leaves holes of any size
    without = {**wide, "own": DOCUMENT["own"]}
    one, other = (timed_of(calibration(), "cpu", BOOK).one(d, 1) for d in (wide, without))
    fresh = (2e-2 - 1e-2) / 4e7
    assert one.groups["memory"] - other.groups["memory"] == pytest.approx(4e7 * fresh, rel=1e-6)


def test_memory_of_the_process_needs_no_calibration_but_the_processors():
    rows = [["optimizer", "sqrt", "float32", 1, [[1e5, 0], [8e5, 0]], [4e5, 0]]]
    document = {**DOCUMENT, "own": {**DOCUMENT["own"], "rows": DOCUMENT["own"]["rows"] + rows}}
    found = process_inputs("cpu", document)
    assert found.values == {"timed_process": 3e8, "update_result": 4e5, "block_fixed": 0.0, "block_each": 4e6}
    found = process_inputs("cuda:0", document)
    assert set(found.values.values()) == {None}
    assert all("device's memory" in reason for reason in found.reasons.values())
