"""The walk of `hwadvisor estimate`: one workload on one set-up, named from the catalogue or this machine."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.app_answers import with_bottlenecks
from advisor.app_knowledge import Knowledge, load_knowledge, network_of, now
from advisor.app_lean import lean_on
from advisor.app_options import WorkloadFlags
from advisor.data.accelerator import OLD_DAYS
from advisor.errors import AdvisorError, UserError
from advisor.schema import Estimate, Model, Notice, Workload
from advisor.search import accelerator_figures
from advisor.search.accumulate import with_accumulation, with_steps
from advisor.search.formats import check_format, with_format
from advisor.search.grid import Stated
from advisor.search.hardware import find_hardware, names_entry
from advisor.search.here import Place, places_here
from advisor.search.largest import Largest, fit_of, largest
from advisor.search.one import One, estimate_one, place_of
from advisor.search.own import check_word, with_program, workload_from_flags
from advisor.search.remedies import COUNTS
from advisor.search.rows import rows_told

if TYPE_CHECKING:
    from advisor.data.catalogue import Catalogue
    from advisor.data.systems import System
    from advisor.rulebook import RuleBook
    from advisor.schema import Advice, Calibration, Machine

_WORDS = ("recompute", "sharding", "offload", "effort")


@dataclass(frozen=True)
class EstimateOptions:
    """What shall be estimated where. `hardware` None: this machine, probed or as `calibration` holds it."""

    workload: WorkloadFlags
    hardware: str | None = None
    stated: Stated = field(default_factory=Stated)
    optimizer: str | None = None
    lora_rank: int | None = None
    accumulate: int | None = None  # micro-batches of a step on each device
    calibration: Path | None = None
    rules: tuple[Path, ...] = ()
    like: Path | None = None  # records of a pilot run, whose residual is carried over
    evidence: Path | None = None  # a site's own records, beside the published ones
    steps: int | None = None  # optimizer steps of the run, instead of its tokens
    notices: tuple[Notice, ...] = ()  # what was said before: of a recipe file, of counted data
    traced: bool = False
    document: Mapping[str, Any] | None = None  # of a traced network: its operators, for a machine calibrated
    largest: bool = False  # also what would fit at most on one of the devices
    lengths: tuple[Model, ...] = ()  # a traced network at three lengths, for the longest sequence there
    shared: tuple[int, ...] = ()  # by how many devices it may be shared there; (): as many as there are
    workdir: Path = field(default_factory=Path)


@dataclass(frozen=True)
class EstimateResult:
    """What a terminal shows, and the envelope that every command reads, made when it is asked for."""

    one: One
    workload: Workload
    notices: tuple[Notice, ...]
    make: Callable[[], Advice] = field(repr=False)
    largest: tuple[Largest, ...] = ()
    host_bytes: float | None = None  # memory of a server there, where that is known

    @cached_property
    def advice(self) -> Advice:
        """The estimate with all that stands behind it."""
        return self.make()


def run_estimate(options: EstimateOptions) -> EstimateResult:
    """One workload on one set-up. Raises UserError for names, words and layouts that cannot be.

    What does not fit is an answer: an estimate with `fits` false, with what would help beside it.
    """
    knowledge = load_knowledge(options.rules)
    for name in _WORDS:
        check_word(knowledge.catalogue, name, getattr(options.stated, name))
    leaning = lean_on(knowledge, options.evidence, options.like)
    said = with_program(options.stated, knowledge.catalogue)
    workload = _workload(options, knowledge.catalogue)
    machine, calibration = None, None
    notices = [*knowledge.notices(), *options.notices, *leaning.notices]
    if options.hardware is None:
        machine, calibration = _this_machine(options)
        place = _place_here(knowledge, machine, calibration)
        place, untimed = _timed(knowledge.book, place, calibration, workload, options.document)
        notices += untimed
    else:
        if options.calibration is not None:
            raise UserError("--calibration is of a machine, --hardware names another", "Give one of them.")
        place, told = place_named(knowledge, options.hardware)
        if told:
            notices.append(Notice(code="hardware_resolved", message=told))
    entry = knowledge.catalogue.accelerators.get(place.target.accelerator_id)
    check_format(workload, place.inputs, entry.title if entry else place.target.label)
    workload, as_example = _on_each(workload, options, place.target.devices)
    notices += as_example
    workload, stated = with_accumulation(workload, said, place.target.devices, options.accumulate)
    workload = with_steps(workload, options.steps)
    stated, as_pilot = leaning.set_up(workload, place.target, stated)
    notices += as_pilot
    within_trace(workload.model, stated, workload.recipe.global_batch, place.target.devices)
    one = estimate_one(
        knowledge.book, workload, place, stated, knowledge.published, own=leaning.own, traced=options.traced
    )
    _check_trained(workload, one)
    notices += leaning.unlike(one.estimate.near)
    notices += rows_told(workload, options.workload.details.get("counted_rows"))
    notices += _old_prices(knowledge.catalogue, one.estimate)
    own = with_format(knowledge.book, workload, place.inputs)
    most = _largest(options, knowledge, own, place) if options.largest else ()
    created_at = now()

    def advice() -> Advice:
        from advisor.schema import Advice

        return Advice(
            stage="complete",
            created_at=created_at,
            command="estimate",
            versions=knowledge.versions(),
            machine=machine,
            calibration=calibration,
            workloads=(workload,),
            estimates=(one.estimate,),
            accelerators=accelerator_figures(knowledge.catalogue, (one.estimate,)),
            trace=one.trace,
            largest=tuple(fit_of(each, place.host_bytes) for each in most),
            notices=tuple(notices),
        )

    if one.estimate.target.here:
        whole = with_bottlenecks(knowledge, advice())
        return EstimateResult(one, workload, whole.notices, lambda: whole, most, place.host_bytes)
    return EstimateResult(one, workload, tuple(notices), advice, most, place.host_bytes)


def _timed(
    book: RuleBook,
    place: Place,
    calibration: Calibration | None,
    workload: Workload,
    document: Mapping[str, Any] | None,
) -> tuple[Place, list[Notice]]:
    """The place with what the network's operators take there, where a calibration timed such.

    A preset is traced for it, as a trial would build it; where that does not go it is said.
    """
    from advisor.search.timed import device_of, grid_of, process_inputs, timed_inputs

    device = device_of(place.target)
    if calibration is None or not calibration.find("operators", device):
        return replace(place, inputs=place.inputs.update(process_inputs(device, document))), []
    notices: list[Notice] = []
    if document is None:
        from advisor.trial.trace import trace_preset

        try:
            document = trace_preset(workload, calibration.python or None, own=device == "cpu")
        except AdvisorError as error:
            told = f"Timed by rates of whole steps, not by its operators: {error.message}."
            notices = [Notice(code="not_traced", message=told, hint=error.hint or "")]
    traced, timed = str((document or {}).get("torch", "")), calibration.torch_version
    if traced and timed and traced.partition("+")[0] != timed.partition("+")[0]:
        told = f"Operators were timed with torch {timed}, and the network was traced with torch {traced}."
        hint = f"Trace with --python {calibration.python}, or calibrate with the torch that will train."
        notices.append(Notice(code="other_torch", message=told, hint=hint))
    inputs = timed_inputs(calibration, device, document, book)
    told = grid_of(calibration, device, document, workload.recipe.numbers.get("micro_batch") or 8.0, book)
    if told:
        notices.append(Notice(code="operators_grid", message=told))
    return replace(place, inputs=place.inputs.update(inputs)), notices


def place_named(knowledge: Knowledge, text: str) -> tuple[Place, str]:
    """What --hardware names, a system or accelerators of the catalogue, and what is to be said of it.

    Raises UserError with the nearest of both for a name that nothing has.
    """
    systems: dict[str, System] = {}
    if not names_entry(knowledge.catalogue, text):
        from advisor.data.systems import load_systems
        from advisor.search.systems import named_system, near_systems, place_of_system, told_of

        systems = load_systems(knowledge.folders, knowledge.catalogue)
        counted = named_system(systems, text)
        if counted is not None:
            return place_of_system(knowledge.catalogue, counted), told_of(counted)
    try:
        found = find_hardware(knowledge.catalogue, text)
    except UserError as error:
        from advisor.search.sockets import find_sockets

        processors = find_sockets(knowledge.catalogue, text) if error.message.startswith("unknown") else None
        if processors is not None:
            return processors, ""
        near = near_systems(systems, text) if systems and error.message.startswith("unknown") else []
        more = f" Systems like it: {', '.join(near)}." if near else ""
        raise UserError(error.message, f"{error.hint}{more}".strip()) from error
    return place_of(found.entry, found.packages, found.nodes), found.told


def _check_trained(workload: Workload, one: One) -> None:
    """Raise UserError where more weights shall be trained than there are."""
    trained, params = workload.recipe.numbers.get("stated_trainable"), one.estimate.quantities.get("params")
    if trained is None or params is None or params.value is None or trained <= params.value:
        return
    raise UserError(
        f"--train-only {trained:g} is more than the {params.value:g} weights of {workload.model.title}",
        "Give a smaller number, or a share such as 10%.",
    )


def _largest(
    options: EstimateOptions, knowledge: Knowledge, own: Workload, place: Place
) -> tuple[Largest, ...]:
    """What fits at most on one of the devices, and on several of them."""
    counts = options.shared or ((place.target.devices,) if place.target.devices > 1 else COUNTS)
    return tuple(
        largest(
            knowledge.book, own, place.inputs, counts=tuple(dict.fromkeys(counts)),
            presets=knowledge.catalogue.models, traced=options.lengths, host=place.host_bytes,
        )
    )  # fmt: skip


def within_trace(model: Model, stated: Stated, batch: float | None, devices: int) -> None:
    """Raise UserError for a pass of more samples than were traced, of a network that grows neither with the
    batch nor with its square."""
    most = model.numbers.get("traced_most_samples")
    largest = stated.micro_batch or (batch or 1.0) / devices
    if most is None or largest <= most:
        return
    raise UserError(
        f"{model.title} grows neither with the batch nor with its square, and was traced at up to "
        f"{most:g} samples: {largest:g} at once are not told",
        f"Give --micro-batch {most:g} or less.",
    )


def _old_prices(catalogue: Catalogue, estimate: Estimate) -> list[Notice]:
    """What is to be said where the rent rests on a price that is too old to decide on."""
    entry, rent = (
        catalogue.accelerators.get(estimate.target.accelerator_id),
        estimate.quantities.get("rent_usd"),
    )
    if entry is None or entry.rent is None or rent is None or rent.value is None:
        return []
    if not entry.rent.is_old(datetime.date.fromisoformat(now()[:10])):
        return []
    told = f"The price behind the rent is of {entry.rent.as_of}: older than {OLD_DAYS} days."
    return [Notice(code="price_old", message=told, hint="Ask for one of today before you decide.")]


def _workload(options: EstimateOptions, catalogue: Catalogue) -> Workload:
    flags = options.workload
    if flags.model is not None and flags.params is not None:
        raise UserError("--model and --params exclude each other", "Give one of them.")
    if flags.model is None and flags.params is None:
        raise UserError(
            "no network is named", "Give --model NAME, or --params N if its size is all you know."
        )
    check_word(catalogue, "optimizer", options.optimizer)
    recipe = asdict(flags)
    for name in ("model", "params", "hub"):
        del recipe[name]
    recipe["batch"] = recipe["batch"] or _example(options)
    found = workload_from_flags(catalogue, network_of(flags, catalogue), **recipe)
    own = found.recipe
    numbers = dict(own.numbers)
    numbers.pop("micro_batch", None)  # of the reference workload: here it is found
    stated = list(own.stated)
    if own.method not in ("lora", "qlora"):
        numbers.pop("lora_rank", None)
    if options.lora_rank is not None:
        if own.method not in ("lora", "qlora"):
            raise UserError(f"--lora-rank does not go with --method {own.method}", "Give --method lora.")
        numbers["lora_rank"] = float(options.lora_rank)
        stated.append("lora_rank")
    if options.optimizer is not None:
        stated.append("optimizer")
    recipe_now = own.model_copy(
        update={
            "optimizer": options.optimizer or own.optimizer,
            "numbers": numbers,
            "stated": tuple(stated),
        }
    )
    return found.model_copy(update={"recipe": recipe_now, "deadline_days": None})


def _example(options: EstimateOptions) -> int | None:
    """Samples of the factory's example (or as --input says), where nothing says how many there are to be."""
    stated = options.workload.batch, options.stated.micro_batch, options.accumulate
    if options.document is None or any(one is not None for one in stated):
        return None
    return options.document.get("samples")


def _on_each(workload: Workload, options: EstimateOptions, devices: int) -> tuple[Workload, list[Notice]]:
    """The example's batch on each device, and that it is so."""
    samples = _example(options)
    if samples is None:
        return workload, []
    recipe = workload.recipe.model_copy(update={"global_batch": float(samples * devices)})
    told = f"A batch of {samples} on each device, as in the example of the traced network."
    notice = Notice(code="batch_of_example", message=told, hint="--batch changes it.")
    return workload.model_copy(update={"recipe": recipe}), [notice]


def _this_machine(options: EstimateOptions) -> tuple[Machine, Calibration | None]:
    """The machine of the file given, with its figures, or this one as probed."""
    if options.calibration is not None:
        from advisor.data.advice import load_advice

        earlier = load_advice(options.calibration)
        if earlier.machine is None or earlier.calibration is None:
            raise UserError(
                f"{options.calibration} holds no {'machine' if earlier.machine is None else 'calibration'}",
                "Write one with `hwadvisor calibrate --output FILE` or `hwadvisor scan`.",
            )
        return earlier.machine, earlier.calibration
    from advisor.probe import detect

    return detect(ask_frameworks=False, workdir=options.workdir), None


def _place_here(knowledge: Knowledge, machine: Machine, calibration: Calibration | None) -> Place:
    """All of the machine's alike devices together; of several kinds those that are most."""
    places = places_here(knowledge.catalogue, machine, calibration)
    found = max(places, key=lambda place: (not place.problem, place.target.devices))
    return replace(found, host_bytes=machine.memory.total_bytes.value)
