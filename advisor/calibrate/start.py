"""Starting the child that measures; where it hangs or crashes, again with less for it to touch."""

from __future__ import annotations

import sys

from advisor.calibrate.environment import HELLO_S, driver_s, hello_of
from advisor.calibrate.guard import Child, Message, bench_command
from advisor.calibrate.join import host_free
from advisor.calibrate.options import CalibrateOptions
from advisor.calibrate.plan import PACES
from advisor.schema import Machine, Notice, Status

HIDDEN = {  # no runtime finds a device then, so that no driver is asked
    "CUDA_VISIBLE_DEVICES": "",
    "HIP_VISIBLE_DEVICES": "",
    "ROCR_VISIBLE_DEVICES": "",
    "ONEAPI_DEVICE_SELECTOR": "opencl:cpu",
    "ASCEND_RT_VISIBLE_DEVICES": "",
    "TORCH_DEVICE_BACKEND_AUTOLOAD": "0",
}


def _hung_in_probe(machine: Machine) -> str:
    """What the probe says of a driver that gave torch no answer; "" where none hung."""
    for framework in machine.software.frameworks:
        reason = framework.sees.reason
        late = framework.sees.status is Status.timeout or "no answer within" in reason
        if framework.name == "torch" and late and " in import " not in reason:
            return reason
    return ""


class Starter:
    """Starts children one after the other. `hide`: "accelerators" or "torch", once one failed with it."""

    def __init__(self, machine: Machine, options: CalibrateOptions) -> None:
        self.python = options.python or sys.executable
        self.trouble = ""
        self.hide = ""
        self.notices: list[Notice] = []
        self._machine, self._options = machine, options
        self._ran = False  # whether the last process could be started at all
        self._accelerator_trouble_told = False
        hung = _hung_in_probe(machine)
        if hung:
            self.trouble = f"would wait for the driver as the probe did ({hung})"
            if options.device is None or options.device.partition(":")[0] == "cpu":
                self._hide_more()

    def start(self, threads: int | None, gate_wait_s: float | None = None) -> tuple[Child, Message] | None:
        """A new child and its hello; None when there is none to be had, and `trouble` says why.

        A driver that hangs, or a torch that crashes on import, must not cost what works without it.
        """
        while True:
            greeted = self._greet(threads, gate_wait_s)
            if greeted is not None:
                return greeted
            if not self._ran or not self._hide_more():
                return None

    def _hide_more(self) -> bool:
        """Go on with less, unless what would be left out is what the user asked for."""
        device = self._options.device
        if not self.hide and (device is None or device.partition(":")[0] == "cpu"):
            self.hide, message = "accelerators", "Accelerators were left out"
        elif self.hide != "torch" and device is None and self._options.python is None:
            self.hide, message = "torch", "torch was left out"
        else:
            return False
        text = f"{message}: the measuring process {self.trouble}."
        self.notices.append(Notice(code="left_out", message=text, hint="hwadvisor doctor"))
        return True

    def _greet(self, threads: int | None, gate_wait_s: float | None) -> tuple[Child, Message] | None:
        """Start a child and wait for its hello."""
        self._ran = False
        try:
            child = Child(bench_command(self.python), threads, HIDDEN if self.hide else None)
        except (OSError, ValueError) as error:
            self.trouble = f"cannot be started: {getattr(error, 'strerror', None) or error}"
            return None
        self._ran = True
        child.send(
            {
                "hide": self.hide,
                "hide_reason": self.trouble,
                "name_calls": True,
                "threads": threads,
                "gate_wait_s": PACES[self._options.mode].gate_wait_s if gate_wait_s is None else gate_wait_s,
                "workdir": str(self._options.workdir.resolve()),
                "host_free_bytes": host_free(self._machine),
            }
        )
        hello = self._hello(child)
        if hello is None:
            child.kill()
            return None
        if hello.get("accelerator_trouble") and not self._accelerator_trouble_told:
            self._accelerator_trouble_told = True
            text = f"Not every accelerator could be asked: {hello['accelerator_trouble']}."
            self.notices.append(Notice(code="left_out", message=text, hint="hwadvisor doctor"))
        return child, hello

    def _hello(self, child: Child) -> Message | None:
        try:
            hello = hello_of(child, HELLO_S, driver_s(len(self._machine.devices)))
        except TimeoutError as error:
            self.trouble = str(error)
            return None
        except BaseException:  # Ctrl-C while torch is imported: nobody else knows of this child yet
            child.kill()
            raise
        if hello is None:
            self.trouble = child.how_it_ended()
        return hello

    def why_not(self) -> tuple[str, str]:
        """Message and hint for a child that could not be had."""
        return f"the measuring process ({self.python}) {self.trouble}", "hwadvisor doctor"
