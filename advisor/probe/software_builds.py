"""Version and build of a framework from its files: "2.13.0+cpu" built for "cpu", "cuda 13.0", "rocm 6.4"."""

from __future__ import annotations

import re
from typing import Any

from advisor.probe.facts import none, ok
from advisor.probe.reading import clean

DISTRIBUTIONS = {
    "torch": ("torch",),
    "tensorflow": ("tensorflow", "tensorflow-rocm", "tensorflow-cpu", "tensorflow-macos", "tf-nightly"),
    "jax": ("jax",),
    "mindspore": ("mindspore", "mindspore-ascend", "mindspore-gpu"),
}


def version_fact(
    name: str, build: dict[str, Any], packages: dict[str, str], asked: dict[str, Any]
) -> dict[str, Any]:
    """What the framework's own file says, else the installed distribution, else the import."""
    if build.get("version"):
        return ok(clean(build["version"], 60), f"{name}/version.py")
    for distribution in DISTRIBUTIONS[name]:
        if distribution in packages:
            return ok(packages[distribution], f"{distribution}.dist-info")
    answers = asked.get("answers")
    if isinstance(answers, dict) and answers.get("version"):
        return ok(clean(answers["version"], 60), f"{name}.__version__")
    return none("failed", f"{name}/version.py", f"{name} is there but tells no version")


def build_fact(
    name: str,
    build: dict[str, Any],
    packages: dict[str, str],
    cann: dict[str, Any],
    hints: dict[str, str],
) -> dict[str, Any]:
    """What the framework was built for."""
    made = {
        "torch": _torch,
        "tensorflow": _tensorflow,
        "jax": _jax,
        "mindspore": _mindspore,
    }[name](build, packages)
    if name == "torch" and "torch-npu" in packages:
        toolkit = clean(next(iter(cann.values()), ""), 60)
        made = f"cann {toolkit}".strip(), "torch-npu.dist-info"
    if name == "torch" and made[0] == "cpu" and "apple" in hints:
        return ok("mps", "every macOS build has MPS")  # cuda, hip and xpu are all absent in them
    return ok(*made) if made[0] else none("failed", made[1], f"{name} does not say what it was built for")


def _torch(build: dict[str, Any], packages: dict[str, str]) -> tuple[str, str]:
    source = "torch/version.py"
    for key, called in (("cuda", "cuda"), ("hip", "rocm"), ("rocm", "rocm"), ("xpu", "xpu")):
        if build.get(key):
            version = str(build.get("rocm") or build[key]) if key == "hip" else str(build[key])
            short = re.match(r"\d+(?:\.\d+)?", version)
            return f"{called} {short.group() if short else clean(version, 40)}", source
    if "habana-torch-plugin" in packages:
        return f"hpu {packages['habana-torch-plugin']}", "habana-torch-plugin.dist-info"
    return ("cpu", source) if "cuda" in build else ("", source)


def _tensorflow(build: dict[str, Any], packages: dict[str, str]) -> tuple[str, str]:
    source = "tensorflow/python/platform/build_info.py"
    if str(build.get("is_rocm_build")) == "True" or "tensorflow-rocm" in packages:
        return f"rocm {clean(build.get('rocm_version') or '', 40)}".strip(), source
    if str(build.get("is_cuda_build")) == "True":
        return f"cuda {clean(build.get('cuda_version') or '', 40)}".strip(), source
    if "tensorflow-metal" in packages:
        return "metal", "tensorflow-metal.dist-info"
    if str(build.get("is_cuda_build")) == "False" or "tensorflow-cpu" in packages:
        return "cpu", source
    return "", source


def _jax(build: dict[str, Any], packages: dict[str, str]) -> tuple[str, str]:
    del build
    for distribution, version in packages.items():
        found = re.fullmatch(r"jax-(cuda|rocm)(\d+)-plugin", distribution)
        if found:
            digits = found.group(2)
            number = f"{digits[0]}.{digits[1:]}" if found.group(1) == "rocm" and len(digits) > 1 else digits
            return f"{found.group(1)} {number}", f"{distribution}.dist-info"
        if distribution in {"libtpu", "libtpu-nightly"}:
            return f"tpu {version}", f"{distribution}.dist-info"
        if distribution == "jax-metal":
            return "metal", "jax-metal.dist-info"
    return "cpu", "no jax plugin is installed"


def _mindspore(build: dict[str, Any], packages: dict[str, str]) -> tuple[str, str]:
    del packages
    source = "mindspore/lib/plugin"
    plugins = [str(plugin).lower() for plugin in build.get("plugins") or []]
    if any("ascend" in plugin for plugin in plugins):
        return "cann", source
    gpu = next((plugin for plugin in plugins if plugin.startswith("gpu")), "")
    if gpu:
        return f"cuda {gpu[3:].lstrip('-_.') or ''}".strip(), source
    return ("cpu", source) if plugins else ("", source)
