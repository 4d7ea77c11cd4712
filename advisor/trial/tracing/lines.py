"""Two traces of one step at two batch sizes -> what a step of any batch size does, as fixed + per sample."""

from __future__ import annotations

from typing import Any

Line = list[float]  # [fixed, per sample]
MEMORY = ("other", "saved_live", "gradients")
MOST_ROWS = 2000  # beyond them shapes are not told apart: the document is one line of a pipe
_HULL = 4  # straight pieces that the highest memory over the batch size is told by


def line(first: float, second: float, batches: tuple[int, int]) -> Line:
    """The straight line through two points."""
    slope = (second - first) / (batches[1] - batches[0])
    return [first - slope * batches[0], slope]


def alike(first: list[Any], second: list[Any]) -> bool:
    """Whether both traces ran the same operators in the same order."""
    return len(first) == len(second) and all(
        a.name == b.name and a.phase == b.phase for a, b in zip(first, second)
    )


def table(first: list[Any], second: list[Any], batches: tuple[int, int]) -> list[dict[str, Any]]:
    """Operators alike in all that is told of them, added up: each figure fixed + per sample."""
    if not alike(first, second):
        return _unlike(first, second, batches)
    rows = _rows(first, second, batches)
    return rows if len(rows) <= MOST_ROWS else _unlike(first, second, batches)


def _rows(first: list[Any], second: list[Any], batches: tuple[int, int]) -> list[dict[str, Any]]:
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for a, b in zip(first, second):
        shape = tuple((x, (y - x) / (batches[1] - batches[0])) for x, y in zip(a.shape, b.shape))
        key = (a.phase, a.kind, a.name, a.dtype, shape)
        row = rows.get(key)
        if row is None:
            row = rows[key] = {
                "phase": a.phase, "kind": a.kind, "operator": a.name, "dtype": a.dtype, "count": 0,
                "shape": [line(x, y, batches) for x, y in zip(a.shape, b.shape)] if any(a.shape) else None,
                "sums": [[0.0, 0.0] for _ in range(3)],
            }  # fmt: skip
        row["count"] += 1
        for at, name in enumerate(("flops", "bytes", "saved")):
            row["sums"][at][0] += getattr(a, name)
            row["sums"][at][1] += getattr(b, name)
    return [_row(row, batches) for row in rows.values()]


def _row(row: dict[str, Any], batches: tuple[int, int]) -> dict[str, Any]:
    sums = row.pop("sums")
    for name, (x, y) in zip(("flops", "bytes", "saved"), sums):
        row[name] = line(x, y, batches)
    return row


def _unlike(first: list[Any], second: list[Any], batches: tuple[int, int]) -> list[dict[str, Any]]:
    """The same for traces whose operators differ with the batch: matched by name and format alone. Shapes
    are means of the second trace's, by their FLOPs, rows in proportion to the batch.
    """
    shapes: dict[tuple[Any, ...], list[float]] = {}
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for side, events in enumerate((first, second)):
        for event in events:
            key = (event.phase, event.kind, event.name, event.dtype)
            row = rows.setdefault(
                key,
                {
                    "phase": event.phase, "kind": event.kind, "operator": event.name, "dtype": event.dtype,
                    "count": 0, "shape": None, "sums": [[0.0, 0.0] for _ in range(3)],
                },
            )  # fmt: skip
            row["count"] += 1 - side
            if side and any(event.shape):
                sums = shapes.setdefault(key, [0.0] * 4)
                sums[0] += event.flops
                for at, size in enumerate(event.shape, 1):
                    sums[at] += event.flops / max(size, 1)
            for at, name in enumerate(("flops", "bytes", "saved")):
                row["sums"][at][side] += getattr(event, name)
    for key, (flops, *over) in shapes.items():
        if flops:
            tall, wide, deep = (flops / one for one in over)
            rows[key]["shape"] = [[0.0, tall / batches[1]], [wide, 0.0], [deep, 0.0]]
    return [_row(row, batches) for row in rows.values()]


def own_rows(first: list[Any], second: list[Any], batches: tuple[int, int]) -> list[list[Any]]:
    """Operators as the machine at hand runs them: [phase, operator, format, count, lines of its sizes, line
    of the bytes of its results], which has a third figure where some go with the square of the batch. Of
    traces that differ with the batch only the second is told, each size in proportion to the batch.
    """
    rows: dict[tuple[Any, ...], list[Any]] = {}
    same = alike(first, second)
    for a, b in zip(first if same else second, second):
        name, after, word = b.own
        if not after:
            continue
        sizes = [line(x, y, batches) if same else [0.0, y / batches[1]] for x, y in zip(a.own[1], after)]
        made = line(a.made, b.made, batches) if same else [0.0, b.made / batches[1]]
        made += [b.square] if b.square else []
        key = (b.phase, name, word, tuple(map(tuple, sizes)), tuple(made))
        if key in rows:
            rows[key][3] += 1
        else:
            rows[key] = [b.phase, name, word, 1, sizes, made]
    return list(rows.values())


def phases(first: list[Any], second: list[Any], batches: tuple[int, int]) -> dict[str, list[Line]]:
    """What lives at most in each phase beside the weights: the upper edge of one line for each operator."""
    found = {}
    for phase in ("forward", "backward", "optimizer"):
        a, b = ([e for e in events if e.phase == phase] for events in (first, second))
        if not a or not b:
            continue
        lines = (
            [line(_stands(x), _stands(y), batches) for x, y in zip(a, b)]
            if alike(a, b)
            else [line(max(map(_stands, a)), max(map(_stands, b)), batches)]
        )
        found[phase] = hull(lines)
    return found


def _stands(event: Any) -> float:
    return float(event.other + event.gradients)


def hull(lines: list[Line], pieces: int = _HULL) -> list[Line]:
    """The few lines of which the largest is the largest of all, for every batch from one up."""
    best: list[Line] = []
    batch = 1.0
    while len(best) < pieces:
        top = max(lines, key=lambda one: (one[0] + one[1] * batch, one[1]))
        best.append(top)
        later = [(_meet(top, other), other) for other in lines if other[1] - top[1] > 1e-9 * abs(top[1])]
        if not later:
            break
        batch = max(min(at for at, _ in later), batch) * (1 + 1e-9)
    steepest = max(lines, key=lambda one: (one[1], one[0]))
    if best[-1][1] < steepest[1]:
        best[-1] = steepest
    return best


def _meet(low: Line, high: Line) -> float:
    """The batch from which the steeper line is the higher one."""
    return (low[0] - high[0]) / (high[1] - low[1])


def working(first: list[Any], second: list[Any], batches: tuple[int, int]) -> dict[str, Line]:
    """What a step needs beside what was saved, outside of all blocks (the loss) and within one; and all
    that lives at most, gradients of weights apart.
    """
    found = {}
    for name, inside in (("outside", False), ("inside", True)):
        peaks = [
            max((e.other - e.saved_live for e in events
                 if e.phase != "optimizer" and (e.block >= 0) is inside), default=0)
            for events in (first, second)
        ]  # fmt: skip
        found[name] = line(peaks[0], peaks[1], batches)
    most = [max((e.other for e in events if e.phase != "optimizer"), default=0) for events in (first, second)]
    found["all"] = line(most[0], most[1], batches)
    return found
