"""HTML text to PDF: WeasyPrint with a fetcher that knows data: alone, PDF/A-3a, advice.json attached."""

from __future__ import annotations

import contextlib
import ctypes.util
import gc
import io
import logging
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from advisor.errors import MissingLibrary
from advisor.render import fonts
from advisor.render.clean import clean
from advisor.render.fonts import FAMILY

VARIANT = "pdf/a-3a"
LEAST_WEASYPRINT = 70  # from 70.0 on the fetcher also guards stylesheets and attachments
_UNDATED = datetime(2000, 1, 1, tzinfo=UTC)

LINUX_PACKAGES = "apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"


def install_hint(platform: str = sys.platform) -> str:
    """The command that installs the system libraries WeasyPrint loads."""
    if platform == "darwin":
        return "brew install pango"
    if platform == "win32":
        return "pacman -S mingw-w64-x86_64-pango (in MSYS2), then run again"
    return LINUX_PACKAGES


def load_weasyprint() -> Any:
    """The module, at least version 70. Raises MissingLibrary with the command that mends it."""
    # On a missing library weasyprint prints a page of advice to stdout, which may be carrying JSON.
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            # A missing harfbuzz-subset and a lack of fonts are told by `check`.
            warnings.simplefilter("ignore")
            try:
                with _by_full_names():
                    import weasyprint
            except OSError:  # none of them where the loader looks: others may know where they are
                import weasyprint
    except ImportError as error:
        raise MissingLibrary(
            f"WeasyPrint is not installed ({error})", "pip install 'weasyprint>=70'"
        ) from error
    except OSError as error:
        raise MissingLibrary(f"WeasyPrint cannot load {_library_in(error)}", install_hint()) from error
    major = int(weasyprint.__version__.partition(".")[0])
    if major < LEAST_WEASYPRINT:
        raise MissingLibrary(
            f"WeasyPrint {weasyprint.__version__} is too old to be given untrusted text",
            "pip install 'weasyprint>=70'",
        )
    return weasyprint


@contextlib.contextmanager
def _by_full_names() -> Iterator[None]:
    """Linux: libraries are loaded by their full names (libpango-1.0.so.0) alone.

    WeasyPrint asks for names of other systems first, for each of which Python runs a compiler and a linker.
    """
    search = ctypes.util.find_library
    if sys.platform.startswith("linux"):
        ctypes.util.find_library = _found_nowhere
    try:
        yield
    finally:
        ctypes.util.find_library = search


def _found_nowhere(name: str) -> str | None:  # noqa: ARG001 - the signature of the search it stands for
    return None


def _library_in(error: OSError) -> str:
    """The library that a loader's error is about: all else in it is the loader's search, of no use here."""
    named = re.search(r"library '([^']{1,80})'|(\blib[\w.+-]{1,80}?\.(?:so|dylib|dll)\b)", str(error))
    return "the system library " + clean(named[1] or named[2], 80) if named else "Pango or what it needs"


@dataclass(frozen=True)
class Printable:
    """HTML whose every character has a glyph, and which characters were written as codes for that."""

    html: str
    replaced: tuple[str, ...] = ()


def printable(html: str, own_text: str) -> Printable:
    """HTML that prints without boxes: characters no font has are written as [U+4E2D].

    `own_text` is the report's own wording; if that cannot be printed (a language without its font),
    raises MissingLibrary, because a page of codes helps nobody.
    """
    shown = visible_text(html)
    missing = fonts.uncovered(shown)
    if not missing:
        return Printable(html)
    if missing & set(own_text) or not any(c not in missing for c in shown if not c.isspace()):
        example = " ".join(sorted(missing)[:5])
        raise MissingLibrary(
            f"no installed font has {len(missing)} of the characters needed (such as {example})",
            "apt install fonts-noto-core fonts-noto-cjk (or any font that has them)",
        )
    # None of these is ASCII markup, so replacing them in the whole text leaves the markup whole.
    replaced = tuple(sorted(missing))
    return Printable(html.translate({ord(c): f"[U+{ord(c):04X}]" for c in replaced}), replaced)


@dataclass(frozen=True)
class Data:
    """A text file to attach. The name must be ASCII: others give two entries, one of them garbled."""

    name: str
    description: str
    text: str


def write_pdf(html: str, data: Iterable[Data], when: datetime | None) -> tuple[bytes, tuple[str, ...]]:
    """PDF/A-3a of `html` with the data attached; the same bytes for the same input.

    Beside it what WeasyPrint refused or did not find in the page (none in a sound report). Raises
    MissingLibrary when WeasyPrint or what it needs is not there or breaks on this page.
    """
    weasyprint = load_weasyprint()
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher

    class DataOnly(URLFetcher):  # type: ignore[misc]
        """Nothing from files or networks, whatever a string in the report may say."""

        def __init__(self) -> None:
            super().__init__(allowed_protocols={"data"}, allow_redirects=False)

    dated = when or _UNDATED
    attachments = [
        weasyprint.Attachment(
            string=item.text,
            name=item.name,
            description=item.description,
            relationship="Data",
            created=dated,
            modified=dated,
            url_fetcher=DataOnly(),
        )
        for item in data
    ]
    with _complaints() as complaints, no_garbage(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        document = weasyprint.HTML(string=fonts.undated(html), url_fetcher=DataOnly(), base_url=None)
        try:
            pdf = document.write_pdf(
                font_config=FontConfiguration(),
                pdf_variant=VARIANT,
                attachments=attachments,
                finisher=_each_once,
            )
        except Exception as error:  # a bug of the library costs the PDF, not the scan
            reason = clean(f"{type(error).__name__}: {error}", 160)
            raise MissingLibrary(
                f"WeasyPrint {weasyprint.__version__} failed on this report ({reason})",
                "The HTML has everything; print it from a browser, and please send us the advice.json.",
            ) from error
    return bytes(pdf), tuple(complaints[:3])


def _each_once(_document: Any, pdf: Any) -> None:
    """Associated files without those that stand twice: WeasyPrint lists each by its name and as an object."""
    if listed := pdf.catalog.get("AF"):
        listed[:] = dict.fromkeys(listed)


@contextlib.contextmanager
def no_garbage() -> Iterator[None]:
    """Without looking for garbage: data and layout make a million objects that stay, a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage()[:200])


@contextlib.contextmanager
def _complaints() -> Any:
    """Errors of WeasyPrint (something it could not fetch or find) instead of silence."""
    handler, logger = _Complaints(), logging.getLogger("weasyprint")
    logger.addHandler(handler)
    try:
        yield handler.found
    finally:
        logger.removeHandler(handler)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.characters: set[str] = set()
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the base class's signature
        self._hidden += tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.characters.update(data)


def visible_text(html: str) -> frozenset[str]:
    """The characters that a page shows."""
    parser = _Text()
    parser.feed(html)
    return frozenset(parser.characters)


def check() -> list[tuple[str, bool, str, str]]:
    """What PDF reports need: (name, there, detail, command that installs it)."""
    rows: list[tuple[str, bool, str, str]] = []
    try:
        weasyprint = load_weasyprint()
    except MissingLibrary as error:
        rows.append(("WeasyPrint", False, error.message, error.hint))
    else:
        from weasyprint.text.ffi import pango

        number = pango.pango_version()  # 15012 is 1.50.12
        version = f"{number // 10000}.{number // 100 % 100}.{number % 100}"
        rows.append(("WeasyPrint", True, f"{weasyprint.__version__}, Pango {version}", ""))
    subset = ctypes.util.find_library("harfbuzz-subset")
    rows.append(
        (
            "harfbuzz-subset",
            subset is not None,
            subset or "not found: PDFs with Chinese, Japanese or Korean text take ten times as long",
            ""
            if subset
            else ("apt install libharfbuzz-subset0" if sys.platform.startswith("linux") else install_hint()),
        )
    )
    faces, count = fonts.shipped_faces(), fonts.system_font_count()
    chinese = fonts.shipped_faces(fonts.CHINESE_FACES)
    shipped = (
        f"{len(faces)} of {len(fonts.FACES)} faces of {FAMILY} and "
        f"{len(chinese)} of {len(fonts.CHINESE_FACES)} of {fonts.CHINESE} shipped"
    )
    system = "no fontconfig" if count is None else f"{count} font files on this system"
    fine = len(faces) == len(fonts.FACES) or bool(count)
    rows.append(("Fonts", fine, f"{shipped}, {system}", "" if fine else "apt install fonts-noto-core"))
    return rows
