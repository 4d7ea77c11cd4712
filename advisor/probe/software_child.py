"""Runs inside the user's own Python: what is installed, and what one framework really sees.

Usage: python software_child.py versions | torch | tensorflow | jax | mindspore

Started by path, with no package of ours importable, and written for Python 3.8 and newer. Prints one JSON
object a line, {"k": key, "v": value}, at once; {"k": "begin"} names the call about to be made, so that
after a hang or a crash the parent knows where it happened.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Callable  # noqa: UP035 - collections.abc.Callable[…] is not 3.8

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs start-up time
if TYPE_CHECKING:
    from advisor.probe import software_files
else:
    # found beside this file; then away with this folder, whose modules (network, memory, …) would
    # shadow other people's
    sys.path[:] = [HERE, *(p for p in sys.path if os.path.abspath(p or os.curdir) != HERE)]  # noqa: PTH100
    writes, sys.dont_write_bytecode = (
        sys.dont_write_bytecode,
        True,
    )  # nothing of ours in other people's caches
    import software_files

    sys.dont_write_bytecode = writes
    del sys.path[0]

FRAMEWORKS = ("torch", "tensorflow", "jax", "mindspore")
MAX_TEXT = 2000


_out = sys.stdout


def say(key: str, value: Any) -> None:
    """One answer, at once: a line that a later crash cannot take back."""
    _out.write(json.dumps({"k": key, "v": value}, default=str) + "\n")
    _out.flush()


def begin(call: str) -> None:
    """Name the call about to be made."""
    say("begin", call)


def attempt(call: str, function: Callable[[], Any]) -> tuple[Any, str]:
    """(value, "") or (None, error text): frameworks raise anything, and all of it is an answer."""
    begin(call)
    try:
        return function(), ""
    except Exception as error:  # any error a framework raises is reported, none is dropped
        return None, (type(error).__name__ + ": " + str(error))[:MAX_TEXT]


def main() -> int:
    """Answer the one question given on the command line."""
    global _out  # noqa: PLW0603 - the stream that answers go to, chosen once
    # frameworks print to standard output while they load: that goes to standard error
    _out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    question = sys.argv[1] if len(sys.argv) > 1 else ""
    asked = {
        "versions": versions,
        "torch": ask_torch,
        "tensorflow": ask_tensorflow,
        "jax": ask_jax,
        "mindspore": ask_mindspore,
    }.get(question)
    if asked is None:
        say("error", "unknown question " + repr(question))
        return 2
    asked()
    say("done", True)
    _out.close()
    return 0


# --- versions: nothing is imported ----------------------------------------------------------------------


def versions() -> None:
    """Interpreter, installed distributions, and the build notes inside the frameworks' folders."""
    say("python", {"executable": sys.executable, "version": platform.python_version(), "prefix": sys.prefix})
    say("environment", {name: os.environ[name] for name in DEVICE_VARIABLES if name in os.environ})
    say("packages", software_files.installed())
    for name in FRAMEWORKS:
        folder = software_files.package_folder(name)
        if folder:
            say("build:" + name, {"folder": folder, **software_files.build_of(name, folder)})


DEVICE_VARIABLES = """
CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES
HSA_OVERRIDE_GFX_VERSION ZE_AFFINITY_MASK ASCEND_RT_VISIBLE_DEVICES TPU_VISIBLE_CHIPS JAX_PLATFORMS
""".split()  # noqa: SIM905


PROPERTIES = """
name total_memory major minor is_integrated multi_processor_count gcnArchName pci_domain_id
pci_bus_id pci_device_id
""".split()  # noqa: SIM905


# --- torch ----------------------------------------------------------------------------------------------


def ask_torch() -> None:
    """Every device kind torch can know, each device in a line of its own."""
    folder = software_files.package_folder("torch")
    build = software_files.build_of("torch", folder) if folder else {}
    rocm = bool(build.get("hip") or build.get("rocm"))
    if rocm:
        # pytorch#133259: with pynvml importable and amdsmi not, ROCm builds raise NameError
        sys.modules["pynvml"] = None  # type: ignore[assignment]
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        _ask_torch(rocm)
    texts = [str(warning.message)[:MAX_TEXT] for warning in heard]
    if texts:
        say("warnings", texts[:10])


def _ask_torch(rocm: bool) -> None:
    torch, error = attempt("import torch", lambda: __import__("torch"))
    if torch is None:
        say("import_error", error)
        return
    say("version", str(torch.__version__))
    if software_files.package_folder("torch_npu"):
        _, error = attempt("import torch_npu", lambda: __import__("torch_npu"))
        if error:
            say("error:npu", error)
    if software_files.package_folder("habana_frameworks"):
        _, error = attempt("import habana_frameworks.torch.core", _import_habana)
        if error:
            say("error:hpu", error)
    built = getattr(torch.version, "cuda", None) or getattr(torch.version, "hip", None)
    if built or rocm:
        torch_cuda(torch, rocm)
    for kind in ("xpu", "npu", "hpu"):
        if hasattr(torch, kind):
            torch_accelerator(torch, kind)
    torch_mps(torch)


def _import_habana() -> Any:
    return __import__("habana_frameworks.torch.core")


def torch_cuda(torch: Any, rocm: bool) -> None:
    """CUDA and ROCm devices, in the order this process sees them."""
    count, error = attempt("torch.cuda.device_count()", torch.cuda.device_count)
    say("count:cuda", count)
    if error:
        say("error:cuda", error)
    _, error = attempt("torch.cuda.init()", torch.cuda.init)
    if error:
        say("error:cuda", error)
    if rocm:
        # ROCm asks amdsmi first, and a clash of two libamd_smi answers 0 (pytorch#186516)
        runtime, _ = attempt("torch._C._cuda_getDeviceCount()", torch._C._cuda_getDeviceCount)
        say("runtime_count:cuda", runtime)
        count = max(count or 0, runtime or 0)
    arches, _ = attempt("torch.cuda.get_arch_list()", torch.cuda.get_arch_list)
    say("arch_list", list(arches or []))
    for index in range(min(count or 0, 1024)):
        say("device", cuda_device(torch, index))


def cuda_device(torch: Any, index: int) -> dict[str, Any]:
    """One CUDA or ROCm device; a field that fails is left out and its error kept."""
    name = "cuda:%d" % index  # noqa: UP031
    device: dict[str, Any] = {"name": name, "errors": {}}
    props, error = attempt(
        "torch.cuda.get_device_properties(%d)" % index,  # noqa: UP031
        lambda: torch.cuda.get_device_properties(index),
    )
    if error:
        device["errors"]["properties"] = error
        return device
    for field in PROPERTIES:
        value = getattr(props, field, None)
        device[field] = value if isinstance(value, (int, float, bool, type(None))) else str(value)[:MAX_TEXT]
    device["name"], device["device_name"] = name, str(getattr(props, "name", ""))[:MAX_TEXT]
    device["uuid"] = str(getattr(props, "uuid", "") or "")[:100]
    memory_and_run(torch, torch.cuda, name, index, device)
    return device


def memory_and_run(torch: Any, module: Any, name: str, index: int, device: dict[str, Any]) -> None:
    """Free memory, and whether a kernel really runs: torch may see a device it has no kernels for."""
    if hasattr(module, "mem_get_info"):
        free, error = attempt(
            "mem_get_info(" + name + ")", lambda: [int(x) for x in module.mem_get_info(index)]
        )
        if free:
            device["free"], device["total_by_mem_get_info"] = free[0], free[1]
        else:
            device["errors"]["mem_get_info"] = error
    ran, error = attempt("a kernel on " + name, lambda: float((torch.ones(8, device=name) + 1).sum()))
    device["runs"] = ran == 16.0
    if error:
        device["errors"]["run"] = error


def torch_accelerator(torch: Any, kind: str) -> None:
    """Intel XPU, Ascend NPU, Gaudi HPU: the same few calls under another name."""
    module = getattr(torch, kind)
    available, error = attempt("torch." + kind + ".is_available()", lambda: bool(module.is_available()))
    if not available:
        if error:
            say("error:" + kind, error)
        return
    count, error = attempt("torch." + kind + ".device_count()", lambda: int(module.device_count()))
    say("count:" + kind, count)
    if error:
        say("error:" + kind, error)
    for index in range(min(count or 0, 1024)):
        say("device", accelerator_device(torch, module, kind, index))


def accelerator_device(torch: Any, module: Any, kind: str, index: int) -> dict[str, Any]:
    """One device of a kind other than CUDA."""
    name = kind + ":" + str(index)
    device: dict[str, Any] = {"name": name, "errors": {}}
    title, error = attempt("get_device_name(" + name + ")", lambda: str(module.get_device_name(index)))
    device["device_name"] = (title or "")[:MAX_TEXT]
    props, error = attempt("get_device_properties(" + name + ")", lambda: module.get_device_properties(index))
    if error:
        device["errors"]["properties"] = error
    for field in ("total_memory", "is_integrated", "max_compute_units", "driver_version"):
        value = getattr(props, field, None)
        device[field] = value if isinstance(value, (int, bool, type(None))) else str(value)[:200]
    device["uuid"] = str(getattr(props, "uuid", "") or "")[:100]
    memory_and_run(torch, module, name, index, device)
    return device


def torch_mps(torch: Any) -> None:
    """Apple's GPU: what Metal recommends as the most to use is its memory."""
    backend = getattr(torch.backends, "mps", None)
    if backend is None:
        return
    available, error = attempt("torch.backends.mps.is_available()", lambda: bool(backend.is_available()))
    if not available:
        if error:
            say("error:mps", error)
        return
    device: dict[str, Any] = {"name": "mps", "device_name": "", "is_integrated": True, "errors": {}}
    for field, call in (("total_memory", "recommended_max_memory"), ("allocated", "driver_allocated_memory")):
        function = getattr(torch.mps, call, None)  # recommended_max_memory came with torch 2.5
        if function is None:
            device["errors"][field] = "torch.mps." + call + " is not in this torch"
            continue
        device[field], error = attempt("torch.mps." + call + "()", function)
        if error:
            device["errors"][field] = error
    memory_and_run(torch, object(), "mps", 0, device)
    say("device", device)


# --- the other frameworks -------------------------------------------------------------------------------


def ask_tensorflow() -> None:
    """TensorFlow's physical devices other than the CPU."""
    tf, error = attempt("import tensorflow", lambda: __import__("tensorflow"))
    if tf is None:
        say("import_error", error)
        return
    say("version", str(tf.__version__))
    info, _ = attempt("tf.sysconfig.get_build_info()", lambda: dict(tf.sysconfig.get_build_info()))
    say("build_info", {key: str(value)[:200] for key, value in (info or {}).items()})
    devices, error = attempt("tf.config.list_physical_devices()", tf.config.list_physical_devices)
    if error:
        say("error", error)
    for found in devices or []:
        if found.device_type == "CPU":
            continue
        name = found.name.replace("/physical_device:", "")
        details, error = attempt(
            "get_device_details(" + name + ")",
            partial(tf.config.experimental.get_device_details, found),
        )
        details = details or {}
        capability = details.get("compute_capability")
        say(
            "device",
            {
                "name": name,
                "device_name": str(details.get("device_name", ""))[:MAX_TEXT],
                "capability": ".".join(str(part) for part in capability) if capability else "",
                "errors": {"details": error} if error else {},
            },
        )


def ask_jax() -> None:
    """JAX's local devices other than the CPU."""
    jax, error = attempt("import jax", lambda: __import__("jax"))
    if jax is None:
        say("import_error", error)
        return
    say("version", str(jax.__version__))
    devices, error = attempt("jax.local_devices()", jax.local_devices)
    if error:
        say("error", error)
    for found in devices or []:
        if found.platform == "cpu":
            continue
        stats, error = attempt("memory_stats()", found.memory_stats)
        stats = stats or {}
        # on a GPU bytes_limit is XLA's own share (75 %), on a TPU it is the chip's memory
        total = stats.get("bytes_limit") if found.platform == "tpu" else None
        used = stats.get("bytes_in_use")
        say(
            "device",
            {
                "name": str(found.platform) + ":" + str(found.id),
                "device_name": str(getattr(found, "device_kind", ""))[:MAX_TEXT],
                "capability": str(getattr(found, "compute_capability", "") or ""),
                "total_memory": total,
                "free": total - used if total and used is not None else None,
                "errors": {"memory_stats": error} if error else {},
            },
        )


def ask_mindspore() -> None:
    """MindSpore's devices of each target it was built for."""
    ms, error = attempt("import mindspore", lambda: __import__("mindspore"))
    if ms is None:
        say("import_error", error)
        return
    say("version", str(ms.__version__))
    hal = getattr(ms, "hal", None)
    if hal is None:
        say("error", "mindspore.hal is not in this MindSpore (it came with 2.3)")
        return
    for target in ("Ascend", "GPU"):
        available, error = attempt("is_available(" + target + ")", partial(hal.is_available, target))
        if error:
            say("error", error)
        if not available:
            continue
        count, error = attempt("device_count(" + target + ")", partial(hal.device_count, target))
        if error:
            say("error", error)
        for index in range(min(count or 0, 1024)):
            props, error = attempt(
                "get_device_properties",
                partial(hal.get_device_properties, index, target),
            )
            say(
                "device",
                {
                    "name": target + ":" + str(index),
                    "device_name": str(getattr(props, "name", ""))[:MAX_TEXT],
                    "total_memory": getattr(props, "total_memory", None),
                    "free": getattr(props, "free_memory", None),
                    "errors": {"properties": error} if error else {},
                },
            )


if __name__ == "__main__":
    sys.exit(main())
