"""What every stored type shares: frozen, strict about keys, and honest about what is not known."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 2
"""Raised when a stored file can no longer be read by older code; `data.advice` migrates upwards."""

T = TypeVar("T")


class Frozen(BaseModel):
    """Base of all stored types: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Status(StrEnum):
    """How asking for a fact ended. Everything but `ok`, `assumed` and `contradiction` means: no value."""

    ok = "ok"
    assumed = "assumed"  # not asked but taken as given, with the reason
    contradiction = "contradiction"  # two sources differ by more than 2 %: both are kept in `others`
    not_supported = "not_supported"  # the device or system says it has no such thing
    no_permission = "no_permission"
    lost = "lost"  # the device fell off the bus
    timeout = "timeout"  # the call outlived its deadline
    lib_missing = "lib_missing"  # the library, tool or file that would know is not there
    version_mismatch = "version_mismatch"  # driver and library do not fit together
    failed = "failed"  # crashed or answered nonsense; `reason` has the raw text
    absent = "absent"  # looked for and not there
    not_asked = "not_asked"  # not probed, and `reason` says why


class Kind(StrEnum):
    """Where a figure comes from; the report marks every figure with one of these."""

    probed = "probed"
    measured = "measured"
    published = "published"
    vendor = "vendor"
    rule = "rule"
    stated = "stated"
    assumed = "assumed"


class Other(Frozen, Generic[T]):
    """What another source said of the same fact."""

    value: T
    source: str


class Fact(Frozen, Generic[T]):
    """One probed fact: its value or None, how asking ended, who said so.

    `value` is None unless status is ok, assumed or contradiction. `source` names the call or file
    ("nvml:nvmlDeviceGetMemoryInfo_v2", "/proc/meminfo MemTotal"). `reason` is the raw error or the
    warning that goes with the value.
    """

    value: T | None = None
    status: Status = Status.not_asked
    source: str = ""
    reason: str = ""
    others: tuple[Other[T], ...] = ()

    @property
    def known(self) -> bool:
        """Whether there is a value to use."""
        return self.value is not None


class Quantity(Frozen):
    """One estimated or derived figure: value with its 80 % range in `unit` (SI), and its kind.

    `value` None means unknown, and `reason` says why. `trace` is a key into `Advice.trace`.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    kind: Kind = Kind.rule
    source: str = ""
    reason: str = ""
    trace: str = ""


class Notice(Frozen):
    """Something the reader should know: a code from a closed list, a sentence, what to do about it."""

    code: str
    message: str
    hint: str = ""
