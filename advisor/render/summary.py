"""The first page: the answer in a sentence and the figures that carry it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from markupsafe import Markup

from advisor.render import dated, describe, figures, select
from advisor.render.marks import Marks, foreign
from advisor.render.texts import Texts
from advisor.schema import Advice, Estimate, Quantity, Workload

NOTHING = Markup()


@dataclass(frozen=True)
class KeyFigure:
    """A figure of the first page with what it is."""

    label: Markup
    figure: Markup
    note: Markup = NOTHING


def title(advice: Advice, t: Texts) -> Markup:
    """The report's title: the machine's name where it has one."""
    host = advice.machine.host.hostname.value if advice.machine else None
    if not host:
        return t("title.nameless", "Hardware report")
    return t("title", "Hardware report: {host}", host=foreign(host, 60))


def subtitle(advice: Advice, t: Texts) -> Markup:
    """When, by what, and on which processor or accelerator."""
    machine = advice.machine
    parts: list[Markup] = []
    if machine is not None:
        parts += [describe.device_title(t, device) for device in select.usable_devices(advice)[:2]]
        if machine.cpu.model.value:
            parts.append(foreign(machine.cpu.model.value, 80))
    if made := made_at(advice, t):
        parts.append(made)
    return Markup(" · ").join(parts)


def made_at(advice: Advice, t: Texts) -> Markup:
    """Day and time of the advice; empty when it does not say."""
    when = dated.created(advice)
    if when is None:
        return Markup()
    return t("subtitle.date", "{date} UTC", date=f"{when.astimezone(UTC):%Y-%m-%d %H:%M}")


def answer(advice: Advice, t: Texts) -> Markup:
    """What this machine can do with the workloads, in one or two sentences."""
    states = states_here(advice)
    if not states:
        return _no_estimates(advice, t)
    total = len(states)
    in_time = [w for w, s in states if s in ("in_time", "fits")]
    perhaps = [w for w, s in states if s == "perhaps"]
    slow = [w for w, s in states if s == "slow"]
    too_big = sum(s == "no" for _, s in states)
    if in_time:
        longest = max(in_time, key=lambda w: _time(advice, w) or 0.0)
        first = t(
            "answer.some",
            "This machine can train {count} of {total} workloads within the time allowed for each, nine "
            "times in ten at least; the longest of them, {title}, takes about {time}.",
            count=len(in_time),
            total=total,
            title=describe.said(t, longest.title),
            time=_time_text(advice, longest, t),
        )
    elif perhaps:
        first = t(
            "answer.perhaps",
            "Of {total} workloads this machine finishes none for certain within the time allowed, and "
            "{count} perhaps; the nearest, {title}, takes about {time} where {limit} are allowed.",
            total=total,
            count=len(perhaps),
            **_nearest(advice, perhaps, t),
        )
    elif slow:
        first = t(
            "answer.slow",
            "This machine finishes none of {total} workloads within the time allowed; the nearest, {title}, "
            "would take about {time} where {limit} are allowed.",
            total=total,
            **_nearest(advice, slow, t),
        )
    else:
        return _refused(advice, t, total)
    if in_time and perhaps:
        more = t(
            "answer.more_perhaps",
            "{count} more may be in time: their limit lies within the range of their time.",
            count=len(perhaps),
        )
        first = describe.sentences(first, more, t)
    rest = Markup()
    if (in_time or perhaps) and slow and too_big:
        rest = t(
            "answer.rest",
            "Of the others, {slow} would take too long and {no} cannot run here.",
            slow=len(slow),
            no=too_big,
        )
    elif (in_time or perhaps) and slow:
        rest = t("answer.rest_slow", "The other {count} would fit but take too long.", count=len(slow))
    elif too_big and too_big < total:
        rest = t("answer.rest_no", "Of the others, {count} cannot run here.", count=too_big)
    return describe.sentences(first, rest, t)


def _refused(advice: Advice, t: Texts, total: int) -> Markup:
    """Why nothing runs here: memory, software and not knowing are three different answers."""
    counts = refusals(advice)
    if counts.get("memory") == total:
        return t("answer.none", "None of {total} workloads fits into this machine's memory.", total=total)
    if counts.get("unknown") == total:
        return t("answer.unknown", "What this machine can train is not known: the table below says why.")
    words = {
        "framework": t(
            "answer.because.framework",
            "{count} would fit, but no framework here can use the device",
            count=counts.get("framework", 0),
        ),
        "precision": t(
            "answer.because.precision",
            "{count} would fit, but not in their number format",
            count=counts.get("precision", 0),
        ),
        "memory": t("answer.because.memory", "{count} do not fit into memory", count=counts.get("memory", 0)),
        "unknown": t("answer.because.unknown", "{count} are not known", count=counts.get("unknown", 0)),
    }
    parts = [words[name] for name in select.REFUSALS if counts.get(name)]
    return t(
        "answer.cannot",
        "None of {total} workloads can run here as things are: {parts}.",
        total=total,
        parts=Markup("; ").join(parts),
    )


def refusals(advice: Advice) -> dict[str, int]:
    """Reason -> how many workloads cannot run here for it."""
    counts: dict[str, int] = {}
    for workload in advice.workloads:
        found = select.refusal(advice, workload)
        if found is not None:
            reason = select.refused_by(found)
            counts[reason] = counts.get(reason, 0) + 1
    return counts


def _no_estimates(advice: Advice, t: Texts) -> Markup:
    if advice.machine is None:
        return t("answer.empty", "Nothing is known yet: this file holds no machine.")
    count = len(select.usable_devices(advice))
    if count:
        return t(
            "answer.probed_gpu",
            "Accelerators that answer: {count}. No workload was estimated.",
            count=count,
        )
    return t("answer.probed", "This machine has no accelerator that answers; no workload was estimated.")


def state_line(advice: Advice, t: Texts) -> Markup:
    """How far the answer rests on measurements; empty when the run was complete."""
    calibration = advice.calibration
    if calibration is None:
        return t(
            "basis.none",
            "Nothing was measured: the answer rests on probed facts, the catalogue and rules alone.",
        )
    if not calibration.complete:
        stopped = {
            "interrupted": t("basis.interrupted", "was interrupted"),
            "running": t("basis.running", "was still running, or was killed"),
        }.get(calibration.stopped, foreign(calibration.stopped, 80) if calibration.stopped else None)
        return t(
            "basis.partial",
            "Preliminary: the measuring {stopped} when this was written, with {count} figures done.",
            stopped=stopped or t("basis.unfinished", "had not finished"),
            count=len(calibration.measurements),
        )
    return Markup()


def key_figures(advice: Advice, marks: Marks) -> list[KeyFigure]:
    """The four figures that decide: memory, arithmetic, bandwidth, workloads."""
    t, device = marks.t, select.main_device(advice)
    matmul = figures.best_matmul(advice.calibration, device)
    width = figures.best_bandwidth(advice.calibration, device)
    found = [_memory(advice, marks)]
    dtype = foreign(str(matmul.params.get("dtype", "")), 12) if matmul else Markup()
    found.append(
        KeyFigure(
            t("key.arithmetic", "Fastest arithmetic"),
            marks.measured(matmul, missing=t("key.not_measured", "not measured")),
            t(
                "key.arithmetic.note",
                "matrix products in {dtype} on {device}",
                dtype=dtype,
                device=device_name(advice, device, t),
            )
            if matmul
            else NOTHING,
        )
    )
    found.append(
        KeyFigure(
            t("key.bandwidth", "Memory bandwidth"),
            marks.measured(width, missing=t("key.not_measured", "not measured")),
            t("key.bandwidth.note", "on {device}", device=device_name(advice, device, t))
            if width
            else NOTHING,
        )
    )
    states = states_here(advice)
    if states:
        done = sum(s in ("in_time", "fits") for _, s in states)
        perhaps = sum(s == "perhaps" for _, s in states)
        fits = done + perhaps + sum(s == "slow" for _, s in states)
        found.append(
            KeyFigure(
                t("key.workloads", "Workloads in time"),
                Markup('<span class="fig">{}</span>{}').format(
                    t("key.workloads.figure", "{done} of {total}", done=done, total=len(states)),
                    marks.mark("rule", "origin-rule"),
                ),
                _with_perhaps(_fit_note(advice, t, fits), perhaps, t),
            )
        )
    return found


def _with_perhaps(note: Markup, count: int, t: Texts) -> Markup:
    if not count:
        return note
    return t("key.workloads.perhaps", "{count} more perhaps; {note}", count=count, note=note)


def _fit_note(advice: Advice, t: Texts, fits: int) -> Markup:
    """How many could run at all, and how many only software keeps from it."""
    counts = refusals(advice)
    if blocked := counts.get("framework"):
        return t(
            "key.workloads.blocked",
            "{fits} can run; {blocked} more would fit, but no framework can use the device",
            fits=fits,
            blocked=blocked,
        )
    if not fits and counts.get("memory") == sum(counts.values()):
        return t("key.workloads.none", "none fits into memory")
    if not fits:
        return t("key.workloads.unknown", "whether any can run is not known for all")
    return t("key.workloads.note", "{fits} can run at all", fits=fits)


def device_name(advice: Advice, name: str, t: Texts) -> Markup:
    """The product behind a torch device name, for readers who do not speak torch."""
    named = advice.calibration.devices.get(name) if advice.calibration else None
    if name == "cpu":
        return t("device.the_cpu", "the CPU")
    return foreign(named or name, 60)


def _memory(advice: Advice, marks: Marks) -> KeyFigure:
    t = marks.t
    devices = select.usable_devices(advice)
    known = [d for d in devices if d.memory_total_bytes.known]
    if known:
        largest = max(known, key=lambda d: d.memory_total_bytes.value or 0)
        note = t(
            "key.memory.device",
            "{count} × {name}",
            count=sum(d.name.value == largest.name.value for d in known),
            name=describe.device_title(t, largest),
        )
        return KeyFigure(
            t("key.memory", "Memory to train in"), marks.fact(largest.memory_total_bytes, "B"), note
        )
    if advice.machine is None:
        return KeyFigure(t("key.memory", "Memory to train in"), marks.unknown(), Markup())
    return KeyFigure(
        t("key.memory", "Memory to train in"),
        marks.fact(advice.machine.memory.usable_bytes, "B"),
        t("key.memory.host", "main memory; no accelerator answers"),
    )


def devices_within(estimate: Estimate, t: Texts) -> Markup:
    """ "devices in them: 64" where the packages that one rents are several devices each; else nothing."""
    if estimate.target.devices == estimate.target.packages:
        return Markup()
    return t("target.devices", "devices in them: {count}", count=t.number(estimate.target.devices, "1"))


def target_label(advice: Advice, estimate: Estimate, t: Texts) -> Markup:
    """ "8 × NVIDIA H100" with the catalogue's title where there is one; packages, and devices in them."""
    titles = {a.id: a.title for a in advice.accelerators}
    name = titles.get(estimate.target.accelerator_id)
    if name is None:
        return describe.said(t, estimate.target.label, 80)
    label = Markup("{} × {}").format(t.number(estimate.target.packages, "1"), foreign(name, 80))
    within = devices_within(estimate, t)
    return t("target.within", "{label} ({within})", label=label, within=within) if within else label


def states_here(advice: Advice) -> list[tuple[Workload, str]]:
    """Each workload that was estimated here with its state."""
    return [
        (w, select.state(best, w))
        for w in advice.workloads
        if (best := select.best_here(advice, w)) is not None
    ]


def _time(advice: Advice, workload: Workload) -> float | None:
    best = select.best_here(advice, workload)
    return figures.point(select.run_time(best)) if best else None


def _time_text(advice: Advice, workload: Workload, t: Texts) -> Markup:
    best = select.best_here(advice, workload)
    return with_range(select.run_time(best) if best else None, t)


def with_range(figure: Quantity | None, t: Texts) -> Markup:
    """A figure in running text with its range: "16 h (9–84 h)"."""
    if figure is None or figures.point(figure) is None:
        return t("unknown", "unknown")
    told = t.told(figure)
    if figure.value is None or not told.spread:
        return whole(told.spread if figure.value is None else told.figure)
    return t("figure.ranged", "{figure} ({range})", figure=whole(told.figure), range=whole(told.spread))


def alone(figure: Quantity | None, t: Texts) -> Markup:
    """The same without its range, in the digits that the range warrants."""
    if figure is None or figures.point(figure) is None:
        return t("unknown", "unknown")
    return whole(t.told(figure).figure) if figure.value is not None else with_range(figure, t)


def whole(text: str) -> Markup:
    """A figure in running text, not to be broken between number and unit."""
    return Markup('<span class="nw">{}</span>').format(text)


def _nearest(advice: Advice, workloads: Sequence[Workload], t: Texts) -> dict[str, Markup]:
    """The workload that is least beyond its limit, with its time and that limit, as sentences name it."""
    nearest = min(workloads, key=lambda w: _excess(advice, w))
    return {
        "title": describe.said(t, nearest.title),
        "time": _time_text(advice, nearest, t),
        "limit": whole(t.number(select.deadline_s(nearest) or 0.0, "s")),
    }


def _excess(advice: Advice, workload: Workload) -> float:
    """How many times the limit the time is."""
    time, limit = _time(advice, workload), select.deadline_s(workload)
    return time / limit if time and limit else float("inf")
