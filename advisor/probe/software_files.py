"""What is installed in a Python environment, out of its files: nothing is imported.

Part of software_child.py: runs inside the user's own Python, 3.8 or newer, standard library alone.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from typing import Any

# distributions whose versions decide what can be trained, and how
PACKAGES = frozenset(
    """
torch torchvision torchaudio torch-npu torch-xla triton pytorch-triton-rocm pytorch-triton-xpu
intel-extension-for-pytorch habana-torch-plugin tensorflow tensorflow-cpu tensorflow-rocm
tensorflow-macos tensorflow-metal tf-nightly keras jax jaxlib jax-cuda12-plugin jax-cuda13-plugin
jax-rocm60-plugin jax-rocm7-plugin jax-metal libtpu libtpu-nightly flax mindspore mindspore-gpu
mindspore-ascend mindformers transformers tokenizers accelerate deepspeed peft trl datasets
diffusers safetensors sentence-transformers flash-attn bitsandbytes xformers apex transformer-engine
unsloth liger-kernel torchao torchtune torchtitan lightning pytorch-lightning ray megatron-core
colossalai vllm numpy pillow scipy nvidia-ml-py pynvml amdsmi nvidia-nccl-cu12 nvidia-nccl-cu13
nvidia-cudnn-cu12 nvidia-cudnn-cu13
""".split()  # noqa: SIM905
)


def installed() -> dict[str, str]:
    """{distribution: version} of PACKAGES, from the names of *.dist-info and *.egg-info on sys.path."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or os.curdir)  # noqa: PTH208
        except OSError:
            continue  # sys.path holds zip files and folders that are not there
        for name in names:
            if not name.endswith((".dist-info", ".egg-info")):
                continue
            parts = name.rsplit(".", 1)[0].split("-")
            plain = re.sub(r"[-_.]+", "-", parts[0]).lower()
            if plain in PACKAGES and len(parts) > 1:
                found.setdefault(plain, parts[1][:60])
    return found


def package_folder(name: str) -> str:
    """Folder of an importable package, without importing it; "" when there is none."""
    import importlib.util

    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return ""
    if spec is None or not spec.origin or spec.origin == "namespace":
        return ""
    return os.path.dirname(spec.origin)  # noqa: PTH120


def constants_in(path: str) -> dict[str, Any]:
    """{name: value} of the plain assignments in a Python file, read and not run."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            tree = ast.parse(file.read(200000))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    out = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        target = node.target if isinstance(node, ast.AnnAssign) else target
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            out[target.id] = value.value
    return out


def build_of(name: str, folder: str) -> dict[str, Any]:
    """Version and build of one framework from its own files."""
    if name == "torch":
        said = constants_in(os.path.join(folder, "version.py"))  # noqa: PTH118
        wanted = ("cuda", "hip", "rocm", "xpu", "git_version", "debug")
        return {"version": said.get("__version__"), **{key: said.get(key) for key in wanted}}
    if name == "tensorflow":
        return tensorflow_build(folder)
    if name == "jax":
        said = constants_in(os.path.join(folder, "version.py"))  # noqa: PTH118
        return {"version": said.get("_version") or said.get("__version__")}
    said = constants_in(os.path.join(folder, "version.py"))  # noqa: PTH118
    try:
        plugins = sorted(os.listdir(os.path.join(folder, "lib", "plugin")))  # noqa: PTH118, PTH208
    except OSError:
        plugins = []
    return {"version": said.get("__version__"), "plugins": plugins[:20]}


def tensorflow_build(folder: str) -> dict[str, Any]:
    """What the generated build_info.py of TensorFlow says, read as text."""
    path = os.path.join(folder, "python", "platform", "build_info.py")  # noqa: PTH118
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            text = file.read(20000)
    except OSError:
        text = ""
    said = {}
    for key in ("cuda_version", "cudnn_version", "is_cuda_build", "is_rocm_build", "rocm_version"):
        match = re.search("[\"']?" + key + "[\"']?\\s*[:=,]\\s*[\"']?([\\w.]+)", text)
        said[key] = match.group(1) if match else None
    return said
