"""What grows faster than the batch: losses over all pairs of samples, told from four traces instead of two.

Two traces cannot tell a line from a square, but they show which operators may be one: what is proportional
to the square lies on a line that starts below zero. Only then are two larger batches traced too, of which
one fits the square and the other tests it.
"""

from __future__ import annotations

from typing import Any

Batches = tuple[int, int, int, int]
FIGURES = ("flops", "bytes", "saved", "made", "other", "saved_live", "gradients")
_GROWING = ("flops", "bytes", "made")  # what an operator does; the rest is what lives beside it
_WHOLE = ("kept", "kept_so_far", "block_inputs", "casts_peak")
_EXACT, _NOISE = 1e-6, 0.25  # of shapes alone; of a real run whose work hangs on data
_NEARLY = 0.9  # of the highest square: what is lower lies below it where squares count
_NAMED = 4


def suspected(first: list[Any], second: list[Any], batches: tuple[int, int]) -> bool:
    """Whether something may grow faster than the batch: a line below zero at none, or more calls."""
    if len(first) != len(second):
        return True
    ratio = batches[1] / batches[0]
    return any(
        getattr(b, name) > ratio * getattr(a, name) * (1 + _EXACT)
        for a, b in zip(first, second)
        for name in _GROWING
    )


def told(traces: list[Any], batches: Batches, *, fake: bool) -> dict[str, Any]:
    """What to add to the document: nothing, "squares" (and the traces less them), or "beyond".

    `fake`: shapes alone were followed, so that any figure is exact.
    """
    events = [trace.events for trace in traces]
    same = all(_alike(events[0], other) for other in events[1:])
    if not same or not fake:
        return {} if _straight(traces, batches) else _beyond(batches, [])
    found: dict[int, dict[str, float]] = {}
    wild: list[str] = []
    for at, row in enumerate(zip(*events)):
        bends = {name: _bend([getattr(e, name) for e in row], batches) for name in FIGURES}
        if any(bends[name] is None for name in _GROWING):
            wild.append(row[0].name)
        found[at] = {name: bend for name, bend in bends.items() if bend}
    if wild:
        return _beyond(batches, wild)
    growing = [at for at, bends in found.items() if any(name in bends for name in _GROWING)]
    if not growing:
        return {}
    squares = _squares(traces, batches, found)
    for trace, samples in zip(traces[:2], batches):
        _take_off(trace, samples, found, squares)
    names = list(dict.fromkeys(events[0][at].name for at in growing))
    found_all = {**_sums(events[0], found), **squares["memory"], **_beneath(traces[:2], batches, found)}
    return {"squares": {**found_all, "operators": names[:_NAMED]}}


def note_of(found: dict[str, Any]) -> str:
    """One line for the reader; "" where all is straight."""
    if "squares" in found:
        names = ", ".join(found["squares"]["operators"])
        return (
            f"Goes over all pairs of samples ({names}): counted with the square of what a device takes at "
            "once; samples that a loss gathers from other devices are not counted."
        )
    if "beyond" in found:
        named = f" ({', '.join(found['beyond']['operators'])})" if found["beyond"]["operators"] else ""
        return (
            f"Grows neither with the batch nor with its square{named}: "
            f"nothing is told beyond {found['beyond']['samples']} samples at once."
        )
    return ""


def _alike(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(
        a.name == b.name and a.phase == b.phase for a, b in zip(first, second)
    )


def _bend(values: list[float], batches: Batches) -> float | None:
    """What stands before the square of the batch; 0: a line or less; None: it grows faster."""
    (a, b, c, d), (w, x, y, z) = values, batches
    first, second = (b - a) / (x - w), (c - b) / (y - x)
    bend = (second - first) / (y - w)
    if bend <= _EXACT * max(abs(c), 1.0) / y**2:
        bend = 0.0
    said = a + first * (z - w) + bend * (z - w) * (z - x)
    if d > said + _EXACT * max(abs(d), 1.0):
        return None
    return bend if bend and abs(d - said) <= _EXACT * abs(d) else 0.0


def _straight(traces: list[Any], batches: Batches) -> bool:
    """Whether all of it at the largest batch is no more, nearly, than the line through the first two says,
    or than in proportion to the second: what hangs on data makes that line a poor one.
    """

    def far(values: list[float]) -> bool:
        slope = (values[1] - values[0]) / (batches[1] - batches[0])
        said = values[0] + slope * (batches[3] - batches[0])
        return values[3] > (1 + _NOISE) * max(said, values[1] * batches[3] / batches[1])

    sums = [
        [float(sum(getattr(event, name) for event in trace.events)) for trace in traces]
        for name in ("flops", "bytes")
    ]
    return not any(map(far, [*sums, [float(trace.kept) for trace in traces]]))


def _beyond(batches: Batches, names: list[str]) -> dict[str, Any]:
    return {"beyond": {"samples": batches[-1], "operators": list(dict.fromkeys(names))[:_NAMED]}}


def _squares(traces: list[Any], batches: Batches, found: dict[int, dict[str, float]]) -> dict[str, Any]:
    """The squares of what whole traces hold, and those that the rules' memory needs."""
    whole = {name: _bend([getattr(t, name) for t in traces], batches) or 0.0 for name in _WHOLE}
    inside = {
        block: _bend([t.kept_inside.get(block, 0) for t in traces], batches) or 0.0
        for block in traces[0].kept_inside
    }
    events = traces[0].events

    def most(phases: tuple[str, ...], block: bool | None, *names: str) -> float:
        """The largest square of what lives: `names` added up, the last one taken off."""
        return max(
            (
                sum(found[at].get(name, 0.0) for name in names[:-1]) - found[at].get(names[-1], 0.0)
                for at, event in enumerate(events)
                if event.phase in phases and (block is None or (event.block >= 0) is block)
            ),
            default=0.0,
        )

    step = ("forward", "backward")
    held = sum(inside.values())
    memory = {
        "kept": whole["kept"],
        "kept_again": max(whole["kept"] - held + whole["block_inputs"], 0.0),
        "beside": max(most(step, None, "other", "") - whole["kept"], 0.0),
        "outside": max(most(step, False, "other", "saved_live"), 0.0),
        "inside": max(most(step, True, "other", "saved_live"), 0.0) + max(inside.values(), default=0.0),
        "highest": max(most(("backward",), None, "other", "gradients", ""), 0.0),
    }
    return {"whole": whole, "inside": inside, "memory": memory}


def _beneath(traces: list[Any], batches: Batches, found: dict[int, dict[str, float]]) -> dict[str, float]:
    """The lines under the squares: what lives for each sample while most of all pairs does."""

    def line_of(phases: tuple[str, ...], *names: str) -> tuple[float, float]:
        highest = max(
            (found[at].get("other", 0.0) for at, e in enumerate(traces[0].events) if e.phase in phases),
            default=0.0,
        )
        tops = [
            max(
                (
                    sum(getattr(event, name) for name in names)
                    for at, event in enumerate(trace.events)
                    if event.phase in phases and found[at].get("other", 0.0) >= _NEARLY * highest > 0
                ),
                default=0.0,
            )
            for trace in traces
        ]
        slope = (tops[1] - tops[0]) / (batches[1] - batches[0])
        return tops[0] - slope * batches[0], slope

    kept = (traces[1].kept - traces[0].kept) / (batches[1] - batches[0])
    fixed, slope = line_of(("backward",), "other", "gradients")
    return {
        "beside_line": max(line_of(("forward", "backward"), "other")[1] - kept, 0.0),
        "highest_line": slope,
        "highest_fixed": fixed,
    }


def _take_off(trace: Any, samples: int, found: dict[int, dict[str, float]], squares: dict[str, Any]) -> None:
    """Leave in a trace what is a line over the batch."""
    for at, bends in found.items():
        event = trace.events[at]
        for name, bend in bends.items():
            setattr(event, name, getattr(event, name) - bend * samples**2)
        event.square = bends.get("made", 0.0)
    for name, bend in squares["whole"].items():
        setattr(trace, name, getattr(trace, name) - bend * samples**2)
    for block, bend in squares["inside"].items():
        trace.kept_inside[block] -= bend * samples**2


def _sums(events: list[Any], found: dict[int, dict[str, float]]) -> dict[str, float]:
    """Work and traffic for the square of the batch by phase; depth of products (harmonic mean by FLOPs)."""
    sums = dict.fromkeys(
        [f"{what}_{phase}" for what in ("flops", "bytes", "moved") for phase in ("forward", "backward")], 0.0
    )
    count, over = 0, 0.0
    for at, event in enumerate(events):
        bends = found[at]
        if event.phase == "optimizer" or not bends:
            continue
        flops = bends.get("flops", 0.0)
        sums[f"{'bytes' if flops else 'moved'}_{event.phase}"] += bends.get("bytes", 0.0)
        sums[f"flops_{event.phase}"] += flops
        if flops and event.phase == "forward":
            count += 1
            over += flops / max(event.shape[2], 1)
    return {**sums, "count": float(count), "depth": sums["flops_forward"] / over if over else 1.0}
