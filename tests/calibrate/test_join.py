"""Which physical card a measured device is, and a bench child in hostile surroundings."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest

from advisor.bench.devices import accelerators
from advisor.calibrate import guard
from advisor.calibrate.guard import Child, child_environment
from advisor.calibrate.join import device_uuids
from advisor.calibrate.plan import Seen
from advisor.schema import Device, Fact, Machine, Status

BENCH = Path(__file__).resolve().parents[2] / "advisor" / "bench"


def joined(probed: dict[str, str], seen: dict[str, str]) -> dict[str, str]:
    devices = tuple(
        Device(
            vendor="nvidia",
            framework_name=Fact(value=name, status=Status.ok),
            uuid=Fact(value=uuid, status=Status.ok),
        )
        for name, uuid in probed.items()
    )
    machine = Machine(probed_at="", devices=devices)
    return device_uuids(machine, [Seen(name, "Card", uuid, 1) for name, uuid in seen.items()])


def test_the_uuid_torch_tells_outranks_the_order_of_names():
    probed = {"cuda:0": "GPU-a", "cuda:1": "GPU-b"}
    assert joined(probed, {"cuda:0": "GPU-b", "cuda:1": "GPU-a"}) == {"cuda:0": "GPU-b", "cuda:1": "GPU-a"}


def test_a_slice_is_found_and_an_unknown_uuid_falls_back_to_the_name():
    assert joined({"cuda:0": "MIG-a"}, {"cuda:0": "GPU-a"}) == {"cuda:0": "MIG-a"}
    assert joined({"xpu:0": "0000:03"}, {"xpu:0": "GPU-z"}) == {"xpu:0": "0000:03"}


def test_cards_are_counted_as_the_probe_counts_them_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    assert child_environment(1)["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    assert child_environment(1)["CUDA_DEVICE_ORDER"] == "FASTEST_FIRST"


def test_a_vendor_stack_that_raises_costs_its_own_devices_alone():
    class Cuda:
        def is_available(self):
            raise NameError("libcuda")

    class Xpu:
        def is_available(self):
            return True

        def device_count(self):
            return 1

    class Torch:
        cuda, xpu, npu, backends = Cuda(), Xpu(), None, None

    lost: dict[str, str] = {}
    assert accelerators(Torch(), lost) == ["xpu:0"]
    assert lost == {"cuda": "NameError: libcuda"}


@pytest.mark.parametrize(("hip", "said"), [("'6.2'", "No module named pynvml"), ("None", "nvml was read")])
def test_a_torch_for_rocm_does_not_find_nvml(tmp_path, hip, said):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("import pynvml\n")
    (tmp_path / "torch" / "version.py").write_text(f"cuda = None\nhip: str = {hip}\n")
    (tmp_path / "pynvml.py").write_text("raise ImportError('nvml was read')\n")
    it = Child([sys.executable, str(BENCH)], 1, {"PYTHONPATH": str(tmp_path)})
    try:
        it.send({"threads": 1})
        hello = it.receive(30)
    finally:
        it.kill()
    assert hello is not None
    assert said in hello["trouble"]


def test_a_child_starts_where_nothing_can_be_written(monkeypatch):
    def refuse(*_args, **_more):
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    it = Child([sys.executable, "-c", "raise SystemExit('no driver')"])
    assert it.receive(20) is None
    assert it.how_it_ended() == "ended with status 1"
    assert it.kill()


def test_a_line_without_end_is_dropped_in_pieces(monkeypatch):
    monkeypatch.setattr(guard, "LONGEST_LINE", 1000)
    up = json.dumps({"event": "up"})
    it = Child([sys.executable, "-c", f"print('x' * 2000 + {up!r}); print({up!r})"])
    assert it.receive(20) == {"event": "up"}
    assert it.receive(20) is None
    it.kill()
