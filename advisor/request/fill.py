"""A script of the user's own with places for figures: `{{nodes}}`. Names and nothing else: no code runs.

Texts are put in as one quoted word of a shell (or of YAML, in a .yaml file), figures as they are.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from advisor.data.files import read_text
from advisor.errors import DataError, did_you_mean
from advisor.request.job import Job
from advisor.request.quote import clock, shell

_PLACE = re.compile(r"\{\{\s*([A-Za-z_][\w.]{0,60})\s*\}\}")
_LARGEST = 1_000_000


def fill(path: Path, job: Job, *, as_yaml: bool) -> str:
    """The template with its places filled. Raises DataError for a place nobody knows."""
    text = read_text(path, limit_bytes=_LARGEST)
    known = places(job)

    def put(found: re.Match[str]) -> str:
        name = found[1]
        if name not in known:
            line = text[: found.start()].count("\n") + 1
            hint = did_you_mean(name, known) or f"Known: {', '.join(known)}."
            raise DataError.at(path, f"line {line}", None, f"nothing is called {name!r}", hint)
        value = known[name]
        if isinstance(value, (int, float)):
            return f"{value:.15g}"
        return json.dumps(value, ensure_ascii=True) if as_yaml else shell(value)

    return _PLACE.sub(put, text)


def places(job: Job) -> dict[str, str | int | float]:
    """Every name a template may use, with its value for this job."""
    choice = job.choice
    partition, node = job.partition, job.node
    found: dict[str, str | int | float] = {
        "job_name": job.name,
        "workload": choice.workload.title,
        "accelerator": choice.accelerator_id,
        "accelerator_title": choice.title,
        "gpus": choice.devices,
        "accelerators": choice.count,
        "accelerators_per_node": job.counted_per_node,
        "nodes": job.nodes,
        "gpus_per_node": job.gpus_per_node,
        "cpus_per_gpu": job.cpus_per_gpu,
        "cpus_per_node": job.cpus_per_gpu * job.gpus_per_node,
        "memory_gib": job.memory_gib,
        "disk_gib": job.disk_gib or 0,
        "wall": clock(job.segment_s),
        "wall_seconds": round(job.segment_s),
        "total_seconds": round(job.total_s),
        "segments": job.segments,
        "signal_seconds": max(60, round(job.lead_s)),
        "gpu_hours": round((job.needs["gpu_seconds"].value or 0.0) / 3600, 1),
        "checkpoints": job.folder,
        "partition": partition.name if partition else "",
        "account": job.account,
        "qos": job.qos,
        "gres": node.gres if node and node.gres else job.names.gres if job.names else "gpu",
        "image": job.options.image or (job.names.image if job.names else ""),
    }
    for name in ("dp", "tp", "pp", "vpp", "cp", "ep", "micro_batch"):
        text = choice.layout.get(name, "1")
        found[f"layout.{name}"] = int(text) if text.isdigit() else text
    for name in ("sharding", "recompute", "precision", "offload", "stack"):
        found[f"layout.{name}"] = choice.layout.get(name, "none")
    return found
