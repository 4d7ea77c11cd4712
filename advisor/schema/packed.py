"""The short form of a stored advice: what stands in it often stands once, in `shared`.

Wherever the key "$" stands, the object is item n of `shared` with the other keys laid over it; an object of
"$" alone is the item itself, whatever it is. {"$": [n, 3.0, 2.5, 4.0]} lays `value`, `low` and `high` over
it, as far as they are given. Items may rest on earlier items. Keys that are left out have their defaults.
"""

from __future__ import annotations

from typing import Any

SHARED, MARK = "shared", "$"
FIGURES = ("value", "low", "high")
MOST_NODES = 10_000_000
"""Of the long form. A scan has half a million; a short file that unfolds into more was made to do harm."""

_DEEPEST = 100  # levels; an advice has a dozen


def unpack(document: dict[str, Any]) -> dict[str, Any]:
    """The long form of a document; as it is where nothing is shared. Raises ValueError for false references.

    What is shared is the same object wherever it stands: do not change it in place.
    """
    if SHARED not in document:
        return document
    listed = document[SHARED]
    if not isinstance(listed, list):
        raise ValueError("shared is no list")
    reader = _Reader()
    for item in listed:
        found, nodes = reader.read(item)
        reader.items.append(found)
        reader.nodes.append(nodes)
    rest = {key: value for key, value in document.items() if key != SHARED}
    whole: dict[str, Any] = reader.read(rest)[0]
    return whole


class _Reader:
    """Items read so far, each with the number of nodes it unfolds into."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.nodes: list[int] = []

    def read(self, value: Any, depth: int = 0) -> tuple[Any, int]:
        """The long form of a value and its size."""
        if depth > _DEEPEST:
            raise ValueError("is nested too deeply")
        if isinstance(value, list):
            found, size = [], 1
            for one in value:
                # Most are texts and figures: a call for each would take half the time of reading a file.
                part, nodes = self.read(one, depth + 1) if isinstance(one, (dict, list)) else (one, 1)
                found.append(part)
                size += nodes
            return found, self._within(size)
        return self._object(value, depth) if isinstance(value, dict) else (value, 1)

    def _object(self, value: dict[str, Any], depth: int) -> tuple[Any, int]:
        """An object, laid over what it refers to."""
        base: Any = {}
        size = 1
        own = value
        if MARK in value:
            number = value[MARK]
            own = {key: one for key, one in value.items() if key != MARK}
            if isinstance(number, list):
                number, *figures = number
                if len(figures) > len(FIGURES):
                    raise ValueError("more figures laid over a shared item than there are")
                own.update(zip(FIGURES, figures, strict=False))
            base, nodes = self._item(number)
            size += nodes
            if not own:
                return base, self._within(size)
            if not isinstance(base, dict):
                raise ValueError("keys laid over a shared item that has none")
        whole = dict(base)
        for key, one in own.items():
            part, nodes = self.read(one, depth + 1) if isinstance(one, (dict, list)) else (one, 1)
            whole[key] = part
            size += nodes
        return whole, self._within(size)

    def _item(self, number: object) -> tuple[Any, int]:
        if type(number) is not int or not 0 <= number < len(self.items):
            raise ValueError(f"{number!r} is no earlier item of shared")
        return self.items[number], self.nodes[number]

    @staticmethod
    def _within(size: int) -> int:
        if size > MOST_NODES:
            raise ValueError("unfolds into more than any advice has")
        return size
