"""Removes from an advice what names a computer or a person, everywhere it stands; figures stay.

What a field says outright (host name, user, serial numbers, UUIDs, paths of this machine) is replaced
wherever else the text has it too; then patterns catch what no field named: addresses, home folders,
identifiers in error messages. The same thing gets the same placeholder, so that devices and links still
belong together, and the same advice gives the same bytes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

from advisor.schema import Advice, Notice

NOTE = Notice(
    code="redacted",
    message="Host name, user, serial numbers, UUIDs, addresses and paths were removed from this file.",
    hint="",
)

# Names that tell nothing of anybody: replaced in their own field alone, for elsewhere they are plain words.
_COMMON = frozenset(
    """root user users admin administrator nobody guest test localhost localdomain local host hostname
    node vm kvm docker container cpu gpu npu tpu cuda xpu mps disk memory server machine
    computer laptop desktop workstation main master worker login linux windows darwin debian
    ubuntu fedora centos none unknown true false torch pytorch jax tensorflow nvidia amd intel
    huawei apple google python home data work tmp slurm own fit rule the a an of in is it no not
    on or and to with at by for from""".split()  # noqa: SIM905
)
# Fields of closed lists, names of quantities and formulas: nobody's name is in them.
_FIXED = frozenset(
    """unit kind status grade stage schema_version family method precision optimizer vendor bench
    purpose limit choices phase quantity inputs rule expr numbers code vendor_id device_id
    class_code pci_id accelerator_id rules_digest created_at probed_at started_at finished_at
    measured_at prices_as_of as_of""".split()  # noqa: SIM905
)
# Fields of versions, which look like addresses: only names that are known are taken out of them.
_VERSIONS = frozenset(
    """driver_version runtime_version binding version build python_version torch_version kernel tool
    packages""".split()  # noqa: SIM905
)
_KEYS = frozenset(("trace", "devices", "device_uuids"))  # tables whose keys are names of things here
_NAMED = {"hostname": "host", "user": "user", "serial": "serial", "uuid": "uuid"}
_PATHS = frozenset({"path", "mount_point", "python", "environment"})
_SYSTEM = (
    "/proc", "/sys", "/dev", "/etc/os-release", "/etc/machine-info", "/usr/lib/os-release", "/.dockerenv",
    "/run/.containerenv",
)  # fmt: skip

_HEX = "[0-9A-Fa-f]"
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "email",
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[A-Za-z]{2,24}(?![\w-])"),
    ),
    (
        "uuid",
        re.compile(rf"(?:GPU-|MIG-)?(?<!{_HEX}){_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}(?!{_HEX})"),
    ),
    ("uuid", re.compile(rf"(?<![\w])(?:0x)?{_HEX}{{32,128}}(?![\w])")),
    ("address", re.compile(rf"(?<![\w:.-]){_HEX}{{2}}(?:[:-]{_HEX}{{2}}){{5,19}}(?![\w:-])")),  # MAC, RDMA
    ("address", re.compile(rf"(?<![\w:]){_HEX}{{4}}(?::{_HEX}{{4}}){{3,7}}(?![\w:])")),  # GUID, GID
    ("pci", re.compile(rf"(?<![\w:])(?:{_HEX}{{4,8}}:)?{_HEX}{{2}}:{_HEX}{{2}}\.[0-7](?![\w])")),
    ("address", re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")),
    ("address", re.compile(rf"(?<![\w:.])(?:{_HEX}{{0,4}}:){{2,7}}{_HEX}{{0,4}}(?:%\w+)?(?![\w:])")),
    ("id", re.compile(r"(?<=uid_)\d+|(?<=uid-)\d+|(?<=user-)\d+|(?<=job_)\d+|(?<=user@)\d+")),
)
_PATH = re.compile(
    r"""file://[^\s'"<>|;,()]*
    | (?<=['"])/[^'"\n]*(?=['"])                       # a quoted path may have blanks
    | (?<![\w:/\\])[A-Za-z]:\\(?:Users\\[^\\/:*?"<>|\n]*)?[^\s'"<>|;,()]*
    | (?<![\w\\])\\\\[\w.-]+\\[^\s'"<>|;,()]*          # \\\\server\\share
    | (?<![\w:/])//[\w.-]+/[^\s'"<>|;,()]*             # //server/share
    | (?<![\w./~*-])~[\w.-]{0,32}/[^\s'"<>|;,()]*      # ~/…, ~somebody/…
    | (?:\b[\w.-]{2,253}:)?(?<![\w/.~<)\]-])/(?!/)[\w.@+~-][^\s'"<>|;,()]*  # /home/…, server:/export/…
    """,
    re.VERBOSE,
)


def redact(advice: Advice) -> Advice:
    """The advice without what names computer or person, and with a notice that says so.

    What was redacted before stays as it is.
    """
    if any(notice.code == NOTE.code for notice in advice.notices):
        return advice
    raw = advice.model_dump()
    words = _Words(raw)
    told: dict[str, Any] = words.clean(raw)
    told["notices"] = (*told["notices"], NOTE)
    return Advice.model_validate(told)


class _Words:
    """What is replaced by what, in one advice."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._given: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._known: dict[str, str] = {}
        self._done: dict[
            tuple[str, bool], str
        ] = {}  # the same few texts stand thousands of times in an advice
        for sort, text in _told(raw):
            self._learn(sort, text)
        # Longest first: a host's full name before its first part.
        names = sorted(self._given, key=lambda name: (-len(name), name))
        self._names = (
            re.compile(
                r"(?<![A-Za-z0-9])(?:" + "|".join(map(re.escape, names)) + r")(?![A-Za-z0-9])", re.IGNORECASE
            )
            if names
            else None
        )

    def _learn(self, sort: str, text: str) -> None:
        """Remember a text that a field gives outright, and the parts of it that name something too."""
        parts = [text]
        if sort == "host" and "." in text:
            head, _, domain = text.partition(".")
            parts += [head, *([domain] if "." in domain else [])]
        if sort == "path":
            parts = [text] if len(text.strip("/")) > 1 and not _of_the_system(text) else []
        least = {"host": 2, "user": 2, "path": 3}.get(sort, 4)
        for part in parts:
            if len(part) >= least and part.casefold() not in _COMMON and not part.startswith("["):
                self._given.setdefault(part.casefold(), self._placeholder(sort, part))

    def _placeholder(self, sort: str, text: str) -> str:
        """ "[host]", "[uuid 2]": things of which there may be several are numbered as they come."""
        if sort in ("host", "user", "path", "address", "email", "id"):
            return f"[{sort}]"
        key = f"{sort}|{text.casefold()}"
        if key not in self._known:
            self._counts[sort] = self._counts.get(sort, 0) + 1
            self._known[key] = f"[{sort} {self._counts[sort]}]"
        return self._known[key]

    def clean(self, value: Any, key: str = "") -> Any:
        """The value with every text in it cleaned; `key` is the field it stands in."""
        if isinstance(value, str):
            if key in _FIXED or isinstance(value, Enum):
                return value
            return self.text(value, patterns=False) if key in _VERSIONS else self._field(value, key)
        if isinstance(value, Mapping):
            return self._table(value, key)
        if isinstance(value, (list, tuple)):
            return type(value)(self.clean(item, key) for item in value)
        return value

    def _table(self, table: Mapping[str, Any], key: str) -> dict[str, Any]:
        if "status" in table and "others" in table:  # a fact: its value is of the field that holds it
            inner = {name: self.clean(item, key if name == "value" else name) for name, item in table.items()}
            inner["others"] = tuple(
                {"value": self.clean(other["value"], key), "source": self.text(other["source"])}
                for other in table["others"]
            )
            return inner
        if (
            key == "figures"
        ):  # of the catalogue: sources cite web pages, whose addresses look like identifiers
            return {name: self._listed(item) for name, item in table.items()}
        if key in _FIXED:
            return dict(table)
        inside = key if key in _VERSIONS else None
        return {
            self.text(name) if key in _KEYS else name: self.clean(item, inside or name)
            for name, item in table.items()
        }

    def _listed(self, figure: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: self.text(item, patterns=False) if isinstance(item, str) and name != "kind" else item
            for name, item in figure.items()
        }

    def _field(self, text: str, key: str) -> str:
        """A text of a field that may itself be what is removed, whatever it looks like."""
        if key in _NAMED:
            return self._placeholder(_NAMED[key], text) if text else text
        if key in _PATHS:
            return "[path]" if re.search(r"[/\\]", text) and text != "/" else self.text(text)
        if key == "job_id":
            return "[id]" if text else text
        if key == "device" and re.match(r"//|\\\\|[^/\s]+:/", text):  # a share of another computer
            return "[path]"
        if key in ("pci_address", "address", "remote_pci_address") and text:
            return self.text(text) if self.text(text) != text else self._placeholder("pci", text)
        return self.text(text)

    def text(self, text: str, *, patterns: bool = True) -> str:
        """Any text: known names first, then what looks like a path, an address or an identifier."""
        key = (text, patterns)
        if key not in self._done:
            self._done[key] = self._text(text, patterns=patterns) if text else text
        return self._done[key]

    def _text(self, text: str, *, patterns: bool) -> str:
        if self._names is not None:
            text = self._names.sub(lambda found: self._given[found[0].casefold()], text)
        if any(mark in text for mark in "/\\~"):
            text = _PATH.sub(self._path, text)
        for sort, pattern in _PATTERNS if patterns else ():
            text = pattern.sub(self._pattern(sort), text)
        return text

    def _pattern(self, sort: str) -> Callable[[re.Match[str]], str]:
        def replaced(found: re.Match[str]) -> str:
            said = found[0]
            if sort == "address" and not _is_address(said):
                return said
            return self._placeholder(sort, said)

        return replaced

    def _path(self, found: re.Match[str]) -> str:
        said = found[0]
        if _of_the_system(said):
            return said
        tail = re.search(r"[.:]+$", said)
        return "[path]" + (tail[0] if tail else "")


def _of_the_system(path: str) -> bool:
    """Whether a path is the same on every such system, so that it names nothing but a source."""
    return any(path == head or path.startswith(head + "/") for head in _SYSTEM)


def _is_address(text: str) -> bool:
    """Whether a text of that shape is a network address: times and versions look alike."""
    bare = text.partition("%")[0]
    if re.fullmatch(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5,19}|[0-9A-Fa-f]{4}(:[0-9A-Fa-f]{4}){3,7}", bare):
        return True
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    return not (address.version == 6 and len(bare) < 5)


def _told(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every name that a field of the advice gives outright, with its sort."""
    if isinstance(value, Mapping):
        if "status" in value and "others" in value:
            yield from _told(value["value"], key)
            for other in value["others"]:
                yield from _told(other["value"], key)
            return
        if key == "device_uuids":
            yield from (("uuid", text) for text in value.values())
        for name, item in value.items():
            yield from _told(item, name)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _told(item, key)
    elif isinstance(value, str) and value:
        if key in _NAMED:
            yield _NAMED[key], value
        elif key in _PATHS and re.search(r"[/\\]", value):
            yield "path", value
