"""Where the time of one step goes: its operators under torch's profiler, in groups."""

from __future__ import annotations

import re
import time
from typing import Any

import torch

from ...bench.devices import Device

LONGEST_S = 4.0  # a step that takes longer is not repeated for it
_PRODUCTS = re.compile(
    r"(^|::|_)(mm|bmm|addmm|baddbmm|addbmm|matmul|linear|dot|addmv|mv)($|_|\b)|conv|mkldnn|lstm|gru|"
    r"scaled_dot|attention|flash"
)
_UPDATE = "Optimizer.step"


def groups(training: Any, device: Device) -> dict[str, Any]:
    """Seconds of matrix products, of all other operators and of the update in one step, and of the whole."""
    from torch.profiler import ProfilerActivity, profile

    on_card = device.kind == "cuda"
    seen = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_card else [])]
    with profile(activities=seen) as profiler:
        begun = time.perf_counter()
        training()
        if on_card:
            torch.cuda.synchronize(device.name)
        whole = time.perf_counter() - begun
    found = {"products": 0.0, "traffic": 0.0, "update": 0.0}
    count = 0
    for event in profiler.events():
        name = str(event.name)
        own = float(event.self_device_time_total if on_card else event.self_cpu_time_total) * 1e-6
        if own <= 0 or not name.startswith("aten::"):
            continue
        count += 1
        found[_group(event, name)] += own
    return {"event": "groups", "seconds": found, "whole": whole, "operators": count, "on_card": on_card}


def _group(event: Any, name: str) -> str:
    parent = event.cpu_parent
    for _ in range(64):
        if parent is None:
            break
        if str(parent.name).startswith(_UPDATE):
            return "update"
        parent = parent.cpu_parent
    return "products" if _PRODUCTS.search(name[6:]) else "traffic"
