"""`hwadvisor request`: a job to ask a cluster for, with a page that says why."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.options import folder_for, formats_option, json_flag, lang_option, print_json, rules_option
from advisor.cli.screen import console
from advisor.cli.tell import tell_rendered
from advisor.errors import DataError, UserError

if TYPE_CHECKING:
    from advisor.request import Choice, Job, Options, Site
    from advisor.schema import Advice

_SCHEDULERS = ("slurm", "k8s", "skypilot")


@click.command()
@click.argument("advice", type=click.Path(path_type=Path))
@click.option("--slurm", is_flag=True, help="Write job.sbatch (and submit.sh).")
@click.option("--k8s", is_flag=True, help="Write job.yaml: Job, Indexed Job or PyTorchJob.")
@click.option("--skypilot", is_flag=True, help="Write sky.yaml.")
@click.option("--site", type=click.Path(path_type=Path), metavar="FILE", help="The site's policy, site.toml.")
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A script of your own with places such as {{nodes}}, instead of ours.",
)
@click.option("--workload", metavar="ID", help="Which workload; the first by default.")
@click.option("--target", metavar="TEXT", help="Which set-up, by part of its label; the best by default.")
@click.option(
    "--name", default="", metavar="NAME", help="The job's name; made of model and method by default."
)
@click.option(
    "--command", default="train.py", show_default=True, help="What torchrun starts, with arguments."
)
@click.option("--folder", default="", metavar="PATH", help="Shared folder for checkpoints.")
@click.option("--headroom", type=float, help="Share added to the upper end of the time; 0.1 by default.")
@click.option(
    "--wall-limit", metavar="TIME", help="Longest job the site allows, e.g. '2 days'; longer is chained."
)
@click.option("--gpus-per-node", type=click.IntRange(1, 100_000), help="Accelerators of one node.")
@click.option("--image", default="", metavar="NAME", help="Container image (Kubernetes, SkyPilot).")
@click.option(
    "--kind",
    type=click.Choice(("job", "pytorchjob")),
    default="job",
    show_default=True,
    help="Which kind of Kubernetes job.",
)
@click.option(
    "--redact/--no-redact", default=True, show_default=True, help="Take names of machine and people out."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write into; by default the advice's.",
)
@rules_option
@formats_option("pdf")
@lang_option
@json_flag
def request(as_json: bool, advice: Path, output: Path | None, formats: tuple[str, ...], **flags: Any) -> None:
    """A job to ask a cluster for: what ADVICE (an advice.json, its folder, a report) estimates or plans.

    Beside the script a page (request.pdf, request-k8s.pdf, request-skypilot.pdf) says why it asks for so
    much, with all data attached for `hwadvisor verify`.
    """
    from advisor.data.files import write_atomic
    from advisor.render.comments import commented
    from advisor.render.request_page import attached, render_request
    from advisor.request import write

    asked = [name for name in _SCHEDULERS if flags.pop(name)]
    if len(asked) != 1:
        raise click.UsageError("say for whom: --slurm, --k8s or --skypilot")
    scheduler = flags["scheduler"] = asked[0]
    folder = folder_for(advice, output, "request")
    held, job, record = prepare(advice, flags)
    files, left = write(job, scheduler, template=flags["template"], kind=flags["kind"])
    if flags["template"] is None:
        files = commented(files, flags["lang"])
    for name, text in files.items():
        write_atomic(folder / name, text)
    data = attached(held, files, record)
    result = render_request(held, job, data, folder, formats=formats, lang=flags["lang"])
    if as_json:
        import json

        print_json(json.dumps(document(job, scheduler, files), indent=1, ensure_ascii=False) + "\n")
    out, talk = console(stderr=as_json), console(stderr=True)
    for name in files:
        out.print(str(folder / name), soft_wrap=True)
    tell_rendered(result, out, talk, asked=formats, fatal=False)
    for note in (*job.notes, *left):
        talk.print(f"! {note}", soft_wrap=True, markup=False)


def prepare(path: Path, flags: dict[str, Any]) -> tuple[Advice, Job, dict[str, object]]:
    """The advice that is attached, the job, and what was said besides: all that the page is made of."""
    from advisor.cli.request_anew import priced, reshaped
    from advisor.data.embedded import load_any
    from advisor.redact import redact
    from advisor.request import Options, build, checked, pick, site_of, words

    options = checked(
        Options(
            name=flags["name"],
            command=words(flags["command"]),
            folder=flags["folder"],
            headroom=flags["headroom"],
            image=flags["image"],
            gpus_per_node=flags["gpus_per_node"],
        )
    )
    raw: dict[str, Any] = {}
    if flags["site"] is not None:
        from advisor.data.files import read_toml

        raw = read_toml(flags["site"])
    site = site_of(flags["site"] or Path("site.toml"), raw)
    loaded = load_any(path)
    choice = pick(loaded, flags["workload"], flags["target"])
    held, choice = _complete(loaded, choice, flags["rules"])
    limit = _seconds(flags["wall_limit"])
    job = build(choice, site, options, held.calibration, wall_limit_s=limit, scheduler=flags["scheduler"])
    if (anew := reshaped(held, job, flags["rules"])) is not None:
        held, choice = anew
    held = priced(held, choice, site, flags["scheduler"], flags["rules"])
    if flags["redact"]:
        held = redact(held)
    job = made(held, site, options, choice.key, limit, flags["scheduler"])
    record: dict[str, object] = {
        "scheduler": flags["scheduler"],
        "kind": flags["kind"],
        "options": asdict(options),
        "site": raw,
        "target": choice.key,
        "wall_limit_s": limit,
        "template": flags["template"] is not None,
    }
    return held, job, record


def made(
    advice: Advice, site: Site, options: Options, target: str, limit: float | None, scheduler: str = "slurm"
) -> Job:
    """The job of an advice that holds one workload: the same each time, also for who verifies it."""
    from advisor.request import build, pick

    choice = pick(advice, None, target)
    return build(choice, site, options, advice.calibration, wall_limit_s=limit, scheduler=scheduler)


def _complete(advice: Advice, choice: Choice, rules: tuple[Path, ...]) -> tuple[Advice, Choice]:
    """The advice with nothing in it but what is asked for, and with the time on the calendar.

    A scan estimates many set-ups and keeps little of each: what is asked for is computed again whole.
    """
    from advisor.request import of_estimate

    estimate = choice.estimate
    if estimate is None:
        return advice.model_copy(update={"estimates": ()}), choice
    whole = "calendar_s" in estimate.quantities and "params" in estimate.quantities
    update: dict[str, Any] = {"workloads": (choice.workload,), "plan": None}
    if whole:
        keys = {quantity.trace for quantity in estimate.quantities.values()}
        update |= {
            "estimates": (estimate,),
            "trace": {key: steps for key, steps in advice.trace.items() if key in keys},
        }
    else:
        from advisor.again import estimate_again
        from advisor.app_knowledge import load_knowledge

        known = load_knowledge(rules)
        again = estimate_again(known.book, known.catalogue, known.published, advice, estimate, traced=True)
        update |= {"estimates": (again.estimate,), "trace": again.trace, "versions": known.versions()}
    update["accelerators"] = tuple(a for a in advice.accelerators if a.id == choice.accelerator_id)
    held = advice.model_copy(update=update)
    return held, of_estimate(held, held.estimates[0])


def document(job: Job, scheduler: str, files: dict[str, str]) -> dict[str, object]:
    """The request as JSON."""
    most = job.needs.get("rent_at_most")
    needs = {
        name: {"value": n.value, "unit": n.unit, "kind": n.kind.value, "why": n.why, "source": n.source}
        for name, n in job.needs.items()
    }
    return {
        "name": job.name,
        "scheduler": scheduler,
        "target": job.choice.label,
        "gpus": job.choice.devices,
        "accelerators": job.choice.count,
        "nodes": job.nodes,
        "gpus_per_node": job.gpus_per_node,
        "cpus_per_gpu": job.cpus_per_gpu,
        "memory_per_node_gib": job.memory_gib,
        "disk_gib": job.disk_gib,
        "wall_s": job.wall_s,
        "total_s": job.total_s,
        "jobs": job.segments,
        "job_wall_s": job.segment_s,
        "gpu_hours": (job.needs["gpu_seconds"].value or 0.0) / 3600,
        "gpu_hours_expected": _hours(job.needs["gpu_seconds_expected"].value),
        "rent_usd_at_most": most.value if most else None,
        "checkpoints": job.folder,
        "layout": job.choice.layout,
        "needs": needs,
        "notes": list(job.notes),
        "files": files,
    }


def _hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / 3600


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    from advisor.request.quote import slurm_time
    from advisor.units import parse_as

    try:
        value = slurm_time(text) or parse_as(text, "s")
    except UserError as error:
        raise DataError(
            f"--wall-limit {text[:40]!r}: {error.message}", "Write for example '2 days'."
        ) from error
    if not 0 < value < 1e10:
        raise UserError(f"--wall-limit {text[:40]!r} is no length of time", "Write for example '2 days'.")
    return value
