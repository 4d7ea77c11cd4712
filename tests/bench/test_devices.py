"""Devices with a torch of our own: no accelerator is needed to hold the logic."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from advisor.bench.context import MIB, Context
from advisor.bench.devices import Device, Unable, accelerators
from advisor.bench.noise import Watch
from advisor.bench.timing import EventClock, Limits, WallClock


class Tensor:
    def mul_(self, _factor):
        return self


class Event:
    """An event whose time line advances 2 ms per record."""

    now_ms = 0.0

    def __init__(self, enable_timing=False):
        assert enable_timing
        self.at = 0.0

    def record(self):
        Event.now_ms += 2.0
        self.at = Event.now_ms

    def elapsed_time(self, other):
        return other.at - self.at


def fake_torch(**modules):
    none = SimpleNamespace(is_available=lambda: False, device_count=lambda: 0)
    torch = SimpleNamespace(
        cuda=none,
        xpu=none,
        npu=none,
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: False)),
        ones=lambda *_a, **_k: Tensor(),
    )
    for name, module in modules.items():
        setattr(torch, name, module)
    return torch


def module(count=1, **more):
    return SimpleNamespace(
        is_available=lambda: count > 0, device_count=lambda: count, synchronize=lambda: None, **more
    )


def test_accelerators_are_named_as_torch_names_them():
    mps = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: True))
    torch = fake_torch(cuda=module(2), npu=module(1), backends=mps)
    assert accelerators(torch) == ["cuda:0", "cuda:1", "mps", "npu:0"]


def test_events_time_a_device_that_has_them():
    device = Device(fake_torch(cuda=module(Event=Event)), "cuda:0")
    assert isinstance(device.clock(), EventClock)


@pytest.mark.parametrize("broken", [{}, {"Event": lambda **_k: 1 / 0 if False else object()}])
def test_a_device_without_working_events_is_timed_by_the_wall_clock(broken):
    device = Device(fake_torch(xpu=module(**broken)), "xpu:0")
    assert isinstance(device.clock(), WallClock)


def test_describe_joins_on_the_uuid_that_nvml_tells():
    props = SimpleNamespace(name="NVIDIA H200", total_memory=141 << 30, uuid="1234-abcd")
    torch = fake_torch(cuda=module(get_device_properties=lambda _i: props))
    found = Device(torch, "cuda:0").describe()
    assert (found["title"], found["uuid"], found["total_bytes"]) == (
        "NVIDIA H200",
        "GPU-1234-abcd",
        141 << 30,
    )


def test_describe_survives_a_device_that_raises():
    def lost(_index):
        raise RuntimeError("CUDA error: unspecified launch failure")

    found = Device(fake_torch(cuda=module(get_device_properties=lost)), "cuda:0").describe()
    assert "unspecified launch failure" in found["error"]
    assert found["total_bytes"] is None


def context(device, host_free=None):
    return Context(SimpleNamespace(), device, Limits(), Watch(), 1, host_free)


def test_no_bench_takes_more_than_a_fifth_of_what_is_free():
    on_host = context(Device(fake_torch(), "cpu"), host_free=1000 * MIB)
    on_host.require(200 * MIB, "this")
    with pytest.raises(Unable, match="would need 201 MiB, and 20 % of the free memory is 200 MiB"):
        on_host.require(201 * MIB, "this")
    torch = fake_torch(cuda=module(mem_get_info=lambda _i: (500 * MIB, 800 * MIB)))
    on_device = context(Device(torch, "cuda:0"), host_free=10**12)
    with pytest.raises(Unable, match="is 100 MiB"):
        on_device.require(101 * MIB, "this")


def test_where_nothing_tells_what_is_free_sizes_are_chosen_with_caution_and_that_is_noted():
    nothing = context(Device(fake_torch(xpu=module()), "xpu:0"))
    assert nothing.free_assumed is False
    assert nothing.room() == int(0.2 * (2 << 30))
    assert nothing.free_assumed is True
    with pytest.raises(Unable, match="how much memory is free is not known, and 410 MiB are taken at most"):
        nothing.require(1 << 30, "this")
    props = SimpleNamespace(total_memory=64 << 30)
    total = context(Device(fake_torch(xpu=module(get_device_properties=lambda _i: props)), "xpu:0"))
    assert total.room() == int(0.2 * (16 << 30))
    known = context(Device(fake_torch(), "cpu"), host_free=1000 * MIB)
    assert (known.room(), known.free_assumed) == (200 * MIB, False)


@pytest.mark.parametrize(
    ("kind", "answers", "hip", "expected"),
    [
        ("cuda", {"get_device_capability": lambda _i: (7, 0)}, None, False),
        ("cuda", {"get_device_capability": lambda _i: (8, 6)}, None, True),
        (
            "cuda",
            {"get_device_properties": lambda _i: SimpleNamespace(gcnArchName="gfx906:sramecc+")},
            "6",
            False,
        ),
        ("cuda", {"get_device_properties": lambda _i: SimpleNamespace(gcnArchName="gfx942")}, "6", True),
        ("cuda", {"get_device_properties": lambda _i: SimpleNamespace(gcnArchName="gfx1030")}, "6", False),
        ("cuda", {"get_device_properties": lambda _i: SimpleNamespace(gcnArchName="gfx1100")}, "6", True),
        ("npu", {"is_bf16_supported": lambda: False}, None, False),
        ("xpu", {}, None, None),
    ],
)
def test_which_devices_have_units_for_bf16(kind, answers, hip, expected):
    torch = fake_torch(version=SimpleNamespace(hip=hip), **{kind: module(**answers)})
    device = Device(torch, f"{kind}:0")
    assert device.has_bf16() is expected
    assert device.describe()["bf16"] is expected


def test_a_device_that_raises_after_an_error_is_not_alive():
    def broken(*_a, **_k):
        raise RuntimeError("CUDA error: device-side assert triggered")

    torch = fake_torch(cuda=SimpleNamespace(synchronize=broken))
    assert not Device(torch, "cuda:0").alive()
    assert Device(torch, "cpu").alive()
