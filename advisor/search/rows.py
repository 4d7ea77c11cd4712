"""Rows of a counted data set as samples of a workload: packed, each in its own length, or padded."""

from __future__ import annotations

from advisor.dataset.rows import OWN, PACKED, PADDED, Rows
from advisor.schema import CountedFigure, Notice, Recipe, Workload

_READ = ("decoder", "moe", "encoder", "size_only", "traced")
"""Families whose samples are one sequence of the text counted."""

_SHARE = "mean_length_share"
_ALIKE = 0.98  # rows that fill this much are as good as of one length, as in rules/memory


def with_rows(workload: Workload, rows: Rows | None) -> Workload:
    """The workload with its samples counted by rows, and how much of the sequences they fill.

    Nothing changes where there are no rows, or no length of sequences that they could fill. What flags say
    of the lengths goes before it.
    """
    recipe = workload.recipe
    if rows is None or not recipe.seq_len or workload.model.family not in _READ:
        return workload
    way = rows.way or (PACKED if recipe.method == "pretrain" else OWN)
    way = way if rows.lengths else PACKED
    length, told = recipe.seq_len, recipe.counted
    numbers, samples = dict(recipe.numbers), recipe.samples or 0.0
    if way == PACKED:
        figures = (samples, samples * rows.low, samples * rows.high)
        source = f"Text is packed into sequences of {length:,.0f} tokens."
    else:
        share, low, high = rows.filled(length, rows.together if way == OWN else 1)
        texts = rows.texts * rows.passes
        filled = f"{share:.0%} of {length:,.0f} tokens (80 % range {low:.0%} to {high:.0%})"
        if way == PADDED:
            figures = (texts, texts, texts)
            padded = f"Rows are padded to one length: they fill {filled}, the rest is padding."
            source = f"{padded}{_cut(rows, length)}"
        else:
            figures = (texts * share, texts * low, texts * high)
            source = f"Rows are trained each in its own length: they fill {filled}.{_cut(rows, length)}"
            numbers[_SHARE] = share
            told = {**told, _SHARE: CountedFigure(low=low, high=high, source=f"counted: {source}")}
    samples, low, high = figures
    told = {**told, "samples": CountedFigure(low=low, high=high, source=f"counted: {source}")}
    update = {"samples": samples, "numbers": numbers, "counted": told}
    return workload.model_copy(update={"recipe": recipe.model_copy(update=update)})


def _cut(rows: Rows, length: float) -> str:
    """What is to be said of the longest rows."""
    longer = rows.longer(length)
    if longer:
        return f" {longer:.0%} of them are longer, and cut."
    if rows.longest < _ALIKE * length:
        longest = f"{rows.longest:,.0f}"
        return f" The longest has about {longest} tokens: with that as --seq-len memory is told for them."
    return ""


def with_work(recipe: Recipe, samples: float) -> Recipe:
    """The recipe with so many samples, their range in proportion."""
    told, figure = recipe.counted, recipe.counted.get("samples")
    if figure is not None and recipe.samples:
        by = samples / recipe.samples
        ends = {"low": figure.low * by, "high": figure.high * by}
        told = {**told, "samples": figure.model_copy(update=ends)}
    return recipe.model_copy(update={"samples": samples, "counted": told})


def rows_told(workload: Workload, rows: Rows | None) -> tuple[Notice, ...]:
    """What was made of the rows, to be said beside the answer."""
    figure = workload.recipe.counted.get("samples")
    if figure is None or rows is None:
        return ()
    told = [figure.source.removeprefix("counted: ")]
    own = _SHARE in workload.recipe.counted
    if own and rows.together == 1 and workload.recipe.seq_len:
        alone, padded = (rows.filled(workload.recipe.seq_len, many)[0] for many in (1, 8))
        if padded > 1.05 * alone:
            told.append(
                f"In passes of 8 rows padding would add {padded / alone - 1:.0%}: state --micro-batch."
            )
    if rows.lengths and not rows.way:
        told.append("If not: --rows packed, own or padded.")
    return (Notice(code="rows", message=" ".join(told)),)
