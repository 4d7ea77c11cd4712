"""What is estimated, a network and its recipe, and the estimate with its trace."""

from __future__ import annotations

from advisor.schema.base import Frozen, Quantity


class Model(Frozen):
    """A network: its family's name and the numbers that the family's rules ask for."""

    id: str
    title: str
    family: str  # decoder, encoder, cnn, …: a file in rules/families
    numbers: dict[str, float] = {}  # layers, hidden, heads, vocab, … as declared in rules/columns.toml
    source: str = ""


class CountedFigure(Frozen):
    """A figure of a recipe that was counted in the user's data: its 80 % range, and how."""

    low: float
    high: float
    source: str


class Recipe(Frozen):
    """How the network is trained. Categories are those declared in rules/columns.toml."""

    method: str  # pretrain, full, lora, qlora
    precision: str  # fp32, bf16_mixed, …
    optimizer: str = "adamw"
    samples: float | None = None  # sequences or images over the whole run
    seq_len: float | None = None
    global_batch: float | None = None  # samples per optimizer step, all devices
    numbers: dict[str, float] = {}  # lora_rank, image_size, …
    source: str = ""
    stated: tuple[str, ...] = ()  # fields that the user gave by flags; the rest is assumed
    stack: str = ""  # the family of programs that trains, where it is stated
    program: str = ""  # and the program, as rules/evidence/programs.toml names it
    counted: dict[str, CountedFigure] = {}  # fields and numbers that were counted in data, by name


class Workload(Frozen):
    """Model + recipe; one reference workload is one file in rules/workloads."""

    id: str
    title: str
    model: Model
    recipe: Recipe
    deadline_days: float | None = None  # horizon for "how many would it take", stated or assumed
    note: str = ""


class Target(Frozen):
    """The hardware of an estimate: this machine's devices, or `devices` of a catalogue entry."""

    label: str  # "this machine, cuda:0 (NVIDIA H200)", "8 x nvidia-h100-sxm5-80gb"
    here: bool = False
    device: str = ""  # "cuda:0" when here
    accelerator_id: str = ""
    devices: int = 1
    packages: float = 1


class NearRun(Frozen):
    """A published run near an estimate: what it measured, and what the rules say of it.

    Seconds of one step, or of one sample on one device where its batch is not known. `weight` is what the
    estimate's logarithm takes over of the run's ln(measured / rules).
    """

    id: str
    title: str
    source: str
    measured_s: float
    rules_s: float
    weight: float


class Estimate(Frozen):
    """One workload on one target with every quantity, its range and its trace.

    `fits` None: unknown. `purpose` says which question this candidate answers: "here", "fit" (fewest
    devices whose memory suffices), "deadline" (fewest that meet the workload's horizon).
    """

    workload: str
    target: Target
    purpose: str = "here"
    fits: bool | None = None
    why: str = ""  # one sentence: why it fits or not, what limits it
    limit: str = ""  # memory, time, framework, precision, unknown
    choices: dict[str, str] = {}  # precision, micro-batch, recompute, sharding taken
    quantities: dict[str, Quantity] = {}  # time_s, memory_bytes, rent_usd, energy_j, …
    calibrated: bool = False  # uses figures measured on this machine
    near: tuple[NearRun, ...] = ()  # published runs that correct the time, nearest first
    notes: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()  # why its cost leads nothing: unrated, old, unsure, untried (as in a plan)

    @property
    def whole(self) -> bool:
        """Whether it is an answer of `estimate`, with all that is known of it; of the catalogue's many a scan
        keeps little, and what each keeps to on the calendar."""
        return "calendar_s" in self.quantities and "calendar_at_s" not in self.quantities

    @property
    def rent(self) -> Quantity | None:
        """Rent from start to last step where that is known, else of the steps alone."""
        whole = self.quantities.get("calendar_rent_usd")
        return self.quantities.get("rent_usd") if whole is None or whole.value is None else whole


class Accelerator(Frozen):
    """What the catalogue says of one device, copied here so that the file and its report stand alone.

    `figures` holds what is compared with this machine, per device: "memory_bytes",
    "memory_bandwidth_bytes_per_s", "matmul_<dtype>_flops" (dense peak), and per package of
    `devices_per_package`: "power_w", "rent_usd_per_h", "spot_usd_per_h";
    each with its kind (vendor, published, rule), source and date of price.
    """

    id: str
    title: str
    vendor: str = ""
    devices_per_package: float = 1
    figures: dict[str, Quantity] = {}


class TraceStep(Frozen):
    """How one quantity came about: a rule with its inputs, or a leaf with its source."""

    quantity: str
    value: float | None
    unit: str
    kind: str  # a Kind
    rule: str = ""  # rule id
    file: str = ""
    expr: str = ""
    why: str = ""
    source: str = ""
    reason: str = ""  # why value is None
    inputs: tuple[str, ...] = ()  # names of other steps of the same trace


class Versions(Frozen):
    """What wrote the file and on which data."""

    tool: str = ""
    rules_digest: str = ""  # SHA-256 over all shipped and user rule files
    rules_dirs: tuple[str, ...] = ()
    prices_as_of: str = ""  # newest price used
