"""The walk of `hwadvisor scan`: probe, verdict, calibrate, estimate, render; and the names of the walks."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.app_answers import advice_of_machine, advice_to_explain, with_estimates
from advisor.app_knowledge import Knowledge, load_knowledge, load_neighbours, network_of, now
from advisor.app_measure import KEPT, calibrated, measure
from advisor.app_options import Listener, MeasureListener, ScanOptions, WorkloadFlags
from advisor.data.advice import Keeper, save_advice
from advisor.data.files import make_folder, unwritable
from advisor.errors import Interrupted
from advisor.redact import redact
from advisor.schema import Advice, Machine, Notice, Workload

if TYPE_CHECKING:
    from advisor.render import RenderResult

__all__ = [
    "KEPT",
    "Knowledge",
    "Listener",
    "MeasureListener",
    "ScanOptions",
    "ScanResult",
    "WorkloadFlags",
    "advice_of_machine",
    "advice_to_explain",
    "load_knowledge",
    "load_neighbours",
    "measure",
    "network_of",
    "new_folder",
    "now",
    "scan",
    "with_estimates",
]


@dataclass(frozen=True)
class ScanResult:
    """Where the results lie."""

    advice: Advice
    folder: Path
    rendered: RenderResult


def scan(options: ScanOptions, listen: Listener) -> ScanResult:
    """Probe, calibrate, estimate, report. Raises AdvisorError for anything the user can mend."""
    from advisor.probe import detect

    knowledge, workloads = _check_first(options)
    raw: dict[str, Any] = {}
    # importing a framework takes from seconds to a minute: the first verdict does not wait for it
    machine = detect(
        python=options.python, ask_frameworks=False, workdir=options.workdir, keep_raw=raw.update
    )
    written = redact if options.redact else _as_it_is
    folder = new_folder(options.output, None if options.redact else machine)
    with _no_empty_folder(folder):
        advice = _first_verdict(knowledge, workloads, machine)
        save_advice(written(advice), folder / "advice.json")
    keeper = Keeper(folder / "advice.json", listen.say, written)
    advice = _as_far_as_it_gets(_steps(options, knowledge, advice, raw, keeper, listen), advice, listen)
    try:
        keeper.snapshot(advice)  # an interrupt may have come before the newest figure was saved
        advice = with_estimates(knowledge, _with_sight(advice))
        advice = advice.model_copy(update={"stage": "complete"})
        keeper.finish(advice)
        from advisor.render import render_report

        listen.say("Writing the report.")
        advice = written(advice)
        rendered = render_report(advice, folder, formats=options.formats, lang=options.lang)
    except KeyboardInterrupt as stopped:
        raise Interrupted(
            f"interrupted before the report was written; the results are in {keeper.path}",
            f"hwadvisor report {keeper.path}",
        ) from stopped
    return ScanResult(advice=advice, folder=folder, rendered=rendered)


def _steps(  # noqa: PLR0913, PLR0917 - what a scan holds
    options: ScanOptions,
    knowledge: Knowledge,
    advice: Advice,
    raw: dict[str, Any],
    keeper: Keeper,
    listen: Listener,
) -> Generator[Advice, None, None]:
    """Everything after the first verdict that may take long, each newer advice as soon as there is one."""
    listen.verdict(advice)  # of this machine: what else there is takes as long again, and nobody waits for it
    advice = with_estimates(knowledge, advice)
    yield advice
    advice = _ask_frameworks(options, knowledge, advice, raw, listen)
    yield advice
    keeper.snapshot(advice)
    yield from calibrated(options, knowledge, advice, keeper, listen)


def _as_far_as_it_gets(steps: Generator[Advice, None, None], advice: Advice, listen: Listener) -> Advice:
    """The newest advice of the steps. Ctrl-C, whatever they are at, ends them, and what there is is kept."""
    try:
        with closing(steps):
            for newer in steps:
                advice = newer
    except KeyboardInterrupt:
        return _interrupted(advice, listen)
    return advice


def _with_sight(advice: Advice) -> Advice:
    """The advice with what torch saw when it was imported for measuring."""
    from advisor.calibrate.sight import as_measured

    if advice.machine is None or advice.calibration is None:
        return advice
    return advice.model_copy(update={"machine": as_measured(advice.machine, advice.calibration)})


def _interrupted(advice: Advice, listen: Listener) -> Advice:
    """The same advice, marked as cut short."""
    calibration = advice.calibration
    if calibration is None:
        listen.say("Interrupted before anything was measured: the report goes without figures.")
        told = Notice(
            code="not_calibrated",
            message="Interrupted before anything was measured.",
            hint="Measure with: hwadvisor scan",
        )
        changed: dict[str, object] = {"notices": (*advice.notices, told)}
        if advice.machine is not None:
            from advisor.calibrate.sight import INTERRUPTED, never_asked

            changed["machine"] = never_asked(advice.machine, INTERRUPTED)
        return advice.model_copy(update=changed)
    listen.say(KEPT)
    if calibration.complete:
        return advice
    stopped = calibration.model_copy(update={"complete": False, "stopped": "interrupted"})
    return advice.model_copy(update={"calibration": stopped})


def _check_first(options: ScanOptions) -> tuple[Knowledge, tuple[Workload, ...]]:
    """Everything that can be wrong with the flags, found before anything slow starts."""
    from advisor.render.texts import load_texts
    from advisor.search import workload_from_flags

    knowledge = load_knowledge(options.rules)
    load_texts(options.lang)
    if options.python is not None:
        from advisor.probe.software import check_python

        check_python(options.python)
    if options.measure is not False and (options.python or options.device):
        from advisor.calibrate import check_environment

        check_environment(options.python, options.device)
    make_folder(options.output)
    reference = knowledge.catalogue.workloads
    own = options.workload
    if own is None:
        return knowledge, reference
    recipe = asdict(own)
    for name in ("model", "params", "hub"):
        del recipe[name]
    network = network_of(own, knowledge.catalogue)
    return knowledge, (workload_from_flags(knowledge.catalogue, network, **recipe), *reference)


def new_folder(output: Path, machine: Machine | None) -> Path:
    """reports/<date>-<host>, with -2, -3 … when it is there already; None: no host shall be named."""
    name = (machine.host.hostname.value if machine is not None else None) or ""
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:40] or "machine"
    stem = f"{datetime.now(UTC).astimezone():%Y-%m-%d}-{host}"
    for number in itertools.count(1):
        folder = output / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(folder, error) from error
        return folder
    raise AssertionError("unreachable: count() does not end")


def _as_it_is(advice: Advice) -> Advice:
    return advice


def _first_verdict(knowledge: Knowledge, workloads: tuple[Workload, ...], machine: Machine) -> Advice:
    advice = advice_of_machine(machine, "scan").model_copy(
        update={
            "versions": knowledge.versions(),
            "workloads": workloads,
            "notices": knowledge.notices(),
        }
    )
    return with_estimates(knowledge, advice, catalogue=False)


def _ask_frameworks(
    options: ScanOptions, knowledge: Knowledge, advice: Advice, raw: dict[str, Any], listen: Listener
) -> Advice:
    """The verdict refined by what the frameworks see, where there is anything for them to see."""
    from advisor.probe import add_frameworks

    before = advice.machine
    assert before is not None  # noqa: S101 - the first verdict is on a machine
    machine = add_frameworks(before, raw, python=options.python, workdir=options.workdir)
    if machine is before:
        from advisor.calibrate.sight import LEFT_OUT, NOTHING_TO_SEE, never_asked

        reason = LEFT_OUT if os.environ.get("HWADVISOR_PROBE_ASK") == "0" else NOTHING_TO_SEE
        return advice.model_copy(update={"machine": never_asked(before, reason)})
    advice = with_estimates(knowledge, advice.model_copy(update={"machine": machine}), catalogue=False)
    listen.verdict(advice)
    for notice in machine.notices:
        if notice not in before.notices:
            listen.say(notice.message)
    return advice


@contextmanager
def _no_empty_folder(folder: Path) -> Iterator[None]:
    """If nothing comes to be written (full disk, Ctrl-C), leave nothing behind, not even the folder."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise
