"""Every NVML call and its ways to fail, through the real binding (module `pynvml` of nvidia-ml-py).

Standard library at module level: this is imported by the probe's child process. No call raises because
of what a driver answers: each gives an `Answer`. What is known to go wrong and is told apart here:

- codes: not supported, no permission, lost, timeout, driver not loaded, version mismatch, unknown (WSL);
- a binding newer than the driver: the symbol is missing, or NVMLLibraryMismatchError, which is not an
  NVMLError; older spellings of the same call are tried (`CALLS` lists them in order);
- names as bytes, names that are not UTF-8, a module `pynvml` that belongs to another package.

Only calls that read are used: nothing here changes a setting.
"""

from __future__ import annotations

from advisor.nvml.calls import (
    DEVICE_QUESTIONS,
    DRIVER_NOT_LOADED,
    MAX_LINKS,
    P2P_NVLINK,
    RESET_REQUIRED,
    UNKNOWN,
    Answer,
    said_code,
)
from advisor.nvml.find import DEPRECATED_PACKAGE, LIBRARY, PACKAGE, binding_owner, hint_of_library
from advisor.nvml.live import live_reader, throttle_names
from advisor.nvml.session import HINTS, Library, Unavailable, opened

__all__ = [
    "DEPRECATED_PACKAGE",
    "DEVICE_QUESTIONS",
    "DRIVER_NOT_LOADED",
    "HINTS",
    "LIBRARY",
    "MAX_LINKS",
    "P2P_NVLINK",
    "PACKAGE",
    "RESET_REQUIRED",
    "UNKNOWN",
    "Answer",
    "Library",
    "Unavailable",
    "binding_owner",
    "hint_of_library",
    "live_reader",
    "opened",
    "said_code",
    "throttle_names",
]
