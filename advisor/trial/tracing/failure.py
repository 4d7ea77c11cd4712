"""Why a network cannot be traced, in words for its owner."""

from __future__ import annotations


class Failure(Exception):
    """`status`: a word for it; `hint`: what to change."""

    def __init__(self, status: str, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.hint = status, reason, hint
