"""A trial from flags to figures: estimate, make sure it fits, train, set one beside the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from advisor.calibrate.environment import check_device_name, check_environment
from advisor.calibrate.grade import DeviceNoise
from advisor.calibrate.join import device_uuids, host_free
from advisor.calibrate.plan import Seen
from advisor.calibrate.sampler import Sampler
from advisor.errors import NothingFits, UserError
from advisor.schema import Machine
from advisor.search.timed import grid_of
from advisor.trial.parts import GROUPS, difference
from advisor.trial.result import Depth, Trial, depth_of, figures_of
from advisor.trial.run import BUILD_S, Raw, Trainer, deadline_of
from advisor.trial.setup import SetUp
from advisor.trial.told import Knows, Place, Told, does_not_fit, place_of, require_room, tell, upper
from advisor.units import show

Say = Callable[[str], object]


@dataclass(frozen=True)
class Options:
    """How to try. `layers`: train so many and twice as many layers, and extrapolate."""

    steps: int = 20
    device: str | None = None
    python: str | None = None
    layers: int | None = None
    deadline_s: float | None = None


def check(options: Options, setup: SetUp) -> None:
    """What can be wrong before anything slow starts. Raises UserError or MissingLibrary."""
    if options.device is not None:
        check_device_name(options.device)
    check_environment(options.python, None)
    k = options.layers
    if k is None:
        return
    if setup.layers is None:
        raise UserError(
            f"--layers: {setup.workload.model.title} has no equal layers to leave out",
            "Give a smaller --batch or --image-size.",
        )
    least = int(setup.workload.model.numbers.get("dense_layers", 0)) + 1
    if k < least or 2 * k > setup.layers:
        raise UserError(
            f"--layers {k}: {k} and {2 * k} layers are trained, and {setup.workload.model.title} has "
            f"{setup.layers}"
            + (f", of which the first {least - 1} are unlike the rest" if least > 1 else ""),
            f"Give a number from {least} to {setup.layers // 2}.",
        )


def run_trial(
    knows: Knows,
    machine: Machine,
    setup: SetUp,
    options: Options,
    say: Say,
) -> Trial:
    """Train for real. Raises NothingFits (exit 1) before memory could run out, UserError for a child that
    hangs, crashes or cannot train this."""
    k = options.layers
    setups = [setup] if k is None else [setup.with_layers(k), setup.with_layers(2 * k)]
    walk = _Walk(knows, machine, options, say)
    depths: list[Depth] = []
    stopped = ""
    for one in setups:
        try:
            depth, stopped = walk.train(one)
        except KeyboardInterrupt:
            if not depths:
                raise
            stopped = "interrupted"
            break
        depths.append(depth)
        if stopped:
            break
    place = walk.place
    assert place is not None  # noqa: S101 - a depth was trained
    told = tell(knows, place, [setup])[0]
    return Trial(
        setup, place, figures_of(setup, place, told, depths), tuple(depths),
        max(depth.step.grade for depth in depths), walk.torch, _now(),
        (*setup.notes, *_notes(setup, told, depths), *_grid(knows, place, setup)), stopped,
    )  # fmt: skip


class _Walk:
    """What stays the same from one depth to the next."""

    def __init__(self, knows: Knows, machine: Machine, options: Options, say: Say) -> None:
        self.knows, self.machine, self.options, self.say = knows, machine, options, say
        self.place: Place | None = None
        self.torch = ""

    def train(self, setup: SetUp) -> tuple[Depth, str]:
        """One network in a child of its own, so that no memory of another is in its peak."""
        options, free = self.options, host_free(self.machine)
        threads = self.machine.cpu.budget_threads.value
        with Trainer(options.python, options.device, threads, free) as trainer:
            hello = trainer.greet(len(self.machine.devices))
            self.torch = str(hello["torch"])
            name = trainer.choose(options.device, bool(self.machine.devices))
            place = self.place = self._place(hello, name)
            told = tell(self.knows, place, [setup])[0]
            need = require_room(self.knows, place, setup, told, place.free_bytes)
            step = upper(told.get("optimizer_step_s"))
            limit, build = options.deadline_s or deadline_of(step), options.deadline_s or BUILD_S
            self._announce(setup, place, need)
            uuid = device_uuids(self.machine, [_seen(entry) for entry in hello["devices"]]).get(name, "")
            with Sampler(self.machine) as sampler:
                sampler.settle()
                raw = trainer.train(setup.spec(name, options.steps, need), limit, build, self._listen)
                noise = DeviceNoise() if place.is_cpu else sampler.during(uuid, raw.begun)
        self._raise(raw, setup, place, told)
        return depth_of(setup, raw, noise, name, _now()), raw.stopped

    def _place(self, hello: dict[str, Any], name: str) -> Place:
        seen = {str(entry["name"]): entry for entry in hello["devices"]}
        entry = seen.get(name, {})
        uuid, title = str(entry.get("uuid") or ""), str(entry.get("title") or "")
        return place_of(self.knows, self.machine, name, uuid, title)

    def _announce(self, setup: SetUp, place: Place, need: float | None) -> None:
        depth = "" if setup.layers is None else f", {_counted(setup.layers, 'layer')}"
        self.say(
            f"Training {setup.workload.model.title}{depth} on {place.name} ({place.title}), "
            f"{self.options.steps} steps of {_counted(setup.batch, 'sample')}."
        )
        if need is None:
            self.say("The rules do not know what memory it takes: it ends by itself before none is left.")

    def _listen(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "waiting":
            self.say(f"Waiting for other programs (at most {message['left_s']:.0f} s).")
        elif event == "progress":
            middle = (message["kept"] if message["kept"]["n"] else message["all"])["median"]
            self.say(f"step {message['steps']} of {self.options.steps}: {middle:.3g} s")

    def _raise(self, raw: Raw, setup: SetUp, place: Place, told: Told) -> None:
        """The child's own word of why it ended, as an error."""
        if raw.failure is not None:
            status, reason, hint = raw.failure
            need, free = upper(told.get("memory_bytes")), place.free_bytes
            if status == "memory":
                hint = does_not_fit(self.knows, place, setup, need or 0.0, free or 0.0).hint
                raise NothingFits(f"{setup.workload.model.title} on {place.name}: {reason}", hint)
            raise UserError(f"{setup.workload.model.title} on {place.name}: {reason}", hint)
        if raw.steps is None:
            raise UserError("nothing was measured", "Try again, with more --steps.")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _seen(entry: dict[str, Any]) -> Seen:
    return Seen(entry["name"], entry["title"], entry["uuid"], entry["total_bytes"], entry.get("bf16"))


def _notes(setup: SetUp, told: Told, depths: list[Depth]) -> list[str]:
    found = []
    if depths[0].setup.layers != setup.layers:
        tried = " and ".join(str(depth.setup.layers) for depth in depths)
        found.append(
            f"{tried} layers were trained; the figures of {setup.layers} are extrapolated along a line."
        )
    if told.precision:
        asked = setup.workload.recipe.precision
        found.append(
            f"The estimate is that of {told.precision}: by the rules this device gains nothing by {asked}."
        )
    if depths[-1].sparse:
        found.append(
            f"Gradients of {depths[-1].sparse:,} weights are sparse, which AdamW does not take: SparseAdam "
            "updated them, only the rows looked up; the estimate is that of dense gradients."
        )
    first, last = depths[-1].loss
    if not (math.isfinite(first) and math.isfinite(last)):
        found.append("The loss is not a number any more: the figures are those of such a run.")
    if setup.workload.model.family == "moe":
        found.append("Routing is that of untrained weights and random tokens; experts run one by one.")
    return [*found, *_groups(setup, told, depths[-1])]


def _grid(knows: Knows, place: Place, setup: SetUp) -> list[str]:
    """How fine the grid of operators behind the estimate is."""
    told = grid_of(knows.calibration, place.name, setup.document, float(setup.micro_batch), knows.book)
    return [told] if told else []


_NAMES = {
    "products": "matrix products, attention and convolutions",
    "traffic": "other operators",
    "update": "update of the weights",
    "launches": "launches and waiting",
}


def _groups(setup: SetUp, told: Told, depth: Depth) -> list[str]:
    """Where the step's time goes, measured and by the rules, and which group makes the difference."""
    if not depth.groups:
        return []
    which = "" if depth.setup.layers == setup.layers else f" of {depth.setup.layers} layers"
    found = [f"Where a step{which} goes: {_listed(depth.groups)}. Data are made up: nothing waits for input."]
    if which or not told.parts:
        why = (
            "they are for the whole network"
            if which
            else "they take the step whole here, by the rate of this machine"
        )
        return [*found, f"The rules' own groups are not set beside it: {why}."]
    most = difference(depth.groups, told.parts)
    return [*found, f"By the rules: {_listed(told.parts)}. Most of the difference: {_NAMES[most]}."]


def _listed(seconds: Mapping[str, float]) -> str:
    total = sum(seconds.values())
    return ", ".join(
        f"{_NAMES[name]} {show(seconds[name], 's')} ({seconds[name] / total:.0%})" for name in GROUPS
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
