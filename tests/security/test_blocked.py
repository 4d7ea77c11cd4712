"""Content opens nothing: every document of a hostile advice, made with the network blocked and files watched.

Names that drivers, hosts and files give hold addresses and paths in every form that HTML, CSS and SVG load
from. Python's own doors are watched by an audit hook; what native libraries (Pango, the chart library) open
or connect to is seen from outside: a watched folder, and a listening socket in a network with nothing else.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from printing import can_print

pypdf = pytest.importorskip("pypdf")

WATCHED = Path(__file__).with_name("watched.py")
_IN_OPEN, _IN_ACCESS, _IN_NONBLOCK = 0x20, 0x1, 0o4000
_UNSHARE = ("unshare", "--map-root-user", "--net")
DOCUMENTS = ("machine/report", "machine/compare", "plan/report", "estimate/report", "estimate/request")
_INSIDE = (
    ("urllib.Request", r"\('data:"),  # fonts in the page itself
    (
        "subprocess.Popen",
        r"\('\S*bash', \['\S*bash', '-n'\], None, None\)$",
    ),  # reads a job's script, runs nothing
)
SECRET = "the content of a file that nobody may open"


class Trap:
    """A folder with a file; who opens it, in whatever language, is seen (Linux)."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))  # short: names are cut in tables
        self.file = self.folder / "s.svg"
        self.file.write_text(f'<svg xmlns="http://www.w3.org/2000/svg"><text>{SECRET}</text></svg>')
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._libc.inotify_init1(_IN_NONBLOCK)
        assert self._libc.inotify_add_watch(self._handle, bytes(self.folder), _IN_OPEN | _IN_ACCESS) >= 0

    def touched(self) -> bool:
        """Whether anything was opened in it since the last time this was asked."""
        try:
            return bool(os.read(self._handle, 65536))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._handle)
        shutil.rmtree(self.folder)


@dataclass
class Made:
    """What came of one run."""

    folder: Path
    trap: Trap
    alone: bool
    opened: bool
    connected: bool
    events: list[tuple[str, str]] = field(default_factory=list)

    def outward(self) -> list[tuple[str, str]]:
        """Every attempt at a socket, an address or a program, but for those that are known to stay inside."""
        return [
            (event, told)
            for event, told in self.events
            if event != "open" and not any(event == e and re.match(shape, told) for e, shape in _INSIDE)
        ]

    def pages(self) -> Iterator[tuple[str, str]]:
        for name in DOCUMENTS:
            yield name, (self.folder / f"{name}.html").read_text(encoding="utf-8")


def run(folder: Path, *, alone: bool) -> Made:
    """Make all documents, with traps in their content; `alone` in a network with nothing but the trap."""
    trap = Trap()
    try:
        done = subprocess.run(
            [*(_UNSHARE if alone else ()), sys.executable, WATCHED, folder, trap.file.as_uri(), trap.file],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        told = json.loads((folder / "events.json").read_text())
        return Made(folder, trap, alone, trap.touched(), told["connected"], told["events"])
    finally:
        trap.close()


def own_network() -> bool:
    """Whether a network of its own is allowed here."""
    return (
        shutil.which("unshare") is not None
        and not subprocess.run([*_UNSHARE, "true"], check=False).returncode
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    if not sys.platform.startswith("linux"):
        pytest.skip("files are watched with inotify, which is Linux's")
    if not can_print():
        pytest.skip("WeasyPrint or Pango is not here; see `hwadvisor doctor`")
    return run(tmp_path_factory.mktemp("open"), alone=own_network())


def test_the_traps_work(tmp_path):
    """A trap that nobody can trip proves nothing."""
    trap = Trap()
    try:
        assert not trap.touched()
        subprocess.run(["cat", str(trap.file)], check=True, capture_output=True)
        assert trap.touched() and not trap.touched()
    finally:
        trap.close()
    code = (
        f"import sys; sys.path.insert(0, {str(WATCHED.parent)!r}); import watched\n"
        "sys.addaudithook(watched.watch); watched.block()\n"
        "import socket, urllib.request\n"
        "for ask in (socket.socket, lambda: urllib.request.urlopen('http://127.0.0.1:9/')):\n"
        "    try: ask()\n"
        "    except OSError: pass\n"
        "    else: raise SystemExit('not blocked')\n"
        "open('/dev/null').close()\n"
        "assert {e for e, _ in watched.EVENTS} >= {'open', 'urllib.Request'}, watched.EVENTS\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = (
        f"import sys; sys.path.insert(0, {str(WATCHED.parent)!r}); import watched, select, socket\n"
        "listener = watched.listening()\n"
        "seen = lambda: select.select([listener], [], [], 0)[0]\n"
        "assert not seen()\n"
        "socket.create_connection(listener.getsockname()).close()\n"
        "assert seen()\n"
    )
    for before in ((), _UNSHARE) if own_network() else ((),):
        subprocess.run([*before, sys.executable, "-c", code], check=True)


def test_no_path_and_no_socket_is_opened(made):
    named = str(made.trap.folder)
    assert not [path for event, path in made.events if event == "open" and named in path]
    assert not made.outward()
    assert any("style.css" in path for _, path in made.events)  # the hook saw what was opened
    assert not made.opened and not made.connected


def test_nothing_is_missing_without_any_network(made):
    """In a network of its own nothing answers but the trap, of which nothing was asked."""
    for name in DOCUMENTS:
        assert (made.folder / f"{name}.pdf").stat().st_size > 10_000
    if not made.alone:
        pytest.skip("a network of its own is not allowed here (unshare --map-root-user --net)")


class Page(HTMLParser):
    """All attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.style, self._inside = "", "", ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in ("style", "script") else ""

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "style":
            self.style += data
        elif not self._inside:
            self.text += data


_LOADS = {"href", "src", "srcset", "data", "action", "formaction", "poster", "background", "xlink:href",
          "cite", "manifest", "ping", "longdesc", "usemap", "codebase", "classid"}  # fmt: skip
_FOREIGN = {"img", "image", "link", "object", "embed", "iframe", "form", "base", "audio", "video", "use"}


def test_no_page_names_an_address_but_its_own(made):
    for name, text in made.pages():
        page = Page(text)
        assert not [tag for tag, _ in page.tags if tag in _FOREIGN], name
        assert [tag for tag, _ in page.tags].count("script") == (name.endswith("report")), name
        for tag, attrs in page.tags:
            assert not [key for key in attrs if key.startswith("on") or key == "style"], (name, tag)
            for key, value in attrs.items():
                if key in _LOADS:
                    assert re.match(r"#|data:", value or ""), (name, tag, key, value[:80])
                elif key != "content":
                    assert not re.search(r"url\((?!#)", value or "") or key in ("title", "aria-label"), (
                        name, tag, key, value[:80],
                    )  # fmt: skip
        assert set(re.findall(r"url\(\"?([a-z]+:|/|#)", page.style)) == {"data:"}, name
        assert "@import" not in page.style and "127.0.0.1" not in page.style
        assert "127.0.0.1" in page.text and made.trap.file.name in page.text  # shown, as text


def test_hidden_and_endless_texts_are_shown_as_text(made):
    for name, text in made.pages():
        assert "\u202e" not in text and "\x00" not in text, name
        assert "A" * 450 not in re.sub(r'href="data:[^"]*"', "", text), name
    assert "\\u202e" in Page(dict(made.pages())["machine/report"]).text


def test_pdfs_hold_no_address_and_no_file_but_their_own(made):
    for name in DOCUMENTS:
        data = (made.folder / f"{name}.pdf").read_bytes()
        reader = pypdf.PdfReader(io.BytesIO(data))
        for page in reader.pages:
            notes = [note.get_object() for note in page.get("/Annots") or ()]
            assert not [n for n in notes if "/A" in n and n["/A"].get("/S") not in (None, "/GoTo")], name
            assert "/AA" not in page
        root = reader.trailer["/Root"]
        assert not {"/OpenAction", "/AA", "/AcroForm"} & set(root), name
        assert set(reader.attachments) <= {
            "advice.json", "candidates.csv", "a.json", "b.json", "comparison.json", "request.json",
            "job.sbatch",
        }, name  # fmt: skip
        text = "".join(page.extract_text() for page in reader.pages)
        assert SECRET not in text and "\u202e" not in text and "\x00" not in text, name
        assert "A" * 450 not in text
        images = [i for page in reader.pages for i in (page["/Resources"].get("/XObject") or {}).values()]
        assert not [i for i in images if i.get_object().get("/Subtype") == "/Image"], name
