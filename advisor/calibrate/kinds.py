"""What a plan is made of: devices seen, tests, and how long a figure of each mode may take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Params = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """A device as torch in the child sees it."""

    name: str  # "cuda:0"
    title: str = ""
    uuid: str = ""
    total_bytes: int | None = None
    bf16: bool | None = None  # whether it has units for bf16; None: torch does not tell

    @property
    def half(self) -> str:
        """The 16-bit type one would train in here: bf16, or fp16 where the device has no bf16."""
        return "fp16" if self.bf16 is False else "bf16"

    @property
    def kind(self) -> str:
        """torch's device type."""
        return self.name.partition(":")[0]


@dataclass(frozen=True)
class Test:
    """One thing to measure. `wall_s` is the parent's limit, `expected_s` serves the progress bar."""

    __test__ = False  # not for pytest, whatever its name looks like

    bench: str
    device: str
    params: Params
    text: str  # plain English, shown while it runs
    key: str = ""  # tells tests of one bench and device apart: "bf16.2048"
    limits: Params = field(default_factory=dict)
    expected_s: float = 0.8
    wall_s: float = 30.0
    phase: str = "burst"
    warnings: tuple[str, ...] = ()  # codes that every figure of this test carries
    skip: str = ""  # why it is not run at all; told among what was not measured

    @property
    def id(self) -> str:
        """Unique within a plan: bench, key, device."""
        parts = (self.bench, self.key, self.device, "" if self.phase == "burst" else self.phase)
        return ".".join(part for part in parts if part)


@dataclass(frozen=True)
class Pace:
    """How long a figure of one mode may take."""

    min_s: float
    cap_s: float
    warm_block_s: float
    warm_cap_s: float
    gpu_warm_cap_s: float
    train_s: float  # both depths together
    train_target_s: float  # one step of the deeper net on a CPU
    train_blocks: int
    gate_wait_s: float  # for the whole run
    minor_s: float  # figures beside the headline ones: smaller sizes, the explaining pair
    sustained_s: float = 0.0

    def limits(self, accelerator: bool = False, **more: float) -> Params:
        """What the child's timing is told; GPU blocks are longer since each ends with a wait."""
        base = {
            "min_s": self.min_s,
            "cap_s": self.cap_s,
            "warm_block_s": self.warm_block_s,
            "warm_cap_s": self.gpu_warm_cap_s if accelerator else self.warm_cap_s,
            "block_s": 0.010 if accelerator else 0.005,
        }
        return {**base, **more}


PACES = {
    # the training nets of quick are those of default: a smaller net runs at another rate, which is no noise
    "quick": Pace(0.2, 0.5, 0.01, 0.1, 0.5, 0.3, 0.12, 3, 0.6, 0.2),
    "default": Pace(0.3, 0.9, 0.03, 0.25, 1.5, 0.5, 0.12, 5, 10.0, 0.2),
    "thorough": Pace(1.0, 3.0, 0.05, 2.0, 5.0, 4.0, 0.4, 10, 60.0, 1.0, sustained_s=10.0),
}
