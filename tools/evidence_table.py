"""Published runs as rows of the rules' table, so that fitting and scoring use the one evaluator."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue
from advisor.data.resolve import resolve_device
from advisor.estimate.table import Table
from advisor.rulebook import RuleBook

Row = dict[str, Any]
RULES = Path(__file__).resolve().parent.parent / "rules"

PRECISIONS = {
    "fp16": "fp16_mixed", "bf16": "bf16_mixed", "bf16-mixed": "bf16_mixed", "fp8": "fp8_mixed",
    "mxfp8": "fp8_mixed", "tf32": "tf32", "fp32": "fp32",
}  # fmt: skip
BOTTLENECKS = {"50": (3, 4, 6, 3), "101": (3, 4, 23, 3), "152": (3, 8, 36, 3)}
GATED = re.compile(
    r"llama|mistral|qwen|baichuan|internlm|gemma|yi-|deepseek|chatglm|glm|codellama|aquila|palm", re.I
)
NOT_TO_BE_TRUSTED = ("SUSPECT", "CAUTION", "UNIT:", "UNIT AMBIGUOUS", "proxy")


@dataclass(frozen=True)
class Run:
    """One published run that the rules can say something about."""

    row: Row
    entry: Accelerator
    inputs: dict[str, Any]
    seconds_per_sample: float  # device-seconds of one sample
    effort: str


def read_rows(folder: Path = RULES / "evidence") -> list[Row]:
    """All shipped evidence rows."""
    return [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]


def usable_runs(rows: list[Row], catalogue: Catalogue) -> tuple[list[Run], Counter[str]]:
    """Runs with a rate, and how many rows were left out for which reason."""
    known = tomllib.loads((RULES / "evidence" / "map.toml").read_text("utf-8"))
    ordinary = set(known["ordinary"])
    loose = set(known["fp32_is_tf32"])
    rows = [
        {**r, "precision": "tf32"} if r.get("precision") == "fp32" and r["source_key"] in loose else r
        for r in rows
    ]
    runs: list[Run] = []
    left: Counter[str] = Counter()
    for row in rows:
        found = _run(row, catalogue, ordinary)
        if isinstance(found, str):
            left[found] += 1
        else:
            runs.append(found)
    kept = _best_layouts(runs)
    left["layout known to be slow (below 0.8 of the best of its group)"] += len(runs) - len(kept)
    return kept, left


def _run(row: Row, catalogue: Catalogue, ordinary: set[str]) -> Run | str:
    product = resolve_device(row.get("vendor"), row.get("accelerator")).id
    if product is None or product not in catalogue.accelerators:
        return "device is not in the catalogue"
    if row.get("precision") not in PRECISIONS:
        return "precision unknown or not covered"
    if row.get("offload", "none") not in ("none", None):
        return "offloads to the host"
    if any(mark in row.get("notes", "") for mark in NOT_TO_BE_TRUSTED):
        return "marked as not to be trusted"
    if row["family"] == "encoder" and "mlcommons" in row["source_key"]:
        return "MLPerf BERT: real sequence length unknown"
    if row.get("method", "full") not in ("full", "lora", "qlora"):
        return "method not covered"
    network = network_of(row)
    if isinstance(network, str):
        return network
    seconds = _seconds(row)
    if seconds is None:
        return "no rate"
    inputs = {
        **network,
        "method": row.get("method", "full"),
        "precision": PRECISIONS[row["precision"]],
        "recompute": "full" if row.get("recompute") == "full" else "none",
        "devices": float(row.get("num_accelerators") or 1),
        "lora_rank": float(row.get("lora_rank") or 16),
        "effort": "ordinary" if row["source_key"] in ordinary else "tuned",
        "samples": 1.0,
    }
    entry = catalogue.accelerators[product]
    return Run(row, entry, inputs, seconds, inputs["effort"])


def network_of(row: Row) -> dict[str, Any] | str:
    """The network's columns, or why the rules do not cover it."""
    family = row["family"]
    if family == "cnn":
        found = re.fullmatch(r"resnet-?(50|101|152)(\s*v?1\.?5?)?", row["model"].strip(), re.I)
        if not found:
            return "family not covered (CNN other than ResNet)"
        blocks = BOTTLENECKS[found[1]]
        size = float(row.get("image_size") or 224)
        return {
            "family": "cnn",
            **{f"blocks_{n}": float(b) for n, b in enumerate(blocks, 1)},
            "classes": 1000.0,
            "image_size": size,
        }
    if family not in ("decoder", "encoder", "vit"):
        return f"family not covered ({family})"
    needed = ("layers", "hidden", "heads", "ffn_hidden")
    if any(not row.get(key) for key in needed):
        return "architecture not given"
    if family == "vit":
        found_patch = re.search(r"(?:/|patch)(\d+)", row["model"])
        if not found_patch or not row.get("image_size"):
            return "patch or image size not given"
    elif not row.get("seq_len"):
        return "sequence length not given"
    heads, hidden = float(row["heads"]), float(row["hidden"])
    ffn = float(row["ffn_hidden"])
    gated = GATED.search(row["model"]) or ffn != 4 * hidden
    numbers: dict[str, Any] = dict.fromkeys(
        ("tied", "positions", "token_types", "qkv_bias", "linear_bias", "pooler", "classes"), 0.0
    )
    numbers |= {
        "family": family,
        "layers": float(row["layers"]),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": float(row.get("kv_heads") or heads),
        "head_dim": float(row.get("head_dim") or hidden / heads),
        "ffn_hidden": ffn,
        "ffn_matrices": 3.0 if gated and family == "decoder" else 2.0,
        "norm_vectors": 1.0,
        "vocab": float(row.get("vocab") or 0),
        "seq_len": float(row.get("seq_len") or 0),
    }
    if family == "vit":
        size = float(row["image_size"])
        numbers |= {"patch": float(found_patch[1]), "image_size": size, "native_image_size": size}  # type: ignore[index]
    if family == "decoder" and not numbers["vocab"]:
        return "architecture not given"
    return numbers


def _seconds(row: Row) -> float | None:
    """Device-seconds of one sample, from whichever rate is printed."""
    if row.get("samples_per_s_per_device"):
        return 1.0 / float(row["samples_per_s_per_device"])
    if row.get("tokens_per_s_per_device") and row.get("seq_len"):
        return float(row["seq_len"]) / float(row["tokens_per_s_per_device"])
    if row.get("step_time_s") and row.get("global_batch") and row.get("num_accelerators"):
        return float(row["step_time_s"]) * float(row["num_accelerators"]) / float(row["global_batch"])
    return None


def _best_layouts(runs: list[Run]) -> list[Run]:
    """Of runs that differ in layout and micro-batch only, those within 0.8 of the best rate.

    Sweeps publish bad layouts on purpose; nobody runs a month on one of them.
    """
    best: dict[tuple[Any, ...], float] = {}

    def group(run: Run) -> tuple[Any, ...]:
        keys = (
            "source_key",
            "model",
            "num_accelerators",
            "seq_len",
            "precision",
            "method",
            "accelerator",
            "recompute",
        )
        return tuple(run.row.get(key) for key in keys)

    for run in runs:
        best[group(run)] = min(best.get(group(run), math.inf), run.seconds_per_sample)
    return [run for run in runs if run.seconds_per_sample <= best[group(run)] / 0.8]


def table_of(book: RuleBook, runs: list[Run]) -> Table:
    """The rules' table of these runs: network, recipe, set-up and the device's peaks."""
    rows = []
    for run in runs:
        share = 1.0 / run.entry.devices_per_package
        # Trainium, TPU and MI250X figures of the sources are per chip or package unless they say otherwise.
        if run.entry.vendor in ("aws", "amd", "google"):
            share = 1.0
        peaks = {
            f"hw_peak_{name}": value * share
            for name, value in run.entry.peaks.items()
            if name in ("fp32", "tf32", "fp16", "bf16", "fp8")
        }
        rows.append(
            {
                **run.inputs,
                **peaks,
                "vendor": run.entry.vendor,
                "generation": run.entry.generation,
                "sharding": "none",
                "hw_devices_per_package": 1.0,
                "micro_batch": 1.0,
                "optimizer": "adamw",
            }
        )
    return Table.from_rows(book, rows)


def unknown_to_none(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    """NaN as None."""
    return [None if math.isnan(value) else float(value) for value in values]
