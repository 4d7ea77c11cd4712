"""The walk of `hwadvisor scan`: probe, verdict, calibrate, estimate, render; saved after every step."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from advisor import __version__
from advisor.data.advice import Keeper, save_advice
from advisor.data.files import make_folder, shipped, unwritable
from advisor.errors import AdvisorError, Interrupted
from advisor.schema import Advice, Calibration, Machine, Model, Notice, Versions, Workload

if TYPE_CHECKING:
    from advisor.calibrate import CalibrateOptions, Event
    from advisor.data.catalogue import Catalogue
    from advisor.published import Published
    from advisor.render import RenderResult
    from advisor.rulebook import RuleBook


KEPT = "Interrupted: what was measured is kept."


@dataclass(frozen=True)
class WorkloadFlags:
    """A workload of the user's own, as told by flags. None: the preset or recipe says.

    `model` is a preset's id or alias, the path of a config.json or of its folder, or an id in the hub's
    cache `hub`; or else `params` gives the number of parameters and nothing more is known.
    """

    model: str | None = None
    params: float | None = None
    hub: Path | None = None
    tokens: float | None = None
    method: str | None = None
    precision: str | None = None
    seq_len: int | None = None
    batch: int | None = None


@dataclass(frozen=True)
class ScanOptions:
    """What `scan` shall do; the defaults are those of the command line."""

    mode: str = "default"  # quick, default, thorough
    output: Path = field(default_factory=lambda: Path("reports"))
    python: str | None = None
    device: str | None = None
    workload: WorkloadFlags | None = None
    rules: tuple[Path, ...] = ()
    formats: tuple[str, ...] = ("html", "pdf")
    lang: str = "en"
    measure: bool | None = None  # None: yes, except on a login node
    reuse: bool = False  # take figures of an earlier report of this machine, if nothing has changed
    workdir: Path = field(default_factory=Path)


class MeasureListener(Protocol):
    """What the caller may show while the machine is measured."""

    def event(self, event: Event) -> None:
        """Calibration progress."""

    def say(self, text: str) -> None:
        """A line of talk."""


class Listener(MeasureListener, Protocol):
    """What the caller of `scan` may show while it runs."""

    def verdict(self, advice: Advice) -> None:
        """The first answer, from probe, catalogue and rules alone; called again as figures come in."""


@dataclass(frozen=True)
class ScanResult:
    """Where the results lie."""

    advice: Advice
    folder: Path
    rendered: RenderResult


@dataclass(frozen=True)
class Knowledge:
    """The shipped and the user's rules and catalogue, loaded and checked once."""

    book: RuleBook
    catalogue: Catalogue
    folders: tuple[Path, ...]
    published: Published

    def versions(self) -> Versions:
        """What an advice made with this knowledge is stamped with."""
        return Versions(
            tool=__version__,
            rules_digest=self.book.digest,
            rules_dirs=tuple(folder.name for folder in self.folders[1:]),
            prices_as_of=self.catalogue.prices_as_of,
        )

    def notices(self) -> tuple[Notice, ...]:
        """What of the shipped knowledge the user's own folders replaced: the report must say so."""
        replaced = [f"{o.kind} {o.id}" for o in self.book.overrides]
        replaced += [f"entry {key}" for key in self.catalogue.overridden]
        if not replaced:
            return ()
        shown = ", ".join(replaced[:8]) + (f" and {len(replaced) - 8} more" if len(replaced) > 8 else "")
        return (
            Notice(
                code="rules_overridden",
                message=f"Shipped knowledge replaced by folders given with --rules: {shown}.",
                hint="Run without --rules to compare.",
            ),
        )


def load_knowledge(user_rules: tuple[Path, ...] = ()) -> Knowledge:
    """Load rules and catalogue, the user's folders on top. Raises DataError naming file and key."""
    from advisor.data.catalogue import load_catalogue
    from advisor.rulebook import load_book

    folders = (shipped("rules"), *user_rules)
    return Knowledge(load_book(folders), load_catalogue(folders), folders, load_neighbours())


def load_neighbours() -> Published:
    """The shipped published runs with their residuals. Raises DataError when the file is broken."""
    from advisor.published import FILE, load_published

    return load_published(shipped("rules") / FILE)


def scan(options: ScanOptions, listen: Listener) -> ScanResult:
    """Probe, calibrate, estimate, report. Raises AdvisorError for anything the user can mend."""
    from advisor.probe import detect

    knowledge, workloads = _check_first(options)
    raw: dict[str, Any] = {}
    # importing a framework takes from seconds to a minute: the first verdict does not wait for it
    machine = detect(
        python=options.python, ask_frameworks=False, workdir=options.workdir, keep_raw=raw.update
    )
    folder = new_folder(options.output, machine)
    with _no_empty_folder(folder):
        advice = _first_verdict(knowledge, workloads, machine, folder)
    keeper = Keeper(folder / "advice.json", listen.say)
    advice = _as_far_as_it_gets(_steps(options, knowledge, advice, raw, keeper, listen), advice, listen)
    try:
        keeper.snapshot(advice)  # an interrupt may have come before the newest figure was saved
        advice = with_estimates(knowledge, _with_sight(advice))
        advice = advice.model_copy(update={"stage": "complete"})
        keeper.finish(advice)
        from advisor.render import render_report

        listen.say("Writing the report.")
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
    yield from _calibrate(options, knowledge, advice, keeper, listen)


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


def network_of(flags: WorkloadFlags, catalogue: Catalogue) -> Model | str:
    """What --model or --params means. Raises UserError when nothing of that name is known here."""
    from advisor.model import find_config, model_of_size, read_hf_config

    if flags.params is not None:
        return model_of_size(flags.params)
    name = flags.model or ""
    if name.strip().casefold() in {key.casefold() for key in (*catalogue.models, *catalogue.model_aliases)}:
        return name
    config = find_config(name, flags.hub)
    return name if config is None else read_hf_config(config)


def new_folder(output: Path, machine: Machine) -> Path:
    """reports/<date>-<host>, with -2, -3 … when it is there already."""
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", machine.host.hostname.value or "").strip("-.")[:40] or "machine"
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


def _first_verdict(
    knowledge: Knowledge, workloads: tuple[Workload, ...], machine: Machine, folder: Path
) -> Advice:
    advice = advice_of_machine(machine, "scan").model_copy(
        update={
            "versions": knowledge.versions(),
            "workloads": workloads,
            "notices": knowledge.notices(),
        }
    )
    advice = with_estimates(knowledge, advice, catalogue=False)
    save_advice(advice, folder / "advice.json")
    return advice


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


def with_estimates(knowledge: Knowledge, advice: Advice, *, catalogue: bool = True) -> Advice:
    """The same advice with its estimates computed from what it holds so far.

    `catalogue` false: only those of this machine, which is what a new measurement changes.
    """
    from advisor.search import accelerator_figures, estimates_catalogue, estimates_here

    if advice.machine is None:
        return advice
    book, known = knowledge.book, knowledge.catalogue
    here, trace_here = estimates_here(
        book, known, advice.workloads, advice.machine, advice.calibration, knowledge.published
    )
    if not catalogue:
        there = [estimate for estimate in advice.estimates if not estimate.target.here]
        return advice.model_copy(
            update={"estimates": (*here, *there), "trace": {**advice.trace, **trace_here}}
        )
    there, trace_there = estimates_catalogue(book, known, advice.workloads, knowledge.published)
    return advice.model_copy(
        update={
            "estimates": (*here, *there),
            "trace": {**trace_here, **trace_there},
            "accelerators": accelerator_figures(known, (*here, *there)),
        }
    )


def advice_of_machine(machine: Machine, command: str = "probe") -> Advice:
    """The envelope with a machine in it and nothing else yet."""
    return Advice(
        stage="probed",
        created_at=now(),
        command=command,
        versions=Versions(tool=__version__),
        machine=machine,
    )


def advice_to_explain() -> Advice:
    """This machine as probed beside known devices of each kind: enough to tell why training wants a GPU."""
    from advisor.data.catalogue import figures_of, load_catalogue
    from advisor.probe import detect
    from advisor.render.why import KINDS

    catalogue = load_catalogue((shipped("rules"),))
    wanted = [name for _, names in KINDS for name in names if name in catalogue.accelerators]
    accelerators = tuple(figures_of(catalogue.accelerators[name]) for name in wanted)
    return advice_of_machine(detect(), "why").model_copy(update={"accelerators": accelerators})


def measure(
    advice: Advice, options: CalibrateOptions, listen: MeasureListener
) -> Generator[Advice, None, None]:
    """Calibrate, yielding the advice after every figure so that the caller can save it.

    Ctrl-C ends it with what was measured so far, marked as interrupted. Raises UserError when the
    Python or device asked for cannot be measured; without torch it measures what needs none.
    """
    from advisor.calibrate import run_calibration

    machine = advice.machine
    assert machine is not None  # noqa: S101 - every caller has probed
    last = Calibration(mode=options.mode)
    try:
        for last in run_calibration(machine, options, listen.event):
            advice = advice.model_copy(update={"stage": "calibrating", "calibration": last})
            yield advice
        yield advice.model_copy(update={"stage": "calibrated"})
    except KeyboardInterrupt:
        listen.say(KEPT)
        stopped = last.model_copy(update={"complete": False, "stopped": "interrupted"})
        yield advice.model_copy(update={"calibration": stopped})


def _calibrate(
    options: ScanOptions, knowledge: Knowledge, advice: Advice, keeper: Keeper, listen: Listener
) -> Generator[Advice, None, None]:
    """Measure if it is right to measure here; the verdict is refined after each training rate.

    Each figure is yielded before anything is done with it, so that an interrupt cannot cost it.
    """
    from advisor.calibrate import CalibrateOptions

    choice = CalibrateOptions(
        mode=options.mode, python=options.python, device=options.device, workdir=options.workdir
    )
    earlier = _reused(options, choice, advice, listen)
    if earlier is not None:
        yield earlier
        return
    reason = _why_not_measure(options, advice)
    if reason is not None:
        yield advice.model_copy(update={"notices": (*advice.notices, reason)})
        listen.say(reason.message)
        return
    refined = advice
    with closing(measure(advice, choice, listen)) as measuring:
        while True:
            try:
                snapshot = next(measuring)
            except StopIteration:
                return
            except AdvisorError as error:  # what can be told without figures is worth a report all the same
                listen.say(f"Not measured: {error.message}")
                lost = Notice(
                    code="not_calibrated", message=f"Not measured: {error.message}.", hint=error.hint
                )
                yield advice.model_copy(update={"notices": (*advice.notices, lost)})
                return
            # the generator goes on from its own copy, which knows nothing of what has been refined
            advice = snapshot.model_copy(update={"estimates": refined.estimates, "trace": refined.trace})
            yield advice
            done = snapshot.calibration.measurements if snapshot.calibration else ()
            if done and done[-1].bench == "train_rate":
                refined = advice = with_estimates(knowledge, advice, catalogue=False)
                listen.verdict(refined)
            keeper.snapshot(advice)


def _reused(
    options: ScanOptions, choice: CalibrateOptions, advice: Advice, listen: Listener
) -> Advice | None:
    """The advice with figures of an earlier report of this machine; None without --reuse or such one."""
    if not options.reuse or advice.machine is None:
        return None
    from advisor.calibrate import find_earlier

    earlier = find_earlier(options.output, advice.machine, choice)
    if earlier.calibration is None:
        listen.say(f"No earlier figures are used: {earlier.reason}.")
        return None
    message = f"Figures measured at {earlier.when} are used again ({earlier.path})."
    listen.say(message)
    told = Notice(code="calibration_reused", message=message, hint="Leave --reuse away to measure again.")
    return advice.model_copy(
        update={
            "stage": "calibrated",
            "calibration": earlier.calibration,
            "notices": (*advice.notices, told),
        }
    )


def _why_not_measure(options: ScanOptions, advice: Advice) -> Notice | None:
    if options.measure is False:
        return Notice(code="not_calibrated", message="Not calibrated, as asked: nothing here is measured.")
    on_login_node = advice.machine is not None and advice.machine.host.slurm.login_node.value
    if options.measure is None and on_login_node:
        return Notice(
            code="login_node",
            message="This looks like a cluster's login node, so nothing was measured here.",
            hint="Run `srun … hwadvisor scan` on a compute node, or give --calibrate to measure here.",
        )
    return None


def now() -> str:
    """The time in UTC, to the second, as stored in files."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _no_empty_folder(folder: Path) -> Iterator[None]:
    """If nothing comes to be written (full disk, Ctrl-C), leave nothing behind, not even the folder."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise
