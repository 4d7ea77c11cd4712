"""The child of a trial: started, greeted, told what to train, never waited for beyond its deadline."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from advisor.calibrate.environment import (
    HELLO_S,
    check_device_name,
    driver_s,
    hello_of,
    require_device,
    wanted,
)
from advisor.calibrate.guard import Child, Deadline, Message
from advisor.calibrate.start import HIDDEN
from advisor.errors import AdvisorError, MissingLibrary, UserError

FOLDER = Path(__file__).resolve().parent / "child"
GATE_S = 2.0  # how long to wait for a quiet machine
BUILD_S = 300.0  # weights of a large network take their time to be made up
LEAST_S = 60.0  # for one step, whatever the rules say of it
TIMES = 20.0  # a step may take so many times the upper end of its estimate
UNKNOWN_S = 900.0
AFTER_S = 20.0
WARM_STEPS = 6  # three are the least, until they agree
SPARE_S = GATE_S + 3.0  # between one step and the next: the gate, a slow pipe


@dataclass(frozen=True)
class Raw:
    """What the child measured. `steps` None: nothing yet. `failure`: (status, reason, hint) of its end."""

    steps: Message | None = None
    built: Message = field(default_factory=dict)
    stopped: str = ""  # "interrupted"
    failure: tuple[str, str, str] | None = None
    begun: float = 0.0
    bandwidth: Message | None = None  # of the processors' memory
    groups: Message | None = None  # of operators, where one step's time goes


def command(python: str) -> list[str]:
    """How the child is started: by path, since hwadvisor need not be installed there."""
    return [python, str(FOLDER)]


def deadline_of(step_s: float | None) -> float:
    """How long one step may take, from the upper end of its estimate."""
    return UNKNOWN_S if step_s is None else max(LEAST_S, TIMES * step_s)


class Trainer:
    """One child. A context manager: leaving it kills the child."""

    def __init__(self, python: str | None, device: str | None, threads: int | None, free: int | None) -> None:
        self.python, self.hello = python or sys.executable, {}
        if device is not None:
            check_device_name(device)
        on_cpu = device == "cpu"
        try:
            self._child = Child(command(self.python), threads, HIDDEN if on_cpu else None)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"--python {self.python}: cannot be started: {reason}") from error
        self._child.send(
            {
                "threads": threads,
                "gate_wait_s": GATE_S,
                "host_free_bytes": free,
                "hide": "accelerators" if on_cpu else "",
                "name_calls": True,
            }
        )

    hello: Message

    def __enter__(self) -> Trainer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()

    def greet(self, gpus: int = 1) -> Message:
        """Wait for the child's hello: for an import of torch, or for the driver of so many GPUs to answer.

        Raises UserError or MissingLibrary where torch cannot be used.
        """
        try:
            hello = hello_of(self._child, HELLO_S, driver_s(gpus))
        except TimeoutError as error:
            raise UserError(
                f"the training process ({self.python}) {error}",
                "hwadvisor probe tells the state of the driver; --device cpu trains on the processors.",
            ) from error
        if hello is None:
            why = self._child.how_it_ended()
            raise UserError(f"the training process ({self.python}) {why}", "hwadvisor doctor")
        if not hello["torch"]:
            raise MissingLibrary(
                f"torch cannot be used under {self.python}: {hello['trouble']}",
                "pip install 'hwadvisor[torch]', or name a Python that has it with --python",
            )
        self.hello = hello
        return hello

    def choose(self, device: str | None, probed: bool) -> str:
        """torch's name of the device to train on. `probed`: whether this machine has accelerators.

        Raises UserError for one that torch does not see, and where torch sees none of those there are:
        a run on the processors must be asked for.
        """
        seen = [str(entry["name"]) for entry in self.hello["devices"]]
        if device is not None:
            require_device(device, seen, str(self.hello["torch"]))
            return next((name for name in seen if wanted(device, name)), "cpu")
        if seen:
            return seen[0]
        if probed:
            raise UserError(
                f"this machine has an accelerator, and torch {self.hello['torch']} does not see it",
                "hwadvisor doctor tells why; --device cpu trains on the processors all the same.",
            )
        return "cpu"

    def train(
        self, spec: dict[str, Any], step_s: float, build_s: float, listen: Callable[[Message], object]
    ) -> Raw:
        """Train and take what is measured until the end, a failure or Ctrl-C.

        `step_s` and `build_s`: longest waits for a step, and for the network to be built.

        Raises UserError for a child that hangs or crashes.
        """
        self._child.send(spec)
        last: Message | None = None
        built: Message = {}
        begun = time.monotonic()
        limit = build_s
        try:
            while True:
                deadline = Deadline(limit)
                try:
                    message = self._child.receive(deadline.left_s())
                except TimeoutError as error:
                    raise _silent(limit, built) from error
                if message is None:
                    why = self._child.how_it_ended()
                    raise UserError(
                        f"the training process {why}", "Try a smaller --batch, or hwadvisor doctor."
                    )
                event = message["event"]
                if event in ("progress", "trained"):
                    begun = begun if last is not None else time.monotonic()
                    last = message
                listen(message)
                if event == "built":
                    built, limit = message, build_s + step_s  # the first step compiles
                elif event == "step":
                    limit = WARM_STEPS * step_s
                elif event in ("measuring", "progress"):
                    limit = step_s + SPARE_S
                if event == "failure":
                    told = (str(message["status"]), str(message["reason"]), str(message.get("hint") or ""))
                    return Raw(last, built, failure=told, begun=begun)
                if event == "trained" or (event == "bye" and last is not None):
                    break
        except KeyboardInterrupt:
            if last is None:
                raise
            return Raw(last, built, stopped="interrupted", begun=begun)
        bandwidth, groups = self._after()
        return Raw(last, built, begun=begun, bandwidth=bandwidth, groups=groups)

    def _after(self) -> tuple[Message | None, Message | None]:
        """What the child measures when it has trained: bandwidth, groups. Where it fails, nothing is lost."""
        groups: Message | None = None
        try:
            while (message := self._child.receive(AFTER_S)) is not None:
                if message["event"] == "groups":
                    groups = message
                elif message["event"] == "result":
                    return message, groups
                elif message["event"] == "bye":
                    break
        except (TimeoutError, KeyboardInterrupt):
            pass
        return None, groups


def _silent(limit: float, built: Message) -> AdvisorError:
    what = "take a step" if built else "build the network"
    return UserError(
        f"the training process did not {what} within {limit:.0f} s and was ended",
        "Try fewer --layers or a smaller --batch; hwadvisor probe tells the state of the device.",
    )
