"""The page that goes with a request: what is asked for and why, on one sheet, with the data attached."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from markupsafe import Markup

from advisor.render import RenderResult, dated
from advisor.render.describe import choices_of
from advisor.render.html import page_context, render_page
from advisor.render.marks import Marks, foreign
from advisor.request import Job, Need
from advisor.request.money import asked_price, rents
from advisor.schema import Advice, Quantity
from advisor.units import GIB

NAME = "request"


@dataclass
class Page:
    """What the template shows, in its order."""

    title: Markup
    subtitle: Markup
    sentence: Markup
    keys: list[tuple[Markup, Markup, Markup]]
    rows: list[tuple[Markup, Markup, Markup]]
    basis: list[Markup]
    check: Markup
    digests: list[tuple[str, str]] = field(default_factory=list)


def render_request(  # noqa: PLR0913 - the last two have defaults
    advice: Advice,
    job: Job,
    data: Mapping[str, str],
    folder: Path,
    *,
    formats: Iterable[str] = ("pdf",),
    lang: str = "en",
) -> RenderResult:
    """Write request.html and request.pdf into `folder` (request-k8s, request-skypilot: three may lie there).

    `data` is what the pages carry: see `attached`.
    """
    from advisor.render import write_pages
    from advisor.render.pdf import Data
    from advisor.render.texts import full_texts

    tell = full_texts(lang).sentences.tell
    return write_pages(
        page_name(job),
        folder,
        formats,
        lang,
        lambda paged: request_html(advice, job, data, lang, paged=paged),
        lambda: [Data(name, tell(_ABOUT.get(name, "A file of this request")), data[name]) for name in data],
        dated.created(advice),
    )


_ABOUT = {"advice.json": "The figures this request rests on", "request.json": "What was asked for, and how"}


def page_name(job: Job) -> str:
    """The page's file, without its ending: each scheduler's its own."""
    return f"{NAME}-{job.scheduler}" if job.scheduler in ("k8s", "skypilot") else NAME


def attached(advice: Advice, files: Mapping[str, str], record: Mapping[str, object]) -> dict[str, str]:
    """Name -> text of everything that rides in the pages: the advice, the job's own files, and `record`
    (request.json), which is what was said besides the advice, so that the page can be made again."""
    from advisor.data.advice import stored_text

    told = json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    return {"advice.json": stored_text(advice), "request.json": told, **files}


def request_html(
    advice: Advice, job: Job, data: Mapping[str, str], lang: str = "en", *, paged: bool = False
) -> str:
    """The page as one self-contained HTML text; the same text for the same request and version."""
    from advisor.render.carried import carried
    from advisor.render.texts import full_texts

    t = full_texts(lang)
    context, marks = page_context(advice, t, paged=paged)
    name = f"{page_name(job)}.{'pdf' if paged else 'html'}"
    page = _page(advice, job, marks, name)
    page.digests = [(name, hashlib.sha256(text.encode()).hexdigest()) for name, text in data.items()]
    carries = Markup() if paged else carried(data, name, t)
    return render_page("pages/request.html", {**context, "page": page}, t, carries=carries)


def figure(marks: Marks, quantity: Quantity, *, ranged: bool = True) -> Markup:
    """A figure with its mark, which leads nowhere here: the reason stands beside it."""
    if quantity.value is None:
        return marks.unknown(quantity.reason)
    told = marks.t.told(quantity)
    out = Markup('<span class="fig">{}</span>{}').format(told.figure, marks.mark(quantity.kind))
    if ranged and told.spread:
        out += Markup(' <span class="rng">{}</span>').format(told.spread)
    return out


def _page(advice: Advice, job: Job, marks: Marks, name: str) -> Page:
    t, choice = marks.t, job.choice
    title = t(
        "request.title",
        "Request: {count} × {device}",
        count=t.number(float(choice.count), "1"),
        device=foreign(choice.title, 60),
    )
    made = foreign(advice.created_at[:10], 20) if advice.created_at else t("unknown", "unknown")
    subtitle = t(
        "request.subtitle",
        "Estimated on {date} by hwadvisor {version}; rules {digest}.",
        date=made,
        version=foreign(advice.versions.tool or "?", 20),
        digest=foreign(advice.versions.rules_digest[:12] or "?", 12),
    )
    sentence = t(
        "request.sentence",
        "{work} needs {count} × {device} for up to {time}, {jobs}.",
        work=marks.said(choice.workload.title, 120),
        count=t.number(float(choice.count), "1"),
        device=foreign(choice.title, 60),
        time=t.number(job.total_s, "s"),
        jobs=_in_jobs(job, marks),
    )
    check = _check(marks, name)
    return Page(title, subtitle, sentence, _keys(job, marks), _rows(job, marks), _basis(job, marks), check)


def _in_jobs(job: Job, marks: Marks) -> Markup:
    t = marks.t
    if job.segments == 1:
        return t("request.one_job", "in one job")
    if job.scheduler == "k8s":
        return t(
            "request.starts",
            "in one Job, whose pods start {count} times for {time} each at most",
            count=t.number(float(job.segments), "1"),
            time=t.number(job.segment_s, "s"),
        )
    return t(
        "request.jobs",
        "in {count} jobs one after the other, of {time} each at most",
        count=t.number(float(job.segments), "1"),
        time=t.number(job.segment_s, "s"),
    )


def _keys(job: Job, marks: Marks) -> list[tuple[Markup, Markup, Markup]]:
    t, choice = marks.t, job.choice
    shape = t(
        "request.shape",
        "on each of {nodes} nodes: {each}",
        nodes=t.number(float(job.nodes), "1"),
        each=t.number(float(job.sold_per_node), "1"),
    )
    if job.nodes == 1 and choice.each == 1:
        shape = t("request.one_node", "on one node")
    elif job.nodes == 1:
        shape = t(
            "request.one_node_devices",
            "on one node, where they are {devices} devices",
            devices=t.number(float(job.gpus_per_node), "1"),
        )
    elif choice.each > 1:
        shape = t(
            "request.shape_devices",
            "on each of {nodes} nodes: {each}, which are {devices} devices",
            nodes=t.number(float(job.nodes), "1"),
            each=t.number(float(job.sold_per_node), "1"),
            devices=t.number(float(job.gpus_per_node), "1"),
        )
    found = [
        (t("request.devices", "Accelerators"), figure(marks, job.needs["gpus"].quantity()), shape),
        (t("request.time", "Expected time"), figure(marks, choice.time), Markup()),
        (
            t("request.hours", "Accelerator hours, at most")
            if job.bounded
            else t("request.hours_open", "Accelerator hours, at most, if no machine is lost"),
            _hours(job.needs["gpu_seconds"], marks),
            _expected(_expected_hours(job, marks), marks),
        ),
    ]
    rent, most = choice.rent, job.needs.get("rent_at_most")
    if (price := asked_price(choice, job.site, job.scheduler)) is not None:
        rent, _ = rents(price, choice.count, choice.time, job.total_s)
    if rent is not None and most is not None:
        note = _expected(figure(marks, rent), marks) if rent.value is not None else Markup()
        if asked := dated.asked(rent, marks.t):
            note += Markup('<span class="below">{}</span>').format(asked)
        label = t("request.rent", "These hours rented, at most")
        found.append((label, figure(marks, most.quantity()), note))
    return found


def _expected(shown: Markup, marks: Marks) -> Markup:
    """What is likely, in the small print below what is the most."""
    plain = Markup(shown.replace('class="fig"', 'class="nw"'))  # noqa: S704 - of our own making
    return marks.t("request.expected", "expected: {figure}", figure=plain)


def _hours(need: Need, marks: Marks) -> Markup:
    if need.value is None:
        return marks.unknown(need.why)
    told = marks.t.number(round(need.value / 3600), "1")
    return Markup('<span class="fig">{}</span>{}').format(told, marks.mark(need.kind))


def _expected_hours(job: Job, marks: Marks) -> Markup:
    """Accelerator hours of the expected time, with as many digits as its range warrants."""
    time, need = job.choice.time, job.needs["gpu_seconds_expected"]
    if need.value is None:
        return marks.unknown(need.why)
    value, low, high = (
        None if end is None else end * job.choice.count / 3600 for end in (time.value, time.low, time.high)
    )
    told = marks.t.ranged(value, low, high, "1").figure
    return Markup('<span class="fig">{}</span>{}').format(told, marks.mark(need.kind))


def _rows(job: Job, marks: Marks) -> list[tuple[Markup, Markup, Markup]]:
    t, needs = marks.t, job.needs

    def row(label: Markup, need: Need, value: Markup | None = None) -> tuple[Markup, Markup, Markup]:
        shown = value if value is not None else figure(marks, need.quantity())
        why = marks.said(need.why, 240)
        if need.source and need.value is not None:
            why += Markup(' <span class="below">{}</span>').format(marks.said(need.source, 160))
        return label, shown, why

    cores = Markup('<span class="fig">{}</span>{}').format(
        t.number(float(job.cpus_per_gpu), "1"), marks.mark(needs["cpus"].kind)
    )
    whole = needs.get("asked")
    # whole GiB, as the job file asks for them
    ram = None if needs["memory"].value is None else float(job.memory_gib * GIB)
    disk = None if job.disk_gib is None else float(job.disk_gib * GIB)
    return [
        *_queue(job, marks),
        row(t("request.row.wall", "Time, with headroom"), needs["wall"]),
        *([row(t("request.row.asked", "Time of all jobs"), whole)] if whole else []),
        row(
            t("request.row.cores", "Processor cores for each accelerator")
            if job.choice.each == 1
            else t("request.row.cores_device", "Processor cores for each device"),
            needs["cpus"],
            cores,
        ),
        row(t("request.row.memory", "Main memory of a node"), replace(needs["memory"], value=ram)),
        row(t("request.row.checkpoint", "One checkpoint"), needs["checkpoint"]),
        row(t("request.row.disk", "Room for checkpoints"), replace(needs["disk"], value=disk, source="")),
    ]


def _queue(job: Job, marks: Marks) -> list[tuple[Markup, Markup, Markup]]:
    """Where it is handed in: partition, account and quality of service, with what limits one job there."""
    t, partition = marks.t, job.partition
    if job.scheduler != "slurm" or not (partition or job.account or job.qos):
        return []
    told = []
    if job.account:
        told.append(t("request.account", "account {name}", name=foreign(job.account, 60)))
    if job.qos:
        told.append(t("request.qos", "QOS {name}", name=foreign(job.qos, 60)))
    if partition is not None and partition.max_wall_s:
        limit = t.number(partition.max_wall_s, "s")
        told.append(t("request.max_wall", "at most {time} a job", time=limit))
    if partition is not None and partition.max_nodes:
        told.append(t("request.max_nodes", "at most {count} nodes a job", count=partition.max_nodes))
    name = foreign(partition.name, 60) if partition else t("request.default_queue", "the default one")
    why = t("list.comma", ", ").join(told)
    return [(t("request.row.queue", "Partition"), name, why)]


def _launch(job: Job, marks: Marks) -> Markup:
    """What is started, and how often."""
    command = Markup("<code>{}</code>").format(foreign(shlex.join(job.options.command), 160))
    if job.gpus_per_node == 1:
        return marks.t(
            "request.launch_one", "Started on each node: one process of {command}.", command=command
        )
    return marks.t(
        "request.launch",
        "Started on each node: {count} processes of {command}.",
        count=marks.t.number(float(job.gpus_per_node), "1"),
        command=command,
    )


def _basis(job: Job, marks: Marks) -> list[Markup]:
    t, choice = marks.t, job.choice
    need, has = (choice.quantities.get(name) for name in ("memory_bytes", "memory_usable"))
    if has is None and choice.accelerator is not None:
        has = choice.accelerator.figures.get("memory_bytes")
    found = []
    if need is not None and need.value is not None:
        there = figure(marks, has) if has is not None and has.value is not None else marks.unknown()
        both = {"need": figure(marks, need), "has": there}
        found.append(
            t("request.memory", "Memory of each accelerator: {need} needed, {has} there.", **both)
            if choice.each == 1
            else t("request.memory_device", "Memory of each device: {need} needed, {has} there.", **both)
        )
    found.append(
        t(
            "request.time_of",
            "Time: {time}, from the start of the job to its last step.",
            time=figure(marks, choice.time),
        )
    )
    if choice.layout:
        found.append(t("request.layout", "Layout: {layout}.", layout=choices_of(choice.layout, t)))
    found.append(_launch(job, marks))
    if choice.estimate is not None and choice.estimate.near:
        run = choice.estimate.near[0]
        found.append(
            t(
                "request.near",
                "The nearest published run, {title}, took {measured} where the rules say {rules} ({source}).",
                title=foreign(run.title, 80),
                measured=t.number(run.measured_s, "s"),
                rules=t.number(run.rules_s, "s"),
                source=foreign(run.source, 120),
            )
        )
    return found + [marks.said(note, 300) for note in job.notes[:5]]


def _check(marks: Marks, name: str) -> Markup:
    typed = marks.t(
        "request.typed",
        "What was typed for this job (command, folder, the site’s file) stands in it as it was typed, with "
        "any name, path or key in it: read it before you hand the page on.",
    )
    told = marks.t(
        "request.check.text",
        "All data is attached. {command} makes every figure of this page again from it, computes "
        "the estimate with the reader’s own rules and prices, and shows what differs. The digests prove "
        "that page and data belong together, not who measured; who did is proved by a signature.",
        command=Markup("<code>hwadvisor verify {}</code>").format(name),
    )
    return told + Markup(" ") + typed
