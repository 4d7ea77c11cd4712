"""The checked tree of a rule expression."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expr:
    """A node of a checked expression. `op` is num, name, curve, an operator or a function name."""

    op: str
    args: tuple[Expr, ...] = ()
    number: float = math.nan
    name: str = ""

    def walk(self) -> Iterator[Expr]:
        """This node and all below, in reading order."""
        yield self
        for arg in self.args:
            yield from arg.walk()

    def names(self) -> tuple[str, ...]:
        """The names used, each once, in reading order (curves are not names)."""
        return self._named("name")

    def curves(self) -> tuple[str, ...]:
        """The curves used, each once."""
        return self._named("curve")

    def _named(self, op: str) -> tuple[str, ...]:
        # No recursion: a book asks this thousands of times, and it was a fifth of the time to load.
        found: dict[str, None] = {}
        pending = [self]
        while pending:
            node = pending.pop()
            if node.op == op:
                found[node.name] = None
            if node.args:
                pending += reversed(node.args)
        return tuple(found)
