"""Names for what the report lists: benches, parameters, devices, warnings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import reduce

from markupsafe import Markup

from advisor.render import dated, figures, select
from advisor.render.marks import foreign
from advisor.render.texts import NAME, Texts
from advisor.schema import (
    Advice,
    Device,
    Estimate,
    Measurement,
    Workload,
)
from advisor.units import GIB


def bench(t: Texts, name: str) -> Markup:
    """What a bench measures, in a few words; an unknown name stands as it is."""
    names = {
        "matmul": t("bench.matmul", "Matrix product"),
        "memory_bandwidth": t("bench.memory_bandwidth", "Memory bandwidth"),
        "host_device_copy": t("bench.host_device_copy", "Copy between host and device"),
        "launch_latency": t("bench.launch_latency", "Starting one kernel"),
        "attention": t("bench.attention", "Attention"),
        "disk_read": t("bench.disk_read", "Reading from disk"),
        "image_decode": t("bench.image_decode", "Decoding and augmenting images, one core"),
        "tokenize": t("bench.tokenize", "Turning text into tokens, one core"),
        "operators": t("bench.operators", "Single operators, many shapes"),
        "optimizer_step": t("bench.optimizer_step", "Optimizer step"),
        "train_step": t("bench.train_step", "Small training step"),
        "train_rate": t("bench.train_rate", "Training rate"),
        "serial_task": t("bench.serial_task", "Serial task: one chain of steps"),
        "parallel_task": t("bench.parallel_task", "Parallel task"),
    }
    return names.get(name) or foreign(name.replace("_", " "), 60)


def measurement(t: Texts, m: Measurement) -> Markup:
    """One line for a measurement: bench and what tells it from its like, in words.

    Parameters that only the rules need (the intercept of a rate, the vocabulary) are in advice.json.
    """
    words = [*_what(t, m), *_sizes(t, m)]
    if "threads" in m.params:
        words.append(t.plain("measurement.threads", "threads {count}", count=m.params["threads"]))
    point = {
        "start": t.plain("measurement.start", "before the others"),
        "end": t.plain("measurement.end", "after the others"),
    }.get(str(m.params.get("point", "")))
    if point:
        words.append(point)
    if m.phase != "burst":
        words.append(t.said(m.phase))
    return Markup('{} <span class="param">{}</span>').format(
        bench(t, m.bench), foreign(t.plain("list.comma", ", ").join(words), 140) if words else ""
    )


def _what(t: Texts, m: Measurement) -> list[str]:
    """Kind of work: operation, network, number format, direction, place."""
    names = {
        "decoder": t.plain("network.decoder", "language model"),
        "cnn": t.plain("network.cnn", "convolutional network"),
    }
    found = [
        m.params[key] for key in ("op", "family", "dtype", "kind", "direction", "where") if key in m.params
    ]
    words = [names.get(str(value)) or t.said(str(value).replace("_", " ")) for value in found]
    if isinstance(m.params.get("direct"), bool):
        words.append(
            t.plain("measurement.direct", "past the system's cache")
            if m.params["direct"]
            else t.plain("measurement.cached", "through the system's cache")
        )
    return words


def _sizes(t: Texts, m: Measurement) -> list[str]:
    """How large the work was."""
    of, words = m.params, []
    if "n" in of:
        words.append(t.plain("measurement.square", "{n} × {n}", n=of["n"]))
    if "layers" in of:
        layers = " + ".join(str(of["layers"]).split(","))
        words.append(t.plain("measurement.layers", "{count} layers", count=layers))
    if isinstance(of.get("parameters"), int | float):
        count = t.number(float(of["parameters"]), "1")
        words.append(t.plain("measurement.parameters", "{count} parameters", count=count))
    if "seq" in of:
        words.append(t.plain("measurement.tokens", "{count} tokens", count=of["seq"]))
    if "width" in of and "height" in of:
        words.append(
            t.plain("measurement.pixels", "{width} × {height} pixels", width=of["width"], height=of["height"])
        )
    elif "image_size" in of:
        side = of["image_size"]
        words.append(t.plain("measurement.pixels", "{width} × {height} pixels", width=side, height=side))
    if isinstance(of.get("bytes"), int | float) and m.bench != "train_step":
        words.append(t.number(float(of["bytes"]), "B"))
    return words


def device(t: Texts, name: str, named: dict[str, str]) -> Markup:
    """A torch device name with the product behind it."""
    fixed = {
        "disk": t("device.disk", "Disk"),
        "host": t("device.host", "Host"),
        "cpu": t("device.cpu", "CPU"),
    }
    title = fixed.get(name) or foreign(name, 40)
    return (
        Markup('{} <span class="param">{}</span>').format(title, foreign(named[name], 80))
        if named.get(name)
        else title
    )


def device_title(t: Texts, device: Device) -> Markup:
    """An accelerator's name, or its vendor when the driver gives none."""
    if device.name.value:
        return foreign(device.name.value, 80)
    return t(
        "device.nameless",
        "{vendor} {kind}, no name given",
        vendor=foreign(device.vendor),
        kind=foreign(device.kind),
    )


def said(t: Texts, text: str, limit: int = 200) -> Markup:
    """A sentence of the advice in the report's language."""
    return foreign(t.said(text), limit)


def noted(t: Texts, text: str, limit: int = 80) -> Markup:
    """A note that names a source: what of it is a sentence of ours is told, names are not missed."""
    return foreign(t.sentences.tell(text) if t.sentences else text, limit)


def why(t: Texts, text: str) -> Markup:
    """What a rule says of itself; in English where the language does not have it."""
    return foreign(t.said_whole(text), 260)


def code(t: Texts, name: str) -> Markup:
    """A code of a closed list as words."""
    return said(t, name.replace("_", " "), 80)


def first_sentence(text: str) -> str:
    """A text up to its first full stop that ends a sentence (not that of "2.13")."""
    return re.split(r"(?<=\.)\s", text.strip(), maxsplit=1)[0]


def refusal(estimate: Estimate, t: Texts) -> Markup:
    """What keeps a workload from running, in two or three words; empty for memory, the usual reason."""
    return (
        {
            "framework": t("refusal.framework", "no framework for it"),
            "precision": t("refusal.precision", "not in this number format"),
        }.get(select.refused_by(estimate), Markup())
        if estimate.fits is False
        else Markup()
    )


def limit(estimate: Estimate, workload: Workload, t: Texts) -> Markup:
    """What limits a run here, shortly: needed and allowed stand in the other columns already."""
    need, has = estimate.quantities.get("memory_bytes"), estimate.quantities.get("memory_usable")
    needed, there = figures.point(need), figures.point(has)
    size = t.told(has).figure if has is not None and has.value is not None else ""
    tight = Markup()
    if need and there is not None and needed is not None and needed <= there < (need.high or 0.0):
        tight = t("limit.tight", "Memory is tight: the upper end of the estimate does not fit.")
    reason = select.refused_by(estimate) if not estimate.fits else ""
    if reason == "memory" and needed and there:
        return t(
            "limit.memory",
            "Memory: {times} the {size} there are.",
            times=_times(t, needed / there),
            size=size,
        )
    if reason:
        return (
            said(t, first_sentence(estimate.why), 240)
            if estimate.why
            else code(t, estimate.limit or "unknown")
        )
    time, allowed = figures.point(select.run_time(estimate)), select.deadline_s(workload)
    if time is None:
        return said(t, estimate.why, 240) if estimate.why else code(t, "unknown")
    state = select.state(estimate, workload)
    if state == "perhaps":
        open_yet = t("limit.perhaps", "Perhaps not in time: what is allowed lies within the time’s range.")
        return sentences(open_yet, tight, t)
    if allowed and state == "slow":
        late = t(
            "limit.time", "Time: {times} what is allowed; memory suffices.", times=_times(t, time / allowed)
        )
        if tight:
            late = t("limit.time_tight", "Time: {times} what is allowed.", times=_times(t, time / allowed))
        return sentences(late, tight, t)
    return tight or t("limit.nothing", "Nothing: it fits and is done in time.")


def nearest(estimate: Estimate, t: Texts) -> Markup:
    """The published run that says most about an estimate's time."""
    run = estimate.near[0]
    return t(
        "near.line",
        "nearest published run: {title}, {measured} measured, {rules} by the rules",
        title=foreign(run.title, 100),
        measured=t.number(run.measured_s, "s"),
        rules=t.number(run.rules_s, "s"),
    )


def near_of(advice: Advice, estimate: Estimate, t: Texts) -> Markup:
    """Whose neighbour a published run is: workload and target."""
    titles = {workload.id: workload.title for workload in advice.workloads}
    what = said(t, titles.get(estimate.workload, estimate.workload), 90)
    target = "" if estimate.target.here else foreign(estimate.target.label, 80)
    where = target or t("near.here", "this machine")
    return Markup('{}<span class="below">{}</span>').format(what, where)


def room(advice: Advice, estimate: Estimate, t: Texts) -> Markup:
    """ "21 / 24" GiB: what one device must hold and what it has, and whether that is tight."""
    need, there = estimate.quantities.get("memory_bytes"), select.room(advice, estimate)
    needed = "?"
    if need is not None and need.value is not None:
        needed = t.ranged(need.value / GIB, _gib(need.low), _gib(need.high), "1").figure
    text = Markup("{} / {}").format(needed, "?" if there is None else t.number(there / GIB, "1"))
    if select.tight(advice, estimate):
        text += Markup(' <span class="warn">{}</span>').format(t("catalogue.tight", "tight"))
    return text


def _gib(size: float | None) -> float | None:
    return None if size is None else size / GIB


def _times(t: Texts, ratio: float) -> Markup:
    return t(
        "limit.times",
        "{ratio} ×",
        ratio=t.number(float(f"{ratio:.2g}" if ratio < 10 else f"{ratio:.3g}"), "1"),
    )


def sentences(first: Markup, second: Markup, t: Texts) -> Markup:
    """Two sentences beside each other; either may be empty."""
    return (
        t("list.sentences", "{first} {second}", first=first, second=second)
        if first and second
        else first or second
    )


def run_on(said: Iterable[Markup], t: Texts) -> Markup:
    """Sentences one after the other."""
    return reduce(lambda first, second: sentences(first, second, t), said, Markup())


def choices(estimate: Estimate, t: Texts) -> Markup:
    """What the estimate took for granted about the set-up: precision, micro-batch, recompute."""
    return choices_of(estimate.choices, t)


_NAMES = {"torch_npu"}
"""Choices that are names of programs, underscores and all."""


def choices_of(choices: Mapping[str, str], t: Texts) -> Markup:
    """The same of choices that stand alone."""
    words = (_choice(key.replace("_", " "), value, t) for key, value in choices.items())
    return foreign(t.plain("list.comma", ", ").join(words), 200)


def _choice(name: str, value: str, t: Texts) -> str:
    """ "recompute none": told whole where the language says it otherwise than by name and value."""
    if value in _NAMES:
        return f"{t.said(name)} {value}"
    value = value.replace("_", " ")
    whole = t.sentences.patterns.get(f"{name} {value}") if t.sentences else None
    return whole or f"{t.said(name)} {t.said(value)}"


def joined(*shown: Markup) -> Markup:
    """Figures beside each other."""
    return Markup(" · ").join(shown)


def warnings(m: Measurement, t: Texts, *, short: bool = False) -> Markup:
    """Warnings and the reason why there is no figure, in words; the codes alone where space is dear."""
    if short and m.warnings:
        return t("list.semicolon", "; ").join(code(t, name) for name in m.warnings)
    parts = [code(t, name) for name in m.warnings if not m.reason.startswith(name.replace("_", " "))]
    if m.reason:
        parts.append(said(t, m.reason, 160))
    return t("list.semicolon", "; ").join(parts)


def recipe(workload: Workload, t: Texts) -> Markup:
    """Method, precision, optimizer, and the sizes of batch and sequence."""
    of = workload.recipe
    methods = {
        "pretrain": t.plain("recipe.pretrain", "pretrain"),
        "full": t.plain("recipe.full", "full"),
        "lora": t.plain("recipe.lora", "lora"),
        "qlora": t.plain("recipe.qlora", "qlora"),
    }
    parts = [methods.get(of.method, of.method), t.said(of.precision.replace("_", " ")), of.optimizer]
    if of.samples:
        parts.append(t.plain("recipe.samples", "{count} samples", count=t.number(of.samples, "1")))
    if of.seq_len:
        parts.append(t.plain("recipe.seq", "{count} tokens each", count=t.number(of.seq_len, "1")))
    if of.global_batch:
        parts.append(t.plain("recipe.batch", "batches of {count}", count=t.number(of.global_batch, "1")))
    parts += [f"{t.said(key.replace('_', ' '))} {value:g}" for key, value in of.numbers.items()]
    return foreign(t.plain("list.comma", ", ").join(part.replace("_", " ") for part in parts), 300)


def old(advice: Advice, t: Texts, estimate: Estimate) -> Markup:
    """A remark on a price older than half a year; nothing otherwise."""
    age = dated.old_rent(advice, estimate)
    if age is None:
        return Markup()
    return Markup('<span class="below warn">{}</span>').format(
        t("price.old", "price is {days} days old", days=age)
    )


_LONG = 30  # letters of a word that may be wider than a telephone


def command(text: str) -> Markup:
    """A command to type, which breaks between words alone: a flag cut in two would be typed so."""
    whole = Markup('<span class="nw">{}</span>')
    parts = (whole.format(word) if "-" in word and len(word) < _LONG else word for word in text.split(" "))
    return Markup("<code>{}</code>").format(Markup(" ").join(parts))


def code_text(text: str) -> Markup:
    """A digest or an expression, as it stands."""
    return Markup('<span class="code">{}</span>').format(foreign(text, 200))


def quantity_name(t: Texts, name: str) -> Markup:
    """A quantity of an estimate in words."""
    names = {
        "time_s": t("quantity.time", "time"),
        "memory_bytes": t("quantity.memory", "memory"),
        "rent_usd": t("quantity.rent", "rent"),
        "calendar_s": t("quantity.calendar", "time in all"),
        "energy_j": t("quantity.energy", "energy"),
        "compute_s": t("quantity.compute", "computing"),
        "optimizer_s": t("quantity.optimizer", "optimizer"),
        "input_s": t("quantity.input", "reading data"),
        "calendar_factor": t("quantity.calendar_factor", "hours in all for each hour of training"),
        "startup_hours": t("quantity.startup", "start-up"),
        "nvml_bytes": t("quantity.nvml", "memory that the driver shows"),
        "allocated_bytes": t("quantity.allocated", "memory allocated"),
        "weights_bytes": t("part.weights", "weights"),
        "gradients_bytes": t("part.gradients", "gradients"),
        "optimizer_bytes": t("part.optimizer", "optimizer states"),
        "activation_bytes": t("part.activations", "activations"),
        "copies_bytes": t("part.copies", "16-bit copies"),
        "gather_bytes": t("part.gather", "gathered weights"),
        "loss_bytes": t("part.loss", "loss"),
    }
    # Without the unit at the end, which the figure has itself: "compute_s" is the time of computing.
    plain = re.sub(r"_(s|bytes|usd|j|w|flops)$", "", name)
    words = plain.replace("_", " ")
    # An id is told where it is known whole: a pattern would take half of it, and what is held is no share.
    known = "" if name.endswith("_bytes") else t.sentences.patterns.get(words, "")
    return names.get(name) or foreign(t.sentences.find(NAME + words) or known or words, 80)
