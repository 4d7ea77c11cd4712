"""The clock of a core, measured: a chain of dependent additions takes one cycle each.

A hypervisor's figure is often the time-stamp counter's and off by half; Python cannot count cycles, so a
few hundred bytes of machine code do. Register + register additions: recent Intel cores (Golden Cove on)
carry out additions of a constant at rename, in no time at all. The code is written into a memory file
that is then mapped readable and executable, never writable: this passes W^X policies, and on Arm the
kernel keeps the instruction cache coherent. It runs in a forked process, so that a crash costs this
figure and nothing else.
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

ADDS = 240  # a loop of some 720 bytes: fits every L1 instruction cache, hides the loop's own jump
TURNS = 20_000  # 4.8 million additions: 1 to 2 ms a run, shorter than a scheduler's slice
SPEND_S = 0.018  # long enough for a core to leave its idle clock
MIN_RUNS, MAX_RUNS = 8, 40
DEADLINE_S = 0.6
PLAUSIBLE_HZ = (2e8, 8e9)


def measure(cpus: frozenset[int] | None = None, deadline_s: float = DEADLINE_S) -> dict[str, Any]:
    """Clock of one core under light load: {"hz": [each run], "reason": why there is none}.

    `cpus`: run on one of these (the performance cores of a hybrid part); None: wherever the system likes.
    """
    arch = os.uname().machine if hasattr(os, "uname") else "another processor"
    code = machine_code(arch)
    if not sys.platform.startswith("linux") or code is None or struct.calcsize("P") != 8:
        return _nothing("not_supported", f"no timing loop for {sys.platform} on {arch}")
    return run_apart(lambda: timed(code, cpus), deadline_s)


def machine_code(arch: str) -> bytes | None:
    """A function `f(turns)`: `turns` x ADDS dependent additions; None for an unknown architecture."""
    if arch in ("x86_64", "AMD64"):
        head = bytes.fromhex("4889f9 31c0 ba01000000")  # mov rcx, rdi; xor eax, eax; mov edx, 1
        body = bytes.fromhex("4801d0") * ADDS + bytes.fromhex("4883e901")  # add rax, rdx; sub rcx, 1
        back = struct.pack("<i", -(len(body) + 6))
        return head + body + b"\x0f\x85" + back + b"\xc3"  # jnz body; ret
    if arch in ("aarch64", "arm64"):
        head_words = [0xD2800003, 0xD2800021]  # mov x3, #0; mov x1, #1
        body_words = [0x8B010063] * ADDS + [0xF1000400]  # add x3, x3, x1; subs x0, x0, #1
        jump = 0x54000001 | ((-len(body_words) & 0x7FFFF) << 5)  # b.ne body
        words = [*head_words, *body_words, jump, 0xD65F03C0]  # ret
        return struct.pack(f"<{len(words)}I", *words)
    return None


def timed(code: bytes, cpus: frozenset[int] | None = None) -> dict[str, Any]:
    """Run the code again and again for SPEND_S: {"hz": [additions per second of each run]}.

    Raises OSError where the system forbids executable memory.
    """
    if cpus:
        os.sched_setaffinity(0, cpus)  # of this forked process alone
    call = executable(code)
    call(TURNS // 20)
    rates: list[float] = []
    until = time.perf_counter() + SPEND_S
    while len(rates) < MIN_RUNS or (time.perf_counter() < until and len(rates) < MAX_RUNS):
        started = time.perf_counter_ns()
        call(TURNS)
        rates.append(TURNS * ADDS / max(1, time.perf_counter_ns() - started) * 1e9)
    return {"hz": [round(rate) for rate in rates]}


def executable(code: bytes) -> Callable[[int], int]:
    """Map code readable and executable, never writable, and return it as a function. Raises OSError."""
    import ctypes
    import mmap

    file = os.memfd_create("clock", os.MFD_CLOEXEC)
    try:
        os.write(file, code)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_long,
        ]
        rights = mmap.PROT_READ | mmap.PROT_EXEC
        address = libc.mmap(None, mmap.PAGESIZE, rights, mmap.MAP_PRIVATE, file, 0)
    finally:
        os.close(file)
    if address is None or address == ctypes.c_void_p(-1).value:
        number = ctypes.get_errno()
        raise OSError(number, f"executable memory refused: {os.strerror(number)}")
    function: Callable[[int], int] = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(address)
    return function


def run_apart(work: Callable[[], dict[str, Any]], deadline_s: float) -> dict[str, Any]:
    """The answer of `work` run in a forked process, or why there is none (signal, deadline, error)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _answer(work, writing)
    os.close(writing)
    said = _listen(reading, time.monotonic() + deadline_s)
    os.close(reading)
    late = said is None
    if late:
        os.kill(pid, signal.SIGKILL)  # the process only computes: it can be killed, so this wait ends
    _, status = os.waitpid(pid, 0)
    if late:
        return _nothing("timeout", f"the timing loop did not end within {deadline_s:g} s")
    if os.WIFSIGNALED(status):
        return _nothing("failed", f"the timing loop died of {signal.Signals(os.WTERMSIG(status)).name}")
    try:
        answer = json.loads(said or "")
    except ValueError:
        return _nothing("failed", f"the timing loop answered {(said or '')[:60]!r}")
    return answer if isinstance(answer, dict) else _nothing("failed", "the timing loop answered nonsense")


def _answer(work: Callable[[], dict[str, Any]], writing: int) -> None:
    """In the forked process: work, write the answer, and leave without any of the parent's clean-up."""
    import faulthandler
    import resource

    try:
        faulthandler.disable()  # a crash is told by its signal, not by a trace or a core file
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            answer = work()
        except PermissionError as error:
            answer = _nothing("no_permission", str(error))
        except (OSError, AttributeError, ImportError, ValueError) as error:
            answer = _nothing("not_supported", f"{type(error).__name__}: {error}")
        os.write(writing, json.dumps(answer).encode())
    finally:
        os._exit(0)


def _listen(reading: int, until: float) -> str | None:
    """All that comes through a pipe until it closes; None when the deadline comes first."""
    parts: list[bytes] = []
    while True:
        left = until - time.monotonic()
        ready, _, _ = select.select([reading], [], [], max(0.0, left))
        if not ready:
            return None
        part = os.read(reading, 65536)
        if not part:
            return b"".join(parts).decode("utf-8", "replace")
        parts.append(part)


def _nothing(status: str, reason: str) -> dict[str, Any]:
    return {"hz": [], "status": status, "reason": reason}
