"""The shipped font, and which characters can be printed at all.

A page of boxes cannot be found by reading the text back from the PDF, so coverage is asked of the
fonts themselves before anything is drawn.
"""

from __future__ import annotations

import atexit
import base64
import ctypes
import ctypes.util
import io
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from advisor.data.files import shipped
from advisor.errors import DataError
from advisor.render.clean import needs_no_glyph

FAMILY = "Report Sans"
"""The CSS name of the shipped font; not Inter's own name, so that an installed Inter does not mix in."""

FACES = {"report-regular.woff2": 400, "report-semibold.woff2": 600}


def shipped_faces() -> dict[int, Path]:
    """CSS weight -> file, for the faces that are there."""
    try:
        folder = shipped("templates") / "fonts"
    except DataError:
        return {}
    return {weight: folder / name for name, weight in FACES.items() if (folder / name).is_file()}


def font_face_css() -> str:
    """The @font-face rules with the fonts as data: URLs; empty when none is shipped."""
    rules = []
    for weight, path in shipped_faces().items():
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        rules.append(
            f'@font-face{{font-family:"{FAMILY}";font-weight:{weight};font-style:normal;'
            f'src:url("data:font/woff2;base64,{data}") format("woff2")}}'
        )
    return "\n".join(rules)


@lru_cache(maxsize=1)
def unpacked_folder() -> Path | None:
    """A folder with the shipped faces as plain OpenType, which the chart library measures texts with.

    Lives until the process ends. None when no font is shipped.
    """
    from fontTools.ttLib import TTFont

    faces = shipped_faces()
    if not faces:
        return None
    folder = tempfile.TemporaryDirectory(prefix="hwadvisor-fonts-")
    atexit.register(folder.cleanup)
    for path in faces.values():
        with TTFont(io.BytesIO(path.read_bytes())) as font:
            font.flavor = None
            font.save(str(Path(folder.name) / f"{path.stem}.otf"))
    return Path(folder.name)


@lru_cache(maxsize=1)
def shipped_characters() -> frozenset[str]:
    """Characters that every shipped face has. Empty when no font is shipped."""
    from fontTools.ttLib import TTFont

    covered: frozenset[str] | None = None
    for path in shipped_faces().values():
        with TTFont(io.BytesIO(path.read_bytes())) as font:
            own = frozenset(chr(code) for code in font.getBestCmap())
        covered = own if covered is None else covered & own
    return covered or frozenset()


def uncovered(text: Iterable[str]) -> frozenset[str]:
    """The characters of `text` that neither the shipped font nor any font of this system has."""
    wanted = {character for character in text if not needs_no_glyph(character)}
    missing = wanted - shipped_characters()
    return frozenset(missing - system_characters(frozenset(missing))) if missing else frozenset()


def system_characters(wanted: frozenset[str]) -> frozenset[str]:
    """Those of `wanted` that some installed font has, as fontconfig tells. Empty without fontconfig."""
    library = _fontconfig()
    if library is None:
        return frozenset()
    return frozenset(character for character in wanted if _some_font_has(library, ord(character)))


def system_font_count() -> int | None:
    """How many fonts fontconfig finds; None when there is no fontconfig."""
    library = _fontconfig()
    if library is None:
        return None
    pattern = library.FcPatternCreate()
    try:
        return _count(library, pattern)
    finally:
        library.FcPatternDestroy(pattern)


class _FontSet(ctypes.Structure):
    _fields_ = (("nfont", ctypes.c_int), ("sfont", ctypes.c_int), ("fonts", ctypes.c_void_p))


@lru_cache(maxsize=1)
def _fontconfig() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("fontconfig")
    if name is None:
        return None
    try:
        library = ctypes.CDLL(name)
    except OSError:  # found but not loadable: the same as not there, and doctor says "no fontconfig"
        return None
    pointers = ("FcPatternCreate", "FcCharSetCreate", "FcObjectSetCreate")
    for call in pointers:
        getattr(library, call).restype = ctypes.c_void_p
    library.FcFontList.restype = ctypes.POINTER(_FontSet)
    library.FcFontList.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    library.FcFontSetDestroy.argtypes = (ctypes.POINTER(_FontSet),)
    library.FcCharSetAddChar.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.FcPatternAddCharSet.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    library.FcObjectSetAdd.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    for call in ("FcPatternDestroy", "FcCharSetDestroy", "FcObjectSetDestroy"):
        getattr(library, call).argtypes = (ctypes.c_void_p,)
    return library


def _some_font_has(library: ctypes.CDLL, code: int) -> bool:
    characters = library.FcCharSetCreate()
    pattern = library.FcPatternCreate()
    try:
        library.FcCharSetAddChar(characters, code)
        library.FcPatternAddCharSet(pattern, b"charset", characters)
        return _count(library, pattern) > 0
    finally:
        library.FcPatternDestroy(pattern)
        library.FcCharSetDestroy(characters)


def _count(library: ctypes.CDLL, pattern: int) -> int:
    objects = library.FcObjectSetCreate()
    library.FcObjectSetAdd(objects, b"file")  # fontconfig lists the distinct values of what is asked for
    try:
        found = library.FcFontList(None, pattern, objects)
        if not found:
            return 0
        count = int(found.contents.nfont)
        library.FcFontSetDestroy(found)
        return count
    finally:
        library.FcObjectSetDestroy(objects)
