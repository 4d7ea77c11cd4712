"""One calibration from the first hello to the last figure; restarts the child when a bench kills it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from advisor.calibrate import grade
from advisor.calibrate.environment import require_device, wanted
from advisor.calibrate.guard import Child, Deadline, Message
from advisor.calibrate.join import device_uuids
from advisor.calibrate.options import CalibrateOptions, Event, check_options
from advisor.calibrate.plan import NO_TORCH_BENCHES, PACES, Seen, Test, make_plan
from advisor.calibrate.progress import Progress
from advisor.calibrate.reuse import code_digest
from advisor.calibrate.sampler import Sampler
from advisor.calibrate.start import Starter
from advisor.errors import UserError
from advisor.schema import BenchFailure, Calibration, Machine, Measurement, Notice, Status

GO: Message = {"go": True}  # the last figure is stored: measure the next
MOST_LOST = 2  # a device whose benches crashed or hung this often is not asked again
ANSWER_S = 30.0  # for the child to go on to its next test
FATAL = ("uncorrectable ecc", "xid", "fallen off the bus", "gpu is lost")
NOT_DEVICES = ("cpu", "disk", "host")


def run_calibration(
    machine: Machine, options: CalibrateOptions, listen: Callable[[Event], None] | None = None
) -> Iterator[Calibration]:
    """Measure; yields a snapshot after every figure or failure, and a last one with complete=True.

    Raises UserError for an unknown bench or device name, a device that torch does not see, or a Python that
    cannot be started. Without torch only what needs none is measured. On KeyboardInterrupt (or when the
    generator is closed) the child is killed; the last snapshot is then what there is.
    """
    check_options(options)
    run = _Run(machine, options, listen or (lambda _event: None))
    try:
        yield from run.go()
    finally:
        run.close()


class _Run:
    """State of one calibration: what is still to do, what was measured, and the child."""

    def __init__(self, machine: Machine, options: CalibrateOptions, listen: Callable[[Event], None]) -> None:
        self.machine, self.options, self.listen = machine, options, listen
        self.starter = Starter(machine, options)
        self.threads = machine.cpu.budget_threads.value
        self.started_at = _now()
        self.hello: Message = {}
        self.seen: tuple[Seen, ...] = ()
        self.pending: list[Test] = []
        self.progress = Progress()
        self.measurements: list[Measurement] = []
        self.failures: list[BenchFailure] = []
        self.notices: list[Notice] = []
        self.lost: Counter[str] = Counter()
        self.child: Child | None = None
        self.sampler = Sampler(machine)
        self.gate_left_s = PACES[options.mode].gate_wait_s
        self.begun = time.monotonic()  # of what the child is at now
        self._plan_sent = False

    def close(self) -> None:
        """Kill what still runs."""
        if self.child is not None:
            self.child.kill()
            self.child = None
        self.sampler.close()

    def go(self) -> Iterator[Calibration]:
        """Children one after the other until nothing is left to measure."""
        if not self._start():
            raise UserError(*self.starter.why_not())
        python = self.starter.python
        if self.options.python is not None and not self.hello["torch"]:
            hint = f"{python} -m pip install torch"
            raise UserError(f"--python {python}: torch cannot be used: {self.hello['trouble']}", hint)
        if self.options.device is not None:
            require_device(self.options.device, [seen.name for seen in self.seen], str(self.hello["torch"]))
        self.sampler.settle()
        self._plan()
        if self.failures:
            yield self._snapshot()
        while self.pending:
            if self.child is None and not self._start():
                yield from self._give_up(self.starter.why_not()[0])
                break
            yield from self._serve()
        self._two_points()
        self._tell("end", "Calibrated")
        yield self._snapshot(complete=True)

    # --- starting and planning

    def _start(self) -> bool:
        """A new child that has said hello. What it will not see any more fails."""
        hidden = self.starter.hide
        started = self.starter.start(self.threads, self.gate_left_s)
        if self.starter.hide != hidden:
            reason = self.starter.notices[-1].message
            self._drop([t for t in self.pending if t.device not in NOT_DEVICES], reason, "hwadvisor doctor")
        if started is None:
            return False
        self.child, self.hello = started
        seen = tuple(
            Seen(d["name"], d["title"], d["uuid"], d["total_bytes"], d.get("bf16"))
            for d in self.hello["devices"]
        )
        self.seen = self.seen if self.starter.hide and self.seen else seen  # titles of what was measured
        self.threads = int(self.hello["threads"])
        return True

    def _plan(self) -> None:
        device = self.options.device
        chosen = tuple(seen for seen in self.seen if device is None or wanted(device, seen.name))
        tests = make_plan(self.machine, self.options.mode, chosen, with_cpu_grid=not chosen)
        if self.options.only:
            tests = [t for t in tests if t.bench in self.options.only or t.bench == "pick_threads"]
        if not self.hello["torch"]:
            tests = self._without_torch(tests)
        for test in [test for test in tests if test.skip]:
            self._fail(test, Status.not_asked, test.skip)
        self.pending = [test for test in tests if not test.skip]
        self.progress.total = len(self.pending)
        if self.child is not None and self.pending:
            self._send_plan()

    def _without_torch(self, tests: list[Test]) -> list[Test]:
        """Only what needs no torch; one failure a bench for the rest."""
        reason = f"torch cannot be used under {self.starter.python}: {self.hello['trouble']}"
        hint = "pip install 'hwadvisor[torch]', or name a Python that has it with --python"
        skipped = {t.bench: t for t in tests if t.bench not in NO_TORCH_BENCHES and t.bench != "pick_threads"}
        for bench, test in skipped.items():
            self.failures.append(
                BenchFailure(
                    id=f"{bench}.{test.device}",
                    bench=bench,
                    device=test.device,
                    status=Status.lib_missing,
                    reason=reason,
                    hint=hint,
                )
            )
        self.notices.append(Notice(code="no_torch", message=f"Not measured: {reason}.", hint=hint))
        return [test for test in tests if test.bench in NO_TORCH_BENCHES]

    def _send_plan(self) -> None:
        assert self.child is not None  # noqa: S101 - every caller has just started it
        tests = [
            {"id": t.id, "bench": t.bench, "device": t.device, "params": t.params, "limits": t.limits}
            for t in self.pending
        ]
        self.child.send({"tests": tests})
        self.child.send(GO)
        self._plan_sent = True

    # --- one child's life

    def _serve(self) -> Iterator[Calibration]:
        """Take what the child measures until it has finished, died, or had to be killed."""
        child = self.child
        assert child is not None  # noqa: S101 - `go` has started it
        if not self._plan_sent:
            self._send_plan()
        self.begun, current, deadline = time.monotonic(), False, Deadline(ANSWER_S)
        while True:
            try:
                message = child.receive(deadline.left_s())
            except TimeoutError:
                yield from self._hung()
                return
            if message is None:
                yield from self._crashed(child)
                return
            event = message["event"]
            if event in ("start", "waiting", "measuring"):
                current, deadline = True, self._at(event, message)
            elif event == "result" and current:
                yield from self._measured(message)
            elif event == "threads":
                self._chose_threads(message)
            elif event in ("done", "failure"):
                current, deadline = False, Deadline(ANSWER_S)
                yield from self._ended(message)
                if self.child is child:
                    child.send(GO)
            elif event == "bye":
                self._drop_child()
                return

    def _at(self, event: str, message: Message) -> Deadline:
        """What the child is at now; gives until when it may be at it."""
        self.begun = time.monotonic()
        test = self.pending[0]
        if event == "waiting":
            self._tell("waiting", f"Waiting for other programs (at most {message['left_s']:.0f} s)")
            return Deadline(float(message["left_s"]) + ANSWER_S)
        if event == "measuring":
            self.gate_left_s = max(self.gate_left_s - float(message["waited_s"]), 0.0)
        self._tell("start", test.text)
        return Deadline(test.wall_s)

    def _drop_child(self) -> bool:
        """Kill the child. False: it cannot be killed."""
        child, self.child, self._plan_sent = self.child, None, False
        return child.kill() if child is not None else True

    def _measured(self, message: Message) -> Iterator[Calibration]:
        test = self.pending[0]
        if message["all"]["n"] == 0:
            return
        uuids, noise = device_uuids(self.machine, self.seen), grade.DeviceNoise()
        if test.device not in NOT_DEVICES:
            noise = self.sampler.during(uuids.get(test.device, ""), self.begun)
        raw = {**message, "warnings": [*message.get("warnings", ()), *test.warnings]}
        if test.bench == "disk_read" and (self.machine.host.vm.value or "none") != "none":
            raw["warnings"].append("virtual_disk")
        figure = grade.measurement(test, raw, noise, _now())
        if "pcie_below_max" in figure.warnings:
            self._note("pcie_link", f"{test.device} {noise.link()}.")
        self._add(figure)
        yield self._snapshot()
        derived = self._train_rate(figure)
        if isinstance(derived, Measurement):
            self._add(derived)
        elif derived is not None:
            self.failures.append(derived)
        if derived is not None:
            yield self._snapshot()

    def _add(self, figure: Measurement) -> None:
        """Keep a figure; a C of all threads gets its upper end from one thread's, where there is one."""
        params = figure.params
        op = str(params.get("op", "")) if params.get("where") == "all_cores" else ""
        if figure.bench == "matmul" and params.get("dtype") == "fp32" and "threads" not in params:
            op = "matrix_product"
        if op and figure.device == "cpu" and self.threads:
            for one in self._snapshot().find("parallel_task", "cpu", op=op, where="one_core"):
                figure = grade.bounded_by_one(figure, one, self.threads)
        self.measurements.append(figure)
        self._tell("result", self.pending[0].text)

    def _train_rate(self, deep: Measurement) -> Measurement | BenchFailure | None:
        """The rate from two depths, once the deeper one is there."""
        if deep.bench != "train_step":
            return None
        same = [
            m
            for m in self.measurements[:-1]
            if m.bench == "train_step"
            and m.device == deep.device
            and all(m.params.get(key) == deep.params.get(key) for key in ("family", "dtype"))
        ]
        return grade.train_rate(same[-1], deep) if same else None

    def _ended(self, message: Message) -> Iterator[Calibration]:
        """The child is through with a test, well or badly."""
        test = self._pop()
        if message["event"] == "done":
            return
        self._fail(test, Status(message["status"]), str(message["reason"]), str(message.get("hint", "")))
        if message.get("device_lost"):
            fatal = any(word in str(message["reason"]).lower() for word in FATAL)
            self._lost(test.device, MOST_LOST if fatal else 1)
        yield self._snapshot()

    def _hung(self) -> Iterator[Calibration]:
        """The wall limit of a test is over: kill, and go on without it."""
        reason = f"did not finish within {time.monotonic() - self.begun:.0f} s"
        test = self._pop()
        killed = self._drop_child()
        self._fail(test, Status.timeout, reason if killed else f"{reason} and cannot be killed")
        self._lost(test.device, 1 if killed else MOST_LOST)
        yield self._snapshot()

    def _crashed(self, child: Child) -> Iterator[Calibration]:
        """The child is gone. Whatever it was at has failed, unless it had told so itself."""
        reason = child.how_it_ended()
        self._drop_child()
        if self.pending and not reason.startswith("ended with status 70"):
            test = self._pop()
            self._fail(test, Status.failed, f"the measuring process {reason}")
            self._lost(test.device, 1)
            yield self._snapshot()

    def _lost(self, device: str, times: int) -> None:
        """Count a crash or hang of a device, and ask it no more after too many."""
        self.lost[device] += times
        if self.lost[device] >= MOST_LOST and device not in NOT_DEVICES:
            text = f"{device} crashed or hung before, so it was left alone"
            hint = "hwadvisor probe tells the state of the device."
            self._drop([test for test in self.pending if test.device == device], text, hint)

    def _drop(self, tests: list[Test], reason: str, hint: str) -> None:
        """Fail tests that will not be run after all."""
        for test in tests:
            self.pending.remove(test)
            self.progress.dropped()
            self._fail(test, Status.lost, reason, hint)

    def _give_up(self, reason: str) -> Iterator[Calibration]:
        for test in self.pending:
            self._fail(test, Status.failed, reason, "hwadvisor doctor")
        self.pending = []
        yield self._snapshot()

    # --- keeping the books

    def _pop(self) -> Test:
        test = self.pending.pop(0)
        self.progress.finished(test, time.monotonic() - self.begun)
        return test

    def _fail(self, test: Test, status: Status, reason: str, hint: str = "") -> None:
        self.failures.append(
            BenchFailure(
                id=test.id, bench=test.bench, device=test.device, status=status, reason=reason, hint=hint
            )
        )
        self._tell("failure", f"{test.text}: {reason}", test)

    def _tell(self, kind: str, text: str, test: Test | None = None) -> None:
        current = test or (self.pending[0] if self.pending else None)
        progress = self.progress
        left, after = progress.left_s(self.pending), progress.left_s(self.pending[1:])
        name = current.id if current else ""
        self.listen(Event(kind, name, text, progress.done, progress.total, left, after))

    def _note(self, code: str, message: str, hint: str = "") -> None:
        """A notice, once."""
        notice = Notice(code=code, message=message, hint=hint)
        if notice not in self.notices:
            self.notices.append(notice)

    def _chose_threads(self, message: Message) -> None:
        self.threads = int(message["threads"])
        tried = ", ".join(f"{count}: {best * 1e3:.1f} ms" for count, best in message["tried"].items())
        if message.get("disturbed"):
            text = f"The choice of a thread count was disturbed ({tried}), so all {self.threads} are used."
            self._note("threads_disturbed", text, "Stop them and calibrate again.")
            return
        self._note("threads", f"{self.threads} threads multiply matrices fastest here ({tried}).")

    def _two_points(self) -> None:
        """Start and end of the run side by side: where bandwidth differs, both get the whole range."""
        for index, start in enumerate(self.measurements):
            if start.bench != "memory_bandwidth" or start.params.get("point") != "start":
                continue
            for other, end in enumerate(self.measurements):
                same = {**start.params, "point": "end"}
                if end.bench == start.bench and end.device == start.device and end.params == same:
                    self.measurements[index], self.measurements[other] = grade.two_points(start, end)

    def _snapshot(self, complete: bool = False) -> Calibration:
        titles = {seen.name: seen.title for seen in self.seen}
        return Calibration(
            mode=self.options.mode,
            started_at=self.started_at,
            finished_at=_now() if complete else "",
            complete=complete,
            stopped="" if complete else "running",
            python=str(self.hello.get("python", self.starter.python)),
            torch_version=str(self.hello.get("torch", "")),
            code=code_digest(),
            thread_budget=self.threads,
            devices={"cpu": self.machine.cpu.model.value or "", **titles},
            device_uuids=device_uuids(self.machine, self.seen),
            measurements=tuple(self.measurements),
            failures=tuple(self.failures),
            notices=(*self.starter.notices, *self.notices),
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
