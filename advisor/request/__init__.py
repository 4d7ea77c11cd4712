"""A job to ask a cluster for, from an estimate or plan: text for Slurm, Kubernetes or SkyPilot, and why."""

from __future__ import annotations

from pathlib import Path

from advisor.errors import UserError
from advisor.request.check import check as check_file
from advisor.request.fill import fill as fill_template
from advisor.request.job import Job, Options, build, checked
from advisor.request.need import Need
from advisor.request.pick import Choice, of_estimate, pick
from advisor.request.quote import words
from advisor.request.site import Site, load_site, site_of

__all__ = [
    "SCHEDULERS", "Choice", "Job", "Need", "Options", "Site", "build", "checked", "load_site", "of_estimate",
    "pick", "site_of", "words", "write",
]  # fmt: skip

SCHEDULERS = {"slurm": "job.sbatch", "k8s": "job.yaml", "skypilot": "sky.yaml"}
"""Scheduler -> the file that is handed in."""


def write(
    job: Job, scheduler: str, *, template: Path | None = None, kind: str = "job"
) -> tuple[dict[str, str], list[str]]:
    """The job's files, checked, and what could not be checked here.

    Raises DataError for a template that gives what the scheduler would refuse.
    """
    from advisor.request import kubernetes, skypilot, slurm

    if scheduler not in SCHEDULERS:
        raise UserError(f"no scheduler '{scheduler[:40]}'", f"There is {', '.join(SCHEDULERS)}.")
    main = SCHEDULERS[scheduler]
    if template is not None:
        files = {main: fill_template(template, job, as_yaml=main.endswith(".yaml"))}
    elif scheduler == "slurm":
        files = slurm.write(job)
    elif scheduler == "k8s":
        files = kubernetes.write(job, kind)
    else:
        files = skypilot.write(job)
    left = [remark for name, text in files.items() for remark in check_file(name, text)]
    if template is not None:
        left.append("What a template starts again by itself is not in the hours asked for.")
    return files, left
