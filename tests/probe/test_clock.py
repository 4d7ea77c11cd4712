"""The timing loop: its machine code, its answer here, and what a crash or hang of it costs."""

from __future__ import annotations

import platform
import struct
import sys
import time

import pytest

from advisor.probe import clock

HERE = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
X86 = sys.platform == "linux" and platform.machine() == "x86_64"


def test_x86_code_jumps_back_to_the_first_addition() -> None:
    code = clock.machine_code("x86_64")
    assert code is not None
    assert code.count(bytes.fromhex("4801d0")) == clock.ADDS
    first = code.index(bytes.fromhex("4801d0"))
    jump = code.index(b"\x0f\x85")
    assert jump + 6 + struct.unpack("<i", code[jump + 2 : jump + 6])[0] == first
    assert code[jump + 6 :] == b"\xc3"


def test_arm_code_jumps_back_to_the_first_addition() -> None:
    code = clock.machine_code("aarch64")
    assert code is not None
    words = struct.unpack(f"<{len(code) // 4}I", code)
    add, jump = 0x8B010063, words[-2]
    assert words.count(add) == clock.ADDS and words[-1] == 0xD65F03C0
    assert jump & 0xFF00001F == 0x54000001  # b.ne
    offset = (jump >> 5) & 0x7FFFF
    offset -= 1 << 19 if offset >= 1 << 18 else 0
    assert len(words) - 2 + offset == words.index(add)


def test_other_architectures_have_no_loop() -> None:
    assert clock.machine_code("riscv64") is None


@pytest.mark.skipif(not HERE, reason="the loop runs on Linux on x86-64 and aarch64")
def test_a_core_here_runs_at_a_clock_that_exists() -> None:
    said = clock.measure()
    if said.get("status") in ("no_permission", "not_supported"):
        pytest.skip(f"executable memory is refused here: {said['reason']}")
    best = max(said["hz"])
    assert len(said["hz"]) >= clock.MIN_RUNS
    assert clock.PLAUSIBLE_HZ[0] < best < clock.PLAUSIBLE_HZ[1]


@pytest.mark.skipif(not X86, reason="x86-64 machine code")
def test_twice_the_additions_a_turn_take_half_the_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure must follow from the additions and not from the loop around them."""
    first = max(clock.measure()["hz"])
    monkeypatch.setattr(clock, "ADDS", clock.ADDS * 2)
    second = max(clock.measure()["hz"])
    assert second == pytest.approx(first, rel=0.25)


@pytest.mark.skipif(not X86, reason="x86-64 machine code")
def test_a_crash_costs_the_figure_and_names_the_signal() -> None:
    said = clock.run_apart(lambda: clock.timed(b"\x0f\x0b"), 2.0)  # ud2
    assert said["hz"] == [] and said["status"] == "failed"
    assert "SIGILL" in said["reason"]


@pytest.mark.skipif(not X86, reason="x86-64 machine code")
def test_a_hang_costs_its_deadline() -> None:
    started = time.monotonic()
    said = clock.run_apart(lambda: clock.timed(b"\xeb\xfe"), 0.2)  # jump to itself
    assert time.monotonic() - started < 1.0
    assert said["status"] == "timeout" and said["hz"] == []


@pytest.mark.skipif(not HERE, reason="needs fork")
def test_refused_memory_is_told_as_such() -> None:
    def refused() -> dict[str, object]:
        raise PermissionError(13, "executable memory refused")

    said = clock.run_apart(refused, 2.0)
    assert (said["status"], said["hz"]) == ("no_permission", [])
