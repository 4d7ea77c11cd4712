"""One calibration from the first hello to the last figure; restarts the child when a bench kills it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from advisor.calibrate import grade
from advisor.calibrate.environment import HELLO_S, require_device, wanted
from advisor.calibrate.guard import Child, Deadline, Message, bench_command
from advisor.calibrate.options import CalibrateOptions, Event, check_options
from advisor.calibrate.plan import NO_TORCH_BENCHES, PACES, Seen, Test, make_plan
from advisor.calibrate.sampler import Sampler
from advisor.errors import UserError
from advisor.schema import BenchFailure, Calibration, Machine, Measurement, Notice, Status

GO: Message = {"go": True}  # the last figure is stored: measure the next
MOST_LOST = 2  # a device whose benches crashed or hung this often is not asked again
HIDDEN = {  # no runtime finds a device then, so that no driver is asked
    "CUDA_VISIBLE_DEVICES": "",
    "HIP_VISIBLE_DEVICES": "",
    "ROCR_VISIBLE_DEVICES": "",
    "ONEAPI_DEVICE_SELECTOR": "opencl:cpu",
    "ASCEND_RT_VISIBLE_DEVICES": "",
    "TORCH_DEVICE_BACKEND_AUTOLOAD": "0",
}
FATAL = ("uncorrectable ecc", "xid", "fallen off the bus", "gpu is lost")


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
        self.python = options.python or sys.executable
        self.threads = machine.cpu.budget_threads.value
        self.started_at = _now()
        self.hello: Message = {}
        self.seen: tuple[Seen, ...] = ()
        self.pending: list[Test] = []
        self.total = 0
        self.done = 0
        self.measurements: list[Measurement] = []
        self.failures: list[BenchFailure] = []
        self.notices: list[Notice] = []
        self.lost: Counter[str] = Counter()
        self.child: Child | None = None
        self.sampler = Sampler(machine)
        self.expected_s = self.spent_s = 0.0

    def close(self) -> None:
        """Kill what still runs."""
        if self.child is not None:
            self.child.kill()
            self.child = None
        self.sampler.close()

    def go(self) -> Iterator[Calibration]:
        """Children one after the other until nothing is left to measure."""
        if not self._start():
            raise UserError(*self._why_no_start())
        if self.options.python is not None and not self.hello["torch"]:
            hint = f"{self.python} -m pip install torch"
            raise UserError(f"--python {self.python}: torch cannot be used: {self.hello['trouble']}", hint)
        if self.options.device is not None:
            require_device(self.options.device, [seen.name for seen in self.seen], str(self.hello["torch"]))
        self._plan()
        if self.failures:
            yield self._snapshot()
        while self.pending:
            if self.child is None and not self._start():
                yield from self._give_up(self._why_no_start()[0])
                break
            yield from self._serve()
        self._two_points()
        self.listen(Event("end", "", "Calibrated", self.done, self.total, 0.0))
        yield self._snapshot(complete=True)

    # --- starting and planning

    def _start(self) -> bool:
        """A new child that has said hello; one that hangs or crashes is asked again for less.

        A driver that hangs, or a torch that crashes on import, must not cost what works without it.
        """
        while not self._greet():
            device = self.options.device
            if not self._started:
                return False
            if not self._hide and (device is None or device.partition(":")[0] == "cpu"):
                self._hide, message = "accelerators", "Accelerators were left out"
            elif self._hide != "torch" and device is None and self.options.python is None:
                self._hide, message = "torch", "torch was left out"
            else:
                return False
            text = f"{message}: the measuring process {self._trouble}."
            self.notices.append(Notice(code="left_out", message=text, hint="hwadvisor doctor"))
            self._leave_out(text)
        return True

    def _leave_out(self, reason: str) -> None:
        """Fail what is planned for devices that the next child will not see."""
        for test in [test for test in self.pending if test.device not in ("cpu", "disk", "host")]:
            self.pending.remove(test)
            self.done += 1
            self._fail(test, Status.lost, reason, "hwadvisor doctor")

    def _greet(self) -> bool:
        """Start a child and wait for its hello."""
        self._started = False
        try:
            self.child = Child(bench_command(self.python), self.threads, HIDDEN if self._hide else None)
        except (OSError, ValueError) as error:
            self._trouble = f"cannot be started: {getattr(error, 'strerror', None) or error}"
            return False
        self._started = True
        self.child.send(
            {
                "hide": self._hide,
                "hide_reason": self._trouble,
                "threads": self.threads,
                "gate_wait_s": PACES[self.options.mode].gate_wait_s if not self.measurements else 0.0,
                "workdir": str(self.options.workdir.resolve()),
                "host_free_bytes": _host_free(self.machine),
            }
        )
        try:
            hello = self.child.receive(HELLO_S)
        except TimeoutError:
            hello, self._trouble = None, f"did not import torch within {HELLO_S:.0f} s"
        else:
            if hello is None:
                self._trouble = self.child.how_it_ended()
        if hello is None:
            self.child.kill()
            self.child = None
            return False
        self.hello = hello
        if hello.get("accelerator_trouble") and not self.hello_told:
            self.hello_told = True
            text = f"Not every accelerator could be asked: {hello['accelerator_trouble']}."
            self.notices.append(Notice(code="left_out", message=text, hint="hwadvisor doctor"))
        seen = tuple(Seen(d["name"], d["title"], d["uuid"], d["total_bytes"]) for d in hello["devices"])
        self.seen = self.seen if self._hide and self.seen else seen  # titles of what was measured before
        self.threads = int(hello["threads"])
        return True

    def _why_no_start(self) -> tuple[str, str]:
        return f"the measuring process ({self.python}) {self._trouble}", "hwadvisor doctor"

    def _plan(self) -> None:
        device = self.options.device
        chosen = tuple(seen for seen in self.seen if device is None or wanted(device, seen.name))
        tests = make_plan(self.machine, self.options.mode, chosen, with_cpu_grid=not chosen)
        if self.options.only:
            tests = [t for t in tests if t.bench in self.options.only or t.bench == "pick_threads"]
        if not self.hello["torch"]:
            tests = self._without_torch(tests)
        self.pending, self.total = tests, len(tests)
        if self.child is not None and tests:
            self._send_plan()

    def _without_torch(self, tests: list[Test]) -> list[Test]:
        """Only what needs no torch; one failure a bench for the rest."""
        reason = f"torch cannot be used under {self.python}: {self.hello['trouble']}"
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
        begun, current = time.monotonic(), False
        deadline = Deadline(30.0)
        while True:
            try:
                message = child.receive(deadline.left_s())
            except TimeoutError:
                yield from self._hung(begun)
                return
            if message is None:
                yield from self._crashed(child, begun)
                return
            event = message["event"]
            if event == "start":
                begun, current = time.monotonic(), True
                deadline = Deadline(self.pending[0].wall_s + PACES[self.options.mode].gate_wait_s)
                self._tell("start", self.pending[0].text)
            elif event == "result" and current:
                yield from self._measured(message, begun)
            elif event == "threads":
                self._chose_threads(message)
            elif event in ("done", "failure"):
                current, deadline = False, Deadline(30.0)
                yield from self._ended(message, begun)
                if self.child is child:
                    child.send(GO)
            elif event == "bye":
                self._drop_child()
                return

    def _drop_child(self) -> bool:
        """Kill the child. False: it cannot be killed."""
        child, self.child, self._plan_sent = self.child, None, False
        return child.kill() if child is not None else True

    def _measured(self, message: Message, begun: float) -> Iterator[Calibration]:
        test = self.pending[0]
        if message["all"]["n"] == 0:
            return
        noise = self.sampler.during(self._uuid(test.device), begun)
        raw = {**message, "warnings": [*message.get("warnings", ()), *test.warnings]}
        if test.bench == "disk_read" and (self.machine.host.vm.value or "none") != "none":
            raw["warnings"].append("virtual_disk")
        figure = grade.measurement(test, raw, noise, _now())
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

    def _ended(self, message: Message, begun: float) -> Iterator[Calibration]:
        """The child is through with a test, well or badly."""
        test = self._pop(begun)
        if message["event"] == "done":
            return
        self._fail(test, Status(message["status"]), str(message["reason"]), str(message.get("hint", "")))
        if message.get("device_lost"):
            fatal = any(word in str(message["reason"]).lower() for word in FATAL)
            self._lost(test.device, MOST_LOST if fatal else 1)
        yield self._snapshot()

    def _hung(self, begun: float) -> Iterator[Calibration]:
        """The wall limit of a test is over: kill, and go on without it."""
        test = self._pop(begun)
        killed = self._drop_child()
        reason = f"did not finish within {time.monotonic() - begun:.0f} s"
        self._fail(test, Status.timeout, reason if killed else f"{reason} and cannot be killed")
        self._lost(test.device, 1 if killed else MOST_LOST)
        yield self._snapshot()

    def _crashed(self, child: Child, begun: float) -> Iterator[Calibration]:
        """The child is gone. Whatever it was at has failed, unless it had told so itself."""
        reason = child.how_it_ended()
        self._drop_child()
        if self.pending and not reason.startswith("ended with status 70"):
            test = self._pop(begun)
            self._fail(test, Status.failed, f"the measuring process {reason}")
            self._lost(test.device, 1)
            yield self._snapshot()

    def _lost(self, device: str, times: int) -> None:
        """Count a crash or hang of a device, and ask it no more after too many."""
        self.lost[device] += times
        if self.lost[device] < MOST_LOST or device in ("cpu", "disk"):
            return
        for test in [test for test in self.pending if test.device == device]:
            self.pending.remove(test)
            self.done += 1
            text = f"{device} crashed or hung before, so it was left alone"
            self._fail(test, Status.lost, text, "hwadvisor probe tells the state of the device.")

    def _give_up(self, reason: str) -> Iterator[Calibration]:
        for test in self.pending:
            self._fail(test, Status.failed, reason, "hwadvisor doctor")
        self.pending = []
        yield self._snapshot()

    # --- keeping the books

    def _pop(self, begun: float) -> Test:
        test = self.pending.pop(0)
        self.done += 1
        self.expected_s += test.expected_s
        self.spent_s += time.monotonic() - begun
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
        pace = self.spent_s / self.expected_s if self.expected_s > 1.0 else 1.0
        left = sum(t.expected_s for t in self.pending) * min(max(pace, 0.5), 3.0)
        self.listen(Event(kind, current.id if current else "", text, self.done, self.total, left))

    def _uuid(self, device: str) -> str:
        return self._uuids().get(device, "")

    def _uuids(self) -> dict[str, str]:
        """The join with Machine.devices: the UUID torch tells where the probe knows it, else the name."""
        probed = {d.framework_name.value: d.uuid.value for d in self.machine.devices}
        known = {d.uuid.value for d in self.machine.devices if d.uuid.value}
        found: dict[str, str] = {}
        for seen in self.seen:
            slice_uuid = "MIG-" + seen.uuid.removeprefix("GPU-")  # torch gives a slice's without its prefix
            told = next((uuid for uuid in (seen.uuid, slice_uuid) if uuid in known), None)
            uuid = told or probed.get(seen.name) or seen.uuid
            if uuid:
                found[seen.name] = uuid
        return found

    def _chose_threads(self, message: Message) -> None:
        self.threads = int(message["threads"])
        tried = ", ".join(f"{count}: {best * 1e3:.1f} ms" for count, best in message["tried"].items())
        text = f"{self.threads} threads multiply matrices fastest here ({tried})."
        self.notices.append(Notice(code="threads", message=text))

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
            python=str(self.hello.get("python", self.python)),
            torch_version=str(self.hello.get("torch", "")),
            thread_budget=self.threads,
            devices={"cpu": self.machine.cpu.model.value or "", **titles},
            device_uuids=self._uuids(),
            measurements=tuple(self.measurements),
            failures=tuple(self.failures),
            notices=tuple(self.notices),
        )

    _trouble = ""
    _hide = ""  # "accelerators" or "torch": what the child must not touch
    _started = False
    hello_told = False
    _plan_sent = False


def _host_free(machine: Machine) -> int | None:
    """What may be taken: the host's free memory, and what a cgroup leaves of its limit, if that is less."""
    memory = machine.memory
    usable, used = memory.usable_bytes.value, memory.cgroup_used_bytes.value
    limit = memory.cgroup_limit_bytes.value
    left = max(limit - used, 0) if limit is not None and used is not None else None
    return _least(memory.available_bytes.value, usable, left)


def _least(*values: int | None) -> int | None:
    known: list[int] = [value for value in values if value is not None]
    return min(known) if known else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
