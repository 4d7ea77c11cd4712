"""What a framework said it sees: devices for the Machine, and notices for what stands in its way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from advisor.probe.facts import none, ok
from advisor.probe.reading import clean, whole

# error texts of the frameworks -> status; the text itself is kept as the reason
ERRORS = (
    (r"driver on your system is too old|CUDA driver version is insufficient", "version_mismatch"),
    (r"NVIDIA driver|driver shutting down|no CUDA-capable|No HIP GPUs|No CUDA GPUs", "absent"),
    (r"permission|not permitted", "no_permission"),
    (r"cannot open shared object|No module named|libcuda|undefined symbol", "lib_missing"),
    (r"not compiled|not linked|does not have", "not_supported"),
)
INSTALL_HINTS = {
    "nvidia": "Install a build for CUDA: pip install --force-reinstall torch --index-url"
    " https://download.pytorch.org/whl/cu128 (the version to take: https://pytorch.org/get-started/locally/).",
    "amd": "Install a build for ROCm: pip install --force-reinstall torch --index-url"
    " https://download.pytorch.org/whl/rocm6.4 (the version to take: https://pytorch.org/get-started/locally/).",
    "intel": "Install a build for Intel GPUs: pip install --force-reinstall torch --index-url"
    " https://download.pytorch.org/whl/xpu.",
    "huawei": "Install torch-npu of the same version as torch, and source the CANN toolkit's set_env.sh.",
    "google": "Install jax[tpu], or torch-xla.",
}
VISIBILITY = (
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "ASCEND_RT_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
    "TPU_VISIBLE_CHIPS",
)


@dataclass(frozen=True)
class Context:
    """Everything said of one framework: its facts, its build, its answers, the machine's accelerators."""

    framework: dict[str, Any]
    build: dict[str, Any]
    asked: dict[str, Any]
    hints: dict[str, str]
    environment: dict[str, Any]


def sees_fact(name: str, asked: dict[str, Any], left_out: bool = False) -> dict[str, Any]:
    """The devices as a Fact; no value when the framework was not asked, or could not answer.

    `left_out`: it was not asked because that takes long, whatever accelerators there are.
    """
    source = f"import {name}"
    if not asked and left_out:
        return none("not_asked", source, "not asked yet: importing a framework takes seconds")
    if not asked:
        return none("not_asked", source, "no sign of an accelerator, so the framework was not imported")
    answers = _answers(asked)
    devices = [device_of(row) for row in _rows(asked)]
    if answers.get("import_error"):
        error = clean(answers["import_error"], 500)
        return none(status_of(error, "failed"), source, error)
    if asked.get("status") != "ok":
        reason = clean(asked.get("reason", ""), 500)
        if devices:
            return ok(devices, source, f"not all was answered: {reason}")
        return none(str(asked.get("status") or "failed"), source, reason)
    errors = _errors(answers)
    if devices:
        return ok(devices, source, errors)
    if errors and status_of(errors, "failed") != "absent":
        return none(status_of(errors, "failed"), source, errors)
    return ok([], source, errors)


def status_of(error: str, otherwise: str) -> str:
    """The status that an error text stands for."""
    for pattern, status in ERRORS:
        if re.search(pattern, error, re.IGNORECASE):
            return status
    return otherwise


def device_of(row: dict[str, Any]) -> dict[str, Any]:
    """One device row of software_child.py as a schema.FrameworkDevice."""
    total, free = _bytes(row.get("total_memory")), _bytes(row.get("free"))
    if total is not None and free is not None and free > total:
        free = None  # seen on APUs (ROCm/hip#3892); `notices` says so
    capability = clean(row.get("capability") or "", 20)
    major, minor = whole(row.get("major")), whole(row.get("minor"))
    gcn = clean(row.get("gcnArchName") or "", 60)
    if not capability and major is not None and minor is not None and not gcn:
        capability = f"{major}.{minor}"
    integrated = row.get("is_integrated")
    return {
        "name": clean(row.get("name", ""), 60),
        "device_name": clean(row.get("device_name", "")),
        "uuid": uuid_of(row),
        "pci_address": _address(row),
        "memory_total_bytes": total or None,
        "memory_free_bytes": free,
        "integrated": bool(integrated) if isinstance(integrated, (bool, int)) else None,
        "compute_capability": capability or gcn.partition(":")[0],
        "compute_units": whole(row.get("multi_processor_count") or row.get("max_compute_units")),
    }


def uuid_of(row: dict[str, Any]) -> str:
    """The driver's spelling of torch's UUID: "GPU-…" on CUDA; on ROCm 16 ASCII digits packed as bytes."""
    text = clean(row.get("uuid") or "", 60).lower()
    digits = text.replace("-", "")
    if not re.fullmatch(r"[0-9a-f]{32}", digits) or not digits.strip("0"):
        return clean(row.get("uuid") or "", 60) if text.startswith(("gpu-", "mig-")) else ""
    if row.get("gcnArchName"):
        ascii_digits = bytes.fromhex(digits).decode("latin-1").lower()
        if re.fullmatch(r"[0-9a-f]{16}", ascii_digits):
            return f"GPU-{ascii_digits}"
    prefix = "GPU-" if str(row.get("name", "")).startswith("cuda") else ""
    return f"{prefix}{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _address(row: dict[str, Any]) -> str:
    domain, bus, device = (whole(row.get(f"pci_{part}_id")) for part in ("domain", "bus", "device"))
    if bus is None or device is None or not 0 <= bus <= 0xFF or not 0 <= device <= 0x1F:
        return ""
    if not 0 <= (domain or 0) <= 0xFFFFFFFF:
        return ""
    return f"{domain or 0:04x}:{bus:02x}:{device:02x}.0"


def notices(context: Context) -> list[dict[str, str]]:
    """What the reader should know of this framework on this machine."""
    out: list[dict[str, str]] = []
    name = context.framework["name"]
    out += _without_gpu(name, context)
    if not context.asked:
        return out
    for row in _rows(context.asked):
        out += _cannot_run(name, row, context)
        out += _memory_oddities(name, row)
    answers = _answers(context.asked)
    counted, runtime = whole(answers.get("count:cuda")), whole(answers.get("runtime_count:cuda"))
    if name == "torch" and runtime and counted is not None and counted < runtime:
        out.append(
            {
                "code": "amdsmi_clash",
                "message": f"torch.cuda.device_count() says {counted}, the HIP runtime sees {runtime}: two"
                " copies of libamd_smi are loaded at once (pytorch#186516).",
                "hint": "pip uninstall amdsmi in this environment, or call torch.cuda.init() first.",
            }
        )
    return out


def _without_gpu(name: str, context: Context) -> list[dict[str, str]]:
    """A framework beside an accelerator that it cannot use, or does not see."""
    build = str(context.framework["build"]["value"] or "")
    vendors = [vendor for vendor in context.hints if vendor not in {"intel_integrated", "apple"}]
    if not vendors:
        return []
    version = context.framework["version"]["value"] or ""
    seen = context.framework["sees"]
    if build == "cpu":
        vendor = next((v for v in vendors if v in INSTALL_HINTS), vendors[0])
        return [
            {
                "code": "framework_without_gpu",
                "message": f"{name} {version} is built for the processor alone, though this machine shows an"
                f" accelerator ({vendor}: {context.hints[vendor]}).",
                "hint": INSTALL_HINTS.get(vendor, "") if name == "torch" else f"Install {name} for {vendor}.",
            }
        ]
    if not context.asked or seen["value"] or name != "torch":
        return []
    hidden = [f"{key}={context.environment[key]!r}" for key in VISIBILITY if key in context.environment]
    why = seen["reason"] or "it reports no device"
    hint = "Check the driver (nvidia-smi, rocm-smi, npu-smi) and that its version suits this build."
    if hidden:
        hint = f"{', '.join(clean(h, 120) for h in hidden)} may hide it; unset to see all devices."
    return [
        {
            "code": "framework_sees_nothing",
            "message": f"{name} {version} ({build}) sees no accelerator, though this machine shows"
            f" {', '.join(f'{v}: {context.hints[v]}' for v in vendors)}. {why}",
            "hint": hint,
        }
    ]


def _cannot_run(name: str, row: dict[str, Any], context: Context) -> list[dict[str, str]]:
    """A device that is seen but runs nothing: no kernels in the build, no memory left, or broken."""
    errors = row["errors"] if isinstance(row.get("errors"), dict) else {}
    error = clean(errors.get("run", ""), 300)
    if row.get("runs") is not False or not error:
        return []
    title = f"{clean(row.get('name', ''), 60)} ({clean(row.get('device_name', ''))})"
    architectures = [clean(a, 40) for a in _answers(context.asked).get("arch_list") or []][:40]
    if re.search(r"no kernel image|invalid device function|not compatible", error, re.IGNORECASE) or (
        architectures and lacks_kernels(row, architectures)
    ):
        return [
            {
                "code": "framework_cannot_run",
                "message": f"{name} sees {title} but has no kernels for it: built for"
                f" {', '.join(architectures) or 'other devices'}. {error}",
                "hint": "Install a newer build (or, for an old device, an older one).",
            }
        ]
    return [
        {
            "code": "framework_cannot_run",
            "message": f"{name} sees {title} but a first kernel failed: {error}",
            "hint": "Is the device in use by others, in exclusive mode, or in need of a reset?",
        }
    ]


def lacks_kernels(row: dict[str, Any], architectures: list[str]) -> bool:
    """Whether no architecture of the build runs on this device.

    Binary code (sm_90) runs on the same major version and a minor no lower; PTX (compute_90) on anything
    newer (CUDA C++ Programming Guide, binary and PTX compatibility). ROCm needs the very target.
    """
    gcn = clean(row.get("gcnArchName") or "", 60).partition(":")[0]
    if gcn:
        return gcn not in {architecture.partition(":")[0] for architecture in architectures}
    major, minor = whole(row.get("major")), whole(row.get("minor"))
    if major is None or minor is None:
        return False
    for architecture in architectures:
        found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", architecture)
        if not found:
            continue
        built = (int(found.group(2)), int(found.group(3)))
        same = built == (major, minor) or (built[0] == major and built[1] <= minor and not found.group(4))
        if same or (found.group(1) == "compute" and built <= (major, minor) and not found.group(4)):
            return False
    return True


def _memory_oddities(name: str, row: dict[str, Any]) -> list[dict[str, str]]:
    total, free = _bytes(row.get("total_memory")), _bytes(row.get("free"))
    out = []
    if total and free is not None and free > total:
        out.append(
            {
                "code": "framework_memory_contradiction",
                "message": f"{name} reports more free memory ({free / 2**30:.1f} GiB) than there is in all"
                f" ({total / 2**30:.1f} GiB) on {clean(row.get('name', ''), 60)}; that is dropped.",
                "hint": "On an APU this comes from shared memory; the total is what allocations are held to.",
            }
        )
    return out


def _errors(answers: dict[str, Any]) -> str:
    found = [clean(value, 500) for key, value in answers.items() if key.startswith("error")]
    if not found and isinstance(answers.get("warnings"), list):
        found = [clean(text, 300) for text in answers["warnings"] if re.search("CUDA|driver|HIP", str(text))][
            :1
        ]
    return "; ".join(text for text in found if text)[:1000]


def _answers(asked: dict[str, Any]) -> dict[str, Any]:
    answers = asked.get("answers")
    return answers if isinstance(answers, dict) else {}


def _rows(asked: dict[str, Any]) -> list[dict[str, Any]]:
    rows = asked.get("devices")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _bytes(value: Any) -> int | None:
    size = whole(value)
    return size if size is not None and size >= 0 else None
