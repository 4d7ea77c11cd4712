"""Thread counts beside a neighbour, and what copies and attention take of memory."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from advisor.bench import matrix, training
from advisor.bench.context import Context
from advisor.bench.devices import Device, Unable
from advisor.bench.noise import Watch
from advisor.bench.timing import Limits

torch = pytest.importorskip("torch", reason="the benches need torch")
BRIEF = Limits(min_s=0.0, cap_s=0.01, warm_block_s=0.001, warm_cap_s=0.01, min_blocks=1, block_s=0.001)
ATTENTION = {"dtype": "fp32", "batch": 1, "heads": 1, "seq": 256, "head_dim": 16}


@pytest.fixture
def ctx(tmp_path):
    before = torch.get_num_threads()
    yield Context(torch, Device(torch, "cpu"), BRIEF, Watch(), 1, 4 << 30, str(tmp_path))
    torch.set_num_threads(before)


class Busy:
    """Run delay that grows with every look, as beside a neighbour on our cores."""

    method = "schedstat"

    def __init__(self, step_s: float) -> None:
        self.step_s, self.total_s = step_s, 0.0

    def seconds(self, threads: int = 1) -> float:
        self.total_s += self.step_s if threads > 1 else 0.0
        return self.total_s


@pytest.mark.parametrize("step_s", [0.0, 1.0])
def test_a_neighbour_does_not_talk_us_into_fewer_threads(ctx, monkeypatch, step_s):
    monkeypatch.setattr(ctx.watch, "delay", Busy(step_s))
    answer = matrix.pick_threads(ctx, {"counts": [1, 2]})
    assert answer["disturbed"] is bool(step_s)
    if step_s:
        assert answer["threads"] == 2


def test_attention_asks_for_scores_only_where_they_are_kept(ctx, monkeypatch):
    asked = []

    def note(needed_bytes, what):
        asked.append(needed_bytes)
        raise Unable("not_asked", what)

    monkeypatch.setattr(ctx, "require", note)
    for kind in ("cpu", "cuda"):
        monkeypatch.setattr(ctx.device, "kind", kind)
        with pytest.raises(Unable):
            list(matrix.attention(ctx, ATTENTION))
    assert asked[0] - asked[1] == 256 * 3 * 256 * 4


def test_a_copy_takes_its_host_block_once(ctx, monkeypatch):
    taken = []
    real = torch.empty

    def empty(*shape, **more):
        taken.append(more.pop("pin_memory", False))
        return real(*shape, **more)

    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setattr(torch, "randn", lambda *_a, **_k: pytest.fail("a second block"))
    figures = list(matrix.host_device_copy(ctx, {"bytes": 1 << 16}))
    assert [f.params["pinned"] for f in figures] == [True, True]
    assert taken == [True, False]


@pytest.mark.parametrize(
    ("dtype", "capability", "hip", "refused"),
    [
        ("tf32", (7, 5), None, True),
        ("bf16", (7, 5), None, True),
        ("fp16", (7, 5), None, False),
        ("tf32", (8, 0), None, False),
        ("tf32", (9, 4), "6.2", True),
        ("bf16", (9, 4), "6.2", False),
    ],
)
def test_types_without_a_unit_are_refused(  # noqa: PLR0917
    ctx, monkeypatch, dtype, capability, hip, refused
):
    monkeypatch.setattr(ctx.device, "kind", "cuda")
    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(ctx.device, "is_cpu", False)
    properties = SimpleNamespace(gcnArchName="gfx942")
    asked = {
        "get_device_capability": lambda _index: capability,
        "get_device_properties": lambda _index: properties,
    }
    monkeypatch.setattr(ctx.device, "module", SimpleNamespace(**asked))
    if not refused:
        matrix.require_dtype(ctx, dtype)
        return
    with pytest.raises(Unable) as error:
        matrix.require_dtype(ctx, dtype)
    assert error.value.status == "not_supported"


def test_fp32_convolutions_are_not_tf32(ctx, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    matrix.require_dtype(ctx, "fp32")
    assert torch.backends.cudnn.allow_tf32 is False


@pytest.mark.parametrize("kind", ["cuda", "xpu"])
def test_attention_and_training_in_a_type_the_device_lacks_are_refused(ctx, monkeypatch, kind):
    monkeypatch.setattr(ctx.device, "kind", kind)
    monkeypatch.setattr(ctx.device, "has_bf16", lambda: False)
    with pytest.raises(Unable, match="no bf16 units") as error:
        next(matrix.attention(ctx, {**ATTENTION, "dtype": "bf16"}))
    assert error.value.hint == "Train in fp16."
    with pytest.raises(Unable, match="no bf16 units"):
        next(training.train_step(ctx, {"family": "cnn", "dtype": "bf16", "depths": [2, 6], "target_s": 0.0}))
