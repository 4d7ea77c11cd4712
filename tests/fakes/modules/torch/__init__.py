"""A torch that sees the devices of the JSON file named by FAKE_TORCH, as the real one would.

Case keys: devices [{name, uuid, pci, total, free, speed, cc, gcn, integrated}], arch_list, init_error,
import_error, print_on_import, hang_at / crash_at (a call's name), no_kernel [indices], mem_error, and one
section each for xpu, npu, mps. CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER are obeyed as the CUDA runtime
documents them: by index, by UUID or any unique prefix of one, everything after the first bad entry hidden.
"""

import json
import os
import signal
import sys
import time
import types

from .version import __version__  # noqa: F401
from . import version

CASE = json.load(open(os.environ["FAKE_TORCH"])) if os.environ.get("FAKE_TORCH") else {}


def _at(call):
    if CASE.get("hang_at") == call:
        time.sleep(60)
    if CASE.get("crash_at") == call:
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGSEGV)


if CASE.get("print_on_import"):
    print(CASE["print_on_import"])
if CASE.get("import_error"):
    raise ImportError(CASE["import_error"])
_at("import")

_HAS_PYNVML = False
amdsmi_here = False
try:
    import pynvml  # noqa: F401

    _HAS_PYNVML = True
except ModuleNotFoundError:
    pass
if version.hip:
    try:
        import amdsmi  # noqa: F401

        amdsmi_here = True
    except ModuleNotFoundError:
        pass


def _visible():
    devices = list(CASE.get("devices", []))
    if os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        devices.sort(key=lambda d: d["pci"])
    else:
        devices.sort(key=lambda d: -d.get("speed", 0))
    wish = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wish is None:
        return devices
    chosen = []
    for item in wish.split(","):
        item = item.strip()
        if item.lstrip("-").isdigit():
            match = devices[int(item) : int(item) + 1] if int(item) >= 0 else []
        else:
            match = [d for d in devices if item and d["uuid"].startswith(item)]
        if len(match) != 1:
            break
        chosen += match
    return chosen


class _Cuda(types.ModuleType):
    _ready = False

    def device_count(self):
        _at("device_count")
        if version.hip and not self._ready:
            if _HAS_PYNVML and not amdsmi_here:
                raise NameError("name 'amdsmi' is not defined")
            if amdsmi_here:
                return 0
        return 0 if CASE.get("init_error") else len(_visible())

    def is_available(self):
        return self.device_count() > 0

    def init(self):
        _at("init")
        if CASE.get("init_error"):
            raise RuntimeError(CASE["init_error"])
        if not _visible():
            raise RuntimeError("No CUDA GPUs are available")
        self._ready = True

    def get_arch_list(self):
        return CASE.get("arch_list", [])

    def get_device_properties(self, index):
        _at(f"get_device_properties({index})")
        d = _visible()[index]
        major, minor = (d.get("cc") or "0.0").split(".")
        domain, bus, rest = d["pci"].split(":")
        out = types.SimpleNamespace(
            name=d["name"], total_memory=d["total"], major=int(major), minor=int(minor),
            multi_processor_count=1, uuid=_Uuid(d["uuid"]), pci_domain_id=int(domain, 16),
            pci_bus_id=int(bus, 16), pci_device_id=int(rest.split(".")[0], 16),
            is_integrated=int(d.get("integrated", 0)),
        )
        if d.get("gcn"):
            out.gcnArchName = d["gcn"]
        return out

    def mem_get_info(self, index):
        _at(f"mem_get_info({index})")
        if CASE.get("mem_error"):
            raise RuntimeError(CASE["mem_error"])
        d = _visible()[index]
        return d["free"], d["total"]


class _Uuid:
    def __init__(self, text):
        self.text = text

    def __str__(self):
        if self.text.startswith("GPU-") and len(self.text) == 20:  # ROCm: sixteen ASCII digits as bytes
            digits = self.text[4:].encode().hex()
            return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        return self.text.removeprefix("GPU-")


class _Accelerator(types.ModuleType):
    """xpu or npu."""

    def __init__(self, kind):
        super().__init__("torch." + kind)
        self._case = CASE.get(kind, {})

    def is_available(self):
        return bool(self._case.get("devices"))

    def device_count(self):
        return len(self._case.get("devices", []))

    def get_device_name(self, index):
        return self._case["devices"][index]["name"]

    def get_device_properties(self, index):
        return types.SimpleNamespace(total_memory=self._case["devices"][index]["total"])

    def mem_get_info(self, index):
        if self._case.get("mem_error"):
            raise RuntimeError(self._case["mem_error"])
        d = self._case["devices"][index]
        return d["free"], d["total"]


class _Tensor:
    def __init__(self, device):
        self.device = device

    def __add__(self, other):
        kind, _, index = self.device.partition(":")
        if kind == "cuda" and int(index or 0) in CASE.get("no_kernel", []):
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
        return self

    def sum(self):
        return 16.0


def ones(count, device="cpu"):
    return _Tensor(device)


cuda = _Cuda("torch.cuda")
xpu = _Accelerator("xpu")
if CASE.get("npu"):
    npu = _Accelerator("npu")
_C = types.SimpleNamespace(_cuda_getDeviceCount=lambda: len(_visible()))
backends = types.SimpleNamespace(mps=types.SimpleNamespace(is_available=lambda: bool(CASE.get("mps"))))
mps = types.SimpleNamespace(driver_allocated_memory=lambda: 0)
if "recommended" in CASE.get("mps", {}):
    mps.recommended_max_memory = lambda: CASE["mps"]["recommended"]
