"""From the blocks of one figure to a graded measurement, and from two depths to a training rate. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from advisor.calibrate.plan import Test
from advisor.calibrate.warn import check
from advisor.schema import BenchFailure, Grade, Measurement, Noise, Status

# Limits of the protocol; where they come from is told in docs/calibration.md
SPREAD_A, SPREAD_B = 1.1, 1.3  # p90 / p10 of the kept blocks
DELAY_A = 0.02  # own run delay / wall time
DELAY_C = 0.25  # beyond this the survivors are too few to be trusted whatever they say
DELAY_BUSY_C = 0.10  # the same, when others were seen on our cores just before
KEPT_C = 0.5  # likewise when less than half of the blocks were undisturbed
FEW_BLOCKS = 10
LEAST_BLOCKS = 3
ROOT_FROM = 5  # blocks from which on the error of the median shrinks with sqrt(n)
STEAL_A, STEAL_C = 0.02, 0.10
THROTTLED_B, THROTTLED_C = 0.05, 0.25  # share of quota periods cut short, where no time is told
PAUSED_B, PAUSED_C = STEAL_A, STEAL_C  # time a quota kept cores from us: to us the same as stolen
BUSY_DEVICE = 0.05  # utilisation by others before we began
SHARED_DEVICE = 0.05  # share of the device's memory that others held before we began
HARD_THROTTLE = ("hw_slowdown", "hw_thermal", "sw_thermal", "hw_power_brake", "thermal")
INTERNAL = ("ops", "depths", "target_s", "least_bytes", "write_s", "storage", "counts")
COPIES = "host_device_copy"
ONE_SIDED = ("contended", "stolen", "gpu_busy")  # these only ever make a figure worse
HOST_BOUND = ("launch_latency", "train_step")


@dataclass(frozen=True)
class DeviceNoise:
    """What the driver said of the device while it was measured. None: it did not say."""

    clock_hz: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    throttle_reasons: tuple[str, ...] | None = None  # (): it said that there are none
    untold: str = ""  # why throttle_reasons is None
    busy_before: float | None = None  # utilisation by others before the calibration began
    memory_before: float | None = None  # share of its memory that others held then
    pcie_gen: int | None = None  # the link at its best while measuring, and what card and slot can do
    pcie_width: int | None = None
    pcie_gen_max: int | None = None
    pcie_width_max: int | None = None

    def link_below_max(self) -> bool:
        """Whether the link is known to have stayed below what card and slot can do."""
        pairs = ((self.pcie_gen, self.pcie_gen_max), (self.pcie_width, self.pcie_width_max))
        return any(now is not None and most is not None and now < most for now, most in pairs)

    def link(self) -> str:
        """The state of the link under load, in words."""
        now = f"Gen{self.pcie_gen or '?'} x{self.pcie_width or '?'}"
        most = f"Gen{self.pcie_gen_max or '?'} x{self.pcie_width_max or '?'}"
        return f"copied over PCIe {now}, and card and slot can do {most}"


@dataclass(frozen=True)
class Verdict:
    """A grade with its reasons; `range_only` is grade C."""

    grade: Grade
    warnings: tuple[str, ...]
    reason: str = ""


def judge(raw: dict[str, Any], device: DeviceNoise, bench: str = "") -> Verdict:
    """How far the blocks in `raw` (the child's result line) can be trusted."""
    trouble, doubts = _trouble(raw, device, bench), _doubts(raw, device)
    slow_link = ["pcie_below_max"] if bench == COPIES and device.link_below_max() else []
    codes = [*raw.get("warnings", ()), *(code for code, _ in trouble), *doubts, *slow_link]
    if trouble:
        reasons = [f"{code.replace('_', ' ')}: {reason}" for code, reason in trouble]
        if any(code == "contended" for code, _ in trouble):
            reasons.append("undisturbed it may well be faster than this range")
        return Verdict(Grade.C, check(codes), "; ".join(reasons))
    kept = raw["kept"]
    spread = kept["p90"] / kept["p10"]
    quiet = (raw["run_delay_fraction"] or 0.0) < DELAY_A or not raw["filtered"]
    perfect = spread < SPREAD_A and quiet and not doubts
    return Verdict(Grade.A if perfect else Grade.B, check(codes))


def _trouble(raw: dict[str, Any], device: DeviceNoise, bench: str) -> list[tuple[str, str]]:
    """(code, sentence) for each thing that forbids a point value."""
    found: list[tuple[str, str]] = []
    kept, total = raw["kept"], raw["all"]["n"]
    delay, steal = raw["run_delay_fraction"], raw.get("steal_fraction") or 0.0
    if raw.get("refused"):
        return [("page_cache", raw["refused"])]
    on_host = raw["filtered"] or bench in HOST_BOUND
    share = kept["n"] / max(total, 1)
    waited = f"our threads waited for a core {delay:.0%} of the time" if delay is not None else ""
    most = DELAY_BUSY_C if raw.get("busy_before") else DELAY_C
    if on_host and delay is not None and (delay > most or share < KEPT_C):
        found.append(("contended", f"{waited}; {kept['n']} of {total} blocks were undisturbed"))
    elif on_host and raw.get("crowded"):
        found.append(("contended", f"other processes wanted all cores; {waited}".rstrip("; ")))
    elif raw["filtered"] and delay is None and raw.get("busy_before"):
        found.append(
            ("contended", "other processes were busy and this system does not tell how much it cost")
        )
    elif kept["n"] < LEAST_BLOCKS:
        found.append(("few_blocks", f"only {kept['n']} undisturbed blocks fitted into the time"))
    elif kept["p90"] / kept["p10"] >= SPREAD_B:
        found.append(("unsteady", f"the blocks differ by a factor of {kept['p90'] / kept['p10']:.2f}"))
    if steal > STEAL_C:
        found.append(("stolen", f"the hypervisor took the cores {steal:.0%} of the time"))
    paused = _paused(raw, PAUSED_C, THROTTLED_C)
    if raw["filtered"] and paused:
        found.append(("quota", paused))
    if not raw["filtered"] and (device.busy_before or 0.0) > BUSY_DEVICE:
        found.append(("gpu_busy", f"the device was {device.busy_before:.0%} busy before we began"))
    return found


def _paused(raw: dict[str, Any], most_time: float, most_periods: float) -> str:
    """What a CPU quota took if that is more than allowed, else "".

    The time is what counts: of a period cut short, one millisecond may be missing or ninety.
    """
    share = raw.get("throttled_time_fraction")
    if share is not None:
        return f"the CPU quota kept our cores from us {share:.0%} of the time" if share > most_time else ""
    periods = raw.get("throttled_fraction") or 0.0
    return f"the CPU quota cut {periods:.0%} of its periods short" if periods > most_periods else ""


def _doubts(raw: dict[str, Any], device: DeviceNoise) -> list[str]:
    """Codes of what forbids grade A but not the value."""
    codes: list[str] = []
    if raw.get("busy_before") and raw["filtered"]:
        codes.append("busy_before")
    if raw["kept"]["n"] < FEW_BLOCKS:
        codes.append("few_blocks")
    if raw["filtered"] and raw["run_delay_fraction"] is None:
        codes.append("delay_unknown")
    if (raw.get("steal_fraction") or 0.0) > STEAL_A:
        codes.append("stolen")
    if _paused(raw, PAUSED_B, THROTTLED_B):
        codes.append("quota")
    if not raw["filtered"] and (raw["run_delay_fraction"] or 0.0) > DELAY_C:
        codes.append("host_contended")
    if any(word in reason for reason in device.throttle_reasons or () for word in HARD_THROTTLE):
        codes.append("throttled")
    if not raw["filtered"] and device.throttle_reasons is None:
        codes.append("throttling_unknown")
    if not raw["filtered"] and (device.memory_before or 0.0) > SHARED_DEVICE:
        codes.append("gpu_shared")
    return codes


def measurement(test: Test, raw: dict[str, Any], device: DeviceNoise, at: str) -> Measurement:
    """The child's result line as a graded measurement; on grade C a range and no value."""
    verdict = judge(raw, device, test.bench)
    kept, every = raw["kept"], raw["all"]
    best = _convert(raw, every["best"])
    reason = verdict.reason
    if verdict.grade is Grade.C:
        value = None
        low, high = _range(raw, verdict)
        if low is None and high is None:
            reason = f"{reason}; {every['n']} blocks are too few even for a range"
    else:
        value = _convert(raw, kept["median"])
        low, high = sorted((_convert(raw, kept["p10"]), _convert(raw, kept["p90"])))
    params = {**test.params, **raw.get("params", {})}
    spread = kept if kept["n"] else every
    return Measurement(
        id=with_suffix(test.id, raw.get("suffix", "")),
        bench=test.bench,
        device=test.device,
        unit=unit_of(test, raw["unit"]),
        params={key: item for key, item in params.items() if key not in INTERNAL},
        value=value,
        low=low,
        high=high,
        best=best,
        grade=verdict.grade,
        samples=every["n"],
        kept=kept["n"],
        seconds=raw["wall_s"],
        phase=test.phase,
        noise=_noise(raw, spread, device, test.bench),
        warnings=verdict.warnings,
        reason=reason,
        measured_at=at,
        points=tuple((str(name), tuple(sizes), seconds) for name, sizes, seconds in raw.get("points", ())),
    )


def _noise(raw: dict[str, Any], spread: dict[str, Any], device: DeviceNoise, bench: str) -> Noise:
    """All that went on beside a figure, as stored."""
    return Noise(
        run_delay_fraction=raw["run_delay_fraction"],
        steal_fraction=raw.get("steal_fraction"),
        pressure_some=raw.get("pressure_some"),
        throttled_fraction=raw.get("throttled_fraction"),
        throttled_time_fraction=raw.get("throttled_time_fraction"),
        spread=spread["p90"] / spread["p10"] if spread["p10"] > 0 else None,
        throttle_reasons=device.throttle_reasons,
        device_untold=device.untold,
        clock_hz=device.clock_hz,
        temperature_c=device.temperature_c,
        power_w=device.power_w,
        device_busy_before=device.busy_before,
        device_memory_before=device.memory_before,
        pcie_gen=device.pcie_gen if bench == COPIES else None,
        pcie_width=device.pcie_width if bench == COPIES else None,
    )


def _range(raw: dict[str, Any], verdict: Verdict) -> tuple[float | None, float | None]:
    """(low, high) of a grade C figure; None is an open end, both None: too few blocks for any range.

    What others took from us is not known, so a disturbed figure bounds the quiet one from one side only: a
    rate from below, a time from above.
    """
    every = raw["all"]
    if every["n"] < LEAST_BLOCKS:
        return None, None
    worst, best = _convert(raw, every["p90"]), _convert(raw, every["best"])
    if any(code in ONE_SIDED for code in verdict.warnings):
        return (worst, None) if raw["work"] else (None, worst)
    return min(worst, best), max(worst, best)


def with_suffix(test_id: str, suffix: str) -> str:
    """The suffix goes before the device, which stays the last part of an id."""
    if not suffix:
        return test_id
    head, _, device = test_id.rpartition(".")
    return f"{head}.{suffix}.{device}"


def unit_of(test: Test, unit: str) -> str:
    """Integers are operations, not floating-point ones."""
    return "OP/s" if test.params.get("dtype") == "int8" and unit == "FLOP/s" else unit


def _convert(raw: dict[str, Any], seconds: float) -> float:
    """Seconds per call in the figure's own unit."""
    return float(raw["work"]) / seconds if raw["work"] else float(seconds)


def train_rate(shallow: Measurement, deep: Measurement) -> Measurement | BenchFailure:
    """FLOP/s from the slope between two depths: (flops6 - flops2) / (t6 - t2), with the intercept.

    A failure when the slope is not positive: then a neighbour hit one of the points, and any rate taken from
    them would be wrong. Grade C on either point gives a range.
    """
    head, _, device = shallow.id.rpartition(".")
    name = f"train_rate{head.removeprefix('train_step').rpartition('.')[0]}.{device}"
    flops = float(deep.params["flops"]) - float(shallow.params["flops"])
    params = {
        key: item
        for key, item in deep.params.items()
        if key not in ("layers", "flops", "parameters") and shallow.params.get(key) == item
    }
    params["layers"] = f"{shallow.params['layers']},{deep.params['layers']}"
    worst = max(shallow.grade, deep.grade)
    shared = {
        "id": name,
        "bench": "train_rate",
        "device": deep.device,
    }
    if None in (shallow.low, shallow.high, deep.low, deep.high):
        # which step suffered how stands with the steps; the same words for all are told in one line
        why = next((m.reason.partition(":")[0] for m in (shallow, deep) if m.reason), "disturbed")
        return _refused(shared, f"a step that was disturbed ({why}) bounds no rate")
    if shallow.value is None or deep.value is None:
        rates = [flops / (d - s) for d, s in _corners(shallow, deep) if d > s]
        if not rates:
            return _refused(shared, "the deeper net was not slower than the shallow one in any pairing")
        value, low, high = None, min(rates), max(rates)
        reason = next(m.reason for m in (shallow, deep) if m.value is None)
    else:
        slope = deep.value - shallow.value
        if slope <= 0:
            times = f"{shallow.value * 1e3:.1f} ms shallow, {deep.value * 1e3:.1f} ms deep"
            return _refused(shared, f"{times}: the slope is not positive")
        value, reason = flops / slope, ""
        # medians are known to their spread / sqrt(n); that depth extrapolates is the rules' calibrated_share
        # (and where there are only a few, their spread itself is not known well enough to divide it)
        error = sum(
            (m.high - m.low) / 2 / (m.kept**0.5 if m.kept >= ROOT_FROM else 1.0)
            for m in (shallow, deep)
            if m.high is not None and m.low is not None
        )
        relative = error / slope
        low, high = value * max(1 - relative, 0.0), value * (1 + relative)
        params["intercept_s"] = shallow.value - float(shallow.params["flops"]) / value
    return Measurement(
        **shared,
        unit="FLOP/s",
        params=params,
        value=value,
        low=low,
        high=high,
        best=None,
        grade=worst,
        samples=min(shallow.samples, deep.samples),
        kept=min(shallow.kept, deep.kept),
        seconds=shallow.seconds + deep.seconds,
        phase=deep.phase,
        noise=deep.noise,
        warnings=tuple(dict.fromkeys((*shallow.warnings, *deep.warnings))),
        reason=reason,
        measured_at=deep.measured_at,
    )


def _corners(shallow: Measurement, deep: Measurement) -> list[tuple[float, float]]:
    """(deep, shallow) times at the ends and bests of their ranges: like with like, then crossed."""
    ends = [(m.low or 0.0, m.high or 0.0) for m in (deep, shallow)]
    (d_low, d_high), (s_low, s_high) = ends
    return [(d_low, s_low), (d_high, s_high), (d_high, s_low)]


def _refused(shared: dict[str, str], reason: str) -> BenchFailure:
    return BenchFailure(
        **shared, status=Status.failed, reason=reason, hint="Calibrate again when it is quiet."
    )


def two_points(start: Measurement, end: Measurement, limit: float = 0.10) -> tuple[Measurement, Measurement]:
    """Both bandwidth figures with the range of both and a warning, when they differ by more than 10 %."""
    if start.value is None or end.value is None:
        return start, end
    low, high = sorted((start.value, end.value))
    if high <= low * (1 + limit):
        return start, end
    changes = [
        m.model_copy(
            update={
                "low": min(start.low or low, end.low or low),
                "high": max(start.high or high, end.high or high),
                "grade": max(m.grade, Grade.B),
                "warnings": check([*m.warnings, "two_speeds"]),
            }
        )
        for m in (start, end)
    ]
    return changes[0], changes[1]


def bounded_by_one(many: Measurement, one: Measurement, threads: int) -> Measurement:
    """A grade C figure of all threads, its range closed by or opened up to one thread's best times them.

    Beside other jobs the best block seen is no bound of what the machine could do; this is, as long as the
    one thread was itself undisturbed (grade A or B).
    """
    if many.grade is not Grade.C or one.best is None or one.grade is Grade.C or many.low is None:
        return many
    bound = one.best * threads
    if bound <= (many.low if many.high is None else many.high):
        return many
    codes = check([*many.warnings, "bound_from_one_thread"])
    return many.model_copy(update={"high": bound, "warnings": codes})
