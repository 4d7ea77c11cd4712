"""How much an allocator reserves where samples differ in length: python tools/replay_allocator.py

Replays the allocations of training steps (a decoder whose blocks are recomputed, adapters, one sample a pass)
through the rules of torch's caching allocator for devices: sizes in steps of 512 B; below 1 MiB from segments
of 2 MiB, below 10 MiB from segments of 20 MiB, larger ones from segments of their own in steps of 2 MiB; the
smallest free block that is large enough is taken and split; blocks are joined with free neighbours
(github:pytorch/pytorch c10/cuda/CUDACachingAllocator.cpp). Prints what is reserved beyond what samples of one
length take, over the bytes that are live: `holes_of_lengths` in rules/memory/device.toml is the mean of the
spreads, its ends their mean ends. No device and no torch is needed; it takes some minutes.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

MIB = 2**20
SMALL, MIDDLE = MIB, 10 * MIB
FEWEST = 64  # tokens of a sample
Shape = tuple[int, int, int, int]
SHAPES: dict[str, Shape] = {  # blocks, width, inner width, vocabulary
    "1.8B, 152 k words": (24, 2048, 5504, 151936),
    "7B, 32 k words": (32, 4096, 14336, 32000),
    "6B, 64 k words": (32, 4096, 11008, 64000),
    "14B, 152 k words": (40, 5120, 13696, 152064),
}
SPREADS = (  # mean, deviation and longest of the tokens of samples, the longer left out
    (500, 500, 2048), (1000, 500, 4096), (300, 300, 512), (700, 300, 1024), (600, 200, 1024),
    (1500, 1500, 4096), (2000, 1500, 2048), (3234, 2547, 1024), (3234, 2547, 4096), (3234, 2547, 8192),
)  # fmt: skip


@dataclass
class Block:
    """A piece of a segment, with its neighbours there."""

    size: int
    free: bool
    small: bool
    before: Block | None = None
    after: Block | None = None


@dataclass
class Allocator:
    """Live and reserved bytes of one device, and their peaks."""

    live: int = 0
    reserved: int = 0
    live_peak: int = 0
    reserved_peak: int = 0
    serial: int = 0
    pools: dict[bool, list[tuple[int, int, Block]]] = field(default_factory=lambda: {True: [], False: []})

    def take(self, number: float) -> Block:
        """A block of at least so many bytes."""
        size = max(512, math.ceil(number / 512) * 512)
        small = size <= SMALL
        pool = self.pools[small]
        at = bisect.bisect_left(pool, (size, -1))
        block = pool.pop(at)[2] if at < len(pool) else self._segment(size, small)
        rest = block.size - size
        if rest >= 512 if small else rest > SMALL:
            remainder = Block(rest, True, small, block, block.after)
            if block.after is not None:
                block.after.before = remainder
            block.after, block.size = remainder, size
            self._keep(remainder)
        block.free = False
        self.live += block.size
        self.live_peak = max(self.live_peak, self.live)
        return block

    def give(self, block: Block) -> None:
        """Free a block and join it with free neighbours."""
        self.live -= block.size
        block.free = True
        for other, front in ((block.before, True), (block.after, False)):
            if other is not None and other.free:
                self._drop(other)
                block.size += other.size
                if front:
                    block.before = other.before
                    if other.before is not None:
                        other.before.after = block
                else:
                    block.after = other.after
                    if other.after is not None:
                        other.after.before = block
        self._keep(block)

    def _keep(self, block: Block) -> None:
        self.serial += 1
        bisect.insort(self.pools[block.small], (block.size, self.serial, block))

    def _drop(self, block: Block) -> None:
        pool = self.pools[block.small]
        at = bisect.bisect_left(pool, (block.size, -1))
        while pool[at][2] is not block:
            at += 1
        del pool[at]

    def _segment(self, size: int, small: bool) -> Block:
        whole = 2 * MIB if small else 20 * MIB if size < MIDDLE else math.ceil(size / (2 * MIB)) * 2 * MIB
        self.reserved += whole
        self.reserved_peak = max(self.reserved_peak, self.reserved)
        return Block(whole, False, small)


def step(memory: Allocator, shape: Shape, tokens: int) -> None:
    """One forward and backward pass of so many tokens, bf16, every block recomputed, scores in fp32."""
    layers, width, inner, words = shape
    row, wide = tokens * width, tokens * inner

    def block(keep: bool) -> list[Block]:
        """Tensors of one block's forward pass: those kept where it is about to be run back."""
        kept: list[Block] = []
        for half in ([row, row, row], [wide, wide, wide]):
            copy = memory.take(4 * row)  # normalisation in fp32, and what goes into the projections
            scaled = memory.take(4 * row)
            normal = memory.take(2 * row)
            inside = [memory.take(2 * one) for one in half]
            out = memory.take(2 * row)
            kept += [copy, normal, *inside, out] if keep else []
            for one in [scaled] if keep else [copy, scaled, normal, *inside, out]:
                memory.give(one)
        return kept

    inputs = []
    for _ in range(layers):
        inputs.append(memory.take(2 * row))
        block(keep=False)
    last = memory.take(2 * row)
    half = memory.take(2 * tokens * words)
    full = memory.take(4 * tokens * words)
    memory.give(half)
    shifted = memory.take(4 * (tokens - 1) * words)
    logarithms = memory.take(4 * (tokens - 1) * words)
    memory.give(full)
    picked = memory.take(4 * (tokens - 1) * words)
    memory.give(shifted)
    gradient = memory.take(4 * (tokens - 1) * words)
    for one in (picked, logarithms):
        memory.give(one)
    padded = memory.take(4 * tokens * words)
    memory.give(gradient)
    half = memory.take(2 * tokens * words)
    memory.give(padded)
    back = memory.take(2 * row)
    for one in (half, last):
        memory.give(one)
    for one in reversed(inputs):
        kept = block(keep=True)
        grads = [memory.take(2 * wide), memory.take(2 * wide), memory.take(2 * row)]
        for other in [*reversed(kept), *grads[:2], back, one]:
            memory.give(other)
        back = grads[2]
    memory.give(back)


def lengths(mean: float, spread: float, longest: int, count: int, seed: int) -> list[int]:
    """Tokens of samples: lognormal, those beyond the longest left out."""
    sigma = math.sqrt(math.log1p((spread / mean) ** 2))
    drawn = np.random.default_rng(seed).lognormal(math.log(mean) - sigma**2 / 2, sigma, count * 60)
    return [int(one) for one in drawn if FEWEST <= one <= longest][:count]


def replay(shape: Shape, sizes: Sequence[int]) -> float:
    """Peak of reserved over peak of live bytes, beside the weights, where the device has room."""
    memory = Allocator()
    for size in sizes:
        step(memory, shape, size)
    return memory.reserved_peak / memory.live_peak


def main() -> None:
    """Print what is kept beyond equal lengths for each spread, over the mean length, and all together."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--orders", type=int, default=2)
    options = parser.parse_args()
    equal = {name: replay(shape, [4096] * 5) for name, shape in SHAPES.items()}
    print("equal lengths: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in equal.items()))
    every: list[list[float]] = []
    for mean, spread, longest in SPREADS:
        found = []
        for (name, shape), seed in itertools.product(SHAPES.items(), range(options.orders)):
            sizes = lengths(mean, spread, longest, options.steps, seed + 1)
            share = float(np.mean(sizes)) / longest
            found.append((replay(shape, sizes) / equal[name] - 1) / share)
        every.append([float(one) for one in np.quantile(found, (0.1, 0.5, 0.9))])
        low, middle, high = every[-1]
        print(f"{mean} +- {spread} up to {longest}: mean {share:.2f} of the longest; holes over it "
              f"{middle:.2f} ({low:.2f} to {high:.2f})", flush=True)  # fmt: skip
    low, middle, high = np.mean(every, axis=0)
    print(f"mean of the spreads: {middle:.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
