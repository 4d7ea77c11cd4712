"""Renders a hostile advice in every form while every file that is opened and every socket is written down.

python watched.py FOLDER PATH… : writes the documents into FOLDER, and FOLDER/events.json. Their content names
the paths, and an address at which this process listens. In a network of its own that is all there is.
"""

from __future__ import annotations

import fcntl
import json
import select
import socket
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

EVENTS: list[tuple[str, str]] = []
_NETWORK = ("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "os.system", "os.exec", "os.spawn", "pty.")


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: what is opened, and all that could leave the computer or start a program."""
    if event == "open":
        EVENTS.append((event, str(arguments[0])))
    elif event == "subprocess.Popen" or event.startswith(_NETWORK):
        EVENTS.append((event, str(arguments)[:200]))


def block() -> None:
    """No socket can be made, and no name be looked up."""

    def refused(*_: object, **__: object) -> Any:
        raise OSError("the network is blocked")

    class Closed(socket.socket):
        __init__ = refused  # type: ignore[assignment]

    socket.socket = Closed  # type: ignore[misc]
    socket.getaddrinfo = socket.create_connection = socket.gethostbyname = refused  # type: ignore[assignment]


_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1  # of <linux/sockios.h> and <net/if.h>


def listening() -> socket.socket:
    """A listener on this computer, which a network of its own has to be told of first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        told = fcntl.ioctl(asked, _GET_FLAGS, struct.pack("16sH22x", b"lo", 0))
        flags = struct.unpack_from("H", told, 16)[0]
        if not flags & _UP:
            fcntl.ioctl(asked, _SET_FLAGS, struct.pack("16sH22x", b"lo", flags | _UP))
    return socket.create_server(("127.0.0.1", 0))


FORMS = (
    "url({})", "@import url({});", "<img src={}>", "<link rel=stylesheet href={}>", '"><object data={}>',
    "<svg><image href='{}'/></svg>", "<a rel=attachment href={}>", "}}body{{background:url({})}}", "![x]({})",
    "<style>@import '{}'</style>", "</script><script src={}></script>", "{}", "\u202e\x00{}",
    "</svg><!-- {} --><base href={}>",
)  # fmt: skip
LONG = "A" * 10_000


class Hostile:
    """Each text of an advice with one of the forms before it, the same text always with the same."""

    def __init__(self, urls: list[str], closed: frozenset[str]) -> None:
        self._closed = closed
        self._prefixes = [form.format(url, url) for url in urls for form in FORMS]

    def text(self, text: str) -> str:
        """As it stands, or with 10 kB behind it."""
        at = zlib.crc32(text.encode("utf-8", "replace"))
        return f"{self._prefixes[at % len(self._prefixes)]} {text}{LONG if at % 7 == 0 else ''}"

    def of(self, value: Any, key: str = "") -> Any:
        """Every text in the value that is not of a closed list."""
        if isinstance(value, dict):
            if "status" in value and "others" in value:  # a fact is of the field that holds it
                return {name: self.of(item, key if name == "value" else name) for name, item in value.items()}
            named = key in ("trace", "devices")
            return {self.text(name) if named else name: self.of(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, key if isinstance(item, str) else "") for item in value]
        return self.text(value) if isinstance(value, str) and value and key not in self._closed else value


def main() -> None:
    """All documents of hostile advices."""
    folder, listener = Path(sys.argv[1]), listening()
    urls = [f"http://127.0.0.1:{listener.getsockname()[1]}/x.svg", *sys.argv[2:]]
    tests = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(tests / "render"), str(tests / "request")]
    sys.addaudithook(watch)
    block()
    import made
    import sample
    import test_render_choice

    from advisor import redact
    from advisor.compare import compare
    from advisor.data.advice import save_advice
    from advisor.render import render_report
    from advisor.render.compare_page import render_comparison
    from advisor.render.request_page import attached, render_request
    from advisor.request import Options, Site, build, pick, write
    from advisor.schema import Advice

    closed = redact._FIXED - {"limit", "code", "rule", "expr"} | {"confidence"}
    hostile = Hostile(urls, closed)

    def of(advice: Advice) -> Advice:
        return Advice.model_validate(hostile.of(advice.model_dump(mode="json")))

    machine = of(sample.gpu_machine())
    for name, advice, lang in (
        ("machine", machine, "en"),
        ("plan", of(test_render_choice.planned()), "zh"),
        ("estimate", of(test_render_choice.estimated()), "en"),
    ):
        (folder / name).mkdir()
        save_advice(advice, folder / name / "advice.json")
        result = render_report(advice, folder / name, lang=lang)
        print(name, [path.name for path in result.written], result.skipped)
    sides = (of(sample.cpu_machine()), machine)
    names = (hostile.text("a"), hostile.text("b"))
    render_comparison(sides, compare(*sides, names), folder / "machine", lang="zh")
    held = of(made.advice())
    job = build(pick(held), Site(), Options(command=("train.py", urls[0])), None)
    files, _ = write(job, "slurm")
    data = attached(held, files, {"target": hostile.text("x")})
    render_request(held, job, data, folder / "estimate", formats=("html", "pdf"))
    connected = bool(select.select([listener], [], [], 0)[0])
    told = {"events": EVENTS, "connected": connected}
    (folder / "events.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
