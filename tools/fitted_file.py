"""The text of rules/constants/fitted.toml: a constant and a rule for each share, factors, curves, limits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from shares import BASE_COUNT, BASE_WIDTH, COUNTS, GENERATIONS, WIDTHS, Sample, Vector, fit, ranges

TOOL = "tools/fit_first_constants.py on rules/evidence"
SERVER = 8  # devices of one server, the least that every generation is tried with


def vendor_of(generation: str) -> str:
    """nvidia_ampere -> nvidia."""
    return generation.split("_", maxsplit=1)[0]


def constant(name: str, span: tuple[float, float, float], better: str, fitted: str) -> str:
    """A [[constant]] entry; `span` is low, value, high."""
    low, value, high = span
    return (
        f'[[constant]]\nid = "{name}"\nvalue = {value:.4g}\n'
        f"low = {min(low, value):.4g}\nhigh = {max(high, value):.4g}\n"
        f'better = "{better}"\nunit = "1"\nsource = "{TOOL}"\nfitted_from = "{fitted}"\n'
    )


def render(samples: list[Sample], residual: Vector) -> str:
    """The text of rules/constants/fitted.toml."""
    design, beta = fit(samples)
    effect = dict(zip(design.names, beta, strict=True))
    spread = ranges(samples, residual)
    publishers = len({sample.publisher for sample in samples})
    total = f"{len(samples)} runs of {publishers} publishers"
    parts = [
        "# Written by tools/fit_first_constants.py; do not edit. Shares are of the dense peak in the format\n"
        "# computed in, for an ordinary trainer, one device, 16 bit, width 4096; low and high: publisher\n"
        "# left out of the fit.\n"
    ]
    for group in ("transformer", "cnn"):
        for generation in GENERATIONS:
            vendor = vendor_of(generation)
            value = math.exp(effect[group] + effect[f"{group}:{vendor}"] + effect[f"{group}:{generation}"])
            low, high, text = spread[group, generation]
            span = (value * low, value, min(value * high, 0.95))
            parts.append(constant(f"share_{group}_{generation}", span, "high", text))
            parts.append(share_rule(group, generation))
    for name in ("fp8", "tf32", "fp32", "encoder", "vit", "lora", "qlora"):
        parts.append(gain(f"gain_{name}", effect[name], count_of(samples, name)))
    tuned = effect["transformer:tuned"]
    number = sum(sample.run.effort == "tuned" for sample in samples)
    parts.append(gain("gain_tuned", max(tuned, 0.0), f"{number} tuned of {total}"))
    widths = [math.exp(effect[f"width:{w:g}"] - effect[f"width:{BASE_WIDTH:g}"]) for w in WIDTHS]
    counts = [math.exp(effect[f"count:{c:g}"] - effect[f"count:{BASE_COUNT:g}"]) for c in COUNTS]
    counts = list(np.minimum.accumulate(counts))
    parts.append(curve("width_gain", "share of peak over that of width 4096", WIDTHS, widths, total))
    parts.append(
        curve(
            "scale_efficiency",
            "share of peak over that of one device; a plain factor, no link model",
            COUNTS,
            counts,
            total,
        )
    )
    for generation in GENERATIONS:
        rows = [sample for sample in samples if sample.run.entry.generation == generation]
        most = max([SERVER, *(sample.run.inputs["devices"] for sample in rows)])
        parts.append(
            exact(f"scale_{generation}", most, f"the largest of {len(rows)} runs, at least one server")
        )
        parts.append(scale_rule(generation))
    return "\n".join(parts)


def share_rule(group: str, generation: str) -> str:
    """The [[rule]] that takes a generation's share."""
    name = f"share_{group}_{generation}"
    also = " or generation_cerebras_wse" if generation == "other" else ""
    return (
        f'[[rule]]\nid = "{name.replace("_", "-")}"\ngives = "{group}_share"\nunit = "1"\n'
        f'when = "generation_{generation}{also}"\nexpr = "{name}"\n'
        f'why = "share of the dense peak that an ordinary 16-bit run on one device executes"\n'
        f'source = "constants/fitted.toml"\n'
        f'cases = [{{ given = {{ generation = "{generation}", {name} = 0.4 }}, expect = 0.4 }}]\n'
    )


def scale_rule(generation: str) -> str:
    """The [[rule]] that takes a generation's largest published run."""
    also = " or generation_cerebras_wse or generation_cpu" if generation == "other" else ""
    return (
        f'[[rule]]\nid = "scale-{generation.replace("_", "-")}"\ngives = "published_scale"\nunit = "1"\n'
        f'when = "generation_{generation}{also}"\nexpr = "scale_{generation}"\n'
        f'why = "devices of the largest published run of this generation"\n'
        f'source = "constants/fitted.toml"\n'
        f'cases = [{{ given = {{ generation = "{generation}", scale_{generation} = 64 }}, expect = 64 }}]\n'
    )


def gain(name: str, effect: float, text: str) -> str:
    """A factor whose range is already in the shares."""
    value = math.exp(effect)
    return constant(name, (value, value, value), "none", text)


def exact(name: str, value: float, text: str) -> str:
    """A count without range."""
    return f'[[constant]]\nid = "{name}"\nvalue = {value:g}\nunit = "1"\nsource = "rules/evidence: {text}"\n'


def curve(name: str, text: str, xs: Sequence[float], ys: Sequence[float], source: str) -> str:
    """A [[curve]] entry."""
    points = ", ".join(f"[{x:g}, {y:.4g}]" for x, y in zip(xs, ys, strict=True))
    return (
        f'[[curve]]\nname = "{name}"\nx_unit = "1"\ny_unit = "1"\ntext = "{text}"\n'
        f'points = [{points}]\nsource = "tools/fit_first_constants.py: {source}"\n'
    )


def count_of(samples: list[Sample], name: str) -> str:
    """How many runs an effect rests on."""
    flags = {"fp8": "fp8_mixed"}
    rows = [
        s
        for s in samples
        if flags.get(name, name)
        in (s.run.inputs["precision"], s.run.inputs["family"], s.run.inputs["method"])
    ]
    return f"{len(rows)} runs of {', '.join(sorted({s.publisher for s in rows})[:8])}"
