"""The questions NVML is asked, each with its spellings from new to old, and how one call is made.

`attempt` is the one place that knows every way in which a call can fail.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

MAX_LINKS = 36  # NVML_NVLINK_MAX_LINKS of the newest header; older drivers know fewer
P2P_NVLINK = 2  # NVML_P2P_CAPS_INDEX_NVLINK

DRIVER_NOT_LOADED = 9  # NVML_ERROR_DRIVER_NOT_LOADED: also when /dev/nvidiactl may not be opened
RESET_REQUIRED = 16  # NVML_ERROR_RESET_REQUIRED
UNKNOWN = 999  # NVML_ERROR_UNKNOWN

# nvmlReturn_t of nvml.h -> schema Status. Anything else is "failed" with the driver's own text.
STATUS = {
    3: "not_supported",
    4: "no_permission",
    6: "absent",  # NOT_FOUND: an empty slot
    DRIVER_NOT_LOADED: "lib_missing",
    10: "timeout",
    12: "lib_missing",  # LIBRARY_NOT_FOUND, also what the stub library of the CUDA toolkit answers
    13: "not_supported",  # FUNCTION_NOT_FOUND: this driver is older than the call
    15: "lost",
    RESET_REQUIRED: "lost",  # it cannot be used before it has been reset
    17: "no_permission",  # OPERATING_SYSTEM: blocked by a cgroup or a security module
    18: "version_mismatch",
    21: "not_supported",  # NO_DATA
    22: "not_supported",  # VGPU_ECC_NOT_SUPPORTED
    25: "not_supported",  # ARGUMENT_VERSION_MISMATCH: the driver does not know this struct's version
    26: "not_supported",  # DEPRECATED
    28: "lost",  # GPU_NOT_FOUND
}
# Codes after which an older spelling of the same call may still answer
TRY_OLDER = frozenset({13, 25, 26})


class Answer(NamedTuple):
    """What one question brought: a value of JSON types or None, how asking ended, which call, why."""

    value: Any
    status: str
    call: str
    reason: str = ""


def said_code(reason: str, code: int) -> bool:
    """Whether an answer's reason tells of this NVML code."""
    return f"(NVML code {code})" in reason


class Call(NamedTuple):
    """One spelling of a question: the function, its arguments after the handle, how to make JSON of it."""

    function: str
    arguments: tuple[Any, ...] = ()
    take: Callable[[Any], Any] | None = None

    @property
    def label(self) -> str:
        """The function with its constants, as shown to the user: "nvmlDeviceGetClockInfo(NVML_CLOCK_SM)"."""
        constants = ", ".join(str(argument).removeprefix("=") for argument in self.arguments)
        return self.function.removeprefix("old:") + (f"({constants})" if constants else "")


def _pci(info: Any) -> dict[str, Any]:
    """PCI address in sysfs's spelling and vendor:device, from nvmlPciInfo_t of any version."""
    device = int(info.pciDeviceId)
    return {
        "address": f"{info.domain:04x}:{info.bus:02x}:{info.device:02x}.0",
        "id": f"{device & 0xFFFF:04x}:{device >> 16 & 0xFFFF:04x}",
    }


def _memory(info: Any) -> dict[str, int]:
    return {name: int(getattr(info, name)) for name in ("total", "free", "used")}


def _processes(rows: Any) -> list[dict[str, Any]]:
    return [{"pid": int(row.pid), "memory": row.usedGpuMemory} for row in rows]


def _attributes(info: Any) -> dict[str, int]:
    names = ("multiprocessorCount", "gpuInstanceSliceCount", "computeInstanceSliceCount", "memorySizeMB")
    return {name: int(getattr(info, name)) for name in names}


# question -> its spellings, newest first. A name in quotes after "=" is a constant of the binding.
CALLS: dict[str, tuple[Call, ...]] = {
    "name": (Call("nvmlDeviceGetName"),),
    "uuid": (Call("nvmlDeviceGetUUID"),),
    "pci": (
        Call("nvmlDeviceGetPciInfo_v3", take=_pci),
        Call("nvmlDeviceGetPciInfo", take=_pci),
        Call("old:nvmlDeviceGetPciInfo_v2", take=_pci),
        Call("old:nvmlDeviceGetPciInfo", take=_pci),
    ),
    "serial": (Call("nvmlDeviceGetSerial"),),
    "memory": (
        Call("nvmlDeviceGetMemoryInfo", ("=nvmlMemory_v2",), _memory),
        Call("nvmlDeviceGetMemoryInfo", (), _memory),
    ),
    "compute_capability": (Call("nvmlDeviceGetCudaComputeCapability", take=list),),
    "architecture": (Call("nvmlDeviceGetArchitecture"),),
    "cuda_cores": (Call("nvmlDeviceGetNumGpuCores"),),
    "mig_mode": (Call("nvmlDeviceGetMigMode", take=list),),
    "virtualization": (Call("nvmlDeviceGetVirtualizationMode"),),
    "clock_sm": (Call("nvmlDeviceGetClockInfo", ("=NVML_CLOCK_SM",)),),
    "clock_sm_max": (Call("nvmlDeviceGetMaxClockInfo", ("=NVML_CLOCK_SM",)),),
    "clock_memory_max": (Call("nvmlDeviceGetMaxClockInfo", ("=NVML_CLOCK_MEM",)),),
    "power": (Call("nvmlDeviceGetPowerUsage"),),
    "power_limit": (Call("nvmlDeviceGetEnforcedPowerLimit"), Call("nvmlDeviceGetPowerManagementLimit")),
    "power_limit_default": (Call("nvmlDeviceGetPowerManagementDefaultLimit"),),
    "power_limit_range": (Call("nvmlDeviceGetPowerManagementLimitConstraints", take=list),),
    "temperature": (Call("nvmlDeviceGetTemperature", ("=NVML_TEMPERATURE_GPU",)),),
    "utilization": (Call("nvmlDeviceGetUtilizationRates", take=lambda info: int(info.gpu)),),
    "throttle": (
        Call("nvmlDeviceGetCurrentClocksEventReasons"),
        Call("nvmlDeviceGetCurrentClocksThrottleReasons"),
    ),
    "pcie_gen_card": (Call("nvmlDeviceGetGpuMaxPcieLinkGeneration"),),
    "pcie_gen_max": (Call("nvmlDeviceGetMaxPcieLinkGeneration"),),
    "pcie_width_max": (Call("nvmlDeviceGetMaxPcieLinkWidth"),),
    "pcie_gen_current": (Call("nvmlDeviceGetCurrPcieLinkGeneration"),),
    "pcie_width_current": (Call("nvmlDeviceGetCurrPcieLinkWidth"),),
    "ecc_mode": (Call("nvmlDeviceGetEccMode", take=list),),
    "ecc_uncorrected": (
        Call("nvmlDeviceGetTotalEccErrors", ("=NVML_MEMORY_ERROR_TYPE_UNCORRECTED", "=NVML_VOLATILE_ECC")),
    ),
    "remapped_rows": (Call("nvmlDeviceGetRemappedRows", take=list),),
    "retired_pending": (Call("nvmlDeviceGetRetiredPagesPendingStatus"),),
    "processes": (
        Call("nvmlDeviceGetComputeRunningProcesses_v3", take=_processes),
        Call("nvmlDeviceGetComputeRunningProcesses_v2", take=_processes),
        Call("old:nvmlDeviceGetComputeRunningProcesses"),
    ),
}
# The identity first: what a device is called survives whatever comes after
DEVICE_QUESTIONS = tuple(CALLS)

MORE: dict[str, tuple[Call, ...]] = {
    "driver_version": (Call("nvmlSystemGetDriverVersion"),),
    "nvml_version": (Call("nvmlSystemGetNVMLVersion"),),
    "cuda_version": (Call("nvmlSystemGetCudaDriverVersion_v2"), Call("nvmlSystemGetCudaDriverVersion")),
    "count": (Call("nvmlDeviceGetCount"), Call("old:nvmlDeviceGetCount")),
    "handle": (Call("nvmlDeviceGetHandleByIndex"), Call("old:nvmlDeviceGetHandleByIndex")),
    "handle_by_uuid": (Call("nvmlDeviceGetHandleByUUID"),),
    "process_name": (Call("nvmlSystemGetProcessName"),),
    "link_state": (Call("nvmlDeviceGetNvLinkState"),),
    "link_version": (Call("nvmlDeviceGetNvLinkVersion"),),
    "link_remote": (
        Call("nvmlDeviceGetNvLinkRemotePciInfo", take=_pci),
        Call("nvmlDeviceGetNvLinkRemotePciInfo_v2", take=_pci),
    ),
    "link_remote_kind": (Call("nvmlDeviceGetNvLinkRemoteDeviceType"),),
    "common_ancestor": (Call("nvmlDeviceGetTopologyCommonAncestor"),),
    "p2p": (Call("nvmlDeviceGetP2PStatus"),),
    "mig_count": (Call("nvmlDeviceGetMaxMigDeviceCount"),),
    "mig_handle": (Call("nvmlDeviceGetMigDeviceHandleByIndex"),),
    "attributes": (
        Call("nvmlDeviceGetAttributes", take=_attributes),
        Call("nvmlDeviceGetAttributes_v2", take=_attributes),
    ),
}


def attempt(
    call: Call, function: Callable[..., Any], arguments: list[Any], binding: ModuleType
) -> tuple[Answer, bool]:
    """Make one call; (answer, whether an older spelling should be tried)."""
    name = call.label
    try:
        value = function(*arguments)
        value = call.take(value) if call.take is not None else value
        if isinstance(value, bytes):  # bindings before 11.5
            return Answer(value.decode("utf-8", "replace"), "ok", name), False
        return Answer(value, "ok", name), False
    except UnicodeDecodeError as error:  # the bytes are in the error: the name is kept, its bad bytes are not
        return Answer(error.object.decode("utf-8", "replace"), "ok", name, "the name is not UTF-8"), False
    except binding.NVMLError as error:
        code = int(error.value)
        reason = f"{name}: {_text(error)} (NVML code {code})"
        return Answer(None, STATUS.get(code, "failed"), name, reason), code in TRY_OLDER
    except Exception as error:  # noqa: BLE001, RUF100 - told in the answer: one odd field must not end the probe
        mismatch = type(error).__name__ == "NVMLLibraryMismatchError"
        missing = isinstance(error, AttributeError)
        status = "version_mismatch" if mismatch else "not_supported" if missing else "failed"
        reason = f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return Answer(None, status, name, reason), mismatch or missing


def old_call(binding: ModuleType, symbol: str, *arguments: Any) -> Any:
    """Calls whose unversioned symbol newer bindings no longer use; the structs grew at their end only.

    Raises AttributeError where the library has no such symbol, NVMLError for what it answers.
    """
    function = getattr(binding.nvmlLib, symbol)

    def check(code: int) -> None:
        if code != 0:
            raise binding.NVMLError(code)

    if symbol == "nvmlDeviceGetCount":
        count = ctypes.c_uint()
        check(function(ctypes.byref(count)))
        return count.value
    if symbol == "nvmlDeviceGetHandleByIndex":
        handle = binding.c_nvmlDevice_t()
        check(function(ctypes.c_uint(arguments[0]), ctypes.byref(handle)))
        return handle
    if symbol.startswith("nvmlDeviceGetPciInfo"):
        info = binding.nvmlPciInfo_t()
        check(function(arguments[0], ctypes.byref(info)))
        return info
    return _old_processes(function, arguments[0], check)


class _OldProcess(ctypes.Structure):
    """nvmlProcessInfo_v1_t: before the instance ids were added."""

    _fields_ = [("pid", ctypes.c_uint), ("memory", ctypes.c_ulonglong)]


def _old_processes(function: Any, handle: Any, check: Callable[[int], None]) -> list[dict[str, Any]]:
    count = ctypes.c_uint(256)
    rows = (_OldProcess * 256)()
    check(function(handle, ctypes.byref(count), rows))
    unknown = 2**64 - 1  # NVML_VALUE_NOT_AVAILABLE: Windows' WDDM does not tell
    return [
        {"pid": row.pid, "memory": None if row.memory == unknown else row.memory}
        for row in rows[: min(count.value, 256)]
    ]


def _text(error: Exception) -> str:
    """The driver's own text of an error; asking for it can fail as well."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001, RUF100 - an unknown code whose text the library does not know: the code is told
        return "no text"
