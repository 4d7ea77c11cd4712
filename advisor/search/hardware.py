"""What --hardware names: so many packages of a catalogue entry, perhaps in several servers."""

from __future__ import annotations

import re
from typing import NamedTuple

from advisor.data.accelerator import Accelerator
from advisor.data.catalogue import Catalogue
from advisor.errors import UserError, did_you_mean

MOST_DEVICES = 1_000_000
_COUNTED = re.compile(r"(?:(\d{1,9})\s*[x×*]\s*)?(?:(\d{1,9})\s*[x×*]\s*)?(\D\S.*|\S+)", re.IGNORECASE)

_ABSURD = re.compile(r"(?:\d{1,9}\s*[x×*]\s*)?(\d{10,})\s*[x×*]", re.IGNORECASE)


class Hardware(NamedTuple):
    """Packages of an entry in each of `nodes` servers; `told` says what an odd name was taken for."""

    entry: Accelerator
    packages: int
    nodes: int = 1
    told: str = ""


def find_hardware(catalogue: Catalogue, text: str) -> Hardware:
    """'8 x nvidia-h100-sxm5-80gb', '2 x 8 x …' (servers x packages), an id alone, or a product's name.

    Raises UserError with the nearest ids for a name that nothing has, and for counts that are none.
    """
    nodes, packages, name = counted(text)
    entry, told = _named(catalogue, name)
    devices = nodes * packages * entry.devices_per_package
    if devices > MOST_DEVICES:
        raise UserError(
            f"--hardware {text[:60]!r} are {devices:,} devices",
            f"At most {MOST_DEVICES:,} can be estimated.",
        )
    return Hardware(entry, packages, nodes, told)


def names_entry(catalogue: Catalogue, text: str) -> bool:
    """Whether it is an accelerator's id, with or without counts: then nothing else is meant."""
    match = _COUNTED.fullmatch(text.strip())
    return match is not None and match[3].strip().casefold() in catalogue.accelerators


def counted(text: str) -> tuple[int, int, str]:
    """Servers, packages in each, and the name. Raises UserError for counts that are none."""
    match = _COUNTED.fullmatch(text.strip())
    if match is None and (many := _ABSURD.match(text.strip())):
        told = many[1] if len(many[1]) <= 24 else f"a number of {len(many[1])} digits"
        raise UserError(f"--hardware counts {told}", f"At most {MOST_DEVICES:,} devices can be estimated.")
    if match is None:
        raise UserError("--hardware names nothing", "Write for example '8 x nvidia-h100-sxm5-80gb'.")
    first, second, name = match.groups()
    nodes, packages = (int(first), int(second)) if second else (1, int(first or 1))
    if not nodes or not packages:
        raise UserError(f"--hardware {text!r} counts none", "Give a count above zero.")
    return nodes, packages, name.strip()


def _named(catalogue: Catalogue, name: str) -> tuple[Accelerator, str]:
    """The entry of that id, or that the words of a product's name mean."""
    entry = catalogue.accelerators.get(name.casefold())
    if entry is not None:
        return entry, ""
    from advisor.data.resolve import device_names

    found = device_names(catalogue).resolve(None, name)
    entry = catalogue.accelerators.get(found.id or "")
    if entry is None:
        near = did_you_mean(name[:80], catalogue.accelerators)
        raise UserError(
            f"unknown hardware {name[:80]!r}", near or "`hwadvisor hardware` lists what there is."
        )
    if not found.others:
        return entry, f"'{name[:80]}' is taken for {entry.id}."
    others = ", ".join(found.others)
    return entry, f"'{name[:80]}' is taken for {entry.id}; {others} could be meant too."
