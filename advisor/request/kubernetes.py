"""A job for Kubernetes: a Job, an Indexed Job with its Service for several nodes, or a PyTorchJob."""

from __future__ import annotations

import math
from typing import Any

from advisor.errors import UserError
from advisor.request.job import Job
from advisor.request.quote import remark, shell
from advisor.request.slurm import OVER, WAIT, launcher, told
from advisor.request.yaml import documents

KINDS = ("job", "pytorchjob")
_PORT = 29500
_RETRIES = 3  # for each node, besides those of a chain

_SCRIPT = """set -u
export STOP="$CHECKPOINTS/stop"
mkdir -p -- "$CHECKPOINTS" || exit 1
if [[ -e "$CHECKPOINTS/done" ]]; then exit 0; fi
{clear}{limit}trap 'touch -- "$STOP"; signalled=1' TERM USR1
{launcher} {command} &
process=$!
{wait}
if [[ "$code" -eq 0 && -e "$STOP" ]]; then exit {over}; fi
if [[ "$code" -eq 0 ]]; then touch -- "$CHECKPOINTS/done"; fi
exit "$code"
"""
_FIRST = """if [[ "${{JOB_COMPLETION_INDEX:-0}}" == 0 ]]; then rm -f -- "$STOP"; fi
"""
_LIMIT = """( sleep {seconds}; touch -- "$STOP" ) &
"""
_ONE = "torchrun --standalone --nproc-per-node={per_node}"
_SEVERAL = (
    'torchrun --nnodes={nodes} --nproc-per-node={{per_node}} --node-rank="$JOB_COMPLETION_INDEX" '
    "--master-addr={name}-0.{name} --master-port=" + str(_PORT)
)
_OPERATOR = (
    'torchrun --nnodes="$WORLD_SIZE" --nproc-per-node={per_node} --node-rank="$RANK" '
    '--master-addr="$MASTER_ADDR" --master-port="$MASTER_PORT"'
)


def write(job: Job, kind: str = "job") -> dict[str, str]:
    """job.yaml. Raises UserError where nobody has told how the accelerator is named there."""
    lines = told(job)
    claim = job.site.kubernetes.get("claim")
    if claim:
        lines.append(f"The claim {remark(claim)} must be there, with {job.disk_gib or 'enough'} GiB of room.")
    if not _selector(job):
        lines.append(
            f"Add a nodeSelector for the {remark(job.choice.title)} if the cluster has several kinds."
        )
    head = "".join(f"# {line}\n" for line in lines)
    return {"job.yaml": head + documents(objects(job, kind))}


def objects(job: Job, kind: str = "job") -> list[dict[str, Any]]:
    """The objects, as Kubernetes reads them."""
    asked = job.site.kubernetes.get("kind", kind)
    if asked not in KINDS:
        raise UserError(f"no kind '{asked}' of Kubernetes job", f"There is {' and '.join(KINDS)}.")
    claims = [] if job.site.kubernetes.get("claim") else [_claim(job)]  # a site's own is there already
    if asked == "pytorchjob":
        return [*claims, _pytorch_job(job)]
    found = [*claims, _job(job)]
    return found if job.nodes == 1 else [*found, _service(job)]


def _meta(job: Job, name: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"name": name or job.run, "labels": {"app": job.run}}
    if job.site.kubernetes.get("queue"):
        found["labels"]["kueue.x-k8s.io/queue-name"] = job.site.kubernetes["queue"]
    if job.site.kubernetes.get("namespace"):
        found["namespace"] = job.site.kubernetes["namespace"]
    return found


def _claim(job: Job) -> dict[str, Any]:
    """Room for checkpoints that every node reaches."""
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteMany" if job.nodes > 1 else "ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{job.disk_gib or 1}Gi"}},
    }
    if job.site.kubernetes.get("storage_class"):
        spec["storageClassName"] = job.site.kubernetes["storage_class"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _meta(job, _claim_name(job)),
        "spec": spec,
    }


def _claim_name(job: Job) -> str:
    return str(job.site.kubernetes.get("claim") or f"{job.run}-ckpt")


def _job(job: Job) -> dict[str, Any]:
    several = job.nodes > 1
    start = _SEVERAL.format(nodes=job.nodes, name=job.run) if several else _ONE
    spec: dict[str, Any] = {
        "backoffLimit": job.nodes * (job.segments - 1 + _RETRIES),
        "activeDeadlineSeconds": _deadline(job),
        "template": {"metadata": {"labels": {"app": job.run}}, "spec": _pod(job, start)},
    }
    if several:
        spec |= {"completionMode": "Indexed", "completions": job.nodes, "parallelism": job.nodes}
        spec["template"]["spec"]["subdomain"] = job.run
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": _meta(job), "spec": spec}


def _service(job: Job) -> dict[str, Any]:
    """A headless service: without one the nodes have no names for each other."""
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {"app": job.run},
        "ports": [{"name": "torch", "port": _PORT}],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(job), "spec": spec}


def _pytorch_job(job: Job) -> dict[str, Any]:
    def replicas(count: int) -> dict[str, Any]:
        pod = _pod(job, _OPERATOR)
        pod["containers"][0]["name"] = "pytorch"  # the operator looks for this name
        pod["restartPolicy"] = "OnFailure"
        restart = pod.pop("restartPolicy")
        template = {"metadata": {"labels": {"app": job.run}}, "spec": pod}
        return {"replicas": count, "restartPolicy": restart, "template": template}

    specs = {"Master": replicas(1)} | ({"Worker": replicas(job.nodes - 1)} if job.nodes > 1 else {})
    policy = {
        "backoffLimit": job.nodes * (job.segments - 1 + _RETRIES),
        "activeDeadlineSeconds": _deadline(job),
    }
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": _meta(job),
        "spec": {"runPolicy": policy, "pytorchReplicaSpecs": specs},
    }


def _deadline(job: Job) -> int:
    """Seconds from the start of the Job to its end, however often pods start; then they have time to save."""
    return max(60, math.floor(job.total_s - job.lead_s))


def _pod(job: Job, start: str) -> dict[str, Any]:
    site, names = job.site.kubernetes, job.names
    resource = site.get("resource") or (names.resource if names else "")
    image = job.options.image or site.get("image") or (names.image if names else "")
    if not resource or not image:
        raise UserError(
            f"nobody has told how {remark(job.choice.title, 60)} is named in Kubernetes",
            "Give resource and image in [kubernetes] of --site.",
        )
    amounts = {
        resource: str(job.counted_per_node),
        "cpu": str(job.cpus_per_gpu * job.gpus_per_node),
        "memory": f"{job.memory_gib}Gi",
    }
    mounts = [{"name": "checkpoints", "mountPath": "/checkpoints"}, {"name": "shm", "mountPath": "/dev/shm"}]  # noqa: S108
    container = {
        "name": "train",
        "image": image,
        "command": ["bash", "-c", _script(job, start)],
        "env": [
            {"name": "CHECKPOINTS", "value": f"/checkpoints/{job.run}"},
            {"name": "OMP_NUM_THREADS", "value": str(max(1, job.cpus_per_gpu))},
            *({"name": name, "value": value} for name, value in job.environment.items()),
        ],
        "resources": {"limits": amounts, "requests": dict(amounts)},
        "volumeMounts": mounts,
    }
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": max(60, round(job.lead_s)),
        "containers": [container],
        "volumes": [
            {"name": "checkpoints", "persistentVolumeClaim": {"claimName": _claim_name(job)}},
            {"name": "shm", "emptyDir": {"medium": "Memory"}},
        ],
    }
    if selector := _selector(job):
        pod["nodeSelector"] = selector
    if site.get("tolerations"):
        # in an order of their own: the record from which the page is made again sorts its keys
        parts = ("key", "operator", "value", "effect")
        pod["tolerations"] = [{p: one[p] for p in parts if p in one} for one in site["tolerations"]]
    if site.get("priority_class"):
        pod["priorityClassName"] = site["priority_class"]
    return pod


def _selector(job: Job) -> dict[str, str]:
    """Labels of the nodes: those of the shape that is asked for, else of the whole site."""
    found = job.site.kubernetes.get("node_selector") or {}
    if job.node is not None and job.node.node_selector:
        found = job.node.node_selector
    return dict(sorted(found.items()))


def _script(job: Job, start: str) -> str:
    limit = _LIMIT.format(seconds=max(60, round(job.segment_s - job.lead_s))) if job.segments > 1 else ""
    command = " ".join(shell(word) for word in job.options.command)
    return _SCRIPT.format(
        wait=WAIT,
        launcher=launcher(job, start),
        command=command,
        limit=limit,
        clear=_FIRST.format(),
        over=OVER,
    )
