"""What decides whether two documents of the same data must be the same: a digest of all that writes pages."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from advisor import __version__
from advisor.data.files import shipped

_CODE = (Path(__file__).parent, Path(__file__).parent.parent / "units")
_DIGEST = re.compile(r"pages ([0-9a-f]{12})")


@lru_cache(maxsize=1)
def digest() -> str:
    """Twelve hexadecimal digits of the templates, languages, fonts and code that write pages."""
    templates = shipped("templates")
    found = [(path.relative_to(templates).as_posix(), path) for path in templates.rglob("*")]
    found += [(f"{folder.name}/{path.name}", path) for folder in _CODE for path in folder.glob("*.py")]
    whole = hashlib.sha256()
    for name, path in sorted(found):
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            whole.update(f"{name}\0{len(content)}\0".encode())
            whole.update(content)
    return whole.hexdigest()[:12]


def generator() -> str:
    """What a document says it was made by."""
    return f"hwadvisor {__version__}, pages {digest()}"


def same(generator_text: str | None) -> bool:
    """Whether these very pages made a document, by what it says; one that says nothing is held to them."""
    found = _DIGEST.search(generator_text or "")
    return found is None or found[1] == digest()
