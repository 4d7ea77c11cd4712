"""Where NVML and its binding lie, and which package owns the binding: found by looking at files alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from advisor.paths import there

LIBRARY = "libnvidia-ml.so.1"
WSL_LIBRARY = "/usr/lib/wsl/lib/libnvidia-ml.so.1"  # not on the loader's path in every distribution
PACKAGE = "nvidia-ml-py"
DEPRECATED_PACKAGE = "pynvml"
# Below the root: Debian, Red Hat, Arm servers, Arch, WSL2, Jetson, Kubernetes' device plugin, NixOS
USUAL = [
    "usr/lib/x86_64-linux-gnu",
    "usr/lib64",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib",
    "usr/lib/wsl/lib",
    "usr/lib/aarch64-linux-gnu/nvidia",
    "usr/local/nvidia/lib64",
    "run/opengl-driver/lib",
]


def binding_owner(folders: list[str]) -> dict[str, Any]:
    """Which package the module `pynvml` came with: {"package", "version", "deprecated", "file"}.

    `deprecated` is the version of the deprecated package `pynvml` where it is installed at all: it may
    shadow nvidia-ml-py, and torch warns about it. Reads the folders only; nothing is imported.
    """
    out: dict[str, Any] = {"package": "", "version": "", "deprecated": "", "file": ""}
    for folder in map(Path, folders):
        file = next((f for f in (folder / "pynvml/__init__.py", folder / "pynvml.py") if there(f)), None)
        if file is None:
            continue
        out["file"] = str(file)
        inside = file.relative_to(folder).as_posix()
        for package, version, record in _installed(folder):
            if package == DEPRECATED_PACKAGE:
                out["deprecated"] = version
            if any(line.startswith(f"{inside},") for line in record):
                out["package"], out["version"] = package, version  # asked last, the deprecated one wins
        return out
    return out


def _installed(folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Name, version and list of files of the two packages in question, where they are installed."""
    for package in (PACKAGE, DEPRECATED_PACKAGE):
        for info in _dist_infos(folder, f"{package.replace('-', '_')}-"):
            version = info.name.removesuffix(".dist-info").rpartition("-")[2]
            try:
                lines = (info / "RECORD").read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                lines = []
            yield package, version, lines


def _dist_infos(folder: Path, prefix: str) -> list[Path]:
    """The *.dist-info folders whose names begin so; none where the folder may not be listed."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are enough
    except OSError:
        return []
    return [
        folder / name for name in sorted(names) if name.startswith(prefix) and name.endswith(".dist-info")
    ]


def hint_of_library(root: Path) -> str:
    """Where an NVML library lies, by looking at files alone; "" when it is in none of the usual places."""
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if root == Path("/") else []
    for folder in (*map(Path, filter(None, folders)), *(root / name for name in USUAL)):
        if there(folder / LIBRARY):
            return str(folder / LIBRARY)
    windows = Path(os.environ.get("WINDIR", "C:/Windows")) / "System32/nvml.dll"
    return str(windows) if sys.platform == "win32" and there(windows) else ""
