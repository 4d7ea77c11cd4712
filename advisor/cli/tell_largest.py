"""The largest that fits, as a table for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from advisor.cli.language import form, told
from advisor.search.largest import Largest


def tell_largest(found: Sequence[Largest], device: str, seq_len: float | None, out: Console) -> None:
    """One line a remedy, cheapest first; in brackets what fits at the upper end of the memory's range."""
    head = form(
        "The largest that fits on {device} (in brackets: at the upper end of the range)", device=told(device)
    )
    out.print("\n" + head, soft_wrap=True)
    reason = next((one.reason for one in found if one.reason), "")
    if reason:
        out.print(f"  {reason}")
        return
    lengths = any(one.seq_len is not None for one in found)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", overflow="fold")
    title = form("samples of {length} tokens", length=f"{seq_len:g}") if lengths and seq_len else "samples"
    table.add_column(title, justify="right", overflow="fold")
    if lengths:
        table.add_column("longest sequence", justify="right", overflow="fold")
    for one in found:
        row = [one.remedy.name, _pair(one.micro_batch, one.sure_micro_batch)]
        table.add_row(*row, *([_pair(one.seq_len, one.sure_seq_len)] if lengths else []))
    out.print(table)


def _pair(middle: int | None, sure: int | None) -> str:
    if middle is None:
        return "none"
    return f"{middle} ({told('none') if sure is None else sure})"


def as_json(found: Sequence[Largest]) -> list[dict[str, Any]]:
    """The same for `--json`."""
    return [
        {
            "remedy": one.remedy.name, "columns": dict(one.remedy.columns), "devices": one.remedy.devices,
            "micro_batch": one.micro_batch, "sure_micro_batch": one.sure_micro_batch,
            "seq_len": one.seq_len, "sure_seq_len": one.sure_seq_len, "capped": one.capped,
            "reason": one.reason,
        }
        for one in found
    ]  # fmt: skip
