"""Fit the constants of the time rules, and their neighbours: python tools/fit.py [--write] [--kernel] …

Reads rules/ and rules/evidence. Prints the errors in-sample and with groups and sources left out (refitted
without them). `--write` puts the constants into rules/constants/time.toml and the residuals into
rules/evidence/residuals.json, from all rows; without it nothing is changed. `--frozen` scores the rows of
rules/evidence/frozen.toml by a fit that has not seen them; `--all` puts no row aside. `--kernel` also tunes
how alike runs are, on left-out rows of both ways at once (a quarter of an hour); how far ranges are
widened is found anew whenever the files are written.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from kernel_search import search_kernel, widen_to_truth
from time_constants import Fitted, write_constants, write_rows

from advisor.data.files import shipped
from advisor.estimate import evaluate
from advisor.estimate.features import QUANTITIES, sizes_of
from advisor.evidence.fit import Fitter, Problem, Vector, predict, problem_of
from advisor.evidence.inputs import Run, shipped_evidence
from advisor.evidence.leave_out import folds_of, left_out
from advisor.evidence.table import read_evidence
from advisor.evidence.validate import Z80, words_of_runs
from advisor.neighbours import Features, Kernel, Neighbours, doubts, encode, vocabulary, widened
from advisor.published import FILE, load_published, save_published
from advisor.rulebook import load_book

_SERVER = 8.0
RULES = Path(__file__).resolve().parent.parent / "rules"


def frozen_rows(runs: list[Run]) -> npt.NDArray[np.bool_]:
    """Which rows are put aside (rules/evidence/frozen.toml)."""
    told = tomllib.loads((RULES / "evidence" / "frozen.toml").read_text("utf-8"))
    models = [(one["source"], re.compile(one["pattern"])) for one in told["models"]]

    def aside(run: Run) -> bool:
        name = run.record.text("model")
        hit = any(run.record.source == source and pattern.search(name) for source, pattern in models)
        return run.record.source in told["sources"] or hit

    return np.array([aside(run) for run in runs])


def the_problem() -> tuple[Problem, npt.NDArray[np.bool_]]:
    """All rows with a rate that the rules can predict, and which of them are frozen."""
    book = load_book([RULES])
    evidence = read_evidence(book, shipped_evidence())
    asked = [one for one in evidence.asked if one.quantity == "step_time_s"]
    runs = [evidence.runs[one.row] for one in asked]
    table = evidence.table.take([one.row for one in asked])
    seconds = np.array([one.measured for one in asked])
    problem = problem_of(book, table, runs, seconds)
    known = np.flatnonzero(np.isfinite(predict(problem, problem.prior)))
    kept = [runs[row] for row in known]
    print(f"{len(asked)} rows with a rate, {len(kept)} of them predicted")
    return problem_of(book, table.take(known.tolist()), kept, seconds[known]), frozen_rows(kept)


def features_of_problem(problem: Problem, theta: Vector) -> tuple[Features, dict[str, Sequence[str]], Vector]:
    """What describes the rows, as codes, as words and as sizes."""
    constants = dict(zip(problem.names, np.exp(theta), strict=True))
    table = evaluate(problem.book, problem.table.with_constants(constants), QUANTITIES, keep_all=False)
    words, sizes = words_of_runs(table, problem.runs), sizes_of(table)
    return encode(words, sizes, vocabulary(words)), dict(words), sizes


def subset(problem: Problem, rows: npt.NDArray[np.int64]) -> Problem:
    """The same with some of the rows."""
    return replace(
        problem, table=problem.table.take(rows.tolist()), runs=tuple(problem.runs[row] for row in rows),
        target=problem.target[rows],
    )  # fmt: skip


def told(title: str, problem: Problem, predicted: Vector, deviation: Vector | None = None) -> None:
    """One line of errors."""
    error = np.abs(np.expm1(predicted - problem.target))
    sources = np.array(problem.sources)
    mean = np.mean([np.median(error[sources == source]) for source in sorted(set(sources))])
    text = f"{title:34s} median {np.median(error):6.1%}  90 % below {np.quantile(error, 0.9):6.1%}"
    text += f"  mean of source medians {mean:6.1%}"
    if deviation is not None:
        inside = np.abs(predicted - problem.target) < Z80 * deviation
        width = np.median(np.expm1(Z80 * deviation))
        text += f"  in range {inside.mean():.0%}  range ±{width:.0%}"
    print(text, flush=True)


def cross_validated(problem: Problem, theta: Vector, kernel: Kernel, tune: bool, widen: bool) -> Kernel:
    """Prints the errors with groups and sources left out; the kernel, tuned on them if asked."""
    features, words, _ = features_of_problem(problem, theta)
    folds = {way: folds_of(problem, theta, way) for way in ("group", "source")}
    if tune:
        kernel = search_kernel(problem, folds, features, kernel)
    found = {way: left_out(problem, parts, features, kernel) for way, parts in folds.items()}
    if widen:
        kernel = widen_to_truth(kernel, problem, list(found.values()), words)
        print(kernel)
    for way, one in found.items():
        told(f"by {way}, rules alone", problem, one.rules)
        told(f"by {way}, with neighbours", problem, one.predicted, widened(kernel, one.deviation, words))
    return kernel


def score_frozen(problem: Problem, frozen: npt.NDArray[np.bool_], theta: Vector, kernel: Kernel) -> None:
    """The frozen rows by constants and neighbours that have not seen them."""
    features, words, _ = features_of_problem(problem, theta)
    seen, aside = np.flatnonzero(~frozen), np.flatnonzero(frozen)
    residuals = (problem.target - predict(problem, theta))[seen]
    own = features.take(seen)
    near = Neighbours(kernel, own, residuals, doubts(kernel, own, residuals))
    said = near.tell(features.take(aside))
    rules = predict(problem, theta, aside)
    part = subset(problem, aside)
    told("frozen rows, rules alone", part, rules)
    own_words = {name: [values[int(row)] for row in aside] for name, values in words.items()}
    wide = widened(kernel, said.deviation, own_words)
    told("frozen rows, with neighbours", part, rules + said.correction, wide)


def write(problem: Problem, theta: Vector, kernel: Kernel) -> None:
    """Constants and residuals into the shipped files."""
    constants = dict(zip(problem.names, np.exp(theta).tolist(), strict=True))
    spreads, moved_by = Fitter(problem).spreads(theta, np.arange(len(problem.runs)))
    fitted = Fitted(problem, constants, dict(zip(problem.names, spreads.tolist(), strict=True)), moved_by)
    write_constants(RULES / "constants" / "time.toml", fitted)
    write_rows(RULES / "evidence" / "constants.json", fitted)
    problem = replace(problem, book=load_book([RULES]))  # figures as the file rounds them
    theta = np.log([problem.book.constants[name].value for name in problem.names])
    features, words, sizes = features_of_problem(problem, theta)
    residuals = problem.target - predict(problem, theta)
    save_published(
        RULES / FILE, kernel=kernel, words=words, sizes=sizes, residuals=residuals,
        noise=doubts(kernel, features, residuals), measured_s=np.exp(problem.target),
        ids=[run.record.id for run in problem.runs],
        sources=[run.record.text("source")[:160] for run in problem.runs],
        labels=[label_of(run) for run in problem.runs], rules="rules/constants/time.toml",
    )  # fmt: skip
    write_scale(RULES / "constants" / "scale.toml", problem)
    print(f"wrote time.toml and scale.toml in {RULES / 'constants'}, and {RULES / FILE}")


def write_scale(path: Path, problem: Problem) -> None:
    """The largest run of each generation of devices: beyond it an estimate would be a guess."""
    most: dict[str, float] = {}
    for run in problem.runs:
        most[run.entry.generation] = max(most.get(run.entry.generation, _SERVER), run.devices)
    values = ", ".join(f"{word} = {count:g}" for word, count in sorted(most.items()))
    path.write_text(
        "# Written by tools/fit.py.\n\n[[constant_by]]\n"
        'id = "published_scale"\nby = "generation"\nunit = "1"\n'
        f"value = {_SERVER:g} # no published run: one server\nvalues = {{ {values} }}\n"
        'text = "devices of the largest published run, at least one server"\nsource = "rules/evidence"\n',
        encoding="utf-8",
    )


def label_of(run: Run) -> str:
    """'Llama 3 8B on 8 x nvidia-h100-sxm5-80gb (fp8, 2024)'."""
    count, year = run.record.number("num_accelerators") or 0, run.record.text("source_date")[:4]
    told = ", ".join(word for word in (run.record.text("precision"), year) if word)
    return f"{run.record.text('model')[:60]} on {count:g} x {run.entry.id} ({told})"


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for flag in ("--write", "--kernel", "--frozen", "--quick", "--all"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_args()
    problem, frozen = the_problem()
    if options.all:
        frozen[:] = False
    path = shipped("rules") / FILE
    kernel = load_published(path).neighbours.kernel if path.is_file() else Kernel()
    open_rows = subset(problem, np.flatnonzero(~frozen))
    fitter = Fitter(open_rows)
    theta = fitter.fit(np.arange(len(open_rows.runs)))
    told("in-sample, rules alone", open_rows, predict(open_rows, theta))
    if not options.quick:
        kernel = cross_validated(open_rows, theta, kernel, options.kernel, options.kernel or options.write)
    if options.frozen:
        score_frozen(problem, frozen, theta, kernel)
    if options.write:
        everything = Fitter(problem).fit(np.arange(len(problem.runs)), start=theta)
        write(problem, everything, kernel)


if __name__ == "__main__":
    main()
