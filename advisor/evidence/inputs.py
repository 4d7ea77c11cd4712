"""A record as columns of the rules' table: its network, set-up and device, each with its source."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import read_toml, shipped
from advisor.data.resolve import entry_of, resolve_device
from advisor.estimate.features import plain
from advisor.estimate.inputs import Inputs, of_accelerator
from advisor.evidence.host import host_of
from advisor.evidence.impossible import beyond_memory, too_small_batch
from advisor.evidence.layout import batch_problem, devices_problem
from advisor.evidence.memory import put_memory
from advisor.evidence.network import Network, network_of
from advisor.evidence.record import Record, Refusal
from advisor.evidence.rows import Rows
from advisor.evidence.wires import devices_of_server, network_of_instance, network_of_text
from advisor.model import preset_of
from advisor.schema import Kind

_SAMPLES = 1.0
_RANK = 16.0
_MASKED = re.compile(r"pre-?train|mlm|masked|lm head|mlperf|\bph(ase)?[ -]?[12]\b", re.I)


@dataclass(frozen=True, slots=True)
class Reading:
    """How words of the sources are read (rules/evidence/reading.toml and map.toml)."""

    patterns: Mapping[str, Sequence[tuple[re.Pattern[str], str]]]
    excluded: Sequence[tuple[Rows, Sequence[str]]]  # and the quantities that are
    habits: Sequence[tuple[Rows, Mapping[str, float | str]]]  # and the columns that follow
    ordinary: frozenset[str]
    fp32_is_tf32: frozenset[str]
    formats: Mapping[str, str]  # vendor -> precision where a row does not say it

    def word(self, what: str, text: str) -> str | None:
        """The column's value that `text` means, or None."""
        return next((value for pattern, value in self.patterns[what] if pattern.search(text)), None)


@functools.cache
def shipped_reading() -> Reading:
    """The shipped tables of words."""
    folder = shipped("rules") / "evidence"
    raw, names = read_toml(folder / "reading.toml"), read_toml(folder / "map.toml")
    kinds = ("stacks", "precisions", "methods", "optimizers", "shardings")
    words = {kind: raw[kind] for kind in kinds}
    words["others"] = [(word, word) for word in raw["other_optimizers"]]
    return Reading(
        {kind: [(re.compile(p, re.I), value) for p, value in listed] for kind, listed in words.items()},
        [(Rows.of(entry), tuple(entry["quantities"])) for entry in raw["excluded"]],
        [(Rows.of(entry), _columns(entry["columns"])) for entry in raw["programs"]],
        frozenset(names["ordinary"]),
        frozenset(names["fp32_is_tf32"]),
        dict(raw["formats"]),
    )


def _columns(said: Mapping[str, Any]) -> dict[str, float | str]:
    """Columns as the table has them: words, or numbers that count as such."""
    return {name: value if isinstance(value, str) else float(value) for name, value in said.items()}


@dataclass(frozen=True)
class Run:
    """A published run that the rules can be asked about: its columns, and what it leaves out."""

    record: Record
    entry: Accelerator
    network: Network
    inputs: Inputs
    devices: float  # as the catalogue's entry counts them
    name: str = ""  # of the network: a preset's id, else the row's own spelling
    refused: Mapping[str, str] = field(default_factory=dict)  # quantity -> why it is not judged
    preset: str = ""  # what the network's name means, if anything


@functools.cache
def _catalogue() -> Catalogue:
    return load_catalogue([shipped("rules")])


@functools.cache
def _entry_inputs(entry_id: str) -> Inputs:
    return of_accelerator(entry_of(entry_id, _catalogue()))


def run_of(record: Record, catalogue: Catalogue | None = None) -> Run | Refusal:
    """The run behind a record, or why the rules say nothing of it. Never raises for what a record holds."""
    catalogue = catalogue or _catalogue()
    asked = _asked(record)

    def refuse(reason: str) -> Refusal:
        return Refusal(record.id, reason, asked)

    reading = shipped_reading()
    host = host_of(record)
    if host is not None:
        entry, base, devices_each = *host, 1
    else:
        device = resolve_device(record.text("vendor") or None, record.text("accelerator") or None)
        if device.id is None:
            return refuse(device.why)
        entry, devices_each = entry_of(device.id, catalogue), device.devices
        base = _entry_inputs(device.id)
    count = record.number("num_accelerators")
    if count is None:
        return refuse("the row gives no number of devices")
    named = preset_of(record.text("model"), record.text("family"))
    network = network_of(record, catalogue.models.get(named.preset) if named.preset else None)
    if isinstance(network, str):
        return refuse(network)
    devices = count * devices_each
    found = base.update(Inputs())
    for name, value in network.numbers.items():
        found.put(name, value, Kind.published, network.source)
    found.put("family", network.family, Kind.published, network.source)
    for name in ("image_size", "seq_len", "decoder_seq_len"):
        implied = getattr(named, name)
        if implied is not None and record.number(name) is None:
            found.put(name, float(implied), Kind.assumed, "what the network's name implies")
    problem = _put_recipe(found, record, reading, network, entry)
    problem = problem or _put_layout(found, record, devices, devices_each)
    if problem:
        return refuse(problem)
    put_memory(found, record)
    told = beyond_memory(record.number("peak_mem_gib"), entry, devices_each)
    if told := told or too_small_batch(record.values):
        return refuse(told)
    refused = {
        quantity: rows.reason
        for rows, quantities in reading.excluded
        if rows.hold(record)
        for quantity in quantities
    }
    return Run(
        record,
        entry,
        network,
        found,
        devices,
        named.preset or plain(record.text("model")),
        refused,
        named.preset or "",
    )


def _asked(record: Record) -> tuple[str, ...]:
    from advisor.evidence.measured import measured_of

    return tuple(measured_of(record)) or ("step_time_s",)


def _put_recipe(found: Inputs, record: Record, reading: Reading, network: Network, entry: Accelerator) -> str:
    """Method, precision, optimizer, stack, effort; '' or why the run is not covered."""
    row = "the row"
    method = reading.word("methods", record.text("method") or "full")
    if method is None:
        return f"method '{record.text('method')[:40]}' is not modelled"
    said = record.text("precision") or reading.formats.get(entry.vendor, "")
    precision = reading.word("precisions", said) if said else None
    if record.text("precision") and precision is None:
        return f"precision '{record.text('precision')[:40]}' is not modelled"
    if precision is None:
        return "the row gives no precision"
    if precision == "fp32" and record.source in reading.fp32_is_tf32 and "tf32" in entry.peaks:
        precision = "tf32"
    found.put("method", method, Kind.published, row)
    found.put("precision", precision, Kind.published, row)
    named = record.text("optimizer")
    optimizer = reading.word("optimizers", named) if named else None
    if named and optimizer is None and reading.word("others", named) is None:
        return f"optimizer '{named[:40]}' is none that the rules know"
    image = network.family in ("cnn", "stated")
    found.put("optimizer", optimizer or ("sgd" if image else "adamw"), Kind.published, row)
    found.put("samples", _SAMPLES, Kind.assumed, "one sample")
    found.put("lora_rank", record.number("lora_rank") or _RANK, Kind.published, row)
    for name in ("seq_len", "image_size", "global_batch", "micro_batch"):
        value = record.number(name)
        if value is not None:
            found.put(name, value, Kind.published, row)
    problem = _put_sample(found, network)
    stack = reading.word("stacks", record.text("framework")) or "other"
    found.put("stack", stack, Kind.published, row)
    found.put("era", _era(record.text("source_date")), Kind.published, row, "the row gives no date")
    effort = "ordinary" if record.source in reading.ordinary else "tuned"
    found.put("effort", effort, Kind.assumed, "rules/evidence/map.toml")
    if network.family == "encoder":
        masked = float(bool(_MASKED.search(f"{record.text('model')} {record.text('notes')}")))
        found.put("masked_head", masked, Kind.assumed, "the name of the run")
    for name, column in (
        ("flash_attention", "flash_attention"),
        ("compile", "compiled"),
        ("sequence_parallel", "sequence_parallel"),
    ):
        flag = record.flag(name)
        if flag is not None:
            found.put(column, float(flag), Kind.published, row)
    _put_habits(found, record, reading)
    return problem


def _put_habits(found: Inputs, record: Record, reading: Reading) -> None:
    """What the row's program does where the row does not say it."""
    for rows, columns in reading.habits:
        for column, value in columns.items() if rows.hold(record) else ():
            if column not in found.values:
                found.put(column, value, Kind.assumed, rows.reason)


def _put_sample(found: Inputs, network: Network) -> str:
    """The size of one sample: the row's, else the one that the network's figures are for."""
    sized, numbers = found.values, network.numbers
    if network.family in ("decoder", "moe", "encoder", "encoder_decoder", "size_only"):
        if network.family == "encoder_decoder" and "decoder_seq_len" not in sized:
            native = numbers.get("decoder_seq_len") or sized.get("seq_len")
            found.put("decoder_seq_len", native, Kind.assumed, "as long as the encoder's")
        if "seq_len" in sized:
            return ""
        if native := numbers.get("native_seq_len"):
            found.put("seq_len", native, Kind.assumed, network.source)
            return ""
        return "the row gives no sequence length"
    for name, native in (("image_size", "native_image_size"), ("seq_len", "native_seq_len")):
        if name not in sized and native in numbers:
            found.put(name, numbers[native], Kind.assumed, network.source)
    if "image_size" not in found.values and "seq_len" not in found.values:
        return "the row gives no image size"
    return ""


def _put_layout(found: Inputs, record: Record, devices: float, counted: int) -> str:
    """Devices and parallel degrees; '' or why they cannot be."""
    row = "the row"
    found.put("devices", devices, Kind.published, row)
    degrees = {name: record.number(name) for name in ("tp", "pp", "vpp", "cp", "ep", "dp")}
    loose = record.text("vendor").lower() in ("google", "aws", "cerebras", "graphcore")
    product = math.prod(degrees[name] or 1.0 for name in ("tp", "pp", "cp"))
    if loose and product > devices * 8:
        return f"its layout needs {product:g} devices, the row has {devices:g}"
    # packages or their parts: what one source counts as a device, another counts twice
    problems = [devices_problem(degrees, count) for count in (devices, devices / counted)]
    if not loose and all(problems):
        return problems[0]
    problems = [batch_problem(record.values, count) for count in (devices, devices / counted)]
    if not loose and all(problems):
        return problems[0]
    if loose and product * (degrees["dp"] or 1.0) not in (devices, devices / counted):
        degrees = dict.fromkeys(degrees)  # cores, chips and dies are counted differently: not known
    for name in ("tp", "pp", "vpp", "cp", "ep"):
        value = degrees[name]
        if value is not None:
            found.put(name, value, Kind.published, row)
    _put_wires(found, record)
    reading = shipped_reading()
    sharding = reading.word("shardings", record.text("sharding")) if record.text("sharding") else None
    if sharding is not None:
        found.put("sharding", sharding, Kind.published, row)
    elif record.text("sharding"):
        return f"sharding '{record.text('sharding')[:40]}' is not modelled"
    recompute = record.text("recompute")
    if recompute in ("none", "selective", "full"):
        found.put("recompute", recompute, Kind.published, row)
    elif recompute:
        return f"recompute '{recompute[:40]}' is not one of none, selective, full"
    if (degrees["ep"] or 1.0) > 1 and found.values["family"] not in ("moe", "size_only", "stated"):
        return f"it spreads experts over {degrees['ep']:g} devices, but its network has none"
    offload = record.text("offload") or "none"
    if offload not in ("none", "optimizer", "params"):
        return f"offload '{offload[:40]}' is not modelled"
    found.put("offload", offload, Kind.published, row)
    return ""


def _put_wires(found: Inputs, record: Record) -> None:
    """The network, and servers of fewer devices than are usual."""
    row = "the row"
    found.put("net_bandwidth", _network(record), Kind.published, row, "the row does not tell its network")
    server = devices_of_server(record.text("interconnect"), record.text("source"))
    usual = found.values.get("hw_domain_devices")
    if server is not None and (usual is None or server < usual):
        found.put("hw_domain_devices", server, Kind.published, row)


def _network(record: Record) -> float | None:
    """B/s that a device's share of its server's adapters gives, as the row tells it."""
    said = network_of_text(record.text("interconnect"))
    return network_of_instance(record.text("accelerator")) if said is None else said


def _era(date: str) -> float | None:
    """'2023-07' as 2023.54; None when it is no date."""
    match = re.fullmatch(r"(20\d\d)(?:-(\d\d))?.*", date)
    if not match:
        return None
    month = int(match[2]) if match[2] and 1 <= int(match[2]) <= 12 else 6
    return int(match[1]) + (month - 0.5) / 12


def shipped_evidence() -> list[Path]:
    """The shipped files of published runs."""
    return sorted((shipped("rules") / "evidence").glob("*.jsonl"))
