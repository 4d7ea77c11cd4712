"""Surfaces over shapes: right at points, between them and beyond, and unknown where nothing was timed."""

from __future__ import annotations

import pytest

from advisor.schema import Calibration, Grade, Measurement
from advisor.search.surfaces import Surfaces, features, surface_of, surfaces_of, work

CALL, FLOP, BYTE = 1e-5, 1e-11, 1e-10
SIZES = [(1.0, m, n, k) for m in (16.0, 256.0, 1024.0) for n in (64.0, 512.0) for k in (64.0, 512.0)]


def taken(sizes):
    flops, moved = work("product.nn", sizes, 4.0)
    return CALL + flops * FLOP + moved * BYTE


def test_a_product_takes_what_calls_flops_and_bytes_cost_at_shapes_never_timed():
    surface = surface_of("product.nn", 4.0, [(sizes, taken(sizes)) for sizes in SIZES])
    for sizes in [(1.0, 100.0, 300.0, 200.0), (1.0, 4096.0, 4096.0, 2048.0), (8.0, 64.0, 64.0, 64.0)]:
        assert surface.seconds(sizes) == pytest.approx(taken(sizes), rel=0.02)


def test_a_shape_that_is_slow_is_slow_near_it_and_not_elsewhere():
    slow = (1.0, 16.0, 64.0, 64.0)
    points = [(sizes, taken(sizes) * (4.0 if sizes == slow else 1.0)) for sizes in SIZES]
    surface = surface_of("product.nn", 4.0, points)
    assert surface.seconds(slow) == pytest.approx(4 * taken(slow), rel=0.15)
    far = (1.0, 1024.0, 512.0, 512.0)
    assert surface.seconds(far) == pytest.approx(taken(far), rel=0.15)


def test_a_surface_knows_where_it_was_not_timed():
    slow = (1.0, 16.0, 64.0, 64.0)
    points = [(sizes, taken(sizes) * (2.0 if sizes == slow else 1.0)) for sizes in SIZES]
    surface = surface_of("product.nn", 4.0, points)
    near, far = surface.doubt(SIZES[3]), surface.doubt((1.0, 65536.0, 8.0, 8.0))
    assert far == pytest.approx(surface.spread, rel=0.01)
    assert near < 0.5 * far
    ladder = Surfaces([("fp32", [("mul", (1e3, 0), 2e-6), ("mul", (32e3, 0), 2e-5)])])
    assert ladder.doubt("mul", "float32", (1e3, 0)) == 0.0
    assert ladder.doubt("mul", "float32", (8e3, 0)) == pytest.approx(0.04)
    assert ladder.doubt("product.nn", "float32", slow) == 0.0, "unknown altogether"


def test_depthwise_convolutions_that_stride_are_told_from_those_that_do_not():
    plain = (2.0, 144.0, 144.0, 9.0, 144.0, 2048.0, 2048.0, 2.0)
    stride = (2.0, 144.0, 144.0, 9.0, 144.0, 512.0, 2048.0, 2.0)
    assert features("depthwise.back", plain)[5] == 0.0
    assert features("depthwise.back", stride)[5] == 2.0
    assert work("depthwise.back", plain, 4.0)[0] == 2 * 2.0 * 2048 * 144 * 9


def test_narrow_heads_take_as_long_as_their_exponentials():
    shapes = [
        (8.0, n, n, d, c) for n, d in ((64, 64), (256, 64), (512, 64), (128, 32), (256, 8)) for c in (0, 1)
    ]

    def took(sizes):
        heads, n, _, d, causal = sizes
        return heads * n * n * (0.5 if causal else 1.0) * (4 * d * FLOP + 2e-9) + CALL

    surface = surface_of("attention", 4.0, [(sizes, took(sizes)) for sizes in shapes])
    narrow = (40.0, 576.0, 576.0, 8.0, 0.0)
    assert surface.seconds(narrow) == pytest.approx(took(narrow), rel=0.1)


def test_a_recurrent_layer_takes_so_long_a_step_however_narrow_it_is():
    shapes = [
        (16, 4, 128, 128),
        (16, 16, 256, 512),
        (64, 4, 256, 512),
        (64, 16, 128, 256),
        (32, 16, 512, 512),
    ]

    def took(sizes):
        return CALL + sizes[0] * 2e-5 + work("recurrent", sizes, 4.0)[0] * FLOP

    surface = surface_of("recurrent", 4.0, [(sizes, took(sizes)) for sizes in shapes])
    assert surface.seconds((256, 2, 64, 64)) == pytest.approx(took((256, 2, 64, 64)), rel=0.1)


def ladder(dtype="fp32"):
    return (dtype, [("mul", (1e3, 12e3), 2e-6), ("mul", (1e6, 12e6), 2e-3), ("gelu", (1e3, 8e3), 9e-6)])


def test_what_moves_numbers_lies_on_a_line_between_two_rungs_and_goes_on_in_proportion():
    rungs = [("mul", (1e3, 0), 2e-6), ("mul", (1e5, 0), 101e-6), ("mul", (1e6, 0), 101e-4)]
    found = Surfaces([("fp32", rungs)])
    assert found.seconds("mul", "float32", (5e4, 0)) == pytest.approx(1e-6 + 5e-5), "a call and its numbers"
    assert found.seconds("mul", "float32", (1e5 * 10**0.5, 0)) == pytest.approx(1.01e-3), "leaving the caches"
    assert found.seconds("mul", "float32", (4e6, 0)) == pytest.approx(4 * 101e-4)
    assert found.seconds("mul", "float32", (10, 0)) == pytest.approx(2e-6)


def test_an_operator_never_timed_is_as_fast_as_two_tensors_read_and_one_written():
    found = Surfaces([ladder()])
    assert found.seconds("erfinv", "float32", (5e5, 12e6)) == pytest.approx(2e-3)


def test_a_product_never_timed_is_unknown():
    found = Surfaces([ladder()])
    assert found.seconds("product.nn", "float32", (1, 8, 8, 8)) is None
    assert Surfaces([]).seconds("mul", "float32", (8, 8)) is None


def test_grouped_products_are_one_group_after_the_other():
    points = [("product.nn", sizes, taken(sizes)) for sizes in SIZES]
    found = Surfaces([("fp32", points)])
    one = found.seconds("product.nn", "float32", (1.0, 64.0, 512.0, 64.0))
    assert found.seconds("grouped.nn", "float32", (8.0, 64.0, 512.0, 64.0)) == pytest.approx(8 * one)
    assert found.seconds("grouped.tn", "float32", (8.0, 64.0, 512.0, 64.0)) is None


def measured(value, grade):
    return Measurement(
        id="operators.moves.fp32.cpu", bench="operators", device="cpu", unit="s", value=value, grade=grade,
        params={"dtype": "fp32", "set": "moves"}, points=ladder()[1],
    )  # fmt: skip


def test_points_timed_beside_other_programs_are_not_used():
    quiet = Calibration(measurements=(measured(1.0, Grade.B),))
    busy = Calibration(measurements=(measured(None, Grade.C),))
    assert surfaces_of(quiet, "cpu") is not None
    assert surfaces_of(quiet, "cuda:0") is None
    assert surfaces_of(busy, "cpu") is None
