"""`hwadvisor validate`: how right the rules are on published runs, or on records of one's own."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import click

from advisor.cli.options import json_flag, print_json, quiet_flag, rules_option

_TOLD_AFTER_S = 3.0  # until then a guess of the time left is worth nothing
_REDRAWN_S, _SAID_S = 0.5, 15.0  # on a terminal, and in a file or pipe


@click.command()
@click.argument(
    "files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--leave-out",
    "way",
    type=click.Choice(["none", "group", "source", "publisher"]),
    default="none",
    show_default=True,
    help="What leaves constants and neighbours before each row is predicted: minutes instead of seconds.",
)
@click.option(
    "--worst", type=click.IntRange(0, 1000), default=5, show_default=True,
    help="How many of the rows that were predicted worst are printed, each with its trace.",
)  # fmt: skip
@click.option(
    "--depth",
    type=click.IntRange(0, 99),
    default=1,
    show_default=True,
    help="How many steps down a trace goes.",
)
@click.option(
    "--evidence",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Own records (a file, or a folder of *.jsonl) beside the published runs; no record is its own "
    "neighbour.",
)
@rules_option
@quiet_flag
@json_flag
def validate(
    files: tuple[Path, ...],
    way: str,
    worst: int,
    depth: int,
    evidence: Path | None,
    rules: tuple[Path, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Predict runs (FILE.jsonl …, - is standard input; default: the published ones) and print the errors.

    Each line of a file is one record: accelerator, num_accelerators, model, layers, hidden, seq_len,
    global_batch, precision and so on, with what was measured (step_time_s, tokens_per_s_per_device,
    peak_mem_gib, fits, total_time_h). What is wrong with a record is told as its refusal.
    """
    from advisor.app import load_knowledge
    from advisor.cli.tell_validate import fields_json, tell_fields, tell_summary, tell_worst
    from advisor.evidence.summary import summary_of, worst_of
    from advisor.evidence.validate import judge

    if evidence is not None and way != "none":
        raise click.UsageError("--evidence goes with --leave-out none: each own record leaves for itself")
    known = load_knowledge(rules)
    published = known.published
    if evidence is not None:
        from advisor.evidence.own import join_own

        published = join_own(known.book, published, evidence, known.catalogue).published
    talk = _Talk(way, quiet)
    unread: Counter[str] = Counter()
    judged = judge(
        known.book, published, files, way=way, catalogue=known.catalogue, tell=talk.heard, unread=unread
    )
    talk.end()
    summary = summary_of(judged, way)
    if as_json:
        document = {"rows": [row.as_json() for row in judged], "summary": summary, **fields_json(unread)}
        print_json(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
        return
    tell_summary(summary)
    tell_fields(unread)
    tell_worst(known.book, worst_of(judged, worst), depth)


class _Talk:
    """What is done and how long it takes, on stderr: a line that counts down, or some lines."""

    def __init__(self, way: str, quiet: bool) -> None:
        self._way, self._quiet = way, quiet
        self._live = sys.stderr.isatty()
        self._start = self._last = 0.0
        self._guessed = False

    def heard(self, done: float) -> None:
        """This share is done, 0 to 1."""
        now = time.monotonic()
        if self._quiet:
            return
        if not self._start:
            self._start = now
            click.echo(
                f"Each {self._way} leaves in turn: constants are fitted and neighbours asked again …",
                err=True,
            )
        gone = now - self._start
        if done <= 0 or gone < _TOLD_AFTER_S or now - self._last < (_REDRAWN_S if self._live else _SAID_S):
            return
        left = gone / done - gone
        text = f"about {left:.0f} s left" if left < 100 else f"about {left / 60:.0f} min left"
        if self._live:
            click.echo(f"\r\x1b[K{done:4.0%} done, {text}", err=True, nl=False)
        else:
            click.echo(f"{done:.0%} done, {text}", err=True)
        self._last, self._guessed = now, True

    def end(self) -> None:
        """All is done: the line that counts down goes."""
        if self._live and self._guessed:
            click.echo("\r\x1b[K", err=True, nl=False)
