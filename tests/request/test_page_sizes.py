"""The sizes of a request's page are those that its job file asks for."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import made

from advisor.render.request_page import attached, request_html
from advisor.request import Options, Site, build, pick
from advisor.units import GIB


@pytest.mark.parametrize("scheduler", ["slurm", "k8s"])
def test_room_and_memory_are_the_whole_gib_of_the_file(scheduler: str) -> None:
    """314 GiB stood on the page and 315 in the file, which rounds up."""
    held = made.advice()
    job = build(pick(held), Site(), Options(), scheduler=scheduler)
    exact = (job.needs["disk"].value or 0.0) / GIB
    assert exact < (job.disk_gib or 0), "the size asked for is a rounded one here"
    page = re.sub(r"<[^>]+>", "", request_html(held, job, attached(held, {}, {})))
    rows = {name: page[page.index(name) :][:60] for name in ("Room for checkpoints", "Main memory of a node")}
    for name, size in (("Room for checkpoints", job.disk_gib), ("Main memory of a node", job.memory_gib)):
        assert re.search(rf"(?<!\d){size} GiB", rows[name]), rows[name]
