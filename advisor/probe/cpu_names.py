"""What a processor is called and what it can do: model names, Arm part numbers, instruction sets."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from advisor.probe.facts import none, ok
from advisor.probe.reading import clean

if TYPE_CHECKING:
    from advisor.probe.facts import FactDict

CPUINFO = "/proc/cpuinfo"
PARTS_FILE = "cpus/arm-parts.toml"

# Our name -> the kernel's word in "flags" (arch/x86/include/asm/cpufeatures.h)
X86 = {
    "sse4_2": "sse4_2",
    "avx": "avx",
    "f16c": "f16c",
    "fma": "fma",
    "avx2": "avx2",
    "avx_vnni": "avx_vnni",
    "avx512f": "avx512f",
    "avx512bw": "avx512bw",
    "avx512vl": "avx512vl",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "avx512_fp16": "avx512_fp16",
    "amx_tile": "amx_tile",
    "amx_bf16": "amx_bf16",
    "amx_int8": "amx_int8",
    "amx_fp16": "amx_fp16",
}
# … and in "Features" (Linux Documentation/arch/arm64/elf_hwcaps.rst)
ARM = {
    "neon": "asimd",
    "fp16": "asimdhp",
    "dotprod": "asimddp",
    "bf16": "bf16",
    "i8mm": "i8mm",
    "sve": "sve",
    "sve2": "sve2",
    "sve_bf16": "svebf16",
    "sve_i8mm": "svei8mm",
    "sme": "sme",
    "sme2": "sme2",
}
MODEL_KEYS = ("model name", "Model Name", "cpu model", "uarch", "cpu", "Processor", "Model")
# Names under which hypervisors hide the real model: true, and too little to know the part by
VAGUE = frozenset(
    {"amd epyc", "amd epyc processor", "intel xeon processor", "unknown", "common kvm processor"}
)


def model(blocks: list[dict[str, str]], machine: dict[str, str]) -> tuple[FactDict, FactDict]:
    """Facts: model name and vendor."""
    first = blocks[0]
    if "CPU implementer" in first:
        return _arm_model(blocks, machine)
    vendor = first.get("vendor_id") or first.get("vendor")
    who = (
        ok(clean(vendor), f"{CPUINFO} vendor_id") if vendor else none("absent", CPUINFO, "no vendor is told")
    )
    name = next((first[key] for key in MODEL_KEYS if first.get(key)), "")
    if not name or name.lower() == "unknown":
        return none("absent", CPUINFO, "the kernel or the hypervisor hides the model name"), who
    numbers = [f"{key} {first[key]}" for key in ("cpu family", "model", "stepping") if first.get(key)]
    vague = name.lower() in VAGUE or "QEMU Virtual" in name
    reason = f"the hypervisor hides the exact model ({', '.join(numbers)})" if vague else ""
    return ok(clean(name), f"{CPUINFO} model name", reason), who


def _arm_model(blocks: list[dict[str, str]], machine: dict[str, str]) -> tuple[FactDict, FactDict]:
    table = _parts()
    names: list[str] = []
    vendor = ""
    for block in blocks:
        implementer, part = _hex(block.get("CPU implementer")), _hex(block.get("CPU part"))
        maker = table["implementers"].get(implementer, {})
        vendor = vendor or maker.get("name", f"implementer {implementer}")
        core = maker.get("parts", {}).get(part, f"{maker.get('name', implementer)} part {part}")
        if core not in names:
            names.append(core)
    source = f"{CPUINFO} CPU implementer, CPU part; {PARTS_FILE}"
    name = " + ".join(names)
    part = _hex(blocks[0].get("CPU part"))
    chip = next((chip for chip in table["chips"] if _fits(chip, part, machine)), None)
    given = blocks[0].get("model name") or blocks[0].get("Model Name")  # some vendor kernels do tell
    if chip:
        name, source = f"{chip['name']} ({name})", f"{source}; /sys/class/dmi/id, /sys/devices/soc0"
    elif given and given.lower() != "unknown":
        name, source = given, f"{CPUINFO} model name"
    unknown = "" if "part 0x" not in name else f"a part that {PARTS_FILE} does not list yet"
    return ok(clean(name), source, unknown), ok(vendor, source)


def _fits(chip: dict[str, str], part: str, machine: dict[str, str]) -> bool:
    if _hex(chip.get("part")) != part:
        return False
    if "soc_id" in chip and chip["soc_id"] != machine.get("soc_id"):
        return False
    return "vendor" not in chip or chip["vendor"] == machine.get("sys_vendor")


@cache
def _parts() -> dict[str, Any]:
    """The shipped table of Arm parts: {"implementers": {id: {name, parts}}, "chips": [...]}."""
    from advisor.data.files import read_toml, shipped

    file = read_toml(shipped("rules") / PARTS_FILE)
    return {
        "implementers": {
            _hex(row["id"]): {
                "name": row["name"],
                "parts": {_hex(part): name for part, name in row["parts"].items()},
            }
            for row in file["implementer"]
        },
        "chips": file["chip"],
    }


def _hex(written: str | None) -> str:
    """ "0xd4f" for "0xD4F", "0x0d4f"; the text itself when it is no number."""
    try:
        return f"{int(written or '', 0):#x}"
    except ValueError:
        return str(written)


def instruction_sets(first: dict[str, str]) -> FactDict:
    """Fact: {set: whether the kernel lists it}, for x86 and Arm."""
    for key, table in (("flags", X86), ("Features", ARM)):
        if key in first:
            listed = set(first[key].split())
            return ok({name: flag in listed for name, flag in table.items()}, f"{CPUINFO} {key}")
    known = ", ".join(key for key in ("isa", "features", "cpu") if key in first)
    return none(
        "not_supported", CPUINFO, f"no table for this architecture{f' (it tells: {known})' if known else ''}"
    )
