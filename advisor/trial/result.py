"""From what the child measured to figures beside their estimates; two depths extrapolated to all layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor.calibrate.grade import ROOT_FROM, DeviceNoise, measurement
from advisor.calibrate.plan import Test
from advisor.schema import Grade, Measurement, Quantity
from advisor.trial.run import Raw
from advisor.trial.setup import SetUp
from advisor.trial.told import Place, Told

MEMORY = {"allocated": "allocated_bytes", "reserved": "reserved_bytes", "process": "memory_bytes"}
"""What is measured of memory, and the rules' quantity beside it (the process: on processors alone)."""


@dataclass(frozen=True)
class Depth:
    """One network that was trained: how deep, its step and its memory."""

    setup: SetUp
    step: Measurement
    memory: Mapping[str, int | None] = field(default_factory=dict)
    parameters: int = 0
    trainable: int = 0
    loss: tuple[float, float] = (float("nan"), float("nan"))
    bandwidth: Measurement | None = None  # of the processors' memory
    groups: Mapping[str, float] = field(default_factory=dict)  # seconds of a step by group of operators
    undisturbed: tuple[int, float | None] = (0, None)  # steps in which nobody took a core, and their median
    sparse: int = 0  # weights with sparse gradients, which SparseAdam updates


@dataclass(frozen=True)
class Figure:
    """One figure measured and estimated. `value` None: not known, for `reason`; then there may be a range."""

    name: str
    unit: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    estimate: Quantity | None = None

    @property
    def error(self) -> float | None:
        """Estimated / measured - 1."""
        told = None if self.estimate is None else self.estimate.value
        return None if told is None or not self.value else told / self.value - 1.0

    def as_json(self) -> dict[str, Any]:
        """As `trial --json` prints it."""
        told = self.estimate
        return {
            "value": self.value, "low": self.low, "high": self.high, "unit": self.unit, "reason": self.reason,
            "estimate": None if told is None else told.model_dump(mode="json", include=_TOLD),
            "error": self.error,
        }  # fmt: skip


_TOLD = {"value", "low", "high", "reason"}


@dataclass(frozen=True)
class Trial:
    """A trial's outcome: figures by name, what was trained, and what a reader must know of it."""

    setup: SetUp
    place: Place
    figures: dict[str, Figure]
    depths: tuple[Depth, ...]
    grade: Grade
    torch: str
    measured_at: str
    notes: tuple[str, ...] = ()
    stopped: str = ""

    @property
    def extrapolated(self) -> bool:
        """Whether the figures of the whole network follow from shallower copies."""
        return self.depths[0].setup.layers != self.setup.layers


def depth_of(setup: SetUp, raw: Raw, noise: DeviceNoise, device: str, at: str) -> Depth:
    """What one child measured, graded as a calibration grades its benches."""
    assert raw.steps is not None  # noqa: S101 - every caller has looked
    test = Test("train_step", device, {}, "training", key=setup.workload.model.id)
    first, last = raw.steps["loss"]
    moved = None
    if raw.bandwidth is not None:
        moved = measurement(Test("memory_bandwidth", device, {}, "bandwidth"), raw.bandwidth, noise, at)
    step = measurement(test, raw.steps, noise, at)
    return Depth(
        setup, step, raw.steps["memory"],
        int(raw.built["parameters"]), int(raw.built["trainable"]), (float(first), float(last)), moved,
        groups_of(raw.groups, step.value), (int(raw.steps["kept"]["n"]), raw.steps["kept"].get("median")),
        int(raw.steps.get("sparse", 0)),
    )  # fmt: skip


def figures_of(setup: SetUp, place: Place, told: Told, depths: Sequence[Depth]) -> dict[str, Figure]:
    """Every figure of the network as asked for, beside what the rules say of it."""
    step = _step(setup, depths, told.get("optimizer_step_s"))
    found = {"step_s": step, "samples_per_s": _rate(step, "samples_per_s", float(setup.batch), "1/s")}
    length = setup.workload.recipe.seq_len
    if setup.in_tokens and length:
        found["tokens_per_s"] = _rate(step, "tokens_per_s", setup.batch * length, "token/s")
    for name, quantity in MEMORY.items():
        beside = told.get(quantity) if name != "process" or place.is_cpu else None
        found[f"{name}_bytes"] = _memory(name, setup, depths, beside, place)
    return found


def _step(setup: SetUp, depths: Sequence[Depth], told: Quantity) -> Figure:
    first = depths[0].step
    if len(depths) == 1:
        if depths[0].setup.layers != setup.layers:
            reason = "only one depth was measured"
            return Figure("step_s", "s", reason=reason, estimate=told)
        return Figure("step_s", "s", first.value, first.low, first.high, first.reason, told)
    second = depths[1].step
    k, more = _depths(setup, depths)
    if first.value is None or second.value is None:
        reason = "a depth was disturbed: " + next(s.reason for s in (first, second) if s.value is None)
        return Figure("step_s", "s", reason=reason, estimate=told)
    slope = second.value - first.value
    if slope <= 0:
        reason = f"{2 * k} layers were not slower than {k}: something disturbed one of the depths"
        return Figure("step_s", "s", reason=reason, estimate=told)
    value = first.value + more * slope
    # medians are known to their spread over the root of their number, and the line carries both along
    off = _doubt(first) * abs(1 - more) + _doubt(second) * more
    return Figure("step_s", "s", value, max(value - off, 0.0), value + off, "", told)


def _depths(setup: SetUp, depths: Sequence[Depth]) -> tuple[int, float]:
    """The shallow depth, and how many differences between the two depths lie above it."""
    shallow, deep = depths[0].setup.layers or 0, depths[1].setup.layers or 0
    return shallow, ((setup.layers or 0) - shallow) / (deep - shallow)


def _doubt(step: Measurement) -> float:
    if step.low is None or step.high is None:
        return 0.0
    return (step.high - step.low) / 2 / (step.kept**0.5 if step.kept >= ROOT_FROM else 1.0)


def _rate(step: Figure, name: str, work: float, unit: str) -> Figure:
    """Work over the step's time; its range the other way round."""

    def per(seconds: float | None) -> float | None:
        return work / seconds if seconds else None

    told = step.estimate or Quantity()
    rate = Quantity(
        value=per(told.value), low=per(told.high), high=per(told.low), unit=unit, reason=told.reason
    )
    return Figure(name, unit, per(step.value), per(step.high), per(step.low), step.reason, rate)


def _memory(name: str, setup: SetUp, depths: Sequence[Depth], told: Quantity | None, place: Place) -> Figure:
    peaks = [depth.memory.get(name) for depth in depths]
    key = f"{name}_bytes"
    if None in peaks:
        reason = "torch counts no tensors on a processor" if place.is_cpu else "torch does not tell it here"
        return Figure(key, "B", reason=reason, estimate=None if place.is_cpu else told)
    known = [float(peak) for peak in peaks if peak is not None]
    if len(known) == 1:
        if depths[0].setup.layers != setup.layers:
            return Figure(key, "B", reason="only one depth was measured", estimate=told)
        return Figure(key, "B", known[0], known[0], known[0], "", told)
    _, more = _depths(setup, depths)
    value = known[0] + more * max(known[1] - known[0], 0.0)
    return Figure(key, "B", value, None, None, "", told)


def groups_of(message: Mapping[str, Any] | None, step: float | None) -> dict[str, float]:
    """Seconds of a step by group: the profiler's, as shares of the step that was measured without it.

    On a card operators are timed there, and what is left of the step is launches and waiting; on processors
    the profiler slows all down alike, so only its shares are taken. Without a figure of the step (disturbed)
    they are of the step under the profiler.
    """
    if message is None:
        return {}
    seconds = {str(name): float(value) for name, value in message["seconds"].items()}
    whole = float(message["whole"])
    step = step or whole
    if not message.get("on_card") and whole > 0:
        seconds = {name: value * step / whole for name, value in seconds.items()}
    total = sum(seconds.values())
    if total > step:
        seconds = {name: value * step / total for name, value in seconds.items()}
    return {**seconds, "launches": max(step - sum(seconds.values()), 0.0)}
