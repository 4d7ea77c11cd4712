"""The tables of docs/accuracy.md: python tools/accuracy.py [--ways group,source,publisher] [--write]

Predicts every shipped run by constants and neighbours that have not seen its group, source or publisher
(minutes each), and prints the errors. Nothing here is fitted or chosen. `--write` puts them into
docs/accuracy.md with a digest of the constants and neighbours they are of; a test holds it to those shipped.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from advisor.app import load_knowledge
from advisor.evidence.inputs import Run
from advisor.evidence.summary import Errors, errors_of, summary_of
from advisor.evidence.validate import Judged, judge

_LLM_DEVICES = ("a100", "h100", "h200", "b200", "gb200", "b300", "gb300", "h800", "a800")


def percent(value: float, sign: str = "") -> str:
    """A share as a percentage."""
    return "" if math.isnan(value) else f"{value:{sign}.0%}" if abs(value) >= 0.4 else f"{value:{sign}.1%}"


def line(label: str, errors: Errors) -> str:
    """A row of a table."""
    return (
        f"| {label} | {errors.rows} | {percent(errors.median)} | {percent(errors.p90)} | "
        f"{percent(errors.signed, '+')} | {percent(errors.covered)} | ±{percent(errors.half_width)} | "
        f"{errors.interval_score:.2f} |"
    )


HEAD = (
    "| rows | n | median error | 90 % below | median signed | in the 80 % range | range | interval score |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|"
)


def large_runs(row: Judged) -> bool:
    """Language models, dense or with experts, over several servers of recent NVIDIA devices."""
    if row.run is None or row.run.network.family not in ("decoder", "moe", "size_only"):
        return False
    return row.run.devices > 8 and any(word in row.run.entry.id for word in _LLM_DEVICES)


def ranked(rows: Iterable[Judged]) -> tuple[int, int]:
    """Pairs of runs of one network and recipe that differ by over 10 %: how many, how many told rightly."""
    groups: dict[tuple[object, ...], list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row.run is None or row.refused:
            continue
        record = row.run.record
        batch = record.number("global_batch")
        if not batch:
            continue
        key = (
            record.source, row.run.name, record.number("seq_len"), record.number("image_size"),
            record.text("precision"), record.text("method"), record.number("lora_rank"),
        )  # fmt: skip
        groups[key].append((row.measured / batch, row.predicted / batch))
    pairs = right = 0
    for group in groups.values():
        for at, (measured, predicted) in enumerate(group):
            for other, told in group[at + 1 :]:
                if abs(math.log(measured / other)) > math.log(1.1):
                    pairs += 1
                    right += (measured < other) == (predicted < told)
    return pairs, right


def source_mean(rows: Sequence[Judged]) -> float:
    """Mean over sources of each source's median error."""
    sources: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.run is not None and not row.refused:
            sources[row.run.record.source].append(abs(row.error))
    return float(np.mean([np.median(errors) for errors in sources.values()])) if sources else math.nan


def steps(judged: Sequence[Judged], way: str) -> None:
    """The table of step times for one way of leaving out."""
    rows = [row for row in judged if row.quantity == "step_time_s"]
    answered = [row for row in rows if not row.refused]
    print(f"\n### Step time, left out by {way}\n\n{HEAD}\n{line('all', errors_of(answered))}")
    print(
        line(
            "large language models on several servers (A100 to B300)", errors_of(filter(large_runs, answered))
        )
    )
    keys: dict[str, Callable[[Run], str]] = {
        "vendor": lambda run: run.entry.vendor,
        "family": lambda run: run.network.family,
        "effort": lambda run: str(run.inputs.values.get("effort")),
        "method": lambda run: str(run.inputs.values.get("method")),
    }
    for name, key in keys.items():
        parts: dict[str, list[Judged]] = defaultdict(list)
        for row in answered:
            if row.run is not None:
                parts[key(row.run)].append(row)
        for word in sorted(parts):
            if len(parts[word]) >= 10:
                print(line(f"{name}: {word}", errors_of(parts[word])))
    pairs, right = ranked(answered)
    print(f"\nMean over sources of their medians: {percent(source_mean(answered))}.")
    print(f"Of {pairs} pairs that differ by over 10 %, the faster is told in {right / max(1, pairs):.1%}.")
    print(f"Predicted: {len(answered)} of {len(rows)} rows with a rate ({len(answered) / len(rows):.1%}).")
    complete = [row for row in rows if row.run is not None or not row.refused.startswith("the row gives no")]
    print(f"Of those that give what is needed: {len(answered) / max(1, len(complete)):.1%}.")


def others(judged: Sequence[Judged], way: str) -> None:
    """Whole runs and memory."""
    summary = summary_of(judged, way)["quantities"]
    for quantity in ("total_time_h", "peak_mem_gib"):
        rows = [row for row in judged if row.quantity == quantity and not row.refused]
        print(f"\n### {quantity}, left out by {way}\n\n{HEAD}\n{line('all', errors_of(rows))}")
        if quantity == "total_time_h":
            records = [row for row in rows if row.id.startswith("mlperf")]
            print(line("of them records of MLPerf (minutes to hours)", errors_of(records)))
            longer = [row for row in rows if not row.id.startswith("mlperf")]
            print(line("all others (hours to months)", errors_of(longer)))
        if quantity == "peak_mem_gib":
            kinds = {kind: (kind,) for kind in ("allocated", "reserved", "nvml", "unknown")}
            for label, named in {**kinds, "reserved or nvml": ("reserved", "nvml")}.items():
                own = [r for r in rows if r.run and (r.run.record.text("memory_kind") or "unknown") in named]
                print(line(label, errors_of(own)))
    wrong = summary.get("fits", {}).get("said_to_fit_of_those_that_ran_out")
    if wrong is not None:
        print(f"\nSaid to fit at the upper bound, of runs that ran out of memory: {wrong:.1%}.")


_ROOT = Path(__file__).resolve().parent.parent
_BEHIND = ("rules/constants/time.toml", "rules/constants/memory.toml", "rules/evidence/residuals.json")
_TABLES = re.compile(r"(<!-- tools/accuracy\.py: )(\w*)( -->\n).*?(<!-- end -->)", re.DOTALL)


def digest(root: Path = _ROOT) -> str:
    """Of the constants and neighbours that the tables are of."""
    found = hashlib.sha256()
    for name in _BEHIND:
        found.update((root / name).read_bytes())
    return found.hexdigest()[:16]


def put(tables: str, path: Path = _ROOT / "docs" / "accuracy.md") -> None:
    """The tables into the document, between its marks."""
    text = path.read_text(encoding="utf-8")
    found = _TABLES.sub(lambda m: f"{m[1]}{digest()}{m[3]}{tables}\n{m[4]}", text)
    if found == text:
        raise SystemExit(f"{path} has no place for the tables, or holds them already")
    path.write_text(found, encoding="utf-8")


_ROW = re.compile(
    r"^\| (?P<label>[^|]+) \| (?P<n>\d+) \| (?P<median>[\d.]+)% \| (?P<p90>[\d.]+)% \| [^|]* "
    r"\| (?P<within>[\d.]+)% \|",
    re.MULTILINE,
)
_HEADINGS = {
    "group": "### Step time, left out by group",
    "source": "### Step time, left out by source",
    "memory": "### peak_mem_gib, left out by source",
}
ERRORS = _ROOT / "rules" / "evidence" / "errors.json"


def tables_of(text: str) -> dict[str, dict[str, dict[str, float]]]:
    """The tables that reports print, out of the document: label -> rows and errors as shares."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, heading in _HEADINGS.items():
        part = text.split(heading, 1)[1].split("\n### ", 1)[0]
        found[name] = {
            row["label"]: {"n": int(row["n"])}
            | {key: round(float(row[key]) / 100, 4) for key in ("median", "p90", "within")}
            for row in _ROW.finditer(part)
        }
    return found


def write_errors(path: Path = _ROOT / "docs" / "accuracy.md") -> None:
    """What reports print of the document, as data."""
    about = "Written by tools/accuracy.py from docs/accuracy.md: errors on published runs that were left out."
    whole = {"about": about, "tables": tables_of(path.read_text(encoding="utf-8"))}
    ERRORS.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ways", default="group,source,publisher")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    knowledge = load_knowledge()
    said = io.StringIO()
    for way in options.ways.split(","):
        with redirect_stdout(said):
            judged = judge(knowledge.book, knowledge.published, way=way, catalogue=knowledge.catalogue)
            steps(judged, way)
            if way == "source":
                others(judged, way)
        print(f"{way} done", file=sys.stderr, flush=True)
    print(said.getvalue())
    if options.write:
        put(said.getvalue())
        write_errors()


if __name__ == "__main__":
    main()
