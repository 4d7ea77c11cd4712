"""What makes room on a device: each remedy alone, and those that go together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from advisor.estimate.inputs import Inputs
from advisor.schema import Workload
from advisor.search.formats import lacks

OF_TOKENS = ("decoder", "moe", "encoder", "size_only")
_BLOCKS = (*OF_TOKENS, "encoder_decoder", "vit")
_WITH_HEAD = ("decoder", "moe", "size_only")  # whose loss is over a vocabulary
_TRACED = "traced"  # of one format and one method
_ADAPTERS = ("lora", "qlora")
_MIXED = ("bf16_mixed", "fp16_mixed", "fp32", "tf32")
COUNTS = (2, 8)  # of devices, where nobody says how many
_AXES = ("fused_loss", "recompute", "optimizer", "precision", "method", "step_in_backward", "offload")


@dataclass(frozen=True)
class Remedy:
    """Something that makes room: what it is called, the columns it changes, how many devices it needs."""

    name: str
    columns: Mapping[str, float | str] = field(default_factory=dict)
    devices: int = 1
    families: tuple[str, ...] = ()  # that it helps; (): all

    @property
    def change(self) -> int:
        """What comes out: 0 the same network, 1 one that was trained in other formats, 2 adapters alone."""
        if "method" in self.columns:
            return 2
        return int("precision" in self.columns or "optimizer" in self.columns)

    def with_(self, other: Remedy) -> Remedy:
        """Both together."""
        return Remedy(
            f"{self.name}, {other.name}",
            {**self.columns, **other.columns},
            max(self.devices, other.devices),
        )


PLAIN = Remedy("as it is")
ALONE: tuple[Remedy, ...] = (
    Remedy("fused loss", {"fused_loss": 1.0}, families=_WITH_HEAD),
    Remedy("selective recomputation", {"recompute": "selective"}, families=_BLOCKS),
    Remedy("full recomputation", {"recompute": "full"}),
    Remedy("step within the backward pass", {"step_in_backward": 1.0}, families=_BLOCKS),
    Remedy("8-bit optimizer", {"optimizer": "adamw_8bit"}),
    Remedy("plain bf16 weights", {"precision": "bf16"}),
    Remedy("LoRA", {"method": "lora"}, families=_BLOCKS),
    Remedy("QLoRA", {"method": "qlora"}, families=_BLOCKS),
    Remedy("optimizer states in the host's memory", {"offload": "optimizer"}),
    Remedy("weights and states in the host's memory", {"offload": "params"}),
)


def alone(workload: Workload, place: Inputs, counts: Sequence[int] = COUNTS) -> list[Remedy]:
    """The remedies that can help this workload there, each alone; first none at all."""
    found = [one for one in ALONE if _helps(one, workload, place)]
    shared = [Remedy(f"sharded over {n} devices", {"sharding": "fsdp"}, devices=n) for n in counts if n > 1]
    return [PLAIN, *found, *shared]


def together(remedies: Iterable[Remedy]) -> list[Remedy]:
    """All sets of two and more of these remedies that make sense."""
    axes: dict[str, list[Remedy]] = {}
    for one in remedies:
        if one.columns:
            axes.setdefault(next(iter(one.columns)), []).append(one)
    found = []
    for chosen in product(*([None, *axes[name]] for name in (*_AXES, "sharding") if name in axes)):
        parts = [one for one in chosen if one is not None]
        if len(parts) < 2:
            continue
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.with_(part)
        if _sensible(whole):
            found.append(whole)
    return found


def _sensible(whole: Remedy) -> bool:
    """Adapters have next to no states; an optimizer step within the backward pass leaves none to offload and
    none to cut over devices."""
    columns = whole.columns
    if columns.get("method") in _ADAPTERS:
        return not {"optimizer", "precision", "step_in_backward", "offload"} & set(columns)
    if "step_in_backward" in columns:
        return not {"offload", "sharding"} & set(columns)
    return not ("offload" in columns and "optimizer" in columns)


def _helps(remedy: Remedy, workload: Workload, place: Inputs) -> bool:
    family, recipe = workload.model.family, workload.recipe
    if remedy.families and family not in remedy.families:
        return False
    [(column, value)] = remedy.columns.items()
    if column == "offload" and place.values.get("vendor") == "cpu":
        return False  # the host's memory is the device's own
    if recipe.method in _ADAPTERS and column in ("optimizer", "precision", "step_in_backward"):
        return False
    if column in ("fused_loss", "step_in_backward"):
        return not recipe.numbers.get(column)
    if (
        column == "method"
    ):  # what is trained from nothing has no base, and a quantised base is smaller already
        return recipe.method == "full" or (recipe.method == "lora" and value == "qlora")
    if column == "recompute" and family == _TRACED:  # of a trace without repeated blocks nothing is run again
        return bool(workload.model.numbers.get("traced_block"))
    if column == "optimizer":
        return recipe.optimizer == "adamw"
    if column == "precision":
        return family != _TRACED and recipe.precision in _MIXED and not lacks(place, str(value))
    return not (column == "offload" and recipe.method in _ADAPTERS and value == "optimizer")
