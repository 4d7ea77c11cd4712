"""Templates compiled once for a user, not once for a process: a third of a second of each report.

Kept beside the rules in the user's folder (advisor/store/place.py), which nobody else can have written;
jinja2 believes a file only where it is of this Python and of the template's very source.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from jinja2 import BytecodeCache

from advisor.store import place

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

_NAME = "page-"


class Compiled(BytecodeCache):
    """Where jinja2 finds and leaves the code of templates; anything wrong costs time and nothing else."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """The code of a template, if it is kept."""
        kept = place.read(_NAME + bucket.key)
        if kept is None:
            return
        try:
            bucket.load_bytecode(BytesIO(kept))
        except Exception:  # cut off or written over, which unpickling tells in many ways
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        content: Any = BytesIO()
        bucket.write_bytecode(content)
        place.write(_NAME + bucket.key, content.getvalue())
