"""Estimates of this machine, calibrated, against real steps: networks.py, fp32 and bf16, two batches.

    python benchmarks/calibrated.py --keep FOLDER [--python PYTHON] [--calibration FILE] [--only bert,vit]

PYTHON needs torch, transformers and diffusers (`pip install 'hwadvisor[trace]'`). Calibrates, traces each
network in each format, trains each case for some steps; about ten minutes on two quiet cores. All of it is
kept in FOLDER, so that estimates can be made again without measuring (`--estimate`).
`--again` measures the steps once more: the median of the repeats counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from networks import BATCHES, LAST, LOOKED_AT, NEW, SEEN_ONCE

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO))

from advisor.app import load_knowledge  # noqa: E402 - of this checkout, whatever is installed
from advisor.data.advice import load_advice  # noqa: E402
from advisor.errors import AdvisorError  # noqa: E402
from advisor.probe import detect  # noqa: E402
from advisor.schema import Machine  # noqa: E402
from advisor.trial.setup import Flags, SetUp, set_up  # noqa: E402
from advisor.trial.told import Knows, place_of, tell  # noqa: E402
from advisor.trial.trace import Traced, TraceFlags, spec_of, trace_network  # noqa: E402
from advisor.trial.walk import Options, run_trial  # noqa: E402

PRECISIONS = ("fp32", "bf16_mixed")
MEDIAN_BAR, WORST_BAR, MEMORY_BAR = 0.10, 0.30, 0.08
STEPS = 7
LEAST = 3  # undisturbed steps that make a figure
TRACED_AT_ONCE = 2
Document = dict[str, Any]


class Case(NamedTuple):
    """One network in one precision and batch."""

    network: str
    precision: str
    batch: int

    @property
    def name(self) -> str:
        """As files are called."""
        return f"{self.network}.{self.precision}.{self.batch}"

    @property
    def format(self) -> str:
        """As a table says it."""
        return self.precision.partition("_")[0]


def cases(only: list[str]) -> Iterator[Case]:
    """Every case, those that were looked at during the work first."""
    for network, batches in BATCHES.items():
        for precision in PRECISIONS:
            for batch in batches:
                if not only or network in only:
                    yield Case(network, precision, batch)


def say(text: object) -> None:
    """Progress, with the clock."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Bench:
    """Where things are kept, and the Python that trains."""

    keep: Path
    python: str

    @cached_property
    def knowledge(self) -> Any:
        """Rules and catalogue."""
        return load_knowledge(())

    @cached_property
    def machine(self) -> Machine:
        """This machine."""
        return detect(python=self.python, ask_frameworks=False, workdir=self.keep)

    def flags(self, precision: str) -> TraceFlags:
        """How a network is traced: as the processors here run it."""
        return TraceFlags(python=self.python, precision=precision, own=True, folder=REPO)

    def traced(self, network: str, precision: str) -> Traced | None:
        """The kept trace of a network, or a new one; None where it cannot be had."""
        path = self.keep / "traces" / f"{network}.{precision}.json"
        name = f"benchmarks/networks.py:{network}"
        if path.exists():
            from advisor.model.traced import model_of_trace

            document = json.loads(path.read_text())
            return Traced(model_of_trace(name, document), document, ())
        try:
            found = trace_network(name, self.flags(precision))
        except AdvisorError as error:
            say(f"{network} {precision}: {error.message}")
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found.document))
        return found

    def set_up(self, case: Case) -> SetUp | None:
        """The case as a trial trains it."""
        found = self.traced(case.network, case.precision)
        if found is None:
            return None
        told = spec_of(f"benchmarks/networks.py:{case.network}", self.flags(case.precision))
        recipe = Flags("full", case.precision, "adamw", found.seq_len, None, case.batch, case.batch, "none")
        return replace(set_up(self.knowledge.catalogue, found.model, recipe, told), document=found.document)

    def knows(self, calibration: Path | None) -> Knows:
        """What an estimate stands on."""
        known = self.knowledge
        measured = None if calibration is None else load_advice(calibration).calibration
        return Knows(known.book, known.catalogue, known.published, measured)

    def measured(self, case: Case, again: bool) -> list[Document]:
        """The real steps of a case, the kept ones and, where there are none yet, a new one."""
        path = self.keep / "steps" / f"{case.name}.json"
        found: list[Document] = json.loads(path.read_text()) if path.exists() else []
        if not again and found:
            return found
        setup = self.set_up(case)
        if setup is None:
            return found
        options = Options(STEPS, "cpu", self.python)
        try:
            done = run_trial(self.knows(None), self.machine, setup, options, lambda _: None)
        except AdvisorError as error:
            say(f"{case.name}: {error.message}")
            return found
        depth = done.depths[0]
        kept, median = depth.undisturbed
        found.append(
            {
                "grade": done.grade.value, "kept": kept, "median_s": median, "groups": dict(depth.groups),
                "step": depth.step.model_dump(mode="json"),
                "process_bytes": done.figures["process_bytes"].value,
            }
        )  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found))
        return found

    def estimated(self, case: Case, knows: Knows) -> dict[str, float | None]:
        """Step time and memory of a case by the calibration."""
        names = ("optimizer_step_s", "memory_bytes")
        setup = self.set_up(case)
        if setup is None:
            return dict.fromkeys(names)
        place = place_of(knows, self.machine, "cpu", "", "")
        told = tell(knows, place, [setup])[0]
        return {name: told.get(name).value for name in names}

    def calibration(self) -> Path:
        """The kept calibration, or a new one."""
        path = self.keep / "calibration.json"
        if not path.exists():
            flags = ("calibrate", "--device", "cpu", "--python", self.python, "--output", str(path), "-q")
            command = [sys.executable, "-m", "advisor", *flags]
            begun = time.monotonic()
            done = subprocess.run(
                command, check=False, cwd=REPO, env={**os.environ, "PYTHONPATH": str(REPO)},
                capture_output=True,
            )  # fmt: skip
            if not path.exists():
                raise SystemExit(f"no calibration: {done.stderr.decode(errors='replace').strip()[-400:]}")
            say(f"calibrated in {time.monotonic() - begun:.0f} s")
        return path


def middle(values: list[float]) -> float | None:
    """The median, None of nothing."""
    return statistics.median(values) if values else None


class Row(NamedTuple):
    """Measured and estimated of one case; None: not known."""

    case: Case
    grades: str
    step_s: float | None
    told_s: float | None
    bytes: float | None
    told_bytes: float | None

    @property
    def time(self) -> float | None:
        """Estimated over measured time, less one."""
        return self.told_s / self.step_s - 1 if self.told_s and self.step_s else None

    @property
    def memory(self) -> float | None:
        """The same of memory."""
        return self.told_bytes / self.bytes - 1 if self.told_bytes and self.bytes else None


def row_of(case: Case, steps: list[Document], told: dict[str, float | None]) -> Row:
    """A row of the table: the median over repeats of the median of steps in which nobody took a core from us.

    Grade C has no figure for a user; here its undisturbed steps count, since three of them are asked for.
    """
    times = [s["median_s"] for s in steps if s["kept"] >= LEAST]
    memory = [s["process_bytes"] for s in steps if s["process_bytes"]]
    return Row(
        case, "".join(sorted(s["grade"] for s in steps)), middle(times), told["optimizer_step_s"],
        middle(memory), told["memory_bytes"],
    )  # fmt: skip


def share(value: float | None) -> str:
    """+3 %, or a dash."""
    return "–" if value is None else f"{value:+.0%}".replace("%", " %")


def table(title: str, rows: list[Row]) -> None:
    """The table as docs/accuracy.md has it."""
    if not rows:
        return
    print(f"\n{title}:\n")
    print("| network | format | batch | grade | step | estimated | off | memory | estimated | off |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        times = [f"{value:.3f} s" if value else "–" for value in (row.step_s, row.told_s)]
        sizes = [f"{value / 2**20:.0f} MiB" if value else "–" for value in (row.bytes, row.told_bytes)]
        case = row.case
        print(
            f"| {case.network} | {case.format} | {case.batch} | {row.grades} | {times[0]} | {times[1]} | "
            f"{share(row.time)} | {sizes[0]} | {sizes[1]} | {share(row.memory)} |"
        )


def verdict(title: str, rows: list[Row]) -> None:
    """Median and worst of a part."""
    times = [abs(row.time) for row in rows if row.time is not None]
    sizes = [abs(row.memory) for row in rows if row.memory is not None]
    if not times or not sizes:
        print(f"| {title} (0 times of {len(rows)}) | – | – | – | – | – | – |")
        return
    over = sum(off > WORST_BAR for off in times)
    most = sum(off > MEMORY_BAR for off in sizes)
    print(
        f"| {title} ({len(times)} times of {len(rows)}) | {statistics.median(times):.1%} | "
        f"{max(times):.0%} | "
        f"{over} | {statistics.median(sizes):.1%} | {max(sizes):.0%} | {most} |"
    )


PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("looked at", LOOKED_AT), ("seen once before, not worked on", SEEN_ONCE), ("new in the second", NEW),
    ("new in the third", LAST), ("not worked on: the last three", (*SEEN_ONCE, *NEW, *LAST)),
    ("all", tuple(BATCHES)),
)  # fmt: skip


def show(rows: list[Row]) -> None:
    """Tables of the parts, then their medians beside the bars."""
    for title, names in PARTS[:4]:
        table(title[:1].upper() + title[1:], [row for row in rows if row.case.network in names])
    print("\n| | step time, middle | worst | beyond 30 % | memory, middle | worst | beyond 8 % |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print(f"| bar | {MEDIAN_BAR:.0%} | {WORST_BAR:.0%} | none | | {MEMORY_BAR:.0%} | none |")
    for title, names in PARTS:
        verdict(title, [row for row in rows if row.case.network in names])


def main() -> None:
    """Measure what is not kept yet, estimate, tell."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--keep", type=Path, required=True)
    flags.add_argument("--calibration", type=Path)
    flags.add_argument("--python", default=sys.executable)
    flags.add_argument("--only", default="", help="names of networks, with commas")
    flags.add_argument("--again", action="store_true")
    flags.add_argument("--estimate", action="store_true")
    flags.add_argument("--measure", action="store_true", help="only measure")
    asked = flags.parse_args()
    bench = Bench(asked.keep.resolve(), asked.python)
    bench.keep.mkdir(parents=True, exist_ok=True)
    chosen = list(cases([name for name in asked.only.split(",") if name]))
    calibration = asked.calibration or (None if asked.measure else bench.calibration())
    with ThreadPoolExecutor(TRACED_AT_ONCE) as pool:
        list(pool.map(lambda one: bench.traced(*one), dict.fromkeys(case[:2] for case in chosen)))
    say("all traced")
    rows, knows = [], bench.knows(calibration)
    for case in chosen:
        kept = bench.keep / "steps" / f"{case.name}.json"
        if not asked.estimate:
            try:
                steps = bench.measured(case, asked.again)
            except Exception as error:  # one case must not cost the rest of a quiet hour
                say(f"{case.name}: {type(error).__name__}: {error}")
                steps = []
        else:
            steps = json.loads(kept.read_text()) if kept.exists() else []
        say(f"{case.name}: {[(s['grade'], s['kept'], s['median_s']) for s in steps]}")
        if not asked.measure:
            rows.append(row_of(case, steps, bench.estimated(case, knows)))
    if rows:
        show(rows)


if __name__ == "__main__":
    main()
