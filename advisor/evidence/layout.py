"""Degrees of parallelism of a record that do not go with its network, batch or devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ROUNDED = 1.001
_EXTRA_LAYERS = 2.0
"""Layers that pipelines may count beside the blocks: embedding and loss (github:NVIDIA/Megatron-LM)."""


def layout_problem(values: Mapping[str, Any]) -> str:
    """Which degrees of a record's values do not go with its network or batch, or ''."""

    def of(name: str) -> float:
        return float(values.get(name, 1.0))

    stages = of("pp") * of("vpp")
    if of("vpp") > 1 and "pp" in values and of("pp") < 2:
        return f"vpp = {of('vpp'):g} needs a pipeline, pp is {of('pp'):g}"
    if "layers" in values and stages > values["layers"] + _EXTRA_LAYERS:
        return f"pp x vpp = {stages:g} stages are more than layers = {values['layers']:g}"
    for name, whole in (("cp", "seq_len"), ("tp", "heads"), ("ep", "num_experts")):
        if whole in values and values[whole] % of(name):
            return f"{name} = {of(name):g} does not part {whole} = {values[whole]:g}"
    each = of("micro_batch") * of("dp")
    if {"global_batch", "micro_batch", "dp"} <= values.keys() and each > values["global_batch"] * _ROUNDED:
        return f"micro_batch x dp = {each:g} is more than global_batch = {values['global_batch']:g}"
    return ""


_NOMINAL, _NOMINAL_FROM = 0.02, 1024.0
"""Large batches are printed as planned: 65,536 where accumulation takes 16 times 126 x 32
(github:NVIDIA/DeepLearningExamples BERT on 32 A100)."""


def batch_problem(values: Mapping[str, Any], devices: float) -> str:
    """Why so many devices cannot take the batch in steps of the micro-batch, or ''.

    Replicas are known where the row gives them, or its tensor and pipeline parallelism; else one counts,
    since a batch is a whole number of micro-batches in any layout.
    """
    batch, micro, dp = (values.get(name) for name in ("global_batch", "micro_batch", "dp"))
    if not batch or not micro or micro < 1:
        return ""
    if dp is None and values.get("tp") and values.get("pp"):
        dp = devices / (values["tp"] * values["pp"] * (values.get("cp") or 1.0))
    each = micro * max(1.0, dp or 1.0)
    passes = max(1.0, round(batch / each))
    off = abs(batch / (passes * each) - 1.0)
    if off <= (_NOMINAL if batch >= _NOMINAL_FROM else _ROUNDED - 1.0):
        return ""
    replicas = f" on {dp:g} replicas" if dp and dp > 1 else ""
    return f"global_batch = {batch:g} is no whole number of passes of micro_batch = {micro:g}{replicas}"


def devices_problem(values: Mapping[str, Any], devices: float) -> str:
    """Which degrees do not go with so many devices, or ''. What is not told counts as one, dp as open."""
    tp, pp, cp, ep = (float(values.get(name) or 1.0) for name in ("tp", "pp", "cp", "ep"))
    dp, shared = values.get("dp"), tp * pp * cp
    if shared > devices:
        return f"its layout needs {shared:g} devices, the row has {devices:g}"
    if dp is not None and dp * shared != devices:
        return f"dp x tp x pp x cp = {dp * shared:g}, the row has {devices:g} devices"
    if devices % shared:
        return f"tp x pp x cp = {shared:g} does not part its {devices:g} devices"
    if ep > 1 and (devices / pp) % ep:
        return f"ep = {ep:g} does not part the {devices / pp:g} devices of a pipeline stage"
    return ""
