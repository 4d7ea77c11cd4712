"""A true estimate of the shipped rules, its report, and what they are checked with: made once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "render"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import sample
from few import shipped_knowledge
from held import at
from printing import can_print

from advisor.render import render_report
from advisor.render.pdf import Data
from advisor.schema import Advice, Notice
from advisor.search.grid import Stated
from advisor.search.hardware import find_hardware
from advisor.search.one import estimate_one, place_of
from advisor.search.own import workload_from_flags


@pytest.fixture(scope="session")
def knowledge():
    return shipped_knowledge()


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


@pytest.fixture(scope="module")
def printed_once() -> Iterator[None]:
    """A document that was set before is not set again: for tests of what was edited in files that are made.

    That the same page gives the same bytes again is what test_verify.py tests, without this.
    """
    from advisor import render

    known: dict[object, tuple[bytes, list[Notice]]] = {}
    setting = render.printed

    def once(html: str, lang: str, data: Iterable[Data], when: datetime | None) -> tuple[bytes, list[Notice]]:
        key = (html, lang, tuple(data), when)
        if key not in known:
            known[key] = setting(*key)
        return known[key]

    render.printed = once
    yield
    render.printed = setting


@pytest.fixture(scope="session")
def report(real, tmp_path_factory) -> Path:
    """The PDF of the true estimate, with advice.json and HTML beside it."""
    if not can_print():
        pytest.skip("WeasyPrint or Pango is not here")
    folder = tmp_path_factory.mktemp("report")
    at(folder, real)
    render_report(real, folder)
    return folder / "report.pdf"
