"""Where two HTML pages differ that should be the same bytes."""

from __future__ import annotations

from html.parser import HTMLParser

_POLICY = "its policy (CSP)"
_STYLE = "its style sheet"
_SCRIPT = "its script"
_DRAWING = "its drawings (SVG)"
_ATTRIBUTES = "attributes of its elements"
_COMMENTS = "its comments"
_DATA = "the data it carries, as it is written"
_TEXT = "its text"
_BYTES = "its bytes"


def of_html(page: str, again: str) -> tuple[str, ...]:
    """What of an HTML page is not as it was made again."""
    ours, theirs = _read(page), _read(again)
    return tuple(name for name in ours if ours[name] != theirs[name]) or (_BYTES,)


class _Parts(HTMLParser):
    """A page taken apart: everything in it stands in one of the lists."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        names = (_TEXT, _STYLE, _SCRIPT, _POLICY, _DRAWING, _ATTRIBUTES, _COMMENTS, _DATA)
        self.found: dict[str, list[object]] = {name: [] for name in names}
        self._inside = ""
        self._drawings = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "svg":
            self._drawings += 1
        if tag in ("style", "script"):
            self._inside = tag
        is_policy = tag == "meta" and any(name == "http-equiv" for name, _ in attrs)
        where = _POLICY if is_policy else _DRAWING if self._drawings else _ATTRIBUTES
        if tag == "a" and any(name == "download" for name, _ in attrs):
            where = _DATA
        self.found[where].append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag == "svg" and self._drawings:
            self._drawings -= 1
        if tag == self._inside:
            self._inside = ""
        self.found[_DRAWING if self._drawings else _ATTRIBUTES].append(tag)

    def handle_data(self, data: str) -> None:
        where = {"style": _STYLE, "script": _SCRIPT}.get(self._inside, _TEXT)
        self.found[where].append(data)

    def handle_comment(self, data: str) -> None:
        self.found[_COMMENTS].append(data)

    def handle_decl(self, decl: str) -> None:
        self.found[_COMMENTS].append(decl)

    def unknown_decl(self, data: str) -> None:
        self.found[_COMMENTS].append(data)

    def handle_pi(self, data: str) -> None:
        self.found[_COMMENTS].append(data)


def _read(page: str) -> dict[str, list[object]]:
    parser = _Parts()
    parser.feed(page)
    parser.close()
    parser.found[_TEXT] = ["".join(str(text) for text in parser.found[_TEXT])]
    return parser.found
