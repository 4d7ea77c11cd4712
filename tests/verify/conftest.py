"""A true estimate of the shipped rules, its report, and what they are checked with: made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "render"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import sample
from held import at
from printing import can_print

from advisor.app_knowledge import load_knowledge
from advisor.render import render_report
from advisor.schema import Advice
from advisor.search.grid import Stated
from advisor.search.hardware import find_hardware
from advisor.search.one import estimate_one, place_of
from advisor.search.own import workload_from_flags


@pytest.fixture(scope="session")
def knowledge():
    return load_knowledge(())


@pytest.fixture(scope="session")
def real(knowledge) -> Advice:
    """A true estimate of the shipped rules."""
    from advisor.search import accelerator_figures

    job = workload_from_flags(knowledge.catalogue, "gpt2-124m", tokens=1e9)
    found = find_hardware(knowledge.catalogue, "2 x nvidia-h100-sxm5-80gb")
    place = place_of(found.entry, found.packages, found.nodes)
    one = estimate_one(knowledge.book, job, place, Stated(), knowledge.published, traced=True)
    return Advice(
        stage="complete", created_at=sample.WHEN, command="estimate", versions=knowledge.versions(),
        workloads=(job,),
        estimates=(one.estimate,), trace=one.trace,
        accelerators=accelerator_figures(knowledge.catalogue, (one.estimate,)),
    )  # fmt: skip


@pytest.fixture(scope="session")
def report(real, tmp_path_factory) -> Path:
    """The PDF of the true estimate, with advice.json and HTML beside it."""
    if not can_print():
        pytest.skip("WeasyPrint or Pango is not here")
    folder = tmp_path_factory.mktemp("report")
    at(folder, real)
    render_report(real, folder)
    return folder / "report.pdf"
