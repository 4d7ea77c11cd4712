"""How far a calibration is and how long the rest will take: the pace so far, without leaps."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.calibrate.plan import Test

TRUST_AFTER_S = 6.0  # the plan's own estimate counts as so many seconds of experience
SLOWEST, FASTEST = 3.0, 0.5  # times the plan's estimate


class Progress:
    """Counts tests; waiting for a quiet machine is no measure of how fast the measuring goes."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0
        self._expected_s = self._spent_s = 0.0

    def finished(self, test: Test, measuring_s: float) -> None:
        """A test is over, after so many seconds without those spent waiting for other programs."""
        self.done += 1
        self._expected_s += test.expected_s
        # one bench that ran into its wall limit tells nothing of the others
        self._spent_s += min(measuring_s, SLOWEST * test.expected_s + 1.0)

    def dropped(self) -> None:
        """A test that will not be run after all."""
        self.done += 1

    def left_s(self, pending: Sequence[Test]) -> float:
        """Seconds the tests still to do will take, by the plan and what the others took."""
        pace = (self._spent_s + TRUST_AFTER_S) / (self._expected_s + TRUST_AFTER_S)
        return sum(test.expected_s for test in pending) * min(max(pace, FASTEST), SLOWEST)
