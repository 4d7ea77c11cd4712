"""Made-up runs for the tests of this room: their ids say so, and none of their figures was measured."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from few import shipped_knowledge

from advisor.app import Knowledge
from advisor.evidence.fit import Problem, problem_of
from advisor.evidence.inputs import Run, run_of
from advisor.evidence.record import Record, record_of
from advisor.evidence.table import table_of_runs

Row = dict[str, Any]


def made_up(number: int, device: str, count: int, shape: tuple[int, int], work: tuple[int, int]) -> Row:
    """A run of a decoder that nobody has trained: layers and width, micro-batch and length."""
    (layers, hidden), (micro, length) = shape, work
    return {
        "id": f"made-up-{number}", "source_key": f"made-up-source-{number // 8}", "source_date": "2024-01",
        "vendor": "nvidia", "accelerator": device, "num_accelerators": count, "family": "decoder",
        "model": f"made up {layers}x{hidden}", "layers": layers, "hidden": hidden, "heads": hidden // 64,
        "vocab": 32000, "ffn_hidden": 4 * hidden, "seq_len": length, "micro_batch": micro,
        "global_batch": micro * count, "precision": "bf16", "framework": "PyTorch", "optimizer": "adamw",
        "sharding": "ddp" if count > 1 else "none", "recompute": "none", "flash_attention": True,
        "step_time_s": 1.0,
    }  # fmt: skip


def as_record(**row: Any) -> Record:
    """A row as a record; it must be one."""
    found = record_of(json.dumps(row), "line 1")
    assert isinstance(found, Record), found
    return found


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return shipped_knowledge()


@pytest.fixture(scope="session")
def record() -> Callable[..., Record]:
    """Makes a record of a row's fields."""
    return as_record


@pytest.fixture(scope="session")
def row() -> Row:
    """One good row, to be changed."""
    return made_up(1, "A100-SXM4-80GB", 8, (24, 2048), (4, 2048))


@pytest.fixture(scope="session")
def runs() -> tuple[Run, ...]:
    """36 runs: two generations, one device and eight, three networks, three sizes of work."""
    kinds = itertools.product(
        ("A100-SXM4-80GB", "H100-SXM5-80GB"), (1, 8), ((12, 768), (24, 2048), (32, 4096)),
        ((1, 512), (4, 2048), (16, 1024)),
    )  # fmt: skip
    found = [run_of(as_record(**made_up(number, *kind))) for number, kind in enumerate(kinds)]
    assert all(isinstance(run, Run) for run in found), found
    return tuple(run for run in found if isinstance(run, Run))


@pytest.fixture(scope="session")
def problem_with(knowledge: Knowledge, runs: Sequence[Run]) -> Callable[[np.ndarray], Problem]:
    """The problem of the made-up runs with these ln(seconds)."""

    def build(target: np.ndarray) -> Problem:
        return problem_of(knowledge.book, table_of_runs(knowledge.book, runs), runs, np.exp(target))

    return build
