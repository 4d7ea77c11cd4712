"""Operators over shapes: each point runs, and a trace calls it what it was timed as."""

from __future__ import annotations

import pytest

from advisor.bench import operators
from advisor.bench.context import Context
from advisor.bench.devices import Device, Unable
from advisor.bench.noise import Watch
from advisor.bench.shapes import SETS, Maker, Point
from advisor.bench.sizes import sizes_of
from advisor.bench.timing import Block, Limits, Samples

torch = pytest.importorskip("torch", reason="the benches need torch")
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402 - after the skip

SMALL = 4e5  # bytes of a point that a test may run
NO_OPERATOR = ("calls", "fresh", "recurrent", "recurrent.back")  # layers, a chain, memory
SEVERAL = ("attention.back", "addcmul_", "rsqrt", "sqrt")


@pytest.fixture
def ctx():
    before = torch.get_num_threads()
    yield Context(torch, Device(torch, "cpu"), Limits(), Watch(), 1, 4 << 30)
    torch.set_num_threads(before)


class Seen(TorchDispatchMode):
    """What a trace would call each operator."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2]
        outputs = [o for o in (out if isinstance(out, (tuple, list)) else [out]) if hasattr(o, "numel")]
        tensors = []
        for arg in args:
            tensors += [a for a in (arg if isinstance(arg, (list, tuple)) else [arg]) if hasattr(a, "numel")]
        self.found.append(sizes_of(name, args, kwargs or {}, tensors, outputs))
        return out


def small(dtype):
    word = "fp32" if dtype == torch.float32 else "bf16"
    for name, points in SETS.items():
        for point in points(Maker(torch, "cpu", dtype, word)):
            if point.bytes < SMALL and point.operator not in NO_OPERATOR:
                yield name, point


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_a_trace_calls_every_operator_what_it_was_timed_as(dtype):
    seen_names = set()
    for name, point in small(dtype):
        with torch.no_grad():
            call = point.make()
            with Seen() as seen:
                call()
        told = {(operator, sizes) for operator, sizes, _ in seen.found}
        names = {operator for operator, _ in told}
        assert point.operator in names, (name, point.operator, names)
        seen_names.add(point.operator)
        if name != "moves" and point.operator not in SEVERAL:
            assert (point.operator, point.sizes) in told, (point.operator, point.sizes, told)
        elif name == "moves":
            numbers = [sizes[0] for operator, sizes in told if operator == point.operator]
            assert any(0.4 < got / point.sizes[0] < 2.6 for got in numbers), (point.operator, numbers)
    assert len(seen_names) > 50


def test_a_figure_has_every_point_and_is_a_pass_over_all(ctx, monkeypatch):
    def two(maker):
        yield Point("mul", (8.0, 96.0), 96.0, lambda: lambda: None)
        yield Point("add", (16.0, 192.0), 192.0, lambda: lambda: None)

    monkeypatch.setitem(SETS, "moves", two)
    [figure] = operators.operators(ctx, {"dtype": "fp32", "set": "moves"})
    assert [(name, sizes) for name, sizes, _ in figure.points] == [
        ("mul", [8.0, 96.0]),
        ("add", [16.0, 192.0]),
    ]
    total = sum(seconds for *_, seconds in figure.points)
    kept = sorted(figure.samples.kept() or figure.samples.all())
    assert kept[0] <= total * 1.5
    assert kept[-1] >= total * 0.7
    turns = operators.EFFORTS["full"].turns
    assert len(figure.samples.blocks) == 2 * turns, "of the better round of each"


def test_a_coarse_grid_is_a_part_of_the_full_one_with_every_operator_in_it():
    for name, points in SETS.items():
        full, few = (
            {(p.operator, p.sizes) for p in points(Maker(torch, "cpu", torch.float32, "fp32", full=full))}
            for full in (True, False)
        )
        assert few < full, name
        assert {operator for operator, _ in few} == {operator for operator, _ in full}
        assert len(few) < 0.8 * len(full)


def test_a_coarse_grid_takes_points_again_that_were_disturbed(ctx, monkeypatch):
    made = []

    def two(maker):
        for name in ("mul", "add"):
            yield Point(name, (8.0, 96.0), 96.0, lambda name=name: made.append(name) or (lambda: None))

    def timed(ctx, call, effort):
        waited = 0.5 if made == ["mul"] else 0.0
        return Samples(blocks=[Block(1e-6, waited)] * effort.turns)

    monkeypatch.setitem(SETS, "moves", two)
    monkeypatch.setattr(operators, "_time", timed)
    list(operators.operators(ctx, {"dtype": "fp32", "set": "moves", "grid": "coarse"}))
    assert made == ["mul", "add", "mul"]
    made.clear()
    list(operators.operators(ctx, {"dtype": "fp32", "set": "moves", "grid": "full"}))
    assert made == ["mul", "add", "mul", "add"]


def test_what_a_device_lacks_costs_itself_alone_and_all_of_it_is_refused(ctx, monkeypatch):
    def lacking():
        raise RuntimeError("not implemented for this device")

    def some(maker):
        yield Point("a", (8.0, 8.0), 8.0, lacking)
        yield Point("large", (8.0, 8.0), 1e15, lambda: lambda: None)
        yield Point("b", (8.0, 8.0), 8.0, lambda: lambda: None)

    monkeypatch.setitem(SETS, "moves", some)
    [figure] = operators.operators(ctx, {"dtype": "fp32", "set": "moves"})
    assert [name for name, *_ in figure.points] == ["b"]
    monkeypatch.setitem(SETS, "moves", lambda maker: [Point("a", (8.0, 8.0), 8.0, lacking)])
    with pytest.raises(Unable, match="not implemented for this device"):
        list(operators.operators(ctx, {"dtype": "fp32", "set": "moves"}))
