"""The largest that fits on one device, remedy by remedy: the table of `estimate --largest`."""

from __future__ import annotations

from advisor.schema.base import Frozen


class LargestFit(Frozen):
    """What one remedy, or several together, allow. None: not even the smallest size fits, or (with `reason`)
    it is not known.

    `micro_batch` at the workload's own length, `seq_len` at one sample, `model` the largest network of the
    family at one sample; `sure_…` the same at the upper end of the memory's range.
    """

    remedy: str
    columns: dict[str, float | str] = {}  # of the rules, as the remedy states them
    devices: int = 1  # that share the network
    micro_batch: int | None = None
    sure_micro_batch: int | None = None
    seq_len: int | None = None
    sure_seq_len: int | None = None
    capped: bool = False  # larger ones were not tried
    reason: str = ""
    time_ratio: float | None = None  # device time of a sample, over that of the first line
    model: str | None = None
    model_params: float | None = None
    host_bytes: float | None = None  # offloaded to one server's memory, of the workload's own network
    model_host_bytes: float | None = None  # the same of the largest network
    host_has_bytes: float | None = None  # what that server has, where it is known and was checked
