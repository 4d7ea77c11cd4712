"""Whether the Python and the device asked for can be measured at all, found out before anything slow."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass

from advisor.calibrate.guard import Child, Deadline, Message, bench_command
from advisor.errors import MissingLibrary, UserError, nearest

KINDS = ("cpu", "cuda", "xpu", "mps", "npu")
ALIASES = {"rocm": "cuda", "hip": "cuda", "gpu": "cuda", "nvidia": "cuda", "amd": "cuda", "ascend": "npu"}
OLDEST = (3, 9)
ANSWER_S = 20.0
HELLO_S = 60.0  # importing torch from a cold network disk takes this long
DRIVER_S = 5.0  # for a driver to answer once torch is imported
# "1-3 second startup cost per GPU" where nothing keeps the GPUs initialised: NVIDIA, Driver Persistence,
# Overview (docs.nvidia.com/deploy/driver-persistence/overview.html); DRIVER_S itself covers the first
START_S_PER_GPU = 3.0
MOST_GPUS = 8  # more of them hang rather than start
ASK = (
    "import sys, json, importlib.util as u;"
    "print('hwadvisor:' + json.dumps([sys.version_info[:3], u.find_spec('torch') is not None]))"
)


@dataclass(frozen=True)
class Environment:
    """A Python that can run the benches."""

    python: str
    version: str
    torch_version: str = ""

    def describe(self) -> str:
        """One line for `doctor`."""
        torch = f"torch {self.torch_version}" if self.torch_version else "torch"
        return f"{torch} under Python {self.version} ({self.python})"


def check_environment(python: str | None, device: str | None) -> Environment:
    """The Python to measure in.

    Raises UserError when `python` is no Python, is too old or has no torch, and when torch does not see
    `device`; MissingLibrary when no Python was named and this one has no torch.
    """
    if device is not None:
        check_device_name(device)
    found = _ours() if python is None else _theirs(python)
    if device is not None and device.partition(":")[0] != "cpu":
        _sees(found.python, device)
    return found


def check_device_name(device: str) -> None:
    """Raises UserError unless `device` is spelt as torch spells devices."""
    kind, _, index = device.partition(":")
    if kind in KINDS and (index.isdigit() or ":" not in device):
        return
    if kind in ALIASES:
        hint = f"torch calls it {ALIASES[kind]}: --device {ALIASES[kind]}"
    else:
        near = nearest(kind, KINDS)
        hint = f"Give one of {', '.join(KINDS)}, with :N for the N-th" + (
            f"; did you mean {near[0]}?" if near else "."
        )
    raise UserError(f"--device {device}: no such device name", hint)


def _ours() -> Environment:
    if importlib.util.find_spec("torch") is None:
        raise MissingLibrary(
            "torch is not installed in this environment, so nothing can be measured",
            "pip install 'hwadvisor[torch]', or name a Python that has it with --python",
        )
    return Environment(sys.executable, ".".join(map(str, sys.version_info[:3])), _torch_version())


def _torch_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("torch")
    except PackageNotFoundError:  # built in place, without metadata
        return ""


def _theirs(python: str) -> Environment:
    hint = "Give the interpreter of the environment, for example /path/to/env/bin/python."
    try:
        done = subprocess.run(
            [python, "-c", ASK],
            capture_output=True,
            timeout=ANSWER_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"--python {python}: no answer within {ANSWER_S:.0f} s", hint) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"--python {python}: cannot be started: {reason}", hint) from error
    marks = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if "hwadvisor:" in line]
    if done.returncode != 0 or not marks:
        raise UserError(f"--python {python}: is not a Python interpreter", hint)
    version, has_torch = json.loads(marks[-1].partition("hwadvisor:")[2])
    text = ".".join(map(str, version))
    if tuple(version[:2]) < OLDEST:
        raise UserError(f"--python {python}: Python {text} is too old", "Python 3.9 or newer is needed.")
    if not has_torch:
        raise UserError(f"--python {python}: has no torch", f"{python} -m pip install torch")
    return Environment(python, text)


def _sees(python: str, device: str) -> None:
    """Raises UserError unless torch there sees the device. Costs one import of torch."""
    child = Child(bench_command(python))
    try:
        child.send({"threads": 1, "name_calls": True})
        hello = hello_of(child, HELLO_S, driver_s(MOST_GPUS))
        ended = child.how_it_ended() if hello is None else ""
    except TimeoutError as error:
        raise UserError(
            f"--device {device}: the process that imports torch {error}",
            "Look whether the driver hangs: hwadvisor probe",
        ) from error
    finally:
        child.kill()
    if hello is None:
        raise UserError(f"--device {device}: the process that imports torch {ended}", "hwadvisor doctor")
    if hello.get("trouble"):
        raise UserError(f"--device {device}: torch cannot be used: {hello['trouble']}", "hwadvisor doctor")
    require_device(device, [str(entry["name"]) for entry in hello["devices"]], str(hello["torch"]))


def driver_s(gpus: int) -> float:
    """How long the driver of so many GPUs may take to answer."""
    return DRIVER_S + START_S_PER_GPU * (min(max(gpus, 1), MOST_GPUS) - 1)


def hello_of(child: Child, hello_s: float, cuda_s: float) -> Message | None:
    """The child's hello, or None when it has ended. Raises TimeoutError that says what took too long.

    All of it may take `hello_s`. The child names each driver before it calls it: CUDA's and ROCm's gets
    `cuda_s` then. The others' stacks still load libraries, which takes as long as an import.
    """
    end = Deadline(hello_s)
    left_s, asked = end.left_s(), ""
    while True:
        try:
            said = child.receive(left_s)
        except TimeoutError:
            late = f"did not import torch within {hello_s:.0f} s"
            if asked == "cuda":
                late = f"got no answer from the GPU's driver within {cuda_s:.3g} s"
            raise TimeoutError(late) from None
        if said is None or said["event"] != "asking":
            return said
        asked = str(said["kind"])
        left_s = min(end.left_s(), cuda_s) if asked == "cuda" else end.left_s()


def require_device(device: str, seen: list[str], torch_version: str) -> None:
    """Raises UserError unless `device` ("cuda" or "cuda:1") is the CPU or among those torch sees."""
    if device.partition(":")[0] == "cpu" or any(wanted(device, name) for name in seen):
        return
    listed = ", ".join(["cpu", *seen])
    raise UserError(
        f"--device {device}: torch {torch_version} sees no such device (it sees {listed})",
        "hwadvisor probe tells what the driver and torch each see; a CPU build of torch sees no GPU.",
    )


def wanted(device: str, name: str) -> bool:
    """Whether torch's `name` is what --device asks for: "cuda" means all of them."""
    return name == device or (":" not in device and name.partition(":")[0] == device)
