"""Methods and programs that a kind of device has not: rules/evidence/support.toml."""

from __future__ import annotations

import functools
from typing import NamedTuple

from advisor.data.files import read_toml, shipped
from advisor.errors import UserError
from advisor.estimate.inputs import Inputs
from advisor.schema import Workload
from advisor.search.grid import Stated


class Support(NamedTuple):
    """On which vendors or generations something runs alone, or never, and what it needs."""

    what: str
    name: str
    only: tuple[str, ...]
    never: tuple[str, ...]
    needs: str
    source: str

    def runs_on(self, vendor: str, generation: str) -> bool:
        """Whether such a device has it; what is not listed is open."""
        kinds = {vendor, generation}
        return not kinds & set(self.never) and (not self.only or bool(kinds & set(self.only)))


@functools.cache
def supports() -> tuple[Support, ...]:
    """The shipped table."""
    raw = read_toml(shipped("rules") / "evidence" / "support.toml")["support"]
    return tuple(
        Support(
            one["what"],
            one["name"],
            tuple(one.get("only", ())),
            tuple(one.get("never", ())),
            one["needs"],
            one["source"],
        )
        for one in raw
    )


def unsupported(workload: Workload, device: Inputs, stated: Stated) -> Support | None:
    """What of the workload's method and the stated program such a device has not, or None."""
    vendor, generation = (str(device.values.get(name) or "") for name in ("vendor", "generation"))
    recipe = workload.recipe
    asked = {("method", recipe.method), ("stack", stated.stack or "")}
    if recipe.method == "qlora" and recipe.numbers.get("frozen_bits") == 8:
        asked.add(("quant_bits_8", "8-bit bases"))
    for one in supports() if vendor else ():
        if (one.what, one.name) in asked and not one.runs_on(vendor, generation):
            return one
    return None


def check_support(workload: Workload, device: Inputs, stated: Stated, label: str) -> None:
    """Raise UserError for a method or program that the devices have not."""
    found = unsupported(workload, device, stated)
    if found is None:
        return
    instead = "--method lora" if found.what != "stack" else "another --stack, or none"
    name = (stated.program or found.name) if found.what == "stack" else found.name
    raise UserError(f"{name} does not run on {label}: it needs {found.needs}", f"Give {instead}.")
