"""The rules of the caching allocator that samples of differing length are replayed through."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).resolve().parent.parent / "tools" / "replay_allocator.py"
MIB = 2**20


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replay_allocator", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_segments_have_the_sizes_of_the_allocator(tool: ModuleType) -> None:
    memory = tool.Allocator()
    memory.take(1000)
    assert (memory.live, memory.reserved) == (1024, 2 * MIB)
    memory.take(3 * MIB)
    assert memory.reserved == 22 * MIB
    memory.take(2 * MIB)
    assert memory.reserved == 22 * MIB  # what is left of the 20 MiB
    memory.take(15 * MIB + 1)
    assert memory.reserved == 38 * MIB  # a segment of its own, in steps of 2 MiB


def test_neighbours_are_joined_and_taken_again(tool: ModuleType) -> None:
    memory = tool.Allocator()
    blocks = [memory.take(5 * MIB) for _ in range(4)]
    for at in (0, 2, 1, 3):
        memory.give(blocks[at])
    assert memory.live == 0
    whole = memory.take(20 * MIB)
    assert memory.reserved == 20 * MIB and whole.size == 20 * MIB


def test_a_free_block_that_is_too_small_stays_reserved(tool: ModuleType) -> None:
    memory = tool.Allocator()
    memory.give(memory.take(30 * MIB))
    memory.take(32 * MIB)
    assert (memory.live, memory.reserved) == (32 * MIB, 62 * MIB)


def test_rising_lengths_keep_more_than_equal_ones(tool: ModuleType) -> None:
    shape = (3, 256, 1024, 8000)
    equal = tool.replay(shape, [2048] * 4)
    rising = tool.replay(shape, [600, 900, 1300, 1700, 2048])
    assert 1 <= equal < 1.6
    assert rising > equal + 0.3
    assert tool.replay(shape, [2048, 600, 900, 1300]) == pytest.approx(equal)  # the longest first


def test_lengths_are_of_the_asked_mean_and_none_is_longer(tool: ModuleType) -> None:
    drawn = tool.lengths(1000, 300, 4000, 2000, 1)
    assert len(drawn) == 2000 and max(drawn) <= 4000
    assert sum(drawn) / 2000 == pytest.approx(1000, rel=0.05)
