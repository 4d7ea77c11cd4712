"""Seconds that documents take as PDF: whole processes, per page, and for six pages, which the bar is about.

Six pages are a document's seconds a page times six, with starting Python and reading the data in them; one of
fewer than six pages is held to the bar whole. Wall time is that of a quiet machine, with processors' seconds
beside it. Nothing is measured of the machine: inputs are an estimate, a plan, and the sample report's data.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pypdf
from told import hwadvisor, row

BAR_S = 2.5
SIX = 6
RUNS = 3
SAMPLE = Path(__file__).resolve().parent.parent / "reports" / "sample" / "report.pdf"
JOB = ("--model", "llama-3-8b", "--tokens", "20B", "--json")


def main() -> None:
    """Make the inputs, time each document in both languages, print a bar for each."""
    fine = True
    with tempfile.TemporaryDirectory(prefix="hwadvisor-pages-") as name:
        for title, arguments, made in documents(Path(name)):
            for lang in ("en", "zh"):
                runs = hwadvisor(*arguments, "--lang", lang, runs=RUNS)
                pages = len(pypdf.PdfReader(made).pages)
                wall, busy = min(run.wall_s for run in runs), min(run.processor_s for run in runs)
                note = f"{pages} pages, {wall / pages:.2f} s each; all {wall:.2f} s, processors {busy:.2f} s"
                fine &= row(f"{title}, {lang}", wall / max(pages, SIX) * SIX, BAR_S, "s", note=note)
    sys.exit(0 if fine else 1)


def documents(folder: Path) -> Iterator[tuple[str, tuple[str, ...], Path]]:
    """(title, command line, the PDF it writes) of what a user makes."""
    inputs = {
        "estimate": written(
            folder / "estimate", "estimate", *JOB, "--hardware", "16 x nvidia-h100-sxm5-80gb"
        ),
        "plan": written(folder / "plan", "plan", *JOB, "--deadline", "7d"),
        "scan": sample(folder / "scan"),
    }
    for title, path in inputs.items():
        yield f"{title} report", ("report", str(path), "--format", "pdf"), path.parent / "report.pdf"
    page = folder / "request" / "request.pdf"
    yield "request", ("request", str(inputs["estimate"]), "--slurm", "--output", str(page.parent)), page
    pair = folder / "pair" / "compare.pdf"
    both = (str(inputs["plan"]), str(inputs["scan"]))
    yield "comparison", ("compare", *both, "--output", str(pair.parent), "--format", "pdf"), pair


def written(folder: Path, *arguments: str) -> Path:
    """The JSON that a command prints, as a file."""
    folder.mkdir()
    path = folder / "advice.json"
    with path.open("wb") as file:
        subprocess.run([sys.executable, "-m", "advisor", *arguments], stdout=file, check=True)
    return path


def sample(folder: Path) -> Path:
    """The data of the sample report."""
    folder.mkdir()
    path = folder / "advice.json"
    path.write_bytes(pypdf.PdfReader(SAMPLE).attachments["advice.json"][0])
    return path


if __name__ == "__main__":
    main()
