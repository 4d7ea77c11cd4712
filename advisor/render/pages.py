"""What decides whether two documents of the same data must be the same: a digest of all that writes pages."""

from __future__ import annotations

import hashlib
import sys
import zlib
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from advisor import __version__
from advisor.data.files import shipped

_CODE = (Path(__file__).parent, Path(__file__).parent.parent / "units")
_DRAWS = ("jinja2", "markupsafe", "altair", "vl-convert-python", "fonttools", "brotli")
_PRINTS = ("weasyprint", "pydyf", "tinycss2", "tinyhtml5", "cssselect2", "pyphen", "pillow")


@lru_cache(maxsize=1)
def digest() -> str:
    """Twelve hexadecimal digits of the templates, languages, fonts and code that write pages."""
    templates = shipped("templates")
    found = [(path.relative_to(templates).as_posix(), path) for path in templates.rglob("*")]
    found += [(f"{folder.name}/{path.name}", path) for folder in _CODE for path in folder.glob("*.py")]
    errors = shipped("rules").joinpath("evidence", "errors.json")  # which pages print
    found.append((errors.name, errors))
    whole = hashlib.sha256()
    for name, path in sorted(found):
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            whole.update(f"{name}\0{len(content)}\0".encode())
            whole.update(content)
    return whole.hexdigest()[:12]


@lru_cache(maxsize=2)
def libraries(*, paged: bool) -> str:
    """Eight hexadecimal digits of the versions of all that shapes a document's bytes and is not ours.

    Other libraries set lines, subset fonts and draw charts otherwise: without them in the name of what made
    a document, an honest one from another computer could not be told from an edited one.
    """
    found = [f"{name} {_version(name)}" for name in (*_DRAWS, *(_PRINTS if paged else ()))]
    found += [f"python {sys.version_info[0]}.{sys.version_info[1]}", f"zlib {zlib.ZLIB_RUNTIME_VERSION}"]
    if paged:
        found.append(f"pango {_pango()}")
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:8]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def _pango() -> str:
    from advisor.errors import MissingLibrary
    from advisor.render.pdf import load_weasyprint

    try:
        load_weasyprint()
    except MissingLibrary:
        return "none"  # then no PDF is made
    from weasyprint.text.ffi import pango

    return str(pango.pango_version())


def generator(*, paged: bool = False) -> str:
    """What a document says it was made by: two that say the same of the same data are the same bytes."""
    return f"hwadvisor {__version__}, pages {digest()}, libraries {libraries(paged=paged)}"
