"""The shipped font, and which characters can be printed at all.

A page of boxes cannot be found by reading the text back from the PDF, so coverage is asked of the
fonts themselves before anything is drawn.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import ctypes
import ctypes.util
import io
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from advisor.data.files import shipped
from advisor.errors import DataError
from advisor.render.clean import needs_no_glyph

FAMILY = "Report Sans"
"""The CSS name of the shipped font; not Inter's own name, so that an installed Inter does not mix in."""

CHINESE = f"{FAMILY} SC"
PLAIN = f"{CHINESE} Plain"
"""The regular Chinese face for what the semibold one lacks: it holds our own wording alone."""

MARKS = f"{FAMILY} Marks"
"""Quotes, dash and ellipsis as wide as Chinese sets them; before the Latin face, on Chinese pages alone."""

FACES = {"report-regular.woff2": 400, "report-semibold.woff2": 600}
CHINESE_FACES = {"report-sc-regular.woff2": 400, "report-sc-semibold.woff2": 600}
OWN_FACES = {"report-sc-own.woff2": 400, "report-sc-semibold.woff2": 600}
"""Our own Chinese wording alone, made beforehand: subsetting it for each page would take half a second."""
MARK_FACES = {"report-marks-regular.woff2": 400, "report-marks-semibold.woff2": 600}
WIDE_MARKS = frozenset("“”‘’…—")


def shipped_faces(names: Mapping[str, int] | None = None) -> dict[int, Path]:
    """CSS weight -> file, for the faces that are there; the Latin ones unless others are named."""
    try:
        folder = shipped("templates") / "fonts"
    except DataError:
        return {}
    wanted = FACES if names is None else names
    return {weight: folder / name for name, weight in wanted.items() if (folder / name).is_file()}


def font_face_css() -> str:
    """The @font-face rules with the fonts as data: URLs; empty when none is shipped."""
    return "\n".join(
        _face(FAMILY, weight, path.read_bytes(), "woff2") for weight, path in shipped_faces().items()
    )


def _face(family: str, weight: int, font: bytes, form: str) -> str:
    data = base64.b64encode(font).decode("ascii")
    return (
        f'@font-face{{font-family:"{family}";font-weight:{weight};font-style:normal;'
        f'src:url("data:font/{form};base64,{data}") format("{form}")}}'
    )


@lru_cache(maxsize=4)
def chinese_css(characters: frozenset[str], *, own: bool) -> str:
    """@font-face rules for those of `characters` that only the Chinese faces have; empty when there are none.

    `own` is for a page in our own Chinese: all of its wording goes in, and the wide quotes. Else only the
    glyphs in use do: a megabyte becomes a few kB.
    """
    wanted = (characters - shipped_characters()) & chinese_characters()
    if not wanted:
        return ""
    rules = _own_faces() if own else _faces_of(wanted)
    held = [_covered((path,)) for path in shipped_faces(OWN_FACES if own else CHINESE_FACES).values()]
    rest = frozenset(c for c in wanted if not all(c in one for one in held))
    if rest:
        regular = min(shipped_faces(CHINESE_FACES).items())[1]
        rules.append(_face(PLAIN, 400, _subset(regular, rest), "woff"))
    return "\n".join(rules)


def _own_faces() -> list[str]:
    """The faces of our own wording and of its marks, as they are shipped."""
    families = ((CHINESE, OWN_FACES), (MARKS, MARK_FACES))
    return [
        _face(family, weight, path.read_bytes(), "woff2")
        for family, names in families
        for weight, path in shipped_faces(names).items()
    ]


def _faces_of(wanted: frozenset[str]) -> list[str]:
    return [
        _face(CHINESE, weight, _subset(path, wanted & _covered((path,))), "woff")
        for weight, path in shipped_faces(CHINESE_FACES).items()
    ]


@contextlib.contextmanager
def _opened(content: bytes, path: Path) -> Iterator[Any]:
    """A face, its tables read as they are needed. Raises DataError for a damaged one."""
    from fontTools.ttLib import TTFont

    try:
        with TTFont(io.BytesIO(content), lazy=True, recalcBBoxes=False, recalcTimestamp=False) as font:
            yield font
    except Exception as error:  # what unpacks the tables has errors of its own, of any kind
        raise DataError.at(
            path, "", None, f"holds no whole font ({type(error).__name__})", "Install hwadvisor again."
        ) from error


def _subset(path: Path, characters: frozenset[str]) -> bytes:
    """A face with these characters alone, as WOFF, which is quick to write and to read again."""
    from fontTools import subset

    options = subset.Options()
    options.hinting = True  # there is none, and looking for it costs a third of the time
    options.layout_features = []
    options.drop_tables += ["GSUB", "GPOS", "GDEF"]
    options.glyph_names = False
    with _opened(path.read_bytes(), path) as font:
        subsetter = subset.Subsetter(options)
        # A face without a blank would print one as wide as a missing character between its words.
        subsetter.populate(unicodes=sorted({0x20, 0xA0, *map(ord, characters)}))
        subsetter.subset(font)
        font.flavor = "woff"
        out = io.BytesIO()
        font.save(out)
    return out.getvalue()


_WOFF = re.compile(r'url\("data:font/woff2?;base64,([A-Za-z0-9+/=]+)"\) format\("woff2?"\)')


def undated(html: str) -> str:
    """The page with its faces unpacked: WeasyPrint would write the time into those it unpacks."""
    return _WOFF.sub(lambda found: _unpacked(found[1]), html)


@lru_cache(maxsize=8)
def _unpacked(data: str) -> str:
    with _opened(base64.b64decode(data), shipped("templates") / "fonts") as font:
        font.flavor = font.flavorData = None
        out = io.BytesIO()
        font.save(out)
    plain = base64.b64encode(out.getvalue()).decode("ascii")
    return f'url("data:font/otf;base64,{plain}") format("opentype")'


@lru_cache(maxsize=1)
def unpacked_folder() -> Path | None:
    """A folder with the shipped faces as plain OpenType, which the chart library measures texts with.

    Lives until the process ends. None when no font is shipped.
    """
    faces = [*shipped_faces().values(), *shipped_faces(CHINESE_FACES).values()]
    if not faces:
        return None
    folder = tempfile.TemporaryDirectory(prefix="hwadvisor-fonts-")
    atexit.register(folder.cleanup)
    for path in faces:
        # Read lazily, tables are written as they are: the Chinese faces would take seconds otherwise.
        with _opened(path.read_bytes(), path) as font:
            font.flavor = None
            out = io.BytesIO()  # a lazy font cannot be saved under a name
            font.save(out)
        (Path(folder.name) / f"{path.stem}.otf").write_bytes(out.getvalue())
    return Path(folder.name)


@lru_cache(maxsize=1)
def shipped_characters() -> frozenset[str]:
    """Characters that every shipped Latin face has. Empty when no font is shipped."""
    return _covered(tuple(shipped_faces().values()))


@lru_cache(maxsize=1)
def chinese_characters() -> frozenset[str]:
    """Characters that the regular Chinese face has. Empty when none is shipped."""
    faces = shipped_faces(CHINESE_FACES)
    return _covered((min(faces.items())[1],)) if faces else frozenset()


@lru_cache(maxsize=8)
def _covered(paths: tuple[Path, ...]) -> frozenset[str]:
    covered: frozenset[str] | None = None
    for path in paths:
        with _opened(path.read_bytes(), path) as font:
            own = frozenset(chr(code) for code in font.getBestCmap())
        covered = own if covered is None else covered & own
    return covered or frozenset()


def uncovered(text: Iterable[str]) -> frozenset[str]:
    """The characters of `text` that neither a shipped font nor any font of this system has."""
    wanted = {character for character in text if not needs_no_glyph(character)}
    missing = wanted - shipped_characters() - chinese_characters()
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


def _loaded(name: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(name)
    except OSError:  # not there, or found and not loadable: no difference here
        return None


@lru_cache(maxsize=1)
def _fontconfig() -> ctypes.CDLL | None:
    library = _loaded("libfontconfig.so.1") if sys.platform.startswith("linux") else None
    if library is None:  # searching runs compilers, where there are any
        name = ctypes.util.find_library("fontconfig")
        library = _loaded(name) if name else None
    if library is None:  # doctor says "no fontconfig"
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
