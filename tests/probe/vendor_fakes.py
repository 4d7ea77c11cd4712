"""Fakes for the vendor probes: tools first on PATH, trees below a root, a listener for a probe's answers."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

from advisor.probe.facts import CallSkipped
from advisor.schema import Machine

FIXTURES = Path(__file__).parents[1] / "fixtures/tools"
MODULES = Path(__file__).parents[1] / "fakes/modules"


class Heard:
    """A `Say` that keeps what it hears, and leaves out the calls named in `skip`, as a second look does."""

    def __init__(self, skip: str = "") -> None:
        self.raw: dict[str, Any] = {}
        self.begun: list[str] = []
        self.skip = skip

    def __call__(self, key: str, value: Any) -> None:
        self.raw[key] = value

    def begin(self, call: str, *, needed: bool = False) -> None:
        del needed
        if self.skip and self.skip in call:
            raise CallSkipped("timeout", f"{call} gave no answer within 5 s")
        self.begun.append(call)


def tree(root: Path, files: dict[str, str]) -> Path:
    """Write {path below root: text}; a path that ends in "/" becomes a folder."""
    for name, text in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return root


def pci(address: str, kind: str, vendor: str, device: str, driver: str = "") -> dict[str, str]:
    """The sysfs files of one PCI function."""
    base = f"sys/bus/pci/devices/{address}"
    return {
        f"{base}/class": f"0x{kind}00\n",
        f"{base}/vendor": f"0x{vendor}\n",
        f"{base}/device": f"0x{device}\n",
        f"{base}/uevent": (f"DRIVER={driver}\n" if driver else "") + f"PCI_SLOT_NAME={address}\n",
    }


def tool(folder: Path, name: str, body: str) -> Path:
    """An executable shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)
    return path


def printing(folder: Path, name: str, file: Path) -> Path:
    """A tool that prints one recorded output whatever it is asked."""
    return tool(folder, name, f"cat {shlex.quote(str(file))}\n")


def npu_smi(folder: Path, case: str) -> Path:
    """A npu-smi that answers with the files of a recorded case, named by its arguments; else it fails."""
    files = shlex.quote(str(FIXTURES / "npu-smi" / case))
    return tool(
        folder,
        "npu-smi",
        f'f={files}/$(echo "$*" | tr " " "_").txt\n'
        'if [ -f "$f" ]; then cat "$f"; else echo "This device does not support $*" >&2; exit 1; fi\n',
    )


def path_with(folder: Path) -> str:
    """PATH with `folder` first and the system's own folders behind it."""
    return os.pathsep.join([str(folder), "/usr/bin", "/bin"])


def asked(module: ModuleType, root: Path, skip: str = "") -> tuple[dict[str, Any], Machine]:
    """What a probe says under `root`: raw answers (through JSON, as they are stored) and the Machine."""
    heard = Heard(skip)
    module.read(root, heard)
    raw = json.loads(json.dumps(heard.raw))
    return raw, machine(module.parse(raw))


def machine(partial: dict[str, Any]) -> Machine:
    """A partial answer as a valid Machine."""
    return Machine.model_validate({"probed_at": "2026-01-01T00:00:00+00:00", **partial})
