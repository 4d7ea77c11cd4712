"""What a framework sees, where the probe did not import it and a scan knows more by its end."""

from __future__ import annotations

from collections.abc import Callable

from advisor.schema import Calibration, Fact, Framework, FrameworkDevice, Machine, Status

NOTHING_TO_SEE = "no sign of an accelerator, so the framework was not imported"
LATER = "not asked yet"  # how the probe's reason begins where frameworks are to be asked in a second step
INTERRUPTED = "not asked: the scan was interrupted before"
LEFT_OUT = "not asked: HWADVISOR_PROBE_ASK=0"


def never_asked(machine: Machine, reason: str) -> Machine:
    """The same machine where frameworks that were to be asked later will not be, and why."""

    def told(framework: Framework) -> Framework:
        if not framework.sees.reason.startswith(LATER):
            return framework
        return _seeing(framework, framework.sees.model_copy(update={"reason": reason}))

    return _changed(machine, told)


def as_measured(machine: Machine, calibration: Calibration) -> Machine:
    """The same machine with what torch saw when it was imported for measuring, if nobody asked it before.

    Left as it is where accelerators were hidden from the measuring, and where the probe has devices of its
    own: which of them torch's are would need what only the probe asks.
    """
    seen = {name: title for name, title in calibration.devices.items() if name != "cpu"}
    hidden = any(notice.code == "left_out" for notice in calibration.notices)
    if not calibration.torch_version or hidden or (seen and machine.devices):
        return machine
    devices = tuple(
        FrameworkDevice(name=name, device_name=title, uuid=calibration.device_uuids.get(name, ""))
        for name, title in seen.items()
    )

    def told(framework: Framework) -> Framework:
        if framework.name != "torch":
            return framework
        source = f"torch {calibration.torch_version}, imported to measure"
        return _seeing(framework, Fact(value=devices, status=Status.ok, source=source))

    return _changed(machine, told)


def _seeing(framework: Framework, sees: Fact[tuple[FrameworkDevice, ...]]) -> Framework:
    return framework.model_copy(update={"sees": sees})


def _changed(machine: Machine, told: Callable[[Framework], Framework]) -> Machine:
    """The machine with those frameworks changed that are there and were not asked."""
    frameworks = tuple(
        told(one) if one.version.known and one.sees.status is Status.not_asked else one
        for one in machine.software.frameworks
    )
    software = machine.software.model_copy(update={"frameworks": frameworks})
    return machine.model_copy(update={"software": software})
