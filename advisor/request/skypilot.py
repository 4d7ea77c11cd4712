"""A job as a SkyPilot task, to be handed in with `sky jobs launch`."""

from __future__ import annotations

import math
from typing import Any

from advisor.errors import UserError
from advisor.request.defaults import load_defaults
from advisor.request.job import Job
from advisor.request.quote import remark, shell
from advisor.request.slurm import COUNT, OVER, WAIT, WATCH, launcher, prepared, told
from advisor.request.yaml import documents

_SYSTEM_GIB = 100  # for the image and packages, beside checkpoints on a disk
_RUN = """set -u
export STOP="$CHECKPOINTS/stop"
mkdir -p -- "$CHECKPOINTS" || exit 1
if [[ -e "$CHECKPOINTS/done" ]]; then exit 0; fi
rm -f -- "$STOP"

{count}
{setup}trap 'touch -- "$STOP"; signalled=1' TERM USR1
{launcher} {command} &
process=$!
{watch}
{wait}
kill "$watch" 2> /dev/null
if [[ "$SKYPILOT_NODE_RANK" == 0 ]]; then keep_count; fi
if [[ -e "$STOP" && "$code" -eq 0 ]]; then
  echo "It took longer than asked for. The checkpoint is written: ask for more time, and it goes on." >&2
  exit {over}
fi
if [[ "$code" -eq 0 && "$SKYPILOT_NODE_RANK" == 0 ]]; then touch -- "$CHECKPOINTS/done"; fi
exit "$code"
"""
_TORCHRUN = (
    'torchrun --nnodes="$SKYPILOT_NUM_NODES" --nproc-per-node={per_node} '
    '--node-rank="$SKYPILOT_NODE_RANK" --master-port=29500 '
    '--master-addr="$(head -n 1 <<< "$SKYPILOT_NODE_IPS")"'
)


def write(job: Job) -> dict[str, str]:
    """sky.yaml. Raises UserError where SkyPilot's name of the accelerator is not known."""
    head = "".join(f"# {line}\n" for line in told(job))
    return {"sky.yaml": head + documents([task(job)])}


def _slice(name: str, job: Job) -> str:
    """TPUs are asked for as one slice, whose name counts its parts: hosts of their own share no links.

    The name known here is that of one host; a site names the slice that it means.
    """
    if job.site.skypilot.get("accelerator"):
        return name
    stem, _, of_host = name.rpartition("-")
    return f"{stem}-{int(of_host) * job.nodes}"


def task(job: Job) -> dict[str, Any]:
    """The task, as SkyPilot reads it."""
    site = job.site.skypilot
    name = site.get("accelerator") or load_defaults().skypilot.get(job.choice.accelerator_id)
    if not name:
        raise UserError(
            f"SkyPilot's name for {remark(job.choice.title, 60)} is not known",
            "Give accelerator in [skypilot] of --site (`sky show-gpus` lists them).",
        )
    count, slice_ = job.counted_per_node, name.startswith("tpu-")
    resources: dict[str, Any] = {
        "accelerators": _slice(name, job) if slice_ else f"{name}:{count}",
        "cpus": f"{job.cpus_per_gpu * job.gpus_per_node}+",
        "memory": f"{job.memory_gib}+",
        "disk_size": _SYSTEM_GIB + (0 if site.get("bucket") else job.disk_gib or 0),
        # a lost machine is replaced as often as it is lost; an error of the program ends the task
        "job_recovery": {"strategy": "FAILOVER", "max_restarts_on_errors": 0},
    }
    for key in ("infra", "use_spot"):
        if key in site:
            resources[key] = site[key]
    image = job.options.image or site.get("image", "")
    if image:
        resources["image_id"] = image if image.startswith(("docker:", "ami-")) else f"docker:{image}"
    lead = max(60, round(job.lead_s))
    command = " ".join(shell(word) for word in job.options.command)
    found: dict[str, Any] = {
        "name": job.name,
        "num_nodes": 1 if slice_ else job.nodes,  # of a slice SkyPilot starts the task on every host
        "resources": resources,
        "envs": {"CHECKPOINTS": f"/checkpoints/{job.run}", **job.environment},
        "run": _RUN.format(
            count=COUNT.format(total=math.floor(job.total_s), lead=lead, over=OVER),
            watch=WATCH.format(lead=lead, keep='[[ "$SKYPILOT_NODE_RANK" != 0 ]] || '),
            wait=WAIT,
            over=OVER,
            launcher=launcher(job, _TORCHRUN),
            command=command,
            setup=prepared(site.get("setup", ())),  # modules of a cluster are not on rented machines
        ),
    }
    if site.get("bucket"):
        found["file_mounts"] = {"/checkpoints": {"source": site["bucket"], "mode": "MOUNT"}}
    return found
