"""The largest that fits, as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from advisor.cli.language import form, told
from advisor.search.largest import MOST_SAMPLES, MOST_TOKENS, Largest
from advisor.units import show

_MARKS = ("", "~", "*")
_ABOUT = (
    "Time: of all devices for one sample, over that of the first line, at the micro-batch that fits there "
    "(one where none does)."
)
_CHANGES = "~ trained in other formats: check its quality. * trains adapters, not the network."
_MODELS = "Largest network: of all of its family that `hwadvisor models` lists, one sample at a time."
_SIZES = "Largest network: as the one asked for with more weights, one sample at a time."
_HOST = "Of what is offloaded a server must hold (of the network asked for / of the largest one):"
_UNCHECKED = "The host is not known, so that it is not checked: name a system, or ask on the machine itself."
_NO_LENGTH = (
    "It takes no other length than that of the trace, or none was tried: give one with --input or --seq-len."
)
_NO_MODEL = "A traced network has no family to find the largest of."


def tell_largest(
    found: Sequence[Largest],
    device: str,
    seq_len: float | None,
    out: Console,
    *,
    family: str = "",
    host: float | None = None,
) -> None:
    """One line a remedy, cheapest first; in brackets what fits at the upper end of the memory's range.

    `host`: bytes of the server's memory, where that is known and bounds what is offloaded.
    """
    head = form(
        "The largest that fits on {device} (in brackets: at the upper end of the range)", device=told(device)
    )
    out.print("\n" + head, soft_wrap=True)
    reason = next((one.reason for one in found if one.reason), "")
    if reason:
        out.print(f"  {told(reason)}")
        return
    lengths = any(one.seq_len is not None for one in found)
    models = any(one.model is not None for one in found)
    costs = any(one.cost is not None for one in found)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", overflow="fold")
    title = (
        form("samples of {length} tokens", length=f"{seq_len:g}") if lengths and seq_len else told("samples")
    )
    heads = [
        *([told("time")] if costs else []), title, *([told("longest sequence")] if lengths else []),
        *([told("largest network")] if models else []),
    ]  # fmt: skip
    for name in heads:
        table.add_column(name, justify="right", overflow="fold")
    for one in found:
        mark = _MARKS[one.remedy.change]
        row = [f"{named(one.remedy.name)}{' ' + mark if mark else ''}"]
        row += [] if not costs else ["" if one.cost is None else f"x{one.cost:.2f}"]
        row.append(_pair(one.micro_batch, one.sure_micro_batch, MOST_SAMPLES))
        row += [_pair(one.seq_len, one.sure_seq_len, MOST_TOKENS)] if lengths else []
        row += [one.model or told("none")] if models else []
        table.add_row(*row)
    out.print(table)
    for text in _notes(found, family, seq_len=seq_len, models=models, costs=costs):
        out.print(told(text), soft_wrap=True, highlight=False)
    if any(one.host is not None for one in found):
        _tell_hosts(found, host, out)


def named(name: str) -> str:
    """A remedy, or several, in the language in use."""
    return ", ".join(told(part) for part in name.split(", "))


def _notes(
    found: Sequence[Largest], family: str, *, seq_len: float | None, models: bool, costs: bool
) -> list[str]:
    traced = family == "traced"
    lengths = any(one.seq_len is not None for one in found)
    return [
        *([_ABOUT] if costs else []),
        *([_CHANGES] if any(one.remedy.change for one in found) else []),
        *([_SIZES if family == "size_only" else _MODELS] if models else []),
        *([_NO_LENGTH] if traced and seq_len and not lengths else []),
        *([_NO_MODEL] if traced else []),
    ]


def _pair(middle: int | None, sure: int | None, most: int) -> str:
    """Both sizes; a plus where no larger one was tried."""
    if middle is None:
        return told("none")
    one, other = (f"{size}+" if size == most else f"{size}" for size in (middle, sure))
    return f"{one} ({told('none') if sure is None else other})"


def _tell_hosts(found: Sequence[Largest], host: float | None, out: Console) -> None:
    """What each remedy offloads, and whether it was held against the host's memory."""
    out.print("\n" + told(_HOST), soft_wrap=True, highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column("", overflow="fold")
    table.add_column("", justify="right", no_wrap=True)
    for one in found:
        sizes = [show(size, "B") for size in (one.host, one.model_host) if size is not None]
        if sizes:
            table.add_row(named(one.remedy.name), " / ".join(dict.fromkeys(sizes)))
    out.print(table)
    out.print(
        told(_UNCHECKED if host is None else _checked(show(host, "B"))), soft_wrap=True, highlight=False
    )


def _checked(has: str) -> str:
    return f"The host has {has}: what needs more is left out."
