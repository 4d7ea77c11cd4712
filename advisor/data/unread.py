"""What of a config.json no reader took up, said where an estimate rests on it."""

from __future__ import annotations

from advisor.schema import Model

UNREAD = "; fields not used: "
"""How the source of a network tells them."""


def unread_note(model: Model) -> str:
    """That fields of the network's file were not read, or ''."""
    _, found, fields = model.source.rpartition(UNREAD)
    if not found:
        return ""
    told = f"Fields of config.json that were not read: {fields}."
    return f"{told} If they change the network, this is of another one."
