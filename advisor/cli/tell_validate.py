"""Errors of published runs as text: a table for each quantity, why rows were refused, the worst rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from advisor.cli.language import form, told
from advisor.cli.text import cells, left, paragraph, plain, right, say, shortened, text_width

if TYPE_CHECKING:
    from advisor.evidence.validate import Judged
    from advisor.rulebook import RuleBook

_TITLES = {
    "step_time_s": "Time of a step", "total_time_h": "Time of whole runs",
    "peak_mem_gib": "Peak memory of a device", "fits": "Fits into the memory",
}  # fmt: skip
_UNITS = {"step_time_s": "s", "total_time_h": "h", "peak_mem_gib": "GiB"}
_HEADINGS = {"rows": 6, "median": 9, "90 %": 9, "signed": 9, "held": 8, "range": 9}
_SHOWN = {"vendor": "by vendor", "family": "by family", "devices": "by number of devices",
          "source": "by source"}  # fmt: skip
_LEAST_ROWS = 10  # of a source that gets a line of its own
_MOST_REASONS = 8
_LEAST_LABEL = 12
_MOST_FIELDS, _MOST_LISTED = 12, 200
_LEGEND = (
    "median, 90 %: half and nine tenths of |predicted / measured - 1| are below. signed: the median with "
    "its sign. held: share of the measured values that lie in their 80 % range. range: median half-width."
)


def tell_summary(summary: Mapping[str, Any]) -> None:
    """All quantities of a summary."""
    ordered = sorted(summary["quantities"].items(), key=lambda item: list(_TITLES).index(item[0]))
    if not ordered:
        say("The files hold no records.")
    for quantity, figures in ordered:
        count = f"{figures['refused']:,}"
        refused = form(", {count} refused", count=count) if figures["refused"] else ""
        title, rows = told(_TITLES[quantity]), f"{figures['rows']:,}"
        head = form("{title} ({quantity}): {rows} rows told", title=title, quantity=quantity, rows=rows)
        paragraph(head + refused + form(", ") + told(_known(figures)))
        if figures["rows"]:
            _tell_fits(figures) if quantity == "fits" else _tell_table(figures)
        _tell_reasons(figures)
        say()
    if any(figures["rows"] for quantity, figures in ordered if quantity != "fits"):
        paragraph(_LEGEND)
        say()


def _known(figures: Mapping[str, Any]) -> str:
    way = figures["leave_out"]
    return "nothing left out" if way == "none" else f"its own {way} left out of each"


def _tell_fits(figures: Mapping[str, Any]) -> None:
    say(form("  told right: {share}", share=f"{1.0 - figures['wrong']:.1%}"))
    wrong = figures["said_to_fit_of_those_that_ran_out"]
    if wrong is not None:
        say(
            form(
                "  ran out of memory, yet said to fit at the upper bound of the need: {share}",
                share=f"{wrong:.1%}",
            )
        )


def _tell_table(figures: Mapping[str, Any]) -> None:
    lines = list(_lines(figures))
    numbers = sum(_HEADINGS.values())
    longest = max(cells(label) for label, row in lines if row is not None)
    width = max(_LEAST_LABEL, min(longest + 1, text_width() - numbers))
    say(" " * width + "".join(right(told(heading), wide) for heading, wide in _HEADINGS.items()))
    for label, row in lines:
        if row is None:
            say(label)
            continue
        short = left(shortened(label, width - 1), width)
        figure = (row["median"], row["p90"], row["signed"], row["covered"], row["half_width"])
        signs = ("", "", "+", "", "")
        texts = ["" if v is None else f"{v:{sign}.1%}" for v, sign in zip(figure, signs, strict=True)]
        columns = zip([f"{row['rows']:,}", *texts], _HEADINGS.values(), strict=True)
        say(short + "".join(f"{text:>{wide}}" for text, wide in columns))
    if (mean := figures["mean_of_source_medians"]) is not None:
        say(form("mean over the sources of their medians: {share}", share=f"{mean:.1%}"))


def _lines(figures: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Label and errors of each line; a heading has none. Of many sources the large ones."""
    yield told("all"), figures
    for name, title in _SHOWN.items():
        parts = figures["by"][name]
        if len(parts) < 2:
            continue
        yield told(title), None
        small = [part for part in parts if name == "source" and parts[part]["rows"] < _LEAST_ROWS]
        for part, own in parts.items():
            if part not in small or len(parts) <= _LEAST_ROWS:
                yield f"  {plain(part)}", own
        if small and len(parts) > _LEAST_ROWS:
            yield (
                form(
                    "  and {count} sources of fewer than {rows} rows (--json has them)",
                    count=len(small),
                    rows=_LEAST_ROWS,
                ),
                None,
            )


def _tell_reasons(figures: Mapping[str, Any]) -> None:
    reasons = list(figures["reasons_refused"].items())
    if not reasons:
        return
    say("refused, because")
    for reason, count in reasons[:_MOST_REASONS]:
        paragraph(told(reason), f"{count:>6,}  ")
    rest = figures["refused"] - sum(count for _, count in reasons[:_MOST_REASONS])
    if rest:
        say(form("{count}  for other reasons (--json has them)", count=f"{rest:>6,}"))


def tell_fields(unread: Counter[str]) -> None:
    """Fields of the records that nobody reads, with the known one that may be meant."""
    from advisor.evidence.record import nearest_field

    if not unread:
        return
    say("Fields that are not read (a misspelt one is as good as not given):")
    for name, count in unread.most_common(_MOST_FIELDS):
        near = nearest_field(name)
        meant = form("; did you mean {name}?", name=near) if near else ""
        paragraph(plain(name) + meant, f"{count:>6,}  ")
    if len(unread) > _MOST_FIELDS:
        say(form("and {count} more fields (--json has them)", count=len(unread) - _MOST_FIELDS))
    say()


def fields_json(unread: Counter[str]) -> dict[str, Any]:
    """The same as `validate --json` prints it: nothing where every field is read."""
    from advisor.evidence.record import nearest_field

    listed = [
        {"field": name, "records": count, "nearest": nearest_field(name) or None}
        for name, count in unread.most_common(_MOST_LISTED)
    ]
    return {"fields_not_read": listed} if listed else {}


def tell_worst(book: RuleBook, rows: Sequence[Judged], depth: int) -> None:
    """The rows predicted worst, each with the trace of what the rules say of it."""
    from advisor.cli.tree import Tree
    from advisor.evidence.validate import trace_of_row

    if rows:
        say("Predicted worst:")
    for row in rows:
        unit = _UNITS[row.quantity]
        say()
        say(f"{row.id}: {row.quantity}")
        if row.run is not None:
            record = row.run.record
            count = f"{record.number('num_accelerators') or 0:g}"
            paragraph(f"{record.text('model')} on {count} x {row.run.entry.title}, {record.source}", "  ")
        paragraph(
            f"measured {row.measured:.4g} {unit}, predicted {row.predicted:.4g} {unit} "
            f"({row.low:.4g} to {row.high:.4g}): {row.error:+.0%}",
            "  ",
        )
        quantity, steps = trace_of_row(book, row)
        if steps and depth >= 0:
            say(
                "  by the rules, before what published runs near it say:"
                if unit != "GiB"
                else "  by the rules:"
            )
            Tree({step.quantity: step for step in steps}, depth=depth).tell(quantity)
