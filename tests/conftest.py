"""Fixtures that several rooms share: the fake NVML, compiled once a session."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from few import little_knowledge
from hypothesis import settings

from advisor.probe.merge import machine_of
from advisor.probe.run import Job, Place, Raw, gather
from advisor.schema import Machine

# The same examples each time: what fails here fails everywhere. HYPOTHESIS_PROFILE=default looks for others.
settings.register_profile("same", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


MEASURING = (
    "tests/test_scan.py", "tests/test_wheel.py", "tests/cli/test_calibrate_command.py",
    "tests/calibrate/test_contention.py", "tests/calibrate/test_run.py",
)  # fmt: skip
"""They time this machine, and would disturb each other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first."""
    items.sort(key=lambda item: not item.nodeid.startswith(MEASURING))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file stays on one worker, for the fixtures it shares; all that measures is like one file."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "measuring" if nodeid.startswith(MEASURING) else nodeid.partition("::")[0]

    return Files(config, log)


@pytest.fixture(scope="session", autouse=True)
def _store_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is kept for the next process lies in a folder of the tests', not in the home of who runs them."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    os.environ["HWADVISOR_STORE"] = str(shared / "store")
    os.environ["XDG_DATA_HOME"] = str(base / "data")  # nor is the user's own folder of rules read


@pytest.fixture(scope="session", autouse=True)
def _drawn_once() -> Iterator[None]:
    """A chart that was drawn before in this process is not drawn again: the same text of the same chart.

    That drawing it again gives that text is tested of the drawing itself (test_render_charts.py).
    """
    from advisor.render import vega

    drawn: dict[str, str] = {}
    draw = vega.svg

    def once(chart: Any, config: dict[str, Any]) -> str:
        key = json.dumps((chart if isinstance(chart, dict) else chart.to_dict(), config))
        if key not in drawn:
            drawn[key] = draw(chart, config)
        return drawn[key]

    once.draw = draw  # type: ignore[attr-defined]
    vega.svg = once
    yield
    vega.svg = draw


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans in this process estimate two workloads on a few devices: enough where it is no matter which."""
    small = little_knowledge()
    monkeypatch.setattr("advisor.app.load_knowledge", lambda *_: small)


SOURCE = Path(__file__).parent / "fakes/nvml.c"


@pytest.fixture(scope="session")
def nvml_builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders that hold the fake libnvidia-ml.so.1: as the binding knows it, and as an older driver's."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for the fake libnvidia-ml")
    folders = {}
    for name, flags in (("new", []), ("old", ["-DOLD"])):
        folders[name] = tmp_path_factory.mktemp(f"nvml-{name}")
        target = folders[name] / "libnvidia-ml.so.1"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", *flags, "-o", target, SOURCE], check=True)
    return folders


@dataclass
class FakeNvml:
    """The fake library put first on the loader's path; `case` writes the table it answers from."""

    folders: dict[str, Path]
    tmp: Path
    monkeypatch: pytest.MonkeyPatch

    def case(self, *tables: str, old: bool = False) -> None:
        """The lines to answer from, the first that fits wins."""
        file = self.tmp / "case.txt"
        file.write_text("\n".join(tables) + "\n", encoding="utf-8")
        folder = str(self.folders["old" if old else "new"])
        rest = os.environ.get("LD_LIBRARY_PATH", "")
        self.monkeypatch.setenv("LD_LIBRARY_PATH", f"{folder}:{rest}" if rest else folder)
        self.monkeypatch.setenv("FAKE_NVML", str(file))
        self.monkeypatch.setenv("FAKE_NVML_LOG", str(self.tmp / "calls.log"))

    def calls(self) -> list[str]:
        """What was asked, in order."""
        return (self.tmp / "calls.log").read_text(encoding="utf-8").splitlines()

    def raw(self, deadline_s: float = 5.0, root: Path = Path("/")) -> Raw:
        """The raw answers of the NVIDIA probe alone, run in its child by the real runner."""
        return gather([Job("nvidia", ("nvidia",), deadline_s)], Place(root=root))

    def machine(self, deadline_s: float = 5.0, root: Path = Path("/")) -> Machine:
        """What the NVIDIA probe alone makes of it."""
        return machine_of(self.raw(deadline_s, root))


@pytest.fixture
def fake_nvml(nvml_builds: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """A fake NVML library for this test."""
    return FakeNvml(nvml_builds, tmp_path, monkeypatch)
