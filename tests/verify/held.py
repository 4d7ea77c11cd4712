"""Advices as files and requests, and with something edited in them."""

from __future__ import annotations

from pathlib import Path

from advisor.cli.request import _complete
from advisor.cli.request import made as made_job
from advisor.data.advice import save_advice
from advisor.redact import redact
from advisor.render.request_page import attached, render_request
from advisor.request import Options, Site, pick, write
from advisor.schema import Advice, Quantity


def edited(advice: Advice, **quantities: Quantity) -> Advice:
    """With other figures in the first estimate."""
    one = advice.estimates[0]
    changed = one.model_copy(update={"quantities": {**one.quantities, **quantities}})
    return advice.model_copy(update={"estimates": (changed,)})


def counted(advice: Advice, **target: object) -> Advice:
    """With another target of the first estimate."""
    one = advice.estimates[0]
    changed = one.model_copy(update={"target": one.target.model_copy(update=target)})
    return advice.model_copy(update={"estimates": (changed,)})


def at(folder: Path, advice: Advice) -> Path:
    """The advice.json of a folder."""
    folder.mkdir(exist_ok=True)
    save_advice(advice, folder / "advice.json")
    return folder / "advice.json"


def other_nodes(folder: Path, advice: Advice, **said: object) -> Path:
    """The page of a request whose attached script asks for other nodes than it was made with.

    `said` is added to the record of how it was asked for.
    """
    held, choice = _complete(redact(advice), pick(advice), ())
    job = made_job(held, Site(), Options(), choice.label, None)
    files, _ = write(job, "slurm")
    record = {
        "scheduler": "slurm", "kind": "job", "site": {}, "target": choice.label, "wall_limit_s": None,
        "options": {"command": ["train.py"]}, **said,
    }  # fmt: skip
    more = {"job.sbatch": files["job.sbatch"].replace("--nodes=1", "--nodes=8")}
    render_request(held, job, attached(held, more, record), folder)
    return folder / "request.pdf"
